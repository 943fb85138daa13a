// Several documents as one entry: all are locked and looked at, core after core; one entry is posted; then all are unlocked.
//
// Place in the system: what requests over many documents (engine_many.cc) and commits of transactions (transaction_commit.cc) have in common. What happens on
// one core is EngineCore's: prepare_…(), finish().
//
// Locks are taken in one order by everybody (locked_before): by core, collection, key. On a core all gates of collections are entered before the first lock
// is taken, and a drop closes the gates core by core, each once it has drained the one before. So nobody waits for somebody who waits for him.
//
// Tasks run on the core of whoever asks and resume there. Arguments live until the task has ended.
#pragma once

#include "core/engine_core.h"

namespace holdfast::core {

using CoreItems = std::map<CoreId, std::vector<PreparedWrite*>>;

/// The order of locking.
bool locked_before(const EngineShared& shared, const PreparedWrite& a, const PreparedWrite& b);
/// Requires that `items` are in that order. The pointers are into `items`.
CoreItems by_core(const EngineShared& shared, std::vector<PreparedWrite>& items);

/// Unlocks. The LSN of `entry` is known; null when nothing was posted.
io::Task<void> finish_all(EngineShared& shared, const CoreItems& items, SubmissionRef entry);
/// Fills and posts the entry, with an effect that goes with it (null: none); returns when its LSN is known. What is put then lies in the entry.
io::Task<Lsn> post_all(EngineShared& shared, std::vector<PreparedWrite>& items, SubmissionRef entry, const Effect* also = nullptr);

/// Calls `prepare(core, its items)` on every core in turn. True: every core said so. On error or stale nothing stays locked.
template <class F>
io::Task<Evaluated<bool>> prepare_all(EngineShared& shared, const CoreItems& items, F prepare) {
  CoreItems locked;
  Evaluated<bool> all{true, Lsn()};
  for (const auto& [k, mine] : items) {
    EngineCore& core = *shared.cores[k.value];
    auto prepared = co_await io::call_on<Evaluated<bool>>(shared.host.cores, k, [&core, &mine, &prepare] { return prepare(core, mine); });
    if (prepared.stale || !prepared.result) {
      co_await finish_all(shared, locked, nullptr);
      co_return prepared;
    }
    locked[k] = mine;
    all.result = *all.result && *prepared.result;
    all.lsn = std::max(all.lsn, prepared.lsn);
  }
  co_return all;
}

}  // namespace holdfast::core
