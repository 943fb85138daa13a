// Opening: from an index file and the records after it, or from all records.
#include <fmt/format.h>

#include <charconv>

#include "core/shard_impl.h"
#include "io/base/assert.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

constexpr uint64_t kReadBytes = 1 << 20;

/// The records covered by the index file of that name; nothing when it is no index file with that prefix.
std::optional<uint32_t> covered_by(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  uint32_t n = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n);
  if (error != std::errc() || end != name.data() + name.size() || fmt::to_string(n) != name) return std::nullopt;
  return n;
}

}  // namespace

io::Task<Result<>> ShardImpl::open() {
  if (state_ == State::kClosed) {
    state_ = State::kOpening;
    Result<> loaded = co_await load();
    if (loaded) {
      state_ = State::kOpen;
      for (const auto& [lsn, collection] : early_drops_) live_.drop(lsn, collection);
      early_drops_.clear();
    } else {
      // Damage stays; a read that the disk refused may succeed the next time.
      state_ = loaded.error().code == Code::kIo ? State::kClosed : State::kFailed;
      open_error_ = std::move(loaded.error());
      forget_loaded();
      file_.reset();
    }
    opened_.notify_all();
    if (loaded && index_file_due()) co_await write_index_file();
  }
  SOMETIMES(state_ == State::kOpening, "two-callers-open-a-shard");
  while (state_ == State::kOpening) co_await opened_.wait();
  if (state_ != State::kOpen) co_return std::unexpected(open_error_);
  co_return Result<>();
}

Coverage ShardImpl::checkpoint_coverage() const {
  return {checkpoint_.db_length, checkpoint_.next_ordinal, checkpoint_.lsn, checkpoint_.digest};
}

void ShardImpl::forget_loaded() {
  index_ = PrimaryIndex();
  LiveSets fresh;
  fresh.set_horizon(live_.horizon());
  fresh.set_checkpoint(checkpoint_.lsn);
  live_ = std::move(fresh);
  offsets_.clear();
}

io::Task<Result<>> ShardImpl::load() {
  HF_CO_CHECK_OK(co_await open_file());
  if (!file_) co_return Result<>();  // only for a planted bug
  co_await find_index_files();
  for (size_t i = index_files_.size(); i-- > 0;) {
    uint32_t covered = index_files_[i];
    Result<Coverage> from = co_await load_index(covered);
    Result<> loaded = from ? co_await catch_up(*from) : Result<>(fail(from));
    if (loaded) {
      SOMETIMES(from->next_ordinal < file_end(), "index-caught-up");
      index_covered_ = covered;
      co_return Result<>();
    }
    // An index file that cannot be read is no loss; a data file that cannot be is.
    if (from && loaded.error().code == Code::kIo) co_return fail(loaded);
    host_.log.log(io::Level::kWarning,
                  fmt::format("{} is not used: {}", path(fmt::format("sidx.{}", covered)), loaded.error().message));
    forget_loaded();
  }
  SOMETIMES(true, "index-rebuilt");
  co_return co_await catch_up(Coverage{kBlockBytes, Ordinal(0), Lsn(0), 0});
}

io::Task<Result<>> ShardImpl::open_file() {
  Result<std::unique_ptr<io::File>> file = co_await host_.disk.open(db_path(), io::Open::kReadWrite);
  if (!file) {
    if (file.error().code != Code::kNotFound) co_return fail(std::move(file));
    if (MUTANT("missing-shard-file-is-empty")) {
      checkpoint_.next_ordinal = Ordinal(0);
      co_return Result<>();
    }
    co_return fail(Code::kCorrupt, db_path() + " is missing, and the MANIFEST names it: restore it from a backup");
  }
  file_ = std::move(*file);
  HF_CO_TRY(size, co_await file_->size());
  if (size < checkpoint_.db_length && MUTANT("older-shard-file-accepted")) checkpoint_.db_length = size;
  if (size < checkpoint_.db_length)
    co_return fail(Code::kCorrupt,
                   fmt::format("{} has {} bytes, and the MANIFEST counts on {}: restore it from a backup", db_path(),
                               size, checkpoint_.db_length));
  HF_CO_TRY(block, co_await read_file(0, kBlockBytes));
  Result<> header = check_shard_file_header(block, identity_);
  if (!header) co_return fail(header.error().code, db_path() + ": " + header.error().message);
  co_return Result<>();
}

io::Task<void> ShardImpl::find_index_files() {
  index_files_.clear();
  Result<std::vector<io::DirEntry>> entries = co_await host_.disk.list(options_.directory);
  if (!entries) co_return;  // then the index is rebuilt
  std::string prefix = path("sidx.").substr(options_.directory.size() + 1);
  for (const io::DirEntry& e : *entries)
    if (auto covered = covered_by(e.name, prefix)) index_files_.push_back(*covered);
  std::sort(index_files_.begin(), index_files_.end());
}

io::Task<Result<Coverage>> ShardImpl::load_index(uint32_t covered) {
  constexpr uint64_t kLimit = uint64_t{1} << 36;
  HF_CO_TRY(bytes, co_await io::read_whole(host_.disk, path(fmt::format("sidx.{}", covered)), kLimit));
  HF_CO_TRY(x, decode_index(bytes, identity_, options_.id_hash_bits));
  if (x.covers.next_ordinal.value != covered) co_return fail(Code::kCorrupt, "it is another file than its name says");
  if (x.covers.next_ordinal > checkpoint_.next_ordinal || x.covers.db_length > checkpoint_.db_length ||
      x.covers.db_length < kBlockBytes || x.covers.lsn > checkpoint_.lsn)
    co_return fail(Code::kCorrupt, "it covers more than the MANIFEST");
  index_ = PrimaryIndex(std::move(x.run));
  offsets_ = std::move(x.offsets);
  for (auto& [collection, set] : x.live) live_.load(collection, std::move(set));
  co_return x.covers;
}

/// Reads the records from `from` to the checkpoint and loads their headers. Their bodies are checked when they are read
/// for somebody.
io::Task<Result<>> ShardImpl::catch_up(Coverage from) {
  Buffer window;
  uint64_t begin = 0;  // of the window
  uint64_t at = from.db_length;
  while (at < checkpoint_.db_length) {
    // What must be in memory to go on: a header, then its key too.
    auto have = [&](uint64_t n) { return begin <= at && at + n <= begin + window.size(); };
    uint64_t left = checkpoint_.db_length - at;
    uint64_t need = std::min<uint64_t>(left, kRecordHeaderBytes);
    if (have(need) && need == kRecordHeaderBytes)
      need = std::min<uint64_t>(left, record_head_bytes(Bytes(window).substr(at - begin)));
    if (!have(need)) {
      HF_CO_TRY(more, co_await read_file(at, at + std::min(left, kReadBytes)));
      window = std::move(more);
      begin = at;
      if (!index_.merging() && index_.overlay_size() > std::max<size_t>(4096, index_.run()->hashes.size() / 4))
        co_await merge_index(from.next_ordinal);
      continue;
    }
    Bytes here = Bytes(window).substr(at - begin);
    if (at % kBlockBytes != 0 && !starts_record(here)) {
      // The end of a flush: zeros up to the next block. If it is a damaged record instead, its ordinal is missed there.
      at = round_up(at, kBlockBytes);
      continue;
    }
    HF_CO_TRY(r, checked_head(from.next_ordinal, at, here));
    if (r.header.lsn < from.lsn || r.header.lsn > checkpoint_.lsn || at + r.header.size() > checkpoint_.db_length)
      co_return std::unexpected(
          corrupt(from.next_ordinal, at, {"its LSN or length contradicts the records around it"}, here));
    load_record(r, at);
    from.digest = chain_record(from.digest, at, r.header);
    from.lsn = r.header.lsn;
    ++from.next_ordinal;
    at += r.header.size();
  }
  if (MUTANT("older-shard-file-accepted")) {
    checkpoint_.next_ordinal = from.next_ordinal;
    checkpoint_.digest = from.digest;
  }
  bool same = from.next_ordinal == checkpoint_.next_ordinal && from.digest == checkpoint_.digest;
  if (!same && !MUTANT("shard-digest-ignored"))
    co_return fail(
        Code::kCorrupt,
        fmt::format("{}: its {} records through offset {} are not the {} that the MANIFEST remembers: restore it "
                    "from a backup",
                    db_path(), from.next_ordinal.value, at, checkpoint_.next_ordinal.value));
  co_return Result<>();
}

void ShardImpl::load_record(const RecordView& r, uint64_t offset) {
  const RecordHeader& h = r.header;
  uint64_t hash = hash_of(h.collection, r.key);
  // The predecessor tells which candidate is of the same id. Its entry may have been forgotten, if it was a tombstone.
  IndexEntry old = IndexEntry::none();
  for (IndexEntry e : index_.lookup(hash))
    if (!e.is_none() && e.ordinal() == h.predecessor) old = e;
  IndexEntry now(h.ordinal, h.tombstone);
  index_.replace(hash, old, now);
  live_.load(h.collection, now, h.predecessor);
  offsets_.push_back(static_cast<uint32_t>(offset / kRecordUnit));
}

}  // namespace holdfast::core
