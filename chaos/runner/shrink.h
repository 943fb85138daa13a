// Shrink: from a seed that fails to the smallest case that fails in the same way.
//
// Short runs of the same seed are tried first. What is left out then, in this order, again and again until nothing more can go or the budget is used up: kinds of faults,
// crashes, single faults, clients, operations (halves first, single ones last; the last crashes are aimed earlier where
// that helps), what a power loss does to single files; then settings go towards simple values. A candidate is kept only
// when it shows the same kind of violation (kind_of) twice with the same hash.
#pragma once

#include "chaos/runner/trials.h"

namespace holdfast::chaos {

/// How large a run is, in what a reader has to go through.
struct RunSize {
  uint64_t faults = 0;      ///< struck, crashes included
  uint64_t crashes = 0;
  uint64_t clients = 0;     ///< that perform anything
  uint64_t operations = 0;  ///< that clients perform
  double seconds = 0;       ///< virtual
};
RunSize size_of(const Outcome& outcome);

struct Shrunk {
  Case smallest;
  Outcome before;
  Outcome after;
};

/// Requires of `start`: a suite and a seed; its `expect` is ignored. Tells on standard error how far it is. Errors:
/// kNotFound, the case passes; kBadRequest, it does not fit the suite; kConflict, two runs differ;
/// kUnsupported, the suite has nothing that could be left out.
Result<Shrunk> shrink(const Case& start, Trials& trials);

}  // namespace holdfast::chaos
