// Pages of streams on one core: scans that stop when a page is full, and go on with the next.
#include "core/document.h"
#include "core/engine_core.h"
#include "core/page_heap.h"

namespace holdfast::core {
namespace {

/// How much a scan reads ahead at a time.
constexpr uint64_t kScanStepBytes = 256 << 10;
/// As many bytes of a document count as one document more, when it comes to yielding.
constexpr size_t kBytesPerDocument = 4096;
/// The most that is kept of what was read ahead of a page.
constexpr uint64_t kAheadBytes = 2 * kScanStepBytes;

void take_from(uint64_t& left, uint64_t n) { left -= std::min(left, n); }

/// What a page takes of a document: nothing of one that is skipped or does not match.
Result<> look_at(EngineCore::ScanPage& page, Buffer& body) {
  take_from(page.scan_bytes, body.size() + PageHeap::kOverheadBytes);
  Query::Match match = page.find->query.match(body);
  if (match == Query::Match::kTooCostly) return Query::too_costly();
  if (match == Query::Match::kNo) return {};
  if (page.skip > 0) {
    --page.skip;
    return {};
  }
  page.found.push_back(page.find->projection.whole() ? std::move(body) : page.find->projection.apply(body));
  take_from(page.bytes, page.found.back().size() + PageHeap::kOverheadBytes);
  --page.documents;
  return {};
}

}  // namespace

io::Task<Result<EngineCore::OpenScan>> EngineCore::open_scan(const ScanPage& page, Slot& slot) {
  for (auto at = open_scans_.begin(); at != open_scans_.end(); ++at) {
    if (at->cursor != page.cursor || at->shard_index != page.shard_index || at->next != page.from) continue;
    OpenScan found = std::move(*at);
    open_scans_.erase(at);
    co_return found;
  }
  SOMETIMES(page.from != Ordinal(), "page-scanned-anew-from-its-position");
  HF_CO_TRY(scan, co_await slot.shard->scan(page.collection.collection, page.snapshot, page.from));
  co_return OpenScan{.cursor = page.cursor, .shard_index = page.shard_index, .next = page.from, .scan = std::move(scan)};
}

void EngineCore::keep_scan(OpenScan scan) {
  uint64_t ahead = 0;
  for (const Document& d : scan.ahead) ahead += d.body.size();
  if (ahead > kAheadBytes) return;
  if (open_scans_.size() == kOpenScans) open_scans_.erase(open_scans_.begin());
  open_scans_.push_back(std::move(scan));
}

/// True: through; false: the page is full. `page.from` is behind what the page has looked at.
io::Task<Result<bool>> EngineCore::scan_shard(ScanPage& page, Slot& slot) {
  HF_CO_TRY(open, co_await open_scan(page, slot));
  uint32_t since_yield = 0;
  for (;;) {
    std::vector<Document> documents = std::move(open.ahead);
    open.ahead.clear();
    if (documents.empty()) {
      HF_CO_TRY(read, co_await open.scan->next(kScanStepBytes));
      documents = std::move(read);
    }
    if (documents.empty()) co_return true;
    for (size_t i = 0; i < documents.size(); ++i) {
      since_yield += 1 + static_cast<uint32_t>(documents[i].body.size() / kBytesPerDocument);
      HF_CO_CHECK_OK(look_at(page, documents[i].body));
      page.from = documents[i].ordinal.next();
      if (page.full()) {
        open.next = page.from;
        open.ahead.assign(std::make_move_iterator(documents.begin() + static_cast<ptrdiff_t>(i) + 1), std::make_move_iterator(documents.end()));
        keep_scan(std::move(open));
        co_return false;
      }
      if (since_yield < shared_.options.scan_yield_documents) continue;
      since_yield = 0;
      co_await io::yield();
    }
  }
}

io::Task<Result<bool>> EngineCore::scan_page(ScanPage& page) {
  HF_CO_CHECK_OK(intact(page.collection));
  // By place, not by what is there: shards that get their first record meanwhile must not move the others.
  for (;; ++page.shard_index, page.from = Ordinal()) {
    const auto& slots = slots_[page.collection.database];
    if (page.shard_index >= slots.size()) co_return true;
    Slot* slot = slots[page.shard_index].get();
    if (slot == nullptr) continue;
    HF_CO_TRY(through, co_await scan_shard(page, *slot));
    if (!through) co_return false;
  }
}

void EngineCore::end_cursor(uint64_t cursor, Lsn snapshot) {
  std::erase_if(open_scans_, [cursor](const OpenScan& s) { return s.cursor == cursor; });
  close_snapshot(snapshot);
}

uint64_t EngineCore::history_bytes() {
  uint64_t sum = 0;
  for (const auto& [database, slots] : slots_)
    for (const auto& s : slots) {
      if (!s) continue;
      s->shard->set_horizon(horizon());
      sum += s->shard->history_bytes();
    }
  return sum;
}

}  // namespace holdfast::core
