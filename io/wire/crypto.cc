#include "io/wire/crypto.h"

#include <sodium.h>

namespace holdfast::wire {
namespace {

unsigned char* raw(char* p) { return reinterpret_cast<unsigned char*>(p); }
const unsigned char* raw(const char* p) { return reinterpret_cast<const unsigned char*>(p); }
const unsigned char* raw(Bytes b) { return raw(b.data()); }

static_assert(kSaltBytes == crypto_pwhash_SALTBYTES);
static_assert(kTagBytes == crypto_aead_aes256gcm_ABYTES && kTagBytes == crypto_aead_chacha20poly1305_ietf_ABYTES);

constexpr size_t kNonceBytes = 12;
static_assert(kNonceBytes == crypto_aead_aes256gcm_NPUBBYTES &&
              kNonceBytes == crypto_aead_chacha20poly1305_ietf_NPUBBYTES);

void check(Bytes key, Bytes nonce) {
  HF_ASSERT(key.size() == Key::kSize && nonce.size() == kNonceBytes, "callers bring what the cipher takes");
}

}  // namespace

void wipe(MutableBytes bytes) { sodium_memzero(bytes.data(), bytes.size()); }

void wipe(Buffer& text) {
  text.resize(text.capacity());
  wipe(MutableBytes(text));
  text.clear();
}

bool equal(Bytes a, Bytes b) { return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0; }

Public public_bytes(Bytes bytes) {
  HF_ASSERT(bytes.size() == Public().size(), "whoever asks has bytes of that size");
  Public out;
  std::memcpy(out.data(), bytes.data(), out.size());
  return out;
}

Public sha256(std::initializer_list<Bytes> parts) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  for (Bytes part : parts) crypto_hash_sha256_update(&state, raw(part), part.size());
  Public out;
  crypto_hash_sha256_final(&state, raw(out.data()));
  sodium_memzero(&state, sizeof state);
  return out;
}

Key hmac_sha256(Bytes key, std::initializer_list<Bytes> parts) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, raw(key), key.size());
  for (Bytes part : parts) crypto_auth_hmacsha256_update(&state, raw(part), part.size());
  Key out;
  crypto_auth_hmacsha256_final(&state, raw(out.bytes().data()));
  sodium_memzero(&state, sizeof state);
  return out;
}

Public x25519_public(const Key& secret) {
  Public out;
  crypto_scalarmult_curve25519_base(raw(out.data()), raw(Bytes(secret)));
  return out;
}

bool x25519(const Key& secret, const Public& peer, Key& shared) {
  return crypto_scalarmult_curve25519(raw(shared.bytes().data()), raw(Bytes(secret)), raw(peer.data())) == 0;
}

Result<Key> argon2id(Bytes password, Bytes salt, PasswordCost cost) {
  HF_ASSERT(salt.size() == kSaltBytes, "salts have one size");
  if (cost.passes < kLeastCost.passes || cost.memory_kib < kLeastCost.memory_kib || password.size() > UINT32_MAX)
    return fail(Code::kBadRequest, "Argon2id takes at least one pass over 8 KiB");
  Key out;
  if (crypto_pwhash_argon2id(raw(out.bytes().data()), Key::kSize, password.data(), password.size(), raw(salt),
                             cost.passes, size_t{cost.memory_kib} << 10, crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
    return fail(Code::kOverloaded,
                "there are no " + std::to_string(cost.memory_kib >> 10) + " MiB of memory to hash the password with");
  return out;
}

void aes256gcm_seal(Bytes key, Bytes nonce, Bytes ad, MutableBytes text, char* tag) {
  check(key, nonce);
  crypto_aead_aes256gcm_encrypt_detached(raw(text.data()), raw(tag), nullptr, raw(text.data()), text.size(), raw(ad),
                                         ad.size(), nullptr, raw(nonce), raw(key));
}

bool aes256gcm_open(Bytes key, Bytes nonce, Bytes ad, MutableBytes text, Bytes tag) {
  check(key, nonce);
  return crypto_aead_aes256gcm_decrypt_detached(raw(text.data()), nullptr, raw(text.data()), text.size(), raw(tag),
                                                raw(ad), ad.size(), raw(nonce), raw(key)) == 0;
}

void chacha20poly1305_seal(Bytes key, Bytes nonce, Bytes ad, MutableBytes text, char* tag) {
  check(key, nonce);
  crypto_aead_chacha20poly1305_ietf_encrypt_detached(raw(text.data()), raw(tag), nullptr, raw(text.data()), text.size(),
                                                     raw(ad), ad.size(), nullptr, raw(nonce), raw(key));
}

bool chacha20poly1305_open(Bytes key, Bytes nonce, Bytes ad, MutableBytes text, Bytes tag) {
  check(key, nonce);
  return crypto_aead_chacha20poly1305_ietf_decrypt_detached(raw(text.data()), nullptr, raw(text.data()), text.size(),
                                                            raw(tag), raw(ad), ad.size(), raw(nonce), raw(key)) == 0;
}

void prefer_fast_crypto() { (void)sodium_init(); }

}  // namespace holdfast::wire
