#include "io/base/utf8.h"

namespace holdfast {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080ULL;

bool continuation(const char* p, uint8_t low = 0x80, uint8_t high = 0xbf) {
  auto c = static_cast<uint8_t>(*p);
  return c >= low && c <= high;
}

// The length of the sequence at `p`, with `room` bytes left; 0 when it is not well formed. The second byte's range is
// what rules out overlong forms, surrogates and numbers that are too large (RFC 3629, section 4).
size_t sequence(const char* p, size_t room) {
  auto c = static_cast<uint8_t>(*p);
  if (c < 0x80) return 1;
  if (c < 0xc2 || c > 0xf4) return 0;
  if (c < 0xe0) return room >= 2 && continuation(p + 1) ? 2 : 0;
  if (c < 0xf0) {
    uint8_t low = c == 0xe0 ? 0xa0 : 0x80;
    uint8_t high = c == 0xed ? 0x9f : 0xbf;
    return room >= 3 && continuation(p + 1, low, high) && continuation(p + 2) ? 3 : 0;
  }
  uint8_t low = c == 0xf0 ? 0x90 : 0x80;
  uint8_t high = c == 0xf4 ? 0x8f : 0xbf;
  return room >= 4 && continuation(p + 1, low, high) && continuation(p + 2) && continuation(p + 3) ? 4 : 0;
}

}  // namespace

bool is_utf8(Bytes text) {
  const char* p = text.data();
  size_t room = text.size();
  while (room > 0) {
    if (room >= 8 && (load_le<uint64_t>(p) & kHighBits) == 0) {
      p += 8;
      room -= 8;
      continue;
    }
    size_t n = sequence(p, room);
    if (n == 0) return false;
    p += n;
    room -= n;
  }
  return true;
}

}  // namespace holdfast
