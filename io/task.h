// Task: the coroutine type of everything that waits.
//
// A task is lazy (nothing runs until it is awaited), move-only, awaited once, and hands its result to its one awaiter.
// It runs on its awaiter's core: awaiting passes the executor down, and control moves by symmetric transfer, so depth
// costs no stack.
//
// Rules (each has cost somebody a bug):
//  1. No capturing lambda *as* a coroutine: its captures die with the lambda, not with the frame. Call a named
//     coroutine from it.
//  2. Parameters by value, or by reference only to what outlives the task.
//  3. After an await the world has moved: what was looked up before must be looked up again.
//  4. In production a task is asked to stop and awaited. Only the simulator destroys suspended frames (a crash);
//     destructors therefore never wait and never write.
//
// Frames come from a thread-local pool of size classes (frame_pool.h): ~10 ns per awaited call.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "io/base/assert.h"
#include "io/frame_pool.h"

namespace holdfast::io {

class Executor;

/// What every task's promise has: who runs it, and who awaits it (for asynchronous backtraces).
struct PromiseBase {
  std::coroutine_handle<> continuation;
  Executor* executor = nullptr;
  PromiseBase* awaiter = nullptr;

  static void* operator new(size_t size) { return frame_allocate(size); }
  static void operator delete(void* frame, size_t size) { frame_free(frame, size); }

  std::suspend_always initial_suspend() const noexcept { return {}; }
  void unhandled_exception() const noexcept { std::terminate(); }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> done) const noexcept {
      return done.promise().continuation;
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() const noexcept { return {}; }
};

template <class T = void>
class Task;

template <class T>
struct TaskPromise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  T take() { return std::move(*value); }
};

template <>
struct TaskPromise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const noexcept {}
};

template <class T>
class [[nodiscard("a task does nothing until it is awaited or spawned")]] Task {
 public:
  using promise_type = TaskPromise<T>;

  Task() = default;
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (frame_) frame_.destroy();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  ~Task() {
    if (frame_) frame_.destroy();
  }

  explicit operator bool() const { return frame_ != nullptr; }

  struct Awaiter {
    std::coroutine_handle<promise_type> frame;
    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> awaiter) const noexcept {
      PromiseBase& p = frame.promise();
      p.continuation = awaiter;
      p.executor = awaiter.promise().executor;
      p.awaiter = &awaiter.promise();
      return frame;
    }
    T await_resume() const noexcept { return frame.promise().take(); }
  };
  Awaiter operator co_await() && noexcept {
    HF_ASSERT(frame_, "an empty or moved-from task cannot be awaited");
    return Awaiter{frame_};
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

template <class T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

}  // namespace holdfast::io
