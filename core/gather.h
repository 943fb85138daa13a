// gather: a look at every core at one LSN.
#pragma once

#include "core/engine_core.h"

namespace holdfast::core {

template <class T>
struct Gathered {
  Lsn lsn;                ///< what every core had applied, exactly, when it was looked at
  std::vector<T> values;  ///< by core
};

namespace detail {

template <class T>
struct Gathering {
  std::vector<std::optional<T>> values;
  size_t missing = 0;
  io::Event done;
};

template <class T, class F>
io::Task<Gathered<T>> gather_on_core_0(EngineShared& shared, F look) {
  // Shared, because in a crash the messages may outlive this frame.
  auto state = std::make_shared<Gathering<T>>();
  state->missing = shared.cores.size();
  state->values.resize(shared.cores.size());
  Gathered<T> out;
  out.lsn = shared.committed_lsn();
  for (uint16_t k = 0; k < shared.cores.size(); ++k) {
    io::Message marker = [&shared, state, k, look]() mutable {
      T value = look(*shared.cores[k]);
      shared.host.cores.send(CoreId(k), CoreId(0), [state, k, value = std::move(value)]() mutable {
        state->values[k] = std::move(value);
        if (--state->missing == 0) state->done.set();
      });
    };
    if (k == 0)
      shared.cores[0]->deliver(std::move(marker));
    else
      shared.host.cores.send(CoreId(0), CoreId(k), [&core = *shared.cores[k], marker = std::move(marker)]() mutable {
        core.deliver(std::move(marker));
      });
  }
  co_await state->done.wait();
  for (std::optional<T>& v : state->values) out.values.push_back(std::move(*v));
  co_return out;
}

}  // namespace detail

/// Runs `look(core)` once on every core, when that core has applied exactly what is committed as core 0 sends the question: all see the
/// same LSN, at or after everything that was committed before the call. `look` is copied to the cores and must not wait.
template <class T, class F>
io::Task<Gathered<T>> gather(EngineShared& shared, F look) {
  co_return co_await io::call_on<Gathered<T>>(shared.host.cores, CoreId(0), [&shared, look] { return detail::gather_on_core_0<T>(shared, look); });
}

}  // namespace holdfast::core
