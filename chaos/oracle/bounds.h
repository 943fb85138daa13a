// Bounds: how many of something there are, as far as can be known.
#pragma once

#include <algorithm>
#include <cstdint>

namespace holdfast::chaos {

struct Bounds {
  uint64_t least = 0;
  uint64_t most = 0;
  void operator+=(Bounds b) { least += b.least, most += b.most; }
  /// Both hold.
  Bounds operator&(Bounds b) const { return {std::max(least, b.least), std::min(most, b.most)}; }
  bool hold(uint64_t n) const { return least <= n && n <= most; }
};

}  // namespace holdfast::chaos
