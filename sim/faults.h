// Faults: how unkind a run is (FaultPlan), how that is drawn from a seed (swarm), and what was really injected
// (FaultCounts).
//
// A plan is plain data: named numbers, printed and overridden by name, so that a failing run can be told in one line
// and made kinder one number at a time. Rates are parts per million of the operations that they apply to. Swarm testing
// (Groce et al., ISSTA 2012): in each seed every kind is switched off with probability one half, because some bugs need
// a fault to be absent (a queue fills only when no reset empties it).
//
// The class of a fault says which promise holds under it (README.md): a suite allows classes, not single
// faults.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "sim/stream.h"

namespace holdfast::sim {

struct FaultPlan {
  // Scheduling. Draws of timing are no faults: every run has them.
  uint64_t shuffle = kAlways;        ///< steps that take any ready task instead of the oldest
  uint64_t step_ns_max = 2'000;      ///< virtual cost of one step
  uint64_t mailbox_ns_max = 20'000;  ///< delay of a message between cores
  uint64_t cooperative = 0;          ///< MAY_MISBEHAVE names that are switched on in this run
  uint64_t pause = 0;                ///< steps after which the whole process stands still for up to pause_ms_max
  uint64_t pause_ms_max = 5'000;

  // Clocks, per life of a process.
  uint64_t clock_drift_ppm_max = 0;  ///< the monotonic clock runs too fast or too slow by up to that
  uint64_t clock_skew_ms_max = 0;    ///< the wall clock is ahead or behind by up to that
  uint64_t clock_jump = 0;           ///< readings of the wall clock before which it jumps, forth or back, by up to
  uint64_t clock_jump_ms_max = 3'600'000;

  // Disk, crash class.
  uint64_t disk_ns_max = 50'000;   ///< a read or write
  uint64_t sync_ns_max = 500'000;  ///< a sync
  uint64_t disk_slow = 0;          ///< operations that take up to disk_slow_ms_max instead
  uint64_t disk_slow_ms_max = 2'000;
  uint64_t disk_hang = 0;  ///< operations that never end, as long as the process lives; of half of them, nor do any later ones
  uint64_t short_read = 0;
  uint64_t short_write = 0;
  uint64_t read_error = 0;     ///< kIo, once
  uint64_t write_error = 0;    ///< kIo, once; a part may have been written
  uint64_t torn = 300'000;     ///< of the sectors at a power loss that had two versions or more
  uint64_t garbage = 300'000;  ///< of the torn sectors and the lost new ones: garbage instead of old bytes or zeros
  uint64_t ordered = 0;  ///< 0: weak POSIX; 1: names and sizes survive in order, sizes after their data (ext4-like)
  uint64_t quota_bytes = 1ULL << 30;  ///< size of each disk

  // Disk, fail-stop class.
  uint64_t sync_error = 0;
  uint64_t sync_error_clean =
      500'000;  ///< of the sync errors: pages are marked clean, a retry succeeds, the old content comes back
  uint64_t evict =
      500'000;  ///< of those: the old content comes back at the next process death, not only at a power loss

  // Network.
  uint64_t net_ns_max = 200'000;  ///< one way
  uint64_t net_partial = 0;       ///< deliveries that arrive in pieces
  uint64_t net_stall = 0;         ///< writes after which a direction stands still for up to net_stall_ms_max
  uint64_t net_stall_ms_max = 5'000;
  uint64_t net_reset = 0;          ///< writes in whose middle the connection is reset
  uint64_t net_half_close = 0;     ///< writes in whose middle one direction ends
  uint64_t net_window = 64 << 10;  ///< bytes that one direction holds
  uint64_t net_no_descriptor = 0;  ///< accepts that find no free descriptor

  // Network, for connections that carry a check.
  uint64_t net_corrupt = 0;  ///< writes of which one bit changes on its way

  bool operator==(const FaultPlan&) const = default;
};

enum class FaultClass : uint8_t {
  kShape,     ///< timing and sizes: drawn in every run
  kCrash,     ///< nothing acknowledged may be lost
  kFailStop,  ///< the server must stop
  kGarbling,  ///< a connection without a check does not notice
};

struct FaultField {
  std::string_view name;
  uint64_t FaultPlan::* member;
  FaultClass fault_class;
  uint64_t low;  ///< drawn between low and high, small values as likely as large ones
  uint64_t high;
};

/// In [low, high], as many values between 1 and 2 as between 1000 and 2000.
uint64_t log_uniform(Stream& s, uint64_t low, uint64_t high);

std::span<const FaultField> fault_fields();

struct FaultClasses {
  bool crash = true;
  bool fail_stop = false;
  bool garbling = false;
};

/// The plan of a seed: shapes drawn, each allowed fault on or off by the toss of a coin, the others off.
FaultPlan swarm(uint64_t seed, Trace& trace, FaultClasses allowed);
/// "name=value ..." of what differs from a plan without faults.
std::string to_text(const FaultPlan& plan);
/// Sets one field by name; false for a name that is not in the list.
bool set_fault(FaultPlan& plan, std::string_view name, uint64_t value);

/// What was really injected.
enum class Fault : uint8_t {
  kProcessDeath,
  kPowerLoss,
  kExit,
  kInFlightPart,   ///< an operation under way at a crash took effect in part
  kInFlightWhole,  ///< ... wholly, unreported
  kSectorLost,     ///< an unsynced sector kept its old content
  kSectorKept,     ///< an unsynced sector survived a power loss
  kSectorTorn,
  kSectorGarbage,
  kSizeLost,
  kNameLost,  ///< an unsynced create, rename or unlink did not survive
  kNameKept,
  kDataLostUnderKeptName,
  kSyncError,
  kSyncErrorClean,
  kOldContentBack,
  kReadError,
  kWriteError,
  kDiskFull,
  kShortRead,
  kShortWrite,
  kBitFlip,
  kSlowDisk,
  kNetStall,
  kNetReset,
  kNetHalfClose,
  kNetPartial,
  kNetRefused,
  kNetWindowFull,
  kNoDescriptor,
  kStepOutOfOrder,
  kCooperative,
  kLatentError,  ///< a range became unreadable
  kLostWrite,    ///< a synced write is not there after all
  kMisdirected,  ///< what was written somewhere stands elsewhere
  kOldBlock,     ///< a synced block shows what it held before
  kHungDisk,     ///< an operation that never ends
  kPause,
  kClockDrift,
  kClockSkew,
  kClockJump,
  kWiped,    ///< files are gone
  kForeign,  ///< files of another node stand there
  kStale,    ///< files are as they were earlier
  kNetCorrupt,
  kCount,
};

std::string_view name(Fault fault);
/// Whether it was done to the run, one by one. The others follow from those (what a power loss kept, who was refused),
/// or are ways to order what is ready.
bool is_struck(Fault fault);

class FaultCounts {
 public:
  void hit(Fault fault) { ++counts_[static_cast<size_t>(fault)]; }
  uint64_t operator[](Fault fault) const { return counts_[static_cast<size_t>(fault)]; }
  uint64_t total() const;
  /// Of those that were struck.
  uint64_t struck() const;
  /// Adds another run's.
  void add(const FaultCounts& other);

 private:
  std::array<uint64_t, static_cast<size_t>(Fault::kCount)> counts_{};
};

}  // namespace holdfast::sim
