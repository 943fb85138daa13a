#include "sim/faults.h"

#include <fmt/format.h>

#include <bit>
#include <numeric>

namespace holdfast::sim {
namespace {

using P = FaultPlan;
constexpr FaultClass kShape = FaultClass::kShape;
constexpr FaultClass kCrash = FaultClass::kCrash;
constexpr FaultClass kFailStop = FaultClass::kFailStop;
constexpr FaultClass kGarbling = FaultClass::kGarbling;

constexpr FaultField kFields[] = {
    {"sched.shuffle", &P::shuffle, kShape, 1'000, kAlways},
    {"sched.step-ns-max", &P::step_ns_max, kShape, 100, 20'000},
    {"sched.mailbox-ns-max", &P::mailbox_ns_max, kShape, 100, 2'000'000},
    {"sched.cooperative", &P::cooperative, kCrash, 100'000, kAlways},
    {"sched.pause", &P::pause, kCrash, 1, 200},
    {"sched.pause-ms-max", &P::pause_ms_max, kShape, 10, 30'000},
    {"clock.drift-ppm-max", &P::clock_drift_ppm_max, kCrash, 10, 100'000},
    {"clock.skew-ms-max", &P::clock_skew_ms_max, kCrash, 1'000, 10'000'000'000},
    {"clock.jump", &P::clock_jump, kCrash, 100, 100'000},
    {"clock.jump-ms-max", &P::clock_jump_ms_max, kShape, 10, 1'000'000'000},
    {"disk.ns-max", &P::disk_ns_max, kShape, 1'000, 1'000'000},
    {"disk.sync-ns-max", &P::sync_ns_max, kShape, 10'000, 20'000'000},
    {"disk.slow", &P::disk_slow, kCrash, 10, 20'000},
    {"disk.slow-ms-max", &P::disk_slow_ms_max, kShape, 10, 5'000},
    {"disk.hang", &P::disk_hang, kCrash, 5, 1'000},
    {"disk.short-read", &P::short_read, kCrash, 1'000, 300'000},
    {"disk.short-write", &P::short_write, kCrash, 1'000, 300'000},
    {"disk.read-error", &P::read_error, kCrash, 10, 2'000},
    {"disk.write-error", &P::write_error, kCrash, 10, 2'000},
    {"disk.torn", &P::torn, kCrash, 10'000, 900'000},
    {"disk.garbage", &P::garbage, kCrash, 10'000, 900'000},
    {"disk.ordered", &P::ordered, kCrash, 1, 1},
    {"disk.quota-bytes", &P::quota_bytes, kShape, 1ULL << 30, 1ULL << 30},
    {"disk.sync-error", &P::sync_error, kFailStop, 100, 20'000},
    {"disk.sync-error-clean", &P::sync_error_clean, kShape, 1'000, kAlways},
    {"disk.evict", &P::evict, kShape, 1'000, kAlways},
    {"net.ns-max", &P::net_ns_max, kShape, 1'000, 20'000'000},
    {"net.partial", &P::net_partial, kCrash, 10'000, kAlways},
    {"net.stall", &P::net_stall, kCrash, 10, 10'000},
    {"net.stall-ms-max", &P::net_stall_ms_max, kShape, 10, 10'000},
    {"net.reset", &P::net_reset, kCrash, 10, 20'000},
    {"net.half-close", &P::net_half_close, kCrash, 10, 10'000},
    {"net.window", &P::net_window, kShape, 64, 256 << 10},
    {"net.no-descriptor", &P::net_no_descriptor, kCrash, 1'000, 200'000},
    {"net.corrupt", &P::net_corrupt, kGarbling, 100, 20'000},
};

constexpr std::string_view kFaultNames[] = {"process-death",
                                            "power-loss",
                                            "exit",
                                            "in-flight-part",
                                            "in-flight-whole",
                                            "sector-lost",
                                            "sector-kept",
                                            "sector-torn",
                                            "sector-garbage",
                                            "size-lost",
                                            "name-lost",
                                            "name-kept",
                                            "data-lost-under-kept-name",
                                            "sync-error",
                                            "sync-error-clean",
                                            "old-content-back",
                                            "read-error",
                                            "write-error",
                                            "disk-full",
                                            "short-read",
                                            "short-write",
                                            "bit-flip",
                                            "slow-disk",
                                            "net-stall",
                                            "net-reset",
                                            "net-half-close",
                                            "net-partial",
                                            "net-refused",
                                            "net-window-full",
                                            "no-descriptor",
                                            "step-out-of-order",
                                            "cooperative",
                                            "latent-error",
                                            "lost-write",
                                            "misdirected",
                                            "old-block",
                                            "hung-disk",
                                            "pause",
                                            "clock-drift",
                                            "clock-skew",
                                            "clock-jump",
                                            "wiped",
                                            "foreign",
                                            "stale",
                                            "net-corrupt"};
static_assert(std::size(kFaultNames) == static_cast<size_t>(Fault::kCount));

bool is_off(const FaultField& f) { return f.fault_class != kShape; }

bool allowed(FaultClass c, FaultClasses classes) {
  return c == kShape || (c == kCrash && classes.crash) || (c == kFailStop && classes.fail_stop) ||
         (c == kGarbling && classes.garbling);
}

}  // namespace

uint64_t log_uniform(Stream& s, uint64_t low, uint64_t high) {
  if (low >= high) return low;
  if (low == 0) return log_uniform(s, 1, high + 1) - 1;
  // First a power of two, then a place within it.
  auto width = static_cast<uint64_t>(std::bit_width(high / low));
  uint64_t from = std::min(high, low << s.decide(width));
  return s.between(from, std::min(high, 2 * from), Draw::kSame);
}

std::span<const FaultField> fault_fields() { return kFields; }

FaultPlan swarm(uint64_t seed, Trace& trace, FaultClasses classes) {
  FaultPlan plan;
  for (const FaultField& f : kFields) {
    Stream s(seed, fmt::format("plan/{}", f.name), trace);
    bool on = allowed(f.fault_class, classes) && (f.fault_class == kShape || s.decide(2) == 1);
    plan.*f.member = on ? log_uniform(s, f.low, f.high) : 0;
  }
  return plan;
}

std::string to_text(const FaultPlan& plan) {
  std::string out;
  for (const FaultField& f : kFields) {
    uint64_t v = plan.*f.member;
    if (is_off(f) && v == 0) continue;
    fmt::format_to(std::back_inserter(out), "{}{}={}", out.empty() ? "" : " ", f.name, v);
  }
  return out;
}

bool set_fault(FaultPlan& plan, std::string_view name, uint64_t value) {
  for (const FaultField& f : kFields) {
    if (f.name != name) continue;
    plan.*f.member = value;
    return true;
  }
  return false;
}

std::string_view name(Fault fault) { return kFaultNames[static_cast<size_t>(fault)]; }

bool is_struck(Fault fault) {
  switch (fault) {
    case Fault::kProcessDeath:
    case Fault::kPowerLoss:
    case Fault::kInFlightPart:
    case Fault::kInFlightWhole:
    case Fault::kSectorTorn:
    case Fault::kSectorGarbage:
    case Fault::kSyncError:
    case Fault::kReadError:
    case Fault::kWriteError:
    case Fault::kDiskFull:
    case Fault::kShortRead:
    case Fault::kShortWrite:
    case Fault::kBitFlip:
    case Fault::kLatentError:
    case Fault::kLostWrite:
    case Fault::kMisdirected:
    case Fault::kOldBlock:
    case Fault::kWiped:
    case Fault::kForeign:
    case Fault::kStale:
    case Fault::kSlowDisk:
    case Fault::kNetStall:
    case Fault::kNetReset:
    case Fault::kNetHalfClose:
    case Fault::kNetPartial:
    case Fault::kNetCorrupt:
    case Fault::kNoDescriptor:
    case Fault::kHungDisk:
    case Fault::kPause:
    case Fault::kClockDrift:
    case Fault::kClockSkew:
    case Fault::kClockJump:
    case Fault::kCooperative: return true;
    case Fault::kExit:
    case Fault::kSectorLost:
    case Fault::kSectorKept:
    case Fault::kSizeLost:
    case Fault::kNameLost:
    case Fault::kNameKept:
    case Fault::kDataLostUnderKeptName:
    case Fault::kSyncErrorClean:
    case Fault::kOldContentBack:
    case Fault::kNetRefused:
    case Fault::kNetWindowFull:
    case Fault::kStepOutOfOrder:
    case Fault::kCount: return false;
  }
  return false;
}

uint64_t FaultCounts::struck() const {
  uint64_t n = 0;
  for (size_t i = 0; i < counts_.size(); ++i) n += is_struck(static_cast<Fault>(i)) ? counts_[i] : 0;
  return n;
}

uint64_t FaultCounts::total() const { return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0}); }

void FaultCounts::add(const FaultCounts& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
}

}  // namespace holdfast::sim
