// The pauses that clients make between what they ask.
#pragma once

#include "io/base/random.h"
#include "io/base/time.h"

namespace holdfast::chaos {

/// Of up to `most`, drawn from `random`.
inline Duration drawn_pause(Rng& random, Duration most) {
  return nanoseconds(static_cast<int64_t>(random.below(static_cast<uint64_t>(most.ns) + 1)));
}

}  // namespace holdfast::chaos
