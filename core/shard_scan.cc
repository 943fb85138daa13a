// Scanning a collection at a snapshot.
#include "core/shard_impl.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

/// Wanted records further apart than this are read one by one: skipping costs a call, reading through costs the bytes.
constexpr uint64_t kGapMax = 32 << 10;

}  // namespace

/// What is scanned is fixed at the start, as a set of ordinals; ordinals never change, places may.
class ShardScan final : public Shard::Scan {
 public:
  ShardScan(ShardImpl& shard, CollectionId collection, Bitmap wanted, Ordinal from)
      : shard_(shard), collection_(collection), wanted_(std::move(wanted)), from_(from) {}

  io::Task<Result<std::vector<Document>>> next(uint64_t max_bytes) override {
    std::vector<Document> out;
    uint64_t bytes = 0;
    while (out.empty() || bytes < max_bytes) {
      if (at_ == count_ && !refill()) break;
      size_t from = out.size();
      if (Ordinal(some_[at_]) < shard_.file_end()) {
        Result<> taken = co_await take_from_file(out, max_bytes - std::min(bytes, max_bytes));
        // What was read before is not lost with the error, which the next call meets again, if it lasts.
        if (!taken && from > 0) break;
        if (!taken) co_return fail(taken);
      } else {
        take_from_tail(out);
      }
      for (; from < out.size(); ++from) bytes += out[from].body.size();
    }
    co_return out;
  }

 private:
  bool refill() {
    if (done_) return false;
    count_ = wanted_.read(from_, some_);
    at_ = 0;
    done_ = count_ < some_.size();
    if (count_ > 0) from_ = Ordinal(some_[count_ - 1] + 1);
    return count_ > 0;
  }

  void take_from_tail(std::vector<Document>& out) {
    Ordinal o(some_[at_++]);
    RecordView r = view_record(shard_.tail_record(o).bytes);
    SOMETIMES(shard_.flushing_, "scan-reads-tail-during-flush");
    out.push_back({r.header.lsn, o, Buffer(r.body)});
  }

  /// One read: the next wanted record, and those after it that lie near and fit.
  io::Task<Result<>> take_from_file(std::vector<Document>& out, uint64_t budget) {
    budget = std::min(budget, shard_.options_.scan_chunk_bytes);
    std::array<ShardImpl::Extent, 256> extents;
    size_t n = 1;
    extents[0] = shard_.extent(Ordinal(some_[at_]));
    for (; at_ + n < count_ && Ordinal(some_[at_ + n]) < shard_.file_end(); ++n) {
      extents[n] = shard_.extent(Ordinal(some_[at_ + n]));
      if (extents[n].begin > extents[n - 1].end + kGapMax || extents[n].end > extents[0].begin + budget) break;
    }
    uint64_t begin = extents[0].begin;
    std::vector<Document> documents;
    HF_CO_TRY(bytes, co_await shard_.read_file(begin, extents[n - 1].end));
    for (size_t i = 0; i < n; ++i) {
      Ordinal o(some_[at_ + i]);
      Bytes here = Bytes(bytes).substr(extents[i].begin - begin, extents[i].end - extents[i].begin);
      HF_CO_TRY(r, shard_.checked_record(o, extents[i].begin, here));
      if (r.header.collection != collection_ || r.header.tombstone)
        co_return std::unexpected(
            shard_.corrupt(o, extents[i].begin, {"it is no document of the collection that was scanned"}, here));
      documents.push_back({r.header.lsn, o, Buffer(r.body)});
    }
    std::move(documents.begin(), documents.end(), std::back_inserter(out));
    at_ += n;
    co_return Result<>();
  }

  ShardImpl& shard_;
  CollectionId collection_;
  Bitmap wanted_;
  Ordinal from_;
  bool done_ = false;
  std::array<uint32_t, 256> some_;
  size_t at_ = 0, count_ = 0;
};

io::Task<Result<std::unique_ptr<Shard::Scan>>> ShardImpl::scan(CollectionId collection, Lsn snapshot, Ordinal from) {
  if (!is_open()) HF_CO_CHECK_OK(co_await open());
  co_return std::make_unique<ShardScan>(*this, collection, live_.at(collection, snapshot, next_ordinal()), from);
}

}  // namespace holdfast::core
