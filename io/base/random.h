// Pseudo-random numbers from named, counter-based streams.
//
// A stream is a key and a counter: number i of a stream depends on nothing but the seed, the stream's name and i
// (SplitMix64 finaliser over a Weyl sequence: Steele, Lea, Flood, OOPSLA 2014). Streams do not disturb each other: a
// new draw in one place leaves the others as they were, which is what lets a stored seed survive unrelated edits. Not
// for secrets: those come from the host's entropy (io/random.h).
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast {

class Rng {
 public:
  /// The stream `name` of the run with that seed.
  Rng(uint64_t seed, std::string_view name);
  explicit Rng(uint64_t key) : key_(key) {}

  uint64_t next();
  /// Number `index` of the stream, counted from 0; does not advance it.
  uint64_t at(uint64_t index) const;
  /// Uniform in [0, n); 0 for n == 0.
  uint64_t below(uint64_t n);
  /// Uniform in [low, high], both included. Requires low <= high.
  uint64_t between(uint64_t low, uint64_t high);
  /// Brings a uniform `number` into [0, n).
  static uint64_t scale(uint64_t number, uint64_t n);
  /// True with probability numerator / denominator.
  bool chance(uint64_t numerator, uint64_t denominator);
  /// A stream of its own, named within this one; does not advance this one.
  Rng fork(std::string_view name) const;

  uint64_t drawn() const { return counter_; }

 private:
  uint64_t key_;
  uint64_t counter_ = 0;
};

}  // namespace holdfast
