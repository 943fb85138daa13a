#include "chaos/workload/accounts.h"

#include <fmt/core.h>

#include <algorithm>

#include "chaos/workload/pause.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

using Kind = UserModel::Operation::Kind;
using wire::Op;

/// Operations without an answer that a user may have: with more there are too many ways in which it can have gone.
constexpr size_t kUnderWayMax = 5;

std::string name_of(uint64_t n) { return fmt::format("user{}", n); }
wire::SecretText password_of(uint64_t n) { return wire::SecretText(fmt::format("password {}", n)); }

Buffer args_of(const std::string& user, const UserModel::Operation& o, Rng& random) {
  Buffer out;
  msgpack::Writer w(out);
  if (o.kind == Kind::kRemove) {
    w.map(1).string("name").string(user);
    return out;
  }
  w.map(o.kind == Kind::kAdd ? 6 : 5).string("name").string(user);
  if (o.kind == Kind::kAdd) w.string("role").string(o.may_write ? "read-write" : "read-only");
  std::array<char, wire::kSaltBytes> salt;
  for (char& c : salt) c = static_cast<char>(random.below(256));
  Bytes seen(salt.data(), salt.size());
  auto verifier = wire::make_verifier(password_of(o.password), seen, wire::kLeastCost);
  w.string("passes").uint(wire::kLeastCost.passes).string("memory_kib").uint(wire::kLeastCost.memory_kib);
  w.string("salt").binary(seen).string("key").binary(wire::view(verifier->key));
  return out;
}

}  // namespace

struct Accounts::Session {
  Session(io::Host& h, client::Options options, Rng stream) : host(h), client(h, std::move(options)), random(stream) {}
  io::Host& host;
  client::Client client;
  Rng random;
};

client::LoginOptions Accounts::login(std::string user, uint64_t password) const {
  client::LoginOptions out = options_.manager;
  out.user = std::move(user);
  out.password = password_of(password);
  return out;
}

/// Sent once: what is sent again may be done twice, with another change between.
io::Task<void> Accounts::change(Session& s, std::string user) {
  static constexpr Kind kKinds[] = {Kind::kAdd, Kind::kAdd, Kind::kPasswd, Kind::kPasswd, Kind::kRemove};
  Operation o{.kind = kKinds[s.random.below(std::size(kKinds))]};
  if (o.kind != Kind::kRemove) passwords_[user].push_back(o.password = ++last_password_);
  if (o.kind == Kind::kAdd) o.may_write = s.random.below(2) == 0;
  Op op = o.kind == Kind::kAdd ? Op::kUserAdd : o.kind == Kind::kPasswd ? Op::kUserPasswd : Op::kUserRemove;
  Buffer args = args_of(user, o, s.random);
  OperationId id = users_.invoke(user, o);
  auto done =
      co_await s.client.call({.op = op, .collection = "", .args = std::move(args), .resend = client::Resend::kNever});
  if (done) {
    ++changes_;
    co_return users_.answer(id, {.done = true});
  }
  if (ledger_.tell) ledger_.tell("a change of users failed: " + done.error().text());
  switch (done.error().code) {
    case Code::kDuplicateKey:
    case Code::kNotFound:
      co_return users_.answer(id, {.done = false});
    case Code::kUnknownOutcome:
    case Code::kInternal:
      co_return users_.abandoned(id);
    case Code::kBadRequest:
      ledger_.violation("a change of users that is well formed was refused: " + done.error().text());
      [[fallthrough]];
    default:
      co_return users_.refused(id);
  }
}

/// False: nobody said.
io::Task<bool> Accounts::log_in(io::Host& host, std::string user, uint64_t password) {
  OperationId id = users_.invoke(user, {.kind = Kind::kLogIn, .password = password});
  client::Client client(host, {.server = options_.server,
                               .login = login(user, password),
                               .connections = 1,
                               .timeout = options_.timeout,
                               .max_attempts = 3});
  auto in = co_await client.list_collections("");
  co_await client.close();
  bool turned_away = !in && in.error().code == Code::kAuth && calm_;
  if (in || turned_away)
    users_.answer(id, {.done = in.has_value()});
  else
    users_.refused(id);
  co_return in || turned_away;
}

io::Task<bool> Accounts::list(client::Client& client) {
  std::vector<OperationId> ids;
  for (uint64_t n = 0; n < options_.users; ++n) ids.push_back(users_.invoke(name_of(n), {}));
  auto all = co_await client.list_users();
  for (uint64_t n = 0; n < options_.users; ++n) {
    if (!all) {
      users_.refused(ids[n]);
      continue;
    }
    auto is = std::ranges::find(all->value, name_of(n), &client::Client::UserInfo::name);
    bool there = is != all->value.end();
    users_.answer(ids[n], {.done = there, .may_write = there && is->role == "read-write"});
  }
  co_return all.has_value();
}

io::Task<void> Accounts::step(Session& s) {
  std::string user = name_of(s.random.below(options_.users));
  if (users_.under_way(user) >= kUnderWayMax) co_return;
  switch (s.random.below(5)) {
    case 0:
    case 1:
      co_return co_await change(s, user);
    case 2:
      co_await list(s.client);
      co_return;
    default: {
      // Mostly one of the last.
      const std::vector<uint64_t>& all = passwords_[user];
      if (all.empty()) co_return;
      size_t back = s.random.below(std::min<size_t>(all.size(), 3));
      co_await log_in(s.host, user, all[all.size() - 1 - back]);
    }
  }
}

io::Task<void> Accounts::run_client(io::Host& host, int index) {
  client::Options options{.server = options_.server,
                          .login = options_.manager,
                          .connections = 2,
                          .timeout = options_.timeout,
                          .connect_timeout = options_.timeout,
                          .max_attempts = 4};
  Session s(host, options, random_.fork(fmt::format("accounts {}", index)));
  for (uint64_t n = 0; n < options_.operations; ++n) {
    co_await step(s);
    co_await io::sleep_for(drawn_pause(s.random, options_.pause_max));
  }
  co_await s.client.close();
}

io::Task<bool> Accounts::verify(io::Host& host) {
  calm_ = true;
  client::Client client(host, {.server = options_.server,
                               .login = options_.manager,
                               .connections = 1,
                               .timeout = seconds(30),
                               .max_attempts = 20});
  bool all = co_await list(client);
  co_await client.close();
  const auto passwords = passwords_;
  for (const auto& [user, of] : passwords)
    for (uint64_t password : of) all = co_await log_in(host, user, password) && all;
  co_return all;
}

}  // namespace holdfast::chaos
