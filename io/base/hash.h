// XXH3: the fast hashes that place documents, index them and chain journal groups. Not for secrets.
#pragma once

#include <compare>

#include "io/base/bytes.h"

namespace holdfast {

uint64_t xxh3_64(Bytes data, uint64_t seed = 0);

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
  auto operator<=>(const Hash128&) const = default;
};

Hash128 xxh3_128(Bytes data, uint64_t seed = 0);

}  // namespace holdfast
