// Changing one document: from a request to the shard's core and back.
#include "core/engine_impl.h"
#include "io/base/probe.h"

namespace holdfast::core {

io::Task<Result<>> EngineImpl::admit_write() {
  if (shared_.damage)
    co_return fail(Code::kReadOnly, "a shard is damaged, and until it is repaired the server takes no writes: restore the file from a backup, or give up "
                                    "what is lost with holdfastd repair --accept-loss; " + shared_.damage->message);
  if (shared_.disk_full.load(std::memory_order_acquire))
    co_return fail(Code::kDiskFull, "the server's disk is full and it takes no writes until there is room: free some and try again");
  if (shared_.stalled.load(std::memory_order_acquire))
    co_return fail(Code::kOverloaded, "the server's disk does not answer, and writes that were sent before wait for it: try again later; reads are served");
  if (uint32_t us = shared_.slow_down_us.load(std::memory_order_relaxed)) {
    SOMETIMES(true, "writer-slowed-by-checkpoint");
    co_await io::sleep_for(microseconds(us));
  }
  co_return Result<>();
}

// ---- Insert ----

Result<CheckedDocument> EngineImpl::check_insert(Bytes document, Buffer& owned) {
  if (!find_id(document)) {
    char random[kGeneratedIdLetters];
    host_.random.entropy(random);
    HF_TRY(with, with_id(document, generated_id(random)));
    owned = std::move(with);
    document = owned;
  }
  return check_document(document);
}

io::Task<Reply<Buffer>> EngineImpl::insert_one(Name name, Bytes document, Repeat repeat) {
  return once<Buffer>(name.request, [this, name, document, repeat] { return insert_document(name, document, repeat); });
}

io::Task<Reply<Buffer>> EngineImpl::insert_document(Name name, Bytes document, Repeat repeat) {
  if (!name.transaction.empty()) {
    Reply<std::vector<Buffer>> done = co_await insert_documents(name, std::vector<Bytes>(1, document), repeat);
    if (!done.result) co_return Reply<Buffer>{fail(done.result), done.lsn};
    co_return Reply<Buffer>{std::move(done.result->front()), done.lsn};
  }
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<Buffer>(admitted);
  Buffer owned;
  Result<CheckedDocument> checked = check_insert(document, owned);
  if (!checked) co_return refuse<Buffer>(checked);
  ShardId shard = shard_of(checked->key, shared_.settings.shard_count);
  Noted also;
  if (name.request.any()) also = note(name.request, encode_outcome(Buffer(checked->id)));
  for (;;) {
    Result<CollectionRef> ref = co_await resolve(name);
    if (!ref) co_return refuse<Buffer>(ref);
    auto done = co_await at_shard<bool>(
        shard, [c = *ref, after = committed_lsn(), shard, key = Bytes(checked->key), body = checked->bytes, repeat, effect = also.get()](EngineCore& core) {
          return core.insert(c, after, shard, key, body, repeat, effect);
        });
    SOMETIMES(done.stale, "collection-went-away-before-write");
    if (done.stale) continue;
    if (!done.result) co_return Reply<Buffer>{fail(done.result), done.lsn};
    if (MUTANT("disk-full-refuses-what-was-done") && shared_.disk_full.load()) co_return refuse<Buffer>(Result<>(co_await admit_write()));
    co_return Reply<Buffer>{Buffer(checked->id), done.lsn};
  }
}

// ---- Modify ----

/// By its id, when the query names one.
io::Task<Reply<Modified>> EngineImpl::modify_by_key(Name name, const Modification& change) {
  Bytes key = *change.of.query.id_key();
  ShardId shard = shard_of(key, shared_.settings.shard_count);
  for (;;) {
    OptionalRef ref;
    if (change.upsert) {
      Result<CollectionRef> made = co_await resolve(name);
      if (!made) co_return refuse<Modified>(made);
      ref = *made;
    } else {
      Named named = co_await lookup(name, committed_lsn());
      if (!named.ref) co_return Reply<Modified>{Modified{}, named.lsn};
      ref = named.ref;
    }
    EngineCore::Target target{.c = *ref, .after = committed_lsn(), .shard = shard, .key = key, .request = name.request};
    auto done = co_await at_shard<Modified>(shard, [&target, &change](EngineCore& core) { return core.modify(target, change); });
    if (!done.stale) co_return Reply<Modified>{std::move(done.result), done.lsn};
  }
}

/// What a scan finds. Nothing: others won the race for it.
io::Task<std::optional<Reply<Modified>>> EngineImpl::try_first(Name name, const Modification& change) {
  auto [ref, snapshot] = co_await open_snapshot(name);
  if (!ref) co_return Reply<Modified>{Modified{}, snapshot};
  auto found = co_await scan(*ref, snapshot, change.of, {.answer = kMaxEntryEffects});
  co_await close_snapshot(snapshot);
  if (!found) co_return Reply<Modified>{fail(found), snapshot};
  if (found->empty()) co_return Reply<Modified>{Modified{}, snapshot};
  ShardId shard = shard_of(found->front().key, shared_.settings.shard_count);
  EngineCore::Target target{.c = *ref, .after = committed_lsn(), .shard = shard, .key = found->front().key, .request = name.request};
  // The first in an order is the first only as long as it is what it was.
  if (change.of.sort.any() && !MUTANT("first-may-have-changed")) target.unchanged_since = snapshot;
  auto done = co_await at_shard<Modified>(shard, [&target, &change](EngineCore& core) { return core.modify(target, change); });
  if (done.stale || (done.result && done.result->matched == 0)) co_return std::nullopt;
  co_return Reply<Modified>{std::move(done.result), done.lsn};
}

/// Who has lost a race takes turns with others of the same query that have. Else, of many who take the first of a queue, some would lose again and again.
io::Task<Reply<Modified>> EngineImpl::modify_first(Name name, const Modification& change) {
  HF_ASSERT(change.of.wanted() == 1, "one document is to be modified");
  std::optional<Turn> turn;
  std::optional<Reply<Modified>> done = co_await try_first(name, change);
  SOMETIMES(!done, "filtered-change-lost-the-race");
  if (!done && !change.upsert)  // an upsert has its turn already
    if (Named named = co_await lookup(name, committed_lsn()); named.ref) turn = co_await take_turn(*named.ref, change.of.query);
  for (int attempt = 1; !done && attempt < kAttempts; ++attempt) done = co_await try_first(name, change);
  if (turn) co_await end_turn(*turn);
  if (!done) co_return Reply<Modified>{fail(Code::kConflict, "other writers changed every candidate meanwhile: try again"), Lsn()};
  co_return std::move(*done);
}

io::Task<Reply<Modified>> EngineImpl::modify_one(Name name, const Modification& change) {
  return once<Modified>(name.request, [this, name, &change] { return modify_document(name, change); });
}

io::Task<Reply<Modified>> EngineImpl::modify_document(Name name, const Modification& change) {
  if (!name.transaction.empty()) co_return co_await in_transaction<Modified>([name, &change](Transactions& t) { return t.modify(name, change, Transactions::Scope::kOne); });
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<Modified>(admitted);
  Reply<Modified> done = change.of.query.id_key() ? co_await modify_by_key(name, change)
                         : change.upsert          ? co_await upsert_in_turn(name, change, &EngineImpl::modify_first)
                                                  : co_await modify_first(name, change);
  if (done.result && done.result->document && !change.of.projection.whole())
    done.result->document = change.of.projection.apply(*done.result->document);
  co_return done;
}

// ---- Turns and upserts ----

io::Task<EngineImpl::Turn> EngineImpl::take_turn(CollectionRef c, const Query& query) {
  Buffer key = turn_key(query);
  CoreId at = shared_.core_of(shard_of(key, shared_.settings.shard_count));
  EngineCore& core = *shared_.cores[at.value];
  co_return Turn{at, co_await io::call_on<Overlay::Locked>(host_.cores, at, [&core, c, k = Bytes(key)] { return core.take_turn(c, k); })};
}

io::Task<void> EngineImpl::end_turn(Turn turn) {
  EngineCore& core = *shared_.cores[turn.at.value];
  co_await io::call_on<bool>(host_.cores, turn.at, [&core, turn] { return end_turn_on(core, turn.lock); });
}

/// When nothing matches. The turn is kept until what was inserted can be found.
io::Task<Reply<Modified>> EngineImpl::upsert_in_turn(Name name, const Modification& change, ModifyThere modify) {
  for (;;) {
    Result<CollectionRef> ref = co_await resolve(name);
    if (!ref) co_return refuse<Modified>(ref);
    Turn turn = co_await take_turn(*ref, change.of.query);
    if (MUTANT("upserts-take-no-turns")) co_await end_turn(turn);
    Reply<Modified> done = co_await (this->*modify)(name, change);
    bool stale = false;
    if (done.result && done.result->matched == 0) {
      Evaluated<Modified> inserted = co_await insert_upserted(name.request, *ref, change);
      stale = inserted.stale;
      done = {std::move(inserted.result), std::max(done.lsn, inserted.lsn)};
    }
    if (!MUTANT("upserts-take-no-turns")) co_await end_turn(turn);
    if (!stale) co_return done;
  }
}

io::Task<bool> EngineImpl::end_turn_on(EngineCore& core, Overlay::Locked turn) {
  core.end_turn(turn);
  co_return true;
}

io::Task<Evaluated<Modified>> EngineImpl::insert_upserted(Numbered request, CollectionRef c, const Modification& change) {
  Result<Buffer> made = upsert_document(change.of.query, *change.update, host_.clock.wall());
  if (!made) co_return Evaluated<Modified>{fail(made), Lsn()};
  Buffer owned;
  Result<CheckedDocument> checked = check_insert(*made, owned);
  if (!checked) co_return Evaluated<Modified>{fail(checked), Lsn()};
  ShardId shard = shard_of(checked->key, shared_.settings.shard_count);
  Modified out{.upserted = Buffer(checked->id)};
  if (change.returns == Modification::Returns::kAfter) out.document = Buffer(checked->bytes);
  Noted also;
  if (request.any()) also = note(request, encode_outcome(out));
  auto done = co_await at_shard<bool>(shard, [c, after = committed_lsn(), shard, key = Bytes(checked->key), body = checked->bytes, effect = also.get()](EngineCore& core) {
    return core.insert(c, after, shard, key, body, Repeat::kNever, effect);
  });
  if (!done.result) co_return Evaluated<Modified>{fail(done.result), done.lsn};
  co_return Evaluated<Modified>{std::move(out), done.lsn, done.stale};
}

}  // namespace holdfast::core
