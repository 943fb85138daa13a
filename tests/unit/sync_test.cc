// The primitives tasks wait on: order of waking, deadlines, and destruction in any order.
#include "io/sync.h"

#include <gtest/gtest.h>

#include "tests/support/test_executor.h"

namespace holdfast::io {
namespace {

using test::TestExecutor;

using Log = std::vector<std::string>;

Task<void> wait_event(Event& e, Log& log, std::string name, Time deadline = Time::never()) {
  bool set = co_await e.wait(deadline);
  log.push_back(name + (set ? " set" : " timed out"));
}
Task<void> set_event_at(Event& e, Time when) {
  co_await sleep_until(when);
  e.set();
}

TEST(Event, WakesAllWaitersInOrderAndLetsLaterOnesPass) {
  TestExecutor executor;
  Event e;
  Log log;
  executor.spawn(wait_event(e, log, "a"));
  executor.spawn(wait_event(e, log, "b"));
  executor.run();
  EXPECT_TRUE(log.empty());
  e.set();
  EXPECT_TRUE(log.empty()) << "waiters are posted, never run inline";
  executor.run();
  executor.spawn(wait_event(e, log, "c"));
  executor.run();
  EXPECT_EQ(log, (Log{"a set", "b set", "c set"}));
}

TEST(Event, GivesUpAtTheDeadlineAndNotBefore) {
  TestExecutor executor;
  Event e;
  Log log;
  Time t = executor.now();
  executor.spawn(wait_event(e, log, "early", t + seconds(1)));
  executor.spawn(wait_event(e, log, "late", t + seconds(3)));
  executor.spawn(set_event_at(e, t + seconds(2)));
  executor.run();
  EXPECT_EQ(log, (Log{"early timed out", "late set"}));
  EXPECT_EQ(executor.now(), t + seconds(2)) << "the notified waiter's timer is gone";
}

Task<void> take_into(OneShot<int>& shot, int& out) { out = co_await shot.take(); }

TEST(OneShot, HandsOverItsValueBeforeOrAfterTheWait) {
  TestExecutor executor;
  OneShot<int> early, late;
  int a = 0, b = 0;
  early.set(1);
  executor.spawn(take_into(early, a));
  executor.spawn(take_into(late, b));
  executor.run();
  EXPECT_EQ(a, 1);
  EXPECT_EQ(b, 0);
  late.set(2);
  executor.run();
  EXPECT_EQ(b, 2);
}

Task<void> use(Semaphore& s, uint64_t units, Log& log, std::string name) {
  co_await s.acquire(units);
  log.push_back(name);
}

TEST(Semaphore, IsFairALargeRequestIsNotOvertaken) {
  TestExecutor executor;
  Semaphore s(3);
  Log log;
  executor.spawn(use(s, 2, log, "two"));
  executor.spawn(use(s, 3, log, "three"));
  executor.spawn(use(s, 1, log, "one"));
  executor.run();
  EXPECT_EQ(log, (Log{"two"})) << "one unit is free, but the request for three came first";
  EXPECT_FALSE(s.try_acquire(1));
  s.release(2);
  executor.run();
  EXPECT_EQ(log, (Log{"two", "three"}));
  s.release(3);
  executor.run();
  EXPECT_EQ(log, (Log{"two", "three", "one"}));
  EXPECT_EQ(s.free(), 2u);
  EXPECT_TRUE(s.try_acquire(2));
}

TEST(Semaphore, ForgetsAWaiterThatDies) {
  TestExecutor doomed(CoreId(0)), other(CoreId(0));
  Semaphore s(1);
  Log log;
  ASSERT_TRUE(s.try_acquire(1));
  doomed.spawn(use(s, 1, log, "dead"));
  doomed.run();
  other.spawn(use(s, 1, log, "alive"));
  other.run();
  doomed.crash();
  s.release(1);
  other.run();
  EXPECT_EQ(log, (Log{"alive"}));
}

Task<void> consume(Channel<int>& c, std::vector<int>& out, bool& ended) {
  while (auto v = co_await c.pop()) {
    out.push_back(*v);
    co_await yield();
  }
  ended = true;
}

TEST(Channel, DeliversInOrderAndEndsWhenClosedAndEmpty) {
  TestExecutor executor;
  Channel<int> c;
  std::vector<int> out;
  bool ended = false;
  executor.spawn(consume(c, out, ended));
  executor.run();
  for (int i = 0; i < 5; ++i) c.push(i);
  c.close();
  EXPECT_EQ(c.size(), 5u);
  executor.run();
  EXPECT_EQ(out, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(ended);
}

TEST(Channel, LosesNoValueBetweenTwoConsumers) {
  TestExecutor executor;
  Channel<int> c;
  std::vector<int> a, b;
  bool a_ended = false, b_ended = false;
  executor.spawn(consume(c, a, a_ended));
  executor.spawn(consume(c, b, b_ended));
  executor.run();
  for (int i = 0; i < 9; ++i) c.push(i);
  executor.run();
  EXPECT_EQ(a.size() + b.size(), 9u);
  EXPECT_FALSE(a_ended || b_ended);
  c.close();
  executor.run();
  EXPECT_TRUE(a_ended && b_ended);
}

Task<void> sleep_then(Duration d, int& counter) {
  co_await sleep_for(d);
  ++counter;
}
Task<void> drain(TaskGroup& group, bool& done) {
  co_await group.drained();
  done = true;
}

TEST(TaskGroup, IsDrainedWhenTheLastTaskEnds) {
  TestExecutor executor;
  TaskGroup group(executor);
  int ended = 0;
  bool done = false;
  for (int i = 1; i <= 3; ++i) group.spawn(sleep_then(seconds(i), ended));
  executor.spawn(drain(group, done));
  executor.run_ready();
  executor.advance();
  executor.run_ready();
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(group.running(), 2u);
  EXPECT_FALSE(done);
  executor.run();
  EXPECT_EQ(ended, 3);
  EXPECT_TRUE(done);
}

TEST(TaskGroup, ThatIsEmptyIsDrainedAtOnce) {
  TestExecutor executor;
  TaskGroup group(executor);
  bool done = false;
  executor.spawn(drain(group, done));
  executor.run();
  EXPECT_TRUE(done);
}

// A crash destroys frames while everything is being waited on, and the primitives may die first or last.
struct World {
  Event event;
  OneShot<int> shot;
  Semaphore semaphore{0};
  Channel<int> channel;
};

void wait_on_everything(TestExecutor& executor, World& w, Log& log, int& taken, std::vector<int>& out, bool& ended) {
  executor.spawn(wait_event(w.event, log, "event"));
  executor.spawn(wait_event(w.event, log, "timed", executor.now() + seconds(5)));
  executor.spawn(take_into(w.shot, taken));
  executor.spawn(use(w.semaphore, 1, log, "semaphore"));
  executor.spawn(use(w.semaphore, 2, log, "semaphore"));
  executor.spawn(consume(w.channel, out, ended));
  executor.run_ready();
}

TEST(Sync, SurvivesACrashInWhichFramesDieFirst) {
  Log log;
  int taken = 0;
  std::vector<int> out;
  bool ended = false;
  World w;
  TestExecutor executor;
  wait_on_everything(executor, w, log, taken, out, ended);
  executor.crash();
  w.event.set();
  w.shot.set(1);
  w.semaphore.release(5);
  w.channel.push(1);
  executor.run();
  EXPECT_TRUE(log.empty());
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(taken, 0);
}

TEST(Sync, SurvivesACrashInWhichThePrimitivesDieFirst) {
  Log log;
  int taken = 0;
  std::vector<int> out;
  bool ended = false;
  TestExecutor executor;
  auto w = std::make_unique<World>();
  wait_on_everything(executor, *w, log, taken, out, ended);
  w.reset();
  executor.crash();
  executor.run();
  EXPECT_TRUE(log.empty());
}

TEST(Sync, SurvivesACrashBetweenWakingAndRunning) {
  Log log;
  int taken = 0;
  std::vector<int> out;
  bool ended = false;
  World w;
  TestExecutor executor;
  wait_on_everything(executor, w, log, taken, out, ended);
  w.event.set();
  w.shot.set(1);
  w.semaphore.release(5);
  w.channel.push(1);
  executor.crash();
  executor.run();
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(taken, 0);
}

}  // namespace
}  // namespace holdfast::io
