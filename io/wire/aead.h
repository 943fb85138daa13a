// AEAD: one name for the ciphers that connections are sealed with. Pure.
#pragma once

#include "io/wire/aegis.h"

namespace holdfast::wire {

/// The first two are those of our own handshake, under their bits there; the third is of the original's version 1
/// alone.
enum class Cipher : uint8_t { kAegis128L = 1, kChaCha20Poly1305 = 2, kAes256Gcm = 4 };

/// What a cipher is fed with: 32 bytes of key, of which AEGIS-128L takes the first 16.
struct AeadKey {
  Cipher cipher = Cipher::kAegis128L;
  AesUnit unit = AesUnit::kNone;
  Key key;
};

/// In place; writes kTagBytes at `tag`. `nonce` has 16 bytes; ciphers of shorter ones take its last 12. No nonce may
/// come twice under one key.
void aead_seal(const AeadKey& key, Bytes nonce, Bytes ad, MutableBytes text, char* tag);
/// In place. False, and nothing of the plaintext left in `text`, when text, `ad` or tag is not what was sealed.
bool aead_open(const AeadKey& key, Bytes nonce, Bytes ad, MutableBytes text, Bytes tag);

}  // namespace holdfast::wire
