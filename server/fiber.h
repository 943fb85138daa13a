// Fiber: a coroutine that is started at once, from within another task of the same core, and runs beside it.
//
// Sessions run requests in fibers: starting one runs it until it first waits, so requests reach the engine in the order
// in which they arrived, whatever order the host gives to spawned tasks. The owner's Fibers holds those that still wait
// and, when it dies first (a crash), destroys them; in production it is empty by then.
#pragma once

#include "io/executor.h"

namespace holdfast::server {

class Fiber {
 public:
  struct promise_type : io::PromiseBase, io::ListNode {
    Fiber get_return_object() { return Fiber(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
  };

 private:
  friend class Fibers;
  explicit Fiber(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

class Fibers {
 public:
  Fibers() = default;
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;
  ~Fibers() {
    while (io::ListNode* node = waiting_.pop_front())
      std::coroutine_handle<Fiber::promise_type>::from_promise(static_cast<Fiber::promise_type&>(*node)).destroy();
  }

  void start(io::Executor& executor, Fiber fiber) {
    fiber.frame_.promise().executor = &executor;
    waiting_.push_back(fiber.frame_.promise());
    fiber.frame_.resume();
  }
  size_t running() const { return waiting_.size(); }

 private:
  io::IntrusiveList waiting_;
};

}  // namespace holdfast::server
