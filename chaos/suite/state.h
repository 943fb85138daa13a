// State of a database as a few numbers: what two recoveries must agree on.
#pragma once

#include "core/engine.h"

namespace holdfast::chaos {

struct State {
  Lsn lsn;
  uint64_t documents = 0;
  uint64_t indexes = 0;  ///< declared ones
  uint64_t hash = 0;     ///< of every document and index under its database's and collection's names, whatever their order
  bool operator==(const State&) const = default;
  std::string text() const;
};

/// Reads everything. Requires: nobody writes meanwhile. Errors: those of the engine's exports.
io::Task<Result<State>> state_of(core::Engine& engine);

}  // namespace holdfast::chaos
