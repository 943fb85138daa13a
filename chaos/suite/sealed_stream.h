// Sealed stream: frames between two ends, of every style, and somebody in between who repeats, omits, swaps, reflects
// and changes them. The receiver gives out what was sent, in its order, up to the first harm, and nothing after it.
#pragma once

#include "chaos/suite/suite.h"

namespace holdfast::chaos {

SeedResult run_sealed_stream(const SeedOptions& options);

}  // namespace holdfast::chaos
