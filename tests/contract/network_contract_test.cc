// What io/network.h promises.
#include "tests/contract/echo.h"
#include "tests/contract/host_under_test.h"

namespace holdfast::contract {
namespace {

HOLDFAST_CONTRACT(NetworkContract);

const io::Endpoint kAnyPort{"127.0.0.1", 0};

// Two ends of one connection on core 0.
struct Pair {
  std::unique_ptr<io::Connection> client, server;
};

io::Task<void> accept_into(io::Listener& listener, std::unique_ptr<io::Connection>& out) {
  CO_VALUE(c, co_await listener.accept(CoreId(0)));
  out = std::move(c);
}

io::Task<Result<Pair>> make_pair(io::Host& host) {
  HF_CO_TRY(listener, co_await host.network.listen(kAnyPort));
  io::TaskGroup accepting(co_await io::this_executor());
  Pair pair;
  accepting.spawn(accept_into(*listener, pair.server));
  HF_CO_TRY(client, co_await host.network.connect(listener->local(), host.clock.now() + seconds(60)));
  co_await accepting.drained();
  if (!pair.server) co_return fail(Code::kInternal, "nothing was accepted");
  pair.client = std::move(client);
  co_return pair;
}

io::Task<void> write_into(io::Connection& c, std::string data, Result<>& out) { out = co_await c.write_all(data); }

io::Task<void> read_into(io::Connection& c, Result<size_t>& out, std::string& bytes) {
  bytes.resize(100);
  out = co_await c.read_some(bytes);
  bytes.resize(out ? *out : 0);
}

TEST_P(NetworkContract, PortZeroTakesAFreeOne) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(a, co_await host.network.listen(kAnyPort));
    CO_VALUE(b, co_await host.network.listen({"localhost", 0}));
    EXPECT_NE(a->local().port, 0);
    EXPECT_NE(b->local().port, 0);
    EXPECT_NE(a->local().port, b->local().port);
    EXPECT_EQ(a->local().host, "127.0.0.1");
  });
}

TEST_P(NetworkContract, ListeningTwiceOnOnePortFails) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(a, co_await host.network.listen(kAnyPort));
    EXPECT_CODE(Code::kIo, co_await host.network.listen(a->local()));
    io::Endpoint at = a->local();
    a.reset();
    CO_VALUE(again, co_await host.network.listen(at));
    EXPECT_EQ(again->local(), at);
  });
}

TEST_P(NetworkContract, BytesTravelBothWays) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(pair, co_await make_pair(host));
    char got[5];
    CO_OK(co_await pair.client->write_all("hello"));
    EXPECT_TRUE(co_await read_full(*pair.server, got));
    EXPECT_EQ(Bytes(got, 5), "hello");
    CO_OK(co_await pair.server->write_all("there"));
    EXPECT_TRUE(co_await read_full(*pair.client, got));
    EXPECT_EQ(Bytes(got, 5), "there");
    EXPECT_TRUE(pair.server->peer_is_local());
    EXPECT_FALSE(pair.server->peer().empty());
    EXPECT_NE(pair.server->peer(), pair.client->peer());
  });
}

TEST_P(NetworkContract, LocalhostIsReached) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(listener, co_await host.network.listen({"localhost", 0}));
    CO_VALUE(c, co_await host.network.connect({"localhost", listener->local().port}, host.clock.now() + seconds(60)));
    EXPECT_TRUE(c->peer_is_local());
  });
}

TEST_P(NetworkContract, ConnectWhereNobodyListensIsClosed) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    io::Endpoint at;
    {
      CO_VALUE(listener, co_await host.network.listen(kAnyPort));
      at = listener->local();
    }
    EXPECT_CODE(Code::kClosed, co_await host.network.connect(at, host.clock.now() + seconds(60)));
  });
}

TEST_P(NetworkContract, ReadGivesWhatHasComeWithoutWaitingForMore) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(pair, co_await make_pair(host));
    CO_OK(co_await pair.client->write_all("abc"));
    char got[100];
    size_t total = 0;
    while (total < 3) {
      CO_VALUE(n, co_await pair.server->read_some(MutableBytes(got).subspan(total)));
      EXPECT_GT(n, 0u);
      if (n == 0) co_return;
      total += n;
    }
    EXPECT_EQ(Bytes(got, total), "abc");
  });
}

TEST_P(NetworkContract, SmallBuffersLoseNothing) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(pair, co_await make_pair(host));
    std::string sent;
    for (int i = 0; i < 100; ++i) sent += std::to_string(i) + ",";
    CO_OK(co_await pair.client->write_all(sent));
    pair.client->close();
    std::string got;
    for (size_t room = 1;; room = room % 7 + 1) {
      char bytes[8];
      CO_VALUE(n, co_await pair.server->read_some(MutableBytes(bytes, room)));
      if (n == 0) break;
      EXPECT_LE(n, room);
      got.append(bytes, n);
    }
    EXPECT_EQ(got, sent);
  });
}

TEST_P(NetworkContract, OrderlyEndReadsAsZeroAgainAndAgain) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(pair, co_await make_pair(host));
    CO_OK(co_await pair.client->write_all("last words"));
    pair.client.reset();
    char got[10];
    EXPECT_TRUE(co_await read_full(*pair.server, got));
    EXPECT_EQ(Bytes(got, 10), "last words");
    for (int i = 0; i < 3; ++i) {
      CO_VALUE(n, co_await pair.server->read_some(got));
      EXPECT_EQ(n, 0u);
    }
  });
}

TEST_P(NetworkContract, LastWordsArriveThoughTheirSenderLeftBytesUnread) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(pair, co_await make_pair(host));
    CO_OK(co_await pair.client->write_all(std::string(1000, 'q')));
    // Let the question arrive, then refuse without reading it all.
    char first[1];
    EXPECT_TRUE(co_await read_full(*pair.server, first));
    co_await io::sleep_for(milliseconds(20));
    CO_OK(co_await pair.server->write_all("refused"));
    pair.server->close();
    char got[7];
    EXPECT_TRUE(co_await read_full(*pair.client, got));
    EXPECT_EQ(Bytes(got, 7), "refused");
  });
}

TEST_P(NetworkContract, OperationsAfterCloseAreClosed) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(pair, co_await make_pair(host));
    pair.client->close();
    pair.client->close();
    char got[10];
    EXPECT_CODE(Code::kClosed, co_await pair.client->read_some(got));
    EXPECT_CODE(Code::kClosed, co_await pair.client->write_all("x"));
  });
}

TEST_P(NetworkContract, CloseEndsAReadUnderWayLater) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(pair, co_await make_pair(host));
    io::TaskGroup reading(co_await io::this_executor());
    Result<size_t> outcome = 12345;
    std::string bytes;
    reading.spawn(read_into(*pair.server, outcome, bytes));
    co_await io::sleep_for(milliseconds(2));
    pair.server->close();
    EXPECT_EQ(reading.running(), 1u) << "never inline";
    co_await reading.drained();
    EXPECT_CODE(Code::kClosed, outcome);
  });
}

TEST_P(NetworkContract, WriterWaitsForAReaderThatNeverReadsUntilClosed) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(pair, co_await make_pair(host));
    io::TaskGroup writing(co_await io::this_executor());
    Result<> outcome;
    writing.spawn(write_into(*pair.server, std::string(64 << 20, 'w'), outcome));
    co_await io::sleep_for(milliseconds(50));
    EXPECT_EQ(writing.running(), 1u) << "64 MiB fit into no host's buffers";
    pair.server->close();
    co_await writing.drained();
    EXPECT_CODE(Code::kClosed, outcome);
  });
}

TEST_P(NetworkContract, WriterFailsOnceItsPeerHasGone) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(pair, co_await make_pair(host));
    pair.client.reset();
    Result<> outcome;
    for (int i = 0; i < 10'000 && outcome; ++i) {
      outcome = co_await pair.server->write_all(std::string(1000, 'w'));
      co_await io::sleep_for(milliseconds(1));
    }
    EXPECT_CODE(Code::kClosed, outcome);
  });
}

io::Task<void> pump(io::Connection& c, uint64_t total, char salt) {
  std::string chunk(100'000, '\0');
  for (uint64_t sent = 0; sent < total;) {
    size_t n = std::min<uint64_t>(chunk.size(), total - sent);
    for (size_t i = 0; i < n; ++i) chunk[i] = static_cast<char>((sent + i) * 7 / 3 + salt);
    CO_OK(co_await c.write_all(Bytes(chunk).substr(0, n)));
    sent += n;
  }
}

io::Task<void> drain(io::Connection& c, uint64_t total, char salt, uint64_t& wrong) {
  std::string buffer(70'001, '\0');
  for (uint64_t got = 0; got < total;) {
    CO_VALUE(n, co_await c.read_some(buffer));
    if (n == 0) {
      ADD_FAILURE() << "ended after " << got;
      co_return;
    }
    for (size_t i = 0; i < n; ++i) wrong += buffer[i] != static_cast<char>((got + i) * 7 / 3 + salt);
    got += n;
  }
}

TEST_P(NetworkContract, LargeTransfersBothWaysAtOnceArriveWhole) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(pair, co_await make_pair(host));
    constexpr uint64_t kBytes = 8 << 20;
    io::TaskGroup work(co_await io::this_executor());
    uint64_t wrong = 0;
    work.spawn(pump(*pair.client, kBytes, 1));
    work.spawn(pump(*pair.server, kBytes, 2));
    work.spawn(drain(*pair.client, kBytes, 2, wrong));
    work.spawn(drain(*pair.server, kBytes, 1, wrong));
    co_await work.drained();
    EXPECT_EQ(wrong, 0u);
  });
}

TEST_P(NetworkContract, CloseEndsAnAcceptUnderWay) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(listener, co_await host.network.listen(kAnyPort));
    struct Accept {
      static io::Task<void> run(io::Listener& l, Code& code) {
        auto c = co_await l.accept(CoreId(0));
        code = c ? Code::kInternal : c.error().code;
      }
    };
    Code code = Code::kInternal;
    io::TaskGroup accepting(co_await io::this_executor());
    accepting.spawn(Accept::run(*listener, code));
    co_await io::sleep_for(milliseconds(2));
    listener->close();
    EXPECT_EQ(accepting.running(), 1u) << "never inline";
    co_await accepting.drained();
    EXPECT_EQ(code, Code::kClosed);
    EXPECT_CODE(Code::kClosed, co_await listener->accept(CoreId(0)));
  });
}

TEST_P(NetworkContract, ConnectionsWaitUntilTheyAreAccepted) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(listener, co_await host.network.listen(kAnyPort));
    std::vector<std::unique_ptr<io::Connection>> clients;
    for (int i = 0; i < 50; ++i) {
      CO_VALUE(c, co_await host.network.connect(listener->local(), host.clock.now() + seconds(60)));
      CO_OK(co_await c->write_all(Bytes("x")));
      clients.push_back(std::move(c));
    }
    for (int i = 0; i < 50; ++i) {
      CO_VALUE(c, co_await listener->accept(CoreId(0)));
      char got[1];
      EXPECT_TRUE(co_await read_full(*c, got));
    }
  });
}

// Serves one connection on its owner's core: sends everything back until the peer ends.
io::Task<bool> send_back(std::unique_ptr<io::Connection> c) {
  char bytes[1000];
  while (true) {
    auto n = co_await c->read_some(bytes);
    if (!n) co_return false;
    if (*n == 0) co_return true;
    if (!co_await c->write_all(Bytes(bytes, *n))) co_return false;
  }
}

io::Task<void> accept_for(io::Host& host, io::Listener& listener, CoreId owner, bool& orderly) {
  CO_VALUE(c, co_await listener.accept(owner));
  auto serve = [c = std::move(c)]() mutable { return send_back(std::move(c)); };
  orderly = co_await io::call_on<bool>(host.cores, owner, std::move(serve));
}

TEST_P(NetworkContract, AcceptedConnectionLivesOnItsOwnersCore) {
  run(3, [](io::Host& host, std::string) -> io::Task<void> {
    CO_VALUE(listener, co_await host.network.listen(kAnyPort));
    for (uint16_t core : {0, 1, 2}) {
      io::TaskGroup serving(co_await io::this_executor());
      bool orderly = false;
      serving.spawn(accept_for(host, *listener, CoreId(core), orderly));
      {
        CO_VALUE(c, co_await host.network.connect(listener->local(), host.clock.now() + seconds(60)));
        for (int i = 0; i < 100; ++i) {
          std::string body = std::to_string(i) + std::string(i * 10, 'b'), back(body.size(), '\0');
          CO_OK(co_await c->write_all(body));
          EXPECT_TRUE(co_await read_full(*c, back));
          EXPECT_EQ(back, body);
        }
      }
      co_await serving.drained();
      EXPECT_TRUE(orderly) << core;
    }
  });
}

TEST_P(NetworkContract, ReadersWaitingForeverMayBeLeftBehind) {
  run(2, [](io::Host& host, std::string) -> io::Task<void> {
    struct Forever {
      static io::Task<void> read(std::unique_ptr<io::Connection> c) {
        char bytes[10];
        (void)co_await c->read_some(bytes);
      }
      static io::Task<void> write(std::unique_ptr<io::Connection> c) {
        (void)co_await c->write_all(std::string(64 << 20, 'w'));
      }
    };
    io::Executor& here = co_await io::this_executor();
    CO_VALUE(pair, co_await make_pair(host));
    here.spawn(Forever::read(std::move(pair.client)));
    here.spawn(Forever::write(std::move(pair.server)));
    co_await io::sleep_for(milliseconds(5));
  });
}

}  // namespace
}  // namespace holdfast::contract
