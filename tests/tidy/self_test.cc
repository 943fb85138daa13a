// The tidy test is seen to fail: planted violations of every rule, each found, and sound sources passed.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "tests/tidy/checks.h"

namespace holdfast::tidy {
namespace {

namespace fs = std::filesystem;

// A tree in a temporary folder, gone at the end.
class PlantedTree {
 public:
  PlantedTree() {
    std::string name = (fs::temp_directory_path() / "holdfast-tidy-XXXXXX").string();
    top_ = mkdtemp(name.data());
  }
  ~PlantedTree() { fs::remove_all(top_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((top_ / path).parent_path());
    std::ofstream(top_ / path) << text;
  }
  std::string top() const { return top_.string(); }

 private:
  fs::path top_;
};

class TidySelf : public testing::Test {
 protected:
  Rules rules = read_rules(HOLDFAST_SOURCE_DIR "/tests/tidy/layers.txt");

  Report includes(const std::string& path, const std::string& line) {
    Report report;
    check_includes({path, {line}}, rules, report);
    return report;
  }
  Report text(const std::string& path, std::vector<std::string> lines) {
    Report report;
    check_text({path, std::move(lines)}, rules, report);
    return report;
  }
};

testing::AssertionResult says(const Report& report, const std::string& part) {
  for (const std::string& line : report)
    if (line.contains(part)) return testing::AssertionSuccess();
  auto failure = testing::AssertionFailure() << "nothing says \"" << part << "\" among " << report.size() << ":";
  for (const std::string& line : report) failure << "\n  " << line;
  return failure;
}

TEST_F(TidySelf, FindsForbiddenArrows) {
  EXPECT_TRUE(
      says(includes("core/a.cc", "#include \"server/session.h\""), "core/a.cc:1: core must not include server"));
  EXPECT_TRUE(says(includes("core/a.cc", "#include \"io/wire/frame.h\""), "core must not include io/wire"));
  EXPECT_TRUE(says(includes("io/base/a.h", "#include \"io/task.h\""), "io/base must not include io"));
  EXPECT_TRUE(
      says(includes("server/session.cc", "#include \"io/real/real_host.h\""), "server must not include io/real"));
  EXPECT_TRUE(says(includes("chaos/oracle/a.cc", "  #  include \"sim/world.h\""), "must not include sim"));
  EXPECT_TRUE(says(includes("core/a.cc", "#include \"overlay.h\""), "not a path from the top"));
}

TEST_F(TidySelf, PassesAllowedArrows) {
  for (auto [from, to] : {std::pair{"core/a.cc", "io/task.h"},
                          {"core/a.cc", "core/engine.h"},
                          {"server/a.cc", "io/wire/frame.h"},
                          {"server/main.cc", "io/real/real_host.h"},
                          {"tests/unit/a.cc", "sim/world.h"},
                          {"io/real/a.cc", "io/disk.h"}})
    EXPECT_EQ(includes(from, "#include \"" + std::string(to) + "\""), Report()) << from << " " << to;
}

TEST_F(TidySelf, KeepsLibrariesBehindTheirUnits) {
  EXPECT_TRUE(
      says(includes("core/a.cc", "#include <asio/io_context.hpp>"), "<asio/io_context.hpp> belongs only in io/real"));
  EXPECT_TRUE(
      says(includes("tests/unit/a.cc", "#include <msgpack.hpp>"), "belongs only in tests/support/msgpack_oracle.cc"));
  EXPECT_TRUE(says(includes("core/a.cc", "#include <unistd.h>"), "belongs only in io/real"));
  EXPECT_TRUE(says(includes("core/a.cc", "#include <thread>"), "belongs only in io/real"));
  EXPECT_TRUE(says(includes("core/a.cc", "#include <leveldb/db.hpp>"), "is not named in tests/tidy/layers.txt"));
  EXPECT_EQ(includes("core/a.cc", "#include <vector>"), Report());
  EXPECT_EQ(includes("io/real/a.cc", "#include <asio/io_context.hpp>"), Report());
  EXPECT_EQ(includes("io/real/a.cc", "#include <sys/socket.h>"), Report());
}

TEST_F(TidySelf, FindsUntidyText) {
  EXPECT_TRUE(says(text("core/a.cc", {"int a;", "\tint b;"}), "core/a.cc:2: has a tab"));
  EXPECT_TRUE(says(text("core/a.cc", {"int a; "}), "ends with a blank"));
  EXPECT_TRUE(says(text("io/a.cc", {std::string(121, 'x')}), "longer than 120 columns"));
  EXPECT_TRUE(says(text("core/MyFile.cc", {"int a;"}), "snake_case"));
  EXPECT_TRUE(says(text("core/a.h", {"#pragma once"}), "begins with a comment"));
  EXPECT_TRUE(says(text("core/a.h", {"// A.", "", "#include <vector>"}), "core/a.h:3: #pragma once"));
  EXPECT_EQ(text("core/a.h", {"// A.", "// More.", "#pragma once"}), Report());
  EXPECT_EQ(text("core/README.md", {std::string(500, 'x')}), Report());
  std::string accents;
  for (int i = 0; i < 120; ++i) accents += "é";
  EXPECT_EQ(text("io/a.cc", {accents}), Report());
}

TEST_F(TidySelf, FindsWhatTheTreeLacksAndWhatItShouldNotHave) {
  PlantedTree tree;
  tree.write("core/README.md", "# core\n");
  tree.write("core/a.cc", "int a;\n");
  tree.write("io/base/b.cc", "int b;");
  tree.write("io/README.md", "# io\n");
  tree.write("attic/c.cc", "int c;\n");
  tree.write("notes.txt", "x\n");
  tree.write("build/x.cc", "int x;\n");
  tree.write(".git/y.cc", "int y;\n");
  std::vector<Source> sources = read_tree(tree.top());
  Report report;
  check_tree(tree.top(), sources, rules, report);
  check_readmes(sources, rules, report);
  EXPECT_TRUE(says(report, "io/base/README.md:1: is missing"));
  EXPECT_TRUE(says(report, "attic:1: does not belong at the top level"));
  EXPECT_TRUE(says(report, "notes.txt:1: does not belong at the top level"));
  EXPECT_TRUE(says(report, "attic/c.cc:1: lies in no layer"));
  EXPECT_TRUE(says(report, "attic/README.md:1: is missing"));
  EXPECT_EQ(report.size(), 5u) << "core and the hidden and built files are fine";
  for (const Source& s : sources) check_text(s, rules, report);
  EXPECT_TRUE(says(report, "io/base/b.cc:1: the last line does not end"));
}

TEST_F(TidySelf, FindsSymbolsOfTheOperatingSystem) {
  Report report;
  check_symbols({{HOLDFAST_TIDY_PLANTED, "core/planted.cc"}}, rules, report);
  for (auto name : {"clock_gettime;", "time;", "rand;", "open", "socket;", "steady_clock3now", "random_device",
                    "_ZNSt6thread", "ifstream"})
    EXPECT_TRUE(says(report, name));
  Report allowed;
  check_symbols({{HOLDFAST_TIDY_PLANTED, "io/real/planted.cc"}}, rules, allowed);
  EXPECT_EQ(allowed, Report());
  check_symbols({{HOLDFAST_TIDY_SOUND, "core/sound.cc"}}, rules, allowed);
  EXPECT_EQ(allowed, Report());
  check_symbols({{"/nowhere/a.o", "core/a.cc"}}, rules, report);
  EXPECT_TRUE(says(report, "core/a.cc:1: is not compiled"));
}

TEST_F(TidySelf, ReadsTheObjectsOfABuild) {
  PlantedTree tree;
  tree.write("build/compile_commands.json", "[\n{\n  \"directory\": \"" + tree.top() +
                                                "/build\",\n  \"command\": \"/usr/bin/clang++ -O1 -o core/a.cc.o -c " +
                                                tree.top() + "/core/a.cc\",\n  \"file\": \"x\"\n}\n]\n");
  std::vector<Object> objects = read_objects(tree.top() + "/build", tree.top());
  ASSERT_EQ(objects.size(), 1u);
  EXPECT_EQ(objects[0].source, "core/a.cc");
  EXPECT_EQ(objects[0].path, tree.top() + "/build/core/a.cc.o");
}

TEST_F(TidySelf, RefusesALineThatIsNoRule) {
  PlantedTree tree;
  tree.write("layers.txt", "layer a -> b\nlayr c -> d\n");
  EXPECT_TRUE(read_rules(tree.top() + "/layers.txt").problem.contains("layers.txt:2: is no rule"));
  EXPECT_NE(read_rules(tree.top() + "/absent.txt").problem, "");
}

TEST_F(TidySelf, WarnsOfLongFilesAndLongLines) {
  EXPECT_TRUE(
      says(warnings({{"core/a.cc", std::vector<std::string>(601)}}, rules), "core/a.cc:601: more than 600 lines"));
  EXPECT_TRUE(says(warnings({{"core/a.cc", {std::string(121, 'x')}}}, rules), "1 lines longer than 120 columns"));
  EXPECT_EQ(warnings({{"core/a.cc", std::vector<std::string>(600)}, {"core/README.md", {}}}, rules), Report());
}

}  // namespace
}  // namespace holdfast::tidy
