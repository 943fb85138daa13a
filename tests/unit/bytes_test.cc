#include "io/base/bytes.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Bytes, FixedWidthIntegersHaveTheStatedOrder) {
  Buffer b;
  append_le<uint32_t>(b, 0x01020304);
  append_be<uint32_t>(b, 0x01020304);
  append_le<uint8_t>(b, 9);
  EXPECT_EQ(b, Buffer("\4\3\2\1\1\2\3\4\x9", 9));
  EXPECT_EQ(load_le<uint32_t>(b.data()), 0x01020304u);
  EXPECT_EQ(load_be<uint32_t>(b.data() + 4), 0x01020304u);
}

TEST(Bytes, GrowKeepsWhatWasThere) {
  Buffer b = "abc";
  for (int i = 0; i < 100; ++i) std::memset(grow(b, 7), 'x', 7);
  EXPECT_EQ(b, "abc" + Buffer(700, 'x'));
  grow(b, 0);
  EXPECT_EQ(b.size(), 703u);
}

TEST(ByteReader, YieldsZeroForGoodOnceItRanPastTheEnd) {
  ByteReader r(Bytes("\1\0\2\0\3", 5));
  EXPECT_EQ(r.le<uint16_t>(), 1u);
  EXPECT_EQ(r.le<uint16_t>(), 2u);
  EXPECT_TRUE(r.ok());
  EXPECT_EQ(r.le<uint16_t>(), 0u);
  EXPECT_FALSE(r.ok());
  EXPECT_EQ(r.le<uint8_t>(), 0u) << "one byte is left, but the reader has failed";
  EXPECT_TRUE(r.take(1).empty());
}

TEST(ByteReader, TakesRunsOfBytes) {
  ByteReader r("abcdef");
  EXPECT_EQ(r.take(2), "ab");
  EXPECT_EQ(r.take(0), "");
  EXPECT_EQ(r.rest(), "cdef");
  EXPECT_TRUE(r.take(SIZE_MAX).empty());
  EXPECT_FALSE(r.ok());
}

}  // namespace
}  // namespace holdfast
