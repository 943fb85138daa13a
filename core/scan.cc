// Scans of one core's shards at a snapshot.
#include <fmt/core.h>

#include <algorithm>

#include "core/document.h"
#include "core/engine_core.h"
#include "core/page_heap.h"
#include "io/base/probe.h"

namespace holdfast::core {

namespace {

/// As many bytes of a document count as one document more, when it comes to yielding.
constexpr size_t kBytesPerDocument = 4096;
/// How much a scan reads ahead at a time.
constexpr uint64_t kScanStepBytes = 256 << 10;

// What a find keeps of the documents that match: with a sort and a limit a heap of the first ones, the last of them on top.
class Kept {
 public:
  Kept(const Find& find, uint64_t memory) : find_(find), wanted_(find.wanted()), memory_(memory) {}

  Result<> add(Buffer body) {
    HF_TRY(key, id_key(*find_id(body)));
    EngineCore::Found found{.key = std::move(key), .body = {}, .sort_key = {}};
    if (sorts()) found.sort_key = find_.sort.key(body);
    if (selects() && all_.size() == wanted_) {
      if (MUTANT("limit-keeps-what-came-first")) return {};
      if (!order()(found, all_.front())) return {};
      std::ranges::pop_heap(all_, order());
      bytes_ -= all_.back().memory();
      all_.pop_back();
    }
    found.body = find_.projection.whole() ? std::move(body) : find_.projection.apply(body);
    bytes_ += found.memory();
    all_.push_back(std::move(found));
    if (selects()) std::ranges::push_heap(all_, order());
    if (bytes_ <= memory_) return {};
    return fail(Code::kTooLarge, "the documents found take too much memory: narrow the query, project fewer fields, set a limit, or read them page by page with "
                                 "the operation stream");
  }
  /// Whether no other document is wanted.
  bool enough() const { return wanted_ != 0 && !sorts() && all_.size() >= wanted_; }
  std::vector<EngineCore::Found> take() { return std::move(all_); }

 private:
  bool sorts() const { return find_.sort.any(); }
  bool selects() const { return sorts() && wanted_ != 0; }
  EngineCore::InOrder order() const { return {find_.sort}; }

  const Find& find_;
  uint64_t wanted_;
  uint64_t memory_;
  uint64_t bytes_ = 0;
  std::vector<EngineCore::Found> all_;
};

}  // namespace

/// Calls `each` with every document that matches, until it returns false or an error.
template <class Each>
io::Task<Result<>> EngineCore::each_match(CollectionRef c, Lsn snapshot, const Query& query, Hidden hidden, Each& each) {
  HF_CO_CHECK_OK(intact(c));
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
        if (hidden) {
          HF_CO_TRY(key, id_key(*find_id(d.body)));
          if (hidden->contains(key)) continue;
        }
        HF_CO_TRY(more, each(d.body));
        if (!more) co_return Result<>();
      }
    }
  }
  co_return Result<>();
}

io::Task<Result<std::vector<EngineCore::Found>>> EngineCore::scan(CollectionRef c, Lsn snapshot, const Find& find, uint64_t memory, Hidden hidden) {
  Kept kept(find, memory);
  auto each = [&kept](Buffer& body) -> Result<bool> {
    HF_CHECK_OK(kept.add(std::move(body)));
    return !kept.enough();
  };
  HF_CO_CHECK_OK(co_await each_match(c, snapshot, find.query, hidden, each));
  co_return kept.take();
}

io::Task<Result<std::vector<EngineCore::Found>>> EngineCore::select(const Find& find, const TransactionCollection::Writes& writes, uint64_t memory) {
  Kept kept(find, memory);
  uint32_t done = 0;
  for (const auto& [key, write] : writes) {
    if (kept.enough()) break;
    if (rest_is_due(done)) co_await io::yield();
    if (write.kind != EffectKind::kPut) continue;
    Query::Match match = find.query.match(write.body);
    if (match == Query::Match::kTooCostly) co_return Query::too_costly();
    if (match == Query::Match::kYes) HF_CO_CHECK_OK(kept.add(write.body));
  }
  co_return kept.take();
}

io::Task<Result<EngineCore::Changes>> EngineCore::scan_changes(CollectionRef c, Lsn snapshot, const Modification& change, uint64_t max_bytes, Hidden hidden) {
  Changes out;
  auto each = [&](Buffer& body) -> Result<bool> {
    ++out.matched;
    HF_TRY(key, id_key(*find_id(body)));
    PreparedWrite write{.collection = c, .shard = shard_of(key, shared_.settings.shard_count), .key = std::move(key), .body = {}};
    if (change.update) {
      auto updated = change.apply(body, shared_.host.clock.wall());
      if (!updated && MUTANT("update-many-leaves-out-what-fails")) return true;
      if (!updated) return fail(updated.error().code, fmt::format("{}, in the document of _id {}; nothing was changed", updated.error().message, shown_key(write.key)));
      if (!updated->changed()) return true;
      write.owned = std::move(updated->document);
    } else {
      write.kind = EffectKind::kDelete;
    }
    out.bytes += write.owned.size() + write.key.size() + kEffectOverhead;
    out.writes.push_back(std::move(write));
    if (out.bytes <= max_bytes) return true;
    return fail(Code::kTooLarge, fmt::format("the documents that match come to more than {} bytes of changes, the most one request may make: narrow the "
                                             "query, and change them in several requests", kMaxEntryEffects));
  };
  HF_CO_CHECK_OK(co_await each_match(c, snapshot, change.of.query, hidden, each));
  co_return out;
}

io::Task<Result<uint64_t>> EngineCore::scan_count(CollectionRef c, Lsn snapshot, const Query& query, Hidden hidden) {
  uint64_t count = 0;
  auto each = [&count](Buffer&) -> Result<bool> {
    ++count;
    return true;
  };
  HF_CO_CHECK_OK(co_await each_match(c, snapshot, query, hidden, each));
  co_return count;
}

io::Task<Result<IndexCensus>> EngineCore::scan_census(CollectionRef c, Lsn snapshot, const IndexSpec& index, const Query& everything, size_t issues) {
  IndexCensus out;
  auto each = [&](Buffer& body) -> Result<bool> {
    IndexFit f = fit(index, body);
    if (f.kind == IndexFit::Kind::kFits) {
      ++out.fitting;
      return true;
    }
    ++out.others;
    if (f.kind == IndexFit::Kind::kMissing) return true;
    out.truncated = out.issues.size() == issues;
    if (!out.truncated) out.issues.push_back({Buffer(*find_id(body)), f.field, std::string(f.actual)});
    return true;
  };
  HF_CO_CHECK_OK(co_await each_match(c, snapshot, everything, nullptr, each));
  co_return out;
}

io::Task<Result<bool>> EngineCore::sort_page(CollectionRef c, Lsn snapshot, const Query& query, PageHeap& heap) {
  auto each = [&heap](Buffer& body) -> Result<bool> {
    HF_CHECK_OK(heap.add(body));
    return true;
  };
  HF_CO_CHECK_OK(co_await each_match(c, snapshot, query, nullptr, each));
  co_return true;
}

}  // namespace holdfast::core
