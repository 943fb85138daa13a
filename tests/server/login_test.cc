#include "io/wire/psk_handshake.h"
#include "tests/server/sealed_client.h"

namespace holdfast::test {
namespace {

/// A server with the users ada (read-write) and view (read-only), their passwords "secret" and "look", and the user of
/// --username, admin, with "old".
class Login : public ServerTest {
 public:
  io::Task<std::unique_ptr<SealedClient>> fresh() { co_return std::make_unique<SealedClient>(co_await connect()); }
  /// Logged in, or null.
  io::Task<std::unique_ptr<SealedClient>> as(std::string user, std::string password) {
    auto c = co_await fresh();
    auto done = co_await c->log_in(user, password);
    EXPECT_TRUE(done) << done.error().text();
    if (!done) c.reset();
    co_return c;
  }

 protected:
  void SetUp() override {
    config.login.username = "admin";
    config.login.password = wire::SecretText("old");
    config.login.cost = kCheap;
    server::Users stored(wire::Key(counting(32, 1)), wire::Key(counting(32, 2)));
    EXPECT_TRUE(stored.add({.name = "ada",
                            .role = wire::Role::kReadWrite,
                            .verifier = *wire::make_verifier("secret", counting(16, 3), kCheap)}));
    EXPECT_TRUE(stored.add({.name = "view",
                            .role = wire::Role::kReadOnly,
                            .verifier = *wire::make_verifier("look", counting(16, 4), kCheap)}));
    users = {.number = 1, .users = std::move(stored)};
  }
};

Login& self(ServerTest& t) { return static_cast<Login&>(t); }

TEST_F(Login, ServesWhoLogsInByOurHandshake) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await self(t).as("ada", "secret");
    for (uint64_t id = 1; id <= 20; ++id) {
      Got got = co_await c->ask({.id = id, .op = Op::kInsertOne, .args = document(std::to_string(id))});
      EXPECT_TRUE(got.ok()) << got.error;
      EXPECT_EQ(got.id, id);
    }
    EXPECT_EQ(t.engine->documents("default", "c").size(), 20u);
    // As the user of --username too.
    auto admin = co_await self(t).as("admin", "old");
    EXPECT_TRUE((co_await admin->ask({})).ok());
  });
}

TEST_F(Login, ServesTheOriginalsClientsInBothVersionsIfTheyBringTheToken) {
  run([](ServerTest& t) -> io::Task<void> {
    for (char version : {wire::kPskAegisVersion, wire::kPskAesGcmVersion}) {
      if (version == wire::kPskAesGcmVersion && wire::aes_unit() == wire::AesUnit::kNone) continue;
      auto c = co_await self(t).fresh();
      auto done = co_await c->log_in_as_the_original("admin", "old", version);
      EXPECT_TRUE(done) << done.error().text();
      if (!done) co_return;
      Buffer token{Bytes(wire::psk_token(wire::psk_of("admin", "old")))};
      Got got = co_await c->ask({.op = Op::kInsertOne, .args = document(std::string(1, 'a' + version))}, token);
      EXPECT_TRUE(got.ok()) << got.error;
      Got without = co_await c->ask({.id = 2, .op = Op::kCount});
      EXPECT_EQ(without.code, Code::kAuth);
      token[63] = token[63] == '0' ? '1' : '0';
      EXPECT_EQ((co_await c->ask({.id = 3, .op = Op::kCount}, token)).code, Code::kAuth);
      token[63] = Bytes(wire::psk_token(wire::psk_of("admin", "old")))[63];
      EXPECT_TRUE((co_await c->ask({.id = 4, .op = Op::kCount}, token)).ok()) << "the connection stays open";
    }
    EXPECT_EQ(t.engine->documents("default", "c").size(), wire::aes_unit() == wire::AesUnit::kNone ? 1u : 2u);
  });
}

TEST_F(Login, AsksForTheTokenWithinABatchToo) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await self(t).fresh();
    EXPECT_TRUE(co_await c->log_in_as_the_original("admin", "old"));
    Buffer token{Bytes(wire::psk_token(wire::psk_of("admin", "old")))};
    Buffer inner = frame({.op = Op::kInsertOne, .args = document("hidden")}).substr(wire::kFrameHeaderSize);
    Buffer args = packed([&](msgpack::Writer& w) { w.map(1).string("requests").array(1).raw(inner); });
    Got got = co_await c->ask({.op = Op::kBatch, .args = args}, token);
    EXPECT_TRUE(got.ok());
    EXPECT_TRUE(got.result.contains("auth: ")) << got.result;
    EXPECT_TRUE(t.engine->documents("default", "c").empty());
  });
}

TEST_F(Login, TellsWrongNamesAndPasswordsLateAndAlike) {
  run([](ServerTest& t) -> io::Task<void> {
    for (auto [user, password] : {std::pair("ada", "Secret"), std::pair("bob", "secret"), std::pair("view", "secret"),
                                  std::pair("admin", "secret")}) {
      Time begin = t.loop.executor.now();
      auto c = co_await self(t).fresh();
      auto done = co_await c->log_in(user, password);
      EXPECT_FALSE(done);
      EXPECT_EQ(done.error().text(), "auth: wrong user name or password");
      EXPECT_GE((t.loop.executor.now() - begin).ns, seconds(1).ns);
      EXPECT_TRUE((co_await c->raw().next()).ended);
    }
    auto c = co_await self(t).fresh();
    EXPECT_FALSE(co_await c->log_in_as_the_original("admin", "secret"));
    Got stats = co_await (co_await self(t).as("view", "look"))->ask({.op = Op::kStats});
    Buffer failed = packed_string("logins_failed");
    EXPECT_TRUE(stats.result.contains(failed + "\x04"))
        << "the original's client ends by itself when the server's proof is wrong";
  });
  size_t told =
      std::ranges::count_if(loop.log_lines, [](const std::string& line) { return line.contains("failed to log in"); });
  EXPECT_EQ(told, 1u) << "lines are rare";
  for (const std::string& line : loop.log_lines)
    for (const char* secret : {"Secret", "secret", "look"}) EXPECT_FALSE(line.contains(secret)) << line;
}

TEST_F(Login, LetsPlaintextGreetAndNothingElse) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    EXPECT_TRUE((co_await c->ask({.op = Op::kPing})).ok());
    EXPECT_TRUE((co_await c->ask({.op = Op::kHello})).ok());
    for (int op = 1; op < 256; ++op) {
      if (op == std::to_underlying(Op::kPing) || op == std::to_underlying(Op::kHello)) continue;
      Got got = co_await c->ask({.op = static_cast<Op>(op)});
      EXPECT_EQ(got.code, Code::kAuth) << op << " " << got.error;
    }
    EXPECT_TRUE(t.engine->calls.empty() || t.engine->calls.back() == "stats") << t.engine->calls.back();
  });
}

// Whoever has not logged in cannot make the server hold or read more than a little.
TEST_F(Login, RefusesLargeFramesOfWhoHasNotLoggedInAtOnce) {
  run([](ServerTest& t) -> io::Task<void> {
    const size_t most = t.config.limits.stranger_bytes;
    for (bool local : {true, false}) {
      t.loop.network.local = local;
      Time begin = t.loop.executor.now();
      // The greeting first, and its limit: a frame of exactly that many bytes is read whole.
      auto c = co_await t.connect();
      EXPECT_EQ((co_await c->ask({.op = Op::kPing})).ok(), local);
      EXPECT_EQ((co_await c->ask({.op = Op::kHello})).ok(), local);
      Buffer fits = frame({.id = 7, .op = Op::kInsertOne, .args = document("a", std::string(most - 60, 'x'))});
      EXPECT_LE(fits.size(), most + wire::kFrameHeaderSize);
      co_await c->send(fits);
      EXPECT_EQ((co_await c->next()).code, Code::kAuth);
      EXPECT_EQ((co_await c->ask({.op = Op::kPing})).ok(), local) << "the connection goes on";
      for (size_t size : {most + 1, size_t{60} << 20, size_t{1} << 31}) {
        auto large = co_await t.connect();
        Buffer head = frame({.id = 9, .op = Op::kInsertOne, .args = document("a", "x")});
        store_be(head.data(), static_cast<uint32_t>(size));
        co_await large->send(head);
        Got got = co_await large->next();
        EXPECT_EQ(got.code, Code::kAuth) << got.error;
        EXPECT_EQ(got.id, 9u);
        EXPECT_TRUE(got.error.contains(std::to_string(most))) << got.error;
        EXPECT_EQ(t.loop.executor.now(), begin) << "nothing more is waited for";
        EXPECT_TRUE((co_await large->next()).ended);
        begin = t.loop.executor.now();
      }
    }
    t.loop.network.local = true;
    // Who has logged in may send more.
    auto ada = co_await self(t).as("ada", "secret");
    EXPECT_TRUE((co_await ada->ask({.op = Op::kInsertOne, .args = document("a", std::string(2 * most, 'x'))})).ok());
  });
}

TEST_F(Login, LetsReadersReadAndNothingElse) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await self(t).as("view", "look");
    auto writer = co_await self(t).as("ada", "secret");
    EXPECT_TRUE((co_await writer->ask({.op = Op::kInsertOne, .args = document("a")})).ok());
    EXPECT_TRUE((co_await c->ask({.op = Op::kFindById, .args = id_args("a")})).ok());
    for (int op = 1; op < 256; ++op) {
      const wire::OpInfo* known = wire::info(static_cast<Op>(op));
      if (!known || !server::changes_something(known->op)) continue;
      Got got = co_await c->ask({.op = known->op, .args = document("b")});
      EXPECT_EQ(got.code, Code::kReadOnly) << known->name << ": " << got.error;
    }
    Buffer inner = frame({.op = Op::kInsertOne, .args = document("hidden")}).substr(wire::kFrameHeaderSize);
    Buffer args = packed([&](msgpack::Writer& w) { w.map(1).string("requests").array(1).raw(inner); });
    Got got = co_await c->ask({.op = Op::kBatch, .args = args});
    EXPECT_TRUE(got.result.contains("read_only: ")) << got.result;
    EXPECT_EQ(t.engine->documents("default", "c").size(), 1u);
  });
}

/// Whether every operation that changes something is known to the table.
TEST(Roles, KnowWhatChangesSomething) {
  for (Op op : {Op::kInsertOne,        Op::kInsertMany,   Op::kUpdateOne,     Op::kUpdateMany,  Op::kDeleteOne,
                Op::kDeleteMany,       Op::kDrop,         Op::kTxBatch,       Op::kUpsertOne,   Op::kUpsertMany,
                Op::kCreateCollection, Op::kTxInsertOne,  Op::kTxUpdateOne,   Op::kTxDeleteOne, Op::kCreateIndex,
                Op::kDropIndex,        Op::kRebuildIndex, Op::kFindAndModify, Op::kUserAdd,     Op::kUserRemove,
                Op::kUserPasswd,       Op::kUserList})
    EXPECT_TRUE(server::changes_something(op)) << wire::name(op);
  for (Op op : {Op::kFindOne, Op::kFind, Op::kCount, Op::kFindById, Op::kStats, Op::kFlush, Op::kBatch, Op::kHello,
                Op::kPing, Op::kExport, Op::kStream, Op::kVerify})
    EXPECT_FALSE(server::changes_something(op)) << wire::name(op);
}

// What somebody between client and server can do to frames: always the end of the connection, and never an effect.
TEST_F(Login, ClosesOnRepeatedReflectedReorderedForeignAndCutFrames) {
  enum class Harm { kRepeat, kReflect, kReorder, kOmit, kForeign, kCut, kPlain, kLength };
  for (Harm harm : {Harm::kRepeat, Harm::kReflect, Harm::kReorder, Harm::kOmit, Harm::kForeign, Harm::kCut,
                    Harm::kPlain, Harm::kLength}) {
    static Harm now;  // the body takes no captures
    now = harm;
    run([](ServerTest& t) -> io::Task<void> {
      const size_t before = t.engine->documents("default", "c").size();
      auto c = co_await self(t).as("ada", "secret");
      auto other = co_await self(t).fresh();
      EXPECT_TRUE(co_await other->log_in("ada", "secret", 77));
      std::string name = "h" + std::to_string(static_cast<int>(now));
      Buffer first = c->sealed({.id = 1, .op = Op::kInsertOne, .args = document(name)});
      Buffer second = c->sealed({.id = 2, .op = Op::kInsertOne, .args = document(name + "'")});
      co_await c->send(first);
      EXPECT_TRUE((co_await c->next()).ok());
      Buffer bad;
      switch (now) {
        case Harm::kRepeat:
          bad = first;
          break;
        case Harm::kReflect: {
          // The server's own answer, recorded on the way and sent back.
          co_await c->send(second);
          co_await t.settle();
          bad = c->raw().loop().in().bytes;
          EXPECT_FALSE(bad.empty());
          c->raw().loop().in().bytes.clear();
          break;
        }
        case Harm::kReorder:
          bad = c->sealed({.id = 3, .op = Op::kInsertOne, .args = document("third")}) + second;
          break;
        case Harm::kOmit:
          bad = c->sealed({.id = 3, .op = Op::kInsertOne, .args = document("third")});
          break;
        case Harm::kForeign:
          bad = other->sealed({.id = 1, .op = Op::kInsertOne, .args = document("foreign")});
          break;
        case Harm::kCut:
          bad = second.substr(0, second.size() - 1) + frame({.id = 9});
          break;
        case Harm::kPlain:
          bad = frame({.id = 9, .op = Op::kInsertOne, .args = document("plain")});
          break;
        case Harm::kLength:
          bad = second + Buffer(1, '\0');
          bad[3] = static_cast<char>(bad[3] + 1);
          break;
      }
      co_await c->send(bad);
      EXPECT_TRUE((co_await c->next()).ended) << static_cast<int>(now);
      size_t after = t.engine->documents("default", "c").size();
      EXPECT_EQ(after, before + (now == Harm::kReflect ? 2 : 1)) << static_cast<int>(now);
      EXPECT_TRUE((co_await other->ask({.op = Op::kPing})).ok() || now == Harm::kForeign) << "other connections go on";
    });
  }
}

TEST_F(Login, ClosesOnAnyChangedBitOfAFrameAndNothingIsDone) {
  run([](ServerTest& t) -> io::Task<void> {
    size_t bits = 8;
    for (size_t bit = 0; bit < bits; ++bit) {
      auto c = co_await self(t).as("ada", "secret");
      Buffer bad = c->sealed({.op = Op::kInsertOne, .args = document("x")});
      bits = bad.size() * 8;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
      co_await c->send(bad);
      c->raw().loop().out().close();  // a length that grew waits for more
      Got got = co_await c->next();
      EXPECT_TRUE(got.ended || got.code == Code::kTooLarge) << bit << " " << got.error;
    }
    EXPECT_TRUE(t.engine->documents("default", "c").empty());
  });
}

TEST_F(Login, ClosesQuietlyAfterHandshakesThatEndOrStall) {
  run([](ServerTest& t) -> io::Task<void> {
    for (Buffer begun : {Buffer(), Buffer("\xaf"), Buffer("\xae"), Buffer("\xaf\x01\x03"), counting(34, 0xae - 256),
                         Buffer("\xaf\x02") + Buffer(34, 'x'), Buffer("\xae\x03") + Buffer(32, 'x'),
                         Buffer("\xaf\x01\x03") + Buffer(33, '\0')}) {
      auto c = co_await t.connect();
      co_await c->send(begun);
      co_await t.settle();
      c->loop().out().close();
      Got got = co_await c->next();
      EXPECT_TRUE(got.ended);
    }
    // One that says nothing more is closed in the end.
    Time begin = t.loop.executor.now();
    auto slow = co_await t.connect();
    co_await slow->send("\xaf\x01");
    auto silent = co_await t.connect();
    EXPECT_TRUE((co_await slow->next()).ended);
    EXPECT_TRUE((co_await silent->next()).ended);
    EXPECT_LE((t.loop.executor.now() - begin).ns, seconds(12).ns);
    EXPECT_GE((t.loop.executor.now() - begin).ns, seconds(9).ns);
  });
  EXPECT_LE(
      std::ranges::count_if(loop.log_lines,
                            [](const std::string& l) { return !l.contains("clients know this server by its key"); }),
      1)
      << loop.log_lines.back();
}

/// Connections that have begun a handshake and say no more.
io::Task<std::vector<std::unique_ptr<RawClient>>> half_open(ServerTest& t, size_t count) {
  std::vector<std::unique_ptr<RawClient>> out;
  for (size_t i = 0; i < count; ++i) {
    out.push_back(co_await t.connect());
    co_await out.back()->send(i % 2 == 0 ? "\xaf" : "\xae");
  }
  co_await t.settle();
  co_return out;
}

TEST_F(Login, TakesThePlaceOfTheHandshakeThatBeganFirst) {
  config.limits.handshakes = 4;
  run([](ServerTest& t) -> io::Task<void> {
    auto slow = co_await half_open(t, 4);
    Time begin = t.loop.executor.now();
    EXPECT_TRUE(co_await self(t).as("ada", "secret"));
    EXPECT_TRUE((co_await slow[0]->next()).ended) << "it made room";
    for (size_t i = 1; i < 4; ++i) EXPECT_FALSE(slow[i]->loop().in().closed) << i;
    EXPECT_TRUE(co_await self(t).as("ada", "secret")) << "there is room now";
    EXPECT_FALSE(slow[1]->loop().in().closed);
    auto more = co_await half_open(t, 4);
    for (size_t i = 1; i < 4; ++i) EXPECT_TRUE((co_await slow[i]->next()).ended) << i;
    EXPECT_FALSE(more[0]->loop().in().closed) << "no more are closed than have to be";
    EXPECT_EQ(t.loop.executor.now(), begin) << "nothing of this takes time";
  });
}

io::Task<void> fail_to_log_in(Login& t, size_t& closed, size_t& told) {
  auto c = co_await t.fresh();
  auto done = co_await c->log_in("ada", "wrong");
  EXPECT_FALSE(done);
  if (!done) ++(done.error().code == Code::kClosed ? closed : told);
}

TEST_F(Login, GivesNoPlaceToThoseThatHaveFailedWhileOthersNeedIt) {
  config.limits.handshakes = 4;
  run([](ServerTest& t) -> io::Task<void> {
    size_t closed = 0, told = 0;
    Time begin = t.loop.executor.now();
    for (int i = 0; i < 20; ++i) {
      t.loop.executor.spawn(fail_to_log_in(self(t), closed, told));
      co_await t.settle();
    }
    EXPECT_EQ(closed, 16u) << "as many as may be under way wait to be told";
    auto slow = co_await half_open(t, 2);
    EXPECT_EQ(closed, 18u) << "they go first";
    for (const auto& s : slow) EXPECT_FALSE(s->loop().in().closed);
    EXPECT_TRUE(co_await self(t).as("ada", "secret"));
    EXPECT_EQ(t.loop.executor.now(), begin) << "nobody has to wait for those";
    co_await io::sleep_for(seconds(1));
    co_await t.settle();
    EXPECT_EQ(closed, 19u);
    EXPECT_EQ(told, 1u);
    EXPECT_FALSE(slow[0]->loop().in().closed);
  });
}

io::Task<void> log_in_or_be_closed(Login& t, size_t& in, size_t& closed) {
  auto c = co_await t.fresh();
  auto done = co_await c->log_in("ada", "secret");
  if (!done) {
    EXPECT_EQ(done.error().code, Code::kClosed);
    ++closed;
    co_return;
  }
  ++in;
  // It may have been closed while it was welcomed; if not, it is served.
  Got got = co_await c->ask({});
  EXPECT_TRUE(got.ended || got.ok()) << got.error;
}

TEST_F(Login, GivesWayAtAnyMomentOfItsHandshake) {
  config.limits.handshakes = 2;
  run([](ServerTest& t) -> io::Task<void> {
    size_t in = 0, closed = 0, moments = 0;
    while (in < 3) {
      size_t ended = in + closed;
      t.loop.executor.spawn(log_in_or_be_closed(self(t), in, closed));
      for (size_t i = 0; i < moments; ++i) co_await io::yield();
      {
        auto others = co_await half_open(t, 2);
        co_await t.settle();
      }
      co_await t.settle();
      EXPECT_EQ(in + closed, ended + 1) << moments;
      EXPECT_TRUE(co_await self(t).as("ada", "secret")) << moments;
      EXPECT_LT(++moments, 300u);
      if (moments >= 300) co_return;
    }
    EXPECT_GT(closed, 0u);
  });
}

TEST_F(Login, TakesAHandshakeInSingleBytesAndARequestRightBehindIt) {
  run([](ServerTest& t) -> io::Task<void> {
    wire::PskClient handshake(wire::psk_of("admin", "old"), counting(32, 5), wire::kPskAegisVersion, wire::aes_unit());
    auto c = co_await t.connect();
    for (char byte : handshake.hello()) co_await c->send(Buffer(1, byte));
    Buffer answer;
    while (answer.size() < 64) {
      std::array<char, 64> room;
      auto n = co_await c->connection().read_some(room);
      EXPECT_TRUE(n && *n > 0);
      if (!n || *n == 0) co_return;
      answer.append(room.data(), *n);
    }
    auto proof = handshake.take(answer);
    EXPECT_TRUE(proof);
    wire::FrameSealer sealer(handshake.keys().style, handshake.keys().send);
    Buffer request = frame({.op = Op::kPing});
    Buffer payload = request.substr(wire::kFrameHeaderSize);
    payload[0] = static_cast<char>(payload[0] + 1);
    msgpack::Writer(payload).string("auth").string(Bytes(wire::psk_token(wire::psk_of("admin", "old"))));
    request = framed(payload);
    sealer.seal(request, 0);
    co_await c->send(*proof + request);
    std::array<char, 4> head;
    auto n = co_await c->connection().read_some(head);
    EXPECT_TRUE(n && *n > 0) << "the request that came with the proof is answered";
  });
}

class NoUsers : public ServerTest {};

TEST_F(NoUsers, TellsWhoWantsToLogInWhatToDo) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    co_await c->send("\xaf\x01\x03" + Buffer(33, 'k'));
    Got got = co_await c->next();
    EXPECT_EQ(got.code, Code::kAuth);
    EXPECT_TRUE(got.error.contains("holdfast user add")) << got.error;
    c = co_await t.connect();
    co_await c->send("\xae\x02" + Buffer(32, 'k'));
    EXPECT_TRUE((co_await c->next()).ended);
  });
  EXPECT_EQ(std::ranges::count_if(loop.log_lines, [](const std::string& l) { return l.contains("--username"); }), 1);
}

TEST_F(NoUsers, TakesNoFirstOneWhoMayOnlyRead) {
  run([](ServerTest& t) -> io::Task<void> {
    auto v = wire::make_verifier("secret", counting(16, 3), kCheap);
    Buffer solo = packed([&](msgpack::Writer& w) {
      w.map(6).string("name").string("solo").string("role").string("read-only").string("passes").uint(v->cost.passes);
      w.string("memory_kib").uint(v->cost.memory_kib).string("salt").binary({v->salt.data(), v->salt.size()});
      w.string("key").binary(wire::view(v->key));
    });
    auto c = co_await t.connect();
    Got got = co_await c->ask({.op = Op::kUserAdd, .args = solo});
    EXPECT_EQ(got.code, Code::kBadRequest);
    EXPECT_TRUE(got.error.contains("read-write")) << got.error;
    EXPECT_TRUE((co_await c->ask({.id = 2, .op = Op::kInsertOne, .args = document("a")})).ok()) << "it is open still";
  });
}

}  // namespace
}  // namespace holdfast::test
