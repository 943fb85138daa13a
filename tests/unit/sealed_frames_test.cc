#include "io/wire/sealed_frames.h"

#include <gtest/gtest.h>

#include "tests/support/hex.h"

namespace holdfast::wire {
namespace {

using test::counting;

struct Style {
  FrameStyle style;
  Cipher cipher;
};

class EveryStyle : public testing::TestWithParam<Style> {
 protected:
  void SetUp() override {
    if (GetParam().cipher == Cipher::kAes256Gcm && aes_unit() == AesUnit::kNone)
      GTEST_SKIP() << "no AES instructions here";
  }
  static AeadKey key(int n) { return {.cipher = GetParam().cipher, .unit = aes_unit(), .key = Key(counting(32, n))}; }
  FrameSealer sealer(int n = 1) { return {GetParam().style, key(n)}; }
  FrameOpener opener(int n = 1) { return {GetParam().style, key(n)}; }
  static Buffer frame(FrameSealer& sealer, Bytes message) {
    Buffer out = "what stood there before";
    size_t start = begin_frame(out);
    out += message;
    end_frame(out, start);
    sealer.seal(out, start);
    EXPECT_TRUE(out.starts_with("what stood there before"));
    out.erase(0, start);
    EXPECT_EQ(load_be<uint32_t>(out.data()), out.size() - kFrameHeaderSize);
    EXPECT_EQ(out.size(), kFrameHeaderSize + message.size() + sealer.overhead());
    return out;
  }
  /// The message in a frame.
  static std::optional<Buffer> open(FrameOpener& opener, Bytes frame) {
    Buffer payload(frame.substr(kFrameHeaderSize));
    std::optional<Bytes> message = opener.open(payload);
    if (!message) EXPECT_EQ(payload, Buffer(payload.size(), '\0')) << "nothing of a refused frame is left";
    return message ? std::optional(Buffer(*message)) : std::nullopt;
  }
};
INSTANTIATE_TEST_SUITE_P(SealedFrames, EveryStyle,
                         testing::Values(Style{FrameStyle::kPskAesGcm, Cipher::kAes256Gcm},
                                         Style{FrameStyle::kPskAegis, Cipher::kAegis128L},
                                         Style{FrameStyle::kOwn, Cipher::kAegis128L},
                                         Style{FrameStyle::kOwn, Cipher::kChaCha20Poly1305}));

TEST_P(EveryStyle, OpensWhatWasSealedInOrder) {
  FrameSealer s = sealer();
  FrameOpener o = opener();
  for (size_t n : {0, 1, 15, 16, 17, 31, 32, 33, 64, 300, 70'000}) {
    Buffer message = counting(n, 3);
    EXPECT_EQ(open(o, frame(s, message)), message) << n;
  }
}

TEST_P(EveryStyle, RefusesAFrameThatComesTwice) {
  FrameSealer s = sealer();
  FrameOpener o = opener();
  Buffer first = frame(s, "one");
  EXPECT_TRUE(open(o, first));
  EXPECT_FALSE(open(o, first));
  EXPECT_FALSE(open(o, frame(s, "two"))) << "after a refusal everything is refused";
}

TEST_P(EveryStyle, RefusesAFrameAfterAGap) {
  FrameSealer s = sealer();
  FrameOpener o = opener();
  EXPECT_TRUE(open(o, frame(s, "one")));
  (void)frame(s, "two");
  EXPECT_FALSE(open(o, frame(s, "three")));
}

TEST_P(EveryStyle, RefusesFramesOfAnotherDirectionOrConnection) {
  FrameSealer other = sealer(2);
  FrameOpener o = opener(1);
  EXPECT_FALSE(open(o, frame(other, "not for you")));
}

TEST_P(EveryStyle, RefusesEveryChangedBitAndEveryCut) {
  FrameSealer s = sealer();
  const Buffer good = frame(s, "twenty bytes, or more");
  for (size_t bit = kFrameHeaderSize * 8; bit < good.size() * 8; ++bit) {
    Buffer bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    FrameOpener o = opener();
    EXPECT_FALSE(open(o, bad)) << "bit " << bit;
  }
  for (size_t n = kFrameHeaderSize; n < good.size(); ++n) {
    FrameOpener o = opener();
    EXPECT_FALSE(open(o, Bytes(good).substr(0, n))) << n << " bytes";
    FrameOpener other = opener();
    EXPECT_FALSE(open(other, good + good.substr(0, n))) << n << " bytes too many";
  }
}

}  // namespace
}  // namespace holdfast::wire
