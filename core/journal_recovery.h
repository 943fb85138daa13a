// Recovery of the journal: from the files as a crash left them to a log that can be believed and continued.
//
// Place in the system: Journal::open(); the body around journal_scan.h and journal_chain.h. One core.
//
// Order, and why:
//  1. Unfinished segments (<seq>.new) are removed: nothing in them was ever believed.
//  2. Every segment from the base on is read and scanned, and the chain decided. Damage to proven bytes ends here, with nothing changed.
//  3. The bytes that are cut are kept in torn-<seq>.
//  4. The unproven end is written again, under a new number as <seq>.new, synced, renamed, and the directory synced. What was read may have been in a page
//     cache alone, dirty, or clean after a failed sync, so that syncing the old file would prove nothing. The rename makes it all or
//     nothing: half of an end never supersedes the whole.
//  5. Only then are entries replayed, from the places that are durable.
//
// Crash behaviour: at any point of this a crash leaves what was there before, or that with the new segment, and both recover to the same entries.
#pragma once

#include "core/journal_chain.h"
#include "core/journal_writer.h"

namespace holdfast::core {

struct Recovered {
  JournalTail tail;
  Lsn last;
  bool clean = false;
  std::vector<std::string> notes;
};

io::Task<Result<Recovered>> recover_journal(io::Host& host, std::string directory, JournalIdentity identity,
                                            JournalOptions options, JournalPosition base, ReplaySink& replay);

}  // namespace holdfast::core
