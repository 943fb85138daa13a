#include "io/wire/psk_handshake.h"

#include <gtest/gtest.h>

#include "tests/support/hex.h"

namespace holdfast::wire {
namespace {

using test::counting;
using test::from_hex;
using test::to_hex;

// The vectors of the original's client: admin, secret, and two salts.
const Buffer kClientSalt = counting(32);
const Buffer kServerSalt = counting(32, 0xff, -1);
Key psk() { return psk_of("admin", "secret"); }

struct Pair {
  PskClient client;
  PskServer server;
  explicit Pair(char version, AesUnit unit = aes_unit())
      : client(psk(), kClientSalt, version, unit), server(psk(), kServerSalt, unit) {}
  void shake() {
    auto answer = server.take(client.hello());
    ASSERT_TRUE(answer);
    auto proof = client.take(*answer);
    ASSERT_TRUE(proof);
    auto end = server.take(*proof);
    ASSERT_TRUE(end);
    EXPECT_EQ(*end, "");
    EXPECT_EQ(server.wanted(), 0u);
    EXPECT_EQ(client.wanted(), 0u);
  }
};

Buffer frame_of(FrameSealer& sealer, Bytes message) {
  Buffer out;
  size_t start = begin_frame(out);
  out += message;
  end_frame(out, start);
  sealer.seal(out, start);
  return out;
}

TEST(PskHandshake, GivesTheVectorsOfTheOriginal) {
  EXPECT_EQ(to_hex(psk()), "901b281c4e0c4007e8526ef27153b79330811e733976d5e65c8343a39e54ec81");
  EXPECT_EQ(Bytes(psk_token(psk())), "901b281c4e0c4007e8526ef27153b79330811e733976d5e65c8343a39e54ec81");
  Pair p(kPskAegisVersion);
  EXPECT_EQ(to_hex(p.client.hello()), "ae02" + to_hex(kClientSalt));
  auto answer = p.server.take(p.client.hello());
  ASSERT_TRUE(answer);
  EXPECT_EQ(to_hex(*answer), to_hex(kServerSalt) + "004fdfa77b3155210a742a147039c399f1eb25c3b12dd363363b6fa6f78cb755");
  auto proof = p.client.take(*answer);
  ASSERT_TRUE(proof);
  EXPECT_EQ(to_hex(*proof), "375fd3cdf9f3fd64a3982384b863ad7a30eaca9e3415b7feae90cca899bd4102");
  EXPECT_TRUE(p.server.take(*proof));
  EXPECT_EQ(to_hex(p.client.keys().send.key).substr(0, 32), "80e60e9119108acfa842abc43ceb908e");
  EXPECT_EQ(to_hex(p.client.keys().receive.key).substr(0, 32), "e16a153715b354c10d55eeee8f0c5a0d");
}

TEST(PskHandshake, SealsFramesOfVersionTwoAsTheOriginalDoes) {
  for (AesUnit unit : {AesUnit::kNone, aes_unit()}) {
    Pair p(kPskAegisVersion, unit);
    p.shake();
    FrameSealer sealer(p.client.keys().style, p.client.keys().send);
    EXPECT_EQ(to_hex(frame_of(sealer, "hello alos")),
              "0000002a0000000000000001414c4f53444241465516b142eb784d512e44a35fd7768508ef6fdf3b5015efc66d91");
    EXPECT_EQ(to_hex(frame_of(sealer, "")), "000000200000000000000002414c4f53444241455a62479a1465b0c82c3972317178fbf8");
    EXPECT_EQ(to_hex(frame_of(sealer, Buffer(70, '\x5a'))),
              "000000660000000000000003414c4f5344424144"
              "e5053fc297fd538bb10b458ad26107ef33a0cd265a5ae9cc8fadfdcb26272bcd6aa38e87d8e9eebcf0ea2fb61699d5a6"
              "ec6a9416ae7633e320a74e229c46b991839a3b81a32b7867c285448dc21170e71847bc9231af");
  }
}

TEST(PskHandshake, SealsFramesOfVersionOneAsTheOriginalDid) {
  if (aes_unit() == AesUnit::kNone) GTEST_SKIP() << "this machine has no AES instructions";
  Pair p(kPskAesGcmVersion);
  p.shake();
  EXPECT_EQ(to_hex(p.client.keys().send.key), "80e60e9119108acfa842abc43ceb908efe6402c71b038af86dcb44542f5e74d7");
  FrameSealer sealer(p.client.keys().style, p.client.keys().send);
  EXPECT_EQ(to_hex(frame_of(sealer, "hello alos")),
            "00000022000000000000000126c2431bf89fa637d49524ce145515edb2e530d0425be73c2738");
}

// The vector of server/PROTOCOL.md.
TEST(PskHandshake, GivesTheWrittenVector) {
  const Buffer client_salt = counting(32, 1), server_salt = counting(32, 0x64);
  for (auto [version, frame] :
       {std::pair(kPskAesGcmVersion, "0000001d000000000000000192a835b2196379eb82c0d41430f462bc807c174c29"),
        std::pair(kPskAegisVersion,
                  "000000250000000000000001414c4f53444241462f4c8f341c139a36ed510369bab9f17ab6ab4d7eda")}) {
    if (version == kPskAesGcmVersion && aes_unit() == AesUnit::kNone) continue;
    PskClient client(psk_of("ada", "secret"), client_salt, version, aes_unit());
    PskServer server(psk_of("ada", "secret"), server_salt, aes_unit());
    EXPECT_EQ(to_hex(client.hello()), (version == 1 ? "ae01" : "ae02") + to_hex(client_salt));
    auto answer = server.take(client.hello());
    ASSERT_TRUE(answer);
    EXPECT_EQ(to_hex(*answer),
              to_hex(server_salt) + "49c58e4fadc8e620aed25ade2d4fd3f42720a52d723405145aca2c8f04b39c22");
    auto proof = client.take(*answer);
    ASSERT_TRUE(proof);
    EXPECT_EQ(to_hex(*proof), "054540f7c46d1afb3af2adbe241bb0169c440f0f68fce38a6a4000b13a612e08");
    FrameSealer sealer(client.keys().style, client.keys().send);
    EXPECT_EQ(to_hex(frame_of(sealer, from_hex("81a26f7044"))), frame);
  }
}

TEST(PskHandshake, RefusesVersionOneWithoutAesInstructionsAndSaysWhy) {
  PskClient client(psk(), kClientSalt, kPskAesGcmVersion, aes_unit());
  PskServer server(psk(), kServerSalt, AesUnit::kNone);
  auto answer = server.take(client.hello());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnsupported);
  EXPECT_TRUE(answer.error().message.contains("AES instructions")) << answer.error().message;
}

TEST(PskHandshake, RefusesOtherVersions) {
  for (int version : {0, 3, 255}) {
    PskServer server(psk(), kServerSalt, aes_unit());
    auto answer = server.take(Buffer({kPskMark, static_cast<char>(version)}) + kClientSalt);
    ASSERT_FALSE(answer) << version;
    EXPECT_EQ(answer.error().code, Code::kUnsupported);
  }
}

TEST(PskHandshake, FailsForAnotherPasswordOrAnyChangedBit) {
  PskClient stranger(psk_of("admin", "Secret"), kClientSalt, kPskAegisVersion, aes_unit());
  PskServer server(psk(), kServerSalt, aes_unit());
  auto answer = server.take(stranger.hello());
  ASSERT_TRUE(answer);
  EXPECT_FALSE(stranger.take(*answer)) << "the server's proof is not of this password";
  Pair good(kPskAegisVersion);
  good.shake();
  auto right = [] {
    PskClient c(psk(), kClientSalt, kPskAegisVersion, aes_unit());
    PskServer s(psk(), kServerSalt, aes_unit());
    return *c.take(*s.take(c.hello()));
  }();
  for (size_t bit = 0; bit < right.size() * 8; ++bit) {
    Pair p(kPskAegisVersion);
    ASSERT_TRUE(p.server.take(p.client.hello()));
    Buffer wrong = right;
    wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(p.server.take(wrong)) << bit;
    EXPECT_NE(p.server.wanted(), 0u);
  }
}

}  // namespace
}  // namespace holdfast::wire
