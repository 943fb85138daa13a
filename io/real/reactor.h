// Reactor and Readiness: which descriptors of one core can be read or written. The only place that knows asio.
//
// One core owns a reactor and everything on it; only `wake` may be called from elsewhere. Nothing resumes a task
// directly: a descriptor that became ready notifies its waiters, which are posted to the core's run queue.
#pragma once

#include <memory>

#include "io/base/error.h"
#include "io/sync.h"

namespace holdfast::real {

class Reactor {
 public:
  Reactor();
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Notifies the waiters of whatever is ready now; never blocks.
  void poll();
  /// The same, but first blocks until something is ready, somebody wakes it, or `at_most` has passed (up to 1 ms late).
  void wait(Duration at_most);
  /// Any thread: the `wait` under way, or else the next one, returns soon.
  void wake();

 private:
  friend class Readiness;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

enum class Direction : uint8_t { kRead, kWrite };

/// A non-blocking descriptor, owned, with the tasks that wait for it. Registered with the reactor by the first wait,
/// so that it may be made on another core than the one that uses it.
class Readiness {
 public:
  Readiness(Reactor& reactor, int fd);
  Readiness(Readiness&& other) noexcept;
  ~Readiness();  ///< closes
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  int fd() const { return fd_; }
  bool closed() const { return fd_ < 0; }
  /// Closes the descriptor; who waits is notified, later.
  void close();

  /// Waits until the descriptor may be ready, or is closed: try the operation again, it may still not be possible.
  /// False when the deadline passed first. Requires: not closed.
  io::WaitList::Awaiter ready(Direction direction, Time deadline = Time::never());

 private:
  struct State;
  Reactor& reactor_;
  int fd_;
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::real
