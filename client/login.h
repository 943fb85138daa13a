// Login: as whom a client connects, which server it believes, and how it proves its password without telling it.
//
// Belongs to the client's core; shared by its connections, so that sixteen of them hash the password once.
#pragma once

#include <map>

#include "client/client.h"
#include "io/wire/handshake.h"

namespace holdfast::client {

class Login {
 public:
  explicit Login(LoginOptions options) : options_(std::move(options)) {}

  /// A handshake for a new connection.
  std::unique_ptr<wire::ClientHandshake> handshake(io::Random& random);

 private:
  Result<> trust(const wire::Public& key);
  Result<wire::Key> derive(Bytes salt, wire::PasswordCost cost);

  LoginOptions options_;
  std::optional<wire::Public> server_;  ///< whom this client has met, and stays with
  struct Derived {
    Buffer salt;
    wire::PasswordCost cost;
    wire::Key key;
  };
  std::optional<Derived> derived_;  ///< the newest
};

}  // namespace holdfast::client
