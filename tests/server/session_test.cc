#include <set>

#include "tests/server/server_fixture.h"

namespace holdfast::test {
namespace {

using Session = ServerTest;

TEST_F(Session, AnswersOneRequestAfterTheOther) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    for (uint64_t id : {1u, 7u, 4'000'000'000u}) {
      Got got = co_await c->ask({.id = id});
      EXPECT_TRUE(got.ok());
      EXPECT_EQ(got.id, id);
      EXPECT_EQ(got.result, "");
    }
    Got got = co_await c->ask({.id = 9, .op = Op::kInsertOne, .args = document("a")});
    EXPECT_EQ(got.lsn, Lsn(1));
    EXPECT_EQ(got.durable, Lsn(0));
  });
}

TEST_F(Session, AnswersManyPipelinedRequestsWithOneWrite) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    Buffer all;
    for (uint64_t id = 1; id <= 50; ++id)
      all += frame({.id = id, .op = Op::kInsertOne, .args = document(std::to_string(id))});
    co_await c->send(all);
    std::set<uint64_t> ids;
    for (int i = 0; i < 50; ++i) ids.insert((co_await c->next()).id);
    EXPECT_EQ(ids.size(), 50u);
    // All 50 requests fit into two reads; each read's answers leave together.
    EXPECT_LE(c->loop().in().writes, 3u);
    EXPECT_EQ(t.engine->documents("default", "c").size(), 50u);
  });
}

TEST_F(Session, AnswersGatherWhileAWriteIsUnderWay) {
  loop.network.capacity_back = 20;
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    for (uint64_t id = 1; id <= 20; ++id) {
      co_await c->send(frame({.id = id}));
      co_await t.settle();
    }
    EXPECT_EQ(c->loop().in().writes, 1u) << "the first write still waits for the reader";
    for (int i = 0; i < 20; ++i) EXPECT_TRUE((co_await c->next()).ok());
    EXPECT_EQ(c->loop().in().writes, 2u);
  });
}

TEST_F(Session, StartsRequestsInTheOrderOfArrival) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    t.engine->held = true;
    Buffer all;
    for (uint64_t id = 1; id <= 200; ++id)
      all += frame({.id = id,
                    .op = id % 2 ? Op::kCount : Op::kInsertOne,
                    .args = id % 2 ? empty_map() : document("d" + std::to_string(id)),
                    .collection = std::to_string(id)});
    t.engine->calls.clear();
    co_await c->send(all);
    co_await t.settle();
    EXPECT_EQ(t.engine->calls.size(), 200u) << "requests run side by side";
    for (size_t i = 0; i < t.engine->calls.size(); ++i)
      EXPECT_TRUE(t.engine->calls[i].ends_with("/" + std::to_string(i + 1)))
          << t.engine->calls[i] << " came as number " << i + 1;
    t.engine->let_go();
    for (int i = 0; i < 200; ++i) EXPECT_TRUE((co_await c->next()).ok());
  });
}

TEST_F(Session, StopsReadingAtTheLimitOfRequestsUnderWay) {
  config.limits.requests_per_connection = 10;
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    auto other = co_await t.connect();
    t.engine->held = true;
    t.engine->calls.clear();
    Buffer all;
    for (uint64_t id = 1; id <= 40; ++id) all += frame({.id = id, .op = Op::kCount});
    co_await c->send(all);
    co_await t.settle();
    EXPECT_EQ(t.engine->calls.size(), 10u);
    EXPECT_TRUE((co_await other->ask({})).ok()) << "other connections are not held up";
    t.engine->let_go();
    for (int i = 0; i < 40; ++i) EXPECT_TRUE((co_await c->next()).ok());
  });
}

TEST_F(Session, NoReplyIsExecutedAndNeverAnswered) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    Buffer all = frame({.id = 1, .op = Op::kInsertOne, .args = document("a"), .no_reply = true});
    all += frame({.id = 2, .op = Op::kInsertOne, .args = document("a"), .no_reply = true});  // a duplicate
    all += frame({.id = 3, .op = Op::kAggregate, .no_reply = true});                         // unsupported
    all += frame({.id = 4,
                  .op = Op::kInsertMany,
                  .args = Buffer("\xa3"
                                 "bad"),
                  .no_reply = true});
    all += frame({.id = 5});
    co_await c->send(all);
    Got got = co_await c->next();
    EXPECT_EQ(got.id, 5u) << "only the last request wants an answer";
    EXPECT_EQ(t.engine->documents("default", "c").size(), 1u);
    co_await t.settle();
    EXPECT_TRUE(c->loop().in().bytes.empty());
  });
}

TEST_F(Session, GarbageInAWholeFrameIsABadRequestAndTheConnectionGoesOn) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    for (Bytes junk : {Bytes(""), Bytes("\xc1"), Bytes("\x93\x01\x02\x03"), Bytes("\xdf\xff\xff\xff\xff"),
                       Bytes("\x80"), Bytes("\x80\x80")}) {
      co_await c->send(framed(junk));
      Got got = co_await c->next();
      EXPECT_EQ(got.code, Code::kBadRequest) << got.error;
      EXPECT_EQ(got.id, 0u);
    }
    // The id counts when it can be read.
    co_await c->send(
        framed("\x83\xa2id\x2a\xa2op\xc0\xa4"
               "args\x80"));
    EXPECT_EQ((co_await c->next()).id, 42u);
    EXPECT_TRUE((co_await c->ask({})).ok());
  });
}

TEST_F(Session, AFrameOverTheLimitIsRefusedByItsIdAndTheConnectionClosed) {
  config.limits.request_bytes = 1000;
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    Buffer large = frame({.id = 77, .op = Op::kInsertOne, .args = document("a", std::string(2000, 'x'))});
    for (size_t cut : {size_t{4}, size_t{9}, size_t{200}, large.size()}) {
      auto client = co_await t.connect();
      co_await client->send(large.substr(0, cut));
      co_await t.settle();
      co_await client->send(large.substr(cut));
      Got got = co_await client->next();
      EXPECT_EQ(got.id, 77u);
      EXPECT_EQ(got.code, Code::kTooLarge);
      EXPECT_TRUE((co_await client->next()).ended);
    }
    EXPECT_TRUE(t.engine->documents("default", "c").empty());
    EXPECT_TRUE((co_await c->ask({})).ok());
  });
}

TEST_F(Session, AFrameOfFourGigabytesWithoutAnIdIsRefusedUnderNoneAndTheConnectionClosed) {
  run([](ServerTest& t) -> io::Task<void> {
    Time begin = t.loop.executor.now();
    auto c = co_await t.connect();
    co_await c->send(Buffer("\xff\xff\xff\xff", 4) + std::string(1000, '\xc1'));
    Got got = co_await c->next();
    EXPECT_EQ(got.code, Code::kTooLarge);
    EXPECT_EQ(got.id, 0u);
    EXPECT_EQ(t.loop.executor.now(), begin);
    EXPECT_TRUE((co_await c->next()).ended);
  });
}

TEST_F(Session, ALengthOverTheLimitAfterWhichNothingComesIsRefusedSoon) {
  run([](ServerTest& t) -> io::Task<void> {
    const Buffer head("\x04\x00\x00\x01", 4);
    for (const Buffer& begun : {head, head + "\x84", head + "\x84\xa2i"}) {
      Time begin = t.loop.executor.now();
      auto c = co_await t.connect();
      co_await c->send(begun);
      Got got = co_await c->next();
      EXPECT_EQ(got.code, Code::kTooLarge) << got.error;
      EXPECT_EQ(got.id, 0u);
      EXPECT_GE(t.loop.executor.now() - begin, t.config.limits.linger);
      EXPECT_LE(t.loop.executor.now() - begin, t.config.limits.linger + t.config.limits.sweep);
      co_await c->send("d\x07\xa2op\x01");  // too late, and read by nobody
      EXPECT_TRUE((co_await c->next()).ended);
      EXPECT_LE(t.loop.executor.now() - begin, seconds(6));
    }
    // One that ends there is told so too, and who speaks in time is told by its id.
    auto cut = co_await t.connect();
    co_await cut->send(head + "\x84");
    cut->loop().out().close();
    EXPECT_EQ((co_await cut->next()).code, Code::kTooLarge);
    auto slow = co_await t.connect();
    co_await slow->send(head + "\x84\xa2i");
    co_await io::sleep_for(seconds(1));
    co_await slow->send(
        "d\x07\xa2op\x01\xa4"
        "args");
    EXPECT_EQ((co_await slow->next()).id, 7u);
  });
}

TEST_F(Session, AHandshakeIsClosedAndLoggedOnce) {
  run([](ServerTest& t) -> io::Task<void> {
    for (int i = 0; i < 3; ++i) {
      auto c = co_await t.connect();
      co_await c->send(Buffer("\xae\x02", 2) + std::string(32, 's'));
      EXPECT_TRUE((co_await c->next()).ended);
    }
    EXPECT_EQ(t.loop.log_lines.size(), 1u);
  });
}

TEST_F(Session, SilentAndCutConnectionsLeaveNothingBehind) {
  run([](ServerTest& t) -> io::Task<void> {
    Buffer whole = frame({.id = 1, .op = Op::kCount});
    for (size_t cut = 0; cut < whole.size(); cut += 3) {
      auto c = co_await t.connect();
      co_await c->send(whole.substr(0, cut));
      co_await t.settle();
      if (cut % 2) c->loop().reset();
    }
    co_await t.settle();
    auto c = co_await t.connect();
    Got got = co_await c->ask({.op = Op::kStats});
    EXPECT_EQ(msgpack::lookup(got.result, "connections"), Bytes("\x01"));
    EXPECT_TRUE(t.loop.log_lines.empty()) << t.loop.log_lines[0];
  });
}

TEST_F(Session, APeerThatClosedItsSideStillGetsItsAnswers) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    t.engine->held = true;
    co_await c->send(frame({.id = 3, .op = Op::kCount}));
    co_await t.settle();
    c->loop().out().close();  // as shutdown() does
    co_await t.settle();
    t.engine->let_go();
    EXPECT_EQ((co_await c->next()).id, 3u);
    EXPECT_TRUE((co_await c->next()).ended);
  });
}

// --- Room.

TEST_F(Session, AReaderThatNeverReadsHoldsLittleAndIsClosedInTheEnd) {
  loop.network.capacity_back = 1000;
  config.limits.output_per_connection = 100'000;
  run([](ServerTest& t) -> io::Task<void> {
    t.engine->documents("default", "c").push_back(document("big", std::string(20'000, 'x')));
    auto c = co_await t.connect();
    t.engine->calls.clear();
    for (uint64_t id = 1; id <= 500; ++id) {
      co_await c->send(frame({.id = id, .op = Op::kFindById, .args = id_args("big")}));
      co_await t.settle();
    }
    EXPECT_LE(t.engine->calls.size(), 7u) << "requests stop being started when answers pile up";
    auto other = co_await t.connect();
    EXPECT_TRUE((co_await other->ask({})).ok());
    co_await io::sleep_for(seconds(70));
    c->loop().in().capacity = SIZE_MAX;
    Got got;
    while (!got.ended) got = co_await c->next();
    Got stats = co_await other->ask({.op = Op::kStats});
    EXPECT_EQ(msgpack::lookup(stats.result, "connections_stalled"), Bytes("\x01"));
    msgpack::Value held;
    msgpack::Cursor(*msgpack::lookup(stats.result, "bytes_in_flight")).next(held);
    EXPECT_LT(held.u, 2000u) << "nothing but the request for stats itself is left";
  });
}

TEST_F(Session, RequestsWaitForRoomAndAllGetTheirTurn) {
  config.limits.bytes_in_flight = 8000;  // room for two or three requests
  run([](ServerTest& t) -> io::Task<void> {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 20; ++i) clients.push_back(co_await t.connect());
    t.engine->held = true;
    t.engine->calls.clear();
    for (auto& c : clients)
      co_await c->send(frame({.op = Op::kInsertOne, .args = document(std::to_string(t.loop.network.dials), "x")}));
    co_await t.settle();
    EXPECT_LE(t.engine->calls.size(), 4u);
    EXPECT_GE(t.engine->calls.size(), 1u);
    t.engine->let_go();
    for (auto& c : clients) EXPECT_FALSE((co_await c->next()).ended);
  });
}

namespace {

size_t finds_begun(const ServerTest& t) { return static_cast<size_t>(std::ranges::count(t.engine->calls, "find default/c")); }

void fill(ServerTest& t, int documents) {
  for (int i = 0; i < documents; ++i) t.engine->documents("default", "c").push_back(document(std::to_string(i), std::string(20'000, 'x')));
}

Buffer batch_of_finds(uint32_t finds) {
  Buffer out = packed([&](msgpack::Writer& w) { w.map(1).string("requests").array(finds); });
  for (uint64_t id = 1; id <= finds; ++id) out += frame({.id = id, .op = Op::kFind}).substr(wire::kFrameHeaderSize);
  return out;
}

}  // namespace

TEST_F(Session, OnlySoManyFindsAreUnderWayAtOnce) {
  config.limits.answer_bytes = 1'000'000;
  config.limits.first_answer = 10'000;  // 8 have room: of a quarter, three times as much each
  run([](ServerTest& t) -> io::Task<void> {
    t.engine->documents("default", "c").push_back(document("a"));
    auto c = co_await t.connect();
    t.engine->calls.clear();
    t.engine->held = true;
    for (uint64_t id = 1; id <= 100; ++id) co_await c->send(frame({.id = id, .op = Op::kFind}));
    co_await t.settle();
    EXPECT_EQ(finds_begun(t), 8u);
    t.engine->let_go();
    for (int i = 0; i < 100; ++i) EXPECT_TRUE((co_await c->next()).ok());
    EXPECT_EQ(finds_begun(t), 100u);
    co_await t.settle();
    EXPECT_EQ(t.server->bytes_held(), 0u);
  });
}

TEST_F(Session, ALargeAnswerHoldsItsRoomUntilItHasBeenRead) {
  config.limits.answer_bytes = 1'000'000;  // less than the largest answer: one at a time is made
  config.limits.first_answer = 10'000;
  loop.network.capacity_back = 1000;
  run([](ServerTest& t) -> io::Task<void> {
    fill(t, 40);
    auto reads_nothing = co_await t.connect();
    for (uint64_t id = 1; id <= 20; ++id) co_await reads_nothing->send(frame({.id = id, .op = Op::kFind}));
    co_await t.settle();
    EXPECT_GT(t.server->bytes_held(), 800'000u);
    EXPECT_LT(t.server->bytes_held(), 1'000'000u) << "one answer, and 19 requests";
    auto other = co_await t.connect();
    other->loop().in().capacity = SIZE_MAX;
    Buffer one = packed([](msgpack::Writer& w) { w.map(2).string("query").map(1).string("t").string("y").string("limit").uint(1); });
    EXPECT_TRUE((co_await other->ask({.op = Op::kFind, .args = one})).ok()) << "small answers pass by";
    EXPECT_TRUE((co_await other->ask({.op = Op::kPing})).ok());
    Time begin = t.loop.executor.now();
    EXPECT_TRUE((co_await other->ask({.op = Op::kFind})).ok());
    EXPECT_GT(t.loop.executor.now() - begin, t.config.limits.patience_when_full - seconds(2)) << "it had to wait for the one that does not read";
    EXPECT_LT(t.loop.executor.now() - begin, t.config.limits.patience_when_full + seconds(3));
    reads_nothing->loop().in().capacity = SIZE_MAX;
    Got got;
    while (!got.ended) got = co_await reads_nothing->next();
    co_await t.settle();
    EXPECT_EQ(t.server->bytes_held(), 0u);
  });
}

TEST_F(Session, BatchesOfLargeAnswersTakeTurns) {
  config.limits.answer_bytes = 400'000;
  config.limits.first_answer = 50'000;  // two documents; one batch has room for small answers at a time
  run([](ServerTest& t) -> io::Task<void> {
    fill(t, 4);
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 8; ++i) clients.push_back(co_await t.connect());
    for (auto& c : clients)
      for (uint64_t id = 1; id <= 3; ++id) co_await c->send(frame({.id = id, .op = Op::kBatch, .args = batch_of_finds(5), .collection = ""}));
    for (auto& c : clients)
      for (int i = 0; i < 3; ++i) {
        Got got = co_await c->next();
        EXPECT_TRUE(got.ok()) << got.error;
        EXPECT_GT(got.result.size(), 5u * 80'000);
      }
    co_await t.settle();
    EXPECT_EQ(t.server->bytes_held(), 0u);
  });
}

TEST_F(Session, ReadsPassWritesThatFindNoRoom) {
  config.limits.bytes_in_flight = 8000;
  run([](ServerTest& t) -> io::Task<void> {
    std::vector<std::unique_ptr<RawClient>> writers;
    for (int i = 0; i < 20; ++i) writers.push_back(co_await t.connect());
    auto reader = co_await t.connect();
    t.engine->held = true;
    for (size_t i = 0; i < writers.size(); ++i)
      co_await writers[i]->send(frame({.op = Op::kInsertOne, .args = document(std::to_string(i), "x")}));
    co_await t.settle();
    EXPECT_TRUE((co_await reader->ask({.op = Op::kPing})).ok());
    t.engine->let_go();
    for (auto& c : writers) EXPECT_FALSE((co_await c->next()).ended);
  });
}

TEST_F(Session, ALargeFrameIsTakenEvenWhenItAloneIsMoreThanTheRoom) {
  config.limits.bytes_in_flight = 10'000;
  config.limits.large_frame = 1000;
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    EXPECT_TRUE((co_await c->ask({.op = Op::kInsertOne, .args = document("a", std::string(300'000, 'x'))})).ok());
    EXPECT_TRUE((co_await c->ask({.op = Op::kInsertOne, .args = document("b", std::string(300'000, 'x'))})).ok());
    Got got = co_await c->ask({.op = Op::kFindById, .args = id_args("b")});
    EXPECT_EQ(got.result, document("b", std::string(300'000, 'x')));
  });
}

TEST_F(Session, LargeFramesThatAreNeverFinishedCannotKeepOthersOutForLong) {
  config.limits.bytes_in_flight = 200'000;
  config.limits.large_frame = 1000;
  run([](ServerTest& t) -> io::Task<void> {
    Buffer large = frame({.op = Op::kInsertOne, .args = document("a", std::string(90'000, 'x'))});
    auto hostile = co_await t.connect();
    co_await hostile->send(large.substr(0, 50'000));
    co_await t.settle();
    auto honest = co_await t.connect();
    auto small = co_await t.connect();
    Time begin = t.loop.executor.now();
    co_await honest->send(large);
    co_await t.settle();
    EXPECT_TRUE((co_await small->ask({.op = Op::kCount})).ok()) << "small requests pass by";
    EXPECT_EQ(t.loop.executor.now(), begin);
    EXPECT_TRUE((co_await honest->next()).ok());
    EXPECT_LE(t.loop.executor.now() - begin, t.config.limits.patience_when_full + seconds(2));
    EXPECT_TRUE((co_await hostile->next()).ended);
  });
}

TEST_F(Session, AFrameThatTricklesInSlowlyIsNotCutWhileItMakesProgress) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    Buffer large = frame({.op = Op::kInsertOne, .args = document("a", std::string(1'000'000, 'x'))});
    for (size_t at = 0; at < large.size(); at += 70'000) {
      co_await c->send(large.substr(at, 70'000));
      co_await io::sleep_for(seconds(50));
    }
    EXPECT_TRUE((co_await c->next()).ok());
    auto stalled = co_await t.connect();
    co_await stalled->send(large.substr(0, 100));
    EXPECT_TRUE((co_await stalled->next()).ended) << "and one that stands still is";
    auto idle = co_await t.connect();
    co_await io::sleep_for(seconds(3000));
    EXPECT_TRUE((co_await idle->ask({})).ok()) << "an idle connection lives for ever";
  });
}

TEST_F(Session, TheConnectionBeyondTheLimitIsToldSo) {
  config.limits.connections = 3;
  run([](ServerTest& t) -> io::Task<void> {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 3; ++i) {
      clients.push_back(co_await t.connect());
      EXPECT_TRUE((co_await clients.back()->ask({})).ok());
    }
    auto late = co_await t.connect();
    Got got = co_await late->next();
    EXPECT_EQ(got.code, Code::kOverloaded);
    EXPECT_EQ(got.id, 0u);
    EXPECT_TRUE((co_await late->next()).ended);
    clients.pop_back();
    co_await t.settle();
    auto next = co_await t.connect();
    EXPECT_TRUE((co_await next->ask({})).ok()) << "a place that was given up is free again";
  });
}

TEST_F(Session, AFullDescriptorTableDelaysConnectionsAndIsLoggedOnce) {
  loop.network.accept_failures = 20;
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    EXPECT_TRUE((co_await c->ask({})).ok());
    EXPECT_EQ(t.loop.log_lines.size(), 1u);
  });
}

// --- Late answers and repeats.

TEST_F(Session, ALateAnswerClosesTheConnectionOfAClientThatDoesNotMatchIds) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    auto polite = co_await t.connect();
    EXPECT_TRUE((co_await polite->ask({.op = Op::kHello})).ok());
    t.engine->held = true;
    co_await c->send(frame({.id = 5, .op = Op::kCount}));
    co_await polite->send(frame({.id = 6, .op = Op::kCount}));
    co_await io::sleep_for(seconds(15));
    t.engine->let_go();
    EXPECT_TRUE((co_await c->next()).ended);
    EXPECT_EQ((co_await polite->next()).id, 6u);
  });
}

TEST_F(Session, AnAnswerJustInTimeIsSent) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    t.engine->held = true;
    co_await c->send(frame({.id = 5, .op = Op::kCount}));
    co_await io::sleep_for(seconds(13));
    t.engine->let_go();
    EXPECT_TRUE((co_await c->next()).ok());
  });
}

TEST_F(Session, AnInsertIsARepeatOnlyWhenItsConnectionBrokeBeforeTheAnswerWasOfUse) {
  run([](ServerTest& t) -> io::Task<void> {
    Sent insert{.op = Op::kInsertOne, .args = document("lock")};
    auto first = co_await t.connect();
    co_await first->ask(insert);
    first->loop().close();
    co_await t.settle();
    auto second = co_await t.connect();
    Got got = co_await second->ask(insert);
    EXPECT_EQ(got.code, Code::kDuplicateKey) << "the first connection ended in order: nobody repeats";

    Sent other{.op = Op::kInsertOne, .args = document("other")};
    auto third = co_await t.connect();
    t.engine->held = true;
    co_await third->send(frame(other));
    co_await t.settle();
    third->loop().reset();
    co_await t.settle();
    t.engine->let_go();
    auto fourth = co_await t.connect();
    EXPECT_TRUE((co_await fourth->ask(other)).ok()) << "the connection broke, the same request comes again";
    EXPECT_EQ(t.engine->last_repeat, core::Repeat::kAccept);

    auto changed = other;
    changed.collection = "d";
    co_await fourth->ask(changed);
    EXPECT_EQ(t.engine->last_repeat, core::Repeat::kByShape) << "another collection is another request";
    co_await io::sleep_for(seconds(61));
    EXPECT_EQ((co_await fourth->ask(other)).code, Code::kDuplicateKey) << "after a minute it is nobody's repeat";
  });
}

TEST_F(Session, AnInsertIsARepeatAlsoWhenItBeganBeforeTheBreakWasSeen) {
  run([](ServerTest& t) -> io::Task<void> {
    Buffer of_many = packed([](msgpack::Writer& w) {
      Buffer blob = document("many");
      w.map(2).string("blob").binary(blob).string("offsets").array(2).uint(0).uint(blob.size());
    });
    for (const Sent& insert : {Sent{.op = Op::kInsertOne, .args = document("one")},
                               Sent{.op = Op::kInsertMany, .args = of_many}}) {
      auto first = co_await t.connect();
      auto second = co_await t.connect();
      t.engine->held = true;
      co_await first->send(frame(insert));
      co_await t.settle();
      co_await second->send(frame(insert));
      co_await t.settle();
      first->loop().reset();
      co_await t.settle();
      t.engine->let_go();
      EXPECT_TRUE((co_await second->next()).ok()) << "the client was quicker than the news of its broken connection";
      EXPECT_EQ(t.engine->last_repeat, core::Repeat::kAccept);
    }
  });
}

TEST_F(Session, AnInsertThatWasFollowedByAnotherRequestIsNoRepeatWhenItsConnectionBreaks) {
  run([](ServerTest& t) -> io::Task<void> {
    Sent insert{.op = Op::kInsertOne, .args = document("a")};
    auto first = co_await t.connect();
    co_await first->ask(insert);
    co_await first->ask({.op = Op::kPing});
    first->loop().reset();
    co_await t.settle();
    auto second = co_await t.connect();
    EXPECT_EQ((co_await second->ask(insert)).code, Code::kDuplicateKey);
  });
}

TEST_F(Session, ANumberedInsertIsNobodysRepeatAndNobodysFirstAttempt) {
  run([](ServerTest& t) -> io::Task<void> {
    Sent plain{.op = Op::kInsertOne, .args = document("lock")};
    for (bool first_has_number : {true, false}) {
      Sent numbered = plain, other = plain;
      (first_has_number ? numbered : other).session = 7;
      (first_has_number ? numbered : other).number = 1;
      auto first = co_await t.connect();
      co_await first->ask(numbered);
      first->loop().reset();
      co_await t.settle();
      // The engine tells who sent a number that it has the lock. Nobody else may be told.
      auto second = co_await t.connect();
      EXPECT_EQ((co_await second->ask(other)).code, Code::kDuplicateKey) << first_has_number;
      EXPECT_EQ(t.engine->last_repeat, core::Repeat::kByShape);
      plain.collection = "d";
    }
  });
}

/// Sends an insert whose connection breaks while it is under way.
io::Task<void> insert_and_break(ServerTest& t, const Sent& insert) {
  auto c = co_await t.connect();
  t.engine->held = true;
  co_await c->send(frame(insert));
  co_await t.settle();
  c->loop().reset();
  co_await t.settle();
  t.engine->let_go();
  co_await t.settle();
}

TEST_F(Session, ARepeatIsToldToOneClientOnly) {
  run([](ServerTest& t) -> io::Task<void> {
    Sent lock{.op = Op::kInsertOne, .args = document("lock")};
    co_await insert_and_break(t, lock);
    auto second = co_await t.connect();
    auto third = co_await t.connect();
    EXPECT_TRUE((co_await second->ask(lock)).ok());
    EXPECT_EQ((co_await third->ask(lock)).code, Code::kDuplicateKey) << "somebody has the lock";
    second->loop().reset();
    co_await t.settle();
    EXPECT_TRUE((co_await third->ask(lock)).ok()) << "who had it broke before its next request";
  });
}

TEST_F(Session, AnInsertThatWasRefusedIsNobodysRepeat) {
  run([](ServerTest& t) -> io::Task<void> {
    Sent lock{.op = Op::kInsertOne, .args = document("lock")};
    auto holder = co_await t.connect();
    EXPECT_TRUE((co_await holder->ask(lock)).ok());
    co_await insert_and_break(t, lock);
    auto again = co_await t.connect();
    EXPECT_EQ((co_await again->ask(lock)).code, Code::kDuplicateKey) << "its first attempt has inserted nothing";
  });
}

TEST_F(Session, AnInsertFromAnotherMachineIsNoRepeat) {
  run([](ServerTest& t) -> io::Task<void> {
    Sent lock{.op = Op::kInsertOne, .args = document("lock")};
    co_await insert_and_break(t, lock);
    t.loop.network.machine = "elsewhere";
    auto other = co_await t.connect();
    EXPECT_EQ((co_await other->ask(lock)).code, Code::kDuplicateKey);
    t.loop.network.machine = "loop";
    auto again = co_await t.connect();
    EXPECT_TRUE((co_await again->ask(lock)).ok());
  });
}

TEST_F(Session, ARepeatOfAnInsertThatIsStillUnderWayWaitsForIt) {
  run([](ServerTest& t) -> io::Task<void> {
    Sent insert{.op = Op::kInsertOne, .args = document("a")};
    auto first = co_await t.connect();
    t.engine->held_after = true;
    co_await first->send(frame(insert));
    co_await t.settle();
    first->loop().reset();
    co_await t.settle();
    t.engine->held_after = false;
    auto second = co_await t.connect();
    co_await second->send(frame(insert));
    co_await t.settle();
    t.engine->let_go();
    EXPECT_TRUE((co_await second->next()).ok());
  });
}

TEST_F(Session, AHalfClosedClientGetsItsRefusalAtOnce) {
  run([](ServerTest& t) -> io::Task<void> {
    Sent insert{.op = Op::kInsertOne, .args = document("a")};
    auto first = co_await t.connect();
    EXPECT_TRUE((co_await first->ask(insert)).ok());
    auto second = co_await t.connect();
    t.engine->held = true;
    co_await second->send(frame(insert));
    co_await t.settle();
    second->loop().out().close();
    co_await t.settle();
    t.engine->let_go();
    EXPECT_EQ((co_await second->next()).code, Code::kDuplicateKey);
  });
}

// --- The end.

TEST_F(Session, StopLetsWhatRunsEndAndItsAnswerLeave) {
  start();
  std::unique_ptr<RawClient> busy, idle;
  drive([](ServerTest& t, std::unique_ptr<RawClient>& b, std::unique_ptr<RawClient>& i) -> io::Task<void> {
    b = co_await t.connect();
    i = co_await t.connect();
    co_await t.settle();
    t.engine->held = true;
    co_await b->send(frame({.id = 8, .op = Op::kCount}));
    co_await t.settle();
    t.loop.executor.spawn([](ServerTest& test) -> io::Task<void> {
      co_await io::sleep_for(seconds(3));
      test.engine->let_go();
    }(t));
  }(*this, busy, idle));
  Time begin = loop.executor.now();
  stop();
  EXPECT_EQ(loop.executor.now() - begin, seconds(3));
  drive([](std::unique_ptr<RawClient>& b, std::unique_ptr<RawClient>& i) -> io::Task<void> {
    EXPECT_EQ((co_await b->next()).id, 8u);
    EXPECT_TRUE((co_await b->next()).ended);
    EXPECT_TRUE((co_await i->next()).ended);
  }(busy, idle));
}

TEST_F(Session, RequestsThatComeWhileItStopsAreRefused) {
  start();
  std::unique_ptr<RawClient> client;
  drive([](ServerTest& t, std::unique_ptr<RawClient>& c) -> io::Task<void> {
    c = co_await t.connect();
    t.engine->held = true;
    co_await c->send(frame({.id = 1, .op = Op::kCount}));
    co_await t.settle();
    t.loop.executor.spawn([](ServerTest& test, RawClient& raw) -> io::Task<void> {
      co_await io::sleep_for(seconds(1));
      co_await raw.send(frame({.id = 2, .op = Op::kCount}));
      co_await io::sleep_for(seconds(1));
      test.engine->let_go();
    }(t, *c));
  }(*this, client));
  stop();
  drive([](std::unique_ptr<RawClient>& c) -> io::Task<void> {
    Got refused = co_await c->next();
    EXPECT_EQ(refused.id, 2u);
    EXPECT_EQ(refused.code, Code::kShuttingDown);
    EXPECT_TRUE((co_await c->next()).ok());
  }(client));
}

TEST_F(Session, HurryClosesConnectionsAtOnceAndStillStopsClean) {
  loop.network.capacity_back = 10;
  start();
  std::unique_ptr<RawClient> client;
  drive([](ServerTest& t, std::unique_ptr<RawClient>& c) -> io::Task<void> {
    c = co_await t.connect();
    co_await c->send(frame({}));
    co_await t.settle();
    t.loop.executor.spawn([](ServerTest& test) -> io::Task<void> {
      co_await io::sleep_for(milliseconds(10));
      test.server->hurry();
    }(t));
  }(*this, client));
  Time begin = loop.executor.now();
  stop();
  EXPECT_EQ(loop.executor.now() - begin, milliseconds(10));
}

TEST_F(Session, ARequestThatDoesNotEndIsReportedByStop) {
  start();
  drive([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    t.engine->held = true;
    co_await c->send(frame({.op = Op::kCount}));
    co_await t.settle();
    auto stopped = co_await t.server->stop();
    EXPECT_FALSE(stopped);
    if (!stopped) {
      EXPECT_EQ(stopped.error().code, Code::kTimeout);
    }
    EXPECT_FALSE(t.engine->stopped);
  }(*this));
  loop.executor.crash();
  server.reset();
}

TEST_F(Session, ACrashAtAnyMomentDestroysTheFramesWithoutHarm) {
  for (int steps = 0; steps < 400; steps += 7) {
    LoopHost host;
    auto engine = std::make_unique<FakeEngine>();
    FakeEngine& fake = *engine;
    auto crashing = server::Server::around(std::move(engine), host.host, {});
    host.network.capacity_back = 100;
    auto traffic = [](server::Server& s, LoopHost& h, FakeEngine& e) -> io::Task<void> {
      EXPECT_TRUE(co_await s.listen());
      e.held = true;
      std::vector<std::unique_ptr<io::Connection>> open;
      for (uint64_t i = 0; i < 10; ++i) {
        open.push_back(*co_await h.network.connect({}, Time::never()));
        for (uint64_t id = 1; id < 10; ++id)
          (void)co_await open.back()->write_all(
              frame({.id = id, .op = id % 3 ? Op::kInsertOne : Op::kPing, .args = document("d")}));
        if (i == 5) e.let_go();
        if (i == 7) open[2].reset();
      }
    };
    host.executor.spawn(traffic(*crashing, host, fake));
    for (int i = 0; i < steps; ++i) host.executor.run_one();
    if (steps % 2) crashing.reset();  // either may die first
    host.executor.crash();
  }
}

}  // namespace
}  // namespace holdfast::test
