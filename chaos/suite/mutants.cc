// The planted bugs. Each is a MUTANT("name") somewhere in the code; this table says where it is expected to be caught.
#include <array>

#include "chaos/suite/suite.h"

namespace holdfast::chaos {
namespace {

constexpr std::array kMutants = {
    Mutant{"reply-not-held", "41", "durability-sync", "a reply without effects is not held for the pending write that it read"},
    Mutant{"uncommitted-visible", "37", "durability-sync", "a reader sees a version that is not committed"},
    Mutant{"read-at-stale-lsn", "48", "durability-sync", "a read starts at a core's stale committed LSN"},
    Mutant{"read-before-applied", "49", "durability-sync", "a core serves a read before it has applied through it"},
    Mutant{"locks-kept-after-duplicate", "50", "durability-sync", "locks are not released after a conflict"},
    Mutant{"short-write-counts-as-done", "13", "durability-sync", "a short write counts as done"},
    Mutant{"checkpoint-skips-journal-sync", "42", "durability-async", "a checkpoint does not sync the journal first"},
    Mutant{"checkpoint-manifest-before-data", "42", "durability-sync", "a MANIFEST is written before the data it names is synced"},
    Mutant{"checkpoint-directory-unsynced", "42", "durability-sync", "a new shard file's directory is not synced"},
    Mutant{"checkpoint-releases-before-manifest", "42", "durability-sync", "segments go before the MANIFEST is durable"},
};

}  // namespace

std::span<const Mutant> mutants() { return kMutants; }

}  // namespace holdfast::chaos
