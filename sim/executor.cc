#include "sim/executor.h"

#include <algorithm>

#include "sim/incarnation.h"
#include "sim/world.h"

namespace holdfast::sim {
namespace {

constexpr uint64_t kStepNsMin = 50;
constexpr uint64_t kMailboxNsMin = 50;

}  // namespace

void Mailbox::send(io::Message message) {
  World& world = host_.world();
  uint64_t max = std::max(kMailboxNsMin, world.plan().mailbox_ns_max);
  Time arrival =
      world.now() + nanoseconds(static_cast<int64_t>(host_.node().streams().mailbox.between(kMailboxNsMin, max)));
  if (!queue_.empty()) arrival = std::max(arrival, queue_.back().arrival);
  queue_.push_back({arrival, std::move(message)});
  if (!scheduled()) world.events().schedule(*this, arrival);
}

void Mailbox::happen() {
  ++arrived_;
  to_.deliver(*this);
  if (arrived_ < queue_.size()) host_.world().events().schedule(*this, queue_[arrived_].arrival);
}

io::Message Mailbox::take() {
  HF_ASSERT(arrived_ > 0, "one delivery, one message");
  io::Message m = std::move(queue_.front().message);
  queue_.pop_front();
  --arrived_;
  return m;
}

void Mailbox::clear() {
  cancel();
  arrived_ = 0;
  queue_.clear();
}

Time SimExecutor::now() const { return host_.clock().now(); }

void SimExecutor::post(std::coroutine_handle<> h) { add({h, nullptr}); }

void SimExecutor::deliver(Mailbox& from) { add({nullptr, &from}); }

void SimExecutor::add(Ready ready) {
  if (!host_.live()) return;
  ready_.push_back(ready);
  if (!step_event_.scheduled()) host_.world().events().schedule(step_event_, free_from());
}

Time SimExecutor::free_from() const { return std::max({free_at_, host_.paused_until(), host_.world().now()}); }

void SimExecutor::drop_work() {
  step_event_.cancel();
  timer_event_.cancel();
  ready_.clear();
  first_ = 0;
}

void SimExecutor::become_busy() {
  World& world = host_.world();
  uint64_t max = std::max(kStepNsMin, world.plan().step_ns_max);
  free_at_ = world.now() + nanoseconds(static_cast<int64_t>(host_.node().streams().step.between(kStepNsMin, max)));
  Stream& pause = host_.node().streams().pause;
  if (!pause.strikes(world.plan().pause)) return;
  world.counts().hit(Fault::kPause);
  uint64_t most = std::max<uint64_t>(1, world.plan().pause_ms_max);
  host_.pause_until(world.now() + milliseconds(static_cast<int64_t>(pause.between(1, most, Draw::kSame))));
}

void SimExecutor::step() {
  World& world = host_.world();
  if (world.now() < host_.paused_until()) return world.events().schedule(step_event_, free_from());
  size_t count = ready_.size() - first_;
  uint64_t pick = 0;
  Stream& order = host_.node().streams().order;
  if (count > 1 && order.chance(world.plan().shuffle)) pick = order.decide(count, Draw::kSame);
  if (pick > 0) world.counts().hit(Fault::kStepOutOfOrder);
  std::swap(ready_[first_], ready_[first_ + pick]);
  Ready next = ready_[first_++];
  if (first_ == ready_.size()) {
    ready_.clear();
    first_ = 0;
  } else if (first_ > 64 && first_ * 2 > ready_.size()) {
    ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  become_busy();
  {
    World::StepScope scope(world);
    if (next.mailbox) {
      world.trace().event(world.now(), host_.node().id(), core().value, EventKind::kMessage, next.mailbox->from().value,
                          next.mailbox->size());
      next.mailbox->take()();
    } else {
      world.trace().event(world.now(), host_.node().id(), core().value, EventKind::kStep, pick, count);
      next.task.resume();
    }
  }
  if (first_ < ready_.size() && !step_event_.scheduled()) world.events().schedule(step_event_, free_from());
}

void SimExecutor::deadline_changed(Time earliest) {
  if (earliest == Time::never() || !host_.live())
    timer_event_.cancel();
  else
    host_.world().events().schedule(timer_event_, std::max(host_.clock().in_world(earliest), free_from()));
}

void SimExecutor::fire_timers() {
  World& world = host_.world();
  if (world.now() < free_from()) return world.events().schedule(timer_event_, free_from());
  become_busy();
  world.trace().event(world.now(), host_.node().id(), core().value, EventKind::kTimers, 0, 0);
  World::StepScope scope(world);
  fire_due(now());
}

SimCores::SimCores(Incarnation& host, uint16_t count) : host_(host) {
  for (uint16_t c = 0; c < count; ++c) executors_.push_back(std::make_unique<SimExecutor>(host, CoreId(c)));
  for (uint16_t from = 0; from < count; ++from)
    for (uint16_t to = 0; to < count; ++to)
      mailboxes_.push_back(std::make_unique<Mailbox>(host, CoreId(from), *executors_[to]));
}

void SimCores::send(CoreId from, CoreId to, io::Message message) {
  HF_ASSERT(from.value < count() && to.value < count(), "messages go between cores of one host");
  if (host_.live()) mailboxes_[size_t{from.value} * count() + to.value]->send(std::move(message));
}

void SimCores::destroy() {
  for (auto& m : mailboxes_) m->clear();
  for (auto& e : executors_) e->drop_work();
  for (size_t i = executors_.size(); i-- > 0;) executors_[i]->destroy_roots();
}

}  // namespace holdfast::sim
