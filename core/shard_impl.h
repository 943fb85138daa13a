// ShardImpl: a shard over a Disk. Its parts, each in a source of its own: reading and applying (shard.cc), finding
// (shard_find.cc), opening (shard_open.cc), flushing (shard_flush.cc), scanning (shard_scan.cc).
//
//     ordinals   0 ............ file_end() ............ next_ordinal()
//                in the .db file            in the tail
//                offsets_                   tail_
//
// The boundary moves in flushed() alone, between two awaits of everybody else: after an await, ask again on which side
// an ordinal lies. Destructors touch nothing outside their object: in a simulated crash frames die in any order.
#pragma once

#include <absl/container/inlined_vector.h>

#include <deque>

#include "core/index_file.h"
#include "core/live_sets.h"
#include "core/shard.h"
#include "io/base/probe.h"
#include "io/sync.h"

namespace holdfast::core {

/// Ids that were seen to belong to a record in the file, so that applying what was just evaluated need not read the
/// record again.
class SeenIds {
 public:
  void note(Ordinal ordinal, CollectionId collection, Bytes key);
  bool holds(Ordinal ordinal, CollectionId collection, Bytes key) const;

 private:
  static constexpr size_t kSlots = 16;
  struct Slot {
    Ordinal ordinal = kNoOrdinal;
    CollectionId collection;
    Buffer key;
  };
  std::vector<Slot> slots_;  // none until the first note
};

class ShardImpl final : public Shard {
 public:
  ShardImpl(io::Host& host, ShardOptions options, ShardCheckpoint checkpoint);

  io::Task<Result<>> open() override;
  bool is_open() const override { return state_ == State::kOpen; }
  io::Task<Result<std::optional<Document>>> find(CollectionId collection, Bytes key) override;
  std::optional<Answer> try_find(CollectionId collection, Bytes key) override;
  io::Task<Result<std::optional<Document>>> find_at(CollectionId collection, Bytes key, Lsn snapshot) override;
  io::Task<Result<bool>> changed_since(CollectionId collection, Bytes key, Lsn snapshot) override;
  io::Task<Result<int>> apply(Lsn lsn, const Effect& effect) override;
  std::optional<int> try_apply(Lsn lsn, const Effect& effect) override;
  void drop_collection(Lsn lsn, CollectionId collection) override;
  void set_horizon(Lsn horizon) override { live_.set_horizon(horizon); }
  uint64_t history_bytes() const override { return live_.history_bytes(); }
  io::Task<Result<std::unique_ptr<Scan>>> scan(CollectionId collection, Lsn snapshot, Ordinal from) override;
  io::Task<Result<VerifiedPart>> verify(Ordinal from, uint64_t max_bytes) override;
  uint64_t live_count(CollectionId collection) const override { return live_.count(collection); }
  uint64_t tail_bytes() const override { return tail_bytes_; }
  bool dirty() const override { return !tail_.empty(); }
  bool full() const override;
  io::Task<Result<Flushed>> flush(Lsn cut) override;
  io::Task<Result<>> flushed(ShardCheckpoint checkpoint) override;

 private:
  friend class ShardScan;
  enum class State : uint8_t { kClosed, kOpening, kOpen, kFailed };
  using Candidates = absl::InlinedVector<IndexEntry, 4>;

  /// A record that the file does not have yet.
  struct TailRecord {
    Lsn lsn;
    IndexEntry replaced;  ///< what the index had for its id before
    Buffer bytes;
  };
  struct Extent {
    uint64_t begin = 0;
    uint64_t end = 0;  ///< of the record, or a little more (padding)
  };
  /// A flush whose MANIFEST is not durable yet.
  struct Pending {
    ShardCheckpoint checkpoint;
    std::vector<uint32_t> offsets;
  };

  // shard.cc
  std::string path(std::string_view suffix) const;
  std::string db_path() const { return path("db"); }
  uint64_t hash_of(CollectionId collection, Bytes key) const { return hasher_(collection, key) & hash_mask_; }
  Ordinal file_end() const { return checkpoint_.next_ordinal; }
  Ordinal next_ordinal() const { return Ordinal(file_end().value + static_cast<uint32_t>(tail_.size())); }
  const TailRecord& tail_record(Ordinal o) const { return tail_[o.value - file_end().value]; }
  Extent extent(Ordinal o) const;
  bool has_room(const Effect& effect) const;
  int record(Lsn lsn, const Effect& effect, uint64_t hash, IndexEntry replaced);
  std::optional<IndexEntry> match_in_memory(std::span<const IndexEntry> candidates, CollectionId collection,
                                            Bytes key) const;
  io::Task<Result<IndexEntry>> match(Candidates candidates, CollectionId collection, Bytes key);
  io::Task<Result<Buffer>> read_file(uint64_t begin, uint64_t end);
  Error corrupt(Ordinal ordinal, uint64_t offset, RecordFault why, Bytes bytes) const;
  Result<RecordView> checked_head(Ordinal ordinal, uint64_t offset, Bytes bytes) const;
  Result<RecordView> checked_record(Ordinal ordinal, uint64_t offset, Bytes bytes) const;

  // shard_find.cc
  static bool is_of(const RecordView& r, CollectionId collection, Bytes key) {
    return (r.header.collection == collection && r.key == key) || MUTANT("equal-hash-is-equal-id");
  }
  io::Task<Result<std::optional<Document>>> read_document(Ordinal o, CollectionId collection, Bytes key);
  io::Task<Result<std::optional<RecordHeader>>> read_header(Ordinal o, CollectionId collection, Bytes key);

  // shard_verify.cc
  void verify_record(Ordinal o, Extent at, Bytes bytes, std::vector<std::string>& damage) const;

  // shard_open.cc
  io::Task<Result<>> load();
  io::Task<Result<>> open_file();
  io::Task<void> find_index_files();
  io::Task<Result<Coverage>> load_index(uint32_t covered);
  io::Task<Result<>> catch_up(Coverage from);
  void load_record(const RecordView& record, uint64_t offset);
  void forget_loaded();
  Coverage checkpoint_coverage() const;

  // shard_flush.cc
  Result<Pending> plan_flush(Lsn cut) const;
  io::Task<Result<Flushed>> flush_tail(Lsn cut);
  io::Task<Result<>> write_tail(const Pending& plan);
  bool index_file_due() const;
  io::Task<void> merge_index(Ordinal forget_below);
  io::Task<void> write_index_file();
  io::Task<Result<>> store_index_file(Bytes bytes, uint32_t covered);

  io::Host& host_;
  const ShardOptions options_;
  const ShardIdentity identity_;
  const uint32_t seed_;
  const IdHasher hasher_;
  const uint64_t hash_mask_;
  const Lsn made_with_;         // effects through here were in the file when this process began
  ShardCheckpoint checkpoint_;  // of the newest MANIFEST
  Lsn applied_;                 // of the newest record
  Lsn flushed_cut_;             // nothing at or below it may be applied any more

  State state_ = State::kClosed;
  Error open_error_;
  io::WaitList opened_;  // or failed to
  std::unique_ptr<io::File> file_;

  PrimaryIndex index_;
  LiveSets live_;
  std::vector<uint32_t> offsets_;  // by ordinal below file_end(), in units of kRecordUnit
  std::deque<TailRecord> tail_;
  uint64_t tail_bytes_ = 0;
  std::vector<std::pair<Lsn, CollectionId>> early_drops_;  // came before the shard was open
  SeenIds seen_;

  std::optional<Pending> pending_;
  bool flushing_ = false;
  bool applying_ = false;
  bool writing_index_ = false;
  std::vector<uint32_t> index_files_;  // records covered by the files there are, ascending
  uint32_t index_covered_ = 0;         // by the newest good one
};

}  // namespace holdfast::core
