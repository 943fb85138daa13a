// Overrides: how a run differs from what its seed says. Everything that is not named here is drawn from the seed.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "sim/decisions.h"

namespace holdfast::chaos {

struct Overrides {
  /// Settings of the suite (settings.h) and fields of the fault plan (sim/faults.h), by name.
  std::map<std::string, uint64_t, std::less<>> settings;
  /// Per client the operations that it performs, counted from 0; a client that is not named performs all.
  std::map<int, std::set<uint64_t>> operations;
  /// Strikes and values laid down, by stream.
  std::map<std::string, sim::Orders, std::less<>> orders;

  bool empty() const { return settings.empty() && operations.empty() && orders.empty(); }
  bool operator==(const Overrides&) const = default;
};

}  // namespace holdfast::chaos
