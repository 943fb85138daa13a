// What requests do within a transaction: reads at its snapshot, its own writes over them; writes, kept until it commits.
#include <fmt/core.h>

#include "core/engine_impl.h"
#include "core/sort_in_turns.h"
#include "io/base/probe.h"

namespace holdfast::core {

using Write = TransactionCollection::Write;

// ---- One document ----

/// What the transaction has to do with a collection, counted.
Result<TransactionCollection*> Transactions::collection(Transaction& t, Name name) {
  constexpr uint64_t kBytes = 512;
  if (!t.knows(name.database, name.collection)) {
    HF_CHECK_OK(check_database_name(name.database));
    HF_CHECK_OK(check_collection_name(name.collection));
    HF_CHECK_OK(room_for(t, kBytes));
    t.bytes += kBytes;
    bytes_ += kBytes;
  }
  return &t.collection(name.database, name.collection);
}

/// The document at the snapshot.
io::Task<Result<std::optional<Buffer>>> Transactions::committed(Transaction& t, const TransactionCollection& c, Bytes key) {
  if (!c.ref) co_return std::optional<Buffer>();
  ShardId shard = shard_of(key, shared_.settings.shard_count);
  Lsn snapshot = t.snapshot;
  if (MUTANT("snapshot-taken-per-shard")) snapshot = t.mutant_snapshots.try_emplace(shard, shared_.committed_lsn()).first->second;
  CoreId at = shared_.core_of(shard);
  co_return co_await io::call_on<Result<std::optional<Buffer>>>(
      shared_.host.cores, at, [&core = *shared_.cores[at.value], ref = *c.ref, snapshot, shard, key] { return core.find_at(ref, snapshot, shard, key); });
}

/// The document as the transaction sees it.
io::Task<Result<std::optional<Buffer>>> Transactions::current(Transaction& t, const TransactionCollection& c, Bytes key) {
  const Write* own = c.written(key);
  if (!own || MUTANT("transaction-does-not-read-its-writes")) co_return co_await committed(t, c, key);
  co_return own->kind == EffectKind::kPut ? std::optional<Buffer>(own->body) : std::nullopt;
}

Result<> Transactions::room_for(const Transaction& t, uint64_t bytes) const {
  if (t.bytes + bytes > kMaxEntryEffects)
    return fail(Code::kTooLarge, fmt::format("the transaction comes to more than {} bytes: commit it in parts", kMaxEntryEffects));
  if (bytes_ + bytes > shared_.options.transactions_bytes)
    return fail(Code::kOverloaded, "the open transactions of this server take all the memory that they may: try again when others have ended");
  return {};
}

/// Nothing as a body: it is deleted. `was_there`: at the snapshot; what was not and is not to be is no write.
Result<> Transactions::put(Transaction& t, TransactionCollection& c, Bytes key, std::optional<Buffer> body, bool was_there) {
  uint64_t more = entry_bytes(key, body ? Bytes(*body) : Bytes());
  auto old = c.writes.find(key);
  uint64_t less = old == c.writes.end() ? 0 : entry_bytes(key, old->second.body);
  if (more > less) HF_CHECK_OK(room_for(t, more - less));
  store(t, c, key, std::move(body), was_there);
  return {};
}

/// put() for which there is room.
void Transactions::store(Transaction& t, TransactionCollection& c, Bytes key, std::optional<Buffer> body, bool was_there) {
  uint64_t more = entry_bytes(key, body ? Bytes(*body) : Bytes());
  auto old = c.writes.find(key);
  uint64_t less = old == c.writes.end() ? 0 : entry_bytes(key, old->second.body);
  t.bytes += more - less;
  bytes_ += more - less;
  if (!body && !was_there && old != c.writes.end()) {
    t.bytes -= more;
    bytes_ -= more;
    c.writes.erase(old);
    return;
  }
  Write write{body ? EffectKind::kPut : EffectKind::kDelete, body ? std::move(*body) : Buffer()};
  if (old == c.writes.end())
    c.writes.emplace(Buffer(key), std::move(write));
  else
    old->second = std::move(write);
}

Result<> Transactions::note_read(Transaction& t, TransactionCollection& c, Bytes key) {
  if (!t.options.validate_reads || c.reads.contains(key)) return {};
  HF_CHECK_OK(room_for(t, entry_bytes(key, {})));
  t.bytes += entry_bytes(key, {});
  bytes_ += entry_bytes(key, {});
  c.reads.emplace(key);
  return {};
}

io::Task<Reply<std::optional<Buffer>>> Transactions::find_by_id_in(Transaction& t, Name name, Bytes id) {
  using Out = std::optional<Buffer>;
  Result<Buffer> key = id_key(id);
  if (!key) co_return refuse<Out>(key);
  Result<TransactionCollection*> c = collection(t, name);
  if (!c) co_return refuse<Out>(c);
  if (Result<> noted = note_read(t, **c, *key); !noted) co_return refuse<Out>(noted);
  co_return Reply<Out>{co_await current(t, **c, *key), t.snapshot};
}

io::Task<Reply<std::vector<Buffer>>> Transactions::insert_in(Transaction& t, Name name, const std::vector<Bytes>& documents) {
  using Out = std::vector<Buffer>;
  std::deque<Buffer> owned;
  Out ids;
  Result<std::vector<PreparedWrite>> items = engine_.check_batch(documents, owned, ids);
  if (!items) co_return refuse<Out>(items);
  Result<TransactionCollection*> found = collection(t, name);
  if (!found) co_return refuse<Out>(found);
  TransactionCollection& c = **found;
  uint64_t bytes = 0;
  uint32_t looked_at = 0;
  for (const PreparedWrite& item : *items) {
    if (shared_.cores[0]->rest_is_due(looked_at)) co_await io::yield();
    Result<std::optional<Buffer>> there = co_await current(t, c, item.key);
    if (!there) co_return refuse<Out>(there);
    if (*there)
      co_return refuse<Out>(Result<>(fail(
          Code::kDuplicateKey, fmt::format("E11000 duplicate key: a document with the _id of document {} is already in the collection; none was inserted", item.index))));
    bytes += entry_bytes(item.key, item.body);
  }
  if (Result<> room = room_for(t, bytes); !room) co_return refuse<Out>(room);
  // Of what was deleted here the deletion was counted; the sum of all was looked at, and is reserved while others run.
  bytes_ += bytes;
  for (const PreparedWrite& item : *items) {
    if (shared_.cores[0]->rest_is_due(looked_at)) co_await io::yield();
    store(t, c, item.key, Buffer(item.body), false);
  }
  bytes_ -= bytes;
  co_return Reply<Out>{std::move(ids), t.snapshot};
}

// ---- Queries ----

/// What `find` asks for, in its order, nothing skipped yet.
io::Task<Result<Transactions::Found>> Transactions::scan(Transaction& t, TransactionCollection& c, const Find& find, FindBounds bounds) {
  const auto* own = c.writes.empty() || MUTANT("transaction-does-not-read-its-writes") ? nullptr : &c.writes;
  Found all;
  if (c.ref) {
    HF_CO_TRY(found, co_await engine_.scan(*c.ref, t.snapshot, find, bounds, MUTANT("scan-shows-what-was-changed") ? nullptr : own));
    all = std::move(found);
  }
  if (own) {
    HF_CO_TRY(found, co_await shared_.cores[0]->select(find, *own, bounds.memory));
    std::ranges::move(found, std::back_inserter(all));
    SOMETIMES(!found.empty(), "transaction-finds-its-writes");
  }
  if (find.sort.any()) co_await sort_in_turns(all, EngineCore::InOrder{find.sort});
  if (find.wanted() != 0 && all.size() > find.wanted()) all.resize(find.wanted());
  co_return all;
}

io::Task<Reply<std::vector<Buffer>>> Transactions::find_in(Transaction& t, Name name, const Find& find, FindBounds bounds) {
  using Out = std::vector<Buffer>;
  Result<TransactionCollection*> of = collection(t, name);
  if (!of) co_return refuse<Out>(of);
  TransactionCollection& c = **of;
  Out documents;
  if (const auto& key = find.query.id_key()) {
    if (Result<> noted = note_read(t, c, *key); !noted) co_return refuse<Out>(noted);
    Result<std::optional<Buffer>> there = co_await current(t, c, *key);
    if (!there) co_return refuse<Out>(there);
    Query::Match match = *there ? find.query.match(**there) : Query::Match::kNo;
    if (match == Query::Match::kTooCostly) co_return Reply<Out>{Query::too_costly(), t.snapshot};
    if (match == Query::Match::kYes && find.skip == 0)
      documents.push_back(find.projection.whole() ? std::move(**there) : find.projection.apply(**there));
    co_return Reply<Out>{std::move(documents), t.snapshot};
  }
  Result<Found> found = co_await scan(t, c, find, bounds);
  if (!found) co_return refuse<Out>(found);
  uint64_t bytes = 0;
  for (size_t i = std::min<size_t>(find.skip, found->size()); i < found->size(); ++i) {
    EngineCore::Found& f = (*found)[i];
    if (Result<> noted = note_read(t, c, f.key); !noted) co_return refuse<Out>(noted);
    bytes += f.body.size();
    documents.push_back(std::move(f.body));
  }
  if (bytes > bounds.answer)
    co_return refuse<Out>(Result<>(fail(Code::kTooLarge, "the documents found pass the size of a reply: narrow the query, or set a limit")));
  co_return Reply<Out>{std::move(documents), t.snapshot};
}

io::Task<Reply<uint64_t>> Transactions::count_in(Transaction& t, Name name, const Query& query) {
  Result<TransactionCollection*> of = collection(t, name);
  if (!of) co_return refuse<uint64_t>(of);
  const TransactionCollection& c = **of;
  const auto* own = c.writes.empty() ? nullptr : &c.writes;
  uint64_t sum = 0;
  for (uint16_t k = 0; k < shared_.cores.size() && c.ref; ++k) {
    auto some = co_await io::call_on<Result<uint64_t>>(
        shared_.host.cores, CoreId(k),
        [&core = *shared_.cores[k], ref = *c.ref, snapshot = t.snapshot, &query, own] { return core.scan_count(ref, snapshot, query, own); });
    if (!some) co_return refuse<uint64_t>(some);
    sum += *some;
  }
  uint32_t looked_at = 0;
  for (const auto& [key, write] : c.writes) {
    if (shared_.cores[0]->rest_is_due(looked_at)) co_await io::yield();
    if (write.kind != EffectKind::kPut) continue;
    Query::Match match = query.match(write.body);
    if (match == Query::Match::kTooCostly) co_return Reply<uint64_t>{Query::too_costly(), t.snapshot};
    sum += match == Query::Match::kYes;
  }
  co_return Reply<uint64_t>{sum, t.snapshot};
}

// ---- Modify ----

io::Task<Reply<Modified>> Transactions::modify_in(Transaction& t, Name name, const Modification& change, Scope scope) {
  Result<TransactionCollection*> of = collection(t, name);
  if (!of) co_return refuse<Modified>(of);
  TransactionCollection& c = **of;
  Result<Modified> done;
  if (const auto& key = change.of.query.id_key()) {
    done = co_await modify_document(t, c, *key, change);
  } else if (scope == Scope::kOne) {
    done = co_await modify_one(t, c, change);
  } else {
    co_await engine_.take_many_turn();
    done = co_await modify_all(t, c, change);
    co_await engine_.end_many_turn();
  }
  if (done && done->matched == 0 && change.upsert) done = co_await upsert(t, c, change);
  if (done && done->document && !change.of.projection.whole()) done->document = change.of.projection.apply(*done->document);
  co_return Reply<Modified>{std::move(done), t.snapshot};
}

io::Task<Result<Modified>> Transactions::modify_one(Transaction& t, TransactionCollection& c, const Modification& change) {
  HF_CO_TRY(found, co_await scan(t, c, change.of, {.answer = kMaxEntryEffects}));
  if (found.empty()) co_return Modified{};
  co_return co_await modify_document(t, c, found.front().key, change);
}

/// The document of that key, if it matches.
io::Task<Result<Modified>> Transactions::modify_document(Transaction& t, TransactionCollection& c, Bytes key, const Modification& change) {
  using Returns = Modification::Returns;
  HF_CO_CHECK_OK(note_read(t, c, key));
  HF_CO_TRY(there, co_await current(t, c, key));
  if (!there) co_return Modified{};
  Query::Match match = change.of.query.match(*there);
  if (match == Query::Match::kTooCostly) co_return Query::too_costly();
  if (match == Query::Match::kNo) co_return Modified{};
  Modified out{.matched = 1};
  if (change.returns == Returns::kBefore) out.document = *there;
  if (!change.update) {
    out.modified = 1;
    HF_CO_TRY(committed_there, co_await committed(t, c, key));
    HF_CO_CHECK_OK(put(t, c, key, std::nullopt, committed_there.has_value()));
    co_return out;
  }
  HF_CO_TRY(updated, change.apply(*there, shared_.host.clock.wall()));
  if (change.returns == Returns::kAfter) out.document = updated.document;
  if (!updated.changed()) co_return out;
  out.modified = 1;
  HF_CO_CHECK_OK(put(t, c, key, std::move(updated.document), true));
  co_return out;
}

io::Task<Result<Modified>> Transactions::modify_all(Transaction& t, TransactionCollection& c, const Modification& change) {
  Modified out;
  struct Changed {
    Buffer key;
    std::optional<Buffer> body;  ///< nothing: it is deleted
    bool was_there = true;       ///< at the snapshot
  };
  std::vector<Changed> changed;
  uint64_t bytes = 0;
  auto add = [&](Buffer key, std::optional<Buffer> body, bool was_there = true) {
    bytes += entry_bytes(key, body ? Bytes(*body) : Bytes());
    changed.push_back({std::move(key), std::move(body), was_there});
  };
  if (c.ref) {
    HF_CO_TRY(found, co_await engine_.scan_changes(*c.ref, t.snapshot, change, c.writes.empty() ? nullptr : &c.writes));
    out.matched = found.matched;
    for (PreparedWrite& w : found.writes) add(std::move(w.key), change.update ? std::optional(std::move(w.owned)) : std::nullopt);
  }
  uint32_t looked_at = 0;
  for (const auto& [key, write] : c.writes) {
    if (shared_.cores[0]->rest_is_due(looked_at)) co_await io::yield();
    if (write.kind != EffectKind::kPut) continue;
    Query::Match match = change.of.query.match(write.body);
    if (match == Query::Match::kTooCostly) co_return Query::too_costly();
    if (match == Query::Match::kNo) continue;
    ++out.matched;
    if (!change.update) {
      HF_CO_TRY(committed_there, co_await committed(t, c, key));
      add(key, std::nullopt, committed_there.has_value());
      continue;
    }
    HF_CO_TRY(updated, change.apply(write.body, shared_.host.clock.wall()));
    if (updated.changed()) add(key, std::move(updated.document));
  }
  HF_CO_CHECK_OK(room_for(t, bytes));
  out.modified = changed.size();
  bytes_ += bytes;  // reserved while others run
  for (Changed& w : changed) {
    if (shared_.cores[0]->rest_is_due(looked_at)) co_await io::yield();
    store(t, c, w.key, std::move(w.body), w.was_there);
  }
  bytes_ -= bytes;
  co_return out;
}

io::Task<Result<Modified>> Transactions::upsert(Transaction& t, TransactionCollection& c, const Modification& change) {
  HF_CO_TRY(made, upsert_document(change.of.query, *change.update, shared_.host.clock.wall()));
  Buffer owned;
  HF_CO_TRY(checked, engine_.check_insert(made, owned));
  HF_CO_TRY(there, co_await current(t, c, checked.key));
  if (there)
    co_return fail(Code::kDuplicateKey, "E11000 duplicate key: a document with the _id that the query asks for is there, but does not match the rest of it");
  HF_CO_CHECK_OK(put(t, c, checked.key, Buffer(checked.bytes), false));
  Modified out{.upserted = Buffer(checked.id)};
  if (change.returns == Modification::Returns::kAfter) out.document = Buffer(checked.bytes);
  co_return out;
}

}  // namespace holdfast::core
