// Clocks that are wrong, processes that stand still, and disks that never answer.
#include <gtest/gtest.h>

#include "sim/world.h"

namespace holdfast::sim {
namespace {

struct Seen {
  Time begin, end;                 // by the process' own clock
  WallTime wall_begin, wall_end;
  Time world_end;
};

io::Task<int> sleep_and_look(io::Host& host, World& world, Duration how_long, Seen* seen) {
  seen->begin = host.clock.now();
  seen->wall_begin = host.clock.wall();
  co_await io::sleep_for(how_long);
  seen->end = host.clock.now();
  seen->wall_end = host.clock.wall();
  seen->world_end = world.now();
  co_return 0;
}

Seen look(uint64_t seed, const FaultPlan& plan, Duration how_long, FaultCounts* counts = nullptr) {
  World world({.seed = seed, .plan = plan});
  Node& node = world.add_node("n");
  Seen seen;
  node.start([&](io::Host& host) { return sleep_and_look(host, world, how_long, &seen); }, {.cores = 1});
  world.run({.until = seconds(100'000)});
  if (counts) counts->add(world.counts());
  return seen;
}

TEST(Clock, RunsTooFastOrTooSlowAndTimersGoByIt) {
  FaultPlan plan;
  plan.clock_drift_ppm_max = 100'000;
  bool fast = false, slow = false;
  FaultCounts counts;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Seen seen = look(seed, plan, seconds(1000), &counts);
    // A sleep is as long as it should be by the clock of who sleeps …
    EXPECT_GE(seen.end - seen.begin, seconds(1000));
    EXPECT_LT(seen.end - seen.begin, seconds(1001));
    // … and anything within a tenth by everybody else's.
    Duration real = seen.world_end - Time{};
    EXPECT_GT(real, seconds(900));
    EXPECT_LT(real, seconds(1113));
    fast |= real < seconds(990);
    slow |= real > seconds(1010);
  }
  EXPECT_TRUE(fast && slow);
  EXPECT_GT(counts[Fault::kClockDrift], 30u);
}

TEST(Clock, WallIsWrongAndJumpsBothWays) {
  FaultPlan plan;
  plan.clock_skew_ms_max = 1'000'000;
  plan.clock_jump = kAlways;
  plan.clock_jump_ms_max = 60'000;
  bool forth = false, back = false;
  std::set<int64_t> starts;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Seen seen = look(seed, plan, seconds(1));
    starts.insert(seen.wall_begin.ns);
    int64_t passed = seen.wall_end.ns - seen.wall_begin.ns;
    EXPECT_LE(std::abs(passed), seconds(62).ns);
    forth |= passed > seconds(2).ns;
    back |= passed < 0;
    EXPECT_LT((seen.end - seen.begin).ns, seconds(2).ns) << "the monotonic clock knows nothing of that";
  }
  EXPECT_TRUE(forth && back);
  EXPECT_GT(starts.size(), 30u);
}

TEST(Clock, WithoutFaultsAllClocksAgree) {
  Seen seen = look(1, {}, seconds(1000));
  EXPECT_EQ(seen.wall_end.ns - seen.wall_begin.ns, (seen.end - seen.begin).ns);
  EXPECT_EQ(seen.end, seen.world_end);
}

io::Task<int> tick(io::Host& host, Duration* longest) {
  Time last = host.clock.now();
  for (int i = 0; i < 2000; ++i) {
    co_await io::sleep_for(milliseconds(10));
    Time now = host.clock.now();
    *longest = std::max(*longest, now - last);
    last = now;
  }
  co_return 0;
}

TEST(Pause, TheWholeProcessStandsStillAndGoesOn) {
  FaultPlan plan;
  plan.pause = 2'000;
  plan.pause_ms_max = 20'000;
  World world({.seed = 1, .plan = plan});
  Node& paused = world.add_node("paused");
  paused.on_end = [](End how, int code) { EXPECT_TRUE(how == End::kExit && code == 0); };
  Duration longest;
  paused.start([&](io::Host& host) { return tick(host, &longest); }, {.cores = 3});
  EXPECT_EQ(world.run({.until = seconds(1000)}), World::Stop::kNothingLeft);
  EXPECT_GT(world.counts()[Fault::kPause], 0u);
  EXPECT_GT(longest, milliseconds(500)) << "timers that fell due meanwhile fire late";
  EXPECT_LE(longest, seconds(21));
}

struct Hung {
  int written = 0, synced = 0;
};

io::Task<int> write_and_sync(io::Host& host, Hung* hung) {
  auto file = co_await host.disk.open("f", io::Open::kCreate);
  for (int i = 0; file && i < 1000; ++i) {
    if (co_await (*file)->write_at(static_cast<uint64_t>(i) * 10, "0123456789")) ++hung->written;
    if (co_await (*file)->sync()) ++hung->synced;
  }
  co_return 0;
}

TEST(HungDisk, NeverEndsUntilTheProcessDoes) {
  FaultPlan plan;
  plan.disk_hang = 10'000;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world({.seed = seed, .plan = plan});
    Node& node = world.add_node("n");
    Hung hung;
    int hangs = 0;
    node.on_hang = [&] {
      ++hangs;
      world.after(seconds(100), [&] { node.kill(End::kPowerLoss); });
    };
    bool killed = false;
    node.on_end = [&](End how, int) { killed = how == End::kPowerLoss; };
    node.start([&](io::Host& host) { return write_and_sync(host, &hung); }, {.cores = 1});
    world.run({.until = seconds(1000)});
    if (hangs == 0) continue;
    EXPECT_TRUE(killed);
    EXPECT_GE(world.now(), Time{} + seconds(100));
    EXPECT_LE(hung.synced, hung.written);
    EXPECT_LT(hung.synced, 1000);
    // What was synced before is there; the write that hung may be, too.
    uint64_t size = node.durable().size("f").value_or(0);
    EXPECT_LE(size, static_cast<uint64_t>(hung.written + 1) * 10);
    if (hung.synced > 0) {
      // The name of the file was never made durable: without it there is nothing.
      EXPECT_TRUE(size == 0 || size >= static_cast<uint64_t>(hung.synced) * 10);
    }
    EXPECT_EQ(world.counts()[Fault::kHungDisk], 1u);
  }
}

}  // namespace
}  // namespace holdfast::sim
