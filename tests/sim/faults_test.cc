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

TEST(Stream, DetailsOfAnOccurrenceShiftNothing) {
  Trace trace;
  Stream plain(1, "s", trace), with(1, "s", trace);
  for (int i = 0; i < 20; ++i) {
    uint64_t value = plain.decide(1000);
    EXPECT_EQ(with.decide(1000), value);
    for (int k = 0; k < i % 4; ++k) EXPECT_LT(with.decide(1000, Draw::kSame), 1000u);
  }
  // Nor does an occurrence that has nothing to decide: it is counted all the same.
  Stream third(1, "s", trace), again(1, "s", trace);
  (void)third.decide(1), (void)third.chance(0);
  (void)again.decide(7), (void)again.decide(7);
  EXPECT_EQ(third.decide(1000), again.decide(1000));
}

TEST(Stream, DoesAsDecisionsSay) {
  std::vector<Harm> harms;
  Decisions decisions{.orders = {{"fault", {.strikes = std::set<DrawIndex>{{2, 0}}, .values = {}}},
                                 {"harm", {.strikes = {}, .values = {{{1, 0}, 0}, {{3, 0}, 99}, {{3, 1}, 2}}}}},
                      .harms = &harms};
  Trace trace(decisions), free;
  Stream fault(1, "fault", trace), never(1, "fault", trace);
  for (uint32_t i = 0; i < 5; ++i) EXPECT_EQ(fault.strikes(kAlways), i == 2);
  for (uint32_t i = 0; i < 5; ++i) EXPECT_EQ(never.strikes(0), i == 2) << "whatever the rate";
  Stream harm(1, "harm", trace), as_drawn(1, "harm", free);
  for (uint32_t i = 0; i < 5; ++i) {
    uint64_t drawn = as_drawn.harm(10);
    EXPECT_EQ(harm.harm(10), i == 1 ? 0 : i == 3 ? 9 : drawn) << i;
    if (i == 3) EXPECT_EQ(harm.decide(10, Draw::kSame), 2u);
  }
  ASSERT_GE(harms.size(), 2u);
  EXPECT_EQ(harms[0].stream, "fault");
  EXPECT_EQ(harms[0].index, (DrawIndex{2, 0}));
  EXPECT_EQ(harms[0].kind, Harm::Kind::kStrike);
  EXPECT_EQ(harms.back().kind, Harm::Kind::kValue);
}

TEST(Stream, ChildrenAreStreamsOfTheirOwn) {
  Trace trace;
  Stream parent(1, "p", trace), named(1, "p/0/c", trace);
  parent.next();
  Stream child = parent.about().child("c");
  EXPECT_EQ(child.name(), "p/0/c");
  EXPECT_EQ(child.decide(1'000'000), named.decide(1'000'000));
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
