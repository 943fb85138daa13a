// Streams: the only source of choice in a run.
//
// A stream belongs to one purpose (node, subsystem, site) and is named after it: draw number i of a stream depends on
// the seed, the name and i, so that a draw added elsewhere changes nothing here. Every draw passes through `decide`,
// which folds it into the trace; a record of decisions, for replay and shrinking, belongs there too.
//
// Convention: 0 is the tame choice. No fault, the shortest wait, nothing lost. Setting decisions to 0 is how a failing
// run is made smaller.
#pragma once

#include <string>

#include "io/base/random.h"
#include "io/base/time.h"
#include "sim/trace.h"

namespace holdfast::sim {

/// A probability in parts per million.
using Rate = uint64_t;
inline constexpr Rate kAlways = 1'000'000;

class Stream {
 public:
  Stream(uint64_t seed, std::string name, Trace& trace)
      : name_(std::move(name)), key_(Rng(seed, name_).next()), rng_(key_), trace_(&trace) {}

  /// A number in [0, n); 0, without a draw, for n < 2.
  uint64_t decide(uint64_t n) {
    if (n < 2) return 0;
    uint64_t index = rng_.drawn();
    uint64_t value = rng_.below(n);
    trace_->draw(key_, name_, index, n, value);
    return value;
  }

  /// In [low, high], both included.
  uint64_t between(uint64_t low, uint64_t high) { return low + decide(high - low + 1); }
  Duration between(Duration low, Duration high) {
    return {static_cast<int64_t>(between(static_cast<uint64_t>(low.ns), static_cast<uint64_t>(high.ns)))};
  }
  /// True with that probability; a rate of 0 draws nothing.
  bool chance(Rate rate) { return rate > 0 && decide(kAlways) + rate >= kAlways; }
  /// 64 bits; the one draw that has no tame value.
  uint64_t bits() {
    uint64_t index = rng_.drawn();
    uint64_t value = rng_.next();
    trace_->draw(key_, name_, index, 0, value);
    return value;
  }

  const std::string& name() const { return name_; }

 private:
  std::string name_;
  uint64_t key_;
  Rng rng_;
  Trace* trace_;
};

}  // namespace holdfast::sim
