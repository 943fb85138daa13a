// Sorting in turns: the same order as in one go, and others get theirs.
#include "core/sort_in_turns.h"

#include <gtest/gtest.h>

#include "io/base/random.h"
#include "tests/support/test_executor.h"

namespace holdfast::core {
namespace {

using test::TestExecutor;

io::Task<void> sort_and_tell(std::vector<std::string>& v, size_t per_turn, bool& done) {
  co_await sort_in_turns(v, std::less<>(), per_turn);
  done = true;
}

io::Task<void> count_turns(const bool& done, uint64_t& turns) {
  while (!done) {
    ++turns;
    co_await io::yield();
  }
}

TEST(SortInTurns, SortsAnyNumberOfElements) {
  Rng rng(1, "sort");
  for (size_t n : {0, 1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1000, 1024, 1025}) {
    std::vector<std::string> v(n);
    for (std::string& s : v) s = std::to_string(rng.below(n)) + " of a length that is allocated for";
    std::vector<std::string> sorted = v;
    std::sort(sorted.begin(), sorted.end());
    TestExecutor executor;
    bool done = false;
    executor.spawn(sort_and_tell(v, 8, done));
    executor.run();
    ASSERT_TRUE(done);
    EXPECT_EQ(v, sorted) << n;
  }
}

TEST(SortInTurns, LetsOthersRunMeanwhile) {
  std::vector<std::string> v(10'000);
  Rng rng(2, "sort");
  for (std::string& s : v) s = std::to_string(rng.next());
  TestExecutor executor;
  bool done = false;
  uint64_t turns = 0;
  executor.spawn(sort_and_tell(v, 100, done));
  executor.spawn(count_turns(done, turns));
  executor.run();
  EXPECT_GE(turns, 100u + 7 * 100) << "a hundred pieces, then seven passes over them";
}

}  // namespace
}  // namespace holdfast::core
