#include "chaos/workload/strangers.h"

#include <fmt/format.h>

#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

constexpr const char* kCollection = "strangers";

Buffer document(uint64_t number) {
  Buffer out;
  msgpack::Writer(out).map(1).string("_id").uint(number);
  return out;
}

}  // namespace

io::Task<void> Strangers::run_client(io::Host& host, int index) {
  Rng own = random_.fork(fmt::format("stranger {}", index));
  for (uint64_t n = 0; n < options_.attempts; ++n) {
    co_await io::sleep_for(milliseconds(static_cast<int64_t>(own.below(400))));
    uint64_t number = static_cast<uint64_t>(index) * 1000 + n;
    client::LoginOptions login = options_.writer;
    switch (own.below(4)) {
      case 0:
        co_await attempt(host, std::nullopt, number);
        continue;
      case 1:
        login.password = wire::SecretText("a guess");
        break;
      case 2:
        login.user = "nobody";
        break;
      case 3:
        login = options_.reader;
        break;
    }
    co_await attempt(host, login, number);
  }
}

io::Task<void> Strangers::attempt(io::Host& host, std::optional<client::LoginOptions> login, uint64_t number) {
  ++attempts_;
  bool reads = login && login->user == options_.reader.user;
  client::Client client(host, {.server = options_.server,
                               .login = std::move(login),
                               .connections = 1,
                               .timeout = options_.timeout,
                               .max_attempts = 2});
  (void)co_await client.collection(kCollection).insert_one(document(number));
  auto seen = co_await client.collection("docs").find("\x80", {.limit = 3});
  if (seen && seen->value.size() > 0 && !reads) ledger_.violation("somebody who did not log in was shown documents");
  co_await client.close();
}

io::Task<bool> Strangers::verify(io::Host& host) {
  client::Client client(host, {.server = options_.server,
                               .login = options_.writer,
                               .connections = 1,
                               .timeout = seconds(30),
                               .max_attempts = 20});
  auto left = co_await client.collection(kCollection).count();
  co_await client.close();
  if (left && left->value > 0) ledger_.violation(fmt::format("{} documents were inserted by who may not", left->value));
  co_return left.has_value();
}

}  // namespace holdfast::chaos
