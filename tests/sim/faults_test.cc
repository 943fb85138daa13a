// Streams, plans and the answers to probes, mutants and cooperative faults.
#include "sim/faults.h"

#include <gtest/gtest.h>

#include "sim/record.h"

namespace holdfast::sim {
namespace {

TEST(Stream, DependsOnSeedAndNameAloneAndStartsTame) {
  Trace trace;
  Stream a(1, "a", trace), again(1, "a", trace), b(1, "b", trace), other(2, "a", trace);
  std::vector<uint64_t> from_a, from_b, from_other;
  for (int i = 0; i < 20; ++i) {
    from_a.push_back(a.decide(1000));
    EXPECT_EQ(again.decide(1000), from_a.back());
    from_b.push_back(b.decide(1000));
    from_other.push_back(other.decide(1000));
  }
  EXPECT_NE(from_a, from_b);
  EXPECT_NE(from_a, from_other);
  EXPECT_EQ(trace.draws(), 80u);
  EXPECT_EQ(a.decide(1), 0u);
  EXPECT_FALSE(a.chance(0));
  EXPECT_TRUE(a.chance(kAlways));
}

TEST(Stream, ChanceComesAboutAsOftenAsItSays) {
  Trace trace;
  Stream s(1, "s", trace);
  int hits = 0;
  for (int i = 0; i < 100'000; ++i) hits += s.chance(100'000);
  EXPECT_NEAR(hits, 10'000, 500);
}

TEST(Swarm, SwitchesEveryFaultOnAndOffAndStaysWithinItsClasses) {
  std::map<std::string_view, int> on;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Trace trace;
    FaultPlan plan = swarm(seed, trace, {.crash = true, .fail_stop = false});
    for (const FaultField& f : fault_fields()) {
      uint64_t v = plan.*f.member;
      if (f.fault_class == FaultClass::kShape || v > 0) EXPECT_TRUE(f.low <= v && v <= f.high) << f.name << " " << v;
      if (f.fault_class == FaultClass::kFailStop) EXPECT_EQ(v, 0u) << f.name;
      on[f.name] += v > 0;
    }
  }
  for (const FaultField& f : fault_fields())
    if (f.fault_class == FaultClass::kCrash)
      EXPECT_TRUE(on[f.name] > 60 && on[f.name] < 140) << f.name << " " << on[f.name];
}

TEST(Swarm, SameSeedSamePlan) {
  Trace a, b;
  EXPECT_TRUE(swarm(7, a, {}) == swarm(7, b, {}));
  EXPECT_EQ(a.hash(), b.hash());
}

TEST(FaultPlan, IsPrintedAndOverriddenByName) {
  FaultPlan plan;
  EXPECT_TRUE(set_fault(plan, "net.reset", 123));
  EXPECT_FALSE(set_fault(plan, "net.no-such-thing", 1));
  EXPECT_EQ(plan.net_reset, 123u);
  EXPECT_NE(to_text(plan).find("net.reset=123"), std::string::npos);
  EXPECT_EQ(to_text(plan).find("net.stall="), std::string::npos) << "what is off is not printed";
}

TEST(SimRecord, CountsProbesAndAnswersForPlantedMutantsOnly) {
  Trace trace;
  FaultCounts counts;
  FaultPlan plan;
  SimRecord record(1, plan, {"planted"}, trace, counts);
  RunScope scope(&record);
  for (int i = 0; i < 3; ++i) SOMETIMES(i > 0, "reached");
  SOMETIMES(false, "missed");
  EXPECT_EQ(record.probes().size(), 1u);
  EXPECT_EQ(record.probes().at("reached"), 2u);
  EXPECT_TRUE(current_run->mutant("planted"));
  EXPECT_FALSE(current_run->mutant("other"));
  EXPECT_EQ(record.mutants_reached().at("planted"), 1u);
  EXPECT_FALSE(MAY_MISBEHAVE("kind")) << "cooperative faults are off";
}

TEST(SimRecord, EachCooperativeFaultHasItsRateForTheWholeRun) {
  int never = 0, sometimes = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Trace trace;
    FaultCounts counts;
    FaultPlan plan;
    plan.cooperative = 500'000;
    SimRecord record(seed, plan, {}, trace, counts);
    RunScope scope(&record);
    int yes = 0;
    for (int i = 0; i < 1000; ++i) yes += MAY_MISBEHAVE("unkind");
    EXPECT_EQ(counts[Fault::kCooperative], static_cast<uint64_t>(yes));
    ++(yes == 0 ? never : sometimes);
    EXPECT_LT(yes, 700);
  }
  EXPECT_GT(never, 25);
  EXPECT_GT(sometimes, 25);
}

}  // namespace
}  // namespace holdfast::sim
