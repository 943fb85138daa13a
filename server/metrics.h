// Metrics: what one core of the server counts. Plain numbers of that core; whoever wants the whole adds them up by
// messages.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "io/base/error.h"
#include "io/wire/operation.h"

namespace holdfast::server {

struct Metrics {
  static constexpr size_t kOps = 128;

  uint64_t connections = 0;  ///< open now
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;  ///< beyond the limit
  uint64_t connections_stalled = 0;  ///< closed because the peer neither sent nor took what it had begun
  uint64_t connections_late = 0;     ///< closed instead of sending a reply that nobody waits for any more
  uint64_t handshakes = 0;           ///< that ended well
  uint64_t handshakes_refused = 0;   ///< too many at once, too slow, of a kind that cannot be, or garbled
  uint64_t logins_failed = 0;        ///< wrong user name or password
  uint64_t requests = 0;
  uint64_t requests_under_way = 0;
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
  uint64_t bytes_in_flight = 0;
  std::array<uint64_t, kOps> by_op{};
  std::array<uint64_t, std::to_underlying(Code::kInternal) + 1> by_error{};

  void count_request(wire::Op op) {
    ++requests;
    if (auto n = std::to_underlying(op); n < kOps) ++by_op[n];
  }
  /// Codes that stay within the process are told to clients, and counted, as internal.
  void count_error(Code code) { ++by_error[std::to_underlying(std::min(code, Code::kInternal))]; }
  Metrics& operator+=(const Metrics& other);
};

}  // namespace holdfast::server
