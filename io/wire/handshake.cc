#include "io/wire/handshake.h"

#include <algorithm>
#include <charconv>

namespace holdfast::wire {
namespace {

constexpr size_t kPublicBytes = Public().size();
constexpr size_t kHeadBytes = 4;
constexpr size_t kHelloBytes = kHeadBytes + kPublicBytes;
constexpr size_t kServerBytes = kHeadBytes + 2 * kPublicBytes + kTagBytes;
constexpr size_t kNameText = 1 + kUserNameMax;
constexpr size_t kSaltText = 32;
constexpr size_t kWelcomeText = 32;

// Labels of keys, one per message and direction.
constexpr Bytes kServerLabel = "server";
constexpr Bytes kNameLabel = "name";
constexpr Bytes kSaltLabel = "salt";
constexpr Bytes kProofLabel = "proof";
constexpr Bytes kWelcomeLabel = "welcome";
constexpr Bytes kRefusalLabel = "refusal";
constexpr Bytes kToServerLabel = "client to server";
constexpr Bytes kToClientLabel = "server to client";

constexpr std::string_view kWrong = "wrong user name or password";

/// Every key of a handshake seals one message: the nonce may be the same.
constexpr std::array<char, 16> kNonce{};
Bytes nonce() { return {kNonce.data(), kNonce.size()}; }

Buffer sealed(const AeadKey& key, Buffer text) {
  size_t n = text.size();
  grow(text, kTagBytes);
  aead_seal(key, nonce(), "", {text.data(), n}, text.data() + n);
  return text;
}

/// Nothing when it was not sealed with that key.
std::optional<Buffer> opened(const AeadKey& key, Bytes message) {
  Buffer text(message.substr(0, message.size() - kTagBytes));
  if (!aead_open(key, nonce(), "", text, message.substr(text.size()))) return std::nullopt;
  return text;
}

Buffer head(uint8_t ciphers) { return {kHandshakeMark, kHandshakeVersion, static_cast<char>(ciphers), 0}; }

std::unexpected<Error> garbled() {
  return fail(Code::kUnreachable, "the handshake was garbled on its way, or somebody changed it");
}

std::optional<Cipher> choose(uint8_t ciphers) {
  for (Cipher c : {Cipher::kAegis128L, Cipher::kChaCha20Poly1305})
    if (ciphers & std::to_underlying(c)) return c;
  return std::nullopt;
}

/// A name that is none becomes one that nobody has.
std::string name_in(Bytes text) {
  auto size = static_cast<uint8_t>(text[0]);
  if (size > kUserNameMax) return "";
  std::string out(text.substr(1, size));
  bool zeros = text.find_first_not_of('\0', 1 + size_t{size}) == Bytes::npos;
  return zeros && check_user_name(out) ? out : "";
}

bool within(PasswordCost cost, PasswordCost least, PasswordCost most) {
  return cost.passes >= least.passes && cost.passes <= most.passes && cost.memory_kib >= least.memory_kib &&
         cost.memory_kib <= most.memory_kib;
}

}  // namespace

std::string_view name(Role role) { return role == Role::kReadWrite ? "read-write" : "read-only"; }

std::optional<Role> role_of(std::string_view text) {
  for (Role role : {Role::kReadOnly, Role::kReadWrite})
    if (name(role) == text) return role;
  return std::nullopt;
}

Result<> check_user_name(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-";
  if (name.empty() || name.size() > kUserNameMax || name.find_first_not_of(kAllowed) != name.npos)
    return fail(Code::kBadRequest, "a user name has 1 to 63 of the letters A to Z, a to z, the digits, and _ . @ -");
  return {};
}

std::string key_text(const Public& key) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (char c : key) {
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

std::optional<Public> key_from_text(std::string_view text) {
  Public out{};
  if (text.size() != 2 * out.size()) return std::nullopt;
  for (size_t i = 0; i < out.size(); ++i) {
    uint8_t byte = 0;
    auto [end, error] = std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, byte, 16);
    if (error != std::errc() || end != text.data() + 2 * i + 2) return std::nullopt;
    out[i] = static_cast<char>(byte);
  }
  return out;
}

uint8_t usual_ciphers(AesUnit unit) {
  uint8_t everywhere = std::to_underlying(Cipher::kChaCha20Poly1305);
  return unit == AesUnit::kPresent ? everywhere | std::to_underlying(Cipher::kAegis128L) : everywhere;
}

Result<Verifier> make_verifier(Bytes password, Bytes salt, PasswordCost cost) {
  HF_TRY(key, argon2id(password, salt, cost));
  Verifier out{.cost = cost, .key = x25519_public(key)};
  std::memcpy(out.salt.data(), salt.data(), kSaltBytes);
  return out;
}

// --- What both sides agree on.

Transcript::Transcript() : hash_(sha256({"Holdfast handshake, version 1"})), chain_(view(hash_)) {}

void Transcript::add(Bytes message) { hash_ = sha256({view(hash_), message}); }

void Transcript::mix(const Key& shared) { chain_ = hkdf<Key::kSize>(chain_, shared, "mix"); }

Key Transcript::key(Bytes label) const {
  Key out;
  hkdf_expand(chain_, Buffer(label) + Buffer(view(hash_)), out.bytes());
  return out;
}

// --- The server's side.

size_t ServerHandshake::wanted() const {
  switch (stage_) {
    case Stage::kHello:
      return kHelloBytes;
    case Stage::kName:
      return kNameText + kTagBytes;
    case Stage::kProof:
      return kTagBytes;
    case Stage::kDone:
    case Stage::kRefused:
      break;
  }
  return 0;
}

Result<Buffer> ServerHandshake::take(Bytes message) {
  HF_ASSERT(message.size() == wanted() && wanted() > 0, "the driver brings what is wanted");
  if (stage_ == Stage::kHello) return take_hello(message);
  if (stage_ == Stage::kName) return take_name(message);
  return take_proof(message);
}

Result<Buffer> ServerHandshake::take_hello(Bytes message) {
  if (message[1] != kHandshakeVersion)
    return fail(Code::kUnsupported, "handshake version " + std::to_string(static_cast<uint8_t>(message[1])) +
                                        " is not known; use an older client");
  std::optional<Cipher> cipher = choose(static_cast<uint8_t>(message[2]) & options_.ciphers);
  if (!cipher) return fail(Code::kUnsupported, "the client offers no cipher that this server has");
  cipher_ = *cipher;
  Public client = public_bytes(message.substr(kHeadBytes));
  Key ee, es;
  if (!x25519(options_.ephemeral, client, ee) || !x25519(options_.key, client, es)) return garbled();
  Buffer answer = head(std::to_underlying(cipher_));
  answer += view(x25519_public(options_.ephemeral));
  answer += view(x25519_public(options_.key));
  transcript_.add(message);
  transcript_.add(answer);
  transcript_.mix(ee);
  transcript_.mix(es);
  Buffer tag = sealed(aead(kServerLabel), "");
  transcript_.add(tag);
  stage_ = Stage::kName;
  return answer + tag;
}

Result<Buffer> ServerHandshake::take_name(Bytes message) {
  std::optional<Buffer> text = opened(aead(kNameLabel), message);
  if (!text) return garbled();
  transcript_.add(message);
  user_ = name_in(*text);
  found_ = options_.find(user_);
  const Verifier& v = found_.verifier;
  Buffer salt(v.salt.data(), v.salt.size());
  append_le(salt, v.cost.passes);
  append_le(salt, v.cost.memory_kib);
  salt.resize(kSaltText);
  Buffer answer = sealed(aead(kSaltLabel), std::move(salt));
  transcript_.add(answer);
  stage_ = Stage::kProof;
  return answer;
}

Buffer ServerHandshake::take_proof(Bytes message) {
  Transcript unproved = transcript_;
  unproved.add(message);
  Key se;
  bool sound = x25519(options_.ephemeral, found_.verifier.key, se);
  transcript_.mix(se);
  Buffer right = sealed(aead(kProofLabel), "");
  transcript_.add(message);
  bool proved = equal(right, message) && sound && found_.known;
  Buffer text(1, static_cast<char>(std::to_underlying(found_.role)));
  text.resize(kWelcomeText);
  if (!proved) {
    std::ranges::fill(text, '\0');
    stage_ = Stage::kRefused;
    return sealed({cipher_, options_.unit, unproved.key(kRefusalLabel)}, std::move(text));
  }
  Buffer answer = sealed(aead(kWelcomeLabel), std::move(text));
  transcript_.add(answer);
  stage_ = Stage::kDone;
  return answer;
}

FrameKeys ServerHandshake::keys() const {
  return {.style = FrameStyle::kOwn, .send = aead(kToClientLabel), .receive = aead(kToServerLabel)};
}

// --- The client's side.

Buffer ClientHandshake::hello() {
  Buffer out = head(options_.ciphers);
  out += view(x25519_public(options_.ephemeral));
  transcript_.add(out);
  return out;
}

size_t ClientHandshake::wanted() const {
  switch (stage_) {
    case Stage::kServer:
      return kServerBytes;
    case Stage::kSalt:
      return kSaltText + kTagBytes;
    case Stage::kWelcome:
      return kWelcomeText + kTagBytes;
    case Stage::kDone:
      break;
  }
  return 0;
}

Result<Buffer> ClientHandshake::take(Bytes message) {
  HF_ASSERT(message.size() == wanted() && wanted() > 0, "the driver brings what is wanted");
  if (stage_ == Stage::kServer) return take_server(message);
  if (stage_ == Stage::kSalt) return take_salt(message);
  return take_welcome(message);
}

Result<Buffer> ClientHandshake::take_server(Bytes message) {
  if (message[0] != kHandshakeMark || message[1] != kHandshakeVersion)
    return fail(Code::kUnsupported, "the server speaks another version of the handshake; use a client of its age");
  auto chosen = static_cast<uint8_t>(message[2]);
  std::optional<Cipher> cipher = choose(chosen & options_.ciphers);
  if (!cipher || std::to_underlying(*cipher) != chosen) return garbled();
  cipher_ = *cipher;
  server_ = public_bytes(message.substr(kHeadBytes, kPublicBytes));
  Public lasting = public_bytes(message.substr(kHeadBytes + kPublicBytes, kPublicBytes));
  Key ee, es;
  if (!x25519(options_.ephemeral, server_, ee) || !x25519(options_.ephemeral, lasting, es)) return garbled();
  Bytes tag = message.substr(kServerBytes - kTagBytes);
  transcript_.add(message.substr(0, kServerBytes - kTagBytes));
  transcript_.mix(ee);
  transcript_.mix(es);
  if (!equal(sealed(aead(kServerLabel), ""), tag)) return garbled();
  HF_CHECK_OK(options_.trust(lasting));
  transcript_.add(tag);
  Buffer text(1, static_cast<char>(options_.user.size()));
  text += options_.user;
  text.resize(kNameText);
  Buffer answer = sealed(aead(kNameLabel), std::move(text));
  transcript_.add(answer);
  stage_ = Stage::kSalt;
  return answer;
}

Result<Buffer> ClientHandshake::take_salt(Bytes message) {
  std::optional<Buffer> text = opened(aead(kSaltLabel), message);
  if (!text) return garbled();
  transcript_.add(message);
  ByteReader in(*text);
  Bytes salt = in.take(kSaltBytes);
  PasswordCost cost{.passes = in.le<uint32_t>(), .memory_kib = in.le<uint32_t>()};
  if (!within(cost, options_.least, options_.most))
    return fail(Code::kAuth,
                "the server asks to hash the password with " + std::to_string(cost.passes) + " passes over " +
                    std::to_string(cost.memory_kib) +
                    " KiB, which is outside of what this client does; it may not be the server that it says it is");
  HF_TRY(key, options_.derive(salt, cost));
  unproved_ = transcript_;
  Key se;
  if (!x25519(key, server_, se)) return garbled();
  transcript_.mix(se);
  Buffer answer = sealed(aead(kProofLabel), "");
  transcript_.add(answer);
  unproved_.add(answer);
  stage_ = Stage::kWelcome;
  return answer;
}

Result<Buffer> ClientHandshake::take_welcome(Bytes message) {
  std::optional<Buffer> text = opened(aead(kWelcomeLabel), message);
  if (!text) {
    bool told = opened({cipher_, options_.unit, unproved_.key(kRefusalLabel)}, message).has_value();
    return told ? Result<Buffer>(fail(Code::kAuth, std::string(kWrong))) : garbled();
  }
  transcript_.add(message);
  role_ = static_cast<Role>((*text)[0]);
  if (role_ != Role::kReadOnly && role_ != Role::kReadWrite)
    return fail(Code::kUnsupported,
                "the server gives this user a role that this client does not know; use a client of its age");
  stage_ = Stage::kDone;
  return Buffer();
}

FrameKeys ClientHandshake::keys() const {
  return {.style = FrameStyle::kOwn, .send = aead(kToServerLabel), .receive = aead(kToClientLabel)};
}

}  // namespace holdfast::wire
