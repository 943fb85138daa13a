// SimExecutor and SimCores: a node's cores as queues of ready work in virtual time.
//
// A core runs one piece of work at a time: a ready task, or one message of a mailbox, picked among all that are ready
// by a draw; each costs a drawn, short virtual time during which the core is busy and other cores are not. Timers fire
// when due and the core is free.
//
// Mailboxes: one per pair of cores; each message is delayed by a draw, and order within a mailbox is kept.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "io/cores.h"
#include "sim/event_queue.h"

namespace holdfast::sim {

class Incarnation;
class SimExecutor;

/// Messages from one core to another. The event is the arrival of the next one.
class Mailbox final : public Event {
 public:
  Mailbox(Incarnation& host, CoreId from, SimExecutor& to) : host_(host), from_(from), to_(to) {}
  void send(io::Message message);
  io::Message take();
  CoreId from() const { return from_; }
  size_t size() const { return queue_.size(); }
  void clear();

 private:
  void happen() override;
  struct Letter {
    Time arrival;
    io::Message message;
  };
  Incarnation& host_;
  CoreId from_;
  SimExecutor& to_;
  std::deque<Letter> queue_;
  size_t arrived_ = 0;  // of the queue, from its front
};

class SimExecutor final : public io::Executor {
 public:
  SimExecutor(Incarnation& host, CoreId core) : Executor(core), host_(host), step_event_(*this), timer_event_(*this) {}
  ~SimExecutor() override { drop_work(); }

  Time now() const override;
  void post(std::coroutine_handle<> h) override;
  /// One message of `from` is ready to run.
  void deliver(Mailbox& from);
  /// Forgets all ready work; frames stay.
  void drop_work();

 protected:
  void deadline_changed(Time earliest) override;

 private:
  struct Ready {
    std::coroutine_handle<> task;
    Mailbox* mailbox;
  };
  struct StepEvent final : Event {
    explicit StepEvent(SimExecutor& e) : executor(e) {}
    void happen() override { executor.step(); }
    SimExecutor& executor;
  };
  struct TimerEvent final : Event {
    explicit TimerEvent(SimExecutor& e) : executor(e) {}
    void happen() override { executor.fire_timers(); }
    SimExecutor& executor;
  };
  void add(Ready ready);
  void step();
  void fire_timers();
  void become_busy();
  /// When it can do the next thing, in the world's time.
  Time free_from() const;

  Incarnation& host_;
  StepEvent step_event_;
  TimerEvent timer_event_;
  Time free_at_;
  std::vector<Ready> ready_;
  size_t first_ = 0;  // of ready_
};

class SimCores final : public io::Cores {
 public:
  SimCores(Incarnation& host, uint16_t count);
  uint16_t count() const override { return static_cast<uint16_t>(executors_.size()); }
  io::Executor& executor(CoreId core) override { return *executors_[core.value]; }
  void send(CoreId from, CoreId to, io::Message message) override;

  /// Messages first, while what they refer to still lives; then frames, core 0 last.
  void destroy();

 private:
  Incarnation& host_;
  std::vector<std::unique_ptr<SimExecutor>> executors_;
  std::vector<std::unique_ptr<Mailbox>> mailboxes_;
};

}  // namespace holdfast::sim
