// Trace: the fingerprint of a run, and on request its story.
//
// Every event and every draw of a run is folded into one 64-bit hash. Two runs with the same hash did the same things
// in the same order at the same virtual times; that is how "same seed, same run" is proven. With a sink the same facts
// come out as lines of text, one a fact, so that two traces can be compared with diff. The run's decisions
// (decisions.h) are here because every draw comes by.
//
// Invariants: 1. nothing that depends on addresses, builds or the real clock is ever folded in; 2. a sink does not
// change the hash. No OS here: whoever wants a file passes a sink that writes one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/base/bytes.h"
#include "io/base/time.h"
#include "sim/decisions.h"

namespace holdfast::sim {

/// What happened. The order is part of every trace hash: add at the end.
enum class EventKind : uint8_t {
  kStep,         ///< a core ran one ready task: index picked, tasks ready
  kTimers,       ///< a core fired its due timers
  kMessage,      ///< a core ran a message: sending core, messages left in that mailbox
  kStart,        ///< an incarnation began: its number, its cores
  kEnd,          ///< an incarnation ended: how, exit code
  kPowerLoss,    ///< a disk lost what was not durable
  kDiskBegin,    ///< a disk operation was asked for: operation, inode
  kDiskEffect,   ///< a disk operation took effect: operation, digest of the result
  kDiskSettled,  ///< an operation under way at a crash was settled: operation, how much of it took effect
  kConnect,      ///< a connection was made: link, port
  kArrive,       ///< bytes or the end of a stream arrived: link, bytes
  kRead,         ///< a read completed: link, digest of the bytes
  kWrite,        ///< a write was taken in: link, digest of the bytes
  kClose,        ///< one end of a link was closed: link, side
  kLog,          ///< a log line: level, digest
  kControl,      ///< the test's own code ran
  kDurable,      ///< the durable image of a node at the end of the run: digest
};

/// An event that belongs to no node, or to no core.
inline constexpr uint16_t kNobody = 0xffff;

class Trace {
 public:
  using Sink = std::function<void(std::string_view line)>;

  Trace() = default;
  explicit Trace(Decisions decisions) : decisions_(std::move(decisions)) {}
  Trace(const Trace&) = delete;  // streams point to it
  Trace& operator=(const Trace&) = delete;

  void event(Time at, uint16_t node, uint16_t core, EventKind kind, uint64_t a, uint64_t b) {
    fold(static_cast<uint64_t>(at.ns));
    fold(uint64_t{node} << 32 | uint64_t{core} << 16 | static_cast<uint64_t>(kind));
    fold(a);
    fold(b);
    ++events_;
    if (sink_) print_event(at, node, core, kind, a, b);
  }

  /// Number `index` of the stream with that key came out as `value`.
  void draw(uint64_t key, std::string_view stream, uint64_t index, uint64_t n, uint64_t value) {
    fold(key ^ index);
    fold(value);
    ++draws_;
    if (sink_ && print_draws_) print_draw(stream, index, n, value);
  }

  /// A line for people; not part of the hash. Ask `on()` first when the text costs something to make.
  void note(std::string_view text) {
    if (sink_) sink_(text);
  }

  bool on() const { return static_cast<bool>(sink_); }
  enum class Draws : uint8_t { kHidden, kPrinted };
  void set_sink(Sink sink, Draws draws);
  void name_node(uint16_t node, std::string name);

  /// Streams look up their orders when they are made.
  const Decisions& decisions() const { return decisions_; }

  uint64_t hash() const { return hash_; }
  uint64_t events() const { return events_; }
  uint64_t draws() const { return draws_; }

 private:
  void fold(uint64_t x) {
    hash_ = (hash_ ^ x) * 0x9e3779b97f4a7c15ULL;
    hash_ ^= hash_ >> 29;
  }
  void print_event(Time at, uint16_t node, uint16_t core, EventKind kind, uint64_t a, uint64_t b);
  void print_draw(std::string_view stream, uint64_t index, uint64_t n, uint64_t value);

  Decisions decisions_;
  uint64_t hash_ = 0x486f6c6466617374ULL;
  uint64_t events_ = 0;
  uint64_t draws_ = 0;
  Sink sink_;
  bool print_draws_ = false;
  std::vector<std::string> node_names_;
};

}  // namespace holdfast::sim
