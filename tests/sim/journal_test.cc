#include <gtest/gtest.h>

#include <cstdlib>

#include "core/journal_segment.h"
#include "tests/sim/journal_run.h"

namespace holdfast::test {
namespace {

using core::SyncMode;
using sim::CrashPlan;
using sim::End;
using sim::Moment;
using Broken = std::optional<std::string>;

// HOLDFAST_TEST_SEEDS=5000 runs that many of each kind instead: for a night, or after a change of what recovery decides.
uint64_t seeds(uint64_t usual) {
  const char* asked = std::getenv("HOLDFAST_TEST_SEEDS");
  return asked ? std::strtoull(asked, nullptr, 10) : usual;
}

JournalRunOptions swarm_options(uint64_t seed, sim::FaultClasses classes) {
  sim::World scratch({.seed = seed});
  return {.seed = seed, .plan = sim::swarm(seed, scratch.trace(), classes)};
}

Broken run_crashes(uint64_t seed, std::vector<std::string> mutants = {}) {
  JournalRunOptions o = swarm_options(seed, {.crash = true});
  if (seed % 4 == 0) o.plan.torn = o.plan.garbage = 900'000;
  o.mutants = std::move(mutants);
  return JournalRun(o).run();
}

Broken run_failed_syncs(uint64_t seed, std::vector<std::string> mutants = {}) {
  JournalRunOptions o = swarm_options(seed, {.crash = true, .fail_stop = true});
  o.plan.sync_error = 20'000;
  o.mutants = std::move(mutants);
  return JournalRun(o).run();
}

Broken run_short_lives(uint64_t seed, std::vector<std::string> mutants = {}) {
  return JournalRun({.seed = seed, .mutants = std::move(mutants), .lives = 10, .short_lives = true}).run();
}

constexpr Moment kMoments[] = {Moment::kBefore, Moment::kMiddle, Moment::kAfter};
constexpr End kEnds[] = {End::kPowerLoss, End::kProcessDeath};

// Every operation of a short script, times what happens there, times the two ways to die.
Broken enumerate_crashes(uint64_t seed, SyncMode mode, std::vector<std::string> mutants = {}) {
  JournalRunOptions o{.seed = seed, .mutants = std::move(mutants), .mode = mode, .lives = 3, .small_script = true};
  for (uint64_t operation = 1;; ++operation)
    for (Moment moment : kMoments)
      for (End how : kEnds) {
        o.first_crash = CrashPlan{.operation = operation, .moment = moment, .how = how};
        JournalRun run(o);
        if (auto broken = run.run()) return broken;
        if (run.first_life_operations() < operation) return std::nullopt;
      }
}

// The same, with a second crash while the first is recovered from.
Broken enumerate_nested_crashes(uint64_t seed, SyncMode mode) {
  JournalRunOptions o{.seed = seed, .mode = mode, .lives = 4, .small_script = true};
  for (uint64_t operation = 9;; operation += 2)
    for (uint64_t second = 1; second <= 24; ++second) {
      o.first_crash = CrashPlan{.operation = operation, .moment = kMoments[second % 3], .how = kEnds[operation / 2 % 2]};
      o.second_crash = CrashPlan{.operation = second, .moment = kMoments[operation % 3], .how = kEnds[second % 2]};
      JournalRun run(o);
      if (auto broken = run.run()) return broken;
      if (run.first_life_operations() < operation) return std::nullopt;
    }
}

struct Flips {
  uint64_t reported = 0;
  uint64_t condemned = 0;
  uint64_t harmless = 0;
};

// One bit flipped on the disk of a journal that stopped in order, here and there in every segment.
Broken flip_bits(uint64_t seed, Flips& flips, std::vector<std::string> mutants = {}) {
  JournalRun run({.seed = seed, .mutants = std::move(mutants), .lives = 1});
  if (auto broken = run.run()) return broken;
  sim::Stream choice = run.world().stream("flips");
  for (const std::string& path : run.node().durable().files("data/journal")) {
    uint64_t size = *run.node().durable().size(path);
    for (uint64_t block = 0; block < size; block += core::kJournalBlock) {
      uint64_t offset = block + choice.decide(choice.decide(2) == 0 ? 300 : core::kJournalBlock);
      auto disk = run.node().disk().clone();
      sim::FaultCounts counts;
      if (!disk->flip_bit(path, offset, static_cast<uint8_t>(choice.decide(8)), counts)) continue;
      JournalRun::Look look = run.look_at(std::move(disk), run.journal_options());
      std::string where = path + " at " + std::to_string(offset) + ": ";
      if (look.broken) return where + *look.broken;
      if (!look.refused && !look.condemned.empty()) {
        ++flips.condemned;
        std::string named = "LSN " + std::to_string(look.condemned.front().value) + " (";
        bool names_it = std::any_of(look.notes.begin(), look.notes.end(),
                                    [&](const std::string& note) { return note.contains(path) && note.contains(named); });
        if (look.condemned.size() > 1 || !names_it) return where + "one entry is damaged, and it is not that one which is named";
        continue;
      }
      if (!look.refused) {
        ++flips.harmless;
        continue;
      }
      ++flips.reported;
      if (look.refused->code != Code::kCorrupt) return where + "refused with " + look.refused->text();
      if (look.refused->message.find(path) == std::string::npos) return where + "the damage is not named: " + look.refused->message;
      if (look.refused->message.find("LSN") == std::string::npos) return where + "no LSN is named: " + look.refused->message;
    }
  }
  return std::nullopt;
}

TEST(JournalSim, KeepsItsPromisesUnderCrashes) {
  for (uint64_t seed = 1; seed <= seeds(200); ++seed) {
    auto broken = run_crashes(seed);
    ASSERT_FALSE(broken) << *broken;
  }
}

TEST(JournalSim, KeepsItsPromisesUnderFailedSyncs) {
  for (uint64_t seed = 1; seed <= seeds(200); ++seed) {
    auto broken = run_failed_syncs(seed);
    ASSERT_FALSE(broken) << *broken;
  }
}

TEST(JournalSim, KeepsItsPromisesInShortLives) {
  for (uint64_t seed = 1; seed <= seeds(200); ++seed) {
    auto broken = run_short_lives(seed);
    ASSERT_FALSE(broken) << *broken;
  }
}

TEST(JournalSim, SurvivesACrashAtEveryOperation) {
  for (uint64_t seed = 1; seed <= 3; ++seed)
    for (SyncMode mode : {SyncMode::kSync, SyncMode::kAsync}) {
      auto broken = enumerate_crashes(seed, mode);
      ASSERT_FALSE(broken) << *broken;
    }
}

TEST(JournalSim, SurvivesASecondCrashWhileItRecovers) {
  for (SyncMode mode : {SyncMode::kSync, SyncMode::kAsync}) {
    auto broken = enumerate_nested_crashes(1, mode);
    ASSERT_FALSE(broken) << *broken;
  }
}

TEST(JournalSim, ReportsEveryFlippedBitThatMatters) {
  Flips flips;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    auto broken = flip_bits(seed, flips);
    ASSERT_FALSE(broken) << *broken;
  }
  EXPECT_GT(flips.reported, 100u);
  EXPECT_GT(flips.condemned, 100u);
  EXPECT_GT(flips.harmless, 100u);
}

// A branch that these runs never take is one that they cannot judge.
TEST(JournalSim, TakesEveryRareBranch) {
  std::set<std::string> wanted = {"journal-superseded",      "journal-lag-bound-hit",      "journal-group-beyond-lag-bound",
                                  "journal-sealed",          "journal-sync-across-segments", "journal-segment-oversize",
                                  "journal-spare-late",      "journal-unfinished-segment", "journal-torn-tail-cut",
                                  "journal-tail-copied",     "journal-tail-across-segments"};
  for (uint64_t seed = 1; seed <= 200 && !wanted.empty(); ++seed) {
    JournalRun run(swarm_options(seed, {.crash = true}));
    (void)run.run();
    for (const auto& [name, times] : run.world().record().probes()) wanted.erase(name);
  }
  EXPECT_EQ(wanted, std::set<std::string>());
}

TEST(JournalSim, TheSameSeedIsTheSameRun) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    uint64_t hash[2];
    for (uint64_t& h : hash) {
      JournalRun run(swarm_options(seed, {.crash = true}));
      (void)run.run();
      h = run.world().finish();
    }
    EXPECT_EQ(hash[0], hash[1]) << "seed " << seed;
  }
}

TEST(JournalSim, ACleanStopIsSeenAtTheNextOpening) {
  JournalRun run({.seed = 3, .lives = 1});
  ASSERT_FALSE(run.run());
  JournalRun::Look look = run.look_at(run.node().disk().clone(), run.journal_options());
  EXPECT_FALSE(look.refused);
  EXPECT_FALSE(look.broken);
  EXPECT_TRUE(look.clean);
  EXPECT_TRUE(look.notes.empty());
}

#ifdef HOLDFAST_MUTANTS

// A group that a write put elsewhere. The chain would not take it either, so no run can show this one.
Broken misplace(std::vector<std::string> mutants) {
  sim::World world({.mutants = std::move(mutants)});
  RunScope scope(&world.record());
  core::LogKey key({1, 2});
  core::GroupEncoder encoder(key);
  core::GroupHeader header;
  header.first = Lsn(1);
  encoder.begin({SegmentSeq(1), 4096});
  Bytes seal = encoder.finish(header);
  if (parse_group_header(seal, {SegmentSeq(1), 8192}, key, header) == core::Found::kGood) return "a group is good in two places";
  return std::nullopt;
}

// Each planted bug is caught by these tests alone; the suites judge them again in the whole server.
Broken hunt(const std::string& mutant) {
  if (auto broken = misplace({mutant})) return broken;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    if (auto broken = run_crashes(seed, {mutant})) return broken;
    if (auto broken = run_short_lives(seed, {mutant})) return broken;
    if (auto broken = run_failed_syncs(seed, {mutant})) return broken;
    Flips flips;
    if (seed % 20 != 1) continue;
    if (auto broken = flip_bits(seed, flips, {mutant})) return broken;
  }
  return std::nullopt;
}

class JournalMutant : public testing::TestWithParam<const char*> {};

TEST_P(JournalMutant, IsCaught) {
  auto broken = hunt(GetParam());
  EXPECT_TRUE(broken) << GetParam();
  if (broken) std::printf("%s: %s\n", GetParam(), broken->substr(0, broken->find('\n')).c_str());
}

INSTANTIATE_TEST_SUITE_P(, JournalMutant,
                         testing::Values("retry-after-sync-error", "ack-before-sync", "sync-before-write", "sync-previous-segment",
                                         "no-dir-sync-after-segment", "checksum-misses-payload", "continue-after-bad-group",
                                         "corrupt-cut-as-torn", "trust-page-cache-at-open", "believe-tail-after-sync",
                                         "cut-tail-comes-back", "short-write-counts-as-done", "checksum-without-place",
                                         "group-shares-block", "valid-group-is-proof", "async-reports-more-durable",
                                         "seal-claims-too-much"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

#endif

}  // namespace
}  // namespace holdfast::test
