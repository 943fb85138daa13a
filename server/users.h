// Users: who may log in, and what the server proves itself with; and the bytes in which that is kept. Pure.
//
// What is kept of a password is the public key of a key that Argon2id makes of it: it tells whether a client knows the
// password, and logs nobody in. The layout of the file is in README.md.
#pragma once

#include <string>
#include <vector>

#include "io/wire/handshake.h"

namespace holdfast::server {

struct User {
  std::string name;
  wire::Role role = wire::Role::kReadWrite;
  wire::Verifier verifier;
  bool operator==(const User&) const = default;
};

class Users {
 public:
  static constexpr size_t kMax = 1000;
  static constexpr size_t kFileBytesMax = 1 << 20;

  /// Nobody; the server's key and the secret for names that nobody has are of the host's entropy.
  Users(const wire::Key& server_key, const wire::Key& secret) : key_(server_key), secret_(secret) {}

  const wire::Key& key() const { return key_; }
  const std::vector<User>& all() const { return users_; }
  /// Whether nobody may do anything without logging in: so from the first user on, for good. Removing all does not open
  /// the server.
  bool guarded() const { return guarded_; }

  /// For a handshake: takes equally long for every name, and gives for one that nobody has what is the same every time
  /// and looks like any other, of `usual` cost.
  wire::ServerHandshake::User find(std::string_view name, wire::PasswordCost usual) const;
  const User* look_up(std::string_view name) const;

  /// Errors: kBadRequest (name, verifier), kDuplicateKey, kOverloaded (kMax).
  Result<> add(User user);
  /// Errors: kNotFound; kBadRequest (verifier).
  Result<> change(std::string_view name, const wire::Verifier& verifier);
  /// Errors: kNotFound.
  Result<> remove(std::string_view name);

  Buffer encode() const;
  /// Errors: kCorrupt, kUnsupported (a newer format).
  static Result<Users> decode(Bytes file);

 private:
  wire::Key key_;
  wire::Key secret_;
  bool guarded_ = false;
  std::vector<User> users_;  ///< by name
};

/// What a client sends of a new password is believed within these bounds.
Result<> check_verifier(const wire::Verifier& verifier);

}  // namespace holdfast::server
