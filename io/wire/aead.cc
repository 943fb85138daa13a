#include "io/wire/aead.h"

#include "io/base/probe.h"

namespace holdfast::wire {
namespace {

constexpr size_t kShortNonce = 12;

Bytes short_nonce(Bytes nonce) { return nonce.substr(nonce.size() - kShortNonce); }

bool open(const AeadKey& key, Bytes nonce, Bytes ad, MutableBytes text, Bytes tag) {
  switch (key.cipher) {
    case Cipher::kAegis128L:
      return aegis128l_open(key.unit, Bytes(key.key).substr(0, kAegisKeyBytes), nonce, ad, text, tag);
    case Cipher::kChaCha20Poly1305:
      return chacha20poly1305_open(key.key, short_nonce(nonce), ad, text, tag);
    case Cipher::kAes256Gcm:
      return aes256gcm_open(key.key, short_nonce(nonce), ad, text, tag);
  }
  return false;
}

}  // namespace

void aead_seal(const AeadKey& key, Bytes nonce, Bytes ad, MutableBytes text, char* tag) {
  switch (key.cipher) {
    case Cipher::kAegis128L:
      return aegis128l_seal(key.unit, Bytes(key.key).substr(0, kAegisKeyBytes), nonce, ad, text, tag);
    case Cipher::kChaCha20Poly1305:
      return chacha20poly1305_seal(key.key, short_nonce(nonce), ad, text, tag);
    case Cipher::kAes256Gcm:
      return aes256gcm_seal(key.key, short_nonce(nonce), ad, text, tag);
  }
}

bool aead_open(const AeadKey& key, Bytes nonce, Bytes ad, MutableBytes text, Bytes tag) {
  if (open(key, nonce, ad, text, tag)) return true;
  wipe(text);
  return false;
}

}  // namespace holdfast::wire
