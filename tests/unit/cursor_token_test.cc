#include "core/cursor_token.h"

#include <gtest/gtest.h>

#include "io/base/hash.h"
#include "tests/support/tree.h"

namespace holdfast::core {
namespace {

using test::mp;

CursorToken in_shards() {
  return {.incarnation = 0x1122334455667788, .cursor = 7, .skipped = 3, .answered = 9, .core = 2, .shard_index = 5, .ordinal = Ordinal(77)};
}
CursorToken in_order() {
  return {.incarnation = 1, .cursor = 2, .skipped = 0, .answered = UINT64_MAX, .sorted = true, .id_key = Buffer("\x20key"), .sort_key = Buffer("\x05\xc0", 2)};
}

TEST(CursorToken, ComesBackAsItWas) {
  for (const CursorToken& token : {in_shards(), in_order(), CursorToken{.sorted = true}}) {
    auto back = CursorToken::parse(token.encode());
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(*back, token);
  }
  CursorToken large = in_order();
  large.sort_key = Buffer(kMaxSortKeyBytes, 'x');
  EXPECT_EQ(CursorToken::parse(large.encode())->sort_key.size(), kMaxSortKeyBytes);
}

TEST(CursorToken, NoCutOrChangedTokenIsOne) {
  for (const CursorToken& token : {in_shards(), in_order()}) {
    Buffer bytes = token.encode();
    for (size_t n = 0; n < bytes.size(); ++n) {
      auto cut = CursorToken::parse(Bytes(bytes).substr(0, n));
      ASSERT_FALSE(cut) << n;
      EXPECT_EQ(cut.error().code, Code::kBadRequest);
      for (int bit = 0; bit < 8; ++bit) {
        Buffer changed = bytes;
        changed[n] ^= static_cast<char>(1 << bit);
        EXPECT_FALSE(CursorToken::parse(changed)) << n << "." << bit;
      }
    }
    EXPECT_FALSE(CursorToken::parse(bytes + "x"));
  }
}

/// Bytes with the checksum of a token.
Buffer sealed(Buffer body) {
  append_le(body, xxh3_64(body));
  return body;
}

TEST(CursorToken, WhatSomebodyMadeUpIsCheckedForItsShape) {
  Buffer numbers(32, '\x01');
  EXPECT_FALSE(CursorToken::parse(sealed("")));
  EXPECT_FALSE(CursorToken::parse(sealed("\x01" + numbers)));
  EXPECT_FALSE(CursorToken::parse(sealed("\x03" + numbers + Buffer(8, '\0')))) << "a kind that there is not";
  EXPECT_FALSE(CursorToken::parse(sealed("\x01" + numbers + Buffer(9, '\0'))));
  EXPECT_TRUE(CursorToken::parse(sealed("\x01" + numbers + Buffer(8, '\0'))));
  EXPECT_FALSE(CursorToken::parse(sealed("\x02" + numbers + Buffer("\x05\x00" "abc", 5)))) << "an id key longer than the token";
  EXPECT_FALSE(CursorToken::parse(sealed("\x02" + numbers + Buffer("\xff\x7f", 2) + Buffer(0x7fff, 'k')))) << "longer than any";
  EXPECT_FALSE(CursorToken::parse(sealed("\x02" + numbers + Buffer(2, '\0') + Buffer(kMaxSortKeyBytes + 1, 's'))));
}

uint64_t of(std::initializer_list<Buffer> values) {
  std::vector<Bytes> all(values.begin(), values.end());
  return fingerprint_of(all);
}

TEST(CursorToken, TheFingerprintOfAMapDoesNotDependOnTheOrderOfItsFields) {
  EXPECT_EQ(of({mp("{a: 1, b: {c: 2, d: [3, 4]}}")}), of({mp("{b: {d: [3, 4], c: 2}, a: 1}")}));
  EXPECT_NE(of({mp("{a: 1, b: 2}")}), of({mp("{a: 2, b: 1}")}));
  EXPECT_NE(of({mp("{a: [1, 2]}")}), of({mp("{a: [2, 1]}")})) << "in arrays the order counts";
  EXPECT_NE(of({mp("{a: {}}")}), of({mp("{a: []}")}));
  EXPECT_NE(of({mp("{a: {b: 1}}")}), of({mp("{a: 1}")}));
}

TEST(CursorToken, TheFingerprintTellsWhichValueIsWhere) {
  EXPECT_NE(of({mp("{a: 1}"), ""}), of({"", mp("{a: 1}")}));
  EXPECT_NE(of({mp("{a: 1}")}), of({mp("{a: 1}"), ""}));
}

}  // namespace
}  // namespace holdfast::core
