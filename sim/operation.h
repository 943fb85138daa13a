// Operation: something that a task awaits and that completes by an event. It lives in the awaiting frame: when that
// frame is destroyed, the operation leaves every list and queue, and never completes.
#pragma once

#include "io/executor.h"
#include "sim/event_queue.h"

namespace holdfast::sim {

class Operation : public Event {
 public:
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> h) {
    task_ = h;
    executor_ = h.promise().executor;
    begin();
  }
  void await_resume() const noexcept {}

 protected:
  /// Called once, when the task waits.
  virtual void begin() = 0;
  /// Lets the task go on, from its core's loop.
  void complete() { executor_->post(task_); }
  io::Executor& executor() const { return *executor_; }

 private:
  std::coroutine_handle<> task_;
  io::Executor* executor_ = nullptr;
};

}  // namespace holdfast::sim
