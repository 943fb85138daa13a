// Keys of ids: what may be one, that keys sort and compare as ids do, and the bytes that are part of the format for
// good.
#include "core/id_key.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/value_order.h"
#include "tests/support/tree.h"

namespace holdfast::core {
namespace {

using test::mp;
using test::show;
using test::TreeGenerator;

std::string hex(Bytes b) {
  std::string s;
  for (char c : b) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(c));
    s += two;
  }
  return s;
}

Buffer key(std::string_view text) {
  auto k = id_key(mp(text));
  EXPECT_TRUE(k) << text << ": " << (k ? "" : k.error().text());
  return k.value_or("");
}

TEST(IdKey, HasTheBytesOfTheFormat) {
  struct Case {
    const char* id;
    const char* key;
  };
  for (Case c : {Case{"0", "108000000000000000"},
                 {"-0.0", "108000000000000000"},
                 {"1", "10bff0000000000000"},
                 {"1.5", "10bff8000000000000"},
                 {"-1", "10400fffffffffffff"},
                 {"nan", "100000000000000000"},
                 {"-inf", "10000fffffffffffff"},
                 {"inf", "10fff0000000000000"},
                 {"9007199254740993", "10c3400000000000000001"},
                 {"i64(-9007199254740993)", "103cbffffffffffffe0001"},
                 {"9223372036854775807", "10c3dfffffffffffff03ff"},
                 {"18446744073709551615", "10c3efffffffffffff07ff"},
                 {"i64(-9223372036854775808)", "103c1fffffffffffff"},
                 {"''", "20"},
                 {"'ab'", "206162"},
                 {"bin('ab')", "30000000026162"},
                 {"false", "4000"},
                 {"true", "4001"},
                 {"time(0,5)", "50800000000000000000000005"},
                 {"time(-1,0)", "507fffffffffffffff00000000"}})
    EXPECT_EQ(hex(key(c.id)), c.key) << c.id;
}

TEST(IdKey, IsOneForANumberInEveryWidth) {
  for (const char* text :
       {"1.0", "f32(1)", "u8(1)", "u16(1)", "u32(1)", "u64(1)", "i8(1)", "i16(1)", "i32(1)", "i64(1)"})
    EXPECT_EQ(key(text), key("1")) << text;
  EXPECT_EQ(key("f32(nan)"), key("nan"));
  EXPECT_EQ(key("-nan"), key("nan"));
  EXPECT_EQ(key("9223372036854775808"), key("9223372036854775808.0"));
}

TEST(IdKey, TellsNeighboursBeyondTheMantissaApart) {
  EXPECT_NE(key("9007199254740993"), key("9007199254740992.0"));
  EXPECT_NE(key("9007199254740993"), key("9007199254740994"));
  EXPECT_NE(key("9223372036854775807"), key("9223372036854775808"));
  EXPECT_NE(key("18446744073709551615"), key("18446744073709551616.0"));
}

TEST(IdKey, RefusesWhatIsNoId) {
  for (const char* text : {"null", "[]", "[1]", "{}", "{a: 1}", "ext(5,'a')", "ext(-1,'ab')"}) {
    auto k = id_key(mp(text));
    ASSERT_FALSE(k) << text;
    EXPECT_EQ(k.error().code, Code::kBadRequest) << text;
    EXPECT_TRUE(k.error().message.contains("_id")) << k.error().message;
  }
  EXPECT_FALSE(id_key(""));
  EXPECT_FALSE(id_key("\xa2x"));
  EXPECT_FALSE(id_key(Bytes("\x01\x01", 2)));
}

TEST(IdKey, TakesOneKibibyteAndNotAByteMore) {
  auto encoded = [](size_t n, auto write) {
    Buffer b;
    msgpack::Writer w(b);
    write(w, std::string(n, 'x'));
    return b;
  };
  auto string = [](msgpack::Writer& w, const std::string& s) { w.string(s); };
  auto binary = [](msgpack::Writer& w, const std::string& s) { w.binary(s); };
  EXPECT_EQ(id_key(encoded(1024, string))->size(), 1025u);
  EXPECT_EQ(id_key(encoded(1024, binary))->size(), kMaxIdKeyBytes);
  EXPECT_EQ(id_key(encoded(1025, string)).error().code, Code::kTooLarge);
  EXPECT_EQ(id_key(encoded(1025, binary)).error().code, Code::kTooLarge);
}

void expect_keys_in_value_order(Bytes a, Bytes b, uint64_t seed) {
  auto ka = id_key(a), kb = id_key(b);
  if (!ka || !kb) return;
  auto expected = compare(a, b);
  ASSERT_EQ(*ka < *kb, expected < 0) << "seed " << seed << ": " << show(a) << " with " << show(b);
  ASSERT_EQ(*ka == *kb, expected == 0) << "seed " << seed << ": " << show(a) << " with " << show(b);
}

TEST(IdKey, SortsAsValuesDo) {
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    TreeGenerator g{Rng(seed, "id keys")};
    expect_keys_in_value_order(encode(g.scalar()), encode(g.scalar()), seed);
  }
}

// Numbers close to each other, around powers of two, where widths and rounding meet.
TEST(IdKey, SortsNeighbouringNumbersAsValuesDo) {
  for (uint64_t seed = 0; seed < 200'000; ++seed) {
    Rng rng(seed, "neighbours");
    uint64_t base = (uint64_t{1} << rng.between(50, 63)) + (rng.chance(1, 2) ? rng.next() >> rng.between(1, 63) : 0);
    auto draw = [&] {
      Buffer b;
      uint64_t n = base + rng.between(0, 6) - 3;
      msgpack::Writer w(b);
      switch (rng.below(4)) {
        case 0:
          w.uint(n);
          break;
        case 1:
          w.int64(-static_cast<int64_t>(n >> 1));
          break;
        case 2:
          w.float64(std::nextafter(static_cast<double>(n), rng.chance(1, 2) ? INFINITY : 0));
          break;
        default:
          w.float64(-static_cast<double>(n >> 1));
          break;
      }
      return b;
    };
    expect_keys_in_value_order(draw(), draw(), seed);
    if (HasFatalFailure()) return;
  }
}

TEST(ShardOf, IsFixedForGood) {
  EXPECT_EQ(shard_of(key("'alice'"), 256), ShardId(216));
  EXPECT_EQ(shard_of(key("1"), 256), ShardId(239));
  EXPECT_EQ(shard_of(key("1.0"), 256), shard_of(key("1"), 256));
  EXPECT_EQ(shard_of(key("'anything'"), 1), ShardId(0));
}

TEST(ShardOf, SpreadsIdsEvenly) {
  std::vector<int> documents(256);
  for (int i = 0; i < 256'000; ++i) ++documents[shard_of(key(std::to_string(i)), 256).value];
  EXPECT_GT(*std::ranges::min_element(documents), 800);
  EXPECT_LT(*std::ranges::max_element(documents), 1200);
}

TEST(GeneratedId, HasSixtyLettersOfBothCases) {
  std::array<char, kGeneratedIdLetters> random;
  for (size_t i = 0; i < random.size(); ++i) random[i] = static_cast<char>(i * 255 / 59);
  Buffer id = generated_id(random);
  ASSERT_EQ(id.size(), 60u);
  EXPECT_EQ(id.front(), 'a');
  EXPECT_EQ(id.back(), 'Z');
  Buffer encoded;
  msgpack::Writer(encoded).string(id);
  EXPECT_TRUE(has_generated_shape(encoded));
}

TEST(GeneratedId, ShapeIsNotThatOfOtherIds) {
  EXPECT_FALSE(has_generated_shape(mp("'" + std::string(59, 'a') + "'")));
  EXPECT_FALSE(has_generated_shape(mp("'" + std::string(61, 'a') + "'")));
  EXPECT_FALSE(has_generated_shape(mp("'" + std::string(59, 'a') + "1'")));
  EXPECT_FALSE(has_generated_shape(mp("bin('" + std::string(60, 'a') + "')")));
  EXPECT_FALSE(has_generated_shape(mp("1")));
  EXPECT_TRUE(has_generated_shape(mp("'" + std::string(60, 'a') + "'")));
}

}  // namespace
}  // namespace holdfast::core
