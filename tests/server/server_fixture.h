// A server on a fake engine, in memory, with virtual time; and clients that speak in bytes.
#pragma once

#include <gtest/gtest.h>

#include "io/wire/reply.h"
#include "io/wire/request.h"
#include "server/server.h"
#include "tests/server/fake_engine.h"
#include "tests/support/loop_network.h"

namespace holdfast::test {

using wire::Op;

/// One MessagePack value, made by a function that writes it.
template <class F>
Buffer packed(F write) {
  Buffer out;
  msgpack::Writer w(out);
  write(w);
  return out;
}
inline Buffer empty_map() { return Buffer(1, '\x80'); }
inline Buffer document(std::string_view id, std::string_view text = "x") {
  return packed([&](msgpack::Writer& w) { w.map(2).string("_id").string(id).string("t").string(text); });
}
inline Buffer id_args(std::string_view id) {
  return packed([&](msgpack::Writer& w) { w.map(1).string("id").string(id); });
}
inline Buffer packed_string(std::string_view s) {
  return packed([&](msgpack::Writer& w) { w.string(s); });
}

struct Sent {
  uint64_t id = 1;
  Op op = Op::kPing;
  Buffer args = empty_map();
  std::string collection = "c";
  std::string database = "";
  bool no_reply = false;
  std::string transaction = "";
  uint64_t session = 0, number = 0, attempt = 1;
};
/// A request as a frame.
inline Buffer frame(const Sent& s) {
  Buffer out;
  wire::RequestWriter w(
      out, {.id = s.id, .op = s.op, .database = s.database, .collection = s.collection, .no_reply = s.no_reply, .transaction = s.transaction,
            .session = s.session, .number = s.number, .attempt = s.attempt});
  w.args().raw(s.args);
  HF_ASSERT(w.end(), "tests send what fits");
  return out;
}
/// Any payload as a frame.
inline Buffer framed(Bytes payload) {
  Buffer out;
  size_t start = wire::begin_frame(out);
  out += payload;
  wire::end_frame(out, start);
  return out;
}

/// A reply, or the end of the connection.
struct Got {
  bool ended = false;
  uint64_t id = 0;
  Buffer result;
  std::string error;
  Code code = Code::kInternal;
  Lsn lsn;
  Lsn durable;
  bool ok() const { return !ended && error.empty(); }
};

class RawClient {
 public:
  explicit RawClient(std::unique_ptr<io::Connection> connection) : connection_(std::move(connection)) {}

  io::Task<void> send(Buffer bytes) { (void)co_await connection_->write_all(bytes); }
  io::Task<Got> next() {
    while (true) {
      auto payload = reader_.next();
      if (payload && *payload) co_return parsed(**payload);
      auto n = co_await connection_->read_some(reader_.prepare());
      if (!n || *n == 0) co_return Got{.ended = true};
      reader_.commit(*n);
    }
  }
  io::Task<Got> ask(Sent s) {
    co_await send(frame(s));
    co_return co_await next();
  }
  LoopConnection& loop() { return static_cast<LoopConnection&>(*connection_); }
  io::Connection& connection() { return *connection_; }

 private:
  static Got parsed(Bytes payload) {
    auto r = wire::parse_reply(payload);
    EXPECT_TRUE(r) << "what the server sends is a reply";
    if (!r) return {.ended = true};
    return {.id = r->id,
            .result = Buffer(r->result),
            .error = std::string(r->error),
            .code = r->code,
            .lsn = r->lsn,
            .durable = r->durable_lsn};
  }
  std::unique_ptr<io::Connection> connection_;
  wire::FrameReader reader_{wire::kMaxReplySize};
};

class ServerTest : public testing::Test {
 public:
  using Body = io::Task<void> (*)(ServerTest& test);

  LoopHost loop;
  server::Config config;
  server::FoundUsers users;  ///< that the directory has
  FakeEngine* engine = nullptr;
  std::unique_ptr<server::Server> server;

  io::Task<std::unique_ptr<RawClient>> connect() {
    auto c = co_await loop.network.connect({}, Time::never());
    co_return std::make_unique<RawClient>(std::move(*c));
  }
  /// Lets everything happen that can without time passing.
  io::Task<void> settle() {
    for (int i = 0; i < 200; ++i) co_await io::yield();
  }

 protected:
  void start() {
    auto made = std::make_unique<FakeEngine>();
    engine = made.get();
    server = server::Server::around(std::move(made), loop.host, config, users);
    drive(listen(*this));
  }
  /// Runs a captureless coroutine against the server; starts it first when that has not been done.
  void run(Body body) {
    if (!server) start();
    drive(body(*this));
  }
  void drive(io::Task<void> task) {
    bool ended = false;
    loop.executor.spawn(mark(std::move(task), ended));
    Time give_up = loop.executor.now() + seconds(7200);
    while (!ended && loop.executor.now() < give_up) {
      loop.executor.run_ready();
      if (!ended && !loop.executor.advance()) break;
    }
    ASSERT_TRUE(ended) << "the test waits for something that does not come";
  }
  void stop() {
    drive(stop_server(*this));
    EXPECT_TRUE(engine->stopped);
    loop.executor.run_ready();
    EXPECT_EQ(loop.executor.roots(), 0u) << "a stopped server leaves no task behind";
    server.reset();
  }
  void TearDown() override {
    if (server) stop();
  }

 private:
  static io::Task<void> listen(ServerTest& t) {
    auto r = co_await t.server->listen();
    EXPECT_TRUE(r);
  }
  static io::Task<void> stop_server(ServerTest& t) {
    auto r = co_await t.server->stop();
    EXPECT_TRUE(r) << r.error().text();
  }
  static io::Task<void> mark(io::Task<void> task, bool& ended) {
    co_await std::move(task);
    ended = true;
  }
};

}  // namespace holdfast::test
