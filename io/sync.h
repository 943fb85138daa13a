// Waiting on one core: Event, Semaphore, Channel, OneShot and TaskGroup.
//
// Everything here belongs to one core and is used by tasks of that core only; between cores there are messages
// (cores.h). Waiters are resumed by posting, in the order in which they began to wait. All of it may be destroyed while
// tasks wait (a crash), in any order; the waiters are then never resumed.
#pragma once

#include <deque>
#include <optional>

#include "io/executor.h"

namespace holdfast::io {

/// Tasks waiting for something to become true. `wait` returns when it is notified; check the condition again in a loop.
class WaitList {
 public:
  class Awaiter : public ListNode, private Timer {
   public:
    Awaiter(WaitList& list, Time deadline) : list_(list), deadline_(deadline) {}
    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> h) {
      handle_ = h;
      executor_ = h.promise().executor;
      list_.waiters_.push_back(*this);
      if (deadline_ != Time::never()) arm(*executor_, deadline_);
    }
    /// True: notified. False: the deadline passed first.
    bool await_resume() const noexcept { return notified_; }

   private:
    friend class WaitList;
    void fire() override {
      unlink();
      executor_->post(handle_);
    }
    WaitList& list_;
    Time deadline_;
    std::coroutine_handle<> handle_;
    Executor* executor_ = nullptr;
    bool notified_ = false;
  };

  Awaiter wait(Time deadline = Time::never()) { return {*this, deadline}; }
  void notify_one() {
    if (ListNode* n = waiters_.pop_front()) {
      auto& a = static_cast<Awaiter&>(*n);
      a.cancel();
      a.notified_ = true;
      a.executor_->post(a.handle_);
    }
  }
  void notify_all() {
    for (size_t n = waiters_.size(); n > 0; --n) notify_one();
  }
  bool empty() const { return waiters_.empty(); }
  size_t size() const { return waiters_.size(); }

 private:
  IntrusiveList waiters_;
};

/// Set once, by hand; every wait after that returns at once.
class Event {
 public:
  bool is_set() const { return set_; }
  void set() {
    set_ = true;
    waiters_.notify_all();
  }
  /// True when set, false when the deadline passed first.
  Task<bool> wait(Time deadline = Time::never()) {
    while (!set_)
      if (!co_await waiters_.wait(deadline)) co_return set_;
    co_return true;
  }

 private:
  bool set_ = false;
  WaitList waiters_;
};

/// A value that one task leaves for another.
template <class T>
class OneShot {
 public:
  void set(T value) {
    HF_ASSERT(!value_, "a OneShot is set once");
    value_.emplace(std::move(value));
    event_.set();
  }
  bool is_set() const { return event_.is_set(); }
  Task<T> take() {
    co_await event_.wait();
    co_return std::move(*value_);
  }

 private:
  std::optional<T> value_;
  Event event_;
};

/// Counts units of something bounded. Waiters are served in order: a large request is not overtaken by small ones.
class Semaphore {
 public:
  explicit Semaphore(uint64_t units) : free_(units) {}
  bool try_acquire(uint64_t n) {
    if (!queue_.empty() || n > free_) return false;
    free_ -= n;
    return true;
  }
  Task<void> acquire(uint64_t n) {
    if (try_acquire(n)) co_return;
    Waiter w(n);
    queue_.push_back(w);
    co_await w.granted.wait();
  }
  void release(uint64_t n) {
    free_ += n;
    while (!queue_.empty()) {
      auto& w = static_cast<Waiter&>(*queue_.front());
      if (w.n > free_) break;
      free_ -= w.n;
      w.unlink();
      w.granted.set();
    }
  }
  uint64_t free() const { return free_; }

 private:
  struct Waiter : ListNode {
    explicit Waiter(uint64_t units) : n(units) {}
    uint64_t n;
    Event granted;
  };
  uint64_t free_;
  IntrusiveList queue_;
};

/// An unbounded queue: what bounds it is admission, upstream.
template <class T>
class Channel {
 public:
  void push(T value) {
    queue_.push_back(std::move(value));
    waiters_.notify_one();
  }
  /// The oldest value; nothing once the channel is closed and empty.
  Task<std::optional<T>> pop() {
    while (queue_.empty()) {
      if (closed_) co_return std::nullopt;
      co_await waiters_.wait();
    }
    std::optional<T> value(std::move(queue_.front()));
    queue_.pop_front();
    co_return value;
  }
  void close() {
    closed_ = true;
    waiters_.notify_all();
  }
  bool empty() const { return queue_.empty(); }
  size_t size() const { return queue_.size(); }

 private:
  std::deque<T> queue_;
  bool closed_ = false;
  WaitList waiters_;
};

/// Runs tasks side by side and waits for all of them: what a server stops by.
class TaskGroup {
 public:
  explicit TaskGroup(Executor& executor) : executor_(executor) {}
  void spawn(Task<void> task) {
    ++running_;
    executor_.spawn(run(std::move(task)));
  }
  size_t running() const { return running_; }
  Task<void> drained() {
    while (running_ > 0) co_await waiters_.wait();
  }

 private:
  Task<void> run(Task<void> task) {
    co_await std::move(task);
    if (--running_ == 0) waiters_.notify_all();
  }
  Executor& executor_;
  size_t running_ = 0;
  WaitList waiters_;
};

}  // namespace holdfast::io
