// Logins: what a server knows of those who may log in: the stored users, and the one user of --username. Every core has
// a copy of its own. Pure.
#pragma once

#include "server/access.h"
#include "server/users.h"

namespace holdfast::server {

/// The user of --username: the only one that the original's handshake knows; our own knows it too.
struct PskLogin {
  std::string name;
  wire::Key psk;
  wire::Secret<64> token;
  wire::Verifier verifier;
};

struct Logins {
  std::optional<Users> users;
  std::optional<PskLogin> psk;

  /// Whether nobody may do anything without logging in.
  bool guarded() const { return psk || (users && users->guarded()); }
  /// Whether anybody has role read-write: who may write, and manage users.
  bool somebody_writes() const;
  /// What a plaintext connection may do.
  Access plain(From from) const;
  /// See Users::find. Requires: `users`.
  wire::ServerHandshake::User find(std::string_view name, wire::PasswordCost usual) const;
  /// Whether that user's verifier and role are still these.
  bool still(std::string_view name, const wire::ServerHandshake::User& was, wire::PasswordCost usual) const;
};

/// The login of --username, which may not be a stored user's name too. Takes as long as Argon2id does. `salt`: of the
/// host's entropy. Errors: kBadRequest, those of argon2id.
Result<PskLogin> make_psk_login(std::string name, Bytes password, Bytes salt, wire::PasswordCost cost);

/// A change of the stored users.
struct UserChange {
  enum class Kind : uint8_t { kAdd, kRemove, kPasswd };
  Kind kind = Kind::kAdd;
  User user;  ///< its name alone; for kPasswd the verifier too; for kAdd all of it
};

/// Makes the change in `logins.users`, which is there. Errors: those of Users; kBadRequest when nobody would be there
/// afterwards who may write and manage users, or the name is that of --username. After an error nothing is changed.
Result<> apply(const UserChange& change, Logins& logins);

}  // namespace holdfast::server
