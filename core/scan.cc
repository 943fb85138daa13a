// Scans of one core's shards at a snapshot.
#include "core/document.h"
#include "core/engine_core.h"
#include "io/base/probe.h"

namespace holdfast::core {

namespace {

/// As many bytes of a document count as one document more, when it comes to yielding.
constexpr size_t kBytesPerDocument = 4096;
/// How much a scan reads ahead at a time.
constexpr uint64_t kScanStepBytes = 256 << 10;

}  // namespace

io::Task<Result<std::vector<EngineCore::Found>>> EngineCore::scan(CollectionRef c, Lsn snapshot, const Query& query, ScanLimits limits) {
  HF_CO_CHECK_OK(intact(c));
  std::vector<Found> found;
  uint64_t bytes = 0;
  uint32_t since_yield = 0;
  for (Slot* s : slots_of(c.database)) {
    HF_CO_TRY(scan, co_await s->shard->scan(c.collection, snapshot));
    for (;;) {
      HF_CO_TRY(documents, co_await scan->next(kScanStepBytes));
      if (documents.empty()) break;
      for (Document& d : documents) {
        since_yield += 1 + static_cast<uint32_t>(d.body.size() / kBytesPerDocument);
        if (since_yield >= shared_.options.scan_yield_documents) {
          since_yield = 0;
          co_await io::yield();
        }
        Query::Match match = query.match(d.body);
        if (match == Query::Match::kTooCostly) co_return Query::too_costly();
        if (match == Query::Match::kNo) continue;
        bytes += d.body.size();
        if (bytes > limits.bytes)
          co_return fail(Code::kTooLarge, "the documents found pass the size of a reply: narrow the query, set a limit, or stream them");
        HF_CO_TRY(key, id_key(*find_id(d.body)));
        found.push_back({std::move(key), std::move(d.body)});
        if (limits.documents != 0 && found.size() >= limits.documents) co_return found;
      }
    }
  }
  co_return found;
}

io::Task<Result<uint64_t>> EngineCore::scan_count(CollectionRef c, Lsn snapshot, const Query& query) {
  HF_CO_CHECK_OK(intact(c));
  uint64_t count = 0;
  uint32_t since_yield = 0;
  for (Slot* s : slots_of(c.database)) {
    HF_CO_TRY(scan, co_await s->shard->scan(c.collection, snapshot));
    for (;;) {
      HF_CO_TRY(documents, co_await scan->next(kScanStepBytes));
      if (documents.empty()) break;
      for (const Document& d : documents) {
        since_yield += 1 + static_cast<uint32_t>(d.body.size() / kBytesPerDocument);
        if (since_yield >= shared_.options.scan_yield_documents) {
          since_yield = 0;
          co_await io::yield();
        }
        Query::Match match = query.match(d.body);
        if (match == Query::Match::kTooCostly) co_return Query::too_costly();
        count += match == Query::Match::kYes;
      }
    }
  }
  co_return count;
}

io::Task<Result<EngineCore::ExportPart>> EngineCore::export_part(uint64_t export_id, CollectionRef c, Lsn snapshot, size_t shard_index,
                                                                 uint64_t max_bytes) {
  HF_CO_CHECK_OK(intact(c));
  ExportPart part;
  // By place, not by what is there: shards that get their first record meanwhile must not move the others.
  const auto& slots = slots_[c.database];
  if (shard_index >= slots.size()) {
    part.core_done = part.shard_done = true;
    co_return part;
  }
  if (!slots[shard_index]) {
    part.shard_done = true;
    co_return part;
  }
  Export& e = exports_[export_id];
  if (!e.scan || e.shard_index != shard_index) {
    HF_CO_TRY(scan, co_await slots[shard_index]->shard->scan(c.collection, snapshot));
    e.scan = std::move(scan);
    e.shard_index = shard_index;
  }
  HF_CO_TRY(documents, co_await e.scan->next(max_bytes));
  part.shard_done = documents.empty();
  for (Document& d : documents) part.documents.push_back(std::move(d.body));
  co_return part;
}

}  // namespace holdfast::core
