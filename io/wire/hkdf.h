// HKDF-SHA-256 (RFC 5869): keys from shared secrets. Pure.
#pragma once

#include "io/wire/crypto.h"

namespace holdfast::wire {

/// Both steps. Requires: at most 255 * 32 bytes are wanted.
void hkdf(Bytes salt, Bytes secret, Bytes info, MutableBytes out);
/// The second step alone, from a key that is uniform already.
void hkdf_expand(Bytes key, Bytes info, MutableBytes out);

template <size_t N>
Secret<N> hkdf(Bytes salt, Bytes secret, Bytes info) {
  Secret<N> out;
  hkdf(salt, secret, info, out.bytes());
  return out;
}

}  // namespace holdfast::wire
