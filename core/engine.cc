// Documents: from a request to the shard's core and back, snapshots, and entries over several documents.
#include <fmt/core.h>

#include <algorithm>

#include "core/engine_impl.h"
#include "core/gather.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

/// How often a filtered update or delete looks again when others changed what it had found.
constexpr int kAttempts = 100;

/// What the fingerprints of all exports are made from: no query has it.
constexpr uint64_t kOfExport = 67;

bool did_something(const UpdateCounts& counts) { return counts.matched > 0; }
bool did_something(uint64_t count) { return count > 0; }

}  // namespace

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

template <class T, class F>
io::Task<Evaluated<T>> EngineImpl::at_shard(ShardId shard, F evaluate) {
  EngineCore& core = *shared_.cores[shared_.core_of(shard).value];
  co_return co_await io::call_on<Evaluated<T>>(host_.cores, shared_.core_of(shard), [&core, evaluate] { return evaluate(core); });
}

// ---- Reading ----

io::Task<Reply<std::optional<Buffer>>> EngineImpl::find_by_id(Name name, Bytes id) {
  using Out = std::optional<Buffer>;
  Result<Buffer> key = id_key(id);
  if (!key) co_return refuse<Out>(key);
  Lsn after = read_lsn();
  Named named = co_await lookup(name, after);
  if (!named.ref) co_return Reply<Out>{Out(), named.lsn};
  ShardId shard = shard_of(*key, shared_.settings.shard_count);
  auto found = co_await at_shard<Out>(shard, [c = *named.ref, after, shard, k = Bytes(*key)](EngineCore& core) { return core.find(c, after, shard, k); });
  co_return Reply<Out>{std::move(found.result), found.lsn};
}

io::Task<EngineImpl::Named> EngineImpl::open_snapshot(Name name) {
  auto opened = co_await gather<OptionalRef>(shared_, [d = std::string(name.database), c = std::string(name.collection)](EngineCore& core) {
    OptionalRef ref = core.catalog().collection(d, c);
    if (ref) core.open_snapshot(core.applied());
    return ref;
  });
  co_return Named{opened.values[0], opened.lsn};
}

io::Task<void> EngineImpl::close_snapshot(Lsn snapshot) {
  for (uint16_t k = 0; k < shared_.cores.size(); ++k)
    co_await io::call_on<bool>(host_.cores, CoreId(k), [&core = *shared_.cores[k], snapshot] { return close_on(core, snapshot); });
}

io::Task<bool> EngineImpl::close_on(EngineCore& core, Lsn snapshot) {
  core.close_snapshot(snapshot);
  co_return true;
}

/// What all cores found, in order, the skipped ones gone.
io::Task<Result<std::vector<EngineCore::Found>>> EngineImpl::scan(CollectionRef c, Lsn snapshot, const Find& find, uint64_t max_bytes) {
  bool sorts = find.sort.any();
  uint64_t bytes_left = sorts ? kSortBytes : max_bytes;
  std::vector<EngineCore::Found> all;
  for (uint16_t k = 0; k < shared_.cores.size(); ++k) {
    EngineCore& core = *shared_.cores[k];
    HF_CO_TRY(some, co_await io::call_on<Result<std::vector<EngineCore::Found>>>(
                        host_.cores, CoreId(k), [&core, c, snapshot, &find, bytes_left] { return core.scan(c, snapshot, find, bytes_left); }));
    for (EngineCore::Found& f : some) {
      bytes_left -= std::min<uint64_t>(bytes_left, f.body.size() + f.sort_key.size());
      all.push_back(std::move(f));
    }
    if (!sorts && find.wanted() != 0 && all.size() >= find.wanted()) break;
  }
  if (sorts && !MUTANT("sorted-by-each-core-alone"))
    std::ranges::sort(all, EngineCore::InOrder{find.sort});
  if (find.wanted() != 0 && all.size() > find.wanted()) all.resize(find.wanted());
  all.erase(all.begin(), all.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(find.skip, all.size())));
  co_return all;
}

/// Of a query that only the document of one id can match.
io::Task<Reply<std::vector<Buffer>>> EngineImpl::find_by_key(Name name, const Find& find) {
  using Out = std::vector<Buffer>;
  Lsn after = read_lsn();
  Named named = co_await lookup(name, after);
  if (!named.ref) co_return Reply<Out>{Out(), named.lsn};
  Bytes key = *find.query.id_key();
  ShardId shard = shard_of(key, shared_.settings.shard_count);
  auto found = co_await at_shard<std::optional<Buffer>>(
      shard, [c = *named.ref, after, shard, key](EngineCore& core) { return core.find(c, after, shard, key); });
  if (!found.result) co_return Reply<Out>{fail(found.result), found.lsn};
  Query::Match match = *found.result ? find.query.match(**found.result) : Query::Match::kNo;
  if (match == Query::Match::kTooCostly) co_return Reply<Out>{Query::too_costly(), found.lsn};
  Out documents;
  if (match == Query::Match::kYes && find.skip == 0)
    documents.push_back(find.projection.whole() ? std::move(**found.result) : find.projection.apply(**found.result));
  co_return Reply<Out>{std::move(documents), found.lsn};
}

io::Task<Reply<std::vector<Buffer>>> EngineImpl::find(Name name, const Find& find, uint64_t max_bytes) {
  using Out = std::vector<Buffer>;
  if (find.query.id_key()) co_return co_await find_by_key(name, find);
  auto [ref, snapshot] = co_await open_snapshot(name);
  if (!ref) co_return Reply<Out>{Out(), snapshot};
  auto found = co_await scan(*ref, snapshot, find, max_bytes);
  co_await close_snapshot(snapshot);
  if (!found) co_return Reply<Out>{fail(found), snapshot};
  Out documents;
  uint64_t bytes = 0;
  for (EngineCore::Found& f : *found) {
    bytes += f.body.size();
    documents.push_back(std::move(f.body));
  }
  if (bytes > max_bytes)
    co_return Reply<Out>{fail(Code::kTooLarge, "the documents found pass the size of a reply: narrow the query, set a limit, or read them page by page with the operation stream"), snapshot};
  co_return Reply<Out>{std::move(documents), snapshot};
}

io::Task<Reply<uint64_t>> EngineImpl::count(Name name, const Query& query) {
  if (query.matches_all()) {
    auto counts = co_await gather<Result<int64_t>>(
        shared_, [d = std::string(name.database), c = std::string(name.collection)](EngineCore& core) -> Result<int64_t> {
          OptionalRef ref = core.catalog().collection(d, c);
          if (!ref) return 0;
          HF_CHECK_OK(core.intact(*ref));
          return core.count(ref->collection);
        });
    int64_t sum = 0;
    for (const Result<int64_t>& n : counts.values) {
      if (!n) co_return Reply<uint64_t>{fail(n), counts.lsn};
      sum += *n;
    }
    HF_ASSERT(sum >= 0, "all cores were asked at one LSN");
    co_return Reply<uint64_t>{static_cast<uint64_t>(sum), counts.lsn};
  }
  auto [ref, snapshot] = co_await open_snapshot(name);
  if (!ref) co_return Reply<uint64_t>{uint64_t{0}, snapshot};
  Result<uint64_t> sum = uint64_t{0};
  for (uint16_t k = 0; k < shared_.cores.size() && sum; ++k) {
    EngineCore& core = *shared_.cores[k];
    auto some = co_await io::call_on<Result<uint64_t>>(
        host_.cores, CoreId(k), [&core, c = *ref, snapshot, &query] { return core.scan_count(c, snapshot, query); });
    sum = some ? Result<uint64_t>(*sum + *some) : some;
  }
  co_await close_snapshot(snapshot);
  co_return Reply<uint64_t>{std::move(sum), snapshot};
}

// ---- Changing one document ----

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
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<Buffer>(admitted);
  Buffer owned;
  Result<CheckedDocument> checked = check_insert(document, owned);
  if (!checked) co_return refuse<Buffer>(checked);
  ShardId shard = shard_of(checked->key, shared_.settings.shard_count);
  for (;;) {
    Result<CollectionRef> ref = co_await resolve(name);
    if (!ref) co_return refuse<Buffer>(ref);
    auto done = co_await at_shard<bool>(
        shard, [c = *ref, after = committed_lsn(), shard, key = Bytes(checked->key), body = checked->bytes, repeat](EngineCore& core) {
          return core.insert(c, after, shard, key, body, repeat);
        });
    SOMETIMES(done.stale, "collection-went-away-before-write");
    if (done.stale) continue;
    if (!done.result) co_return Reply<Buffer>{fail(done.result), done.lsn};
    if (MUTANT("disk-full-refuses-what-was-done") && shared_.disk_full.load()) co_return refuse<Buffer>(Result<>(co_await admit_write()));
    co_return Reply<Buffer>{Buffer(checked->id), done.lsn};
  }
}

io::Task<Result<std::optional<Buffer>>> EngineImpl::scan_for_key(CollectionRef c, Lsn snapshot, const Query& query) {
  for (uint16_t k = 0; k < shared_.cores.size(); ++k) {
    EngineCore& core = *shared_.cores[k];
    HF_CO_TRY(found, co_await io::call_on<Result<std::optional<Buffer>>>(host_.cores, CoreId(k), [&core, c, snapshot, &query] {
                return core.scan_for_key(c, snapshot, query);
              }));
    if (found) co_return found;
  }
  co_return std::optional<Buffer>();
}

/// Runs `change` on the first document that matches; by its id when the filter names one, else on what a scan finds, again while others win the race.
template <class T, class F>
io::Task<Reply<T>> EngineImpl::change_first(Name name, const Query& filter, F change) {
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<T>(admitted);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    OptionalRef ref;
    Buffer key;
    if (filter.id_key()) {
      Named named = co_await lookup(name, committed_lsn());
      if (!named.ref) co_return Reply<T>{T(), named.lsn};
      ref = named.ref;
      key = *filter.id_key();
    } else {
      auto [there, snapshot] = co_await open_snapshot(name);
      if (!there) co_return Reply<T>{T(), snapshot};
      ref = there;
      auto found = co_await scan_for_key(*ref, snapshot, filter);
      co_await close_snapshot(snapshot);
      if (!found) co_return Reply<T>{fail(found), snapshot};
      if (!*found) co_return Reply<T>{T(), snapshot};
      key = std::move(**found);
    }
    ShardId shard = shard_of(key, shared_.settings.shard_count);
    auto done = co_await at_shard<T>(shard, [&change, c = *ref, after = committed_lsn(), shard, k = Bytes(key)](EngineCore& core) {
      return change(core, c, after, shard, k);
    });
    if (done.stale) continue;
    if (filter.id_key() || !done.result || did_something(*done.result)) co_return Reply<T>{std::move(done.result), done.lsn};
    SOMETIMES(true, "filtered-change-lost-the-race");
  }
  co_return Reply<T>{fail(Code::kConflict, "other writers changed every candidate meanwhile: try again"), Lsn()};
}

io::Task<Reply<UpdateCounts>> EngineImpl::update_one(Name name, const Query& filter, const Update& update) {
  co_return co_await change_first<UpdateCounts>(
      name, filter, [&filter, &update](EngineCore& core, CollectionRef c, Lsn after, ShardId shard, Bytes key) {
        return core.update(c, after, shard, key, filter, update);
      });
}

io::Task<Reply<uint64_t>> EngineImpl::delete_one(Name name, const Query& filter) {
  co_return co_await change_first<uint64_t>(name, filter, [&filter](EngineCore& core, CollectionRef c, Lsn after, ShardId shard, Bytes key) {
    return core.remove(c, after, shard, key, filter);
  });
}

// ---- Inserting many ----

/// The documents checked, with ids, in the order in which they are locked: by core, then key.
Result<std::vector<PreparedInsert>> EngineImpl::check_batch(const std::vector<Bytes>& documents, std::deque<Buffer>& owned,
                                                            std::vector<Buffer>& ids) {
  std::vector<PreparedInsert> items;
  items.reserve(documents.size());
  size_t bytes = 0;
  for (size_t i = 0; i < documents.size(); ++i) {
    Result<CheckedDocument> checked = check_insert(documents[i], owned.emplace_back());
    if (!checked) return fail(checked.error().code, fmt::format("document {}: {}", i, checked.error().message));
    bytes += checked->bytes.size() + checked->key.size() + 64;
    if (bytes > kMaxEntryEffects)
      return fail(Code::kTooLarge, fmt::format("the documents together pass {} bytes, the most one request may insert: split it", kMaxEntryEffects));
    ids.emplace_back(checked->id);
    ShardId shard = shard_of(checked->key, shared_.settings.shard_count);
    items.push_back({shard, std::move(checked->key), checked->bytes, i});
  }
  std::sort(items.begin(), items.end(), [this](const PreparedInsert& a, const PreparedInsert& b) {
    CoreId ca = shared_.core_of(a.shard), cb = shared_.core_of(b.shard);
    return ca != cb ? ca < cb : a.key < b.key;
  });
  for (size_t i = 1; i < items.size(); ++i)
    if (items[i].key == items[i - 1].key)
      return fail(Code::kDuplicateKey, fmt::format("E11000 duplicate key: documents {} and {} of the request have the same _id",
                                                   std::min(items[i - 1].index, items[i].index), std::max(items[i - 1].index, items[i].index)));
  return items;
}

io::Task<Reply<std::vector<Buffer>>> EngineImpl::insert_many(Name name, std::vector<Bytes> documents, Repeat repeat) {
  using Out = std::vector<Buffer>;
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<Out>(admitted);
  std::deque<Buffer> owned;
  std::vector<Buffer> ids;
  Result<std::vector<PreparedInsert>> items = check_batch(documents, owned, ids);
  if (!items) co_return refuse<Out>(items);
  for (;;) {
    Result<CollectionRef> ref = co_await resolve(name);
    if (!ref) co_return refuse<Out>(ref);
    if (items->empty()) co_return Reply<Out>{Out(), committed_lsn()};
    Evaluated<bool> done = co_await insert_all(*ref, *items, repeat);
    if (done.stale) continue;
    if (!done.result) co_return Reply<Out>{fail(done.result), done.lsn};
    co_return Reply<Out>{std::move(ids), done.lsn};
  }
}

io::Task<void> EngineImpl::finish_all(CollectionRef c, const CoreItems& by_core, SubmissionRef entry) {
  for (const auto& [k, items] : by_core)
    co_await io::call_on<bool>(host_.cores, k, [&core = *shared_.cores[k.value], c, &items, &entry] { return finish_on(core, c, items, entry); });
}

io::Task<bool> EngineImpl::finish_on(EngineCore& core, CollectionRef c, const std::vector<PreparedInsert*>& items, const SubmissionRef& entry) {
  core.finish(c, items, entry);
  co_return true;
}

io::Task<Evaluated<bool>> EngineImpl::insert_all(CollectionRef c, std::vector<PreparedInsert>& items, Repeat repeat) {
  CoreItems by_core;
  for (PreparedInsert& item : items) {
    item.state = PreparedInsert::State::kAbsent;
    item.rests_on = nullptr;
    by_core[shared_.core_of(item.shard)].push_back(&item);
  }
  CoreItems locked;
  Lsn after = committed_lsn();
  Lsn looked;  // the highest LSN at which a core looked at the documents
  for (auto& [k, mine] : by_core) {
    EngineCore& core = *shared_.cores[k.value];
    auto prepared = co_await io::call_on<Evaluated<bool>>(host_.cores, k, [&core, c, after, &mine, repeat] { return core.prepare(c, after, mine, repeat); });
    if (prepared.stale || !prepared.result) {
      co_await finish_all(c, locked, nullptr);
      co_return prepared;
    }
    locked[k] = mine;
    looked = std::max(looked, prepared.lsn);
  }

  size_t repeats = 0;
  const PreparedInsert* duplicate = nullptr;
  for (const PreparedInsert& item : items) {
    repeats += item.state == PreparedInsert::State::kRepeat;
    if (item.state == PreparedInsert::State::kDuplicate && (!duplicate || item.index < duplicate->index)) duplicate = &item;
  }
  if (!duplicate && repeats == 0) {
    auto entry = std::make_shared<Submission>((co_await io::this_executor()).core());
    co_await post_all(c, items, entry);
    co_await finish_all(c, locked, entry);
    co_await entry->applied.wait();
    co_return Evaluated<bool>{true, entry->lsn};
  }

  // Nothing is inserted; what the answer says must be committed before it is said.
  if (!MUTANT("locks-kept-after-duplicate")) co_await finish_all(c, locked, nullptr);
  Lsn lsn = looked;
  for (const PreparedInsert& item : items)
    if (item.rests_on)
      lsn = std::max(lsn, co_await io::call_on<Lsn>(host_.cores, shared_.core_of(item.shard),
                                                    [&core = *shared_.cores[shared_.core_of(item.shard).value], e = item.rests_on] {
                                                      return core.applied(e);
                                                    }));
  if (!duplicate && repeats == items.size()) co_return Evaluated<bool>{true, lsn};
  for (const PreparedInsert& item : items)
    if (item.state == PreparedInsert::State::kRepeat && (!duplicate || item.index < duplicate->index)) duplicate = &item;
  co_return Evaluated<bool>{
      fail(Code::kDuplicateKey, fmt::format("E11000 duplicate key: a document with the _id of document {} is already in the collection; none was inserted",
                                            duplicate->index)),
      lsn};
}

/// Fills and posts the entry; returns when its LSN is known. The items' documents then lie in the entry.
io::Task<Lsn> EngineImpl::post_all(CollectionRef c, std::vector<PreparedInsert>& items, SubmissionRef entry) {
  for (const PreparedInsert& item : items) entry->add({EffectKind::kPut, c.database, item.shard, c.collection, item.key, item.document});
  EffectReader effects(entry->effects);
  for (PreparedInsert& item : items) item.document = effects.next()->body;
  co_return co_await io::call_on<Lsn>(host_.cores, CoreId(0), [this, entry] { return append_on_core_0(entry); });
}

io::Task<Lsn> EngineImpl::append_on_core_0(SubmissionRef entry) { co_return shared_.journal->append(std::move(entry)); }

// ---- Whole server ----

io::Task<Reply<EngineStats>> EngineImpl::stats() {
  struct Look {
    std::vector<ManifestCollection> collections;
    std::vector<std::string> databases;
    std::vector<int64_t> counts;
    uint64_t tail_bytes = 0;
    size_t damaged = 0;
  };
  auto looks = co_await gather<Look>(shared_, [](EngineCore& core) {
    Look look;
    look.collections = core.catalog().collections();
    for (const ManifestCollection& c : look.collections) {
      look.databases.push_back(core.catalog().database_name(c.database));
      look.counts.push_back(core.count(c.id));
    }
    look.tail_bytes = core.tail_bytes();
    look.damaged = core.quarantine().size();
    return look;
  });
  EngineStats out = co_await io::call_on<EngineStats>(host_.cores, CoreId(0), [this] { return stats_on_core_0(); });
  out.committed = looks.lsn;
  const Look& first = looks.values[0];
  for (size_t i = 0; i < first.collections.size(); ++i) {
    int64_t documents = 0;
    for (const Look& look : looks.values) documents += look.counts[i];
    out.collections.push_back({first.databases[i], first.collections[i].name, static_cast<uint64_t>(documents)});
  }
  for (const Look& look : looks.values) {
    out.tail_bytes += look.tail_bytes;
    out.damaged_documents += look.damaged;
  }
  std::sort(out.collections.begin(), out.collections.end(), [](const CollectionStats& a, const CollectionStats& b) {
    return std::tie(a.database, a.name) < std::tie(b.database, b.name);
  });
  co_return Reply<EngineStats>{std::move(out), looks.lsn};
}

io::Task<EngineStats> EngineImpl::stats_on_core_0() {
  EngineStats out;
  out.durable = durable_lsn();
  out.checkpoint = checkpointer_->newest_lsn();
  out.checkpoints = checkpointer_->taken();
  out.journal_bytes = checkpointer_->journal_bytes();
  out.shard_count = shared_.settings.shard_count;
  out.mode = shared_.settings.mode;
  out.damaged_shards = shared_.damage.has_value();
  out.stalled = shared_.stalled.load();
  out.read_only = shared_.disk_full.load() || out.damaged_shards;
  out.server_id = shared_.settings.server_id;
  co_return out;
}

io::Task<Reply<bool>> EngineImpl::flush() {
  Lsn all = committed_lsn();
  Result<> done = co_await io::call_on<Result<>>(host_.cores, CoreId(0), [this] { return shared_.journal->flush(); });
  if (!done) co_return refuse<bool>(done);
  co_return Reply<bool>{true, all};
}

// ---- Streams ----

io::Task<Reply<DocumentPage>> EngineImpl::stream_page(Name name, const Find& find, StreamPosition from) {
  if (from.cursor.empty() && find.query.id_key()) {
    auto found = co_await find_by_key(name, find);
    if (!found.result) co_return Reply<DocumentPage>{fail(found.result), found.lsn};
    co_return Reply<DocumentPage>{DocumentPage{std::move(*found.result), {}, found.lsn}, found.lsn};
  }
  Cursors::Ask ask{.database = std::string(name.database),
                   .collection = std::string(name.collection),
                   .find = &find,
                   .fingerprint = from.fingerprint,
                   .documents = from.documents,
                   .bytes = from.bytes,
                   .cursor = Buffer(from.cursor)};
  auto page = co_await io::call_on<Result<DocumentPage>>(host_.cores, CoreId(0), [this, ask = std::move(ask)]() mutable {
    return cursors_->page(std::move(ask));
  });
  Lsn lsn = page ? page->snapshot : Lsn();
  co_return Reply<DocumentPage>{std::move(page), lsn};
}

io::Task<Reply<DocumentPage>> EngineImpl::export_page(Name name, Bytes cursor, uint64_t max_bytes) {
  co_return co_await stream_page(name, everything_, {.fingerprint = kOfExport, .documents = 0, .bytes = max_bytes, .cursor = cursor});
}

}  // namespace holdfast::core
