// HelperThreads: where calls that block run, so that no core waits for them.
//
// A job is queued by a core, works on a helper thread, and goes back to its core as mail. Jobs start in the order of
// submission.
//
//   int fd = co_await off_core(threads, [&] { return ::open(...); });
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <type_traits>

#include "io/real/real_cores.h"

namespace holdfast::real {

/// Lives until it is delivered or discarded.
class Job : public io::Mail {
 public:
  /// On a helper thread.
  virtual void work() = 0;

 protected:
  explicit Job(RealCore* home) : home_(home) {}
  ~Job() = default;
  RealCore* home_;

 private:
  friend class HelperThreads;
};

class HelperThreads {
 public:
  explicit HelperThreads(size_t threads);
  ~HelperThreads() { finish(); }

  void submit(Job& job);
  /// Works off what is queued and ends the threads. Nothing may be submitted any more.
  void finish();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<Job*> queue_;
  bool finishing_ = false;
  std::vector<std::jthread> threads_;
};

/// Runs `work` on a helper thread while the awaiting task is suspended. What `work` refers to must outlive the task.
template <class F>
class OffCore final : Job {
 public:
  OffCore(HelperThreads& threads, F work) : Job(nullptr), threads_(threads), work_(std::move(work)) {}
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> h) {
    handle_ = h;
    home_ = &RealCore::of(*h.promise().executor);
    threads_.submit(*this);
  }
  auto await_resume() { return std::move(*result_); }

 private:
  void work() override { result_.emplace(work_()); }
  void deliver() override { home_->post(handle_); }
  void discard() override {}

  HelperThreads& threads_;
  F work_;
  std::optional<std::invoke_result_t<F&>> result_;
  std::coroutine_handle<> handle_;
};

template <class F>
OffCore<F> off_core(HelperThreads& threads, F work) {
  return OffCore<F>(threads, std::move(work));
}

}  // namespace holdfast::real
