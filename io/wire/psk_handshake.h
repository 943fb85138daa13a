// The original's handshake, both versions and both sides: one password that both know (PSK), proved by each, from which
// the keys of one connection come.
//
//     client -> server   mark 0xAE, version, client salt[32]
//     server -> client   server salt[32], server proof[32]
//     client -> server   client proof[32]
//
// The server proves itself first, so it must know which password is meant before it hears of the peer: one credential
// per listener. Neither side's password is safe from guessing by who records an exchange, or by who merely connects;
// nothing is forward secret (server/PROTOCOL.md). Ours is in handshake.h.
//
// Pure: fed with the peer's bytes; salts come from the host.
#pragma once

#include "io/wire/handshake_step.h"
#include "io/wire/hkdf.h"

namespace holdfast::wire {

/// First byte of the original's handshake; as a length it would be over every limit.
inline constexpr char kPskMark = '\xAE';
inline constexpr char kPskAesGcmVersion = 1;
inline constexpr char kPskAegisVersion = 2;
inline constexpr size_t kPskSaltBytes = 32;

/// SHA-256(user ":" password).
Key psk_of(std::string_view user, std::string_view password);
/// The same in 64 lower-case hex digits: what a request's `auth` has to say.
Secret<64> psk_token(const Key& psk);

class PskServer final : public Handshake {
 public:
  /// `salt`: kPskSaltBytes of the host's entropy.
  PskServer(const Key& psk, Bytes salt, AesUnit unit);
  size_t wanted() const override;
  /// Errors: kAuth (a wrong proof), kUnsupported (another version; version 1 where the processor lacks its
  /// instructions), after which nothing is answered.
  Result<Buffer> take(Bytes message) override;
  FrameKeys keys() const override;

 private:
  Result<Buffer> take_hello(Bytes hello);

  Key psk_;
  Buffer salts_;  ///< the client's, the server's
  Buffer server_salt_;
  AesUnit unit_;
  char version_ = 0;
  bool proved_ = false;
};

class PskClient final : public Handshake {
 public:
  PskClient(const Key& psk, Bytes salt, char version, AesUnit unit);
  /// The first message.
  Buffer hello() const;
  size_t wanted() const override { return proved_ ? 0 : kPskSaltBytes + Key::kSize; }
  /// Errors: kAuth.
  Result<Buffer> take(Bytes message) override;
  FrameKeys keys() const override;

 private:
  Key psk_;
  Buffer salts_;
  AesUnit unit_;
  char version_;
  bool proved_ = false;
};

}  // namespace holdfast::wire
