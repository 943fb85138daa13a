// What the simulated network does to connections beyond what the contract suite asks of every network.
#include <gtest/gtest.h>

#include "sim/network.h"
#include "tests/sim/small_server.h"

namespace holdfast::sim {
namespace {

struct Sent {
  std::string got;
  std::string answer;
  bool ended = false;          // the reader saw the end of the stream
  bool reader_closed = false;  // the reader saw a broken connection
  bool writer_failed = false;
  bool connected = false;
  Code connect_error = Code::kInternal;
  Time reader_done;
};

io::Task<int> receive(io::Host& host, Sent& s) {
  auto listener = co_await host.network.listen({"localhost", 1000});
  auto c = co_await (*listener)->accept(CoreId(0));
  if (!c) co_return 1;
  char bytes[100];
  while (true) {
    auto n = co_await (*c)->read_some(bytes);
    s.reader_done = host.clock.now();
    if (!n) s.reader_closed = true;
    if (n && *n == 0) s.ended = true;
    if (!n || *n == 0) break;
    s.got.append(bytes, *n);
  }
  if (s.ended) (void)co_await (*c)->write_all(Bytes("answer"));
  co_await io::sleep_for(seconds(100));
  co_return 0;
}

io::Task<void> read_answer(io::Connection& c, Sent& s) {
  char bytes[100];
  while (true) {
    auto n = co_await c.read_some(bytes);
    if (!n || *n == 0) co_return;
    s.answer.append(bytes, *n);
  }
}

io::Task<int> send(io::Host& host, Sent& s, int pieces) {
  auto c = co_await host.network.connect({"receiver", 1000}, host.clock.now() + seconds(5));
  if (!c) {
    s.connect_error = c.error().code;
    co_return 1;
  }
  s.connected = true;
  io::TaskGroup reading(co_await io::this_executor());
  reading.spawn(read_answer(**c, s));
  for (int i = 0; i < pieces; ++i) {
    std::string piece(50, static_cast<char>('a' + i % 26));
    if (!co_await (*c)->write_all(piece)) {
      s.writer_failed = true;
      (*c)->close();
      co_await reading.drained();
      co_return 1;
    }
    co_await io::sleep_for(milliseconds(1));
  }
  (*c)->close();
  co_await reading.drained();
  co_return 0;
}

std::string expected(int pieces) {
  std::string out;
  for (int i = 0; i < pieces; ++i) out.append(50, static_cast<char>('a' + i % 26));
  return out;
}

struct Pair {
  Pair(uint64_t seed, const FaultPlan& plan)
      : world({.seed = seed, .plan = plan}), receiver(world.add_node("receiver")), sender(world.add_node("sender")) {}
  void start(int pieces) {
    receiver.start([this](io::Host& host) { return receive(host, sent); });
    world.after(milliseconds(10),
                [this, pieces] { sender.start([this, pieces](io::Host& host) { return send(host, sent, pieces); }); });
  }
  Sent sent;
  World world;
  Node& receiver;
  Node& sender;
};

TEST(SimNetwork, ResetComesInTheMiddleOfAWriteAndLeavesAPrefix) {
  bool mid_frame = false;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    FaultPlan plan;
    plan.net_reset = 50'000;
    Pair p(seed, plan);
    p.start(30);
    p.world.run({.until = seconds(50)});
    EXPECT_TRUE(expected(30).starts_with(p.sent.got)) << seed;
    if (p.world.counts()[Fault::kNetReset] == 0) continue;
    EXPECT_TRUE(p.sent.reader_closed) << seed;
    EXPECT_FALSE(p.sent.ended) << seed;
    mid_frame |= p.sent.got.size() % 50 != 0;
  }
  EXPECT_TRUE(mid_frame);
}

TEST(SimNetwork, HalfCloseEndsOneDirectionThenBreaksTheOther) {
  int seen = 0, answered = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    FaultPlan plan;
    plan.net_half_close = 100'000;
    Pair p(seed, plan);
    p.start(10'000);
    p.world.run({.until = seconds(60)});
    EXPECT_TRUE(expected(10'000).starts_with(p.sent.got));
    if (p.world.counts()[Fault::kNetHalfClose] == 0) continue;
    ++seen;
    answered += p.sent.answer == "answer";
    EXPECT_TRUE(p.sent.ended);
    EXPECT_FALSE(p.sent.reader_closed);
    EXPECT_TRUE(p.sent.writer_failed) << "nobody writes into the void for ever";
  }
  EXPECT_GT(seen, 40);
  EXPECT_GT(answered, seen * 3 / 4) << "the other direction lives on for a while";
}

TEST(SimNetwork, GarblingChangesOneBitOfAWrite) {
  FaultPlan plan;
  plan.net_corrupt = 200'000;
  Pair p(1, plan);
  p.start(100);
  p.world.run();
  const std::string right = expected(100);
  ASSERT_EQ(p.sent.got.size(), right.size());
  uint64_t bits = 0;
  for (size_t i = 0; i < right.size(); ++i)
    bits += static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(p.sent.got[i] ^ right[i])));
  EXPECT_GT(bits, 5u);
  EXPECT_LE(bits, p.world.counts()[Fault::kNetCorrupt]) << "the answer may be hit too";
}

TEST(SimNetwork, PiecesAndStallsChangeNothingButTime) {
  FaultPlan plan;
  plan.net_partial = kAlways;
  plan.net_stall = 200'000;
  plan.net_window = 64;
  Pair p(1, plan);
  p.start(100);
  p.world.run({.until = seconds(3000)});
  EXPECT_EQ(p.sent.got, expected(100));
  EXPECT_GT(p.world.counts()[Fault::kNetStall], 5u);
  EXPECT_GT(p.world.counts()[Fault::kNetPartial], 5u);
  EXPECT_GT(p.sent.reader_done, Time{} + seconds(5)) << "stalls take seconds";
}

TEST(SimNetwork, KilledProcessEndsItsConnectionsAtOnceByEitherMeans) {
  bool in_order = false, reset = false;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Pair p(seed, {});
    p.start(1'000'000);
    p.world.after(seconds(1), [&] { p.sender.kill(End::kProcessDeath); });
    p.world.run({.until = seconds(30)});
    EXPECT_LT(p.sent.reader_done, Time{} + milliseconds(1100)) << seed;
    EXPECT_TRUE(expected(2000).starts_with(p.sent.got)) << seed;
    in_order |= p.sent.ended;
    reset |= p.sent.reader_closed;
  }
  EXPECT_TRUE(in_order);
  EXPECT_TRUE(reset);
}

TEST(SimNetwork, MachineWithoutPowerSaysNothingForAWhile) {
  int late = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Pair p(seed, {});
    p.start(1'000'000);
    p.world.after(seconds(1), [&] { p.sender.kill(End::kPowerLoss); });
    p.world.run({.until = seconds(60)});
    EXPECT_TRUE(p.sent.reader_closed) << seed;
    late += p.sent.reader_done > Time{} + seconds(2);
  }
  EXPECT_GT(late, 10);
}

TEST(SimNetwork, ConnectIsRefusedWithoutAProcessAndUnansweredWithoutPower) {
  for (End how : {End::kProcessDeath, End::kPowerLoss}) {
    Pair p(1, {});
    p.start(1);
    p.world.after(milliseconds(5), [&] { p.receiver.kill(how); });
    p.world.run({.until = seconds(30)});
    EXPECT_FALSE(p.sent.connected);
    EXPECT_EQ(p.sent.connect_error, how == End::kPowerLoss ? Code::kTimeout : Code::kClosed);
  }
}

TEST(SimNetwork, EndedNodesLeaveNoLinks) {
  Pair p(1, {});
  p.start(1'000'000);
  p.world.run({.until = seconds(1)});
  EXPECT_EQ(p.world.network().links(), 1u);
  p.sender.kill(End::kProcessDeath);
  p.receiver.kill(End::kProcessDeath);
  EXPECT_EQ(p.world.network().links(), 0u);
}

}  // namespace
}  // namespace holdfast::sim
