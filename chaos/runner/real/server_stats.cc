#include "chaos/runner/real/server_stats.h"

#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

uint64_t number(Bytes map, std::string_view name) {
  msgpack::Value v;
  std::optional<Bytes> raw = msgpack::lookup(map, name);
  return raw && msgpack::Cursor(*raw).next(v) && v.kind == msgpack::Kind::kUint ? v.u : 0;
}

}  // namespace

io::Task<Result<ServerStats>> ask_stats(io::Host& host, uint16_t port) {
  client::Client client(host, {.server = {"127.0.0.1", port}, .connections = 1, .timeout = seconds(600), .connect_timeout = seconds(60)});
  auto answer = co_await client.stats();
  co_await client.close();
  if (!answer) co_return fail(answer);
  Bytes map = answer->value;
  co_return ServerStats{Lsn(number(map, "lsn")), Lsn(number(map, "checkpoint_lsn")), number(map, "checkpoints")};
}

}  // namespace holdfast::chaos
