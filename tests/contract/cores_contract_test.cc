// What io/cores.h, io/executor.h, io/clock.h and io/random.h promise.
#include "tests/contract/host_under_test.h"

namespace holdfast::contract {
namespace {

HOLDFAST_CONTRACT(ExecutorContract);
HOLDFAST_CONTRACT(CoresContract);

io::Task<void> note(std::vector<int>& order, int n) {
  order.push_back(n);
  co_return;
}

io::Task<void> sleep_and_note(io::Host& host, Time when, std::vector<int>& order, int n) {
  co_await io::sleep_until(when);
  EXPECT_GE(host.clock.now(), when);
  order.push_back(n);
}

TEST_P(ExecutorContract, SpawnAndYieldRunLater) {
  run([](io::Host&, std::string) -> io::Task<void> {
    io::Executor& here = co_await io::this_executor();
    EXPECT_EQ(here.core(), CoreId(0));
    std::vector<int> order;
    here.spawn(note(order, 1));
    EXPECT_TRUE(order.empty()) << "a spawned task never starts inside spawn";
    for (int i = 0; i < 1000 && order.empty(); ++i) co_await io::yield();
    EXPECT_EQ(order, std::vector<int>{1});
  });
}

TEST_P(ExecutorContract, TimersFireInOrderOfTheirDeadlines) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    io::Executor& here = co_await io::this_executor();
    std::vector<int> order;
    Time base = here.now() + milliseconds(5);
    io::TaskGroup group(here);
    // Armed from the latest to the earliest, over several turns: the tasks begin in whatever order the host likes.
    for (int i : {5, 4, 3, 2, 1}) group.spawn(sleep_and_note(host, base + milliseconds(10 * i), order, i));
    co_await group.drained();
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4, 5}));
  });
}

TEST_P(ExecutorContract, SleepInThePastEnds) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    co_await io::sleep_until(host.clock.now());
    co_await io::sleep_until(Time{0});
    Time before = host.clock.now();
    co_await io::sleep_for(milliseconds(3));
    EXPECT_GE(host.clock.now(), before + milliseconds(3));
  });
}

TEST_P(ExecutorContract, CancelledTimerNeverFires) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    struct Flag : io::Timer {
      void fire() override { fired = true; }
      bool fired = false;
    };
    io::Executor& here = co_await io::this_executor();
    Flag cancelled, rearmed, kept;
    cancelled.arm(here, host.clock.now() + milliseconds(2));
    rearmed.arm(here, host.clock.now() + seconds(3600));
    kept.arm(here, host.clock.now() + milliseconds(2));
    {
      Flag destroyed;
      destroyed.arm(here, host.clock.now() + milliseconds(1));
    }
    cancelled.cancel();
    rearmed.cancel();
    rearmed.arm(here, host.clock.now() + milliseconds(2));
    co_await io::sleep_for(milliseconds(10));
    EXPECT_FALSE(cancelled.fired);
    EXPECT_TRUE(rearmed.fired);
    EXPECT_TRUE(kept.fired);
    EXPECT_FALSE(kept.armed());
  });
}

io::Task<void> wait_with_deadline(io::WaitList& list, Time deadline, int& outcome) {
  outcome = co_await list.wait(deadline) ? 1 : 2;
}

TEST_P(ExecutorContract, WaitEndsByNoticeOrByDeadline) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    io::Executor& here = co_await io::this_executor();
    io::WaitList list;
    int late = 0, noticed = 0;
    io::TaskGroup group(here);
    group.spawn(wait_with_deadline(list, host.clock.now() + milliseconds(2), late));
    co_await group.drained();
    EXPECT_EQ(late, 2);
    group.spawn(wait_with_deadline(list, host.clock.now() + seconds(3600), noticed));
    while (list.empty()) co_await io::yield();
    list.notify_all();
    EXPECT_EQ(noticed, 0) << "a notified task is posted, not run inside notify";
    co_await group.drained();
    EXPECT_EQ(noticed, 1);
  });
}

TEST_P(ExecutorContract, BusyTaskStarvesNeitherTimersNorOthers) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    io::Executor& here = co_await io::this_executor();
    std::vector<int> order;
    io::TaskGroup group(here);
    group.spawn(sleep_and_note(host, host.clock.now(), order, 1));
    // Bounded, since virtual time may need an idle turn to move on; the timer is due at once.
    for (int i = 0; i < 1'000'000 && order.empty(); ++i) co_await io::yield();
    EXPECT_EQ(order, std::vector<int>{1});
    co_await group.drained();
  });
}

TEST_P(ExecutorContract, WaitingTasksMayBeLeftBehind) {
  run(2, [](io::Host& host, std::string) -> io::Task<void> {
    struct Forever {
      static io::Task<void> sleep() { co_await io::sleep_for(seconds(100'000)); }
      static io::Task<void> wait(std::shared_ptr<io::Event> event) { co_await event->wait(); }
      static io::Task<void> accept(std::shared_ptr<io::Listener> listener) {
        (void)co_await listener->accept(CoreId(0));
      }
    };
    io::Executor& here = co_await io::this_executor();
    here.spawn(Forever::sleep());
    here.spawn(Forever::wait(std::make_shared<io::Event>()));
    CO_VALUE(listener, co_await host.network.listen({"127.0.0.1", 0}));
    here.spawn(Forever::accept(std::move(listener)));
    co_await io::call_on<void*>(host.cores, CoreId(1), [&host] {
      host.cores.executor(CoreId(1)).spawn(Forever::sleep());
      return []() -> io::Task<void*> { co_return nullptr; }();
    });
    for (int i = 0; i < 100; ++i) co_await io::yield();
    EXPECT_GE(here.roots(), 4u);
  });
}

TEST_P(ExecutorContract, ClockNeverGoesBackAndEntropyDiffers) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    Time last = host.clock.now();
    for (int i = 0; i < 1000; ++i) {
      Time now = host.clock.now();
      EXPECT_GE(now, last);
      last = now;
    }
    EXPECT_GE((co_await io::this_executor()).now(), last) << "one time base for deadlines and clock";
    EXPECT_GT(host.clock.wall().ns, 1'500'000'000'000'000'000) << "wall time is about now, and in nanoseconds";
    std::set<uint64_t> drawn;
    for (int i = 0; i < 1000; ++i) drawn.insert(host.random.entropy64());
    EXPECT_EQ(drawn.size(), 1000u);
    std::string large(5000, '\0');
    host.random.entropy(large);
    EXPECT_LT(std::ranges::count(large, '\0'), 200);
  });
}

TEST_P(CoresContract, CallOnRunsThereAndBringsTheValueBack) {
  run(3, [](io::Host& host, std::string) -> io::Task<void> {
    EXPECT_EQ(host.cores.count(), 3);
    struct Where {
      static io::Task<int> am_i(int plus) { co_return (co_await io::this_executor()).core().value + plus; }
    };
    for (uint16_t core : {0, 1, 2}) {
      EXPECT_EQ(host.cores.executor(CoreId(core)).core(), CoreId(core));
      int got = co_await io::call_on<int>(host.cores, CoreId(core), [] { return Where::am_i(100); });
      EXPECT_EQ(got, 100 + core);
      EXPECT_EQ((co_await io::this_executor()).core(), CoreId(0)) << "the caller stays on its core";
    }
  });
}

TEST_P(CoresContract, MessageToSelfRunsLater) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    std::vector<int> order;
    for (int i = 0; i < 3; ++i) host.cores.send(CoreId(0), CoreId(0), [&order, i] { order.push_back(i); });
    EXPECT_TRUE(order.empty()) << "never inline";
    while (order.size() < 3) co_await io::yield();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  });
}

// Every core sends numbered messages to every core, itself included; each (sender, receiver) pair must see 0, 1, 2 …
struct Crossfire {
  static constexpr uint32_t kMessages = 3000;
  io::Cores& cores;
  // next[to][from]: touched on core `to` only.
  std::vector<std::vector<uint32_t>> next;
  std::vector<uint32_t> wrong;
  uint32_t cores_done = 0;  // on core 0
  io::Event all_done;

  explicit Crossfire(io::Cores& c)
      : cores(c), next(c.count(), std::vector<uint32_t>(c.count(), 0)), wrong(c.count(), 0) {}

  void arrived(CoreId from, CoreId to, uint32_t number) {
    auto& counts = next[to.value];
    if (counts[from.value]++ != number) ++wrong[to.value];
    for (uint32_t n : counts)
      if (n < kMessages) return;
    if (number + 1 == kMessages) cores.send(to, CoreId(0), [this] { one_core_done(); });
  }
  void one_core_done() {
    if (++cores_done == cores.count()) all_done.set();
  }
  static io::Task<void> fire(Crossfire& all, CoreId from) {
    for (uint32_t i = 0; i < kMessages; ++i) {
      for (uint16_t to = 0; to < all.cores.count(); ++to)
        all.cores.send(from, CoreId(to), [&all, from, to, i] { all.arrived(from, CoreId(to), i); });
      if (i % 7 == 0) co_await io::yield();
      if (i % 1000 == 0) co_await io::sleep_for(microseconds(50));  // so that receivers go to sleep, too
    }
  }
};

TEST_P(CoresContract, MessagesOfOneSenderArriveInOrder) {
  run(4, [](io::Host& host, std::string) -> io::Task<void> {
    Crossfire all(host.cores);
    for (uint16_t core = 0; core < 4; ++core)
      host.cores.send(CoreId(0), CoreId(core), [&all, &host, core] {
        host.cores.executor(CoreId(core)).spawn(Crossfire::fire(all, CoreId(core)));
      });
    co_await all.all_done.wait();
    EXPECT_EQ(all.wrong, std::vector<uint32_t>(4, 0));
  });
}

TEST_P(CoresContract, PingPongNeverSticks) {
  run(2, [](io::Host& host, std::string) -> io::Task<void> {
    struct Plus {
      static io::Task<int> one(int n) { co_return n + 1; }
    };
    int n = 0;
    while (n < 3000) n = co_await io::call_on<int>(host.cores, CoreId(1), [n] { return Plus::one(n); });
    EXPECT_EQ(n, 3000);
  });
}

TEST_P(CoresContract, TimersAndDiskWorkOnEveryCore) {
  run(3, [](io::Host& host, std::string dir) -> io::Task<void> {
    struct Work {
      static io::Task<bool> run(io::Host& host, std::string path) {
        co_await io::sleep_for(milliseconds(1));
        auto file = co_await host.disk.open(path, io::Open::kCreate);
        if (!file) co_return false;
        if (!co_await io::write_fully(**file, 0, path)) co_return false;
        if (!co_await (*file)->sync()) co_return false;
        auto back = co_await io::read_whole(host.disk, path, 1000);
        co_return back && *back == path;
      }
    };
    for (uint16_t core : {0, 1, 2}) {
      std::string path = dir + "/" + std::to_string(core);
      bool good = co_await io::call_on<bool>(host.cores, CoreId(core), [&host, path] { return Work::run(host, path); });
      EXPECT_TRUE(good) << core;
    }
  });
}

}  // namespace
}  // namespace holdfast::contract
