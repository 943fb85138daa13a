#include "server/access.h"

#include <fmt/format.h>

#include "io/base/probe.h"

namespace holdfast::server {
namespace {

bool manages_users(wire::Op op) { return op >= wire::Op::kUserAdd && op <= wire::Op::kUserList; }

}  // namespace

bool changes_something(wire::Op op) {
  switch (op) {
    case wire::Op::kBatch:
    case wire::Op::kBeginTx:
    case wire::Op::kTxCommit:
    case wire::Op::kTxRollback:
      return false;
    default:
      break;
  }
  if (op == wire::Op::kUserList) return true;  // managing users is one thing
  const wire::OpInfo* known = wire::info(op);
  return known && known->effect != wire::Effect::kReads;
}

Access Access::open(From from) {
  Access out;
  out.from_ = from;
  out.kind_ = Kind::kOpen;
  out.role_ = wire::Role::kReadWrite;
  return out;
}

Access Access::greeting() {
  Access out;
  out.kind_ = Kind::kGreeting;
  return out;
}

Access Access::revoked() {
  Access out;
  out.kind_ = Kind::kRevoked;
  return out;
}

Access Access::user(std::string name, wire::Role role) {
  Access out;
  out.kind_ = Kind::kUser;
  out.role_ = role;
  out.name_ = std::move(name);
  return out;
}

Access Access::psk(std::string name, const wire::Secret<64>& token) {
  Access out = user(std::move(name), wire::Role::kReadWrite);
  out.kind_ = Kind::kPsk;
  out.token_ = token;
  return out;
}

Result<> Access::may(const wire::Request& request) const {
  constexpr std::string_view kLogIn =
      "this server has users, and this connection is not encrypted; connect with a user name and a password (holdfast "
      "--user NAME)";
  switch (kind_) {
    case Kind::kNobody:
      return fail(Code::kAuth, std::string(kLogIn));
    case Kind::kRevoked:
      return fail(Code::kAuth, "this user was removed or changed; connect again");
    case Kind::kGreeting:
      if (request.op != wire::Op::kHello && request.op != wire::Op::kPing)
        return fail(Code::kAuth, std::string(kLogIn));
      break;
    case Kind::kOpen:
      if (!request.auth.empty())
        return fail(Code::kUnsupported,
                    "this server has no credentials to check; connect without user name and password");
      if (manages_users(request.op) && from_ == From::kElsewhere)
        return fail(Code::kAuth,
                    "the first user is made on the server's machine, where nobody listens; then connect as that user");
      break;
    case Kind::kPsk:
      if (!wire::equal(request.auth, token_))
        return fail(Code::kAuth, "the request's auth is missing, or is not that of this connection's user");
      break;
    case Kind::kUser:
      break;
  }
  if (role_ == wire::Role::kReadOnly && kind_ == Kind::kUser && changes_something(request.op) &&
      !MUTANT("read-only-may-write"))
    return fail(Code::kReadOnly,
                fmt::format("{} may only read; {}, as any change, is for users of role read-write", name_, wire::name(request.op)));
  return {};
}

}  // namespace holdfast::server
