// Evaluation of requests on one core: what is there now, what the request makes of it, and the effect to post.
#include "core/document.h"
#include "core/engine_core.h"
#include "io/base/probe.h"

namespace holdfast::core {

io::Task<Result<EngineCore::Current>> EngineCore::current(Slot& slot, CollectionRef c, Overlay::Locked document) {
  HF_CO_CHECK_OK(intact(slot, c.collection, document->first.key));
  Current now;
  if (const PendingVersion* pending = document->second.newest()) {
    SOMETIMES(true, "evaluated-on-pending-version");
    now.exists = pending->exists;
    now.body = pending->body;
    now.pending = pending->entry;
    co_return now;
  }
  Bytes key = document->first.key;
  if (auto answer = slot.shard->try_find(c.collection, key)) {
    now.exists = answer->exists;
    now.body = answer->body;
    now.lsn = answer->lsn;
    co_return now;
  }
  HF_CO_TRY(found, co_await slot.shard->find(c.collection, key));
  if (found) {
    now.exists = true;
    now.lsn = found->lsn;
    now.owned = std::move(found->body);
  }
  co_return now;
}

namespace {

/// Where the body is: a moved `Current` moves its owned bytes, so views into them are made late.
Bytes body_of(const std::optional<Buffer>& owned, Bytes elsewhere) { return owned ? Bytes(*owned) : elsewhere; }

}  // namespace

bool EngineCore::is_repeat(const Current& found, Bytes document, Bytes id, Repeat repeat) const {
  if (body_of(found.owned, found.body) != document) return false;
  if (repeat == Repeat::kByShape && !has_generated_shape(id)) return false;
  if (found.pending) return true;
  // Newer than what was applied one window ago. Before one window has passed since the start everything counts: the first attempt may have
  // come before a restart.
  Time now = shared_.host.clock.now();
  Lsn floor;
  for (const auto& [at, lsn] : progress_)
    if (now - at > shared_.options.repeat_window) floor = lsn;
  return found.lsn > floor;
}

SubmissionRef EngineCore::post(Overlay::Locked document, const Effect& effect) {
  auto entry = std::make_shared<Submission>(core_);
  entry->add(effect);
  Bytes body = Bytes(entry->effects).substr(entry->effects.size() - effect.body.size());
  document->second.add({entry, effect.kind == EffectKind::kPut, body});
  if (core_ == CoreId(0))
    shared_.journal->append(entry);
  else
    shared_.host.cores.send(core_, CoreId(0), [&shared = shared_, entry] { shared.journal->append(entry); });
  return entry;
}

io::Task<Lsn> EngineCore::applied(SubmissionRef entry) {
  if (!entry) co_return seen();
  if (entry->origin == core_) {
    co_await entry->applied.wait();
  } else {
    // Posted by another core, and here because finish() brought it: its LSN is known.
    co_await applied_through(entry->lsn);
  }
  co_return entry->lsn;
}

// ---- Insert ----

io::Task<Result<bool>> EngineCore::insert_locked(Slot& slot, CollectionRef c, ShardId shard, Overlay::Locked document, Bytes body,
                                                 Repeat repeat, Verdict& verdict) {
  HF_CO_TRY(now, co_await current(slot, c, document));
  if (now.exists) {
    verdict.rests_on = now.pending;
    if (is_repeat(now, body, *find_id(body), repeat)) co_return true;
    co_return fail(Code::kDuplicateKey, "E11000 duplicate key: a document with this _id is already in the collection");
  }
  verdict.rests_on = post(document, {EffectKind::kPut, c.database, shard, c.collection, document->first.key, body});
  co_return true;
}

io::Task<Evaluated<bool>> EngineCore::insert(CollectionRef c, Lsn after, ShardId shard, Bytes key, Bytes document, Repeat repeat) {
  if (!co_await enter(c, after)) co_return Evaluated<bool>{false, {}, true};
  Slot& s = slot(c.database, shard);
  co_await s.requests.acquire(1);
  Overlay::Locked locked = co_await overlay_.lock({c.collection, key});
  Verdict verdict;
  Result<bool> result = co_await insert_locked(s, c, shard, locked, document, repeat, verdict);
  overlay_.unlock(locked);
  leave(c);
  Lsn lsn;
  if (!MUTANT("reply-not-held") || result) lsn = co_await applied(verdict.rests_on);
  s.requests.release(1);
  co_return Evaluated<bool>{std::move(result), lsn};
}

// ---- Find ----

io::Task<Evaluated<std::optional<Buffer>>> EngineCore::find(CollectionRef c, Lsn after, ShardId shard, Bytes key) {
  if (applied_ < after) co_await applied_through(after);
  SOMETIMES(seen() > applied_, "read-in-the-midst-of-a-batch");
  Slot& s = slot(c.database, shard);
  if (MUTANT("uncommitted-visible")) {
    if (Overlay::Locked locked = overlay_.try_lock({c.collection, key})) {
      const PendingVersion* pending = locked->second.newest();
      std::optional<Buffer> body;
      if (pending && pending->exists) body = Buffer(pending->body);
      overlay_.unlock(locked);
      if (body) co_return Evaluated<std::optional<Buffer>>{std::move(body), seen()};
    }
  }
  if (Result<> known = intact(s, c.collection, key); !known) co_return Evaluated<std::optional<Buffer>>{fail(known), seen()};
  if (auto answer = s.shard->try_find(c.collection, key)) {
    std::optional<Buffer> body;
    if (answer->exists) body = Buffer(answer->body);
    co_return Evaluated<std::optional<Buffer>>{std::move(body), seen()};
  }
  Result<std::optional<Document>> found = co_await s.shard->find(c.collection, key);
  if (!found) co_return Evaluated<std::optional<Buffer>>{fail(found), seen()};
  std::optional<Buffer> body;
  if (*found) body = std::move((*found)->body);
  co_return Evaluated<std::optional<Buffer>>{std::move(body), seen()};
}

// ---- Update ----

io::Task<Result<UpdateCounts>> EngineCore::update_locked(Slot& slot, CollectionRef c, ShardId shard, Overlay::Locked document,
                                                         const Query& filter, const Update& update, Verdict& verdict) {
  HF_CO_TRY(now, co_await current(slot, c, document));
  verdict.rests_on = now.pending;
  Bytes body = body_of(now.owned, now.body);
  if (!now.exists) co_return UpdateCounts{};
  Query::Match match = filter.match(body);
  if (match == Query::Match::kTooCostly) co_return Query::too_costly();
  if (match == Query::Match::kNo) co_return UpdateCounts{};
  UpdateContext context{.now = shared_.host.clock.wall()};
  if (update.needs_position()) context.position = filter.matched_position(body);
  HF_CO_TRY(updated, update.apply(body, context));
  if (!updated.changed()) co_return UpdateCounts{.matched = 1};
  verdict.rests_on =
      post(document, {EffectKind::kPut, c.database, shard, c.collection, document->first.key, updated.document});
  co_return UpdateCounts{.matched = 1, .modified = 1};
}

io::Task<Evaluated<UpdateCounts>> EngineCore::update(CollectionRef c, Lsn after, ShardId shard, Bytes key, const Query& filter,
                                                     const Update& update) {
  if (!co_await enter(c, after)) co_return Evaluated<UpdateCounts>{UpdateCounts{}, {}, true};
  Slot& s = slot(c.database, shard);
  co_await s.requests.acquire(1);
  Overlay::Locked locked = co_await overlay_.lock({c.collection, key});
  Verdict verdict;
  Result<UpdateCounts> result = co_await update_locked(s, c, shard, locked, filter, update, verdict);
  overlay_.unlock(locked);
  leave(c);
  Lsn lsn;
  if (!MUTANT("reply-not-held") || (result && result->modified)) lsn = co_await applied(verdict.rests_on);
  s.requests.release(1);
  co_return Evaluated<UpdateCounts>{std::move(result), lsn};
}

// ---- Delete ----

io::Task<Result<uint64_t>> EngineCore::remove_locked(Slot& slot, CollectionRef c, ShardId shard, Overlay::Locked document,
                                                     const Query& filter, Verdict& verdict) {
  HF_CO_TRY(now, co_await current(slot, c, document));
  verdict.rests_on = now.pending;
  if (!now.exists) co_return uint64_t{0};
  Query::Match match = filter.match(body_of(now.owned, now.body));
  if (match == Query::Match::kTooCostly) co_return Query::too_costly();
  if (match == Query::Match::kNo) co_return uint64_t{0};
  verdict.rests_on = post(document, {EffectKind::kDelete, c.database, shard, c.collection, document->first.key, {}});
  co_return uint64_t{1};
}

io::Task<Evaluated<uint64_t>> EngineCore::remove(CollectionRef c, Lsn after, ShardId shard, Bytes key, const Query& filter) {
  if (!co_await enter(c, after)) co_return Evaluated<uint64_t>{uint64_t{0}, {}, true};
  Slot& s = slot(c.database, shard);
  co_await s.requests.acquire(1);
  Overlay::Locked locked = co_await overlay_.lock({c.collection, key});
  Verdict verdict;
  Result<uint64_t> result = co_await remove_locked(s, c, shard, locked, filter, verdict);
  overlay_.unlock(locked);
  leave(c);
  Lsn lsn;
  if (!MUTANT("reply-not-held") || (result && *result)) lsn = co_await applied(verdict.rests_on);
  s.requests.release(1);
  co_return Evaluated<uint64_t>{std::move(result), lsn};
}

// ---- Insert many ----

io::Task<Evaluated<bool>> EngineCore::prepare(CollectionRef c, Lsn after, std::vector<PreparedInsert*> items, Repeat repeat) {
  if (!co_await enter(c, after)) co_return Evaluated<bool>{false, {}, true};
  for (PreparedInsert* item : items) {
    item->locked = co_await overlay_.lock({c.collection, item->key});
    Result<Current> now = co_await current(slot(c.database, item->shard), c, item->locked);
    if (!now) {
      finish(c, items, nullptr);
      co_return Evaluated<bool>{fail(now), seen()};
    }
    item->rests_on = now->pending;
    if (now->exists)
      item->state = is_repeat(*now, item->document, *find_id(item->document), repeat) ? PreparedInsert::State::kRepeat
                                                                                     : PreparedInsert::State::kDuplicate;
  }
  co_return Evaluated<bool>{true, seen()};
}

void EngineCore::finish(CollectionRef c, const std::vector<PreparedInsert*>& items, const SubmissionRef& entry) {
  // When the entry is applied here already there is nothing pending any more.
  bool pending = entry && entry->lsn > applied_;
  for (PreparedInsert* item : items) {
    if (!item->locked) continue;
    if (pending) item->locked->second.add({entry, true, item->document});
    overlay_.unlock(item->locked);
    item->locked = nullptr;
  }
  leave(c);
}

}  // namespace holdfast::core
