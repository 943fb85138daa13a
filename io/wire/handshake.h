// Our own handshake, both sides: users by name, forward secrecy, and a server that is known by its key. What it
// promises, against whom, and every byte of it stand in server/PROTOCOL.md; the vector there is a test.
//
//     1  client -> server   0xAF, version, ciphers, 0, e_c[32]
//     2  server -> client   0xAF, version, cipher, 0, e_s[32], S[32], tag[16]     keyed by ee and es: proves S
//     3  client -> server   sealed{ length of the name, name, zeros: 64 }         whoever has not S cannot read it
//     4  server -> client   sealed{ salt[16], passes, memory: 4 LE each, zeros[8] }
//     5  client -> server   tag[16]                                               keyed by se too: proves the password
//     6  server -> client   sealed{ role, zeros[31] }                             keyed by se too; a refusal is not
//
// e_c and e_s are fresh X25519 keys, S the server's lasting one. The client's key k is Argon2id(password, salt), and
// never leaves it; the server keeps its public key as the verifier. ee = X25519(e_c, e_s), es = X25519(e_c, S),
// se = X25519(k, e_s).
//
// Pure: fed with the peer's bytes; keys come from the host's entropy, and what is known of users and servers from the
// functions that the caller passes, which run within take().
#pragma once

#include <functional>

#include "io/wire/handshake_step.h"
#include "io/wire/hkdf.h"

namespace holdfast::wire {

/// First byte of our own handshake; as a length it would be over every limit.
inline constexpr char kHandshakeMark = '\xAF';
inline constexpr char kHandshakeVersion = 1;
inline constexpr size_t kUserNameMax = 63;

/// What a user may do. The numbers are those of message 6 and of the file of users.
enum class Role : uint8_t { kReadOnly = 1, kReadWrite = 2 };
std::string_view name(Role role);
std::optional<Role> role_of(std::string_view name);

/// 1 to kUserNameMax of A-Z a-z 0-9 _ . @ -
Result<> check_user_name(std::string_view name);

/// A server's lasting key as people pass it on: 64 hex digits.
std::string key_text(const Public& key);
/// Nothing when it is not one.
std::optional<Public> key_from_text(std::string_view text);

/// Ciphers as bits (Cipher). What a machine offers, by whether it has AES instructions: AEGIS without them is slow.
uint8_t usual_ciphers(AesUnit unit);

/// What a server keeps of a password.
struct Verifier {
  std::array<char, kSaltBytes> salt{};
  PasswordCost cost;
  Public key{};
  bool operator==(const Verifier&) const = default;
};
/// Of a password, with a salt of the host's entropy: what the side that knows the password computes. Errors: those of
/// argon2id.
Result<Verifier> make_verifier(Bytes password, Bytes salt, PasswordCost cost);

/// What both sides have said and agreed on so far, and the keys that follow from it.
class Transcript {
 public:
  Transcript();
  void add(Bytes message);
  void mix(const Key& shared);
  /// Differs with the label and with everything that was added and mixed before.
  Key key(Bytes label) const;
  const Public& hash() const { return hash_; }

 private:
  Public hash_;
  Key chain_;
};

class ServerHandshake final : public Handshake {
 public:
  /// A user; or, for a name that nobody has, something that looks the same from outside: `known` false, and a verifier
  /// that is the same every time.
  struct User {
    bool known = false;
    Verifier verifier;
    Role role = Role::kReadOnly;
  };
  using Find = std::function<User(std::string_view name)>;
  struct Options {
    Key key;        ///< the lasting one
    Key ephemeral;  ///< of the host's entropy, for this handshake alone
    uint8_t ciphers = 0;
    AesUnit unit = AesUnit::kNone;
    Find find;
  };

  explicit ServerHandshake(Options options) : options_(std::move(options)) {}
  size_t wanted() const override;
  /// Errors: kUnsupported (another version, no common cipher), kAuth (a bad key or seal), after which nothing is
  /// answered.
  Result<Buffer> take(Bytes message) override;
  FrameKeys keys() const override;

  /// What take() returned last tells the peer that its name or password is wrong; nothing is to come after it.
  bool refused() const { return stage_ == Stage::kRefused; }
  /// Once the name is known, whether it is anybody's or not.
  const std::string& user() const { return user_; }
  /// What the server knew of the user when it looked.
  const User& found() const { return found_; }

 private:
  enum class Stage : uint8_t { kHello, kName, kProof, kDone, kRefused };
  Result<Buffer> take_hello(Bytes message);
  Result<Buffer> take_name(Bytes message);
  Buffer take_proof(Bytes message);
  AeadKey aead(Bytes label) const { return {cipher_, options_.unit, transcript_.key(label)}; }

  Options options_;
  Stage stage_ = Stage::kHello;
  Transcript transcript_;
  Cipher cipher_ = Cipher::kAegis128L;
  std::string user_;
  User found_;
};

class ClientHandshake final : public Handshake {
 public:
  /// Whether the server with this lasting key is the right one; its error ends the handshake.
  using Trust = std::function<Result<>(const Public& key)>;
  /// argon2id of the user's password.
  using Derive = std::function<Result<Key>(Bytes salt, PasswordCost cost)>;
  struct Options {
    std::string user;
    Key ephemeral;  ///< of the host's entropy, for this handshake alone
    uint8_t ciphers = 0;
    AesUnit unit = AesUnit::kNone;
    PasswordCost least;  ///< a server that asks for less would make guessing cheap …
    PasswordCost most;   ///< … and one that asks for more would stop the client
    Trust trust;
    Derive derive;
  };

  /// Requires: check_user_name(options.user).
  explicit ClientHandshake(Options options) : options_(std::move(options)) {}
  /// The first message.
  Buffer hello();
  size_t wanted() const override;
  /// Errors: kAuth (a wrong name or password, a cost out of bounds), kUnreachable (bad bytes), kUnsupported, and those
  /// of `trust` and `derive`.
  Result<Buffer> take(Bytes message) override;
  FrameKeys keys() const override;
  /// Once it has succeeded.
  Role role() const { return role_; }

 private:
  enum class Stage : uint8_t { kServer, kSalt, kWelcome, kDone };
  Result<Buffer> take_server(Bytes message);
  Result<Buffer> take_salt(Bytes message);
  Result<Buffer> take_welcome(Bytes message);
  AeadKey aead(Bytes label) const { return {cipher_, options_.unit, transcript_.key(label)}; }

  Options options_;
  Stage stage_ = Stage::kServer;
  Transcript transcript_;
  Transcript unproved_;  ///< without the password
  Cipher cipher_ = Cipher::kAegis128L;
  Public server_{};  ///< e_s
  Role role_ = Role::kReadOnly;
};

}  // namespace holdfast::wire
