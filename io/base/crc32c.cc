#include "io/base/crc32c.h"

#include <array>

namespace holdfast {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected

constexpr std::array<std::array<uint32_t, 256>, 8> make_tables() {
  std::array<std::array<uint32_t, 256>, 8> t{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = c & 1 ? (c >> 1) ^ kPolynomial : c >> 1;
    t[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; ++i)
    for (size_t s = 1; s < 8; ++s) t[s][i] = (t[s - 1][i] >> 8) ^ t[0][t[s - 1][i] & 0xff];
  return t;
}

constexpr auto kTables = make_tables();

}  // namespace

uint32_t crc32c_portable(Bytes data, uint32_t seed) {
  uint32_t c = ~seed;
  const char* p = data.data();
  size_t n = data.size();
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t v = load_le<uint64_t>(p) ^ c;
    c = 0;
    for (size_t s = 0; s < 8; ++s) c ^= kTables[7 - s][(v >> (8 * s)) & 0xff];
  }
  for (; n > 0; ++p, --n) c = (c >> 8) ^ kTables[0][(c ^ static_cast<uint8_t>(*p)) & 0xff];
  return ~c;
}

uint32_t crc32c(Bytes data, uint32_t seed) { return crc32c_portable(data, seed); }

}  // namespace holdfast
