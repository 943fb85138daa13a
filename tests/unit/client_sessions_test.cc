// What the client makes of sessions: numbers, sending changes again, sessions that are gone.
#include <fmt/core.h>

#include "tests/support/scripted_server.h"

namespace holdfast::client {
namespace {

class SessionsTest : public ClientTest {
 public:
  /// What the server does with a change: answers it, breaks the connection, or refuses it.
  using Do = std::function<std::optional<Error>(const Seen&, bool& breaks)>;

  Client& start_server(Do what, Options options = {}) {
    options.connections = 1;
    do_ = std::move(what);
    return start_as(std::move(options), [this](Peer& peer, Seen request) { return serve(peer, std::move(request)); });
  }

  io::Task<bool> serve(Peer& peer, Seen request) {
    if (request.op == Op::kOpenSession) {
      co_await peer.answer(request.id, map1("session", ++sessions_ * 100));
      co_return true;
    }
    bool breaks = false;
    std::optional<Error> error = do_(request, breaks);
    if (breaks) co_return false;
    if (error)
      co_await peer.refuse(request.id, *error);
    else
      co_await peer.answer(request.id, request.op == Op::kUpdateOne ? updated() : Buffer());
    co_return true;
  }

  static Buffer updated() {
    Buffer b;
    msgpack::Writer(b).map(2).string("matched").uint(1).string("modified").uint(1);
    return b;
  }
  static std::optional<Error> fine(const Seen&, bool&) { return std::nullopt; }

  Result<Answer<Updated>> update(Client& c) { return run(c.collection("things").update_one("\x80", map1("$inc", 1))); }
  /// "operation session.number.attempt answered", for each that the server has seen.
  std::vector<std::string> seen() const {
    std::vector<std::string> out;
    for (const Seen& s : log_)
      out.push_back(s.session == 0 ? std::string(wire::name(s.op))
                                   : fmt::format("{} {}.{}.{} {}", wire::name(s.op), s.session, s.number, s.attempt, s.answered));
    return out;
  }

  uint64_t sessions_ = 0;
  Do do_;
};

using Words = std::vector<std::string>;

TEST_F(SessionsTest, ChangesHaveNumbersReadsHaveNone) {
  Client& c = start_server(fine);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(update(c));
  EXPECT_TRUE(run(c.ping()));
  EXPECT_TRUE(run(c.collection("things").insert_one(map1("_id", 1))));
  EXPECT_EQ(seen(), (Words{"open_session", "update_one 100.1.1 0", "update_one 100.2.1 1", "ping", "insert_one 100.3.1 2"}));
  run_close();
  EXPECT_EQ(seen().back(), "close_session");
}

TEST_F(SessionsTest, ALostChangeIsSentAgainUnderItsNumber) {
  Client& c = start_server([n = 0](const Seen& s, bool& breaks) mutable -> std::optional<Error> {
    breaks = s.op == Op::kUpdateOne && n++ < 2;
    return std::nullopt;
  });
  auto r = update(c);
  ASSERT_TRUE(r) << r.error().text();
  EXPECT_EQ(r->value.modified, 1u);
  EXPECT_EQ(seen(), (Words{"open_session", "update_one 100.1.1 0", "update_one 100.1.2 0", "update_one 100.1.3 0"}));
}

TEST_F(SessionsTest, AnErrorAfterALostAttemptIsTheOutcome) {
  Client& c = start_server([n = 0](const Seen&, bool& breaks) mutable -> std::optional<Error> {
    breaks = n++ == 0;
    return Error{Code::kDuplicateKey, "E11000"};
  });
  EXPECT_EQ(update(c).error().code, Code::kDuplicateKey) << "the server would have known if the first had happened";
}

TEST_F(SessionsTest, ASessionThatIsGoneIsOpenedAnewUnlessSomethingWasLostInIt) {
  bool lose = false;
  Client& c = start_server([&lose, n = 0](const Seen& s, bool& breaks) mutable -> std::optional<Error> {
    breaks = lose && s.attempt == 1;
    if (s.session == 100 && n++ > 0) return Error{Code::kSessionUnknown, "gone"};
    if (lose) return Error{Code::kSessionUnknown, "gone"};
    return std::nullopt;
  });
  EXPECT_TRUE(update(c));
  EXPECT_TRUE(update(c)) << "nothing of it was executed: it is asked in another session";
  EXPECT_EQ(seen(), (Words{"open_session", "update_one 100.1.1 0", "update_one 100.2.1 1", "open_session", "update_one 200.1.1 0"}));
  lose = true;
  auto lost = update(c);
  EXPECT_EQ(lost.error().code, Code::kUnknownOutcome);
  EXPECT_TRUE(lost.error().message.contains("request 2 of session 200")) << lost.error().message;
  run_close();
}

TEST_F(SessionsTest, AnUnknownOutcomeEndsTheSessionSoThatItCanBeAskedLater) {
  bool silent = true;
  Client& c = start_server(
      [&silent](const Seen&, bool& breaks) -> std::optional<Error> {
        breaks = silent;
        return std::nullopt;
      },
      {.max_attempts = 2});
  auto r = update(c);
  EXPECT_EQ(r.error().code, Code::kUnknownOutcome);
  EXPECT_TRUE(r.error().message.contains("request 1 of session 100")) << r.error().message;
  silent = false;
  EXPECT_TRUE(update(c));
  EXPECT_EQ(seen().back(), "update_one 200.1.1 0");
  run_close();
}

TEST_F(SessionsTest, AServerWithoutSessionsIsUsedWithoutThem) {
  Client& c = start_as({.connections = 1}, [](Peer& peer, Seen request) {
    auto serve = [](Peer& p, Seen s) -> io::Task<bool> {
      if (s.op == Op::kOpenSession)
        co_await p.refuse(s.id, {Code::kUnsupported, "there is no operation 80"});
      else
        co_await p.answer(s.id, updated());
      co_return true;
    };
    return serve(peer, std::move(request));
  });
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(update(c));
  EXPECT_EQ(seen(), (Words{"open_session", "update_one", "update_one"}));
}

TEST_F(SessionsTest, ACommitThatWasLostStaysUncertainInAnotherSession) {
  for (bool known : {true, false}) {
    Client& c = start_server([n = 0, known](const Seen&, bool& breaks) mutable -> std::optional<Error> {
      ++n;
      breaks = n == 1;
      if (n == 2) return Error{Code::kSessionUnknown, "it is gone"};
      if (n == 3 && !known) return Error{Code::kTxUnknown, "the server has started since"};
      return std::nullopt;
    });
    auto r = run(c.call({.op = Op::kTxCommit, .collection = "", .args = map1("tx_id", 1)}));
    EXPECT_EQ(r ? Code::kInternal : r.error().code, known ? Code::kInternal : Code::kUnknownOutcome) << "the first attempt may have committed";
    run_close();
  }
}

TEST_F(SessionsTest, WhoWaitsForASessionSharesItsFailure) {
  Client& c = start_as({.connections = 1}, [](Peer& peer, Seen request) {
    return [](Peer& p, Seen s) -> io::Task<bool> {
      co_await p.refuse(s.id, {Code::kOverloaded, "later"});
      co_return true;
    }(peer, std::move(request));
  });
  int refused = 0;
  auto ask = [](Client& client, int& count) -> io::Task<void> {
    auto r = co_await client.collection("things").update_one("\x80", map1("$inc", 1));
    count += !r && r.error().code == Code::kOverloaded;
  };
  for (int i = 0; i < 20; ++i) world_.executor.spawn(ask(c, refused));
  world_.executor.run();
  EXPECT_EQ(refused, 20);
  EXPECT_EQ(seen(), Words(6, "open_session")) << "not one after the other";
  EXPECT_EQ(update(c).error().code, Code::kOverloaded);
  EXPECT_EQ(seen().size(), 12u) << "who comes later tries anew";
}

TEST_F(SessionsTest, OpeningASessionCountsToTheTimeout) {
  Client& c = start_as({.connections = 1}, [](Peer& peer, Seen request) {
    return [](Peer& p, Seen s) -> io::Task<bool> {
      if (s.op == Op::kOpenSession) {
        co_await io::sleep_for(seconds(14));
        co_await p.answer(s.id, map1("session", 1));
      }
      co_return true;
    }(peer, std::move(request));
  });
  Time begin = world_.executor.now();
  EXPECT_EQ(update(c).error().code, Code::kUnknownOutcome);
  EXPECT_LE(world_.executor.now() - begin, seconds(16));
}

TEST_F(SessionsTest, AnsweredNeverPassesWhatIsWaitedFor) {
  // Three at once; the second is answered first, then one more is asked.
  std::vector<Seen> held;
  Client& c = start_as({.connections = 1}, [this, &held](Peer& peer, Seen request) {
    auto serve = [](SessionsTest& t, Peer& p, Seen s, std::vector<Seen>& held) -> io::Task<bool> {
      if (s.op != Op::kUpdateOne) {
        co_await p.answer(s.id, map1("session", ++t.sessions_ * 100));
        co_return true;
      }
      held.push_back(s);
      if (held.size() == 3) co_await p.answer(held[1].id, updated());
      if (held.size() < 4) co_return true;
      for (size_t i : {0, 2, 3}) co_await p.answer(held[i].id, updated());
      co_return true;
    };
    return serve(*this, peer, std::move(request), held);
  });
  int done = 0;
  auto ask = [](Client& c, int& done, bool then) -> io::Task<void> {
    EXPECT_TRUE(co_await c.collection("things").update_one("\x80", map1("$inc", 1)));
    ++done;
    if (then) EXPECT_TRUE(co_await c.collection("things").update_one("\x80", map1("$inc", 1)));
  };
  for (int i = 0; i < 3; ++i) world_.executor.spawn(ask(c, done, i == 1));
  world_.executor.run();
  EXPECT_EQ(done, 3);
  EXPECT_EQ(seen(), (Words{"open_session", "update_one 100.1.1 0", "update_one 100.2.1 0", "update_one 100.3.1 0", "update_one 100.4.1 0"}));
  run_close();
}

}  // namespace
}  // namespace holdfast::client
