#include "server/operations.h"

namespace holdfast::server {
namespace {

Result<wire::Verifier> verifier_of(const wire::UserArgs& args) {
  wire::Verifier out;
  bool sizes = args.salt.size() == out.salt.size() && args.key.size() == out.key.size();
  if (!sizes || args.passes > UINT32_MAX || args.memory_kib > UINT32_MAX)
    return fail(Code::kBadRequest,
                "a new password comes as passes, memory_kib, salt (16 bytes) and key (32 bytes); see the protocol");
  out.cost = {.passes = static_cast<uint32_t>(args.passes), .memory_kib = static_cast<uint32_t>(args.memory_kib)};
  std::ranges::copy(args.salt, out.salt.begin());
  out.key = wire::public_bytes(args.key);
  return out;
}

Result<UserChange> change_of(UserChange::Kind kind, Bytes args) {
  HF_TRY(asked, wire::parse_user(args));
  HF_CHECK_OK(wire::check_user_name(asked.name));
  UserChange out{.kind = kind, .user = {.name = std::string(asked.name)}};
  if (kind == UserChange::Kind::kRemove) return out;
  HF_TRY(verifier, verifier_of(asked));
  out.user.verifier = verifier;
  if (kind == UserChange::Kind::kPasswd) return out;
  std::optional<wire::Role> role = wire::role_of(asked.role);
  if (!role) return fail(Code::kBadRequest, "role must be read-only or read-write");
  out.user.role = *role;
  return out;
}

io::Task<void> change(Call& call, UserChange::Kind kind) {
  Result<UserChange> wanted = change_of(kind, call.request.args);
  if (!wanted) co_return call.fail(wanted.error());
  Result<> done = co_await call.core.change_users(std::move(*wanted));
  if (!done) co_return call.fail(done.error());
  call.ok(call.engine().committed_lsn());
}

}  // namespace

io::Task<void> user_add(Call& call) { co_await change(call, UserChange::Kind::kAdd); }
io::Task<void> user_remove(Call& call) { co_await change(call, UserChange::Kind::kRemove); }
io::Task<void> user_passwd(Call& call) { co_await change(call, UserChange::Kind::kPasswd); }

io::Task<void> user_list(Call& call) {
  const Logins& logins = call.core.logins;
  call.answer(call.engine().committed_lsn(), [&](wire::ReplyWriter& reply) {
    uint32_t stored = logins.users ? static_cast<uint32_t>(logins.users->all().size()) : 0;
    msgpack::Writer out = reply.result();
    out.array(stored + (logins.psk ? 1 : 0));
    auto write = [&](std::string_view name, wire::Role role, std::string_view where) {
      out.map(3).string("name").string(name).string("role").string(wire::name(role)).string("kept").string(where);
    };
    if (logins.psk) write(logins.psk->name, wire::Role::kReadWrite, "--username");
    if (stored > 0)
      for (const User& u : logins.users->all()) write(u.name, u.role, "stored");
  });
  co_return;
}

}  // namespace holdfast::server
