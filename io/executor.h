// Executor: one core's run queue, timers and root tasks.
//
// Exactly one thread runs an executor, and everything here is called from that thread. Whatever completes is posted,
// never run inline from another task's call. Production runs posted work in order; the simulator draws the order from
// its seed.
//
// Crash behaviour (simulator): `destroy_roots()` destroys every root task and with it every frame awaited below; posted
// work and timers are dropped with the executor. Frames may die in any order, so everything that a frame can wait on
// unlinks itself (io/sync.h).
#pragma once

#include <functional>
#include <set>

#include "io/base/ids.h"
#include "io/base/time.h"
#include "io/intrusive_list.h"
#include "io/task.h"

namespace holdfast::io {

/// Something that fires once at a point in time. Destroying or cancelling an armed timer disarms it.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer();

  /// Arms the timer; `fire` runs on that executor's core, from its loop, not before `when`. Requires: not armed.
  void arm(Executor& executor, Time when);
  void cancel();
  bool armed() const { return executor_ != nullptr; }

 protected:
  virtual void fire() = 0;

 private:
  friend class Executor;
  Executor* executor_ = nullptr;
  Time when_;
  uint64_t sequence_ = 0;
};

class Executor {
 public:
  explicit Executor(CoreId core) : core_(core) {}
  virtual ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  CoreId core() const { return core_; }
  virtual Time now() const = 0;
  /// Resumes `h` later, from this core's loop.
  virtual void post(std::coroutine_handle<> h) = 0;

  /// Starts a root task: it begins later, from this core's loop, and is owned by the executor until it ends.
  void spawn(Task<void> task);
  size_t roots() const { return roots_.size(); }
  /// Newest first: what a task owns outlives the tasks that it spawned.
  void destroy_roots();

 protected:
  /// Tells the implementation that the earliest deadline changed; Time::never() when no timer is armed.
  virtual void deadline_changed(Time earliest) = 0;
  Time next_deadline() const;
  /// Fires the timers that are due, earliest first, ties in the order of arming.
  void fire_due(Time now);

 private:
  friend class Timer;
  struct Earlier {
    bool operator()(const Timer* a, const Timer* b) const {
      return a->when_ != b->when_ ? a->when_ < b->when_ : a->sequence_ < b->sequence_;
    }
  };

 public:
  struct Root;  // the frame of a root task; opaque

 private:
  CoreId core_;
  std::set<Timer*, Earlier> timers_;
  uint64_t timer_sequence_ = 0;
  IntrusiveList roots_;
};

/// The executor of the awaiting task: `Executor& here = co_await this_executor();`. Never suspends.
struct ThisExecutor {
  Executor* executor = nullptr;
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> h) noexcept {
    executor = h.promise().executor;
    return false;
  }
  Executor& await_resume() const noexcept { return *executor; }
};
inline ThisExecutor this_executor() { return {}; }

/// Goes to the back of this core's queue: `co_await yield();`. Long computations do it every so many units of work.
struct Yield {
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> h) const {
    h.promise().executor->post(h);
  }
  void await_resume() const noexcept {}
};
inline Yield yield() { return {}; }

Task<void> sleep_until(Time when);
Task<void> sleep_for(Duration d);

}  // namespace holdfast::io
