// TestExecutor: one core with virtual time, for tests of things that wait. Posted work runs in order; when there is
// none, time jumps to the next timer. Nothing here depends on the machine's clock.
#pragma once

#include <deque>

#include "io/executor.h"

namespace holdfast::test {

class TestExecutor : public io::Executor {
 public:
  explicit TestExecutor(CoreId core = CoreId(0)) : Executor(core) {}

  Time now() const override { return now_; }
  void post(std::coroutine_handle<> h) override { ready_.push_back(h); }

  /// Runs until nothing is posted and no timer is armed.
  void run() {
    do run_ready();
    while (advance());
  }
  /// Runs what is posted, and what that posts; time stands still.
  void run_ready() {
    while (!ready_.empty()) {
      auto h = ready_.front();
      ready_.pop_front();
      h.resume();
    }
  }
  /// Runs the next thing that is posted, if any.
  void run_one() {
    if (ready_.empty()) return;
    auto h = ready_.front();
    ready_.pop_front();
    h.resume();
  }
  /// Jumps to the next timer and fires what is due; false when none is armed.
  bool advance() {
    if (next_deadline() == Time::never()) return false;
    now_ = std::max(now_, next_deadline());
    fire_due(now_);
    return true;
  }
  /// What a crash does: every root's frame dies, and what was posted is forgotten.
  void crash() {
    destroy_roots();
    ready_.clear();
  }
  Time earliest() const { return earliest_; }

 private:
  void deadline_changed(Time earliest) override { earliest_ = earliest; }
  Time now_{1'000'000};
  Time earliest_ = Time::never();
  std::deque<std::coroutine_handle<>> ready_;
};

/// Runs `task` on a fresh executor to its end and returns its value.
template <class T>
T run_task(io::Task<T> task) {
  TestExecutor executor;
  std::optional<T> out;
  auto keep = [](io::Task<T> inner, std::optional<T>& into) -> io::Task<void> {
    into.emplace(co_await std::move(inner));
  };
  executor.spawn(keep(std::move(task), out));
  executor.run();
  HF_ASSERT(out, "a task run by itself comes to an end");
  return std::move(*out);
}

}  // namespace holdfast::test
