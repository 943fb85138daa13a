// Users that are changed while a whole server runs, on several cores: what it means for open connections, for new ones, and
// after a power loss.
#include <gtest/gtest.h>

#include "chaos/suite/guarded.h"
#include "server/server.h"
#include "sim/world.h"

namespace holdfast::test {
namespace {

constexpr uint16_t kPort = 6900;

class OnlineUsers : public testing::Test {
 protected:
  using Do = std::function<io::Task<void>(OnlineUsers&, io::Host&)>;

  OnlineUsers() : world_({.seed = 1}), server_(world_.add_node("server")) {
    config_.listen = {"server", kPort};
    config_.engine.data_path = "/data";
    config_.engine.shard_count = 2;
    config_.login.cost = wire::kLeastCost;
    config_.login.ciphers = 3;
    config_.limits.failed_login_delay = milliseconds(10);
  }

  void start_server() {
    running_.reset();
    server_.start([this](io::Host& host) { return serve(host); }, {.cores = 3});
  }
  io::Task<int> serve(io::Host& host) {
    if (auto added = co_await chaos::Guarded::add_users(host, config_); !added) co_return 1;
    auto started = co_await server::Server::start(host, config_);
    if (!started) co_return 2;
    running_ = std::move(*started);
    (void)co_await running_->wait_failed();
    co_return 0;
  }
  /// A client's life, to its end.
  void run(Do what) {
    sim::Node& node = world_.add_node("client-" + std::to_string(++clients_));
    bool ended = false;
    node.on_end = [&](sim::End, int) {
      ended = true;
      world_.stop();
    };
    node.start([this, what](io::Host& host) { return live(what, host); }, {.cores = 1});
    world_.run({.until = Duration{world_.now().ns} + seconds(600)});
    node.on_end = nullptr;
    ASSERT_TRUE(ended) << "the client waits for something that does not come";
  }
  io::Task<int> live(Do what, io::Host& host) {
    co_await what(*this, host);
    co_return 0;
  }

 public:
  client::Options as(std::string user, std::string password) {
    client::LoginOptions login{.user = std::move(user), .password = wire::SecretText(std::move(password)), .server_key = std::nullopt, .trust = {}, .least = wire::kLeastCost, .most = wire::kLeastCost, .ciphers = 3};
    return {.server = config_.listen, .login = std::move(login), .connections = 4, .timeout = seconds(20)};
  }
  client::Options writer() { return as("writer", "may write"); }

 protected:
  void TearDown() override {
    server_.on_end = nullptr;
    server_.kill(sim::End::kProcessDeath);
  }

  server::Config config_;
  sim::World world_;
  sim::Node& server_;
  std::unique_ptr<server::Server> running_;
  int clients_ = 0;
};

TEST_F(OnlineUsers, AreLetInAtOnceAndTurnedAwayAtOnce) {
  start_server();
  run([](OnlineUsers& t, io::Host& host) -> io::Task<void> {
    client::Client admin(host, t.writer());
    auto added = co_await admin.add_user("bob", wire::SecretText("one"), wire::Role::kReadWrite, wire::kLeastCost);
    EXPECT_TRUE(added) << added.error().text();
    client::Client bob(host, t.as("bob", "one"));
    // On several connections, of several cores.
    io::TaskGroup calls(co_await io::this_executor());
    for (int i = 0; i < 4; ++i)
      calls.spawn([](client::Client& c) -> io::Task<void> { EXPECT_TRUE(co_await c.flush()); }(bob));
    co_await calls.drained();
    EXPECT_TRUE(co_await admin.change_password("bob", wire::SecretText("two"), wire::kLeastCost));
    for (int i = 0; i < 4; ++i) {
      auto after = co_await bob.flush();
      EXPECT_FALSE(after);
      if (!after) EXPECT_EQ(after.error().code, Code::kAuth) << after.error().text();
    }
    client::Client again(host, t.as("bob", "two"));
    EXPECT_TRUE(co_await again.flush());
    EXPECT_TRUE(co_await admin.remove_user("bob"));
    EXPECT_FALSE(co_await again.flush());
    EXPECT_TRUE(co_await admin.flush()) << "others go on";
    auto listed = co_await admin.list_users();
    EXPECT_TRUE(listed);
    if (listed) EXPECT_EQ(listed->value.size(), 2u);
    for (client::Client* c : {&admin, &bob, &again}) co_await c->close();
  });
}

TEST_F(OnlineUsers, WhoChangesHisOwnPasswordIsToldSoAndThenLogsInAgain) {
  start_server();
  run([](OnlineUsers& t, io::Host& host) -> io::Task<void> {
    client::Client admin(host, t.writer());
    EXPECT_TRUE(co_await admin.change_password("writer", wire::SecretText("new"), wire::kLeastCost));
    EXPECT_FALSE(co_await admin.flush());
    client::Client again(host, t.as("writer", "new"));
    EXPECT_TRUE(co_await again.flush());
    co_await admin.close();
    co_await again.close();
  });
}

TEST_F(OnlineUsers, ChangesThatWereAnsweredSurviveAPowerLoss) {
  start_server();
  run([](OnlineUsers& t, io::Host& host) -> io::Task<void> {
    client::Client admin(host, t.writer());
    EXPECT_TRUE(co_await admin.add_user("bob", wire::SecretText("one"), wire::Role::kReadOnly, wire::kLeastCost));
    EXPECT_TRUE(co_await admin.remove_user("reader"));
    co_await admin.close();
  });
  server_.kill(sim::End::kPowerLoss);
  // Of what is missing add_users() makes up for "reader" alone.
  start_server();
  run([](OnlineUsers& t, io::Host& host) -> io::Task<void> {
    client::Client bob(host, t.as("bob", "one"));
    EXPECT_TRUE(co_await bob.flush());
    EXPECT_FALSE(co_await bob.remove_user("writer"));
    co_await bob.close();
  });
}

TEST_F(OnlineUsers, PlaintextFromElsewhereIsToldWhatToDo) {
  server_.connections_are_local = false;
  start_server();
  run([](OnlineUsers& t, io::Host& host) -> io::Task<void> {
    client::Client nobody(host, {.server = t.writer().server});
    auto pinged = co_await nobody.ping();
    EXPECT_FALSE(pinged);
    if (!pinged) EXPECT_TRUE(pinged.error().text().contains("connect with a user name and a password")) << pinged.error().text();
    co_await nobody.close();
  });
}

}  // namespace
}  // namespace holdfast::test
