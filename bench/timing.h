// Whether time tells secrets: where a wrong proof differs from the right one, and whether a user exists.
#pragma once

#include <cstdint>

namespace holdfast::bench {

struct TimingOptions {
  uint64_t samples = 200'000;  ///< of each class
};

/// Prints one JSON object: Welch's t between the two classes of each question (D. Reparaz, J. Balasch, I. Verbauwhede,
/// "Dude, is my code constant time?", 2017). Beyond 4.5 either way something leaks. The slowest twentieth is cropped.
void measure_timing(const TimingOptions& options);

}  // namespace holdfast::bench
