// The total order of values: a ladder written by hand, the laws of an order, and agreement with a second
// implementation.
#include "core/value_order.h"

#include <gtest/gtest.h>

#include "tests/support/tree.h"

namespace holdfast::core {
namespace {

using test::mp;
using test::show;
using test::Tree;
using test::TreeGenerator;

int sign(std::weak_ordering o) { return o < 0 ? -1 : o > 0 ? 1 : 0; }

// Every rung is greater than all before it; the values on one rung are equivalent.
const std::vector<std::vector<const char*>> kLadder = {
    {"null"},
    {"nan", "f32(nan)"},
    {"-inf", "f32(-inf)"},
    {"-1e300"},
    {"-9223372036854777856.0"},
    {"i64(-9223372036854775808)", "-9223372036854775808.0"},
    {"i64(-9223372036854775807)"},
    {"i64(-9007199254740993)"},
    {"i64(-9007199254740992)", "-9007199254740992.0"},
    {"-2", "i8(-2)", "i64(-2)", "-2.0"},
    {"-1.5"},
    {"-1"},
    {"-0.5"},
    {"0", "-0.0", "0.0", "u64(0)", "i8(0)"},
    {"5e-324"},
    {"0.5", "f32(0.5)"},
    {"1", "1.0", "f32(1)", "u8(1)", "u16(1)", "u32(1)", "u64(1)", "i8(1)", "i16(1)", "i32(1)", "i64(1)"},
    {"1.5"},
    {"9007199254740992", "9007199254740992.0"},
    {"9007199254740993", "i64(9007199254740993)"},
    {"9223372036854775807"},
    {"9223372036854775808", "9223372036854775808.0"},
    {"18446744073709551615"},
    {"18446744073709551616.0"},
    {"inf"},
    {"''"},
    {"'A'"},
    {"'a'"},
    {"'aa'"},
    {"'b'"},
    {"'é'"},
    {"{}"},
    {"{b: null}"},
    {"{a: 1}", "{a: 1.0}"},
    {"{a: 1, a2: 0}"},
    {"{a: 1, b: 2}", "{a: i64(1), b: 2.0}"},
    {"{a: 2}"},
    {"{b: 0}"},
    {"{b: 2, a: 1}"},
    {"{a: 'x'}"},
    {"{a: {}}"},
    {"{a: {b: 1}}"},
    {"[]"},
    {"[null]"},
    {"[1]", "[1.0]"},
    {"[1, 1]"},
    {"[2]"},
    {"['a']"},
    {"[[1, 2]]"},
    {"bin('')"},
    {"bin('b')"},
    {"bin('aa')"},
    {"false"},
    {"true"},
    {"time(-1,999999999)"},
    {"time(0,0)"},
    {"time(0,1)"},
    {"time(17179869184,0)"},
    {"ext(-1,'ab')"},
    {"ext(5,'b')"},
    {"ext(5,'aa')"},
    {"ext(6,'')"},
};

TEST(ValueOrder, PutsAHandWrittenLadderInItsOrder) {
  for (size_t i = 0; i < kLadder.size(); ++i)
    for (size_t j = 0; j < kLadder.size(); ++j)
      for (const char* a : kLadder[i])
        for (const char* b : kLadder[j]) {
          int expected = i < j ? -1 : i > j ? 1 : 0;
          ASSERT_EQ(sign(compare(mp(a), mp(b))), expected) << a << " with " << b;
          ASSERT_EQ(equal(mp(a), mp(b)), expected == 0) << a << " with " << b;
        }
}

TEST(ValueOrder, FieldOrderMatters) { EXPECT_FALSE(equal(mp("{a: 1, b: 2}"), mp("{b: 2, a: 1}"))); }

TEST(ValueOrder, ATimeIsTheSameInAllItsThreeWidths) {
  Buffer four("\xd6\xff\x00\x00\x00\x07", 6);
  Buffer eight("\xd7\xff\x00\x00\x00\x00\x00\x00\x00\x07", 10);
  Buffer twelve("\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07", 15);
  EXPECT_TRUE(equal(four, eight));
  EXPECT_TRUE(equal(eight, twelve));
  EXPECT_TRUE(compare(four, twelve) == 0);
}

TEST(ValueOrder, AgreesWithTheNaiveOrderOnGeneratedValues) {
  int equal_seen = 0;
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    TreeGenerator g{Rng(seed, "value order")};
    Tree a = g.value(3);
    Tree b = g.rng.chance(1, 3) ? g.rewidth(a) : g.value(3);
    int expected = test::naive_compare(a, b);
    equal_seen += expected == 0;
    ASSERT_EQ(sign(compare(encode(a), encode(b))), expected)
        << "seed " << seed << ": " << show(a) << " with " << show(b);
    ASSERT_EQ(sign(compare(encode(b), encode(a))), -expected)
        << "seed " << seed << ": " << show(a) << " with " << show(b);
    ASSERT_EQ(equal(encode(a), encode(b)), expected == 0) << "seed " << seed << ": " << show(a) << " with " << show(b);
  }
  EXPECT_GT(equal_seen, 5000);
}

TEST(ValueOrder, IsTransitive) {
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    TreeGenerator g{Rng(seed, "transitive")};
    Buffer a = encode(g.value(2)), b = encode(g.value(2)), c = encode(g.value(2));
    if (compare(a, b) <= 0 && compare(b, c) <= 0) {
      ASSERT_TRUE(compare(a, c) <= 0) << "seed " << seed << ": " << show(a) << ", " << show(b) << ", " << show(c);
    }
    if (compare(a, b) == 0) {
      ASSERT_EQ(sign(compare(a, c)), sign(compare(b, c)))
          << "seed " << seed << ": " << show(a) << ", " << show(b) << ", " << show(c);
    }
  }
}

TEST(ValueOrder, AnswersOnTruncatedBytes) {
  for (uint64_t seed = 0; seed < 2'000; ++seed) {
    TreeGenerator g{Rng(seed, "truncated")};
    Buffer a = encode(g.value(3)), b = encode(g.value(3));
    Bytes cut = Bytes(a).substr(0, g.rng.below(a.size()));
    compare(cut, b);
    compare(cut, cut);
    EXPECT_FALSE(equal(cut, a));
    equal(b, cut);
  }
}

}  // namespace
}  // namespace holdfast::core
