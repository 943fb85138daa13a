// Verifying one shard: its records, one after the other, and what its index files say of them.
#include <absl/container/flat_hash_map.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/index_file.h"
#include "core/verify.h"
#include "io/base/hash.h"

namespace holdfast::core {
namespace {

constexpr uint64_t kReadBytes = uint64_t{1} << 20;
constexpr uint64_t kIndexFileBytesMax = uint64_t{1} << 36;

class ShardVerifier {
 public:
  ShardVerifier(io::Host& host, const VerifyOptions& options, std::string directory, uint64_t cluster_id, ShardCheckpoint checkpoint, VerifyReport& report)
      : disk_(host.disk),
        options_(options),
        identity_{cluster_id, checkpoint.database, checkpoint.shard, checkpoint.generation},
        hasher_(cluster_id),
        directory_(std::move(directory)),
        stem_(fmt::format("shard_{:03}.{}.", checkpoint.shard.value, checkpoint.generation.value)),
        checkpoint_(checkpoint),
        report_(report) {}

  io::Task<Result<>> run() {
    if (options_.reading) options_.reading(db_path());
    HF_CO_TRY(usable, co_await open());
    if (!usable) co_return Result<>();
    HF_CO_CHECK_OK(co_await find_index_files());
    HF_CO_CHECK_OK(co_await walk());
    co_return Result<>();
  }

  ShardTruth truth() const {
    ShardTruth out;
    for (const auto& [place, newest] : newest_) {
      out.documents[newest.collection] += newest.entry.is_document();
      if (newest.sound.size > 0) out.sound.push_back(newest.sound);
    }
    std::sort(out.sound.begin(), out.sound.end(), [](const SoundRecord& a, const SoundRecord& b) { return a.offset < b.offset; });
    return out;
  }

 private:
  struct Newest {
    uint64_t hash;
    CollectionId collection;
    IndexEntry entry;
    SoundRecord sound;
  };

  std::string db_path() const { return directory_ + "/" + stem_ + "db"; }
  void damage(std::string what) { report_.add_damage(db_path() + ": " + what); }

  /// False: there is nothing to read records from.
  io::Task<Result<bool>> open() {
    Result<std::unique_ptr<io::File>> file = co_await disk_.open(db_path(), io::Open::kRead);
    if (!file && file.error().code != Code::kNotFound) co_return fail(std::move(file));
    if (!file) {
      damage("is missing, and the MANIFEST names it");
      co_return false;
    }
    file_ = std::move(*file);
    HF_CO_TRY(size, co_await file_->size());
    ++report_.files;
    end_ = std::min(size, checkpoint_.db_length);
    if (size < checkpoint_.db_length) {
      damage(fmt::format("has {} bytes, and the MANIFEST counts on {}", size, checkpoint_.db_length));
      lost_ = true;
    }
    HF_CO_TRY(block, co_await read(0, std::min(size, kBlockBytes)));
    Result<> header = check_shard_file_header(block, identity_);
    if (!header && header.error().code == Code::kUnsupported) co_return fail(header.error().code, db_path() + ": " + header.error().message);
    if (!header) damage(header.error().message);
    co_return true;
  }

  io::Task<Result<Buffer>> read(uint64_t begin, uint64_t end) {
    Buffer out;
    grow(out, end - begin);
    HF_CO_CHECK_OK(co_await io::read_exactly(*file_, begin, out));
    report_.bytes += out.size();
    co_return out;
  }

  /// The index files, in the order of what they cover.
  io::Task<Result<>> find_index_files() {
    HF_CO_TRY(entries, co_await disk_.list(directory_));
    for (const io::DirEntry& e : entries) {
      std::string_view name = e.name;
      if (!name.starts_with(stem_ + "sidx.")) continue;
      std::string path = directory_ + "/" + e.name;
      if (options_.reading) options_.reading(path);
      HF_CO_TRY(bytes, co_await io::read_whole(disk_, path, kIndexFileBytesMax));
      ++report_.files;
      report_.bytes += bytes.size();
      Result<LoadedIndex> x = decode_index(bytes, identity_, options_.id_hash_bits);
      if (!x || x->covers.next_ordinal > checkpoint_.next_ordinal || x->covers.db_length > checkpoint_.db_length) {
        report_.notes.push_back(path + " is not used (" + (x ? "it covers more than the MANIFEST" : x.error().message) + "): it is a cache, and made anew");
        continue;
      }
      indexes_.push_back({std::move(path), std::move(*x)});
    }
    std::sort(indexes_.begin(), indexes_.end(), [](const auto& a, const auto& b) { return a.second.covers.next_ordinal < b.second.covers.next_ordinal; });
    co_return Result<>();
  }

  io::Task<Result<>> walk() {
    uint64_t at = kBlockBytes;
    while (at < end_) {
      check_indexes(at);
      HF_CO_TRY(here, co_await window(at, kRecordHeaderBytes));
      if (!starts_record(here) && at % kBlockBytes != 0) {
        HF_CO_TRY(padding, co_await window(at, round_up(at, kBlockBytes) - at));
        padding = padding.substr(0, round_up(at, kBlockBytes) - at);
        if (padding.find_first_not_of('\0') == Bytes::npos) {
          at = round_up(at, kBlockBytes);
          continue;
        }
      }
      HF_CO_TRY(step, co_await take_record(at));
      at = step ? at + *step : co_await next_record_after(at);
    }
    check_indexes(at);
    if (next_ < checkpoint_.next_ordinal) lose(at, "records are missing");
    if (lost_from_) name_lost(checkpoint_.next_ordinal, at);
    if (!lost_ && (next_ != checkpoint_.next_ordinal || digest_ != checkpoint_.digest))
      damage(fmt::format("its {} records are not the {} that the MANIFEST remembers", next_.value, checkpoint_.next_ordinal.value));
    for (const auto& [path, x] : indexes_) report_.notes.push_back(path + " is not used (no record ends where its coverage does): it is a cache, and made anew");
    co_return Result<>();
  }

  /// At least `bytes` bytes from `at` on, as far as the file counts.
  io::Task<Result<Bytes>> window(uint64_t at, uint64_t bytes) {
    uint64_t left = end_ - at;
    if (at < begin_ || at + std::min(bytes, left) > begin_ + window_.size()) {
      HF_CO_TRY(more, co_await read(at, at + std::min(left, std::max(bytes, kReadBytes))));
      window_ = std::move(more);
      begin_ = at;
    }
    co_return Bytes(window_).substr(at - begin_);
  }

  /// Checks the record there; its length, or nothing when its head is damaged.
  io::Task<Result<std::optional<uint64_t>>> take_record(uint64_t at) {
    HF_CO_TRY(start, co_await window(at, kRecordHeaderBytes + kMaxRecordKey));
    auto head = parse_record_head(identity_.seed(), start);
    if (!head || head->header.ordinal < next_ || head->header.lsn > checkpoint_.lsn ||
        at + head->header.size() > end_) {
      lose(at, head ? "another record stands here" : head.error().what);
      co_return std::optional<uint64_t>();
    }
    RecordHeader h = head->header;
    if (h.ordinal > next_) lose(at, "records are missing");
    if (lost_from_) name_lost(h.ordinal, at);
    Hash128 id = xxh3_128(head->key, h.collection.value);
    uint64_t hash = hasher_(h.collection, head->key) & mask();
    uint64_t name = id_hash(h.collection, head->key);
    if (h.lsn < lsn_)
      damage(fmt::format("record {} at offset {}, LSN {}: does not follow the record before it", h.ordinal.value, at, h.lsn.value));
    HF_CO_TRY(whole, co_await window(at, h.size()));
    auto r = parse_record(identity_.seed(), whole);
    if (!r)
      damage(fmt::format("record {} at offset {}, LSN {}, collection {}, id hash {:016x}: {}", h.ordinal.value, at, h.lsn.value, h.collection.value,
                         name, r.error().what));
    auto known = newest_.find({id.low, id.high});
    IndexEntry before = known == newest_.end() ? IndexEntry::none() : known->second.entry;
    // A deletion may have been forgotten by the index before this record came.
    bool follows = h.predecessor == before.ordinal() || (before.tombstone() && h.predecessor == kNoOrdinal);
    if (!follows && !lost_)
      damage(fmt::format("record {} at offset {}, LSN {}: names record {} as its predecessor, and that is record {}", h.ordinal.value, at, h.lsn.value,
                         h.predecessor.value, before.ordinal().value));
    Newest& now = newest_[{id.low, id.high}];
    now.hash = hash;
    now.collection = h.collection;
    now.entry = IndexEntry(h.ordinal, h.tombstone);
    if (r) now.sound = {h.lsn, at, h.size(), h.tombstone};
    digest_ = chain_record(digest_, at, h);
    offsets_.resize(h.ordinal.value, 0);
    offsets_.push_back(static_cast<uint32_t>(at / kRecordUnit));
    lsn_ = h.lsn;
    next_ = h.ordinal.next();
    ++report_.records;
    co_return h.size();
  }

  void lose(uint64_t at, std::string why) {
    if (!lost_from_) lost_from_ = {next_, at, std::move(why)};
    lost_ = true;
  }

  /// The records from the damage on, up to `end`, which is sound and stands at `at`: a sentence each, as each may be a document.
  void name_lost(Ordinal end, uint64_t at) {
    const LostRange lost = *std::exchange(lost_from_, std::nullopt);
    for (Ordinal o = lost.ordinal; o < end; ++o)
      damage(fmt::format("record {}, between offsets {} and {}: {}; which document it is about cannot be read any more", o.value, lost.offset, at, lost.why));
    if (lost.ordinal >= end) damage(fmt::format("between offsets {} and {}: {}", lost.offset, at, lost.why));
  }

  /// Behind damage: where a sound head of a later record stands next.
  io::Task<uint64_t> next_record_after(uint64_t at) {
    for (at += kRecordUnit; at < end_; at += kRecordUnit) {
      Result<Bytes> here = co_await window(at, kRecordHeaderBytes + kMaxRecordKey);
      if (!here) co_return end_;
      if (!starts_record(*here)) continue;
      auto head = parse_record_head(identity_.seed(), *here);
      if (head && head->header.ordinal >= next_) co_return at;
    }
    co_return at;
  }

  /// Those that cover exactly what was read so far.
  void check_indexes(uint64_t at) {
    while (!indexes_.empty() && indexes_.front().second.covers.next_ordinal <= next_) {
      const auto& [path, x] = indexes_.front();
      if (x.covers.next_ordinal == next_ && x.covers.db_length > at) return;  // padding is to come
      if (!lost_) check_index(path, x);
      indexes_.erase(indexes_.begin());
    }
  }

  void check_index(const std::string& path, const LoadedIndex& x) {
    if (x.covers.next_ordinal != next_ || x.covers.digest != digest_) {
      report_.notes.push_back(path + " is not used (it is about other records): it is a cache, and made anew");
      return;
    }
    if (x.offsets != offsets_) report_.add_damage(path + ": the offsets are not those of the records");
    std::vector<std::pair<uint64_t, uint32_t>> truth, found;
    std::map<CollectionId, Bitmap> live;
    for (const auto& [id, n] : newest_) {
      truth.emplace_back(n.hash, n.entry.raw());
      if (n.entry.is_document()) live[n.collection].add(n.entry.ordinal());
    }
    for (size_t i = 0; i < x.run.hashes.size(); ++i) found.emplace_back(x.run.hashes[i], x.run.entries[i].raw());
    std::sort(truth.begin(), truth.end());
    std::sort(found.begin(), found.end());
    if (!std::includes(truth.begin(), truth.end(), found.begin(), found.end()))
      report_.add_damage(path + ": it names records that are not the newest of their ids");
    std::vector<std::pair<uint64_t, uint32_t>> missing;
    std::set_difference(truth.begin(), truth.end(), found.begin(), found.end(), std::back_inserter(missing));
    if (std::any_of(missing.begin(), missing.end(), [](const auto& m) { return IndexEntry::from_raw(m.second).is_document(); }))
      report_.add_damage(path + ": documents are missing in it");
    // Collections that were dropped have no set.
    for (const auto& [collection, set] : x.live)
      if (!(set == live[collection])) report_.add_damage(fmt::format("{}: the live set of collection {} is not that of the records", path, collection.value));
  }

  uint64_t mask() const { return options_.id_hash_bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << options_.id_hash_bits) - 1; }

  io::Disk& disk_;
  const VerifyOptions& options_;
  const ShardIdentity identity_;
  const IdHasher hasher_;
  const std::string directory_;
  const std::string stem_;
  const ShardCheckpoint checkpoint_;
  VerifyReport& report_;

  std::unique_ptr<io::File> file_;
  uint64_t end_ = 0;  // of what counts and is there
  Buffer window_;
  uint64_t begin_ = 0;
  Ordinal next_;
  Lsn lsn_;
  uint64_t digest_ = 0;
  struct LostRange {
    Ordinal ordinal;
    uint64_t offset;
    std::string why;
  };
  std::optional<LostRange> lost_from_;  // what follows there is not found yet
  bool lost_ = false;  // a record's head is damaged: what follows cannot be judged by what came before
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, Newest> newest_;
  std::vector<uint32_t> offsets_;
  std::vector<std::pair<std::string, LoadedIndex>> indexes_;
};

}  // namespace

io::Task<Result<ShardTruth>> verify_shard(io::Host& host, const VerifyOptions& options, std::string directory, uint64_t cluster_id,
                                          ShardCheckpoint checkpoint, VerifyReport& report) {
  ShardVerifier verifier(host, options, std::move(directory), cluster_id, checkpoint, report);
  HF_CO_CHECK_OK(co_await verifier.run());
  co_return verifier.truth();
}

}  // namespace holdfast::core
