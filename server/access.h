// Access: who speaks on a connection, and what of the operations that allows. Pure.
//
// Decided once per connection, by its handshake or the lack of one (session_handshake.cc); asked before every
// operation, also those within a batch.
#pragma once

#include <string>

#include "io/wire/handshake.h"
#include "io/wire/psk_handshake.h"
#include "io/wire/request.h"

namespace holdfast::server {

/// Where a peer is.
enum class From : uint8_t { kThisMachine, kElsewhere };

class Access {
 public:
  /// Nobody: everything is refused.
  Access() = default;
  /// Plaintext on a server without users: everything is allowed to whoever reaches it; but only from this machine to
  /// make users.
  static Access open(From from);
  /// Plaintext from this machine on a server with users: hello and ping, so that one can see whether it is alive.
  static Access greeting();
  /// By our own handshake.
  static Access user(std::string name, wire::Role role);
  /// By the original's: every request must bring `token` too.
  static Access psk(std::string name, const wire::Secret<64>& token);
  /// A user that is gone or was changed since.
  static Access revoked();

  /// Errors: kAuth, kReadOnly, kUnsupported (credentials in a request that nobody can check).
  Result<> may(const wire::Request& request) const;
  /// The user's; of who is none, empty.
  const std::string& name() const { return name_; }
  bool is_open() const { return kind_ == Kind::kOpen; }
  /// Has not logged in, though that is required.
  bool is_stranger() const { return kind_ == Kind::kNobody || kind_ == Kind::kGreeting; }

 private:
  enum class Kind : uint8_t { kNobody, kOpen, kGreeting, kUser, kPsk, kRevoked };
  Kind kind_ = Kind::kNobody;
  wire::Role role_ = wire::Role::kReadOnly;
  From from_ = From::kElsewhere;
  std::string name_;
  wire::Secret<64> token_;
};

/// Whether operation `op` is refused to users who may only read. What transactions and batches hold is asked about by
/// itself.
bool changes_something(wire::Op op);

}  // namespace holdfast::server
