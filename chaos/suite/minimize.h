// Minimize: which few of many things are needed for something to happen. Pure; what happens is asked of the caller.
//
// Delta debugging (Zeller, Hildebrandt, TSE 2002): leave out halves, then quarters, and so on down to single things, each
// time going on with what is left. The candidates of one size are handed over together, so that they can be tried at the
// same time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace holdfast::chaos {

/// Sets of kept items, ascending.
using Candidate = std::vector<size_t>;
/// The first of these candidates, in their order, with which it still happens. Nothing: with none.
using FirstThatHappens = std::function<std::optional<size_t>(const std::vector<Candidate>& candidates)>;

/// Of the items 0 … count - 1, with all of which it happens, those that stay when none can be left out by itself.
Candidate minimize(size_t count, const FirstThatHappens& first);

/// Numbers to try instead of `value`, the nearest to `simple` first, `value` not among them: `simple` itself, then ever
/// closer to `value`.
std::vector<uint64_t> towards(uint64_t value, uint64_t simple);

}  // namespace holdfast::chaos
