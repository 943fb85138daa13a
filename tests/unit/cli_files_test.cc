// The command's pure or nearly pure parts: cutting a stream into documents, the order of ids, sorting outside memory,
// flags.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "client/cli/document_reader.h"
#include "client/cli/external_sort.h"
#include "client/cli/id_order.h"
#include "client/cli/options.h"
#include "core/id_key.h"
#include "core/value_order.h"
#include "io/base/random.h"

namespace holdfast::cli {
namespace {

/// What the reader gives, as "line:text", and its error last.
std::vector<std::string> cut(std::string_view text, size_t piece = SIZE_MAX) {
  DocumentReader reader;
  std::vector<std::string> out;
  for (bool finished = false; !finished;) {
    MutableBytes room = reader.prepare();
    size_t n = std::min({room.size(), piece, text.size()});
    std::memcpy(room.data(), text.data(), n);
    text.remove_prefix(n);
    reader.commit(n);
    if (n == 0) {
      reader.finish();
      finished = true;
    }
    for (;;) {
      auto item = reader.next();
      if (!item) {
        out.push_back(item.error().message);
        return out;
      }
      if (!*item) break;
      out.push_back(std::to_string((*item)->line) + ":" + std::string((*item)->text));
    }
  }
  return out;
}

using Cut = std::vector<std::string>;

TEST(DocumentReader, TakesOneDocumentALine) {
  EXPECT_EQ(cut("{\"a\":1}\n{\"a\":2}\n"), (Cut{"1:{\"a\":1}", "2:{\"a\":2}"}));
  EXPECT_EQ(cut("{}\r\n\r\n  \n  {\"a\": 2} \r\n{}"), (Cut{"1:{}", "4:{\"a\": 2}", "5:{}"}))
      << "blank lines, CRLF, no last line end";
  EXPECT_EQ(cut("\xef\xbb\xbf{}\n"), Cut{"1:{}"}) << "a byte order mark";
  EXPECT_EQ(cut("oops\n{}"), (Cut{"1:oops", "2:{}"})) << "what is inside is the parser's business";
}

TEST(DocumentReader, TakesOneArray) {
  EXPECT_EQ(cut("[{\"a\":1},{\"a\":\"],[{\"}]"), (Cut{"1:{\"a\":1}", "1:{\"a\":\"],[{\"}"}));
  EXPECT_EQ(cut("\n [\n {\"a\":\n 1},\n\n {\"b\":[1,2,{}]}\n ]\n\n"), (Cut{"3:{\"a\":\n 1}", "6:{\"b\":[1,2,{}]}"}));
  EXPECT_EQ(cut("[]"), Cut{});
  EXPECT_EQ(cut("[ 1 , \"x\\\"]\" ]"), (Cut{"1:1", "1:\"x\\\"]\""}));
}

TEST(DocumentReader, FindsNothingInNothing) {
  EXPECT_EQ(cut(""), Cut{});
  EXPECT_EQ(cut(" \n\r\n\t"), Cut{});
  EXPECT_EQ(cut("\xef\xbb\xbf"), Cut{});
}

TEST(DocumentReader, NamesTheLineOfWhatIsWrong) {
  EXPECT_EQ(cut("[{}\n{}]"), (Cut{"1:{}", "line 2: a comma or the array's end must follow a document"}));
  EXPECT_EQ(cut("[{},\n]"), (Cut{"1:{}", "line 2: a document must follow the comma"}));
  EXPECT_EQ(cut("[,{}]"), Cut{"line 1: a document must come before the comma"});
  EXPECT_EQ(cut("[{}\n"), (Cut{"1:{}", "line 2: the array is not closed: the text is cut short"}));
  EXPECT_EQ(cut("[\n{\"a\":"), Cut{"line 2: the document that begins here never ends"});
  EXPECT_EQ(cut("[{}]\n\nx"), (Cut{"1:{}", "line 3: something follows the array's end"}));
  EXPECT_EQ(cut("[}]"), Cut{"1:}"});
}

TEST(DocumentReader, GivesTheSameHoweverTheTextIsCut) {
  Rng rng(4, "cut");
  for (int i = 0; i < 300; ++i) {
    std::string text = rng.chance(1, 2) ? "[" : "";
    bool array = !text.empty();
    for (uint64_t n = rng.below(8); n > 0; --n) {
      text += "{\"k\":\"" + std::string(rng.below(40), "x]}\\"[rng.below(3)]) + "\",\"l\":[{}]}";
      text += array ? (n > 1 ? ",\n" : "\n") : "\r\n";
    }
    if (array) text += "] ";
    Cut whole = cut(text);
    for (size_t piece : {1, 2, 7}) EXPECT_EQ(cut(text, piece), whole) << text;
  }
}

TEST(DocumentReader, HoldsDocumentsLargerThanItsReadAhead) {
  std::string large = "{\"a\":\"" + std::string(3 << 20, 'x') + "\"}";
  EXPECT_EQ(cut("[" + large + "," + large + "]", 100'000), (Cut{"1:" + large, "1:" + large}));
  EXPECT_EQ(cut(large + "\n{}\n", 100'000), (Cut{"1:" + large, "2:{}"}));
}

/// Random ids, many of them close to each other.
Buffer random_id(Rng& rng) {
  Buffer b;
  msgpack::Writer w(b);
  switch (rng.below(6)) {
    case 0: w.uint((uint64_t{1} << rng.below(64)) + rng.below(3) - 1); break;
    case 1: w.integer(-static_cast<int64_t>((uint64_t{1} << rng.below(63)) + rng.below(3)) + 1); break;
    case 2: w.float64(std::ldexp(rng.chance(1, 2) ? 1.0 : -1.0, static_cast<int>(rng.below(70)))); break;
    case 3: w.string(std::string(rng.below(3), static_cast<char>('a' + rng.below(2)))); break;
    case 4: w.binary(std::string(rng.below(3), static_cast<char>(rng.below(256)))); break;
    default: w.time(static_cast<int64_t>(rng.below(5)) - 2, static_cast<uint32_t>(rng.below(3)));
  }
  return b;
}

TEST(IdOrder, IsTheServers) {
  Rng rng(1, "ids");
  for (int i = 0; i < 20'000; ++i) {
    Buffer a = random_id(rng), b = random_id(rng);
    EXPECT_EQ(id_order_key(a) <=> id_order_key(b), core::compare(a, b)) << i;
    EXPECT_EQ(id_order_key(a), *core::id_key(a));
  }
}

TEST(ExternalSort, SortsWithinMemoryAndBeyondIt) {
  std::string directory = std::filesystem::temp_directory_path();
  for (size_t memory : {size_t{1} << 30, size_t{20'000}, size_t{100}}) {
    ExternalSort sort(memory, directory);
    Rng rng(3, "sort");
    std::vector<std::pair<std::string, std::string>> expected;
    for (int i = 0; i < 3000; ++i) {
      std::string key(rng.below(4), static_cast<char>(rng.below(256)));
      std::string record = std::to_string(i) + std::string(rng.below(30), 'r');
      expected.emplace_back(key, record);
      ASSERT_TRUE(sort.add(key, record));
    }
    std::sort(expected.begin(), expected.end(), [](auto& a, auto& b) {
      return a.first != b.first ? a.first < b.first : std::stoi(a.second) < std::stoi(b.second);
    });
    ASSERT_TRUE(sort.sort());
    EXPECT_LE(sort.runs(), ExternalSort::kMaxRuns);
    for (auto& [key, record] : expected) {
      Bytes got;
      auto there = sort.next(got);
      ASSERT_TRUE(there && *there);
      ASSERT_EQ(got, record) << "with " << memory << " bytes of memory";
    }
    Bytes got;
    EXPECT_FALSE(*sort.next(got));
  }
}

TEST(ExternalSort, SaysWhyItCannotSpill) {
  ExternalSort sort(10, "/nonexistent-directory");
  ASSERT_TRUE(sort.add("k", "record of some length"));
  auto r = sort.add("k", "another");
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kIo);
  EXPECT_TRUE(r.error().message.contains("/nonexistent-directory")) << r.error().message;
}

TEST(Flags, ReadTimesAndEndpoints) {
  EXPECT_EQ(parse_duration("15s"), seconds(15));
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("2m"), seconds(120));
  for (auto text : {"", "s", "15", "15h", "-1s", "0s", "1.5s", "99999999999999999999s", "9223372036854775807m"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  EXPECT_EQ(parse_endpoint("db:1"), (io::Endpoint{"db", 1}));
  EXPECT_EQ(parse_endpoint("db"), (io::Endpoint{"db", 6900}));
  EXPECT_EQ(parse_endpoint(":7000"), (io::Endpoint{"localhost", 7000}));
  for (auto text : {"", "db:", "db:x", "db:0", "db:65536", "::1:5"})
    EXPECT_EQ(parse_endpoint(text), std::nullopt) << text;
}

}  // namespace
}  // namespace holdfast::cli
