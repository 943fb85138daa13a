#include "server/users.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/base/crc32c.h"

namespace holdfast::server {
namespace {

constexpr Bytes kMagic = "HFUSERS\n";
constexpr uint32_t kVersion = 1;
constexpr size_t kSealBytes = 16;
constexpr uint32_t kPassesMax = 64;
constexpr uint32_t kMemoryKibMax = 4 << 20;

using Padded = std::array<char, wire::kUserNameMax + 1>;

Padded padded(std::string_view name) {
  Padded out{};
  std::ranges::copy(name, out.begin());
  return out;
}

Bytes view(const Padded& p) { return {p.data(), p.size()}; }

auto place(std::vector<User>& users, std::string_view name) {
  return std::ranges::lower_bound(users, name, {}, [](const User& u) { return std::string_view(u.name); });
}

Error nobody(std::string_view name) {
  return {Code::kNotFound, fmt::format("there is no user {}; user list says who there is", name)};
}

std::unexpected<Error> bad(std::string_view why) { return fail(Code::kCorrupt, std::string(why)); }

Result<User> decode_user(ByteReader& in) {
  User u;
  u.name = std::string(in.take(in.le<uint8_t>()));
  auto role = in.le<uint8_t>();
  u.role = static_cast<wire::Role>(role);
  u.verifier.cost.passes = in.le<uint32_t>();
  u.verifier.cost.memory_kib = in.le<uint32_t>();
  Bytes salt = in.take(wire::kSaltBytes), key = in.take(wire::Public().size());
  if (!in.ok()) return bad("it ends within a user");
  std::ranges::copy(salt, u.verifier.salt.begin());
  u.verifier.key = wire::public_bytes(key);
  if (role != 1 && role != 2) return bad("a user has a role that does not exist");
  return u;
}

}  // namespace

Result<> check_verifier(const wire::Verifier& v) {
  if (v.cost.passes < 1 || v.cost.passes > kPassesMax || v.cost.memory_kib < wire::kLeastCost.memory_kib ||
      v.cost.memory_kib > kMemoryKibMax)
    return fail(Code::kBadRequest, fmt::format("a password is hashed with 1 to {} passes over {} to {} KiB", kPassesMax,
                                               wire::kLeastCost.memory_kib, kMemoryKibMax));
  wire::Key any, shared;
  any.bytes()[0] = 8;
  if (!wire::x25519(any, v.key, shared)) return fail(Code::kBadRequest, "this is no password's verifier");
  return {};
}

wire::ServerHandshake::User Users::find(std::string_view name, wire::PasswordCost usual) const {
  HF_ASSERT(name.size() <= wire::kUserNameMax, "the handshake cuts names");
  const Padded wanted = padded(name);
  User nobody{.name = {}, .role = wire::Role::kReadOnly, .verifier = {}};
  nobody.verifier.cost = usual;
  wire::Key salt = wire::hmac_sha256(secret_, {"salt", view(wanted)});
  std::ranges::copy(Bytes(salt).substr(0, wire::kSaltBytes), nobody.verifier.salt.begin());
  nobody.verifier.key = wire::public_bytes(wire::hmac_sha256(secret_, {"verifier", view(wanted)}));
  const User* found = &nobody;
  for (const User& u : users_) found = wire::equal(view(padded(u.name)), view(wanted)) ? &u : found;
  return {.known = found != &nobody, .verifier = found->verifier, .role = found->role};
}

const User* Users::look_up(std::string_view name) const {
  for (const User& u : users_)
    if (u.name == name) return &u;
  return nullptr;
}

Result<> Users::add(User user) {
  HF_CHECK_OK(wire::check_user_name(user.name));
  HF_CHECK_OK(check_verifier(user.verifier));
  if (look_up(user.name))
    return fail(Code::kDuplicateKey,
                fmt::format("there is a user {} already; change the password with user passwd", user.name));
  if (users_.size() >= kMax)
    return fail(Code::kOverloaded,
                fmt::format("there are {} users, which is all there is room for; remove one first", kMax));
  guarded_ = true;
  users_.insert(place(users_, user.name), std::move(user));
  return {};
}

Result<> Users::change(std::string_view name, const wire::Verifier& verifier) {
  HF_CHECK_OK(check_verifier(verifier));
  if (!look_up(name)) return std::unexpected(nobody(name));
  place(users_, name)->verifier = verifier;
  return {};
}

Result<> Users::remove(std::string_view name) {
  if (!look_up(name)) return std::unexpected(nobody(name));
  users_.erase(place(users_, name));
  return {};
}

Buffer Users::encode() const {
  Buffer out(kMagic);
  append_le(out, kVersion);
  append_le(out, uint32_t{0});
  out += static_cast<char>(guarded_ ? 1 : 0);
  out += Bytes(key_);
  out += Bytes(secret_);
  append_le(out, static_cast<uint32_t>(users_.size()));
  for (const User& u : users_) {
    out += static_cast<char>(u.name.size());
    out += u.name;
    out += static_cast<char>(std::to_underlying(u.role));
    append_le(out, u.verifier.cost.passes);
    append_le(out, u.verifier.cost.memory_kib);
    out.append(u.verifier.salt.data(), u.verifier.salt.size());
    out += wire::view(u.verifier.key);
  }
  store_le(out.data() + 12, crc32c(Bytes(out).substr(kSealBytes), crc32c(Bytes(out).substr(0, 12))));
  return out;
}

Result<Users> Users::decode(Bytes file) {
  if (file.size() < kSealBytes || !file.starts_with(kMagic)) return bad("it does not begin like one");
  ByteReader in(file.substr(kMagic.size()));
  uint32_t version = in.le<uint32_t>(), crc = in.le<uint32_t>();
  if (crc != crc32c(file.substr(kSealBytes), crc32c(file.substr(0, 12)))) return bad("its checksum is wrong");
  if (version != kVersion)
    return fail(Code::kUnsupported, fmt::format("its format {} is newer than this program; use a newer one", version));
  auto guarded = in.le<uint8_t>();
  Bytes key = in.take(wire::Key::kSize), secret = in.take(wire::Key::kSize);
  auto count = in.le<uint32_t>();
  if (!in.ok() || guarded > 1 || count > kMax || (count > 0 && guarded == 0)) return bad("its head is malformed");
  Users out{wire::Key(key), wire::Key(secret)};
  for (uint32_t i = 0; i < count; ++i) {
    HF_TRY(user, decode_user(in));
    if (!out.users_.empty() && user.name <= out.users_.back().name) return bad("its users are not in order");
    if (Result<> sound = out.add(std::move(user)); !sound) return bad("a user in it is malformed");
  }
  if (!in.rest().empty()) return bad("bytes follow its last user");
  out.guarded_ = guarded == 1;
  return out;
}

}  // namespace holdfast::server
