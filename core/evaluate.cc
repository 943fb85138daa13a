// Evaluation of requests on one core: what is there now, what the request makes of it, and the effect to post.
#include "core/document.h"
#include "core/engine_core.h"
#include "core/outcome.h"
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
  if (repeat == Repeat::kNever || body_of(found.owned, found.body) != document) return false;
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

SubmissionRef EngineCore::post(Overlay::Locked document, const Effect& effect, const Effect* also) {
  auto entry = std::make_shared<Submission>(core_);
  entry->add(effect);
  size_t body = entry->effects.size() - effect.body.size();
  bool apart = MUTANT("outcome-in-a-second-entry");
  if (also && !apart) entry->add(*also);
  document->second.add({entry, effect.kind == EffectKind::kPut, Bytes(entry->effects).substr(body, effect.body.size())});
  append(entry);
  if (also && apart) {
    auto second = std::make_shared<Submission>(core_);
    second->add(*also);
    append(std::move(second));
  }
  return entry;
}

/// With the outcome of the request, if it has a number.
SubmissionRef EngineCore::post(Overlay::Locked document, const Effect& effect, const Target& target, const Modified& outcome) {
  if (!target.request.any()) return post(document, effect);
  Buffer body;
  Effect also = outcome_effect(target.request, encode_outcome(outcome), shared_.host.clock.wall(), shared_.settings.shard_count, body);
  return post(document, effect, &also);
}

void EngineCore::append(SubmissionRef entry) {
  if (core_ == CoreId(0))
    shared_.journal->append(std::move(entry));
  else
    shared_.host.cores.send(core_, CoreId(0), [&shared = shared_, entry = std::move(entry)]() mutable { shared.journal->append(std::move(entry)); });
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
                                                 Repeat repeat, const Effect* also, Verdict& verdict) {
  HF_CO_TRY(now, co_await current(slot, c, document));
  if (now.exists) {
    verdict.rests_on = now.pending;
    if (is_repeat(now, body, *find_id(body), repeat)) co_return true;
    co_return fail(Code::kDuplicateKey, "E11000 duplicate key: a document with this _id is already in the collection");
  }
  verdict.rests_on = post(document, {EffectKind::kPut, c.database, shard, c.collection, document->first.key, body}, also);
  co_return true;
}

io::Task<Evaluated<bool>> EngineCore::insert(CollectionRef c, Lsn after, ShardId shard, Bytes key, Bytes document, Repeat repeat, const Effect* also) {
  if (!co_await enter(c, after)) co_return Evaluated<bool>{false, {}, true};
  Slot& s = slot(c.database, shard);
  co_await s.requests.acquire(1);
  Overlay::Locked locked = co_await overlay_.lock({c.collection, key});
  Verdict verdict;
  Result<bool> result = co_await insert_locked(s, c, shard, locked, document, repeat, also, verdict);
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

io::Task<Result<std::optional<Buffer>>> EngineCore::find_at(CollectionRef c, Lsn snapshot, ShardId shard, Bytes key) {
  if (applied_ < snapshot) co_await applied_through(snapshot);
  Slot& s = slot(c.database, shard);
  HF_CO_CHECK_OK(intact(s, c.collection, key));
  HF_CO_TRY(found, co_await s.shard->find_at(c.collection, key, snapshot));
  if (!found) co_return std::optional<Buffer>();
  co_return std::optional<Buffer>(std::move(found->body));
}

// ---- Modify one ----

namespace {

std::unexpected<Error> taken_id() {
  return fail(Code::kDuplicateKey, "E11000 duplicate key: a document with the _id that the query asks for is there, but does not match the rest of it");
}

}  // namespace

/// Of a document that is not there: the upsert's.
Result<Modified> EngineCore::upsert_locked(const Target& target, Overlay::Locked document, const Modification& change, Verdict& verdict) {
  HF_TRY(made, upsert_document(change.of.query, *change.update, shared_.host.clock.wall()));
  HF_TRY(checked, check_document(made));
  HF_ASSERT(checked.key == document->first.key, "the query asks for one _id, which an update never changes");
  Modified out{.upserted = Buffer(checked.id)};
  if (change.returns == Modification::Returns::kAfter) out.document = made;
  verdict.rests_on = post(document, {EffectKind::kPut, target.c.database, target.shard, target.c.collection, document->first.key, made}, target, out);
  return out;
}

io::Task<Result<Modified>> EngineCore::modify_locked(Slot& slot, const Target& target, Overlay::Locked document, const Modification& change,
                                                     Verdict& verdict) {
  using Returns = Modification::Returns;
  HF_CO_TRY(now, co_await current(slot, target.c, document));
  verdict.rests_on = now.pending;
  if (target.unchanged_since && (now.pending || now.lsn > *target.unchanged_since)) co_return Modified{};
  bool by_id = change.of.query.id_key().has_value();
  if (!now.exists) co_return change.upsert && by_id ? upsert_locked(target, document, change, verdict) : Modified{};
  Bytes body = body_of(now.owned, now.body);
  Query::Match match = change.of.query.match(body);
  if (match == Query::Match::kTooCostly) co_return Query::too_costly();
  if (match == Query::Match::kNo) {
    if (change.upsert && by_id) co_return taken_id();
    co_return Modified{};
  }
  Modified out{.matched = 1};
  if (change.returns == Returns::kBefore) out.document = Buffer(body);
  Effect effect{EffectKind::kDelete, target.c.database, target.shard, target.c.collection, document->first.key, {}};
  if (!change.update) {
    out.modified = 1;
    verdict.rests_on = post(document, effect, target, out);
    co_return out;
  }
  HF_CO_TRY(updated, change.apply(body, shared_.host.clock.wall()));
  if (change.returns == Returns::kAfter) out.document = updated.document;
  if (updated.changed()) {
    effect.kind = EffectKind::kPut;
    effect.body = updated.document;
    out.modified = 1;
    verdict.rests_on = post(document, effect, target, out);
  }
  co_return out;
}

io::Task<Evaluated<Modified>> EngineCore::modify(Target target, const Modification& change) {
  CollectionRef c = target.c;
  if (!co_await enter(c, target.after)) co_return Evaluated<Modified>{Modified{}, {}, true};
  Slot& s = slot(c.database, target.shard);
  co_await s.requests.acquire(1);
  Overlay::Locked locked = co_await overlay_.lock({c.collection, target.key});
  Verdict verdict;
  Result<Modified> result = co_await modify_locked(s, target, locked, change, verdict);
  overlay_.unlock(locked);
  leave(c);
  Lsn lsn;
  if (!MUTANT("reply-not-held") || (result && result->modified)) lsn = co_await applied(verdict.rests_on);
  s.requests.release(1);
  co_return Evaluated<Modified>{std::move(result), lsn};
}

// ---- Numbered requests ----

io::Task<Evaluated<std::optional<SessionOutcome>>> EngineCore::begin_numbered(Numbered request, Lsn after) {
  if (applied_ < after) co_await applied_through(after);
  auto begun = co_await sessions_.begin(request);
  co_return Evaluated<std::optional<SessionOutcome>>{std::move(begun), seen()};
}

io::Task<bool> EngineCore::end_numbered(Numbered request, Lsn lsn) {
  // Who comes next must find what this one has left.
  co_await applied_through(lsn);
  sessions_.end(request);
  co_return true;
}

io::Task<Evaluated<std::optional<SessionOutcome>>> EngineCore::ask_numbered(Numbered request, Lsn after) {
  if (applied_ < after) co_await applied_through(after);
  auto asked = co_await sessions_.ask(request);
  co_return Evaluated<std::optional<SessionOutcome>>{std::move(asked), seen()};
}

}  // namespace holdfast::core
