// Frames in a stream that comes in pieces: the same frames whatever the pieces, and memory in proportion to what came.
#include "io/wire/frame.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/wire_seeds.h"

namespace holdfast::wire {
namespace {

/// The first byte is the size of the pieces in which the rest is fed.
std::vector<Buffer> seeds() {
  std::vector<Buffer> out;
  Buffer stream;
  for (const Buffer& r : requests()) stream += r;
  for (char piece : {'\x01', '\x07', '\xff'}) out.push_back(piece + stream);
  out.push_back("\x05" + Buffer("\xff\xff\xff\xff", 4));
  return out;
}

struct Frames {
  std::vector<Buffer> payloads;
  bool failed = false;
  Buffer unfinished;
};

Frames feed(Bytes stream, size_t piece) {
  constexpr size_t kLimit = 1u << 20;
  FrameReader reader(kLimit);
  Frames out;
  for (size_t fed = 0; fed < stream.size() && !out.failed;) {
    MutableBytes room = reader.prepare();
    FUZZ_CHECK(!room.empty());
    size_t n = std::min({room.size(), piece, stream.size() - fed});
    std::memcpy(room.data(), stream.data() + fed, n);
    reader.commit(n);
    fed += n;
    FUZZ_CHECK(reader.capacity() <= 2 * fed + (64u << 10));
    for (;;) {
      auto payload = reader.next();
      out.failed = !payload;
      if (!payload || !*payload) break;
      out.payloads.emplace_back(**payload);
    }
  }
  out.unfinished = Buffer(reader.unfinished());
  return out;
}

}  // namespace

HOLDFAST_FUZZER(frame, seeds) {
  if (input.empty()) return;
  Bytes stream = input.substr(1);
  Frames whole = feed(stream, SIZE_MAX);
  Frames pieces = feed(stream, std::max<size_t>(1, static_cast<uint8_t>(input[0])));
  FUZZ_CHECK(whole.payloads == pieces.payloads);
  FUZZ_CHECK(whole.failed == pieces.failed);
  if (!whole.failed) FUZZ_CHECK(whole.unfinished == pieces.unfinished);

  // What was read, written again, is the stream up to where it ended.
  Buffer again;
  for (const Buffer& payload : whole.payloads) {
    size_t start = begin_frame(again);
    again += payload;
    end_frame(again, start);
  }
  FUZZ_CHECK(stream.starts_with(again));
}

}  // namespace holdfast::wire
