// AEGIS-128L with a tag of 128 bits (draft-irtf-cfrg-aegis-aead; H. Wu, B. Preneel, "AEGIS: A Fast Authenticated
// Encryption Algorithm", 2013). Keys and nonces of 16 bytes; a nonce must never come twice under one key.
//
// Two forms with the same results: with the processor's AES instructions, some GB/s; and a portable one, some 50 MB/s,
// which has no tables and no branches that depend on secrets. Pure.
#pragma once

#include "io/wire/cpu.h"
#include "io/wire/crypto.h"

namespace holdfast::wire {

inline constexpr size_t kAegisKeyBytes = 16;

/// Encrypts `text` in place and writes kTagBytes at `tag`. `ad` is authenticated with it. kPresent is asked for only
/// where aes_unit() says so.
void aegis128l_seal(AesUnit unit, Bytes key, Bytes nonce, Bytes ad, MutableBytes text, char* tag);
/// Decrypts in place. False, and `text` zeros, when the tag is not its.
bool aegis128l_open(AesUnit unit, Bytes key, Bytes nonce, Bytes ad, MutableBytes text, Bytes tag);

}  // namespace holdfast::wire
