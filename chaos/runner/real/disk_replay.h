// DiskReplay: the record of a real process's disk, played into the simulator's disk model; and from there, what a power cut could have left.
//
// Place in the system: between io/real's operation record and sim's DiskModel. One replay follows a directory through the lives of several processes, one
// record after the other.
//
// How it is exact: an operation takes effect when its end is read, a sync covers what had ended before the sync began. Whatever has begun and not ended may
// have happened in part, wholly or not at all: at a made-up cut that is drawn; at the real end of a process the directory itself tells (settle), and
// matches() then asserts that model and directory are the same byte for byte. That is the proof that the record is complete.
#pragma once

#include <filesystem>
#include <memory>

#include "io/real/operation_record.h"
#include "sim/disk_model.h"

namespace holdfast::chaos {

class DiskReplay {
 public:
  /// Every path of the record must lie below `base`, whose directory is the model's root.
  explicit DiskReplay(std::string base);

  /// Begins with what is in the directory `base`/`name`, all of it durable. Before anything else.
  void load(const std::string& name);

  /// The event's bytes must outlive its operation. Errors: kCorrupt, the record tells what cannot have happened; kIo, the recorded process met an error of its disk.
  Result<> apply(const real::OperationEvent& event);

  /// What has begun and not ended, in that order.
  struct UnderWay {
    real::OperationBegin begin;
    uint64_t mark = 0;
  };
  const std::map<uint64_t, UnderWay>& under_way() const { return under_way_; }

  /// How much of each operation under way had happened: bytes of a write or preallocation, otherwise 0 or 1.
  using Settlement = std::map<uint64_t, uint64_t>;
  /// The process has ended: looks at the directory `base` for what its last operations did.
  Settlement look(const std::filesystem::path& base) const;
  /// The process has ended, and that much happened.
  void settle(const Settlement& settlement);

  /// A process's whole life: its record to the end, what was under way settled by looking at `base`; then the directory must be explained. What is not, as a
  /// sentence. `settlement` is told what was found.
  std::optional<std::string> play(const real::OperationRecord& record, Settlement* settlement = nullptr);

  /// The first difference between what processes see in the model and what is in the directory; nothing when they are the same.
  std::optional<std::string> difference(const std::filesystem::path& base) const;

  /// A copy of the disk as it may be if the machine stops now, operations under way settled as drawn; power_loss() is the caller's.
  std::unique_ptr<sim::DiskModel> cut(sim::Stream& s) const;

  sim::DiskModel& disk() { return *disk_; }

 private:
  Result<std::string> inside(std::string_view path) const;
  Result<> finish(const UnderWay& operation, const real::OperationEnd& end);
  /// Carries out `how_much` of an operation on `disk`, which is the replay's own or a clone.
  Result<> perform(sim::DiskModel& disk, const UnderWay& operation, uint64_t how_much) const;
  sim::InodePtr file_in(sim::DiskModel& disk, uint64_t file) const;
  uint64_t whole(const real::OperationBegin& begin) const;

  std::string base_;
  std::unique_ptr<sim::DiskModel> disk_;
  std::map<uint64_t, sim::InodePtr> files_;  // open files, by number
  std::map<uint64_t, UnderWay> under_way_;
};

}  // namespace holdfast::chaos
