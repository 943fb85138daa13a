// Reading records and applying.
#include "core/shard.h"

#include <fmt/format.h>

#include "core/shard_impl.h"
#include "io/base/assert.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

/// From here on full() asks admission to stop: what is admitted meanwhile is less.
constexpr uint32_t kRecordsReserve = uint32_t{1} << 20;
constexpr uint64_t kBytesReserve = uint64_t{1} << 30;

std::string hex(Bytes bytes) {
  std::string out;
  for (unsigned char c : bytes.substr(0, 64)) fmt::format_to(std::back_inserter(out), "{:02x}", c);
  return out + (bytes.size() > 64 ? "..." : "");
}

}  // namespace

void SeenIds::note(Ordinal ordinal, CollectionId collection, Bytes key) {
  if (slots_.empty()) slots_.resize(kSlots);
  Slot& s = slots_[ordinal.value % kSlots];
  s.ordinal = ordinal;
  s.collection = collection;
  s.key.assign(key);
}

bool SeenIds::holds(Ordinal ordinal, CollectionId collection, Bytes key) const {
  if (slots_.empty()) return false;
  const Slot& s = slots_[ordinal.value % kSlots];
  return s.ordinal == ordinal && s.collection == collection && s.key == key;
}

std::unique_ptr<Shard> Shard::make(io::Host& host, ShardOptions options, ShardCheckpoint checkpoint) {
  return std::make_unique<ShardImpl>(host, std::move(options), checkpoint);
}

ShardImpl::ShardImpl(io::Host& host, ShardOptions options, ShardCheckpoint checkpoint)
    : host_(host),
      options_(std::move(options)),
      identity_{options_.cluster_id, checkpoint.database, checkpoint.shard, checkpoint.generation},
      seed_(identity_.seed()),
      hasher_(options_.cluster_id),
      hash_mask_(options_.id_hash_bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << options_.id_hash_bits) - 1),
      made_with_(checkpoint.lsn),
      checkpoint_(checkpoint),
      applied_(checkpoint.lsn),
      flushed_cut_(checkpoint.lsn) {
  HF_ASSERT(options_.id_hash_bits >= 1 && options_.id_hash_bits <= 64, "a hash has 1 to 64 bits");
  live_.set_checkpoint(checkpoint_.lsn);
  // Without a file there is nothing to load.
  if (checkpoint.db_length == 0) state_ = State::kOpen;
}

std::string ShardImpl::path(std::string_view suffix) const {
  return fmt::format("{}/shard_{:03}.{}.{}", options_.directory, identity_.shard.value, identity_.generation.value,
                     suffix);
}

// ---- Reading records ----

ShardImpl::Extent ShardImpl::extent(Ordinal o) const {
  HF_ASSERT(o < file_end(), "only records in the file have an extent");
  uint64_t end = o.next() < file_end() ? offsets_[o.value + 1] * kRecordUnit : checkpoint_.db_length;
  return {offsets_[o.value] * kRecordUnit, end};
}

io::Task<Result<Buffer>> ShardImpl::read_file(uint64_t begin, uint64_t end) {
  Buffer bytes;
  grow(bytes, end - begin);
  Result<> read = co_await io::read_exactly(*file_, begin, MutableBytes(bytes));
  if (!read)
    co_return fail(read.error().code,
                   fmt::format("{}, reading bytes {} to {}: {}", db_path(), begin, end, read.error().message));
  co_return bytes;
}

Error ShardImpl::corrupt(Ordinal ordinal, uint64_t offset, RecordFault why, Bytes bytes) const {
  std::string text = fmt::format("{}: record {} at offset {}: {}", db_path(), ordinal.value, offset, why.what);
  if (auto head = parse_record_head(seed_, bytes); head && head->header.ordinal == ordinal)
    text += fmt::format("; LSN {}, collection {}, id key {}", head->header.lsn.value, head->header.collection.value,
                        hex(head->key));
  return {Code::kCorrupt, text + "; restore the document from a backup"};
}

Result<RecordView> ShardImpl::checked_head(Ordinal ordinal, uint64_t offset, Bytes bytes) const {
  auto r = parse_record_head(seed_, bytes);
  if (!r) return std::unexpected(corrupt(ordinal, offset, r.error(), bytes));
  if (r->header.ordinal != ordinal && !MUTANT("record-checksum-without-place"))
    return std::unexpected(corrupt(ordinal, offset, {"another record stands here"}, bytes));
  return *r;
}

Result<RecordView> ShardImpl::checked_record(Ordinal ordinal, uint64_t offset, Bytes bytes) const {
  HF_CHECK_OK(checked_head(ordinal, offset, bytes));
  auto r = parse_record(seed_, bytes);
  if (!r) return std::unexpected(corrupt(ordinal, offset, r.error(), bytes));
  return *r;
}

// ---- Applying ----

bool ShardImpl::full() const {
  return next_ordinal().value + kRecordsReserve >= kMaxRecords ||
         checkpoint_.db_length + tail_bytes_ + kBytesReserve >= kMaxShardFileBytes;
}

bool ShardImpl::has_room(const Effect& effect) const {
  uint64_t most = kRecordHeaderBytes + effect.key.size() + effect.body.size() + 2 * kBlockBytes;
  return next_ordinal().value < kMaxRecords && checkpoint_.db_length + tail_bytes_ + most <= kMaxShardFileBytes;
}

std::optional<IndexEntry> ShardImpl::match_in_memory(std::span<const IndexEntry> candidates, CollectionId collection,
                                                     Bytes key) const {
  for (IndexEntry e : candidates) {
    if (e.ordinal() >= file_end()) {
      if (is_of(view_record(tail_record(e.ordinal()).bytes), collection, key)) return e;
    } else if (seen_.holds(e.ordinal(), collection, key)) {
      return e;
    } else {
      return std::nullopt;
    }
  }
  return IndexEntry::none();
}

io::Task<Result<IndexEntry>> ShardImpl::match(Candidates candidates, CollectionId collection, Bytes key) {
  for (IndexEntry e : candidates) {
    Ordinal o = e.ordinal();
    if (o >= file_end()) {
      if (is_of(view_record(tail_record(o).bytes), collection, key)) co_return e;
      continue;
    }
    // The header and the key are enough: a record whose body is damaged can still be replaced.
    Extent at = extent(o);
    HF_CO_TRY(bytes, co_await read_file(at.begin, std::min(at.end, at.begin + kRecordHeaderBytes + kMaxRecordKey)));
    HF_CO_TRY(r, checked_head(o, at.begin, bytes));
    if (is_of(r, collection, key)) co_return e;
    SOMETIMES(true, "apply-told-equal-hashes-apart");
  }
  co_return IndexEntry::none();
}

int ShardImpl::record(Lsn lsn, const Effect& effect, uint64_t hash, IndexEntry replaced) {
  HF_ASSERT(lsn >= applied_ && lsn > flushed_cut_, "effects come in LSN order, and a flush cuts at what was applied");
  RecordHeader h;
  h.lsn = lsn;
  h.ordinal = next_ordinal();
  h.predecessor = replaced.ordinal();
  h.collection = effect.collection;
  h.tombstone = effect.kind == EffectKind::kDelete;
  IndexEntry now(h.ordinal, h.tombstone);
  Buffer& bytes =
      tail_.emplace_back(lsn, replaced, encode_record(seed_, h, effect.key, h.tombstone ? Bytes() : effect.body)).bytes;
  tail_bytes_ += bytes.size();
  applied_ = lsn;
  index_.replace(hash, replaced, now);
  live_.record(lsn, effect.collection, replaced, now);
  return int{now.is_document()} - int{replaced.is_document()};
}

std::optional<int> ShardImpl::try_apply(Lsn lsn, const Effect& effect) {
  HF_ASSERT(is_of_document(effect), "other changes are not a shard's");
  HF_ASSERT(!applying_, "one effect at a time");
  SOMETIMES(lsn <= made_with_, "replayed-effect-is-in-the-file");
  if (lsn <= made_with_) return 0;
  if (!is_open() || !has_room(effect)) return std::nullopt;
  uint64_t hash = hash_of(effect.collection, effect.key);
  auto replaced = match_in_memory(index_.lookup(hash), effect.collection, effect.key);
  if (!replaced) return std::nullopt;
  return record(lsn, effect, hash, *replaced);
}

io::Task<Result<int>> ShardImpl::apply(Lsn lsn, const Effect& effect) {
  if (lsn > made_with_ && !is_open()) HF_CO_CHECK_OK(co_await open());
  if (auto done = try_apply(lsn, effect)) co_return *done;
  if (!has_room(effect))
    co_return fail(Code::kUnsupported,
                   db_path() +
                       " is full (32 GiB or 2^31 records): export the data and import it into a directory "
                       "with more shards");
  uint64_t hash = hash_of(effect.collection, effect.key);
  auto found = index_.lookup(hash);
  applying_ = true;
  Result<IndexEntry> replaced = co_await match(Candidates(found.begin(), found.end()), effect.collection, effect.key);
  applying_ = false;
  if (!replaced) co_return fail(std::move(replaced));
  co_return record(lsn, effect, hash, *replaced);
}

void ShardImpl::drop_collection(Lsn lsn, CollectionId collection) {
  if (is_open())
    live_.drop(lsn, collection);
  else
    early_drops_.emplace_back(lsn, collection);
}

}  // namespace holdfast::core
