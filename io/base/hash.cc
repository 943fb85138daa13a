#include "io/base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace holdfast {

uint64_t xxh3_64(Bytes data, uint64_t seed) { return XXH3_64bits_withSeed(data.data(), data.size(), seed); }

Hash128 xxh3_128(Bytes data, uint64_t seed) {
  XXH128_hash_t h = XXH3_128bits_withSeed(data.data(), data.size(), seed);
  return {h.low64, h.high64};
}

}  // namespace holdfast
