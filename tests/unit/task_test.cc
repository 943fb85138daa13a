// Task, Executor and timers: who runs when, what a depth of awaits costs, and what a crash leaves behind.
#include "io/task.h"

#include <gtest/gtest.h>

#include <cstring>

#include "io/base/error.h"
#include "tests/support/test_executor.h"

namespace holdfast::io {
namespace {

using test::run_task;
using test::TestExecutor;

Task<int> number(int n) { co_return n; }
Task<void> append(std::vector<int>& log, int n) {
  log.push_back(n);
  co_return;
}
Task<void> append_after_yields(std::vector<int>& log, int n, int yields) {
  for (int i = 0; i < yields; ++i) co_await yield();
  log.push_back(n);
}
Task<void> append_at(std::vector<int>& log, int n, Time when) {
  co_await sleep_until(when);
  log.push_back(n);
}

TEST(Task, DoesNothingUntilItIsAwaited) {
  std::vector<int> log;
  { Task<void> never = append(log, 1); }
  EXPECT_TRUE(log.empty());
}

TEST(Task, HandsItsValueToItsAwaiter) {
  EXPECT_EQ(run_task(number(42)), 42);
}

Task<std::unique_ptr<int>> boxed(int n) { co_return std::make_unique<int>(n); }

TEST(Task, CarriesMoveOnlyValues) { EXPECT_EQ(*run_task(boxed(5)), 5); }

Task<Result<int>> maybe(bool good) {
  if (!good) co_return fail(Code::kNotFound, "nothing there");
  co_return 1;
}
Task<Result<int>> doubled(bool good) {
  HF_CO_TRY(n, co_await maybe(good));
  co_return 2 * n;
}

TEST(Task, CarriesErrorsThroughTheMacros) {
  EXPECT_EQ(*run_task(doubled(true)), 2);
  EXPECT_EQ(run_task(doubled(false)).error().code, Code::kNotFound);
}

TEST(Task, MovesLikeAnyOwner) {
  Task<int> a = number(1);
  Task<int> b = std::move(a);
  EXPECT_FALSE(a);
  EXPECT_TRUE(b);
  b = number(2);
  Task<int>& itself = b;
  b = std::move(itself);
  EXPECT_EQ(run_task(std::move(b)), 2);
}

Task<int> depth(int n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await depth(n - 1);
}
Task<int> many_in_a_row(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) sum += co_await number(1);
  co_return sum;
}

TEST(Task, DepthAndLengthOfAwaitsCostNoStack) {
  EXPECT_EQ(run_task(depth(20'000)), 20'000);
  EXPECT_EQ(run_task(many_in_a_row(200'000)), 200'000);
}

struct Traced {
  std::vector<int>& log;
  int n;
  Traced(std::vector<int>& l, int number) : log(l), n(number) {}
  Traced(const Traced&) = delete;
  ~Traced() { log.push_back(n); }
};

Task<void> inner_frame(std::vector<int>& log) {
  Traced t(log, 2);
  co_await sleep_for(seconds(100));
}
Task<void> outer_frame(std::vector<int>& log) {
  Traced t(log, 1);
  co_await inner_frame(log);
}

TEST(Executor, DestroysFramesFromTheOutsideInWhenItCrashes) {
  std::vector<int> log;
  TestExecutor executor;
  executor.spawn(outer_frame(log));
  executor.run_ready();
  EXPECT_EQ(executor.roots(), 1u);
  executor.crash();
  EXPECT_EQ(executor.roots(), 0u);
  EXPECT_EQ(log.size(), 2u);
  EXPECT_FALSE(executor.advance()) << "the sleeping frame's timer died with it";
}

TEST(Executor, DestroysTasksThatNeverBegan) {
  std::vector<int> log;
  auto executor = std::make_unique<TestExecutor>();
  executor->spawn(append(log, 1));
  executor.reset();
  EXPECT_TRUE(log.empty());
}

TEST(Executor, NeverRunsASpawnedTaskInline) {
  std::vector<int> log;
  TestExecutor executor;
  executor.spawn(append(log, 1));
  EXPECT_TRUE(log.empty());
  executor.run();
  EXPECT_EQ(log, (std::vector<int>{1}));
  EXPECT_EQ(executor.roots(), 0u);
}

TEST(Executor, InterleavesTasksAtTheirYields) {
  std::vector<int> log;
  TestExecutor executor;
  executor.spawn(append_after_yields(log, 3, 2));
  executor.spawn(append_after_yields(log, 1, 0));
  executor.spawn(append_after_yields(log, 2, 1));
  executor.run();
  EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
}

TEST(Executor, FiresTimersInOrderOfTimeThenOfArming) {
  std::vector<int> log;
  TestExecutor executor;
  Time t = executor.now();
  executor.spawn(append_at(log, 3, t + seconds(2)));
  executor.spawn(append_at(log, 1, t + seconds(1)));
  executor.spawn(append_at(log, 4, t + seconds(2)));
  executor.spawn(append_at(log, 2, t + seconds(1)));
  executor.spawn(append_at(log, 0, t));
  executor.run();
  EXPECT_EQ(log, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(executor.now(), t + seconds(2));
}

class CountingTimer : public Timer {
 public:
  int fired = 0;

 private:
  void fire() override { ++fired; }
};

TEST(Timer, CancelledOrDestroyedNeverFires) {
  TestExecutor executor;
  CountingTimer kept, cancelled;
  {
    CountingTimer destroyed;
    destroyed.arm(executor, executor.now() + seconds(1));
    EXPECT_EQ(executor.earliest(), executor.now() + seconds(1));
  }
  EXPECT_EQ(executor.earliest(), Time::never());
  cancelled.arm(executor, executor.now() + seconds(2));
  kept.arm(executor, executor.now() + seconds(3));
  cancelled.cancel();
  EXPECT_FALSE(cancelled.armed());
  EXPECT_EQ(executor.earliest(), executor.now() + seconds(3)) << "the implementation hears of the next deadline";
  executor.run();
  EXPECT_EQ(cancelled.fired, 0);
  EXPECT_EQ(kept.fired, 1);
  kept.arm(executor, executor.now());
  executor.run();
  EXPECT_EQ(kept.fired, 2) << "a timer that fired may be armed again";
}

TEST(Timer, OutlivesItsExecutor) {
  CountingTimer timer;
  {
    TestExecutor executor;
    timer.arm(executor, executor.now() + seconds(1));
  }
  EXPECT_FALSE(timer.armed());
}

Task<CoreId> my_core() {
  Executor& here = co_await this_executor();
  co_return here.core();
}

TEST(Executor, IsKnownToEveryTaskBelow) {
  EXPECT_EQ(run_task(my_core()), CoreId(0));
}

TEST(FramePool, GivesMemoryThatMayBeWrittenWhole) {
  std::vector<std::pair<char*, size_t>> blocks;
  for (size_t size : {1, 63, 64, 65, 128, 4'095, 4'096, 4'097, 100'000})
    for (int i = 0; i < 3; ++i) {
      auto* p = static_cast<char*>(frame_allocate(size));
      std::memset(p, 'f', size);
      blocks.emplace_back(p, size);
    }
  for (auto [p, size] : blocks) {
    EXPECT_EQ(std::count(p, p + size, 'f'), static_cast<ptrdiff_t>(size)) << "no two frames overlap";
    frame_free(p, size);
  }
}

}  // namespace
}  // namespace holdfast::io
