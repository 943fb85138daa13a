#include "client/cli/ejson.h"

#include <gtest/gtest.h>

#include <cmath>

#include "client/cli/base64.h"
#include "client/cli/iso_time.h"
#include "io/base/msgpack.h"
#include "io/base/random.h"
#include "io/base/utf8.h"

namespace holdfast::cli {
namespace {

using msgpack::Writer;

std::string round_trip(std::string_view text) {
  auto value = from_json(text);
  if (!value) return value.error().message;
  auto back = to_json(*value);
  return back ? *back : back.error().message;
}

std::string why(std::string_view text) {
  auto value = from_json(text);
  return value ? "taken" : value.error().message;
}

template <class F>
Buffer encoded(F write) {
  Buffer b;
  Writer w(b);
  write(w);
  return b;
}

TEST(Ejson, KeepsTextThatIsInItsOwnForm) {
  for (std::string_view text : {R"({})",
                                R"([])",
                                R"(null)",
                                R"(true)",
                                R"("")",
                                R"({"b":1,"a":{"z":[1,2,{"y":null}]}})",
                                R"(-5)",
                                R"(9223372036854775807)",
                                R"(-9223372036854775808)",
                                R"({"$numberUnsigned":"18446744073709551615"})",
                                R"(1.0)",
                                R"(-0.0)",
                                R"(0.1)",
                                R"(1e+300)",
                                R"(5e-324)",
                                R"({"$numberDouble":"NaN"})",
                                R"({"$numberDouble":"-Infinity"})",
                                R"({"$date":"2026-01-31T12:00:00Z"})",
                                R"({"$date":"2026-01-31T12:00:00.500Z"})",
                                R"({"$date":"1970-01-01T00:00:00.000000001Z"})",
                                R"({"$date":{"$numberLong":"-1"}})",
                                R"({"$time":{"seconds":"-1","nanoseconds":5}})",
                                R"({"$binary":{"base64":"AAEC","subType":"00"}})",
                                R"({"$extension":{"type":-5,"base64":"AA=="}})",
                                R"({"$rawString":"/w=="})",
                                R"({"$set":{"a":1}})",
                                R"({"a":{"$gt":5}})",
                                R"({"$literal":{"$date":"no date"}})",
                                R"({"$literal":{"$literal":{"a":1}}})",
                                R"({"a":1,"$date":2})",
                                R"("\"\\\n\r\t\b\f\u0000\u001f\u007f é 😀")"})
    EXPECT_EQ(round_trip(text), text);
}

TEST(Ejson, ReadsWhatOtherToolsWrite) {
  EXPECT_EQ(round_trip(R"({"$numberInt": "5"})"), "5");
  EXPECT_EQ(round_trip(R"({"$numberLong": "-5"})"), "-5");
  EXPECT_EQ(round_trip(R"({"$numberDouble": "5"})"), "5.0");
  EXPECT_EQ(round_trip("18446744073709551615"), R"({"$numberUnsigned":"18446744073709551615"})");
  EXPECT_EQ(round_trip(R"({"$date": 1})"), R"({"$date":"1970-01-01T00:00:00.001Z"})");
  EXPECT_EQ(round_trip(R"({"$date": {"$numberLong": "1"}})"), R"({"$date":"1970-01-01T00:00:00.001Z"})");
  EXPECT_EQ(round_trip(R"({"$date": "2026-01-31T12:00:00+01:00"})"), R"({"$date":"2026-01-31T11:00:00Z"})");
  EXPECT_EQ(round_trip(R"({"$binary": "AAEC", "$type": "00"})"), R"({"$binary":{"base64":"AAEC","subType":"00"}})");
  EXPECT_EQ(round_trip(" \n\t[ 1 , 2 ] \r\n"), "[1,2]");
  EXPECT_EQ(round_trip("\xef\xbb\xbf{}"), "{}");
  EXPECT_EQ(round_trip(R"("\u00e9\ud83d\ude00")"), "\"é😀\"");
  EXPECT_EQ(round_trip("1E2"), "100.0");
}

TEST(Ejson, GivesTheShortestMessagePack) {
  EXPECT_EQ(*from_json(R"({"a": [1, -1, 255, 65536]})"),
            encoded([](Writer& w) { w.map(1).string("a").array(4).uint(1).integer(-1).uint(255).uint(65536); }));
  EXPECT_EQ(*from_json("1.5"), encoded([](Writer& w) { w.float64(1.5); }));
}

TEST(Ejson, WritesFloatsAsFloatsWhateverTheirWidth) {
  EXPECT_EQ(*to_json(Buffer("\xca\x3f\x80\x00\x00", 5)), "1.0");
  EXPECT_EQ(*to_json("\xd3\xff\xff\xff\xff\xff\xff\xff\xfb"), "-5");
}

TEST(Ejson, RefusesDuplicateKeysAtEveryLevel) {
  EXPECT_EQ(why(R"({"a":1,"b":2,"a":3})"), "line 1: the key \"a\" comes twice in one object");
  EXPECT_NE(why(R"([{"x":{"a":1,"\u0061":3}}])"), "taken");
  EXPECT_EQ(why(R"({"a":{"a":1},"b":{"a":1}})"), "taken");
  std::string many = "{";
  for (int i = 0; i < 5000; ++i) many += "\"k" + std::to_string(i) + "\":[" + std::to_string(i) + "],";
  EXPECT_EQ(why(many + "\"last\":0}"), "taken");
  EXPECT_NE(why(many + "\"k77\":0}"), "taken");
}

TEST(Ejson, RefusesNumbersThatDoNotFit) {
  EXPECT_TRUE(why("18446744073709551616").contains("64 bits")) << why("18446744073709551616");
  EXPECT_TRUE(why("-9223372036854775809").contains("64 bits"));
  EXPECT_TRUE(why(std::string(300, '9')).contains("64 bits"));
  EXPECT_NE(why(std::string(10'000, '9')), "taken");
  EXPECT_LT(why(std::string(10'000, '9')).size(), 300u);
  EXPECT_TRUE(why("1e999").contains("overflow")) << why("1e999");
  EXPECT_NE(why("NaN"), "taken");
  EXPECT_NE(why("01"), "taken");
  EXPECT_NE(why("+1"), "taken");
}

TEST(Ejson, RefusesWordsWithTheWrongContent) {
  for (std::string_view text : {R"({"$date": "yesterday"})",
                                R"({"$date": 1.5})",
                                R"({"$date": "2026-02-30T00:00:00Z"})",
                                R"({"$date": {"a": 1}})",
                                R"({"$numberLong": 5})",
                                R"({"$numberLong": "5x"})",
                                R"({"$numberLong": ""})",
                                R"({"$numberLong": "9223372036854775808"})",
                                R"({"$numberInt": "2147483648"})",
                                R"({"$numberDouble": "nan"})",
                                R"({"$numberDouble": "inf"})",
                                R"({"$numberUnsigned": "-1"})",
                                R"({"$binary": {"base64": "A", "subType": "00"}})",
                                R"({"$binary": {"base64": "AAA="}})",
                                R"({"$binary": {"base64": "AAA=", "subType": "xx"}})",
                                R"({"$binary": "AA==", "x": 1})",
                                R"({"$date": "2026-01-31T12:00:00Z", "b": 1})",
                                R"({"$time": {"seconds": "1", "nanoseconds": 1000000000}})",
                                R"({"$extension": {"type": 128, "base64": ""}})",
                                R"({"$literal": 5})",
                                R"({"$rawString": "?"})"})
    EXPECT_TRUE(why(text).contains("must have the form")) << text << ": " << why(text);
}

TEST(Ejson, NamesLineAndColumn) {
  EXPECT_TRUE(why("{\n  \"a\": 1,\n  oops\n}").starts_with("line 3, column 3: ")) << why("{\n  \"a\": 1,\n  oops\n}");
  auto value = from_json("{\n x", 10);
  ASSERT_FALSE(value);
  EXPECT_TRUE(value.error().message.starts_with("line 11, ")) << value.error().message;
}

TEST(Ejson, RefusesWhatIsNoJson) {
  for (std::string_view text : {"", " ", "{", "{\"a\"}", "[1,]", "{\"a\":1,}", "nul", "'a'", "\"\x01\"", "{} {}",
                                "// c\n1", "\"\\ud800\"", "\"\xff\"", "\xff\xfe{", "[1 2]"})
    EXPECT_NE(why(text), "taken") << text;
}

TEST(Ejson, TakesAHundredLevelsAndNoMore) {
  auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(why(nested(100)), "taken");
  EXPECT_TRUE(why(nested(101)).contains("deeper than 100"));
  EXPECT_TRUE(why(nested(1'000'000)).contains("deeper than 100"));
  std::string date = std::string(99, '[') + R"({"$date":{"$numberLong":"5"}})" + std::string(99, ']');
  EXPECT_EQ(why(date), "taken") << "what a word stands for is what counts, not its brackets";
  Buffer deep(300, '\x91');
  EXPECT_FALSE(to_json(deep + '\x01'));
}

TEST(Ejson, PrintsOnlySoundMessagePack) {
  EXPECT_FALSE(to_json(""));
  EXPECT_FALSE(to_json("\xc1"));
  EXPECT_FALSE(
      to_json("\x82\xa1"
              "a\x01"));
  EXPECT_FALSE(to_json("\x01\x01"));
  EXPECT_FALSE(to_json("\x81\x01\x01")) << "a key that is a number";
  EXPECT_FALSE(to_json("\x81\xa1\xff\x01")) << "a key that is not UTF-8";
}

TEST(Ejson, PrettyPrintsTheSameValue) {
  std::string text = R"({"a":[1,{"b":2},[],{}],"c":{"$literal":{"$date":1}}})";
  auto value = from_json(text);
  auto pretty = to_pretty_json(*value);
  ASSERT_TRUE(pretty);
  EXPECT_TRUE(pretty->contains("\n  \"a\": [\n    1,"));
  EXPECT_EQ(*from_json(*pretty), *value);
}

/// Random MessagePack in its shortest widths, of all kinds, with many of the words that mean something.
class RandomValue {
 public:
  explicit RandomValue(uint64_t seed) : rng_(seed, "ejson") {}

  Buffer make() {
    Buffer b;
    Writer w(b);
    value(w, 0);
    return b;
  }

 private:
  std::string text() {
    static constexpr std::string_view kPieces[] = {"a", "$", "\"", "\\", "\n", "é", "😀", "\x7f", "x", "0", "{", "/"};
    std::string s;
    for (uint64_t n = rng_.below(6); n > 0; --n) s += kPieces[rng_.below(std::size(kPieces))];
    if (rng_.chance(1, 8)) s += '\0';
    return s;
  }

  std::string key() {
    static constexpr std::string_view kWords[] = {"$date", "$binary", "$literal",   "$numberLong", "$numberDouble",
                                                  "$time", "$set",    "$rawString", "base64"};
    return rng_.chance(1, 3) ? std::string(kWords[rng_.below(std::size(kWords))]) : text();
  }

  void value(Writer& w, int depth) {
    switch (rng_.below(depth > 4 ? 11 : 14)) {
      case 0: w.nil(); return;
      case 1: w.boolean(rng_.chance(1, 2)); return;
      case 2: w.uint(rng_.next() >> rng_.below(64)); return;
      case 3: w.integer(static_cast<int64_t>(rng_.next()) >> rng_.below(64)); return;
      case 4: {
        auto d = std::bit_cast<double>(rng_.next());
        w.float64(std::isnan(d) ? std::numeric_limits<double>::quiet_NaN() : d);
        return;
      }
      case 5: w.float64(static_cast<double>(static_cast<int64_t>(rng_.next()) >> rng_.below(64))); return;
      case 6: w.string(text()); return;
      case 7: w.string(text() + static_cast<char>(0x80 + rng_.below(0x80))); return;
      case 8: w.binary(text()); return;
      case 9: time(w); return;
      case 10: w.extension(static_cast<int8_t>(rng_.below(128)), text()); return;
      default: break;
    }
    uint64_t n = rng_.chance(1, 20) ? 20 : rng_.below(5);
    if (rng_.chance(1, 3)) {
      w.array(static_cast<uint32_t>(n));
      for (; n > 0; --n) value(w, depth + 1);
      return;
    }
    std::set<std::string> keys;
    while (keys.size() < n) keys.insert(key() + (keys.size() > 8 ? std::to_string(keys.size()) : ""));
    std::vector<std::string> order(keys.begin(), keys.end());
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng_.below(i)]);
    w.map(static_cast<uint32_t>(n));
    for (auto& k : order) {
      w.string(k);
      value(w, depth + 1);
    }
  }

  void time(Writer& w) {
    int64_t seconds = static_cast<int64_t>(rng_.next()) >> rng_.below(64);
    static constexpr uint32_t kNanos[] = {0, 500'000'000, 1'000'000, 999'999'999, 1};
    w.time(seconds, kNanos[rng_.below(std::size(kNanos))]);
  }

  Rng rng_;
};

TEST(Ejson, LosesNothingOnTheWayThereAndBack) {
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    Buffer value = RandomValue(seed).make();
    auto text = to_json(value);
    ASSERT_TRUE(text) << "seed " << seed;
    EXPECT_TRUE(is_utf8(*text));
    EXPECT_EQ(text->find('\n'), std::string::npos) << "one line";
    auto back = from_json(*text);
    ASSERT_TRUE(back) << "seed " << seed << ": " << *text << ": " << back.error().message;
    ASSERT_EQ(*back, value) << "seed " << seed << ": " << *text;
  }
}

TEST(Ejson, SurvivesDamagedText) {
  Rng rng(9, "damage");
  for (uint64_t seed = 0; seed < 5'000; ++seed) {
    std::string text = *to_json(RandomValue(seed).make());
    for (uint64_t n = rng.between(1, 3); n > 0; --n) {
      size_t at = rng.below(text.size());
      switch (rng.below(3)) {
        case 0: text[at] = static_cast<char>(rng.next()); break;
        case 1: text.erase(at, rng.between(1, 4)); break;
        default: text.insert(at, 1, "{}[]\",:$0\\"[rng.below(10)]);
      }
      if (text.empty()) text = " ";
    }
    auto value = from_json(text);
    if (!value) {
      EXPECT_TRUE(value.error().message.starts_with("line ")) << value.error().message;
      continue;
    }
    EXPECT_TRUE(msgpack::validate(*value)) << text;
    EXPECT_TRUE(to_json(*value)) << text;
  }
}

TEST(Base64, IsThatOfTheRfc) {
  const std::pair<std::string, std::string> kVectors[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (auto& [plain, text] : kVectors) {
    EXPECT_EQ(to_base64(plain), text);
    EXPECT_EQ(from_base64(text), plain);
  }
  EXPECT_EQ(from_base64("Zg"), "f") << "padding may be left out";
  for (auto text : {"Z", "Zg=", "Zg===", "Z===", "Zh==", "Zm9=", "Z g=", "Zm9v=", "====", "=", "Zg==Zg=="})
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
}

TEST(IsoTime, KnowsTheCalendar) {
  EXPECT_EQ(to_iso({951'782'400, 0}), "2000-02-29T00:00:00Z");
  EXPECT_EQ(from_iso("2000-02-29T00:00:00Z"), (Instant{951'782'400, 0}));
  EXPECT_EQ(from_iso("1969-12-31T23:59:59.999999999Z"), (Instant{-1, 999'999'999}));
  EXPECT_EQ(from_iso("1970-01-01T00:00Z"), (Instant{0, 0}));
  EXPECT_EQ(from_iso("1970-01-01T00:00:00-0130"), (Instant{5400, 0}));
  EXPECT_EQ(to_iso({253'402'300'799, 999'999'999}), "9999-12-31T23:59:59.999999999Z");
  EXPECT_EQ(to_iso({253'402'300'800, 0}), std::nullopt);
  EXPECT_EQ(to_iso({-1, 0}), std::nullopt);
  for (auto text :
       {"", "2000", "2000-01-01", "2001-02-29T00:00:00Z", "2000-13-01T00:00:00Z", "2000-01-01T24:00:00Z",
        "2000-01-01T00:00:60Z", "2000-01-01T00:00:00", "2000-01-01T00:00:00.Z", "2000-01-01T00:00:00.1234567890Z",
        "2000-01-01T00:00:00+1", "2000-01-01T00:00:00+01:00x", "0000-01-01T00:00:00Z"})
    EXPECT_EQ(from_iso(text), std::nullopt) << text;
}

}  // namespace
}  // namespace holdfast::cli
