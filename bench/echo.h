// The yardstick: a server that does nothing but answer frames, on one plain epoll loop. It shares no code with Holdfast, so that its figure is what
// sockets and scheduler of this machine allow, whatever Holdfast does.
#pragma once

#include <cstddef>

namespace holdfast::bench {

/// Serves on a free loopback port, prints `echo ready on PORT`, and answers every frame (4-byte big-endian length, payload) with one of
/// `answer_bytes`. Never returns.
[[noreturn]] void serve_echo(size_t answer_bytes);

}  // namespace holdfast::bench
