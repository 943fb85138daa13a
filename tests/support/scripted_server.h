// A server led by a test's own function, request by request, and a client that talks to it: for tests of the client.
#pragma once

#include <gtest/gtest.h>

#include "client/client.h"
#include "io/wire/args.h"
#include "io/wire/reply.h"
#include "io/wire/request.h"
#include "tests/support/loop_network.h"

namespace holdfast::client {

using test::LoopConnection;
using wire::Op;

inline Buffer map1(std::string_view key, uint64_t value) {
  Buffer b;
  msgpack::Writer(b).map(1).string(key).uint(value);
  return b;
}

/// A request as the server got it, owned.
struct Seen {
  uint64_t id;
  Op op;
  std::string collection, database;
  Buffer args;
  uint64_t session = 0, number = 0, answered = 0, attempt = 0;
};

/// The server's side of one connection, led by hand.
struct Peer {
  std::unique_ptr<LoopConnection> connection;
  wire::FrameReader reader;
  uint64_t next_lsn = 100;

  io::Task<std::optional<Seen>> receive() {
    for (;;) {
      auto payload = reader.next();
      if (payload && *payload) {
        wire::Request r;
        auto parsed = wire::parse_request(**payload, r);
        EXPECT_TRUE(parsed) << parsed.error().text();
        co_return Seen{r.id, r.op, std::string(r.collection), std::string(r.database), Buffer(r.args),
                      r.session, r.number, r.answered, r.attempt};
      }
      auto n = co_await connection->read_some(reader.prepare());
      if (!n || *n == 0) co_return std::nullopt;
      reader.commit(*n);
    }
  }
  io::Task<void> send(Buffer bytes) { (void)co_await connection->write_all(bytes); }
  io::Task<void> answer(uint64_t id, Buffer result = "") {
    Buffer out;
    wire::ReplyWriter w(out, id);
    if (!result.empty()) w.result().raw(result);
    w.end({Lsn(next_lsn++), Lsn(7)});
    co_await send(std::move(out));
  }
  io::Task<void> refuse(uint64_t id, Error error) {
    Buffer out;
    wire::ReplyWriter w(out, id);
    w.fail(error);
    w.end({});
    co_await send(std::move(out));
  }
};

/// Decides what happens to each request: answers, breaks the connection, or keeps silent (returns true: go on with this
/// connection).
using Handler = std::function<io::Task<bool>(Peer&, Seen)>;

inline io::Task<void> serve_one(std::shared_ptr<Peer> peer, Handler& handler, std::vector<Seen>& log) {
  while (auto request = co_await peer->receive()) {
    if (request->op == Op::kHello) continue;  // goes first on every connection, and nobody waits for its answer
    log.push_back(*request);
    if (!co_await handler(*peer, *request)) break;
  }
  peer->connection->close();
}

class ClientTest : public testing::Test {
 protected:
  static io::Task<bool> echo_ok(Peer& peer, Seen request) {
    co_await peer.answer(request.id);
    co_return true;
  }

  io::Task<void> accept_all() {
    for (;;) {
      auto connection = co_await world_.network.accepted.pop();
      if (!connection) co_return;
      auto peer = std::make_shared<Peer>();
      peer->connection = std::move(*connection);
      peers_.push_back(peer);
      world_.executor.spawn(serve_one(peer, handler_, log_));
    }
  }

  /// Without sessions: what is sent again then depends on the operation.
  Client& start(Options options, Handler handler) {
    options.sessions = false;
    return start_as(std::move(options), std::move(handler));
  }
  Client& start_as(Options options, Handler handler) {
    handler_ = std::move(handler);
    world_.executor.spawn(accept_all());
    client_.emplace(world_.host, std::move(options));
    return *client_;
  }

  /// Runs a task of the client's and everything that follows from it.
  template <class T>
  T run(io::Task<T> task) {
    std::optional<T> out;
    auto keep = [](io::Task<T> inner, std::optional<T>& into) -> io::Task<void> {
      into.emplace(co_await std::move(inner));
    };
    world_.executor.spawn(keep(std::move(task), out));
    world_.executor.run();
    EXPECT_TRUE(out) << "the call never ended";
    return std::move(*out);
  }

  void run_close() {
    world_.executor.spawn(client_->close());
    world_.executor.run();
    client_.reset();
  }

  void TearDown() override {
    if (client_) {
      world_.executor.spawn(client_->close());
      world_.executor.run();
    }
  }

  test::LoopHost world_;
  Handler handler_;
  std::vector<Seen> log_;
  std::vector<std::shared_ptr<Peer>> peers_;
  std::optional<Client> client_;
};

}  // namespace holdfast::client
