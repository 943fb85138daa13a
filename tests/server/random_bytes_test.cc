// Streams of random and damaged bytes: whatever comes, every whole frame gets exactly one answer or none (NoReply), the
// server goes on, and nothing stays behind.
#include "io/base/random.h"
#include "io/wire/handshake.h"
#include "io/wire/psk_handshake.h"
#include "tests/server/server_fixture.h"

namespace holdfast::test {
namespace {

using RandomBytes = ServerTest;

Buffer random_bytes(Rng& rng, size_t most) {
  Buffer out(rng.below(most + 1), '\0');
  for (char& c : out) c = static_cast<char>(rng.next());
  return out;
}

Buffer random_args(Rng& rng) {
  switch (rng.below(5)) {
    case 0:
      return document(std::to_string(rng.below(20)));
    case 1:
      return id_args(std::to_string(rng.below(20)));
    case 2:
      return packed([](msgpack::Writer& w) { w.map(1).string("query").map(1).string("t").string("x"); });
    case 3:
      return Buffer(1, '\xc0');
    default:
      return Buffer(rng.below(300) + 1, '\x91') + '\x01';  // deep nesting
  }
}

// A request, sometimes with a few bytes changed. The frame itself stays whole.
Buffer random_request(Rng& rng) {
  Buffer out = frame({.id = rng.below(1000), .op = static_cast<Op>(rng.below(72)), .args = random_args(rng)});
  if (rng.below(2) == 0) return out;
  for (uint64_t n = rng.below(4); n > 0; --n)
    out[wire::kFrameHeaderSize + rng.below(out.size() - wire::kFrameHeaderSize)] = static_cast<char>(rng.next());
  return out;
}

// Whether the server is to answer this payload: it is, unless it can be read as far as "no answer, please".
bool wants_answer(Bytes payload) {
  wire::Request r;
  (void)wire::parse_request(payload, r);
  return !r.no_reply;
}

io::Task<void> speak(ServerTest& t, uint64_t seed) {
  Rng rng(seed, "damaged requests");
  auto c = co_await t.connect();
  Buffer stream;
  size_t answers = 0;
  for (uint64_t n = rng.below(60); n > 0; --n) {
    Buffer one = rng.below(4) == 0 ? framed(random_bytes(rng, 100)) : random_request(rng);
    if (wants_answer(Bytes(one).substr(wire::kFrameHeaderSize))) ++answers;
    stream += one;
  }
  if (stream.starts_with(wire::kHandshakeMark) || stream.starts_with(wire::kPskMark)) co_return;
  for (size_t at = 0; at < stream.size();) {
    size_t n = 1 + rng.below(rng.below(3) == 0 ? 5 : 2000);
    co_await c->send(stream.substr(at, n));
    at += n;
    if (rng.below(3) == 0) co_await io::yield();
  }
  c->loop().out().close();
  size_t got = 0;
  while (!(co_await c->next()).ended) ++got;
  EXPECT_EQ(got, answers) << "seed " << seed;
}

io::Task<void> babble(ServerTest& t, uint64_t seed) {
  Rng rng(seed, "random bytes");
  auto c = co_await t.connect();
  Buffer bytes = random_bytes(rng, 3000);
  if (rng.below(2)) bytes = Buffer("\0\0", 2) + bytes;  // a length that is taken
  co_await c->send(bytes);
  if (rng.below(2)) co_await io::yield();
  if (rng.below(3) == 0)
    c->loop().reset();
  else
    c->loop().out().close();
  Got got;
  while (!got.ended) got = co_await c->next();
}

TEST_F(RandomBytes, EveryWholeFrameGetsItsOneAnswer) {
  config.limits.requests_per_connection = 7;
  config.limits.bytes_in_flight = 20'000;
  config.limits.large_frame = 200;
  config.limits.output_per_connection = 500;
  config.limits.starts_per_turn = 3;
  run([](ServerTest& t) -> io::Task<void> {
    for (uint64_t seed = 1; seed <= 150; ++seed) co_await speak(t, seed);
  });
}

TEST_F(RandomBytes, NothingHarmsTheServerOrStaysBehind) {
  run([](ServerTest& t) -> io::Task<void> {
    for (uint64_t seed = 1; seed <= 400; ++seed) co_await babble(t, seed);
    co_await t.settle();
    auto c = co_await t.connect();
    Got stats = co_await c->ask({.op = Op::kStats});
    EXPECT_EQ(msgpack::lookup(stats.result, "connections"), Bytes("\x01"));
    EXPECT_EQ(msgpack::lookup(stats.result, "requests_under_way"), Bytes("\x01"));
  });
}

}  // namespace
}  // namespace holdfast::test
