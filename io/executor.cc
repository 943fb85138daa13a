#include "io/executor.h"

namespace holdfast::io {

// A root is a coroutine that awaits one task and destroys itself at its end.
struct Executor::Root {
  struct promise_type : PromiseBase, ListNode {
    Root get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
  };
  std::coroutine_handle<promise_type> frame;
};

namespace {

Executor::Root run_root(Task<void> task) { co_await std::move(task); }

}  // namespace

Timer::~Timer() { cancel(); }

void Timer::arm(Executor& executor, Time when) {
  HF_ASSERT(!armed(), "a timer is armed once at a time");
  executor_ = &executor;
  when_ = when;
  sequence_ = executor.timer_sequence_++;
  executor.timers_.insert(this);
  if (*executor.timers_.begin() == this) executor.deadline_changed(when);
}

void Timer::cancel() {
  if (!armed()) return;
  Executor& e = *std::exchange(executor_, nullptr);
  bool first = *e.timers_.begin() == this;
  e.timers_.erase(this);
  if (first) e.deadline_changed(e.next_deadline());
}

Executor::~Executor() {
  destroy_roots();
  for (Timer* t : timers_) t->executor_ = nullptr;
}

void Executor::spawn(Task<void> task) {
  auto frame = run_root(std::move(task)).frame;
  frame.promise().executor = this;
  roots_.push_back(frame.promise());
  post(frame);
}

void Executor::destroy_roots() {
  while (ListNode* n = roots_.pop_back()) {
    auto& promise = static_cast<Root::promise_type&>(*n);
    std::coroutine_handle<Root::promise_type>::from_promise(promise).destroy();
  }
}

Time Executor::next_deadline() const { return timers_.empty() ? Time::never() : (*timers_.begin())->when_; }

void Executor::fire_due(Time now) {
  bool fired = false;
  while (!timers_.empty() && (*timers_.begin())->when_ <= now) {
    Timer* t = *timers_.begin();
    timers_.erase(timers_.begin());
    t->executor_ = nullptr;
    fired = true;
    t->fire();
  }
  if (fired) deadline_changed(next_deadline());
}

namespace {

// Suspends until a point in time.
class SleepAwaiter : public Timer {
 public:
  explicit SleepAwaiter(Time when) : until_(when) {}
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> h) {
    handle_ = h;
    executor_to_resume_ = h.promise().executor;
    arm(*executor_to_resume_, until_);
  }
  void await_resume() const noexcept {}

 private:
  void fire() override { executor_to_resume_->post(handle_); }
  Time until_;
  std::coroutine_handle<> handle_;
  Executor* executor_to_resume_ = nullptr;
};

}  // namespace

Task<void> sleep_until(Time when) { co_await SleepAwaiter(when); }

Task<void> sleep_for(Duration d) {
  Executor& here = co_await this_executor();
  co_await SleepAwaiter(here.now() + d);
}

}  // namespace holdfast::io
