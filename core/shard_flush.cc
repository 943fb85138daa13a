// Flushing the tail to the .db file, and keeping the index's runs and files up to date.
#include <fmt/format.h>

#include "core/durable.h"
#include "core/shard_impl.h"
#include "io/base/assert.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

constexpr size_t kWriteBytes = 1 << 20;
/// Entries merged or encoded between two yields: about 100 µs.
constexpr size_t kIndexStep = 16384;
/// Index files kept: the newest may be lost in a power cut, none is synced.
constexpr size_t kIndexFilesKept = 2;

}  // namespace

// ---- The .db file ----

/// Where the records through `cut` go, and what the MANIFEST is to say then.
Result<ShardImpl::Pending> ShardImpl::plan_flush(Lsn cut) const {
  Pending plan{checkpoint_, {}};
  ShardCheckpoint& c = plan.checkpoint;
  uint64_t at = c.db_length == 0 ? kBlockBytes : c.db_length;
  if (!MUTANT("flush-shares-block")) HF_ASSERT(at % kBlockBytes == 0, "every flush ends at the end of a block");
  for (const TailRecord& r : tail_) {
    if (r.lsn > cut && !MUTANT("flush-beyond-cut")) break;
    if (at + r.bytes.size() > kMaxShardFileBytes)
      return fail(Code::kUnsupported,
                  db_path() + " would pass 32 GiB: export the data and import it into a directory with more shards");
    plan.offsets.push_back(static_cast<uint32_t>(at / kRecordUnit));
    c.digest = chain_record(c.digest, at, view_record(r.bytes).header);
    ++c.next_ordinal;
    at += r.bytes.size();
  }
  if (!plan.offsets.empty()) c.db_length = MUTANT("flush-shares-block") ? at : round_up(at, kBlockBytes);
  if (c.db_length > 0) c.lsn = std::max(c.lsn, cut);
  return plan;
}

io::Task<Result<Shard::Flushed>> ShardImpl::flush(Lsn cut) {
  HF_ASSERT(!flushing_, "one flush at a time");
  if (!is_open()) HF_CO_CHECK_OK(co_await open());
  flushing_ = true;
  Result<Flushed> done = co_await flush_tail(cut);
  flushing_ = false;
  co_return done;
}

io::Task<Result<Shard::Flushed>> ShardImpl::flush_tail(Lsn cut) {
  pending_.reset();
  flushed_cut_ = std::max(flushed_cut_, cut);
  HF_CO_TRY(plan, plan_flush(cut));
  bool created = checkpoint_.db_length == 0 && !plan.offsets.empty();
  if (!plan.offsets.empty()) {
    HF_CO_CHECK_OK(co_await write_tail(plan));
    if (!MUTANT("checkpoint-skips-data-sync")) HF_CO_CHECK_OK(co_await sync_file(*file_, db_path()));
  }
  pending_ = std::move(plan);
  co_return Flushed{pending_->checkpoint, created};
}

io::Task<Result<>> ShardImpl::write_tail(const Pending& plan) {
  if (!file_) {
    Result<std::unique_ptr<io::File>> file = co_await host_.disk.open(db_path(), io::Open::kCreate);
    if (!file && file.error().code == Code::kExists) {
      // A crash before its MANIFEST left one: nothing in it counts. Not even its name: if syncing the directory failed,
      // a later sync of it may succeed without doing anything. A new name is synced for sure.
      SOMETIMES(true, "shard-file-of-a-lost-checkpoint");
      HF_CO_CHECK_OK(co_await host_.disk.remove(db_path()));
      file = co_await host_.disk.open(db_path(), io::Open::kCreate);
    }
    if (!file) co_return fail(std::move(file));
    file_ = std::move(*file);
  }
  Buffer out;
  uint64_t at = checkpoint_.db_length;
  if (at == 0) out = encode_shard_file_header(identity_);
  for (size_t i = 0; i < plan.offsets.size(); ++i) {
    // References into a deque survive what is appended to it; only flushed() takes from its front.
    out += tail_[i].bytes;
    if (i + 1 == plan.offsets.size()) out.resize(plan.checkpoint.db_length - at, '\0');
    if (out.size() < kWriteBytes && i + 1 < plan.offsets.size()) continue;
    HF_CO_CHECK_OK(co_await io::write_fully(*file_, at, out));
    at += out.size();
    out.clear();
  }
  HF_ASSERT(at == plan.checkpoint.db_length, "what was planned was written");
  co_return Result<>();
}

io::Task<Result<>> ShardImpl::flushed(ShardCheckpoint checkpoint) {
  HF_ASSERT(pending_ && pending_->checkpoint == checkpoint, "what became durable is what was flushed last");
  Pending done = *std::exchange(pending_, std::nullopt);
  for (size_t i = 0; i < done.offsets.size(); ++i) {
    tail_bytes_ -= tail_.front().bytes.size();
    tail_.pop_front();
  }
  offsets_.insert(offsets_.end(), done.offsets.begin(), done.offsets.end());
  checkpoint_ = checkpoint;
  live_.set_checkpoint(checkpoint.lsn);
  HF_ASSERT(offsets_.size() == file_end().value, "one offset per record in the file");
  if (index_file_due()) co_await write_index_file();
  co_return Result<>();
}

// ---- Index runs and files ----

bool ShardImpl::index_file_due() const {
  if (writing_index_) return false;
  uint32_t uncovered = file_end().value - index_covered_;
  return uncovered > 0 && uncovered >= std::max(options_.index_tail_min, index_covered_ / 8);
}

io::Task<void> ShardImpl::merge_index(Ordinal forget_below) {
  index_.begin_merge(forget_below);
  while (!index_.merge_step(kIndexStep)) co_await io::yield();
}

/// Merges the index, and stores what it was when the merge began, as far as the file's records go.
io::Task<void> ShardImpl::write_index_file() {
  HF_ASSERT(!writing_index_ && !index_.merging(), "one index file at a time");
  writing_index_ = true;
  IndexImage image;
  image.covers = checkpoint_coverage();
  image.offsets = offsets_;
  image.live = live_.copy(image.covers.lsn);
  for (auto& [id, set] : image.live) set.remove_from(file_end());
  for (const TailRecord& r : tail_) {
    image.replaced.push_back(r.replaced);
    if (!r.replaced.is_document() || r.replaced.ordinal() >= file_end()) continue;
    // In the file, what the tail's record replaced is still the newest.
    CollectionId collection = view_record(r.bytes).header.collection;
    for (auto& [id, set] : image.live)
      if (id == collection) set.add(r.replaced.ordinal());
  }
  // Tombstones that the file does not have yet must stay: the older record that they hide belongs into the file's
  // index.
  Ordinal forget = std::min(live_.bound(live_.horizon(), next_ordinal()), file_end());
  co_await merge_index(forget);
  image.run = index_.run();

  uint32_t covered = image.covers.next_ordinal.value;
  IndexEncoder encoder(identity_, options_.id_hash_bits, std::move(image));
  while (!encoder.step(kIndexStep)) co_await io::yield();
  Buffer bytes = encoder.take();
  Result<> stored = co_await store_index_file(bytes, covered);
  if (!stored)
    host_.log.log(io::Level::kWarning, fmt::format("no index file for {}: {}", db_path(), stored.error().text()));
  index_covered_ = covered;  // also if it failed: the next try comes when it is due again
  writing_index_ = false;
}

io::Task<Result<>> ShardImpl::store_index_file(Bytes bytes, uint32_t covered) {
  auto name = [&](uint32_t n) { return path(fmt::format("sidx.{}", n)); };
  // One of that name belongs to a history that did not last, or was found bad.
  if (auto it = std::find(index_files_.begin(), index_files_.end(), covered); it != index_files_.end()) {
    HF_CO_CHECK_OK(co_await host_.disk.remove(name(covered)));
    index_files_.erase(it);
  }
  HF_CO_TRY(file, co_await host_.disk.open(name(covered), io::Open::kCreate));
  for (uint64_t at = 0; at < bytes.size(); at += kWriteBytes) {
    Result<> written = co_await io::write_fully(*file, at, bytes.substr(at, kWriteBytes));
    if (written) continue;
    (void)co_await host_.disk.remove(name(covered));
    co_return written;
  }
  // The one before stays; older ones go, and so do all that claim to cover more: they were not believed.
  std::vector<uint32_t> keep{covered}, drop;
  for (size_t i = index_files_.size(); i-- > 0;) {
    bool good = index_files_[i] < covered && keep.size() < kIndexFilesKept;
    (good ? keep : drop).push_back(index_files_[i]);
  }
  for (uint32_t n : drop) (void)co_await host_.disk.remove(name(n));
  index_files_.assign(keep.rbegin(), keep.rend());
  co_return Result<>();
}

}  // namespace holdfast::core
