#include "chaos/suite/sealed_stream.h"

#include <fmt/format.h>

#include "io/base/random.h"
#include "io/wire/sealed_frames.h"
#include "sim/world.h"

namespace holdfast::chaos {
namespace {

using wire::Cipher;
using wire::FrameStyle;

constexpr int kStreams = 40;

struct Stream {
  std::vector<Buffer> sent;       // what was sealed
  std::vector<Buffer> arriving;   // frames, after harm
  size_t harmed_from = SIZE_MAX;  // the first of them that is not the one that was sealed there
};

wire::AeadKey draw_key(Rng& random, Cipher cipher) {
  wire::AeadKey out{.cipher = cipher, .unit = wire::aes_unit(), .key = {}};
  for (char& c : out.key.bytes()) c = static_cast<char>(random.next());
  return out;
}

Buffer seal(wire::FrameSealer& sealer, Bytes message) {
  Buffer out;
  size_t start = wire::begin_frame(out);
  out += message;
  wire::end_frame(out, start);
  sealer.seal(out, start);
  return out;
}

/// One kind of harm at one place; `back` is a frame of the other direction.
void do_harm(Rng& random, Stream& s, const Buffer& back) {
  size_t at = random.below(s.arriving.size());
  switch (random.below(6)) {
    case 0:
      s.arriving.insert(s.arriving.begin() + static_cast<ptrdiff_t>(at) + 1, s.arriving[at]), ++at;
      break;
    case 1:
      s.arriving.erase(s.arriving.begin() + static_cast<ptrdiff_t>(at));
      break;
    case 2:
      if (at + 1 == s.arriving.size()) return;
      std::swap(s.arriving[at], s.arriving[at + 1]);
      break;
    case 3:
      s.arriving[at] = back;
      break;
    case 4: {
      size_t bit = wire::kFrameHeaderSize * 8 + random.below((s.arriving[at].size() - wire::kFrameHeaderSize) * 8);
      s.arriving[at][bit / 8] = static_cast<char>(s.arriving[at][bit / 8] ^ 1 << bit % 8);
      break;
    }
    case 5:
      s.arriving[at].resize(wire::kFrameHeaderSize + random.below(s.arriving[at].size() - wire::kFrameHeaderSize));
      break;
  }
  s.harmed_from = at;
}

std::optional<std::string> judge(Stream& s, wire::FrameOpener opener) {
  for (size_t i = 0; i < s.arriving.size(); ++i) {
    Buffer payload = s.arriving[i].substr(wire::kFrameHeaderSize);
    std::optional<Bytes> message = opener.open(payload);
    if (i < s.harmed_from && (!message || *message != s.sent[i]))
      return fmt::format("frame {} was not given out as it was sent", i);
    if (i >= s.harmed_from && message)
      return fmt::format("frame {} was given out though frame {} was harmed", i, s.harmed_from);
  }
  return std::nullopt;
}

}  // namespace

SeedResult run_sealed_stream(const SeedOptions& options) {
  sim::World world({.seed = options.seed, .mutants = options.mutants, .trace = options.trace});
  RunScope scope(&world.record());
  Rng random(options.seed, "sealed stream");
  SeedResult out;
  for (int n = 0; n < kStreams && out.violations.empty(); ++n) {
    auto [style, cipher] = std::array{std::pair(FrameStyle::kPskAegis, Cipher::kAegis128L),
                                      std::pair(FrameStyle::kOwn, Cipher::kAegis128L),
                                      std::pair(FrameStyle::kOwn, Cipher::kChaCha20Poly1305)}[random.below(3)];
    wire::AeadKey key = draw_key(random, cipher);
    wire::FrameSealer sealer(style, key);
    wire::FrameSealer back(style, draw_key(random, cipher));
    Stream s;
    for (uint64_t count = random.between(1, 12); count > 0; --count) {
      Buffer message;
      for (uint64_t size = random.below(80); size > 0; --size) message += static_cast<char>(random.next());
      s.arriving.push_back(seal(sealer, message));
      s.sent.push_back(std::move(message));
    }
    if (random.below(4) > 0) do_harm(random, s, seal(back, "from the other side"));
    out.counts["frames"] += s.arriving.size();
    out.counts["streams harmed"] += s.harmed_from != SIZE_MAX;
    if (auto wrong = judge(s, wire::FrameOpener(style, key))) out.violations.push_back(*wrong);
  }
  out.configuration = fmt::format("streams={}", kStreams);
  out.hash = world.finish() ^ random.next();
  return out;
}

}  // namespace holdfast::chaos
