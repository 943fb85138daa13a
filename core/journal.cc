#include "core/journal.h"

#include "core/journal_recovery.h"

namespace holdfast::core {

io::Task<Result<Journal::Opened>> Journal::open(io::Host& host, std::string directory, JournalIdentity identity,
                                                JournalOptions options, JournalPosition base, ReplaySink& replay) {
  HF_ASSERT(options.segment_bytes % kJournalBlock == 0 && options.segment_bytes >= 2 * kJournalBlock, "settings are checked");
  HF_CO_TRY(found, co_await recover_journal(host, directory, identity, options, base, replay));
  io::Executor& here = co_await io::this_executor();
  Opened out;
  out.last = found.last;
  out.clean = found.clean;
  out.notes = std::move(found.notes);
  out.journal = std::make_unique<JournalWriter>(host, here, std::move(directory), identity, options, std::move(found.tail));
  co_return out;
}

}  // namespace holdfast::core
