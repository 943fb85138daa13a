#include "io/wire/psk_handshake.h"

namespace holdfast::wire {
namespace {

constexpr size_t kHelloBytes = 2 + kPskSaltBytes;

// The labels say v1 in both versions.
constexpr Bytes kToServer = "alosdb-c2s-v1";
constexpr Bytes kToClient = "alosdb-s2c-v1";
constexpr Bytes kProof = "alosdb-proof-v1";

Key proof(const Key& psk, Bytes salts, Bytes who) {
  return hmac_sha256(hkdf<Key::kSize>(salts, psk, kProof), {who, salts});
}

AeadKey key_of(const Key& psk, Bytes salts, Bytes label, char version, AesUnit unit) {
  Cipher cipher = version == kPskAesGcmVersion ? Cipher::kAes256Gcm : Cipher::kAegis128L;
  return {.cipher = cipher, .unit = unit, .key = hkdf<Key::kSize>(salts, psk, label)};
}

FrameStyle style_of(char version) {
  return version == kPskAesGcmVersion ? FrameStyle::kPskAesGcm : FrameStyle::kPskAegis;
}

}  // namespace

Key psk_of(std::string_view user, std::string_view password) { return Key(view(sha256({user, ":", password}))); }

Secret<64> psk_token(const Key& psk) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Secret<64> out;
  for (size_t i = 0; i < Key::kSize; ++i) {
    auto byte = static_cast<uint8_t>(Bytes(psk)[i]);
    out.bytes()[2 * i] = kDigits[byte >> 4];
    out.bytes()[2 * i + 1] = kDigits[byte & 15];
  }
  return out;
}

PskServer::PskServer(const Key& psk, Bytes salt, AesUnit unit) : psk_(psk), server_salt_(salt), unit_(unit) {
  HF_ASSERT(salt.size() == kPskSaltBytes, "salts have one size");
}

size_t PskServer::wanted() const { return version_ == 0 ? kHelloBytes : proved_ ? 0 : Key::kSize; }

Result<Buffer> PskServer::take(Bytes message) {
  HF_ASSERT(message.size() == wanted(), "the driver brings what is wanted");
  if (version_ == 0) return take_hello(message);
  if (!equal(proof(psk_, salts_, "client"), message)) return fail(Code::kAuth, "wrong user name or password");
  proved_ = true;
  return Buffer();
}

Result<Buffer> PskServer::take_hello(Bytes hello) {
  char version = hello[1];
  if (version != kPskAesGcmVersion && version != kPskAegisVersion)
    return fail(Code::kUnsupported, "handshake version " + std::to_string(static_cast<uint8_t>(version)) +
                                        " is not known; use a newer client");
  if (version == kPskAesGcmVersion && unit_ == AesUnit::kNone)
    return fail(Code::kUnsupported,
                "handshake version 1 needs AES instructions, which this machine's processor lacks; use a newer client");
  version_ = version;
  salts_ = Buffer(hello.substr(2)) + server_salt_;
  return server_salt_ + Buffer(Bytes(proof(psk_, salts_, "server")));
}

FrameKeys PskServer::keys() const {
  return {.style = style_of(version_),
          .send = key_of(psk_, salts_, kToClient, version_, unit_),
          .receive = key_of(psk_, salts_, kToServer, version_, unit_)};
}

PskClient::PskClient(const Key& psk, Bytes salt, char version, AesUnit unit)
    : psk_(psk), salts_(salt), unit_(unit), version_(version) {
  HF_ASSERT(salt.size() == kPskSaltBytes, "salts have one size");
}

Buffer PskClient::hello() const { return Buffer({kPskMark, version_}) + salts_; }

Result<Buffer> PskClient::take(Bytes message) {
  HF_ASSERT(message.size() == wanted(), "the driver brings what is wanted");
  salts_ += message.substr(0, kPskSaltBytes);
  if (!equal(proof(psk_, salts_, "server"), message.substr(kPskSaltBytes)))
    return fail(Code::kAuth, "the server does not know this user name and password");
  proved_ = true;
  return Buffer(Bytes(proof(psk_, salts_, "client")));
}

FrameKeys PskClient::keys() const {
  return {.style = style_of(version_),
          .send = key_of(psk_, salts_, kToServer, version_, unit_),
          .receive = key_of(psk_, salts_, kToClient, version_, unit_)};
}

}  // namespace holdfast::wire
