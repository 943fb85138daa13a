#include <gtest/gtest.h>

#include "tests/sim/journal_run.h"

namespace holdfast::test {
namespace {

using core::SyncMode;

JournalRunOptions swarm_options(uint64_t seed, sim::FaultClasses classes) {
  sim::World scratch({.seed = seed});
  JournalRunOptions o;
  o.seed = seed;
  o.plan = sim::swarm(seed, scratch.trace(), classes);
  return o;
}

TEST(JournalSim, KeepsItsPromisesUnderCrashes) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    JournalRun run(swarm_options(seed, {.crash = true}));
    auto broken = run.run();
    ASSERT_FALSE(broken) << *broken;
  }
}

TEST(JournalSim, KeepsItsPromisesUnderFailedSyncs) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    JournalRun run(swarm_options(seed, {.crash = true, .fail_stop = true}));
    auto broken = run.run();
    ASSERT_FALSE(broken) << *broken;
  }
}

}  // namespace
}  // namespace holdfast::test
