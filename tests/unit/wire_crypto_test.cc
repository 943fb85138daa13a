#include <gtest/gtest.h>

#include "io/base/random.h"
#include "io/wire/aead.h"
#include "io/wire/hkdf.h"
#include "tests/support/hex.h"

namespace holdfast::wire {
namespace {

using test::counting;
using test::from_hex;
using test::to_hex;

std::vector<AesUnit> units() {
  std::vector<AesUnit> out{AesUnit::kNone};
  if (aes_unit() == AesUnit::kPresent) out.push_back(AesUnit::kPresent);
  return out;
}

TEST(Hkdf, GivesTheVectorOfRfc5869) {
  Secret<42> out;
  hkdf(counting(13), Buffer(22, '\x0b'), counting(10, 0xf0), out.bytes());
  EXPECT_EQ(to_hex(out), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

TEST(X25519, GivesTheVectorOfRfc7748AndRefusesPointsThatTellNothing) {
  Key alice(from_hex("77076d0a7318a57d3c16c17251b26645df4b3ca5f4a8fd4a3c7d0f4f7b5a5b2a"));
  Key bob(counting(32, 7));
  Key one, other, zero;
  ASSERT_TRUE(x25519(alice, x25519_public(bob), one));
  ASSERT_TRUE(x25519(bob, x25519_public(alice), other));
  EXPECT_TRUE(equal(one, other));
  EXPECT_EQ(
      to_hex(view(x25519_public(Key(from_hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"))))),
      "1c9fd88f45606d932a80c71824ae151d15d73e77de38e8e000852e614fae7019");
  for (const char* low : {"0000000000000000000000000000000000000000000000000000000000000000",
                          "0100000000000000000000000000000000000000000000000000000000000000",
                          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"})
    EXPECT_FALSE(x25519(alice, public_bytes(from_hex(low)), zero)) << low;
}

TEST(Argon2id, DependsOnPasswordSaltAndCost) {
  auto hash = [](Bytes password, Bytes salt, PasswordCost cost) {
    auto key = argon2id(password, salt, cost);
    EXPECT_TRUE(key);
    return key ? to_hex(*key) : "";
  };
  std::string first = hash("secret", counting(16), kLeastCost);
  EXPECT_EQ(hash("secret", counting(16), kLeastCost), first);
  EXPECT_NE(hash("Secret", counting(16), kLeastCost), first);
  EXPECT_NE(hash("secret", counting(16, 1), kLeastCost), first);
  EXPECT_NE(hash("secret", counting(16), {.passes = 2, .memory_kib = 8}), first);
  EXPECT_NE(hash("secret", counting(16), {.passes = 1, .memory_kib = 16}), first);
  EXPECT_FALSE(argon2id("secret", counting(16), {.passes = 0, .memory_kib = 8}));
  EXPECT_FALSE(argon2id("secret", counting(16), {.passes = 1, .memory_kib = 7}));
}

TEST(Secrets, AreComparedWholeAndWiped) {
  EXPECT_TRUE(equal("", ""));
  EXPECT_TRUE(equal("abc", "abc"));
  EXPECT_FALSE(equal("abc", "abd"));
  EXPECT_FALSE(equal("abc", "ab"));
  Buffer password = "0123456789012345678901234567890123456789";
  const char* where = password.data();
  wipe(password);
  EXPECT_EQ(password, "");
  EXPECT_EQ(Bytes(where, 40), Bytes(Buffer(40, '\0')));
}

TEST(Aegis, GivesTheVectorOfTheDraft) {
  for (AesUnit unit : units()) {
    Buffer text(16, '\0'), tag(kTagBytes, '\0');
    aegis128l_seal(unit, from_hex("10010000000000000000000000000000"), from_hex("10000200000000000000000000000000"), "",
                   text, tag.data());
    EXPECT_EQ(to_hex(text), "c1c0e58bd913006feba00f4b3cc3594e");
    EXPECT_EQ(to_hex(tag), "abe0ece80c24868a226a35d16bdae37a");
  }
}

TEST(Aegis, IsTheSameWithInstructionsAndWithout) {
  if (aes_unit() == AesUnit::kNone) GTEST_SKIP() << "this machine has no AES instructions";
  Rng random(5, "aegis");
  auto bytes = [&](size_t n) {
    Buffer out;
    for (size_t i = 0; i < n; ++i) out += static_cast<char>(random.next());
    return out;
  };
  for (int i = 0; i < 500; ++i) {
    Buffer key = bytes(16), nonce = bytes(16), ad = bytes(random.below(100)), text = bytes(random.below(300));
    Buffer one = text, other = text, tag(kTagBytes, '\0'), other_tag(kTagBytes, '\0');
    aegis128l_seal(AesUnit::kPresent, key, nonce, ad, one, tag.data());
    aegis128l_seal(AesUnit::kNone, key, nonce, ad, other, other_tag.data());
    ASSERT_EQ(one, other);
    ASSERT_EQ(tag, other_tag);
    ASSERT_TRUE(aegis128l_open(AesUnit::kNone, key, nonce, ad, one, tag));
    ASSERT_EQ(one, text);
    ASSERT_TRUE(aegis128l_open(AesUnit::kPresent, key, nonce, ad, other, tag));
    ASSERT_EQ(other, text);
  }
}

class EveryCipher : public testing::TestWithParam<Cipher> {};
INSTANTIATE_TEST_SUITE_P(Aead, EveryCipher,
                         testing::Values(Cipher::kAegis128L, Cipher::kChaCha20Poly1305, Cipher::kAes256Gcm));

TEST_P(EveryCipher, RefusesEveryChangedBitAndLeavesNoPlaintext) {
  for (AesUnit unit : units()) {
    if (GetParam() == Cipher::kAes256Gcm && unit == AesUnit::kNone) continue;
    AeadKey key{.cipher = GetParam(), .unit = unit, .key = Key(counting(32))};
    const Buffer nonce = counting(16, 9), ad = "to whom", text = "forty-one bytes of text, of which none leaks";
    Buffer sealed = text, tag(kTagBytes, '\0');
    aead_seal(key, nonce, ad, sealed, tag.data());
    EXPECT_NE(sealed, text);
    auto opens = [&](Buffer n, Buffer a, Buffer t, Buffer g) {
      bool open = aead_open(key, n, a, t, g);
      EXPECT_EQ(t, open ? text : Buffer(text.size(), '\0'));
      return open;
    };
    EXPECT_TRUE(opens(nonce, ad, sealed, tag));
    auto flip = [](Buffer b, size_t bit) {
      b[bit / 8] = static_cast<char>(b[bit / 8] ^ 1 << bit % 8);
      return b;
    };
    for (size_t bit = 0; bit < sealed.size() * 8; ++bit) EXPECT_FALSE(opens(nonce, ad, flip(sealed, bit), tag)) << bit;
    for (size_t bit = 0; bit < tag.size() * 8; ++bit) EXPECT_FALSE(opens(nonce, ad, sealed, flip(tag, bit))) << bit;
    for (size_t bit = 0; bit < ad.size() * 8; ++bit) EXPECT_FALSE(opens(nonce, flip(ad, bit), sealed, tag)) << bit;
    for (size_t bit = 32; bit < nonce.size() * 8; ++bit) EXPECT_FALSE(opens(flip(nonce, bit), ad, sealed, tag)) << bit;
    EXPECT_FALSE(opens(nonce, "", sealed, tag));
  }
}

}  // namespace
}  // namespace holdfast::wire
