#include "server/logins.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/base/probe.h"

namespace holdfast::server {
namespace {

bool writes(const User& u) { return u.role == wire::Role::kReadWrite; }

/// Who removes the last user who may manage users locks everybody out.
Result<> check_not_last(const Logins& logins, std::string_view name) {
  const User* user = logins.users->look_up(name);
  if (!user || !writes(*user) || logins.psk || std::ranges::count_if(logins.users->all(), writes) > 1) return {};
  return fail(
      Code::kBadRequest,
      fmt::format(
          "{} is the last user of role read-write, and without one nobody could manage users; add another first",
          name));
}

}  // namespace

Access Logins::plain(From from) const {
  if (!guarded() || MUTANT("auth-not-required")) return Access::open(from);
  return from == From::kThisMachine ? Access::greeting() : Access();
}

wire::ServerHandshake::User Logins::find(std::string_view name, wire::PasswordCost usual) const {
  wire::ServerHandshake::User out = users->find(name, usual);
  if (psk && psk->name == name) out = {.known = true, .verifier = psk->verifier, .role = wire::Role::kReadWrite};
  return out;
}

bool Logins::still(std::string_view name, const wire::ServerHandshake::User& was, wire::PasswordCost usual) const {
  wire::ServerHandshake::User now = find(name, usual);
  return now.known == was.known && now.role == was.role && now.verifier == was.verifier;
}

Result<PskLogin> make_psk_login(std::string name, Bytes password, Bytes salt, wire::PasswordCost cost) {
  HF_TRY(verifier, wire::make_verifier(password, salt, cost));
  PskLogin out{.name = std::move(name), .psk = {}, .token = {}, .verifier = verifier};
  out.psk = wire::psk_of(out.name, password);
  out.token = wire::psk_token(out.psk);
  return out;
}

Result<> apply(const UserChange& change, Logins& logins) {
  const std::string& name = change.user.name;
  if (logins.psk && logins.psk->name == name)
    return fail(Code::kBadRequest,
                fmt::format("{} is the user of --username, which is not stored; change it there", name));
  switch (change.kind) {
    case UserChange::Kind::kAdd:
      return logins.users->add(change.user);
    case UserChange::Kind::kPasswd:
      return logins.users->change(name, change.user.verifier);
    case UserChange::Kind::kRemove:
      break;
  }
  HF_CHECK_OK(check_not_last(logins, name));
  return logins.users->remove(name);
}

}  // namespace holdfast::server
