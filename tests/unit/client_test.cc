// What the client sends, and sends again, when connections break, servers refuse and time runs out.
#include "client/client.h"

#include <gtest/gtest.h>

#include "tests/support/scripted_server.h"

namespace holdfast::client {
namespace {

/// Answers the first request by breaking the connection, the others with success: `result` of the given kind.
Handler break_first(Buffer result) {
  return [result, first = true](Peer& peer, Seen request) mutable {
    auto serve = [](Peer& p, uint64_t id, Buffer answer, bool broken) -> io::Task<bool> {
      if (broken) co_return false;
      co_await p.answer(id, answer);
      co_return true;
    };
    return serve(peer, request.id, result, std::exchange(first, false));
  };
}

Handler silent() {
  return [](Peer&, Seen) {
    auto nothing = []() -> io::Task<bool> { co_return true; };
    return nothing();
  };
}

TEST_F(ClientTest, BringsAnAnswerWithItsLsns) {
  Client& c = start({.database = "db"}, [](Peer& p, Seen s) { return echo_ok(p, s); });
  auto r = run(c.ping());
  ASSERT_TRUE(r);
  EXPECT_EQ(r->lsn, Lsn(100));
  EXPECT_EQ(r->durable_lsn, Lsn(7));
  EXPECT_FALSE(r->durable());
  ASSERT_EQ(log_.size(), 1u);
  EXPECT_EQ(log_[0].op, Op::kPing);
  EXPECT_EQ(log_[0].database, "db");
}

TEST_F(ClientTest, MatchesAnswersByIdInWhateverOrderTheyCome) {
  // Keeps three requests and answers them backwards, each with its own argument.
  auto held = std::make_shared<std::vector<Seen>>();
  Client& c = start({.connections = 1}, [held](Peer& peer, Seen request) {
    auto serve = [](Peer& p, std::vector<Seen>& kept) -> io::Task<bool> {
      if (kept.size() < 3) co_return true;
      for (auto it = kept.rbegin(); it != kept.rend(); ++it)
        co_await p.answer(it->id, Buffer(wire::parse_find_by_id(it->args)->id));
      kept.clear();
      co_return true;
    };
    held->push_back(request);
    return serve(peer, *held);
  });
  std::vector<Buffer> got(3);
  auto ask = [](Collection things, std::string id, Buffer& out) -> io::Task<void> {
    auto r = co_await things.find_by_id(id);
    EXPECT_TRUE(r && r->value);
    out = *r->value;
  };
  for (int i = 0; i < 3; ++i)
    world_.executor.spawn(ask(c.collection("things"), std::string(1, static_cast<char>('a' + i)), got[i]));
  world_.executor.run();
  EXPECT_EQ(got, (std::vector<Buffer>{"\xa1"
                                      "a",
                                      "\xa1"
                                      "b",
                                      "\xa1"
                                      "c"}));
  EXPECT_EQ(world_.network.dials, 1);
}

TEST_F(ClientTest, SendsALostReadAgain) {
  Client& c = start({}, break_first(map1("n", 3)));
  auto r = run(c.collection("things").count(Buffer("\x80")));
  ASSERT_TRUE(r) << r.error().text();
  EXPECT_EQ(r->value, 3u);
  EXPECT_EQ(log_.size(), 2u);
  EXPECT_EQ(world_.network.dials, 2);
}

TEST_F(ClientTest, NeverSendsALostUpdateAgain) {
  Client& c = start({}, break_first(""));
  auto r = run(c.collection("things").update_one("\x80", map1("$inc", 1)));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kUnknownOutcome);
  EXPECT_EQ(log_.size(), 1u);
}

TEST_F(ClientTest, SendsALostInsertAgainWhenItGeneratedTheId) {
  Client& c = start({}, break_first(""));
  auto r = run(c.collection("things").insert_one(map1("a", 1)));
  ASSERT_TRUE(r) << r.error().text();
  ASSERT_EQ(log_.size(), 2u);
  EXPECT_EQ(log_[0].args, log_[1].args) << "a repeat is recognised only when it is identical";
  Bytes id;
  ASSERT_TRUE(msgpack::Cursor(r->value).string(id));
  EXPECT_TRUE(has_generated_shape(id));
  EXPECT_EQ(*msgpack::lookup(log_[0].args, "_id"), r->value);
}

TEST_F(ClientTest, NeverSendsALostInsertAgainWhenItsIdIsTheCallers) {
  Client& c = start({}, break_first(""));
  auto r = run(c.collection("things").insert_one(map1("_id", 1)));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kUnknownOutcome);
  EXPECT_EQ(log_.size(), 1u);
}

TEST_F(ClientTest, SendsNoInsertAgainWhenToldSo) {
  Client& c = start({.resend_inserts = false}, break_first(""));
  auto r = run(c.collection("things").insert_one(map1("a", 1)));
  EXPECT_EQ(r.error().code, Code::kUnknownOutcome);
}

TEST_F(ClientTest, DoesNotCallALostWriteFailedBecauseItsRepeatWasRefused) {
  Client& c = start({}, [n = 0](Peer& peer, Seen request) mutable {
    auto serve = [](Peer& p, uint64_t id, bool first) -> io::Task<bool> {
      if (first) co_return false;
      co_await p.refuse(id, wire::duplicate_key("things", "x"));
      co_return true;
    };
    return serve(peer, request.id, n++ == 0);
  });
  auto r = run(c.collection("things").insert_one(map1("a", 1)));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kUnknownOutcome) << r.error().text();
}

TEST_F(ClientTest, PassesTheServersErrorsOn) {
  Client& c = start({}, [](Peer& peer, Seen request) {
    auto serve = [](Peer& p, uint64_t id) -> io::Task<bool> {
      co_await p.refuse(id, wire::duplicate_key("things", "1"));
      co_return true;
    };
    return serve(peer, request.id);
  });
  auto r = run(c.collection("things").insert_one(map1("_id", 1)));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kDuplicateKey);
  EXPECT_EQ(log_.size(), 1u);
}

TEST_F(ClientTest, TakesNotFoundForNothing) {
  Client& c = start({}, [](Peer& peer, Seen request) {
    auto serve = [](Peer& p, uint64_t id) -> io::Task<bool> {
      co_await p.refuse(id, {Code::kNotFound, "no document has this _id"});
      co_return true;
    };
    return serve(peer, request.id);
  });
  auto r = run(c.collection("things").find_by_id("x"));
  ASSERT_TRUE(r);
  EXPECT_FALSE(r->value);
}

TEST_F(ClientTest, TriesAgainWhenTheServerIsOverloaded) {
  Client& c = start({}, [n = 0](Peer& peer, Seen request) mutable {
    auto serve = [](Peer& p, uint64_t id, bool busy) -> io::Task<bool> {
      if (busy)
        co_await p.refuse(id, {Code::kOverloaded, "try again later"});
      else
        co_await p.answer(id, "\x82\xa7matched\x01\xa8modified\x01");
      co_return true;
    };
    return serve(peer, request.id, n++ < 3);
  });
  Time begin = world_.executor.now();
  auto r = run(c.collection("things").update_one("\x80", map1("$inc", 1)));
  ASSERT_TRUE(r) << r.error().text();
  EXPECT_EQ(r->value.modified, 1u);
  EXPECT_EQ(log_.size(), 4u) << "overloaded means not executed, so even an update is sent again";
  Duration waited = world_.executor.now() - begin;
  EXPECT_GE(waited, milliseconds(10 + 20 + 40));
  EXPECT_LE(waited, milliseconds(20 + 40 + 80));
}

TEST_F(ClientTest, SaysUnreachableWhenNothingWasSent) {
  Client& c = start({.max_attempts = 3}, silent());
  world_.network.reachable = false;
  auto r = run(c.collection("things").update_one("\x80", map1("$inc", 1)));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kUnreachable) << r.error().text();
  EXPECT_EQ(world_.network.dials, 3);
}

TEST_F(ClientTest, CallersShareOneFailedAttemptToConnect) {
  Client& c = start({.connections = 1, .max_attempts = 2}, silent());
  world_.network.reachable = false;
  auto ask = [](Client& client, int& failed) -> io::Task<void> { failed += !co_await client.ping(); };
  int failed = 0;
  for (int i = 0; i < 50; ++i) world_.executor.spawn(ask(c, failed));
  world_.executor.run();
  EXPECT_EQ(failed, 50);
  EXPECT_LE(world_.network.dials, 1 + 50);
  EXPECT_EQ(log_.size(), 0u);
}

TEST_F(ClientTest, AWriteWithoutAnswerInTimeHasAnUnknownOutcome) {
  Client& c = start({.timeout = seconds(3)}, silent());
  Time begin = world_.executor.now();
  auto r = run(c.collection("things").delete_one("\x80"));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kUnknownOutcome) << r.error().text();
  EXPECT_EQ(world_.executor.now() - begin, seconds(3));
}

TEST_F(ClientTest, AReadWithoutAnswerInTimeTimesOut) {
  Client& c = start({.timeout = seconds(3)}, silent());
  auto r = run(c.ping());
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kTimeout) << r.error().text();
}

TEST_F(ClientTest, GivesASilentConnectionUp) {
  Client& c = start({.connections = 1, .timeout = seconds(3)}, silent());
  (void)run(c.ping());
  handler_ = [](Peer& p, Seen s) { return echo_ok(p, s); };
  EXPECT_TRUE(run(c.ping()));
  EXPECT_EQ(world_.network.dials, 2);
}

TEST_F(ClientTest, GivesALateAnswerToNobody) {
  // The first request is answered only when the second comes, after the first one's deadline; something else keeps the
  // connection from being given up.
  auto first = std::make_shared<std::optional<uint64_t>>();
  Client& c = start({.connections = 1, .timeout = seconds(3)}, [first](Peer& peer, Seen request) {
    auto serve = [](Peer& p, uint64_t id, std::optional<uint64_t>& kept) -> io::Task<bool> {
      if (!kept) {
        kept = id;
        co_await io::sleep_for(seconds(2));
        co_await p.answer(999'999);
        co_return true;
      }
      co_await p.answer(*kept,
                        "\xa5"
                        "first");
      co_await p.answer(id, "\xa6second");
      co_return true;
    };
    return serve(peer, request.id, *first);
  });
  EXPECT_FALSE(run(c.stats()));
  auto r = run(c.stats());
  ASSERT_TRUE(r);
  EXPECT_EQ(r->value, "\xa6second");
  EXPECT_EQ(world_.network.dials, 1);
}

TEST_F(ClientTest, StartsAfreshAfterABreakInsideAFrame) {
  Client& c = start({.connections = 1}, [n = 0](Peer& peer, Seen request) mutable {
    auto serve = [](Peer& p, uint64_t id, bool torn) -> io::Task<bool> {
      if (!torn) {
        co_await p.answer(id, "\xa4good");
        co_return true;
      }
      co_await p.send(Buffer("\0\0\0\x30\x82", 5));
      co_return false;
    };
    return serve(peer, request.id, n++ == 0);
  });
  auto r = run(c.stats());
  ASSERT_TRUE(r) << r.error().text();
  EXPECT_EQ(r->value, "\xa4good");
}

TEST_F(ClientTest, DropsAConnectionThatSpeaksNonsense) {
  Client& c = start({.connections = 1}, [n = 0](Peer& peer, Seen request) mutable {
    auto serve = [](Peer& p, uint64_t id, bool nonsense) -> io::Task<bool> {
      if (nonsense)
        co_await p.send(Buffer("\0\0\0\x01\xc1", 5));
      else
        co_await p.answer(id);
      co_return true;
    };
    return serve(peer, request.id, n++ == 0);
  });
  EXPECT_TRUE(run(c.ping()));
  EXPECT_EQ(world_.network.dials, 2);
}

TEST_F(ClientTest, ARefusedConnectionMeansNotExecuted) {
  Client& c = start({.connections = 1}, [n = 0](Peer& peer, Seen request) mutable {
    auto serve = [](Peer& p, uint64_t id, bool refuse) -> io::Task<bool> {
      if (refuse)
        co_await p.refuse(0, {Code::kOverloaded, "too many connections"});
      else
        co_await p.answer(id, "\x82\xa7matched\x01\xa8modified\x01");
      co_return !refuse;
    };
    return serve(peer, request.id, n++ == 0);
  });
  auto r = run(c.collection("things").update_one("\x80", map1("$inc", 1)));
  ASSERT_TRUE(r) << r.error().text();
  EXPECT_EQ(log_.size(), 2u);
}

TEST_F(ClientTest, KeepsToItsBoundOfRequestsUnderWay) {
  struct Counter {
    int now = 0, most = 0;
  };
  auto counter = std::make_shared<Counter>();
  Client& c = start({.connections = 2, .max_in_flight = 4}, [&, counter](Peer& peer, Seen request) {
    auto later = [](test::TestExecutor& executor, Peer& p, uint64_t id, std::shared_ptr<Counter> n) -> io::Task<bool> {
      n->most = std::max(n->most, ++n->now);
      auto answer_later = [](Peer& to, uint64_t which, std::shared_ptr<Counter> count) -> io::Task<void> {
        co_await io::sleep_for(milliseconds(50));
        --count->now;
        co_await to.answer(which);
      };
      executor.spawn(answer_later(p, id, n));
      co_return true;
    };
    return later(world_.executor, peer, request.id, counter);
  });
  auto ask = [](Client& client, int& done) -> io::Task<void> { done += (co_await client.ping()).has_value(); };
  int done = 0;
  for (int i = 0; i < 100; ++i) world_.executor.spawn(ask(c, done));
  world_.executor.run();
  EXPECT_EQ(done, 100);
  EXPECT_EQ(counter->most, 8);
}

TEST_F(ClientTest, WhatWasNeverSentIsSentAgainEvenIfItIsAWrite) {
  // The peer reads nothing: the first request fills the pipe, the second waits behind it and is not sent when the
  // connection breaks.
  world_.network.capacity = 1000;
  Client& c = client_.emplace(world_.host, Options{.connections = 1, .sessions = false});
  handler_ = [](Peer& p, Seen s) {
    auto serve = [](Peer& peer, uint64_t id) -> io::Task<bool> {
      co_await peer.answer(id, "\x82\xa7matched\x01\xa8modified\x01");
      co_return true;
    };
    return serve(p, s.id);
  };
  struct Out {
    std::optional<Code> first, second;
    bool second_ok = false;
  } out;
  auto update = [](Client& client, size_t size, std::optional<Code>& code, bool* ok) -> io::Task<void> {
    Buffer filter;
    msgpack::Writer(filter).map(1).string("a").string(std::string(size, 'x'));
    auto r = co_await client.collection("things").update_one(filter, map1("$inc", 1));
    if (!r) code = r.error().code;
    if (ok) *ok = r.has_value();
  };
  auto hold = std::make_shared<std::unique_ptr<LoopConnection>>();
  auto take_one = [](test::LoopNetwork& network, std::unique_ptr<LoopConnection>& into) -> io::Task<void> {
    into = std::move(*co_await network.accepted.pop());
  };
  world_.executor.spawn(take_one(world_.network, *hold));
  world_.executor.spawn(update(c, 5000, out.first, nullptr));
  world_.executor.run_ready();
  world_.executor.spawn(update(c, 10, out.second, &out.second_ok));
  world_.executor.run_ready();
  ASSERT_TRUE(*hold);
  (*hold)->close();
  world_.network.capacity = SIZE_MAX;
  world_.executor.spawn(accept_all());
  world_.executor.run();
  EXPECT_EQ(out.first, Code::kUnknownOutcome);
  EXPECT_TRUE(out.second_ok);
  EXPECT_EQ(out.second, std::nullopt);
}

TEST_F(ClientTest, EndsCallsUnderWayWhenItIsClosed) {
  Client& c = start({}, silent());
  std::optional<Code> read, write;
  auto ask = [](Client& client, std::optional<Code>& code) -> io::Task<void> {
    code = (co_await client.ping()).error().code;
  };
  auto erase = [](Client& client, std::optional<Code>& code) -> io::Task<void> {
    code = (co_await client.collection("x").delete_one("\x80")).error().code;
  };
  world_.executor.spawn(ask(c, read));
  world_.executor.spawn(erase(c, write));
  world_.executor.run_ready();
  world_.executor.spawn(c.close());
  world_.executor.run_ready();
  EXPECT_EQ(read, Code::kClosed);
  EXPECT_EQ(write, Code::kUnknownOutcome);
  EXPECT_EQ(run(c.ping()).error().code, Code::kClosed);
}

TEST_F(ClientTest, SurvivesACrashAtAnyMoment) {
  for (int steps = 0; steps < 40; ++steps) {
    test::LoopHost world;
    Client client(world.host, {.connections = 2});
    auto ask = [](Client& c) -> io::Task<void> { (void)co_await c.ping(); };
    for (int i = 0; i < 5; ++i) world.executor.spawn(ask(client));
    for (int i = 0; i < steps; ++i) world.executor.run_one();
    world.executor.crash();
  }
}

}  // namespace
}  // namespace holdfast::client
