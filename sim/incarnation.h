// Incarnation: one life of a node's process: an io::Host made of simulated parts. Internal to the simulator.
#pragma once

#include <memory>
#include <vector>

#include "sim/disk.h"
#include "sim/executor.h"
#include "sim/network.h"
#include "sim/node.h"

namespace holdfast::sim {

/// The streams of choices of one node; they go on from one incarnation to the next.
struct Node::Streams {
  Streams(World& world, const std::string& node);
  Stream start, order, step, pause, mailbox, entropy, clock_drift, clock_skew, clock_jump;
  Stream disk_time, disk_slow, disk_hang, read_error, short_read, write_error, short_write, sync_error, settle, power_loss, evict;
  Stream accept, close;
};

/// The clocks of one life. The monotonic one may run too fast or too slow, the wall clock may be wrong and jump.
class SimClock final : public io::Clock {
 public:
  explicit SimClock(Node& node);
  Time now() const override;
  WallTime wall() const override;

  /// The first moment of the world at which now() is at least `local`.
  Time in_world(Time local) const;

 private:
  Node& node_;
  Time start_;              // both clocks' origin
  int64_t drift_ppm_ = 0;
  mutable int64_t wall_ns_;  // what the wall clock is ahead of the world's time
};

class SimRandom final : public io::Random {
 public:
  explicit SimRandom(Stream& stream) : stream_(stream) {}
  void entropy(MutableBytes out) override;

 private:
  Stream& stream_;
};

class SimLog final : public io::LogSink {
 public:
  explicit SimLog(Node& node) : node_(node) {}
  void log(io::Level level, std::string_view line) override;
  bool enabled(io::Level) const override { return true; }

 private:
  Node& node_;
};

class Incarnation {
 public:
  Incarnation(Node& node, uint64_t number, uint16_t cores);
  Incarnation(const Incarnation&) = delete;
  Incarnation& operator=(const Incarnation&) = delete;

  Node& node() { return node_; }
  World& world() { return node_.world(); }
  uint64_t number() const { return number_; }
  io::Host& host() { return host_; }
  const SimClock& clock() const { return clock_; }
  /// Until then no core does anything.
  Time paused_until() const { return paused_until_; }
  void pause_until(Time t) { paused_until_ = std::max(paused_until_, t); }
  SimCores& cores() { return cores_; }
  SimDisk& disk() { return disk_; }
  bool owns(const io::Executor& executor) {
    return executor.core().value < cores_.count() && &cores_.executor(executor.core()) == &executor;
  }

  /// False from the moment that it is doomed: nothing that it does then has any effect outside.
  bool live() const { return live_; }
  void mark_dead() { live_ = false; }
  void run(Main main);
  /// Settles what is under way, cuts connections, destroys all frames.
  void destroy(End how);

 private:
  static io::Task<void> run_main(Incarnation& self);

  Node& node_;
  uint64_t number_;
  bool live_ = true;
  Time paused_until_;
  Main main_;  // a capturing lambda may be the coroutine: it lives as long as the frames
  SimClock clock_;
  SimRandom random_;
  SimLog log_;
  SimDisk disk_;
  HostNetwork network_;
  SimCores cores_;
  io::Host host_;
};

}  // namespace holdfast::sim
