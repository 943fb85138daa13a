// One simulated run of a journal by itself: several lives on one disk, each ended by a crash, a failure or a clean stop, with a ledger that judges.
//
// What is judged, all the time:
//   - what a life's recovery replays is what was appended at those LSNs by the history that was last recovered, without gaps;
//   - nothing that had to survive is missing: in sync mode everything reported committed; in async mode the same after a process death, and
//     everything reported durable after a power loss; and what an earlier recovery replayed;
//   - a cut stays a cut: what a recovery did not replay never comes back;
//   - at a report, the durable images of the disk already hold what is called durable;
//   - after a failure nothing is reported; opening is never refused for damage when none was done.
// The checkpoint is played by the test: a position that is durable at once, sometimes an older one.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/journal_chain.h"
#include "sim/world.h"

namespace holdfast::test {

struct JournalRunOptions {
  uint64_t seed = 1;
  std::vector<std::string> mutants;
  sim::FaultPlan plan;                 ///< of all lives but the last, which has no faults
  std::optional<core::SyncMode> mode;  ///< drawn when not given
  int lives = 5;
  bool small_script = false;  ///< one client, few entries: for enumerating crash points
  bool short_lives = false;   ///< async, much unsynced, a crash soon after each opening: tails are cut, and short logs grow over them
  std::optional<sim::CrashPlan> first_crash;  ///< of the first life; drawn when not given
  std::optional<sim::CrashPlan> second_crash;
};

class JournalRun {
 public:
  explicit JournalRun(JournalRunOptions options);
  ~JournalRun();

  /// Runs all lives. Nothing: no promise was broken. Else the first that was, in a sentence.
  std::optional<std::string> run();

  sim::World& world() { return world_; }
  sim::Node& node() { return *node_; }
  /// Disk operations of the first life.
  uint64_t first_life_operations() const { return first_life_operations_; }
  core::JournalOptions& journal_options() { return options_; }

  // After run(): the disk holds a journal that was stopped in order, with everything in it sealed.

  /// What opening a disk finds, when it should hold what this run left.
  struct Look {
    std::optional<Error> refused;
    std::optional<std::string> broken;  ///< it opened, but not to this run's log
    std::vector<Lsn> condemned;         ///< entries that it had but for their effects
    std::vector<std::string> notes;
    bool clean = false;
  };
  Look look_at(std::unique_ptr<sim::DiskModel> disk, core::JournalOptions options);
  core::JournalPosition base() const { return base_; }

 private:
  struct Life;
  friend struct Life;
  io::Task<int> live(io::Host& host, Life& life);
  io::Task<int> peek(io::Host& host, core::JournalOptions options, Look& look);
  void begin_life();
  void life_ended(sim::End how, int code);
  void broken(std::string what);
  void draw_options();
  core::JournalPosition choose_base();
  std::optional<sim::CrashPlan> draw_crash();
  sim::CrashPlan any_crash(uint64_t operations);
  void check_durable(Lsn at_least, const char* claim);

  JournalRunOptions wanted_;
  sim::World world_;
  sim::Stream choice_;
  sim::Node* node_ = nullptr;
  core::JournalOptions options_;
  std::deque<std::unique_ptr<Life>> lives_;
  std::optional<std::string> broken_;
  uint64_t first_life_operations_ = 0;
  bool faults_off_ = false;
  bool crash_after_open_ = false;

  // The ledger.
  std::vector<uint64_t> history_;  ///< of LSN i + 1: a digest of the entry that stands there, recovered or appended since
  Lsn must_survive_;               ///< whatever happens
  Lsn committed_;                  ///< as long as the page cache lives, this too
  core::JournalPosition base_;     ///< of the newest checkpoint
  core::JournalPosition old_base_;
};

}  // namespace holdfast::test
