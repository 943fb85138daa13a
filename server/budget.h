// Budget: the bytes that one core may hold for its clients.
//
// What is known beforehand (a request) is taken, waiting for its turn; what is known only afterwards (a reply) is
// charged and may overdraw: then nothing more is taken until enough was given back. Takers are served in order. Belongs
// to one core.
//
// No deadlock: who holds bytes never waits for more of the same budget.
#pragma once

#include "io/base/probe.h"
#include "io/sync.h"

namespace holdfast::server {

class Budget {
 public:
  explicit Budget(uint64_t total) : total_(static_cast<int64_t>(total)), free_(total_) {}

  /// Also succeeds for more than the total when nothing is in use: one request always gets through.
  bool try_take(uint64_t n) {
    if ((!queue_.empty() || !fits(n)) && !MUTANT("budget-unbounded")) return false;
    free_ -= static_cast<int64_t>(n);
    return true;
  }
  io::Task<void> take(uint64_t n) {
    if (try_take(n)) co_return;
    Waiter waiter(n);
    queue_.push_back(waiter);
    co_await waiter.granted.wait();
  }
  void charge(uint64_t n) { free_ -= static_cast<int64_t>(n); }
  void give(uint64_t n) {
    free_ += static_cast<int64_t>(n);
    HF_ASSERT(free_ <= total_, "only what was taken or charged is given back");
    while (!queue_.empty()) {
      auto& waiter = static_cast<Waiter&>(*queue_.front());
      if (!fits(waiter.n)) break;
      free_ -= static_cast<int64_t>(waiter.n);
      waiter.unlink();
      waiter.granted.set();
    }
  }

  uint64_t used() const { return static_cast<uint64_t>(total_ - free_); }
  uint64_t total() const { return static_cast<uint64_t>(total_); }
  bool waited_for() const { return !queue_.empty(); }

 private:
  struct Waiter : io::ListNode {
    explicit Waiter(uint64_t bytes) : n(bytes) {}
    uint64_t n;
    io::Event granted;
  };
  bool fits(uint64_t n) const { return free_ >= static_cast<int64_t>(n) || free_ == total_; }

  int64_t total_;
  int64_t free_;
  io::IntrusiveList queue_;
};

/// Room for one answer: what is held of a budget for it. Plain data, given back by hand.
struct Room {
  Budget* budget = nullptr;  ///< null: none
  uint64_t bytes = 0;

  void give_back() {
    if (budget) budget->give(bytes);
    *this = {};
  }
};

}  // namespace holdfast::server
