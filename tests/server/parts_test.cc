// The small parts: Budget, RepeatTable, Fibers.
#include <gtest/gtest.h>

#include "server/budget.h"
#include "server/fiber.h"
#include "server/repeats.h"
#include "tests/support/test_executor.h"

namespace holdfast::server {
namespace {

using test::TestExecutor;

io::Task<void> take(Budget& budget, uint64_t n, std::string& order, char name) {
  co_await budget.take(n);
  order += name;
}

TEST(Budget, ServesTakersInOrderAndDoesNotLetSmallOnesOvertake) {
  TestExecutor executor;
  Budget budget(100);
  ASSERT_TRUE(budget.try_take(60));
  std::string order;
  executor.spawn(take(budget, 80, order, 'a'));
  executor.spawn(take(budget, 10, order, 'b'));
  executor.run();
  EXPECT_EQ(order, "");
  EXPECT_FALSE(budget.try_take(1)) << "others wait";
  budget.give(60);
  executor.run();
  EXPECT_EQ(order, "ab");
  EXPECT_EQ(budget.used(), 90u);
}

TEST(Budget, LetsOneThroughThatIsLargerThanAll) {
  Budget budget(100);
  EXPECT_TRUE(budget.try_take(500));
  EXPECT_FALSE(budget.try_take(1));
  budget.give(500);
  EXPECT_TRUE(budget.try_take(1));
  EXPECT_FALSE(budget.try_take(500));
}

TEST(Budget, ChargesOverdrawAndHoldUpWhoComesNext) {
  TestExecutor executor;
  Budget budget(100);
  budget.charge(150);
  EXPECT_EQ(budget.used(), 150u);
  std::string order;
  executor.spawn(take(budget, 1, order, 'a'));
  executor.run();
  budget.give(50);
  executor.run();
  EXPECT_EQ(order, "");
  EXPECT_TRUE(budget.waited_for());
  budget.give(1);
  executor.run();
  EXPECT_EQ(order, "a");
}

Hash128 print(uint64_t n) { return {n, ~n}; }
constexpr Time at(int64_t s) { return Time{seconds(s).ns}; }

TEST(RepeatTable, ForgetsByAgeAndByNumber) {
  RepeatTable table(seconds(60), 3);
  table.add(print(1), at(0));
  table.add(print(2), at(10));
  EXPECT_FALSE(table.take(print(1), at(61)));
  EXPECT_FALSE(table.take(print(9), at(10)));
  table.add(print(3), at(20));
  table.add(print(4), at(20));
  EXPECT_FALSE(table.take(print(1), at(20))) << "three fit";
  table.forget_old(at(75));
  EXPECT_EQ(table.size(), 2u);
  EXPECT_TRUE(table.take(print(3), at(80)));
  table.forget_old(at(100));
  EXPECT_EQ(table.size(), 0u);
}

TEST(RepeatTable, GivesEachInsertionAwayOnce) {
  RepeatTable table(seconds(60), 10);
  table.add(print(1), at(0));
  EXPECT_TRUE(table.take(print(1), at(60)));
  EXPECT_FALSE(table.take(print(1), at(60)));
  table.add(print(1), at(60));
  EXPECT_TRUE(table.take(print(1), at(61))) << "whoever took it broke in turn";
}

TEST(RepeatTable, WhatIsUnderWayCountsWhenItHasInserted) {
  RepeatTable table(seconds(60), 10);
  table.begin(1, print(7));
  uint64_t after_first = table.last_begun();
  table.begin(2, print(7));
  EXPECT_TRUE(table.under_way(print(7), after_first));
  EXPECT_FALSE(table.under_way(print(8), after_first));
  table.end(1, false, at(0));
  EXPECT_FALSE(table.under_way(print(7), after_first)) << "the second began later";
  EXPECT_TRUE(table.under_way(print(7), table.last_begun()));
  EXPECT_FALSE(table.take(print(7), at(0))) << "the first was refused";
  table.end(2, true, at(0));
  EXPECT_TRUE(table.take(print(7), at(0)));
}

TEST(RepeatTable, RemembersFromTheLastTime) {
  RepeatTable table(seconds(60), 10);
  table.add(print(1), at(0));
  table.add(print(1), at(50));
  table.forget_old(at(70));
  EXPECT_EQ(table.size(), 1u);
  EXPECT_FALSE(table.take(print(1), at(111)));
  EXPECT_TRUE(table.take(print(1), at(110)));
}

TEST(RepeatTable, TakesInsertsForTheSameByAllThatTheyDoAndWhoSendsThem) {
  wire::Request base{.id = 1, .op = wire::Op::kInsertOne, .collection = "c", .database = "d", .args = "x"};
  auto with = [&](auto change) {
    wire::Request r = base;
    change(r);
    return insert_fingerprint(r, "10.0.0.1:100");
  };
  const Hash128 of_base = insert_fingerprint(base, "10.0.0.1:99");
  EXPECT_EQ(of_base, with([](wire::Request& r) { r.id = 2; }));
  EXPECT_NE(of_base, with([](wire::Request& r) { r.op = wire::Op::kInsertMany; }));
  EXPECT_NE(of_base, with([](wire::Request& r) { r.collection = "e"; }));
  EXPECT_NE(of_base, with([](wire::Request& r) { r.database = "e"; }));
  EXPECT_NE(of_base, with([](wire::Request& r) { r.args = "y"; }));
  EXPECT_NE(of_base, insert_fingerprint(base, "10.0.0.2:99")) << "another machine";
}

Fiber note(std::string& order, char name, io::WaitList* wait) {
  order += name;
  if (!wait) co_return;
  co_await wait->wait();
  order += static_cast<char>(name - 'a' + 'A');
}

TEST(Fibers, StartAtOnceAndEndByThemselvesOrWithTheirOwner) {
  TestExecutor executor;
  io::WaitList wait;
  std::string order;
  {
    Fibers fibers;
    fibers.start(executor, note(order, 'a', nullptr));
    fibers.start(executor, note(order, 'b', &wait));
    fibers.start(executor, note(order, 'c', &wait));
    EXPECT_EQ(order, "abc");
    EXPECT_EQ(fibers.running(), 2u);
    wait.notify_one();
    executor.run();
    EXPECT_EQ(order, "abcB");
    EXPECT_EQ(fibers.running(), 1u);
  }
  wait.notify_all();
  executor.run();
  EXPECT_EQ(order, "abcB") << "a fiber whose owner has died is gone";
}

}  // namespace
}  // namespace holdfast::server
