// Clients that mean harm, or are broken, against the real server: it may refuse them and close on them, but it goes on serving the others, and
// its memory does not follow what they announce.
//
// HOLDFAST_FULL_SIZE=1 runs the sizes that the project promises (10,000 connections, minutes of readers that never read).
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/base/msgpack.h"
#include "io/base/random.h"
#include "io/wire/frame.h"
#include "tests/process/real_server.h"

namespace holdfast::test {
namespace {

using msgpack::Writer;
using wire::Op;

constexpr uint64_t kMiB = uint64_t{1} << 20;

std::string random_bytes(Rng& rng, size_t n) {
  std::string out(n, '\0');
  for (char& c : out) c = static_cast<char>(rng.below(256));
  return out;
}

Buffer header(uint32_t length) {
  Buffer out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(length >> shift);
  return out;
}

/// One document with a text of that many bytes.
Buffer large_document(std::string_view key, size_t bytes) {
  Buffer out;
  Writer(out).map(2).string("_id").string(key).string("text").string(std::string(bytes, 'x'));
  return out;
}

Buffer by_id(std::string_view key) {
  Buffer out;
  Writer(out).map(1).string("id").string(key);
  return out;
}

/// A request map with this `args`, which need not be MessagePack.
Buffer request_around(Op op, Bytes args) {
  Buffer payload;
  Writer(payload).map(4).string("id").uint(1).string("op").uint(static_cast<uint64_t>(op)).string("collection").string("c").string("args");
  return framed(payload + Buffer(args));
}

class Hostile : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_TRUE(server.serves());
    server.stop_clean();
  }
  /// The server closes, or answers with an error under whatever id; it does not keep silent.
  void expect_refused(RawClient& client, std::string_view what) {
    std::optional<Buffer> payload = client.frame();
    if (!payload) return;
    auto reply = wire::parse_reply(*payload);
    ASSERT_TRUE(reply) << what;
    EXPECT_FALSE(reply->ok()) << what;
  }
  void expect_refused(Bytes bytes, std::string_view what) {
    RawClient client(server.port());
    client.send(bytes);
    expect_refused(client, what);
  }
  uint64_t grown_since(uint64_t before) const {
    uint64_t now = server.resident_bytes();
    return now > before ? now - before : 0;
  }

  RealServer server;
};

TEST_F(Hostile, RandomBytesHurtNobody) {
  Rng rng(1, "hostile bytes");
  int rounds = full_size() ? 20'000 : 400;
  for (int i = 0; i < rounds; ++i) {
    RawClient client(server.port());
    std::string bytes = random_bytes(rng, rng.between(1, 3000));
    // Half of them in a frame, so that they get further.
    client.send(rng.chance(1, 2) ? framed(bytes) : bytes);
    if (rng.chance(1, 2)) {
      client.finish();
      while (client.frame()) {
      }
    }
    if (i % 100 == 0) ASSERT_TRUE(server.serves());
  }
}

TEST_F(Hostile, MutatedRequestsHurtNobody) {
  Rng rng(2, "hostile mutations");
  Buffer document = large_document("mutant", 100);
  Buffer seeds[] = {request(1, Op::kInsertOne, "c", document), request(2, Op::kFindById, "c", by_id("mutant")), request(3, Op::kCount, "c"),
                    request(4, Op::kStats, ""), request(5, Op::kExport, "c")};
  int rounds = full_size() ? 20'000 : 400;
  for (int i = 0; i < rounds; ++i) {
    RawClient client(server.port());
    for (uint64_t n = rng.between(1, 4); n > 0; --n) {
      Buffer bytes = seeds[rng.below(std::size(seeds))];
      for (uint64_t flips = rng.between(1, 3); flips > 0; --flips) bytes[rng.between(4, bytes.size() - 1)] = static_cast<char>(rng.below(256));
      client.send(bytes);
    }
    client.finish();
    while (client.frame()) {
    }
    if (i % 100 == 0) ASSERT_TRUE(server.serves());
  }
}

TEST_F(Hostile, FramesCutAnywhereAreDropped) {
  Buffer whole = request(7, Op::kInsertOne, "c", large_document("cut", 200));
  for (size_t n = 0; n < whole.size(); ++n) {
    RawClient client(server.port());
    ASSERT_TRUE(client.send(Bytes(whole).substr(0, n)));
    client.finish();
    EXPECT_TRUE(client.closed()) << n << " bytes of a frame";
  }
  RawClient client(server.port());
  client.send(request(8, Op::kFindById, "c", by_id("cut")));
  auto reply = client.reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->reply.code, Code::kNotFound) << "no part of a request was executed";
}

TEST_F(Hostile, LengthsOverTheLimitAreRefusedWithoutWaitingForThem) {
  Buffer beginning = request(7, Op::kInsertOne, "c", large_document("x", 100)).substr(wire::kFrameHeaderSize);
  for (uint32_t length : {0xffffffffu, 0x80000000u, static_cast<uint32_t>(wire::kMaxRequestSize) + 1}) {
    RawClient client(server.port());
    client.send(header(length) + beginning);
    auto reply = client.reply();
    ASSERT_TRUE(reply) << length;
    EXPECT_EQ(reply->reply.id, 7u);
    EXPECT_EQ(reply->reply.code, Code::kTooLarge);
    client.finish();
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(Hostile, HandshakesOfEncryptionAreClosed) {
  for (uint32_t first : {0xae000000u, 0xae010000u, 0xae020000u, 0xaeffffffu}) {
    RawClient client(server.port());
    client.send(header(first) + std::string(30, 'x'));
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(Hostile, AnnouncedLengthsTakeNoMemory) {
  uint64_t before = server.resident_bytes();
  std::vector<RawClient> clients;
  for (int i = 0; i < 300; ++i) {
    clients.emplace_back(server.port());
    clients.back().send(header(60u << 20) + std::string(100, '\x81'));
  }
  EXPECT_TRUE(server.serves());
  if (!kSanitized) EXPECT_LT(grown_since(before), 64 * kMiB) << "300 times 60 MiB were announced";
}

TEST_F(Hostile, NestingBombsAreRefused) {
  for (const char* open : {"\x91", "\x81\xa1k", "\xdc\x00\x01", "\xdf\x00\x00\x00\x01\xa1k"}) {
    std::string piece(open, open[0] == '\x91' ? 1 : open[0] == '\x81' ? 3 : open[0] == '\xdc' ? 3 : 7);
    for (size_t depth : {size_t{101}, size_t{1000}, size_t{1'000'000}}) {
      std::string bomb;
      for (size_t i = 0; i < depth; ++i) bomb += piece;
      expect_refused(framed(bomb + "\xc0"), "a frame of nothing but nesting");
      expect_refused(request_around(Op::kInsertOne, "\x82\xa3_id\x01\xa1n" + bomb + "\xc0"), "a document");
      if (depth > 200) expect_refused(request_around(Op::kFind, "\x81\xa5query\x81\xa1n" + bomb + "\xc0"), "a query");
    }
  }
}

TEST_F(Hostile, CountsAndSizesBeyondTheBytesAreRefused) {
  uint64_t before = server.resident_bytes();
  using namespace std::string_literals;
  for (const std::string& huge : {"\xdd\xff\xff\xff\xff"s, "\xdf\xff\xff\xff\xff"s, "\xdb\xff\xff\xff\xff"s, "\xc6\xff\xff\xff\xff"s, "\xc9\xff\xff\xff\xff\x01"s,
                                  "\xdd\x7f\xff\xff\xff"s, "\xdc\xff\xff"s, "\xde\xff\xff"s}) {
    expect_refused(framed(huge), "as a request");
    for (Op op : {Op::kInsertOne, Op::kFind, Op::kUpdateOne, Op::kBatch, Op::kExport, Op::kStream, Op::kFindManyStream}) expect_refused(request_around(op, huge), "as arguments");
    expect_refused(request_around(Op::kInsertOne, "\x81\xa1n" + huge), "in a document");
    expect_refused(request_around(Op::kBatch, "\x81\xa8requests" + huge), "as a batch");
    expect_refused(request_around(Op::kInsertMany, "\x82\xa4" "blob" + huge + "\xa7offsets\x91\x00"), "as a blob");
    expect_refused(request_around(Op::kInsertMany, "\x82\xa4" "blob\xc4\x01\x80\xa7offsets" + huge), "as offsets");
  }
  if (!kSanitized) EXPECT_LT(grown_since(before), 64 * kMiB);
}

TEST_F(Hostile, OffsetsOfABatchMustFitItsBlob) {
  auto insert_many = [](std::vector<uint64_t> offsets) {
    Buffer args;
    Writer w(args);
    w.map(2).string("blob").binary("\x80\x80\x80").string("offsets").array(static_cast<uint32_t>(offsets.size()));
    for (uint64_t o : offsets) w.uint(o);
    return request_around(Op::kInsertMany, args);
  };
  for (const std::vector<uint64_t>& offsets : std::vector<std::vector<uint64_t>>{
           {0, 4}, {1, 3}, {0, 2, 1, 3}, {0, 0xffffffff}, {0, UINT64_MAX}, {3, 0}, {0, 1, 1, 3}, {0, 3, 3}, {UINT64_MAX, 3}})
    expect_refused(insert_many(offsets), "offsets");
}

TEST_F(Hostile, NamesCannotLeaveTheDirectory) {
  for (const char* name : {"../../etc", "..", ".", "a/b", "/tmp/x", "a\nb", "", "c:\\x"}) {
    Buffer payload;
    Writer(payload).map(5).string("id").uint(1).string("op").uint(static_cast<uint64_t>(Op::kInsertOne)).string("collection").string("c")
        .string("database").string(name).string("args").map(1).string("a").integer(1);
    RawClient client(server.port());
    client.send(framed(payload));
    auto reply = client.reply();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->reply.ok(), *name == '\0') << name << ": the empty name is the default database, the others are none";
  }
}

TEST_F(Hostile, SlowSendersDoNotHoldUpTheOthers) {
  Buffer whole = request(1, Op::kInsertOne, "c", large_document("slow", 4000));
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) clients.emplace_back(server.port());
  for (size_t n = 0; n < 100; ++n) {
    for (RawClient& c : clients) c.send(Bytes(whole).substr(n, 1));
    if (n % 10 == 0) ASSERT_TRUE(server.serves());
  }
}

TEST_F(Hostile, IdleConnectionsCostLittle) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  size_t wanted = full_size() ? 9'990 : 800;
  if (files.rlim_cur < wanted + 100) GTEST_SKIP() << "this process may open " << files.rlim_cur << " files only";
  uint64_t before = server.resident_bytes();
  std::vector<RawClient> idle;
  for (size_t i = 0; i < wanted; ++i) {
    idle.emplace_back(server.port());
    ASSERT_TRUE(idle.back().connected()) << "connection " << i;
    // Half of them have been used.
    if (i % 2 == 0) {
      ASSERT_TRUE(idle.back().send(request(i, Op::kPing, "")));
      ASSERT_TRUE(idle.back().reply()) << "connection " << i;
    }
  }
  ASSERT_TRUE(server.serves());
  uint64_t grown = grown_since(before);
  std::printf("%zu idle connections: %.1f MiB more, %.1f KiB each\n", wanted, static_cast<double>(grown) / kMiB,
              static_cast<double>(grown) / 1024 / static_cast<double>(wanted));
  if (!kSanitized) EXPECT_LT(grown, wanted * 200'000'000 / 10'000);
}

/// Asks for large documents as long as the server takes requests, and reads no answer.
class NeverReads {
 public:
  NeverReads(uint16_t port, std::string_view key) : client_(port, 4096) {
    for (uint64_t i = 0; i < 200; ++i) requests_ += request(i, Op::kFindById, "c", by_id(key));
  }
  void push() {
    for (size_t n; (n = client_.send_some(Bytes(requests_).substr(at_))) > 0;) at_ = (at_ + n) % requests_.size();
  }

 private:
  RawClient client_;
  Buffer requests_;
  size_t at_ = 0;
};

TEST_F(Hostile, AReaderThatNeverReadsCostsABoundedAmount) {
  {
    RawClient client(server.port());
    client.send(request(1, Op::kInsertOne, "c", large_document("large", kMiB)));
    auto reply = client.reply();
    ASSERT_TRUE(reply && reply->reply.ok());
  }
  std::vector<NeverReads> readers;
  for (int i = 0; i < 20; ++i) readers.emplace_back(server.port(), "large");
  uint64_t first = 0, most = 0;
  double begin = chaos::monotonic_seconds();
  int rounds = full_size() ? 3000 : 60;
  for (int round = 0; round < rounds; ++round) {
    for (NeverReads& r : readers) r.push();
    ASSERT_TRUE(server.serves());
    if (full_size()) usleep(100'000);
    if (round == rounds / 10) first = server.resident_bytes();
    most = std::max(most, server.resident_bytes());
  }
  std::printf("20 readers that never read, %.0f s: %.1f MiB soon after they began, at most %.1f MiB\n", chaos::monotonic_seconds() - begin,
              static_cast<double>(first) / kMiB, static_cast<double>(most) / kMiB);
  // Each holds a few answers of 1 MiB at most, however much it asks.
  if (!kSanitized) EXPECT_LT(most, first + 24 * kMiB);
  if (!kSanitized) EXPECT_LT(most, 250 * kMiB);
}

TEST(HostileCrowd, ConnectionsBeyondTheLimitAreToldSo) {
  RealServer server({"--max-connections", "20"});
  std::vector<RawClient> clients;
  for (uint64_t i = 0; i < 20; ++i) {
    clients.emplace_back(server.port());
    ASSERT_TRUE(clients.back().send(request(i, Op::kPing, "")));
    ASSERT_TRUE(clients.back().reply());
  }
  for (int i = 0; i < 30; ++i) {
    RawClient refused(server.port());
    auto reply = refused.reply();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->reply.id, 0u);
    EXPECT_EQ(reply->reply.code, Code::kOverloaded);
  }
  clients.pop_back();
  // The place is free once the server has noticed.
  testing::AssertionResult served = testing::AssertionFailure();
  for (int i = 0; i < 1000 && !served; ++i) {
    usleep(10'000);
    served = server.serves();
  }
  EXPECT_TRUE(served);
  server.stop_clean();
}

}  // namespace
}  // namespace holdfast::test
