#include "client/core.h"
#include "client/exchange.h"

namespace holdfast::client {
namespace {

/// The pairs of a new password, appended: four.
Result<> write_verifier(Buffer& out, Core& core, const wire::SecretText& password, wire::PasswordCost cost) {
  std::array<char, wire::kSaltBytes> salt;
  core.entropy(salt);
  HF_TRY(verifier, wire::make_verifier(password, Bytes(salt.data(), salt.size()), cost));
  msgpack::Writer w(out);
  w.string("passes").uint(cost.passes).string("memory_kib").uint(cost.memory_kib);
  w.string("salt").binary(Bytes(salt.data(), salt.size())).string("key").binary(wire::view(verifier.key));
  return {};
}

Result<std::string> text_field(Bytes map, std::string_view key) {
  HF_TRY(value, field(map, key, msgpack::Kind::kString));
  return std::string(value.bytes);
}

Result<Client::UserInfo> read_user(Bytes user) {
  HF_TRY(name, text_field(user, "name"));
  HF_TRY(role, text_field(user, "role"));
  HF_TRY(kept, text_field(user, "kept"));
  return Client::UserInfo{.name = std::move(name), .role = std::move(role), .kept = std::move(kept)};
}

}  // namespace

io::Task<Result<Stamp>> Client::add_user(std::string name, wire::SecretText password, wire::Role role,
                                         wire::PasswordCost cost) {
  Buffer args;
  msgpack::Writer(args).map(6).string("name").string(name).string("role").string(wire::name(role));
  HF_CO_CHECK_OK(write_verifier(args, *core_, password, cost));
  HF_CO_TRY(answer, co_await core_->call({.op = wire::Op::kUserAdd, .args = std::move(args)}));
  co_return answer;
}

io::Task<Result<Stamp>> Client::change_password(std::string name, wire::SecretText password, wire::PasswordCost cost) {
  Buffer args;
  msgpack::Writer(args).map(5).string("name").string(name);
  HF_CO_CHECK_OK(write_verifier(args, *core_, password, cost));
  HF_CO_TRY(answer, co_await core_->call({.op = wire::Op::kUserPasswd, .args = std::move(args)}));
  co_return answer;
}

io::Task<Result<Stamp>> Client::remove_user(std::string name) {
  Buffer args;
  msgpack::Writer(args).map(1).string("name").string(name);
  HF_CO_TRY(answer, co_await core_->call({.op = wire::Op::kUserRemove, .args = std::move(args)}));
  co_return answer;
}

io::Task<Result<Answer<std::vector<Client::UserInfo>>>> Client::list_users() {
  HF_CO_TRY(answer, co_await core_->call({.op = wire::Op::kUserList}));
  Answer<std::vector<UserInfo>> out{answer, {}};
  msgpack::Cursor in(answer.value);
  msgpack::Value head;
  if (!in.next(head) || head.kind != msgpack::Kind::kArray) co_return not_as_described("the list of users");
  for (uint32_t i = 0; i < head.count; ++i) {
    HF_CO_TRY(user, read_user(in.raw()));
    out.value.push_back(std::move(user));
  }
  co_return out;
}

}  // namespace holdfast::client
