// Minimize against oracles that know which items are needed.
#include "chaos/suite/minimize.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "io/base/random.h"

namespace holdfast::chaos {
namespace {

/// It happens with all of `needed`. Counts what was tried.
struct Oracle {
  Candidate needed;
  size_t tried = 0;

  FirstThatHappens first() {
    return [this](const std::vector<Candidate>& candidates) -> std::optional<size_t> {
      for (size_t i = 0; i < candidates.size(); ++i) {
        ++tried;
        EXPECT_TRUE(std::ranges::is_sorted(candidates[i]));
        if (std::ranges::includes(candidates[i], needed)) return i;
      }
      return std::nullopt;
    };
  }
};

TEST(Minimize, KeepsWhatIsNeededAndNothingElse) {
  Rng rng(1, "minimize");
  for (int round = 0; round < 200; ++round) {
    size_t count = 1 + rng.below(300);
    Oracle oracle;
    for (size_t i = 0; i < count; ++i)
      if (rng.chance(1, 1 + rng.below(60))) oracle.needed.push_back(i);
    EXPECT_EQ(minimize(count, oracle.first()), oracle.needed) << count;
  }
}

TEST(Minimize, AsksOnceWhenNothingIsNeeded) {
  Oracle oracle;
  EXPECT_TRUE(minimize(1000, oracle.first()).empty());
  EXPECT_EQ(oracle.tried, 1u);
}

TEST(Minimize, NeedsFewTriesForFewItems) {
  Oracle oracle{.needed = {17, 400, 401, 999}};
  EXPECT_EQ(minimize(1000, oracle.first()), oracle.needed);
  EXPECT_LT(oracle.tried, 150u);
}

TEST(Minimize, KeepsEverythingWhenNothingCanGo) {
  FirstThatHappens never = [](const std::vector<Candidate>&) { return std::nullopt; };
  EXPECT_EQ(minimize(5, never), (Candidate{0, 1, 2, 3, 4}));
  EXPECT_EQ(minimize(0, never), Candidate{});
}

TEST(Minimize, TriesAgainWhatCanGoOnlyAfterOthers) {
  // 0 can go once 3 is gone.
  FirstThatHappens first = [](const std::vector<Candidate>& candidates) -> std::optional<size_t> {
    for (size_t i = 0; i < candidates.size(); ++i) {
      bool has0 = std::ranges::binary_search(candidates[i], 0u), has3 = std::ranges::binary_search(candidates[i], 3u);
      if (std::ranges::binary_search(candidates[i], 1u) && (has0 || !has3)) return i;
    }
    return std::nullopt;
  };
  EXPECT_EQ(minimize(4, first), Candidate{1});
}

TEST(Towards, BeginsAtTheSimpleValueAndComesCloser) {
  EXPECT_EQ(towards(16, 1), (std::vector<uint64_t>{1, 8, 12, 14, 15}));
  EXPECT_EQ(towards(2, 10), (std::vector<uint64_t>{10, 6, 4, 3}));
  EXPECT_TRUE(towards(5, 5).empty());
}

}  // namespace
}  // namespace holdfast::chaos
