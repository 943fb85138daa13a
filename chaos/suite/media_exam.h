// The examination of a damaged directory: verified, opened and read whole, repaired; and each judged against what had
// been written.
//
// Place in the system: what the suites of damaged media have in common (flips.h, wrong_disks.h).
//
// The rule: an engine tells what was written last, or `corrupt`; or it refuses, naming the damage. Verification finds
// whatever the engine complains of. After a repair everything is served again, but for what the repair said it gave up.
#pragma once

#include <functional>

#include "chaos/suite/small_directory.h"
#include "chaos/suite/suite.h"
#include "core/repair.h"
#include "core/verify.h"

namespace holdfast::chaos {

/// What an engine told of a directory.
struct Seen {
  std::optional<Error> refused;
  uint64_t corrupt = 0;                                    ///< answers
  std::string complaint;                                   ///< the first of them
  std::vector<std::string> corrupt_ids;                    ///< those of them that were about one document
  std::vector<std::string> wrong;                          ///< answers that are wrong by themselves
  std::map<std::string, std::optional<Buffer>> documents;  ///< what was told of each id
  std::optional<uint64_t> count;
  std::optional<std::vector<Buffer>> scanned;
  std::vector<std::string> log;
  std::unique_ptr<sim::DiskModel> disk;  ///< as the engine left it

  bool complains() const { return refused || corrupt > 0; }
};

struct Verified {
  core::VerifyReport report;
  std::optional<Error> refused;
  bool finds() const { return refused || !report.sound(); }
};

class MediaExam {
 public:
  using Spoil = std::function<Result<>(sim::DiskModel&, sim::FaultCounts&)>;
  enum class Ending : uint8_t { kKilled, kStopped };

  /// `truth` must outlive it.
  MediaExam(const SeedOptions& options, SmallShape shape, const SmallTruth& truth);

  bool io_errors = false;  ///< reads may fail

  /// What sentences of violations begin with.
  void at(std::string where);
  /// Nothing is found, by nobody.
  void check_sound(const sim::DiskModel& disk, std::string where);

  struct Outcome {
    Verified verified;
    Seen seen;
    std::unique_ptr<sim::DiskModel> damaged;
  };
  /// Damages a copy of the disk, and has it verified, opened and read whole.
  Outcome attempt(const sim::DiskModel& sound, std::string what, const Spoil& spoil);
  /// Repairs what was complained of, unless nobody can; in most cases the power goes once or twice before the repair ends.
  void repair(const Outcome& outcome);

  Verified verify(std::unique_ptr<sim::DiskModel> disk);
  /// `ending`: of an engine that complained of nothing.
  Seen look(std::unique_ptr<sim::DiskModel> disk, const SmallTruth& truth, Ending ending = Ending::kKilled);

  void violation(const std::string& what) { result_.violations.push_back(where_ + ": " + what); }
  bool enough() const { return result_.violations.size() > 20; }
  SeedResult& result() { return result_; }

 private:
  void judge(const Seen& seen, const SmallTruth& truth);
  std::unique_ptr<sim::DiskModel> cut_off_repairs(const Outcome& outcome);
  Seen look_at_repaired(std::unique_ptr<sim::DiskModel> disk);
  void judge_half_repaired(const Seen& seen, const Outcome& before);
  void judge_repaired(const Seen& seen, const core::VerifyReport& damage);
  /// Of the documents that were told: how many are another version than the last, which nobody may be but for the damage.
  uint64_t judge_versions(const Seen& seen, const std::string& when);

  const SeedOptions& options_;
  const SmallShape shape_;
  const SmallTruth& truth_;
  SeedResult result_;
  std::string where_;
};

}  // namespace holdfast::chaos
