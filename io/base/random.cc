#include "io/base/random.h"

#include "io/base/assert.h"
#include "io/base/hash.h"

namespace holdfast {
namespace {

uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

Rng::Rng(uint64_t seed, std::string_view name) : key_(xxh3_64(name, mix(seed))) {}

uint64_t Rng::next() { return at(counter_++); }

uint64_t Rng::at(uint64_t index) const { return mix(key_ + 0x9e3779b97f4a7c15ULL * (index + 1)); }

uint64_t Rng::below(uint64_t n) { return scale(next(), n); }

uint64_t Rng::scale(uint64_t number, uint64_t n) {
  // Multiply-shift (Lemire 2019) without the rejection step: the bias is below n / 2^64.
  return static_cast<uint64_t>((static_cast<unsigned __int128>(number) * n) >> 64);
}

uint64_t Rng::between(uint64_t low, uint64_t high) {
  HF_ASSERT(low <= high, "the caller passes an ordered range");
  uint64_t width = high - low + 1;
  return width == 0 ? next() : low + below(width);
}

bool Rng::chance(uint64_t numerator, uint64_t denominator) { return below(denominator) < numerator; }

Rng Rng::fork(std::string_view name) const { return Rng(xxh3_64(name, key_)); }

}  // namespace holdfast
