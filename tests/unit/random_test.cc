#include "io/base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace holdfast {
namespace {

TEST(Rng, RepeatsItselfForTheSameSeedAndName) {
  Rng a(7, "disk"), b(7, "disk");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next(), b.next());
}

TEST(Rng, KeepsItsNumbersForGood) {
  // Stored seeds name runs: these numbers are a format. A change here makes every stored seed a different run.
  Rng rng(42, "golden");
  EXPECT_EQ(rng.next(), 11677822826906835459ULL);
  EXPECT_EQ(rng.next(), 12053777459896766156ULL);
  EXPECT_EQ(rng.below(1000), 0u);
  EXPECT_EQ(rng.fork("child").next(), 9117564466820950405ULL);
}

TEST(Rng, StreamsDoNotDisturbEachOther) {
  Rng alone(7, "network");
  Rng disk(7, "disk"), network(7, "network");
  for (int i = 0; i < 50; ++i) {
    for (int k = 0; k < i % 5; ++k) (void)disk.next();
    EXPECT_EQ(network.next(), alone.next());
  }
}

TEST(Rng, DiffersBySeedNameAndFork) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 20; ++seed)
    for (auto name : {"a", "b", "ab", ""}) {
      Rng rng(seed, name);
      EXPECT_TRUE(seen.insert(rng.fork("x").next()).second);
      EXPECT_TRUE(seen.insert(rng.fork("y").next()).second);
      EXPECT_TRUE(seen.insert(rng.next()).second);
      EXPECT_TRUE(seen.insert(rng.next()).second);
    }
}

TEST(Rng, ForkDoesNotAdvanceItsParent) {
  Rng a(1, "p"), b(1, "p");
  (void)a.fork("child").next();
  EXPECT_EQ(a.drawn(), 0u);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_EQ(a.drawn(), 1u);
}

TEST(Rng, StaysInItsRangeAndReachesAllOfIt) {
  Rng rng(3, "range");
  std::set<uint64_t> below, between;
  for (int i = 0; i < 1000; ++i) {
    below.insert(rng.below(5));
    between.insert(rng.between(10, 12));
  }
  EXPECT_EQ(below, (std::set<uint64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(between, (std::set<uint64_t>{10, 11, 12}));
  EXPECT_EQ(rng.below(0), 0u);
  EXPECT_EQ(rng.below(1), 0u);
  EXPECT_EQ(rng.between(9, 9), 9u);
  (void)rng.between(0, UINT64_MAX);
}

TEST(Rng, ChanceIsTheStatedFraction) {
  Rng rng(3, "chance");
  int hits = 0;
  for (int i = 0; i < 100'000; ++i) hits += rng.chance(1, 4) ? 1 : 0;
  EXPECT_NEAR(hits, 25'000, 700) << "five standard deviations; the stream is fixed, so this cannot flicker";
  EXPECT_FALSE(rng.chance(0, 10));
  EXPECT_TRUE(rng.chance(10, 10));
}

}  // namespace
}  // namespace holdfast
