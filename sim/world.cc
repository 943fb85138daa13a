#include "sim/world.h"

#include "sim/network.h"

namespace holdfast::sim {

World::World(WorldOptions options)
    : seed_(options.seed),
      plan_(options.plan),
      trace_(std::move(options.decisions)),
      record_(seed_, plan_, std::move(options.mutants), trace_, counts_),
      events_(Stream(seed_, "schedule", trace_)),
      network_(std::make_unique<SimNetwork>(*this)) {
  trace_.set_sink(std::move(options.trace), options.trace_draws);
}

World::~World() {
  RunScope scope(&record_);
  nodes_.clear();
}

Node& World::add_node(std::string name) {
  HF_ASSERT(!find_node(name), "names of nodes are unique");
  nodes_.push_back(std::make_unique<Node>(*this, std::move(name), static_cast<uint16_t>(nodes_.size())));
  return *nodes_.back();
}

Node* World::find_node(std::string_view name) {
  for (auto& n : nodes_)
    if (n->name() == name) return n.get();
  return nullptr;
}

void World::at(Time when, std::function<void()> action) {
  Control& c = controls_.emplace_back();
  c.world = this;
  c.action = std::move(action);
  c.self = std::prev(controls_.end());
  events_.schedule(c, when);
}

void World::Control::happen() {
  World& w = *world;
  auto run = std::move(action);
  w.controls_.erase(self);  // *this is gone
  w.trace_.event(w.now(), kNobody, kNobody, EventKind::kControl, 0, 0);
  run();
}

void World::settle_doomed() {
  while (!doomed_.empty()) {
    std::vector<Node*> now = std::exchange(doomed_, {});
    for (Node* n : now) n->perform_doom();
  }
}

World::Stop World::run(Limits limits) {
  RunScope scope(&record_);
  stop_ = false;
  Time end{limits.until.ns};
  for (uint64_t n = 0;; ++n) {
    if (stop_) return Stop::kAsked;
    if (n == limits.events) return Stop::kEventLimit;
    if (events_.empty()) return Stop::kNothingLeft;
    if (events_.next() > end) {
      events_.advance(std::max(end, now()));
      return Stop::kTimeLimit;
    }
    events_.run_one();
    if (!doomed_.empty()) settle_doomed();
  }
}

uint64_t World::knob(std::string_view name, uint64_t low, uint64_t high) {
  auto it = knobs_.find(name);
  if (it != knobs_.end()) return it->second;
  Stream s = stream("knob/" + std::string(name));
  return knobs_[std::string(name)] = log_uniform(s, low, high);
}

uint64_t World::finish() {
  if (std::exchange(finished_, true)) return trace_.hash();
  for (auto& n : nodes_) trace_.event(now(), n->id(), kNobody, EventKind::kDurable, n->disk().durable_digest(), 0);
  return trace_.hash();
}

}  // namespace holdfast::sim
