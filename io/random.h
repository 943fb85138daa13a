// The host's randomness: the only source of what must differ between runs (server ids, salts, keys, generated document
// ids).
#pragma once

#include "io/base/bytes.h"

namespace holdfast::io {

class Random {
 public:
  virtual ~Random() = default;
  /// Fills `out` with bytes fit for secrets (production: the operating system's generator; simulation: drawn from the
  /// seed).
  virtual void entropy(MutableBytes out) = 0;

  uint64_t entropy64() {
    char b[8];
    entropy(b);
    return load_le<uint64_t>(b);
  }
};

}  // namespace holdfast::io
