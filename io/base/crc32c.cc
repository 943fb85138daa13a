#include "io/base/crc32c.h"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace holdfast {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected: bit 31 is the coefficient of x^0

using Table = std::array<uint32_t, 256>;

constexpr std::array<Table, 8> make_tables() {
  std::array<Table, 8> t{};
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

#if defined(__x86_64__)
namespace {

// The instruction takes 8 bytes in three cycles but one may start each cycle: three independent streams keep it busy.
// Each lane's sum is then moved past the bytes of the lanes behind it, which multiplies it by x^(8 * length) modulo the
// polynomial, and the sums are added (V. Gopal and others, "Fast CRC Computation for iSCSI Polynomial Using CRC32
// Instruction", Intel, 2011).

constexpr uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = b & 1 ? (b >> 1) ^ kPolynomial : b >> 1;
  }
  return product;
}

constexpr uint32_t power_of_x(uint64_t n) {
  uint32_t result = 1u << 31;                 // x^0
  uint32_t square = 1u << 30;                 // x^1, then x^2, x^4 ...
  for (; n > 0; n >>= 1, square = multiply(square, square))
    if (n & 1) result = multiply(result, square);
  return result;
}

using ShiftTables = std::array<Table, 4>;  // by byte of the sum

constexpr ShiftTables make_shift(size_t bytes) {
  ShiftTables t{};
  uint32_t factor = power_of_x(8 * bytes);
  for (uint32_t k = 0; k < 4; ++k)
    for (uint32_t bit = 1; bit < 256; bit <<= 1) {
      t[k][bit] = multiply(bit << (8 * k), factor);
      for (uint32_t below = 1; below < bit; ++below) t[k][bit + below] = t[k][bit] ^ t[k][below];
    }
  return t;
}

constexpr size_t kLongLane = 1360;  // three and a tail of 16 bytes make a 4 KiB block
constexpr size_t kShortLane = 96;   // three fit into a typical document
constexpr ShiftTables kLongShift = make_shift(kLongLane);
constexpr ShiftTables kShortShift = make_shift(kShortLane);

uint32_t shift(const ShiftTables& t, uint32_t c) {
  return t[0][c & 0xff] ^ t[1][(c >> 8) & 0xff] ^ t[2][(c >> 16) & 0xff] ^ t[3][c >> 24];
}

#define HF_SSE42 __attribute__((target("sse4.2")))

template <size_t kLane>
HF_SSE42 uint32_t three_lanes(const char* p, uint32_t c, const ShiftTables& tables) {
  uint64_t a = c;
  uint64_t b = 0;
  uint64_t d = 0;
  for (size_t i = 0; i < kLane; i += 8) {
    a = _mm_crc32_u64(a, load_le<uint64_t>(p + i));
    b = _mm_crc32_u64(b, load_le<uint64_t>(p + kLane + i));
    d = _mm_crc32_u64(d, load_le<uint64_t>(p + 2 * kLane + i));
  }
  c = shift(tables, static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
  return shift(tables, c) ^ static_cast<uint32_t>(d);
}

HF_SSE42 uint32_t crc32c_sse42(Bytes data, uint32_t seed) {
  uint32_t c = ~seed;
  const char* p = data.data();
  size_t n = data.size();
  for (; n >= 3 * kLongLane; p += 3 * kLongLane, n -= 3 * kLongLane) c = three_lanes<kLongLane>(p, c, kLongShift);
  for (; n >= 3 * kShortLane; p += 3 * kShortLane, n -= 3 * kShortLane) c = three_lanes<kShortLane>(p, c, kShortShift);
  uint64_t wide = c;
  for (; n >= 8; p += 8, n -= 8) wide = _mm_crc32_u64(wide, load_le<uint64_t>(p));
  c = static_cast<uint32_t>(wide);
  for (; n > 0; ++p, --n) c = _mm_crc32_u8(c, static_cast<uint8_t>(*p));
  return ~c;
}

}  // namespace

uint32_t crc32c(Bytes data, uint32_t seed) {
  return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(data, seed) : crc32c_portable(data, seed);
}
#else
uint32_t crc32c(Bytes data, uint32_t seed) { return crc32c_portable(data, seed); }
#endif

}  // namespace holdfast
