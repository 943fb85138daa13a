// World: one run of the simulator: virtual time, nodes, the network between them, and everything that the run's seed
// decides.
//
//   World world({.seed = 7, .plan = plan});
//   Node& server = world.add_node("server");
//   server.start([](io::Host& host) { return serve(host); });
//   world.after(seconds(1), [&] { server.kill(End::kPowerLoss); });
//   World::Stop why = world.run({.until = seconds(60)});
//
// One thread, one event queue, no ticks: idle time costs nothing. The test's own code runs between events (`at`,
// `after`, `on_end`), never inside a node's step, and may start and kill nodes there.
//
// Invariant: the same options and the same calls give the same trace hash, in every build and every process.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/event_queue.h"
#include "sim/faults.h"
#include "sim/node.h"
#include "sim/record.h"

namespace holdfast::sim {

class SimNetwork;

struct WorldOptions {
  uint64_t seed = 1;
  FaultPlan plan;
  std::vector<std::string> mutants;  ///< planted bugs that are on
  Decisions decisions;               ///< what is laid down, and where harm is recorded
  Trace::Sink trace;                 ///< nothing: only the hash
  Trace::Draws trace_draws = Trace::Draws::kHidden;
};

class World {
 public:
  explicit World(WorldOptions options);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  /// Requires: no node of that name. The node is reached by its name over the network. It is off until started.
  Node& add_node(std::string name);
  /// Null when there is none.
  Node* find_node(std::string_view name);
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }

  /// Runs `action` at that time, between events.
  void at(Time when, std::function<void()> action);
  void after(Duration delay, std::function<void()> action) { at(now() + delay, std::move(action)); }

  enum class Stop : uint8_t {
    kAsked,      ///< stop() was called
    kTimeLimit,  ///< virtual time reached the limit
    kEventLimit,
    kNothingLeft,  ///< nothing can ever happen again: all done, or a deadlock
  };
  struct Limits {
    Duration until = seconds(3600);  ///< since the start of the world
    uint64_t events = UINT64_MAX;    ///< in this call
  };
  Stop run(Limits limits);
  Stop run() { return run(Limits()); }
  /// Ends `run` after the current event; from anywhere.
  void stop() { stop_ = true; }

  /// Folds the durable image of every node into the hash, once, and returns it: the fingerprint of the whole run.
  uint64_t finish();

  Time now() const { return events_.now(); }
  uint64_t seed() const { return seed_; }
  FaultPlan& plan() { return plan_; }
  Trace& trace() { return trace_; }
  FaultCounts& counts() { return counts_; }
  SimRecord& record() { return record_; }
  EventQueue& events() { return events_; }
  SimNetwork& network() { return *network_; }
  /// A stream of choices of its own.
  Stream stream(std::string name) { return Stream(seed_, std::move(name), trace_); }

  /// A setting of the program under test, drawn between `low` and `high`, small values as likely as large ones; the
  /// same for the same name throughout the run. What `set_knob` fixed is not drawn.
  uint64_t knob(std::string_view name, uint64_t low, uint64_t high);
  void set_knob(std::string name, uint64_t value) { knobs_[std::move(name)] = value; }
  const std::map<std::string, uint64_t, std::less<>>& knobs() const { return knobs_; }

  // For the parts of the simulator.

  /// True while a node's code runs.
  bool in_step() const { return in_step_; }
  class StepScope {
   public:
    explicit StepScope(World& world) : world_(world) { world_.in_step_ = true; }
    ~StepScope() { world_.in_step_ = false; }
    StepScope(const StepScope&) = delete;
    StepScope& operator=(const StepScope&) = delete;

   private:
    World& world_;
  };
  /// Performs that node's crash as soon as the current event is over.
  void doom(Node& node) { doomed_.push_back(&node); }

 private:
  struct Control final : Event {
    void happen() override;
    World* world;
    std::function<void()> action;
    std::list<Control>::iterator self;
  };
  void settle_doomed();

  uint64_t seed_;
  FaultPlan plan_;
  Trace trace_;
  FaultCounts counts_;
  SimRecord record_;
  EventQueue events_;
  std::list<Control> controls_;
  std::unique_ptr<SimNetwork> network_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Node*> doomed_;
  std::map<std::string, uint64_t, std::less<>> knobs_;
  bool in_step_ = false;
  bool stop_ = false;
  bool finished_ = false;
};

}  // namespace holdfast::sim
