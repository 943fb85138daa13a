// RawClient: a socket and the bytes that a test puts on it, decent or not. Blocking, but never for longer than a test may wait.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "io/base/bytes.h"
#include "io/wire/operation.h"
#include "io/wire/reply.h"

namespace holdfast::test {

/// Far beyond what any answer takes: a test that waits so long for one hangs.
inline constexpr int kPatienceMs = 120'000;

/// An owned reply.
struct RawReply {
  Buffer payload;
  wire::Reply reply;  // its views lie in `payload`
};

class RawClient {
 public:
  /// `receive_buffer`: of the socket, in bytes; 0: the system's.
  explicit RawClient(uint16_t port, int receive_buffer = 0);
  RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)), buffered_(std::move(other.buffered_)) {}
  RawClient& operator=(RawClient&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(buffered_, other.buffered_);
    return *this;
  }
  ~RawClient();

  bool connected() const { return fd_ >= 0; }
  /// False when the peer has closed.
  bool send(Bytes bytes);
  /// What the socket takes now, without waiting: how much that was.
  size_t send_some(Bytes bytes);
  /// No more will be sent; the peer sees an end.
  void finish();
  /// One frame's payload; nothing when the peer closed first.
  std::optional<Buffer> frame();
  /// One reply; nothing when the peer closed, or sent what is none.
  std::unique_ptr<RawReply> reply();
  /// Whether the peer closes without sending anything more. Waits for it.
  bool closed();
  void close();

 private:
  int fd_ = -1;
  Buffer buffered_;
};

/// A whole frame around `payload`.
Buffer framed(Bytes payload);
/// A request as a frame; `args` is one encoded value, empty for `{}`.
Buffer request(uint64_t id, wire::Op op, std::string_view collection, Bytes args = "");

}  // namespace holdfast::test
