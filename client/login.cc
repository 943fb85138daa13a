#include "client/login.h"

#include <fmt/core.h>

namespace holdfast::client {

std::unique_ptr<wire::ClientHandshake> Login::handshake(io::Random& random) {
  wire::ClientHandshake::Options out{
      .user = options_.user,
      .ephemeral = {},
      .ciphers = options_.ciphers,
      .unit = wire::aes_unit(),
      .least = options_.least,
      .most = options_.most,
      .trust = [this](const wire::Public& key) { return trust(key); },
      .derive = [this](Bytes salt, wire::PasswordCost cost) { return derive(salt, cost); }};
  random.entropy(out.ephemeral.bytes());
  return std::make_unique<wire::ClientHandshake>(std::move(out));
}

Result<> Login::trust(const wire::Public& key) {
  if (server_ == key) return {};
  if (options_.server_key && *options_.server_key != key)
    return fail(
        Code::kAuth,
        fmt::format(
            "the server shows another key, {}, than it should have, {}; somebody may stand between, or its data "
            "directory is another one",
            wire::key_text(key), wire::key_text(*options_.server_key)));
  if (server_)
    return fail(
        Code::kAuth,
        "the server shows another key than before; somebody may stand between, or its data directory is another one");
  if (options_.trust) HF_CHECK_OK(options_.trust(key));
  server_ = key;
  return {};
}

Result<wire::Key> Login::derive(Bytes salt, wire::PasswordCost cost) {
  if (derived_ && derived_->salt == salt && derived_->cost == cost) return derived_->key;
  HF_TRY(key, wire::argon2id(options_.password, salt, cost));
  derived_ = Derived{.salt = Buffer(salt), .cost = cost, .key = key};
  return key;
}

}  // namespace holdfast::client
