// PrimaryIndex: id hash -> the newest record of every id that has that hash, in memory.
//
// Place in the system: one per shard, used on its core only. Pure. It knows hashes and ordinals, not keys: whoever asks
// compares the keys of the candidates it gets.
//
// Structure: an immutable *run* (hashes and entries in two sorted arrays, equal hashes adjacent, found by
// interpolation) under an *overlay* (a hash map of what changed since). For a hash in the overlay, the overlay's list
// is complete and hides the run's. A merge freezes the overlay, builds the next run from both in steps, with reads and
// changes going on in a fresh overlay above, and then puts the new run in place of the two.
//
// Invariants
//  1. lookup(h) yields, newest first, at least the newest record of every id with hash h whose newest record is no
//  forgotten tombstone.
//  2. A merge changes what lookup() yields by forgotten tombstones alone.
//
// Memory: 12 bytes per id in the run (twice that while a merge builds the next), about 16 to 32 per changed id in the
// overlay.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <memory>
#include <span>
#include <vector>

#include "core/record.h"

namespace holdfast::core {

/// A record's ordinal, and whether the record is a deletion, in 32 bits.
class IndexEntry {
 public:
  IndexEntry() = default;
  IndexEntry(Ordinal ordinal, bool tombstone) : raw_(ordinal.value | (tombstone ? kTombstone : 0)) {}
  static IndexEntry from_raw(uint32_t raw) {
    IndexEntry e;
    e.raw_ = raw;
    return e;
  }
  /// No record.
  static IndexEntry none() { return from_raw(kNone); }

  bool is_none() const { return raw_ == kNone; }
  Ordinal ordinal() const { return is_none() ? kNoOrdinal : Ordinal(raw_ & ~kTombstone); }
  bool tombstone() const { return !is_none() && (raw_ & kTombstone) != 0; }
  /// A document, not a deletion and not nothing.
  bool is_document() const { return (raw_ & kTombstone) == 0; }
  uint32_t raw() const { return raw_; }
  bool operator==(const IndexEntry&) const = default;

 private:
  static constexpr uint32_t kTombstone = uint32_t{1} << 31;
  static constexpr uint32_t kNone = ~uint32_t{0};
  uint32_t raw_ = kNone;
};
static_assert(sizeof(IndexEntry) == 4);

/// Immutable. hashes[i] belongs to entries[i]; hashes ascend, entries of equal hashes stand newest first.
struct IndexRun {
  std::vector<uint64_t> hashes;
  std::vector<IndexEntry> entries;

  std::span<const IndexEntry> find(uint64_t hash) const;
};

class PrimaryIndex {
 public:
  PrimaryIndex() : run_(std::make_shared<const IndexRun>()) {}
  explicit PrimaryIndex(IndexRun run) : run_(std::make_shared<const IndexRun>(std::move(run))) {}

  /// The candidates for that hash, newest first. Valid until the index changes.
  std::span<const IndexEntry> lookup(uint64_t hash) const;

  /// `now` is the newest record of an id with that hash, in place of `old` (none: a new id, or one whose entry was
  /// forgotten). Requires: `now` is newer than every entry of the index.
  void replace(uint64_t hash, IndexEntry old, IndexEntry now);

  /// Begins a merge, which forgets tombstones below `forget_below`. Requires !merging().
  void begin_merge(Ordinal forget_below);
  bool merging() const { return merge_ != nullptr; }
  /// Goes on by about `units` entries. True: the merge is over.
  bool merge_step(size_t units);

  size_t overlay_size() const { return overlay_.size(); }
  const std::shared_ptr<const IndexRun>& run() const { return run_; }

 private:
  /// What changed: hash -> the one entry, or kSeveral, and then the list is in `several`.
  struct Overlay {
    absl::flat_hash_map<uint64_t, IndexEntry> entries;
    absl::flat_hash_map<uint64_t, std::vector<IndexEntry>> several;
    /// Null: the overlay knows nothing of that hash.
    std::span<const IndexEntry> find(uint64_t hash) const;
    size_t size() const { return entries.size(); }
  };
  struct Merge;
  struct MergeDeleter {
    void operator()(Merge*) const;
  };

  Overlay overlay_;
  Overlay frozen_;  // read while the merge runs; empty otherwise
  std::shared_ptr<const IndexRun> run_;
  std::unique_ptr<Merge, MergeDeleter> merge_;
};

}  // namespace holdfast::core
