#include <gtest/gtest.h>

#include "io/base/random.h"
#include "io/wire/frame.h"

namespace holdfast::wire {
namespace {

Buffer frame(Bytes payload) {
  Buffer out;
  size_t start = begin_frame(out);
  out += payload;
  end_frame(out, start);
  return out;
}

/// Feeds `stream` in pieces of at most `piece` bytes; collects what comes out.
std::vector<std::string> feed(FrameReader& reader, Bytes stream, size_t piece) {
  std::vector<std::string> out;
  while (!stream.empty()) {
    MutableBytes room = reader.prepare();
    size_t n = std::min({room.size(), piece, stream.size()});
    std::memcpy(room.data(), stream.data(), n);
    reader.commit(n);
    stream.remove_prefix(n);
    for (;;) {
      auto payload = reader.next();
      if (!payload || !*payload) break;
      out.emplace_back(**payload);
    }
  }
  return out;
}

TEST(FrameReader, YieldsTheSameFramesHoweverTheStreamIsCut) {
  Rng rng(7, "frames");
  std::vector<std::string> sent = {"", "a", std::string(3, '\0')};
  for (int i = 0; i < 60; ++i) sent.push_back(std::string(rng.below(i % 10 == 0 ? 90'000 : 700), static_cast<char>(i)));
  Buffer stream;
  for (auto& s : sent) stream += frame(s);
  for (size_t piece : {1ul, 2ul, 3ul, 5ul, 100ul, 4096ul, 70'000ul, stream.size()}) {
    FrameReader reader;
    EXPECT_EQ(feed(reader, stream, piece), sent) << "cut into pieces of " << piece;
    EXPECT_FALSE(reader.in_frame());
  }
}

TEST(FrameReader, RefusesALengthOverTheLimitBeforeThePayloadComes) {
  FrameReader reader(1000);
  feed(reader, Buffer("\0\0\x03\xe9", 4), 1);  // 1001
  auto r = reader.next();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kTooLarge);
  feed(reader, frame("x"), 100);
  EXPECT_FALSE(reader.next()) << "a reader that lost its place must not find it again";
  reader.reset();
  EXPECT_EQ(feed(reader, frame("x"), 100), std::vector<std::string>{"x"});
}

TEST(FrameReader, TakesAPayloadOfExactlyTheLimit) {
  FrameReader reader(1000);
  EXPECT_EQ(feed(reader, frame(std::string(1000, 'x')), 64).size(), 1u);
}

TEST(FrameReader, KeepsMemoryInProportionToWhatArrived) {
  FrameReader reader;
  Buffer announced("\x04\0\0\0", 4);  // 64 MiB
  feed(reader, announced, 4);
  EXPECT_LE(reader.capacity(), 8u << 10);
  feed(reader, std::string(100'000, 'x'), 1000);
  EXPECT_LE(reader.capacity(), 2 * 100'004u + (32u << 10));
}

TEST(FrameReader, GivesLargeMemoryBackOnceItIsEmpty) {
  FrameReader reader;
  feed(reader, frame(std::string(4 << 20, 'x')), 64 << 10);
  reader.prepare();
  EXPECT_LE(reader.capacity(), 64u << 10);
}

TEST(FrameReader, ShrinksToLittleWhenItsStreamTurnsQuiet) {
  FrameReader reader;
  Buffer busy;
  for (int i = 0; i < 2000; ++i) busy += frame(std::string(300, 'x'));
  feed(reader, busy, 1 << 20);
  EXPECT_GT(reader.capacity(), 16u << 10) << "a busy stream is read in large pieces";
  for (int i = 0; i < 8; ++i) feed(reader, frame("ping"), 100);
  reader.prepare();
  EXPECT_LE(reader.capacity(), 8u << 10);
}

TEST(FrameReader, GivesAwayAPayloadWithItsMemoryAndKeepsWhatFollows) {
  FrameReader reader;
  Buffer stream = frame(std::string(5000, 'a')) + frame("next") + Buffer("\0\0\0\x09half", 8);
  size_t fed = 0;
  std::optional<Bytes> first;
  while (!first) {
    MutableBytes room = reader.prepare();
    size_t n = std::min(room.size(), stream.size() - fed);
    std::memcpy(room.data(), stream.data() + fed, n);
    reader.commit(n);
    fed += n;
    first = *reader.next();
  }
  std::unique_ptr<char[]> memory = reader.detach();
  ASSERT_EQ(fed, stream.size());
  EXPECT_EQ(reader.next().value(), "next");
  EXPECT_EQ(reader.next().value(), std::nullopt);
  EXPECT_EQ(reader.announced(), 9u);
  EXPECT_EQ(feed(reader, "-done", 100), std::vector<std::string>{"half-done"});
  EXPECT_EQ(reader.announced(), std::nullopt);
  EXPECT_EQ(*first, std::string(5000, 'a')) << "the payload lives as long as the memory that was given away";
}

TEST(FrameReader, CopiesTricklingBytesSeldom) {
  FrameReader reader;
  Buffer stream = frame(std::string(1 << 20, 'x'));
  const char* at = nullptr;
  int moves = 0;
  for (char c : stream) {
    MutableBytes room = reader.prepare();
    const char* front = room.data() - reader.unfinished().size();
    moves += front != at;
    at = front;
    room[0] = c;
    reader.commit(1);
  }
  EXPECT_LT(moves, 32);
  EXPECT_TRUE(*reader.next());
}

TEST(FrameReader, ForgetsAnUnfinishedFrameOnReset) {
  FrameReader reader;
  Buffer whole = frame("first");
  feed(reader, Bytes(whole).substr(0, 6), 100);
  EXPECT_TRUE(reader.in_frame());
  EXPECT_EQ(reader.unfinished(), "fi");
  reader.reset();
  EXPECT_FALSE(reader.in_frame());
  EXPECT_EQ(feed(reader, frame("second"), 100), std::vector<std::string>{"second"});
}

}  // namespace
}  // namespace holdfast::wire
