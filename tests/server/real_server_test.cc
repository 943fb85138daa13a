// The whole server on the production host: several cores, real sockets, a real directory, the client library.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "client/client.h"
#include "io/real/real_host.h"
#include "server/server.h"

namespace holdfast::test {
namespace {

constexpr uint16_t kCores = 3;
constexpr int kDocuments = 60;

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern = std::string(HOLDFAST_TEST_SCRATCH) + "/server.XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Buffer document(uint16_t core, int n) {
  Buffer out;
  msgpack::Writer(out)
      .map(3)
      .string("_id")
      .string(std::to_string(core) + "/" + std::to_string(n))
      .string("core")
      .uint(core)
      .string("n")
      .uint(0);
  return out;
}

// Inserts, reads, updates, deletes, from a client of its own.
io::Task<bool> use(io::Host& host, io::Endpoint server, uint16_t core) {
  client::Client client(host, {.server = server});
  client::Collection all = client.collection("all");
  for (int n = 0; n < kDocuments; ++n) {
    auto inserted = co_await all.insert_one(document(core, n));
    EXPECT_TRUE(inserted) << inserted.error().text();
    auto found = co_await all.find_by_id(std::to_string(core) + "/" + std::to_string(n));
    EXPECT_TRUE(found && found->value == document(core, n));
    if (n % 3 == 0) {
      Buffer filter, update;
      msgpack::Writer(filter).map(1).string("_id").string(std::to_string(core) + "/" + std::to_string(n));
      msgpack::Writer(update).map(1).string("$inc").map(1).string("n").uint(1);
      auto updated = co_await all.update_one(filter, update);
      EXPECT_TRUE(updated && updated->value.modified == 1);
      if (n % 2 == 0) {
        auto deleted = co_await all.delete_one(filter);
        EXPECT_TRUE(deleted && deleted->value == 1);
      }
    }
    if (n % 20 == 0) {
      auto stats = co_await client.stats();
      EXPECT_TRUE(stats);
    }
  }
  co_await client.close();
  co_return true;
}

io::Task<void> use_from(io::Host& host, io::Endpoint server, CoreId core) {
  auto make = [&host, server, core] { return use(host, server, core.value); };
  co_await io::call_on<bool>(host.cores, core, make);
}

io::Task<uint64_t> count(io::Host& host, io::Endpoint server) {
  client::Client client(host, {.server = server});
  auto counted = co_await client.collection("all").count();
  EXPECT_TRUE(counted);
  co_await client.close();
  co_return counted ? counted->value : 0;
}

io::Task<void> serve_once(io::Host& host, std::string directory, bool first, std::unique_ptr<server::Server>& server) {
  server::Config config;
  config.engine.data_path = directory + "/data";
  config.engine.shard_count = first ? std::optional<uint16_t>(8) : std::nullopt;
  config.engine.checkpoint_bytes = 64 << 10;
  config.listen.port = 0;
  auto started = co_await server::Server::start(host, config);
  EXPECT_TRUE(started) << started.error().text();
  if (!started) co_return;
  server = std::move(*started);
  io::Endpoint address = server->address();
  if (first) {
    io::TaskGroup users(co_await io::this_executor());
    for (uint16_t core = 0; core < kCores; ++core) users.spawn(use_from(host, address, CoreId(core)));
    co_await users.drained();
  }
  EXPECT_EQ(co_await count(host, address), uint64_t{kCores * kDocuments * 5 / 6});
  auto stopped = co_await server->stop();
  EXPECT_TRUE(stopped) << stopped.error().text();
}

TEST(RealServer, ServesFromSeveralCoresAndKeepsWhatItWasTold) {
  ScratchDirectory scratch;
  for (bool first : {true, false}) {
    std::unique_ptr<server::Server> server;  // outlives the host's tasks
    real::RealHost host({.cores = kCores, .log_level = io::Level::kWarning});
    host.run(serve_once(host.host(), scratch.path(), first, server));
  }
}

TEST(RealServer, RefusesADirectoryThatIsInUse) {
  ScratchDirectory scratch;
  std::unique_ptr<server::Server> server;
  real::RealHost host({.cores = 1, .log_level = io::Level::kWarning});
  auto twice = [](io::Host& h, std::string directory, std::unique_ptr<server::Server>& s) -> io::Task<void> {
    server::Config config;
    config.engine.data_path = directory + "/data";
    config.listen.port = 0;
    auto first = co_await server::Server::start(h, config);
    EXPECT_TRUE(first);
    if (!first) co_return;
    s = std::move(*first);
    auto second = co_await server::Server::start(h, config);
    EXPECT_FALSE(second);
    if (!second) EXPECT_EQ(second.error().code, Code::kLocked);
    EXPECT_TRUE(co_await s->stop());
  };
  host.run(twice(host.host(), scratch.path(), server));
}

}  // namespace
}  // namespace holdfast::test
