#include "server/logins.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/base/probe.h"

namespace holdfast::server {
namespace {

bool writes(const User& u) { return u.role == wire::Role::kReadWrite; }

/// Without anybody of that role a server takes no writes for good, and nobody can change who there is.
Result<> check_somebody_writes(const UserChange& change, const Logins& before, const Logins& after) {
  if (after.somebody_writes()) return {};
  std::string_view name = change.user.name;
  if (change.kind == UserChange::Kind::kRemove && before.somebody_writes())
    return fail(Code::kBadRequest,
                fmt::format("{} is the last user of role read-write, and without one nobody could write or manage "
                            "users; add another first, or remove {} while a server runs that has --username",
                            name, name));
  if (change.kind == UserChange::Kind::kAdd)
    return fail(
        Code::kBadRequest,
        fmt::format("{} may only read, and there is no user of role read-write, so nobody could write or manage "
                    "users; add one of role read-write first, or add {} while a server runs that has --username",
                    name, name));
  return {};
}

Result<> change_users(const UserChange& change, Users& users) {
  switch (change.kind) {
    case UserChange::Kind::kAdd:
      return users.add(change.user);
    case UserChange::Kind::kPasswd:
      if (MUTANT("old-password-stays") && users.look_up(change.user.name)) return {};
      return users.change(change.user.name, change.user.verifier);
    case UserChange::Kind::kRemove:
      break;
  }
  return users.remove(change.user.name);
}

}  // namespace

bool Logins::somebody_writes() const { return psk || (users && std::ranges::any_of(users->all(), writes)); }

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
  Logins changed = logins;
  HF_CHECK_OK(change_users(change, *changed.users));
  HF_CHECK_OK(check_somebody_writes(change, logins, changed));
  logins = std::move(changed);
  return {};
}

}  // namespace holdfast::server
