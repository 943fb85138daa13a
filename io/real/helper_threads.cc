#include "io/real/helper_threads.h"

#include <signal.h>

namespace holdfast::real {

HelperThreads::HelperThreads(size_t threads) {
  // Signals are for the cores.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void HelperThreads::submit(Job& job) {
  {
    std::lock_guard lock(mutex_);
    HF_ASSERT(!finishing_, "no core runs any more when the helpers end");
    queue_.push_back(&job);
  }
  wanted_.notify_one();
}

void HelperThreads::finish() {
  {
    std::lock_guard lock(mutex_);
    finishing_ = true;
  }
  wanted_.notify_all();
  threads_.clear();
}

void HelperThreads::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wanted_.wait(lock, [this] { return finishing_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Job& job = *queue_.front();
    queue_.pop_front();
    lock.unlock();
    RealCore& home = *job.home_;
    job.work();
    home.deliver(job);
    lock.lock();
  }
}

}  // namespace holdfast::real
