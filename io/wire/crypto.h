// Primitives: hashes, key agreement, password hashing and two ciphers. Everything that is libsodium's stands behind
// this header, but for its generator of random numbers, which nobody here uses: keys and salts come from the host.
//
// Pure. Nothing is kept between calls, and nothing depends on the machine but the speed.
#pragma once

#include <initializer_list>

#include "io/base/error.h"
#include "io/wire/secret.h"

namespace holdfast::wire {

inline constexpr size_t kTagBytes = 16;
inline constexpr size_t kSaltBytes = 16;  ///< of Argon2id

/// A point of Curve25519, or a hash: 32 bytes that are no secret.
using Public = std::array<char, 32>;
inline Bytes view(const Public& p) { return {p.data(), p.size()}; }
/// Requires: 32 bytes.
Public public_bytes(Bytes bytes);

/// SHA-256 over the parts in their order.
Public sha256(std::initializer_list<Bytes> parts);
/// HMAC-SHA-256 (RFC 2104) over the parts in their order.
Key hmac_sha256(Bytes key, std::initializer_list<Bytes> parts);

/// X25519 (RFC 7748): the public key of a private one, which may be any 32 bytes.
Public x25519_public(const Key& secret);
/// What both sides come to. False when that would be zero: the peer's point is then one of the few that tell nothing
/// about `secret`, and the peer must be refused.
bool x25519(const Key& secret, const Public& peer, Key& shared);

/// How much work Argon2id is (RFC 9106, version 0x13, one lane).
struct PasswordCost {
  uint32_t passes = 3;
  uint32_t memory_kib = 64 << 10;
  bool operator==(const PasswordCost&) const = default;
};
/// The least that the algorithm can do.
inline constexpr PasswordCost kLeastCost{.passes = 1, .memory_kib = 8};

/// Argon2id. Takes as long as the cost says: a tenth of a second or more, on the calling core. Errors: kBadRequest (a
/// cost that the algorithm does not know), kOverloaded (no memory). Requires: kSaltBytes of salt.
Result<Key> argon2id(Bytes password, Bytes salt, PasswordCost cost);

/// AES-256-GCM, of which the processor must have the instructions (cpu.h). In place. Nonce: 12 bytes.
void aes256gcm_seal(Bytes key, Bytes nonce, Bytes ad, MutableBytes text, char* tag);
bool aes256gcm_open(Bytes key, Bytes nonce, Bytes ad, MutableBytes text, Bytes tag);

/// ChaCha20-Poly1305 (RFC 8439). In place. Nonce: 12 bytes.
void chacha20poly1305_seal(Bytes key, Bytes nonce, Bytes ad, MutableBytes text, char* tag);
bool chacha20poly1305_open(Bytes key, Bytes nonce, Bytes ad, MutableBytes text, Bytes tag);

/// For programs, at their start and before they have threads: lets the above run in the fastest form that the processor
/// has. Reads the operating system's entropy once, of which nothing here depends.
void prefer_fast_crypto();

}  // namespace holdfast::wire
