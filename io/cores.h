// Cores: the threads of a host, and the only way between them.
//
// Cores share nothing but messages. A message runs on the destination core, from its loop; messages from one core to
// another arrive in the order sent; messages of different senders interleave freely. Sending never waits and never
// fails: what bounds the mailboxes is admission. A core may send to itself; the message then runs later, never inline.
#pragma once

#include <functional>

#include "io/executor.h"
#include "io/sync.h"

namespace holdfast::io {

using Message = std::move_only_function<void()>;

class Cores {
 public:
  virtual ~Cores() = default;
  virtual uint16_t count() const = 0;
  virtual Executor& executor(CoreId core) = 0;
  /// Called on core `from`.
  virtual void send(CoreId from, CoreId to, Message message) = 0;
};

namespace detail {

template <class T, class F>
Task<void> run_for(Cores& cores, CoreId caller, CoreId here, F make, OneShot<T>& result) {
  // `result` lives in the caller's frame, which waits for it.
  T value = co_await make();
  cores.send(here, caller, [&result, value = std::move(value)]() mutable { result.set(std::move(value)); });
}

}  // namespace detail

/// Runs `make()`, which returns a Task<T>, on core `to` and brings its value back. `make` is called on that core.
template <class T, class F>
Task<T> call_on(Cores& cores, CoreId to, F make) {
  Executor& here = co_await this_executor();
  if (here.core() == to) co_return co_await make();
  OneShot<T> result;
  cores.send(here.core(), to, [&cores, &result, to, from = here.core(), make = std::move(make)]() mutable {
    cores.executor(to).spawn(detail::run_for<T, F>(cores, from, to, std::move(make), result));
  });
  co_return co_await result.take();
}

}  // namespace holdfast::io
