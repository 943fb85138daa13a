// Node: one simulated machine: a name, a disk that survives, and at most one running process (an incarnation).
//
// An incarnation is a whole io::Host: cores, clock, disk, network, entropy, log. When it ends, by its main returning,
// by a kill or by a crash at an operation, all of it is destroyed: every frame on every core (newest first, core 0
// last), queues, mailboxes, timers. Operations under way at a crash took effect wholly, in part or not at all, as
// drawn; their completions are never delivered.
//
// A running frame cannot be destroyed. A crash that is due inside a step is therefore marked: from then on nothing that
// the incarnation does has any effect outside it, and the world destroys it when the step returns.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "io/host.h"
#include "sim/disk_model.h"

namespace holdfast::sim {

class World;
class Incarnation;
class SettleChooser;

/// How an incarnation ended.
enum class End : uint8_t {
  kExit,          ///< its main returned
  kProcessDeath,  ///< kill -9: what completed writes handed over stays in the page cache
  kPowerLoss,     ///< the disk keeps a legal part of what was not synced
};

/// A sync is a disk operation as well: what is not durable yet is most just before one.
enum class IoKind : uint8_t { kAny, kDisk, kNetwork, kSync };
enum class Moment : uint8_t {
  kBefore,  ///< the operation has no effect
  kAfter,   ///< it has, but nobody hears of it
  kMiddle,  ///< a write is done in part; what is atomic is as in kBefore
};

/// A crash at an operation, counted from the moment the plan is set.
struct CrashPlan {
  uint64_t operation = 1;  ///< 1: the next one of that kind
  IoKind kind = IoKind::kDisk;
  Moment moment = Moment::kBefore;
  End how = End::kPowerLoss;
};

struct StartOptions {
  uint16_t cores = 0;  ///< 0: drawn, 1 to 4
};

/// The program: called on core 0; its result is the exit code.
using Main = std::function<io::Task<int>(io::Host&)>;

class Node {
 public:
  Node(World& world, std::string name, uint16_t id);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  const std::string& name() const { return name_; }
  uint16_t id() const { return id_; }

  /// Requires: not running, and not called from a node's own step.
  void start(Main main, StartOptions options = {});
  /// Without a main: until killed.
  void start(StartOptions options = {});
  bool running() const { return incarnation_ != nullptr; }
  /// Ends the incarnation now, or, called from a node's step, when that step is over. Nothing to do when not running,
  /// but that a power loss then still reduces the disk.
  void kill(End how);
  /// Called between events after an incarnation has ended; may start the next one.
  std::function<void(End how, int exit_code)> on_end;
  /// Called from a step: a disk operation began that will never end. Who wants the process to go on must kill and start it.
  std::function<void()> on_hang;
  /// From now on no disk operation ends, until wake_disk() or the process' end. Requires: running.
  void hang_disk();
  /// What hangs goes on. Requires: running.
  void wake_disk();
  /// Sets on_hang: so long after it, the process is ended like that.
  void end_hangs(Duration after, End how);

  void crash_at(CrashPlan plan) { crash_ = plan; }
  void cancel_crash() { crash_.reset(); }
  bool crash_planned() const { return crash_.has_value(); }
  /// Operations begun since the node exists. Syncs are not counted apart.
  uint64_t operations(IoKind kind) const;

  /// Of the running incarnation. Requires: running.
  io::Host& host();
  io::Executor& executor(CoreId core = CoreId(0));
  uint64_t incarnations() const { return incarnations_; }

  DiskModel& disk() { return *disk_; }
  /// Gives the node another disk (a clone, a blank one) and returns the old one. Requires: not running.
  std::unique_ptr<DiskModel> replace_disk(std::unique_ptr<DiskModel> disk);
  DurableView durable() const { return DurableView(*disk_); }
  LossProfile loss_profile() const;

  /// The newest log lines, oldest first, over all incarnations.
  const std::deque<std::string>& log() const { return log_; }
  /// Says what became of operations under way at a crash (disk.h). Null: drawn.
  SettleChooser* settle_chooser = nullptr;
  /// Whether peers see this node's connections as local ones.
  bool connections_are_local = true;

  // For the parts of the simulator.

  World& world() { return world_; }
  Incarnation* incarnation() { return incarnation_.get(); }
  /// Counts an operation; says when a crash is planned at this one. kBefore: it has struck, the operation must have no
  /// effect and never complete. Else the operation calls `strike` once its effect is done, instead of completing.
  std::optional<Moment> reach(IoKind kind);
  void strike();
  bool has_power() const { return has_power_; }
  /// The running incarnation is to end when the current event is over; from now on it has no effect.
  void doom(End how, int exit_code = -1);
  void perform_doom();
  void add_log(std::string line);

  struct Streams;
  Streams& streams() { return *streams_; }

 private:
  void end(End how, int exit_code);
  void lose_power();

  World& world_;
  std::string name_;
  uint16_t id_;
  std::unique_ptr<Streams> streams_;
  std::unique_ptr<DiskModel> disk_;
  std::unique_ptr<Incarnation> incarnation_;
  std::vector<std::unique_ptr<Incarnation>> dead_;  // what outlives its frames may still name its host
  uint64_t incarnations_ = 0;
  uint64_t disk_operations_ = 0;
  uint64_t network_operations_ = 0;
  std::optional<CrashPlan> crash_;
  End striking_ = End::kPowerLoss;
  bool has_power_ = true;
  std::optional<std::pair<End, int>> doom_;
  std::deque<std::string> log_;
};

}  // namespace holdfast::sim
