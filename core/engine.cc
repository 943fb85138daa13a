// Reading documents: from a request to the shard's core and back, and snapshots; and what concerns the whole server.
#include <fmt/core.h>

#include <algorithm>

#include "core/engine_impl.h"
#include "core/gather.h"
#include "core/sort_in_turns.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

/// What the fingerprints of all exports are made from: no query has it.
constexpr uint64_t kOfExport = 67;

}  // namespace

// ---- Reading ----

io::Task<Reply<std::optional<Buffer>>> EngineImpl::find_by_id(Name name, Bytes id) {
  using Out = std::optional<Buffer>;
  if (!name.transaction.empty()) co_return co_await in_transaction<Out>([name, id](Transactions& t) { return t.find_by_id(name, id); });
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

/// What all cores found, in order, nothing skipped yet.
io::Task<Result<std::vector<EngineCore::Found>>> EngineImpl::scan(CollectionRef c, Lsn snapshot, const Find& find, FindBounds bounds, EngineCore::Hidden hidden) {
  bool sorts = find.sort.any();
  uint64_t memory_left = bounds.memory;
  std::vector<EngineCore::Found> all;
  for (uint16_t k = 0; k < shared_.cores.size(); ++k) {
    EngineCore& core = *shared_.cores[k];
    HF_CO_TRY(some, co_await io::call_on<Result<std::vector<EngineCore::Found>>>(
                        host_.cores, CoreId(k), [&core, c, snapshot, &find, memory_left, hidden] { return core.scan(c, snapshot, find, memory_left, hidden); }));
    for (EngineCore::Found& f : some) {
      memory_left -= std::min<uint64_t>(memory_left, f.memory());
      all.push_back(std::move(f));
    }
    if (!sorts && find.wanted() != 0 && all.size() >= find.wanted()) break;
  }
  if (sorts && !MUTANT("sorted-by-each-core-alone")) co_await sort_in_turns(all, EngineCore::InOrder{find.sort});
  if (find.wanted() != 0 && all.size() > find.wanted()) all.resize(find.wanted());
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

io::Task<Reply<std::vector<Buffer>>> EngineImpl::find(Name name, const Find& find, FindBounds bounds) {
  using Out = std::vector<Buffer>;
  if (!name.transaction.empty())
    co_return co_await in_transaction<Out>([name, &find, bounds](Transactions& t) { return t.find(name, find, bounds); });
  if (find.query.id_key()) co_return co_await find_by_key(name, find);
  auto [ref, snapshot] = co_await open_snapshot(name);
  if (!ref) co_return Reply<Out>{Out(), snapshot};
  auto found = co_await scan(*ref, snapshot, find, bounds);
  co_await close_snapshot(snapshot);
  if (!found) co_return Reply<Out>{fail(found), snapshot};
  Out documents;
  uint64_t bytes = 0;
  for (size_t i = std::min<size_t>(find.skip, found->size()); i < found->size(); ++i) {
    bytes += (*found)[i].body.size();
    documents.push_back(std::move((*found)[i].body));
  }
  if (bytes > bounds.answer)
    co_return Reply<Out>{fail(Code::kTooLarge, "the documents found pass the size of a reply: narrow the query, set a limit, or read them page by page with the operation stream"), snapshot};
  co_return Reply<Out>{std::move(documents), snapshot};
}

io::Task<Reply<uint64_t>> EngineImpl::count(Name name, const Query& query) {
  if (!name.transaction.empty()) co_return co_await in_transaction<uint64_t>([name, &query](Transactions& t) { return t.count(name, query); });
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
        host_.cores, CoreId(k), [&core, c = *ref, snapshot, &query] { return core.scan_count(c, snapshot, query, nullptr); });
    sum = some ? Result<uint64_t>(*sum + *some) : some;
  }
  co_await close_snapshot(snapshot);
  co_return Reply<uint64_t>{std::move(sum), snapshot};
}

// ---- Transactions ----

io::Task<Reply<Buffer>> EngineImpl::begin_transaction(TransactionOptions options) {
  return in_transaction<Buffer>([options](Transactions& t) { return t.begin(options); });
}

io::Task<Reply<Lsn>> EngineImpl::commit_transaction(std::string_view id, Numbered request) {
  return once<Lsn>(request, [this, id, request] { return in_transaction<Lsn>([id, request](Transactions& t) { return t.commit(id, request); }); });
}

io::Task<Reply<bool>> EngineImpl::roll_back_transaction(std::string_view id) {
  return in_transaction<bool>([id](Transactions& t) { return t.roll_back(id); });
}

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
  out.open_transactions = transactions_->open();
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
