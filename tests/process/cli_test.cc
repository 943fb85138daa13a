// `holdfast` against `holdfastd`, as a person or a script uses it: what is printed where, and how it ends.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "tests/process/child.h"

namespace holdfast::test {
namespace {

/// In the body of the first record of the first shard that has one; the file's name.
std::string flip_a_bit_of_a_record(const std::string& data) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data + "/db")) {
    if (entry.path().extension() != ".db") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    constexpr std::streamoff kBody = 4096 + 48 + 9;  // behind the file's header, the record's and its key
    file.seekg(kBody + 1);
    char c = 0;
    file.get(c);
    file.seekp(kBody + 1);
    file.put(static_cast<char>(c ^ 4));
    return entry.path();
  }
  ADD_FAILURE() << "no shard has a file";
  return "";
}

class Cli : public testing::Test {
 protected:
  /// Runs `holdfast` with these arguments, as a shell reads them.
  Ran holdfast(const std::string& arguments, const std::string& input = "") {
    return run(scratch_, "holdfast --connect localhost:" + server_.port() + " " + arguments, input);
  }
  void expect(const std::string& arguments, const std::string& out, const std::string& input = "") {
    Ran r = holdfast(arguments, input);
    EXPECT_EQ(r.out, out) << arguments;
    EXPECT_EQ(r.err, "") << arguments;
    EXPECT_EQ(r.exit, 0) << arguments;
  }
  void expect_refused(const std::string& arguments, int exit, const std::string& begin_of_error,
                      const std::string& input = "") {
    Ran r = holdfast(arguments, input);
    EXPECT_EQ(r.out, "") << arguments;
    EXPECT_TRUE(r.err.starts_with("holdfast: " + begin_of_error)) << arguments << ": " << r.err;
    EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << "one line: " << r.err;
    EXPECT_EQ(r.exit, exit) << arguments;
  }

  Scratch scratch_;
  ServerProcess server_{scratch_.path("data")};
};

TEST_F(Cli, KeepsADocumentFromInsertToDelete) {
  Ran ping = holdfast("ping");
  EXPECT_EQ(ping.exit, 0) << ping.err;
  EXPECT_TRUE(ping.out.contains(" answered in ")) << ping.out;
  const std::string riga =
      R"({"_id":"riga","name":"Rīga","at":{"$date":"2026-01-31T12:00:00Z"},"n":{"$numberUnsigned":"18446744073709551615"}})";
  expect("insert cities '" + riga + "'", "\"riga\"\n");
  expect("get cities riga", riga + "\n");
  expect(R"(find cities '{"name":"Rīga"}')", riga + "\n");
  expect(R"(update cities '{"_id":"riga"}' '{"$set":{"name":"Riga"}}')", "{\"matched\":1,\"modified\":1}\n");
  expect(R"(update cities '{"_id":"oslo"}' '{"$set":{"name":"Oslo"}}')", "{\"matched\":0,\"modified\":0}\n");
  expect(R"(find cities '{"name":"Rīga"}')", "");
  expect("count cities", "1\n");
  expect(R"(count cities '{"name":"Riga"}')", "1\n");
  expect(R"(delete cities '{"_id":"riga"}')", "{\"deleted\":1}\n");
  expect(R"(delete cities '{"_id":"riga"}')", "{\"deleted\":0}\n");
  expect("count cities", "0\n");
}

TEST_F(Cli, UpdatesElementsByPositionAndByArrayFilters) {
  expect(R"(insert s '{"_id":1,"a":[1,5,9],"b":[{"k":1},{"k":2}]}')", "1\n");
  const std::string one = "{\"matched\":1,\"modified\":1}\n";
  expect(R"(update s '{"_id":1}' '{"$set":{"a.$[big]":0}}' --array-filters '[{"big":{"$gt":4}}]')", one);
  expect(R"(update s '{"b.k":2}' '{"$set":{"b.$.v":7}}')", one);
  expect("get s 1", "{\"_id\":1,\"a\":[1,0,0],\"b\":[{\"k\":1},{\"k\":2,\"v\":7}]}\n");
  Ran refused = holdfast(R"(update s '{"_id":1}' '{"$set":{"a.$":0}}')");
  EXPECT_NE(refused.exit, 0);
  EXPECT_TRUE(refused.err.contains("$set at path a.$: the query matched through no array")) << refused.err;
  Ran malformed = holdfast(R"(update s '{"_id":1}' '{"$set":{"a.$[x]":0}}' --array-filters '[')");
  EXPECT_TRUE(malformed.err.contains("--array-filters")) << malformed.err;
}

TEST_F(Cli, ChangesManyDocumentsAtOnceAndUpserts) {
  for (const char* d : {R"('{"_id":1,"g":"a","n":1}')", R"('{"_id":2,"g":"a","n":2}')", R"('{"_id":3,"g":"b","n":"text"}')"})
    EXPECT_EQ(holdfast(std::string("insert m ") + d).exit, 0);
  expect(R"(update m '{"g":"a"}' '{"$inc":{"n":1}}' --many)", "{\"matched\":2,\"modified\":2}\n");
  expect_refused(R"(update m '{}' '{"$inc":{"n":1}}' --many)", 1, "bad_request: $inc at path n: the field holds a string, not a number, in the document of _id 3; nothing");
  expect(R"(find m '{}' --sort '{"_id":1}' --projection '{"n":1}')", "{\"_id\":1,\"n\":2}\n{\"_id\":2,\"n\":3}\n{\"_id\":3,\"n\":\"text\"}\n");
  expect(R"(upsert m '{"_id":4,"g":"c"}' '{"$set":{"n":9}}')", "{\"matched\":0,\"modified\":0,\"inserted\":4}\n");
  expect(R"(upsert m '{"_id":4}' '{"$set":{"n":9}}')", "{\"matched\":1,\"modified\":0}\n");
  expect("get m 4", "{\"_id\":4,\"g\":\"c\",\"n\":9}\n");
  expect(R"(delete m '{"n":{"$type":"number"}}' --many)", "{\"deleted\":3}\n");
  expect("count m", "1\n");
}

TEST_F(Cli, TellsIdsOfDifferentKindsApart) {
  expect("insert c '{\"_id\":5}'", "5\n");
  expect("insert c -", "\"5\"\n", "\n {\"_id\": \"5\"}\n");
  expect("get c 5", "{\"_id\":5}\n");
  expect("get c '\"5\"'", "{\"_id\":\"5\"}\n");
  expect("get c 5.0", "{\"_id\":5}\n");
  expect_refused("get c five", 1, "not_found: ");
}

TEST_F(Cli, SaysNoInTheServersWords) {
  expect("insert c '{\"_id\":1}'", "1\n");
  expect_refused("insert c '{\"_id\":1}'", 1, "duplicate_key: E11000 ");
  expect_refused("find c '{\"a\":{\"$near\":1}}'", 1, "unsupported: ");
  expect_refused("insert c '{\"_id\":null}'", 1, "bad_request: ");
}

TEST_F(Cli, KnowsWrongUsage) {
  for (auto arguments :
       {"insert c '{\"a\":1,\"a\":2}'", "insert c '[1]'", "insert c '{'", "find c", "find c '{}' --limit 0",
        "find c '{}' --limit x", "--timeout 5 ping", "", "frobnicate", "get c '\xff'"})
    expect_refused(arguments, 2, "bad_request: ");
  Ran help = holdfast("import --help");
  EXPECT_EQ(help.exit, 0);
  EXPECT_TRUE(help.out.contains("--continue"));
}

TEST(Damage, IsFoundByVerifyInAServerOrAStoppedDirectoryAndGivenUpByRepair) {
  Scratch scratch;
  const std::string data = scratch.path("data"), offline = "holdfastd verify --data-path " + data, repair = "holdfastd repair --data-path " + data;
  std::optional<ServerProcess> server;
  auto start = [&] { server.emplace(data); };
  auto stop = [&] { EXPECT_EQ(server->end(SIGTERM), 0); };
  auto holdfast = [&](const std::string& arguments) { return run(scratch, "holdfast --connect localhost:" + server->port() + " " + arguments); };
  start();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(holdfast("insert c '{\"_id\":" + std::to_string(i) + "}'").exit, 0);
  Ran running = run(scratch, offline);
  EXPECT_EQ(running.exit, 3);
  EXPECT_TRUE((running.out + running.err).contains("holdfast verify asks a running server")) << running.out << running.err;
  stop();
  Ran sound = run(scratch, offline);
  EXPECT_EQ(sound.exit, 0) << sound.out << sound.err;
  EXPECT_TRUE(sound.out.contains("sound: 0 damaged; ") && sound.out.contains(" 5 records, 5 documents")) << sound.out;
  start();
  Ran online = holdfast("verify");
  EXPECT_TRUE(online.out.starts_with("sound: 0 damaged; 5 records, ")) << online.out << online.err;
  EXPECT_EQ(online.exit, 0);
  stop();

  std::string damaged = flip_a_bit_of_a_record(data);
  Ran found = run(scratch, offline);
  EXPECT_EQ(found.exit, 3);
  EXPECT_TRUE(found.out.contains("damaged: " + damaged)) << found.out;
  start();
  Ran found_online = holdfast("verify");
  EXPECT_EQ(found_online.exit, 1);
  EXPECT_TRUE(found_online.out.contains("damaged: " + damaged)) << found_online.out;
  stop();
  Ran listed = run(scratch, repair);
  EXPECT_EQ(listed.exit, 3);
  EXPECT_TRUE(listed.out.contains("would be given up: " + damaged)) << listed.out;
  Ran repaired = run(scratch, repair + " --accept-loss");
  EXPECT_EQ(repaired.exit, 0) << repaired.out << repaired.err;
  EXPECT_EQ(run(scratch, offline).exit, 0);
  start();
  EXPECT_EQ(holdfast("count c").out, "4\n");
}

TEST_F(Cli, SaysWhenTheServerIsNotThere) {
  server_.end(SIGKILL);
  expect_refused("ping", 3, "unreachable: ");
  expect_refused("import c /dev/null", 3, "unreachable: ");
}

TEST_F(Cli, ExportsWhatItImportedInOrderAndSurvivesKillNine) {
  std::string lines, array = "[";
  for (int i = 999; i >= 0; --i) {
    std::string document =
        "{\"_id\":" + std::to_string(i) + ",\"s\":\"" + std::string(static_cast<size_t>(i % 50), 'x') + "\"}";
    lines = document + "\n" + lines;
    array += (i == 999 ? "\n " : ",\n ") + document;
  }
  write_file(scratch_.path("array.json"), array + "\n]\n");
  expect("import a " + scratch_.path("array.json"), "1000 documents were inserted\n");
  expect("import b -", "1000 documents were inserted\n", lines);
  expect("export a", lines);
  expect("export b --sort-memory 1KiB", lines);
  server_.end(SIGKILL);

  ServerProcess again(scratch_.path("data"));
  Ran r =
      run(scratch_, "holdfast --connect localhost:" + again.port() + " export a '" + scratch_.path("a.ndjson") + "'");
  EXPECT_EQ(r.exit, 0) << r.err;
  EXPECT_EQ(read_file(scratch_.path("a.ndjson")), lines);
  EXPECT_FALSE(std::filesystem::exists(scratch_.path("a.ndjson.partial")));
  EXPECT_EQ(again.end(SIGTERM), 0);
}

/// More than one page, and more than one answer may have.
TEST_F(Cli, FindsMoreThanFitsIntoAnAnswer) {
  constexpr int kDocuments = 55;
  std::string lines, back;
  for (int i = 0; i < kDocuments; ++i) {
    std::string line = "{\"_id\":" + std::to_string(i) + ",\"s\":\"" + std::string(1 << 20, static_cast<char>('a' + i % 26)) + "\"}\n";
    lines += line;
    back = line + back;
  }
  expect("import c -", std::to_string(kDocuments) + " documents were inserted\n", lines);
  expect("find c '{}' --sort '{\"_id\":-1}'", back);
  EXPECT_EQ(holdfast("find c '{}'").out.size(), lines.size());
  expect("find c '{\"_id\":{\"$gte\":10}}' --sort '{\"_id\":1}' --skip 20 --limit 3 --projection '{\"_id\":1}'", "{\"_id\":30}\n{\"_id\":31}\n{\"_id\":32}\n");
}

TEST_F(Cli, StopsAnImportAtTheFirstRefusedDocument) {
  expect_refused("import c -", 1, "duplicate_key: line 4: E11000 ",
                 "{\"_id\":1}\r\n\r\n{\"_id\":2}\n{\"_id\":1}\n{\"_id\":3}\n");
  expect("export c", "{\"_id\":1}\n{\"_id\":2}\n");
  expect_refused("import d -", 1, "bad_request: line 2, column 8: ", "{\"_id\":1}\n{\"_id\":}\n{\"_id\":3}\n");
  expect("export d", "{\"_id\":1}\n");
}

TEST_F(Cli, GoesOnAfterRefusedDocumentsWhenAsked) {
  Ran r =
      holdfast("import c - --continue", "\xef\xbb\xbf{\"_id\":1}\nnonsense\n{\"_id\":1}\n{\"_id\":[]}\n{\"_id\":2}");
  EXPECT_EQ(r.exit, 1);
  EXPECT_EQ(r.out, "2 documents were inserted\n");
  for (auto line : {"line 2, ", "line 3: E11000", "line 4: ", "3 documents were refused"})
    EXPECT_TRUE(r.err.contains(line)) << r.err;
  expect("export c", "{\"_id\":1}\n{\"_id\":2}\n");
}

TEST_F(Cli, KeepsQuietWhenNobodyReadsOnAndComplainsWhenItCannotWrite) {
  std::string lines;
  for (int i = 0; i < 5000; ++i)
    lines += "{\"_id\":" + std::to_string(i) + ",\"s\":\"" + std::string(100, 'x') + "\"}\n";
  expect("import c -", "5000 documents were inserted\n", lines);
  Ran head = run(scratch_, "holdfast --connect localhost:" + server_.port() + " find c '{}' | head -n 1");
  EXPECT_EQ(head.err, "");
  EXPECT_EQ(std::count(head.out.begin(), head.out.end(), '\n'), 1);
  Ran full = holdfast("export c >/dev/full");
  EXPECT_EQ(full.exit, 1);
  EXPECT_TRUE(full.err.starts_with("holdfast: disk_full: ")) << full.err;
  Ran closed = holdfast("count c >&-");
  EXPECT_EQ(closed.exit, 1);
  EXPECT_TRUE(closed.err.starts_with("holdfast: io: ")) << closed.err;
  expect_refused("export c /nonexistent/file", 1, "io: ");
  expect_refused("import c /nonexistent/file", 1, "io: ");
}

}  // namespace
}  // namespace holdfast::test
