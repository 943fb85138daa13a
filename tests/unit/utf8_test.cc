#include "io/base/utf8.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

// The definition, straight from RFC 3629: decode, then ask whether encoding that number gives the same bytes.
bool reference(Bytes text) {
  for (size_t i = 0; i < text.size();) {
    auto byte = [&](size_t k) -> uint32_t { return i + k < text.size() ? static_cast<uint8_t>(text[i + k]) : 0; };
    uint32_t c = byte(0);
    size_t n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 0;
    if (n == 0) return false;
    uint32_t value = n == 1 ? c : c & (0x7fu >> n);
    for (size_t k = 1; k < n; ++k) {
      if ((byte(k) & 0xc0) != 0x80) return false;
      value = value << 6 | (byte(k) & 0x3f);
    }
    uint32_t smallest = n == 1 ? 0 : n == 2 ? 0x80 : n == 3 ? 0x800 : 0x10000;
    if (value < smallest || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return false;
    i += n;
  }
  return true;
}

TEST(Utf8, AgreesWithTheDefinitionOnEveryStartOfASequence) {
  for (uint32_t a = 0; a < 256; ++a)
    for (uint32_t b = 0; b < 256; ++b)
      for (const char* tail : {"", "\x80", "\xbf", "A", "\x80\x80", "\xbf\xbf", "\x80g", "\xc0\x80"}) {
        Buffer text{static_cast<char>(a), static_cast<char>(b)};
        text += tail;
        ASSERT_EQ(is_utf8(text), reference(text)) << a << " " << b << " " << tail;
      }
}

TEST(Utf8, FindsBadBytesBehindAnyAmountOfAscii) {
  for (size_t n = 0; n < 40; ++n) {
    Buffer text(n, 'x');
    EXPECT_TRUE(is_utf8(text));
    EXPECT_TRUE(is_utf8(text + "h\xc3\xa9"));
    EXPECT_FALSE(is_utf8(text + "\xc3"));
    EXPECT_FALSE(is_utf8(text + "\xff" + text));
  }
}

}  // namespace
}  // namespace holdfast
