// Streams: the only source of choice in a run.
//
// A stream belongs to one purpose (node, subsystem, site) and is named after it. Its draws are counted by occurrence:
// the k-th read, the k-th power loss; further draws about the same occurrence (`Draw::kSame`) are details of it and do
// not shift those that follow. So a draw depends on the seed, the stream's name and its own index alone: neither a draw
// added elsewhere nor a fault that is told not to strike changes the others. Every draw passes through `draw`, which
// folds it into the trace and asks the run's Decisions.
//
// Convention: 0 is the tame choice. No fault, the shortest wait, nothing lost. Setting decisions to 0 is how a failing
// run is made smaller.
#pragma once

#include <algorithm>
#include <string>

#include "io/base/random.h"
#include "io/base/time.h"
#include "sim/trace.h"

namespace holdfast::sim {

/// A probability in parts per million.
using Rate = uint64_t;
inline constexpr Rate kAlways = 1'000'000;

/// Whether a draw is about the next occurrence or once more about the current one.
enum class Draw : uint8_t { kNext, kSame };

class Stream {
 public:
  Stream(uint64_t seed, std::string name, Trace& trace)
      : seed_(seed),
        name_(std::move(name)),
        key_(Rng(seed, name_).next()),
        trace_(&trace),
        orders_(trace.decisions().find(name_)) {}

  /// A number in [0, n); 0 for n < 2.
  uint64_t decide(uint64_t n, Draw about = Draw::kNext) {
    go_to(about);
    return draw(n);
  }
  /// In [low, high], both included.
  uint64_t between(uint64_t low, uint64_t high, Draw about = Draw::kNext) {
    return low + decide(high - low + 1, about);
  }
  Duration between(Duration low, Duration high, Draw about = Draw::kNext) {
    return {static_cast<int64_t>(between(static_cast<uint64_t>(low.ns), static_cast<uint64_t>(high.ns), about))};
  }
  /// True with that probability.
  bool chance(Rate rate, Draw about = Draw::kNext) {
    go_to(about);
    return rate > 0 && draw(kAlways) + rate >= kAlways;
  }
  /// 64 bits; the one draw that has no tame value.
  uint64_t bits(Draw about = Draw::kNext) {
    go_to(about);
    uint64_t value = Rng(key_).at(packed());
    trace_->draw(key_, name_, packed(), 0, value);
    return value;
  }

  /// Whether a fault strikes at the next occurrence: with that probability or, where strikes are laid down, as they
  /// say.
  bool strikes(Rate rate) {
    go_to(Draw::kNext);
    bool yes = orders_ && orders_->strikes ? ordered_strike() : rate > 0 && draw(kAlways) + rate >= kAlways;
    if (yes) record(Harm::Kind::kStrike, 1);
    return yes;
  }
  /// Which of n harms the next occurrence does; 0 is none.
  uint64_t harm(uint64_t n) {
    uint64_t value = decide(n);
    if (value > 0) record(Harm::Kind::kValue, value);
    return value;
  }

  /// Goes on to the next occurrence; every draw about it is then of kind kSame.
  void next() { go_to(Draw::kNext); }
  /// A stream for what belongs together within this one.
  Stream child(std::string_view name) const { return Stream(seed_, name_ + "/" + std::string(name), *trace_); }
  /// The same, for the current occurrence. Requires: there is one.
  Stream about() const { return child(std::to_string(index_.occurrence)); }

  const std::string& name() const { return name_; }

 private:
  void go_to(Draw about) {
    if (about == Draw::kNext)
      index_ = {index_.occurrence + 1, 0};
    else
      ++index_.detail;
  }
  uint64_t packed() const { return uint64_t{index_.detail} << 32 | index_.occurrence; }
  uint64_t draw(uint64_t n) {
    if (n < 2) return 0;
    uint64_t value = Rng::scale(Rng(key_).at(packed()), n);
    if (orders_) value = ordered_value(n, value);
    trace_->draw(key_, name_, packed(), n, value);
    return value;
  }
  uint64_t ordered_value(uint64_t n, uint64_t drawn) const {
    auto it = orders_->values.find(index_);
    return it == orders_->values.end() ? drawn : std::min(it->second, n - 1);
  }
  bool ordered_strike() {
    bool yes = orders_->strikes->contains(index_);
    trace_->draw(key_, name_, packed(), 2, yes);
    return yes;
  }
  void record(Harm::Kind kind, uint64_t value) {
    if (std::vector<Harm>* harms = trace_->decisions().harms) harms->push_back({name_, index_, kind, value});
  }

  uint64_t seed_;
  std::string name_;
  uint64_t key_;
  DrawIndex index_{UINT32_MAX, 0};  // before the first occurrence, number 0
  Trace* trace_;
  const Orders* orders_;
};

}  // namespace holdfast::sim
