// Evaluation of requests over several documents: what concerns one core. See engine_many.cc for the whole.
#include "core/document.h"
#include "core/engine_core.h"
#include "io/base/probe.h"

namespace holdfast::core {

io::Task<Evaluated<bool>> EngineCore::prepare_inserts(Lsn after, std::vector<PreparedWrite*> items, Repeat repeat) {
  CollectionRef c = items.front()->collection;
  if (!co_await enter(c, after)) co_return Evaluated<bool>{false, {}, true};
  uint32_t done = 0;
  for (PreparedWrite* item : items) {
    if (rest_is_due(done)) co_await io::yield();
    item->locked = co_await overlay_.lock({c.collection, item->key});
    Result<Current> now = co_await current(slot(c.database, item->shard), c, item->locked);
    if (!now) {
      co_await finish(items, nullptr);
      co_return Evaluated<bool>{fail(now), seen()};
    }
    item->rests_on = now->pending;
    if (now->exists)
      item->state = is_repeat(*now, item->body, *find_id(item->body), repeat) ? PreparedWrite::State::kRepeat : PreparedWrite::State::kTaken;
  }
  co_return Evaluated<bool>{true, seen()};
}

io::Task<Evaluated<bool>> EngineCore::prepare_changes(Lsn after, std::vector<PreparedWrite*> items, Lsn snapshot) {
  CollectionRef c = items.front()->collection;
  if (!co_await enter(c, after)) co_return Evaluated<bool>{false, {}, true};
  bool unchanged = true;
  uint32_t done = 0;
  for (PreparedWrite* item : items) {
    if (rest_is_due(done)) co_await io::yield();
    item->locked = co_await overlay_.lock({c.collection, item->key});
    Result<Current> now = co_await current(slot(c.database, item->shard), c, item->locked);
    if (!now) {
      co_await finish(items, nullptr);
      co_return Evaluated<bool>{fail(now), seen()};
    }
    if (MUTANT("update-many-trusts-its-snapshot")) continue;
    bool changed = now->pending || !now->exists || now->lsn > snapshot;
    SOMETIMES(changed, "document-changed-before-it-was-locked");
    if (changed && item->writes) unchanged = false;
    // So that the next snapshot shows what is under the lock.
    co_await applied(now->pending);
  }
  if (MUTANT("intents-not-kept"))
    for (PreparedWrite* item : items) overlay_.unlock(std::exchange(item->locked, nullptr));
  co_return Evaluated<bool>{unchanged, seen()};
}

io::Task<Evaluated<bool>> EngineCore::prepare_commit(Lsn after, std::vector<PreparedWrite*> items, Lsn snapshot) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && items[i]->collection == items[i - 1]->collection) continue;
    if (co_await enter(items[i]->collection, after)) continue;
    for (size_t k = 0; k < i; ++k)
      if (k == 0 || items[k]->collection != items[k - 1]->collection) leave(items[k]->collection);
    co_return Evaluated<bool>{false, seen(), true};
  }
  Result<> unchanged;
  SubmissionRef rests_on;
  uint32_t done = 0;
  for (PreparedWrite* item : items) {
    if (rest_is_due(done)) co_await io::yield();
    item->locked = co_await overlay_.lock({item->collection.collection, item->key});
    unchanged = co_await unchanged_since(*item, MUTANT("conflict-checked-against-now") ? applied_ : snapshot, rests_on);
    if (!unchanged) break;
  }
  if (unchanged && MUTANT("commit-locks-let-go-early"))
    for (PreparedWrite* item : items) overlay_.unlock(std::exchange(item->locked, nullptr));
  if (unchanged) co_return Evaluated<bool>{true, seen()};
  if (!MUTANT("locks-kept-after-conflict")) co_await finish(items, nullptr);
  Lsn lsn = co_await applied(rests_on);
  co_return Evaluated<bool>{std::unexpected(std::move(unchanged.error())), lsn};
}

/// kConflict: a document that is locked has changed since a snapshot, if only by what is pending, on which the answer then rests.
io::Task<Result<>> EngineCore::unchanged_since(PreparedWrite& item, Lsn snapshot, SubmissionRef& rests_on) {
  Slot& s = slot(item.collection.database, item.shard);
  HF_CO_CHECK_OK(intact(s, item.collection.collection, item.key));
  bool changed = false;
  if (const PendingVersion* pending = item.locked->second.newest(); pending && !MUTANT("conflict-ignores-what-is-pending")) {
    SOMETIMES(true, "transaction-meets-pending-version");
    rests_on = pending->entry;
    changed = true;
  } else {
    HF_CO_TRY(since, co_await s.shard->changed_since(item.collection.collection, item.key, snapshot));
    changed = since;
  }
  if (!changed) co_return Result<>();
  item.state = PreparedWrite::State::kTaken;
  co_return fail(Code::kConflict, "");
}

io::Task<void> EngineCore::finish(const std::vector<PreparedWrite*>& items, SubmissionRef entry) {
  uint32_t done = 0;
  for (PreparedWrite* item : items) {
    if (!item->locked) continue;
    if (rest_is_due(done)) co_await io::yield();
    if (entry && item->writes) item->locked->second.add({entry, item->kind == EffectKind::kPut, item->body});
    overlay_.unlock(item->locked);
    item->locked = nullptr;
  }
  for (size_t i = 0; i < items.size(); ++i)
    if (i == 0 || items[i]->collection != items[i - 1]->collection) leave(items[i]->collection);
}

io::Task<Overlay::Locked> EngineCore::take_turn(CollectionRef c, Bytes key) { return overlay_.lock({c.collection, key}); }

}  // namespace holdfast::core
