// The suite of cursors: results read page by page, while what they are read from changes, and the server ends and comes back.
//
// Clients open streams of any query, sort, skip, limit, projection and page size, hand their tokens to each other, ask for old pages again, and present tokens of
// other streams, of lives that are over, and none at all (workload/streams.h). Others insert, update and delete the same documents (Crud), or fill and drop whole
// collections, which they read in pages, too (Collections). In some seeds there is room for a few cursors only, or they, their snapshots or the history that those
// keep soon go. Judged: every stream is one find at its snapshot; a page is the same whenever it is asked for; a cursor goes only for a reason.
#pragma once

#include "chaos/suite/suite.h"

namespace holdfast::chaos {

SeedResult run_cursors(const SeedOptions& options);

}  // namespace holdfast::chaos
