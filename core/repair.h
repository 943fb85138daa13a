// Repair of a damaged directory: gives up what cannot be read, so that the rest can be served and written again. For a single server without peers or a
// backup; nothing does this by itself.
//
// Place in the system: `holdfastd repair`, while no server runs.
//
// What is given up, and what stays:
//   - a record that is damaged: the document goes back to its newest version that is sound, or away when there is none;
//   - an entry of the log that is damaged (a document in quarantine): that change; the document stays as it was before;
//   - a log that cannot be followed: everything after its last sound LSN.
// Shards with damaged records are written anew as their next generation; the old file stays where it is. Not repaired: HOLDFAST or all MANIFESTs gone, and a damaged
// entry that changed the catalog.
//
// Crash behaviour: each step is durable before the next and leaves a directory that can be opened or repaired again.
#pragma once

#include <string>
#include <vector>

#include "core/engine.h"

namespace holdfast::core {

enum class Loss : uint8_t {
  kListed,    ///< say what would be given up; change nothing
  kAccepted,
};

struct RepairReport {
  std::vector<std::string> lost;   ///< one sentence each, as VerifyReport::damage
  uint64_t lost_count = 0;
  std::vector<std::string> done;   ///< what was changed, one sentence each
  bool sound() const { return lost_count == 0; }
};

/// Only data_path, the journal's sizes and id_hash_bits of `options` count. Errors: those of verify_directory() and Engine::open().
io::Task<Result<RepairReport>> repair_directory(io::Host& host, EngineOptions options, Loss loss);

}  // namespace holdfast::core
