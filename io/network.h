// Network: streams of bytes between endpoints.
//
// A connection belongs to one core: all its operations are awaited there. One read and one write may be under way at
// once. A stream has no message boundaries; a reset or closed peer is kClosed on a later operation. Closing makes every
// operation under way, and every later one, end with kClosed.
#pragma once

#include <memory>
#include <string>

#include "io/base/bytes.h"
#include "io/base/error.h"
#include "io/base/ids.h"
#include "io/base/time.h"
#include "io/task.h"

namespace holdfast::io {

struct Endpoint {
  std::string host;  ///< a name or an IPv4 address
  uint16_t port = 0;
  std::string text() const { return host + ":" + std::to_string(port); }
  bool operator==(const Endpoint&) const = default;
};

class Connection {
 public:
  virtual ~Connection() = default;  ///< closes; requires that no operation is under way

  /// Waits for bytes and returns how many came, at least one; 0 when the peer has closed its side in order.
  virtual Task<Result<size_t>> read_some(MutableBytes out) = 0;
  /// Writes all of `data`, waiting for the peer to make room.
  virtual Task<Result<>> write_all(Bytes data) = 0;
  /// Ends both directions. What was written before still reaches the peer, if it reads.
  virtual void close() = 0;
  virtual std::string peer() const = 0;
  /// Whether the peer is on this machine (loopback).
  virtual bool peer_is_local() const = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  /// The next connection, belonging to core `owner`; kOverloaded when the process has no descriptor left (the
  /// connection stays in the queue), kClosed after close(). Awaited on the core that called listen, one accept at a
  /// time.
  virtual Task<Result<std::unique_ptr<Connection>>> accept(CoreId owner) = 0;
  virtual void close() = 0;
  virtual Endpoint local() const = 0;
};

class Network {
 public:
  virtual ~Network() = default;
  /// IPv4. Port 0 takes a free one; local() tells which. kIo when the address is taken, kNotFound for an unknown name.
  virtual Task<Result<std::unique_ptr<Listener>>> listen(Endpoint at) = 0;
  /// The connection belongs to the calling core. kTimeout when the deadline passes first, kClosed when nobody listens
  /// there or nothing leads there, kNotFound for an unknown name, kOverloaded when there is no descriptor left.
  virtual Task<Result<std::unique_ptr<Connection>>> connect(Endpoint to, Time deadline) = 0;
};

}  // namespace holdfast::io
