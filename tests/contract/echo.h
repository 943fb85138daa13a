// A small server over the host interfaces alone: it sends every frame (length, bytes) back. The same code runs over
// every host.
#pragma once

#include "io/host.h"

namespace holdfast::contract {

/// Fills `out`; false when the connection ended before.
inline io::Task<bool> read_full(io::Connection& c, MutableBytes out) {
  while (!out.empty()) {
    auto n = co_await c.read_some(out);
    if (!n || *n == 0) co_return false;
    out = out.subspan(*n);
  }
  co_return true;
}

inline io::Task<std::optional<Buffer>> read_frame(io::Connection& c) {
  char header[4];
  if (!co_await read_full(c, header)) co_return std::nullopt;
  Buffer body(load_be<uint32_t>(header), '\0');
  if (!co_await read_full(c, body)) co_return std::nullopt;
  co_return body;
}

inline io::Task<Result<>> write_frame(io::Connection& c, Bytes body) {
  Buffer frame;
  append_be(frame, static_cast<uint32_t>(body.size()));
  frame.append(body);
  co_return co_await c.write_all(frame);
}

class EchoServer {
 public:
  EchoServer(io::Host& host, io::Executor& home) : host_(host), sessions_(home) {}

  io::Task<Result<io::Endpoint>> start() {
    HF_CO_TRY(listener, co_await host_.network.listen({"127.0.0.1", 0}));
    listener_ = std::move(listener);
    sessions_.spawn(accept_all());
    co_return listener_->local();
  }
  /// Accepts no more, and waits until every client has gone.
  io::Task<void> stop() {
    listener_->close();
    co_await sessions_.drained();
  }
  uint64_t frames() const { return frames_; }

 private:
  io::Task<void> accept_all() {
    while (true) {
      auto c = co_await listener_->accept(CoreId(0));
      if (!c) co_return;
      sessions_.spawn(serve(std::move(*c)));
    }
  }
  io::Task<void> serve(std::unique_ptr<io::Connection> c) {
    while (auto frame = co_await read_frame(*c)) {
      ++frames_;
      if (!co_await write_frame(*c, *frame)) break;
    }
  }

  io::Host& host_;
  std::unique_ptr<io::Listener> listener_;
  io::TaskGroup sessions_;
  uint64_t frames_ = 0;
};

}  // namespace holdfast::contract
