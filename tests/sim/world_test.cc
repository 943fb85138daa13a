// Virtual time, determinism, incarnations and their ends.
#include "sim/world.h"

#include <gtest/gtest.h>

#include "tests/sim/small_server.h"

namespace holdfast::sim {
namespace {

constexpr uint64_t kExpectedHash = 0x14656da6c0857b64;

WorldOptions options_of(uint64_t seed, FaultClasses classes = {.crash = true, .fail_stop = true}) {
  Trace scratch;
  return {.seed = seed, .plan = swarm(seed, scratch, classes)};
}

TEST(World, SameSeedGivesTheSameRunAndAnotherSeedAnother) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    uint64_t first = SmallWorld(options_of(seed)).run();
    EXPECT_EQ(first, SmallWorld(options_of(seed)).run()) << "seed " << seed;
    hashes.insert(first);
  }
  EXPECT_EQ(hashes.size(), 30u);
}

TEST(World, HashesAreTheSameInEveryBuild) {
  // Of one plain run. When a change of the simulator moves it, write the new one here; when a build or a machine does,
  // look for the cause.
  FaultPlan plan;
  plan.short_write = plan.short_read = plan.net_partial = 200'000;
  SmallWorld w({.seed = 1, .plan = plan});
  w.run();
  EXPECT_EQ(w.world.trace().hash(), kExpectedHash) << std::hex << w.world.trace().hash();
}

TEST(World, SinkSeesTheStoryAndChangesNothing) {
  uint64_t plain = SmallWorld(options_of(3)).run();
  size_t lines = 0;
  WorldOptions o = options_of(3);
  o.trace = [&](std::string_view) { ++lines; };
  o.trace_draws = Trace::Draws::kPrinted;
  SmallWorld told(std::move(o));
  EXPECT_EQ(told.run(), plain);
  EXPECT_GE(lines, told.world.trace().events() + told.world.trace().draws());
}

TEST(World, EveryFaultFiresSomewhere) {
  FaultCounts counts;
  uint64_t answered = 0;
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    SmallWorld w(options_of(seed), 40);
    if (seed % 10 == 0) w.server.disk().set_quota(40 << 10);
    if (seed % 10 == 1)
      w.world.after(milliseconds(500), [&w] {
        auto files = w.server.durable().files();
        if (files.empty()) return;
        DiskModel& disk = w.server.disk();
        (void)disk.flip_bit(files.back(), 5, 3, w.world.counts());
        for (Fault kind : {Fault::kLostWrite, Fault::kMisdirected, Fault::kOldBlock})
          (void)disk.overwrite(files.back(), 8, "another", kind, w.world.counts());
        (void)disk.make_unreadable(files.back(), 0, kSectorBytes, w.world.counts());
        auto another = disk.clone();
        another->settle();
        for (Fault kind : {Fault::kForeign, Fault::kStale})
          (void)another->put("lost", "another", kind, w.world.counts());
        (void)another->take_away("lost", Fault::kWiped, w.world.counts());
      });
    w.run();
    counts.add(w.world.counts());
    answered += w.answered;
  }
  for (size_t i = 0; i < static_cast<size_t>(Fault::kCount); ++i)
    if (static_cast<Fault>(i) != Fault::kNetCorrupt)  // these connections carry no check; network_test.cc has one
      EXPECT_GT(counts[static_cast<Fault>(i)], 0u) << name(static_cast<Fault>(i));
  EXPECT_GT(answered, 5'000u) << "most of it must still work";
}

TEST(World, WithoutFaultsEverythingIsAnsweredAndNothingCounts) {
  SmallWorld w({.seed = 5});
  w.server.cancel_crash();
  w.server.on_end = [](End, int) { ADD_FAILURE() << "the server must not end"; };
  w.run();
  EXPECT_EQ(w.stopped, World::Stop::kAsked);
  EXPECT_EQ(w.answered, 60u);
}

io::Task<int> sleep_long(io::Host&) {
  co_await io::sleep_for(seconds(3'000'000));
  co_return 7;
}

TEST(World, KnobsAreDrawnOncePerRunUnlessSet) {
  std::set<uint64_t> values;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    World world({.seed = seed});
    uint64_t v = world.knob("segment-bytes", 4096, 1 << 20);
    EXPECT_TRUE(4096 <= v && v <= 1 << 20);
    EXPECT_EQ(world.knob("segment-bytes", 4096, 1 << 20), v);
    values.insert(v);
    world.set_knob("other", 5);
    EXPECT_EQ(world.knob("other", 10, 20), 5u);
    EXPECT_EQ(world.knobs().size(), 2u);
  }
  EXPECT_GT(values.size(), 30u);
}

TEST(World, IdleTimeCostsNothing) {
  World world({});
  Node& n = world.add_node("n");
  int code = 0;
  n.on_end = [&](End how, int c) {
    EXPECT_EQ(how, End::kExit);
    code = c;
  };
  n.start(sleep_long);
  EXPECT_EQ(world.run({.until = seconds(10'000'000)}), World::Stop::kNothingLeft);
  EXPECT_EQ(code, 7);
  EXPECT_LT(world.trace().events(), 20u);
  EXPECT_GE(world.now(), Time{} + seconds(3'000'000));
}

io::Task<int> wait_for_nothing(io::Host&) {
  io::Event never;
  co_await never.wait();
  co_return 0;
}

TEST(World, TellsWhenNothingCanEverHappenAgain) {
  World world({});
  Node& n = world.add_node("n");
  n.start(wait_for_nothing);
  EXPECT_EQ(world.run(), World::Stop::kNothingLeft);
  EXPECT_TRUE(n.running());
  n.kill(End::kProcessDeath);
  EXPECT_FALSE(n.running());
}

TEST(World, StopsAtItsLimitsAndGoesOn) {
  World world({});
  Node& n = world.add_node("n");
  n.start(sleep_long);
  EXPECT_EQ(world.run({.events = 1}), World::Stop::kEventLimit);
  EXPECT_EQ(world.run({.until = seconds(5)}), World::Stop::kTimeLimit);
  EXPECT_EQ(world.now(), Time{} + seconds(5));
  int calls = 0;
  world.after(seconds(1), [&] {
    ++calls;
    world.stop();
  });
  EXPECT_EQ(world.run(), World::Stop::kAsked);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(world.now(), Time{} + seconds(6));
}

// Counts its live objects, to see that an ended incarnation leaves none.
struct Counted {
  explicit Counted(int& n) : count(n) { ++count; }
  ~Counted() { --count; }
  int& count;
};
io::Task<void> hold(int& count, io::Host& host, CoreId from) {
  Counted c(count);
  for (uint16_t to = 0; to < host.cores.count(); ++to)
    host.cores.send(from, CoreId(to), [c = std::make_shared<Counted>(count)] {});
  co_await io::sleep_for(seconds(1'000'000));
}
io::Task<int> hold_on_all_cores(int& count, io::Host& host) {
  for (uint16_t core = 0; core < host.cores.count(); ++core)
    host.cores.send(CoreId(0), CoreId(core), [&count, &host, core] {
      host.cores.executor(CoreId(core)).spawn(hold(count, host, CoreId(core)));
    });
  Counted c(count);
  auto file = co_await host.disk.open("f", io::Open::kCreate);
  while (true) (void)co_await (*file)->write_at(0, "xyz");
}

TEST(World, AnEndedIncarnationLeavesNothingBehind) {
  for (uint64_t at_us = 0; at_us < 100; at_us += 3) {
    int count = 0;
    World world({.seed = at_us});
    Node& n = world.add_node("n");
    n.start([&](io::Host& host) { return hold_on_all_cores(count, host); }, {.cores = 3});
    world.after(microseconds(static_cast<int64_t>(at_us)), [&] {
      n.kill(at_us % 2 == 0 ? End::kPowerLoss : End::kProcessDeath);
      world.stop();
    });
    EXPECT_EQ(world.run(), World::Stop::kAsked);
    EXPECT_EQ(count, 0) << at_us;
    EXPECT_EQ(world.run(), World::Stop::kNothingLeft) << "no event of a dead incarnation is left";
  }
}

io::Task<int> kill_myself(Node& self, int& after) {
  self.kill(End::kProcessDeath);
  ++after;  // a step goes on to its end
  co_await io::yield();
  after += 100;
  co_return 0;
}

TEST(World, KillFromWithinTakesEffectWhenTheStepIsOver) {
  World world({});
  Node& n = world.add_node("n");
  int after = 0;
  n.start([&](io::Host&) { return kill_myself(n, after); });
  EXPECT_EQ(world.run(), World::Stop::kNothingLeft);
  EXPECT_EQ(after, 1);
  EXPECT_FALSE(n.running());
}

// What io promises about durability, as a script; `reached` counts the steps that were reported done.
io::Task<Result<>> script(io::Host& host, int& reached) {
  HF_CO_TRY(file, co_await host.disk.open("new", io::Open::kCreate));
  HF_CO_CHECK_OK(co_await io::write_fully(*file, 0, std::string(3000, 'a')));
  HF_CO_CHECK_OK(co_await file->sync());
  HF_CO_CHECK_OK(co_await host.disk.sync_dir(""));
  reached = 1;  // "new" holds the a's for good
  HF_CO_CHECK_OK(co_await host.disk.rename("new", "final"));
  HF_CO_CHECK_OK(co_await host.disk.sync_dir(""));
  reached = 2;  // it is called "final"
  HF_CO_CHECK_OK(co_await io::write_fully(*file, 1500, std::string(3000, 'b')));
  HF_CO_CHECK_OK(co_await file->sync());
  reached = 3;  // and the b's are there
  co_return Result<>();
}
io::Task<int> script_main(io::Host& host, int& reached) {
  auto r = co_await script(host, reached);
  EXPECT_TRUE(r) << r.error().text();
  co_return 0;
}

std::string seen(Node& n, std::string_view path) {
  auto f = n.disk().find(path);
  if (!f) return "";
  std::string out((*f)->cache.size(), '\0');
  n.disk().read(*f, 0, out);
  return out;
}

TEST(World, CrashAtEveryOperationKeepsWhatWasReportedDurable) {
  int crashes = 0, longest = 0;
  for (uint64_t operation = 1; operation < 100; ++operation) {
    bool struck_once = false;
    for (Moment moment : {Moment::kBefore, Moment::kAfter, Moment::kMiddle})
      for (End how : {End::kProcessDeath, End::kPowerLoss})
        for (uint64_t seed = 1; seed <= 10; ++seed) {
          FaultPlan plan;
          plan.short_write = 300'000;
          World world({.seed = seed, .plan = plan});
          Node& n = world.add_node("n");
          int reached = 0;
          bool struck = false;
          n.on_end = [&](End e, int) { struck = e != End::kExit; };
          n.start([&](io::Host& host) { return script_main(host, reached); });
          n.crash_at({.operation = operation, .moment = moment, .how = how});
          EXPECT_EQ(world.run(), World::Stop::kNothingLeft);
          if (!struck) continue;
          struck_once = true;
          ++crashes;
          longest = std::max(longest, reached);
          // The second level: the power fails after a process death, too, and whatever was not synced goes.
          if (how == End::kProcessDeath && seed % 2 == 0) n.kill(End::kPowerLoss);
          std::string at_new = seen(n, "new"), at_final = seen(n, "final");
          std::string a(3000, 'a'), b = std::string(1500, 'a') + std::string(3000, 'b');
          std::string any = at_final.empty() ? at_new : at_final;
          EXPECT_TRUE(at_new.empty() || at_final.empty());
          if (reached == 1) EXPECT_EQ(any.substr(0, 1500), a.substr(0, 1500));
          if (reached >= 2) EXPECT_EQ(at_final.substr(0, 1500), a.substr(0, 1500));
          if (reached == 3) EXPECT_EQ(at_final, b);
        }
    if (!struck_once) break;
  }
  EXPECT_GT(crashes, 500);
  EXPECT_GE(longest, 2);
}

TEST(World, ProcessDeathLosesNothingThatACompletedWriteHandedOver) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    FaultPlan plan;
    plan.short_write = 500'000;
    World world({.seed = seed, .plan = plan});
    Node& n = world.add_node("n");
    uint64_t done = 0;
    struct Append {
      static io::Task<int> run(io::Host& host, uint64_t& done) {
        auto file = co_await host.disk.open("f", io::Open::kCreate);
        while (true)
          if (co_await io::write_fully(**file, done, "0123456789")) done += 10;
      }
    };
    n.start([&](io::Host& host) { return Append::run(host, done); });
    n.crash_at({.operation = 20 + seed, .moment = static_cast<Moment>(seed % 3), .how = End::kProcessDeath});
    EXPECT_EQ(world.run(), World::Stop::kNothingLeft);
    std::string now = seen(n, "f");
    ASSERT_GE(now.size(), done);
    for (size_t i = 0; i < now.size(); ++i) ASSERT_EQ(now[i], static_cast<char>('0' + i % 10));
  }
}

TEST(World, LocksDieWithTheirProcess) {
  World world({});
  Node& n = world.add_node("n");
  struct Lock {
    static io::Task<int> run(io::Host& host, int& got) {
      auto lock = co_await host.disk.lock("LOCK");
      if (lock) ++got;
      EXPECT_FALSE(co_await host.disk.lock("LOCK"));
      co_await io::sleep_for(seconds(100));
      co_return 0;
    }
  };
  int got = 0;
  for (int life = 0; life < 3; ++life) {
    n.start([&](io::Host& host) { return Lock::run(host, got); });
    world.run({.until = seconds(life + 1)});
    n.kill(End::kProcessDeath);
  }
  EXPECT_EQ(got, 3);
}

TEST(World, SimulatedEntropyDiffersBetweenLivesNodesAndSeeds) {
  std::set<uint64_t> drawn;
  for (uint64_t seed : {1, 2}) {
    World world({.seed = seed});
    for (const char* name : {"a", "b"}) {
      Node& n = world.add_node(name);
      for (int life = 0; life < 2; ++life) {
        n.start();
        drawn.insert(n.host().random.entropy64());
        n.kill(End::kProcessDeath);
      }
    }
  }
  EXPECT_EQ(drawn.size(), 8u);
}

}  // namespace
}  // namespace holdfast::sim
