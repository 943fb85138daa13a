// The tree against the rules of tests/tidy/layers.txt.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/tidy/checks.h"

namespace holdfast::tidy {
namespace {

const std::string kTop = HOLDFAST_SOURCE_DIR;

void expect_empty(const Report& report) {
  std::string lines;
  for (const std::string& violation : report) lines += violation + "\n";
  EXPECT_TRUE(report.empty()) << lines;
}

class Tidy : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(rules.problem, ""); }
  Rules rules = read_rules(kTop + "/tests/tidy/layers.txt");
};

TEST_F(Tidy, IncludesFollowTheArrows) {
  Report report;
  for (const Source& s : read_tree(kTop)) check_includes(s, rules, report);
  expect_empty(report);
}

TEST_F(Tidy, TextKeepsToTheConventions) {
  Report report;
  for (const Source& s : read_tree(kTop)) check_text(s, rules, report);
  expect_empty(report);
}

TEST_F(Tidy, EverythingHasItsPlace) {
  Report report;
  std::vector<Source> sources = read_tree(kTop);
  check_tree(kTop, sources, rules, report);
  expect_empty(report);
}

TEST_F(Tidy, FoldersSayWhatTheyAreFor) {
  Report report;
  std::vector<Source> sources = read_tree(kTop);
  check_readmes(sources, rules, report);
  expect_empty(report);
  for (const std::string& warning : warnings(sources, rules)) std::printf("warning: %s\n", warning.c_str());
}

TEST_F(Tidy, OnlyTheHostReachesTheOperatingSystem) {
  Report report;
  std::vector<Object> objects = read_objects(HOLDFAST_BINARY_DIR, kTop);
  EXPECT_FALSE(objects.empty()) << "compile_commands.json of " HOLDFAST_BINARY_DIR " names no object";
  check_symbols(objects, rules, report);
  expect_empty(report);
}

}  // namespace
}  // namespace holdfast::tidy
