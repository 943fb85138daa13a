// LiveSets: which records of a shard are documents of a collection, now and at every snapshot that may still be asked
// for.
//
// Place in the system: one per shard, used on its core only. Pure. Fed record by record, in ordinal order.
//
//     ordinals   0 .......... b ........ next       b = first ordinal whose LSN is above s
//     at(s)  =   live below b   +   those that died after s (their death's LSN is above s) and lie below b
//
// Invariants
//  1. live = { ordinals of documents that no later record names as predecessor }, per collection, until the collection
//  is dropped.
//  2. For every snapshot at or above the horizon, at() is exact. Below it nothing is promised.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "core/bitmap.h"
#include "core/primary_index.h"

namespace holdfast::core {

class LiveSets {
 public:
  /// One record more: `now` at `lsn`, in place of `old` (a document, a tombstone or none) of the same id. Both in
  /// `collection`.
  void record(Lsn lsn, CollectionId collection, IndexEntry old, IndexEntry now);

  /// As record(), for records that a checkpoint covered before this process began: no snapshot below them will be asked
  /// for.
  void load(CollectionId collection, IndexEntry now, Ordinal predecessor);
  /// The set of a collection as an index file had it.
  void load(CollectionId collection, Bitmap live);

  /// The collection is gone from `lsn` on. Its set is kept until no snapshot and no recovery can lead below `lsn`: the
  /// horizon and the checkpoint have reached it.
  void drop(Lsn lsn, CollectionId collection);

  /// No snapshot below will be asked for.
  void set_horizon(Lsn horizon);
  /// The newest durable checkpoint covers that much. What is above may be undone by a crash (in async mode a drop,
  /// too).
  void set_checkpoint(Lsn checkpoint);
  Lsn horizon() const { return horizon_; }
  /// What is kept for snapshots alone, about.
  uint64_t history_bytes() const { return deaths_.size() * sizeof(Death) + begins_.size() * sizeof(Begin); }

  /// The first ordinal whose LSN is above `snapshot`; `next` when there is none. Requires snapshot >= horizon.
  Ordinal bound(Lsn snapshot, Ordinal next) const;

  /// The documents of a collection at a snapshot. Requires snapshot >= horizon.
  Bitmap at(CollectionId collection, Lsn snapshot, Ordinal next) const;

  /// All records' sets, of every collection that is not dropped at or below `lsn`, by id.
  std::vector<std::pair<CollectionId, Bitmap>> copy(Lsn lsn) const;
  uint64_t count(CollectionId collection) const;
  /// Whether the record is a document of the collection now.
  bool contains(CollectionId collection, Ordinal ordinal) const;
  /// Whether the collection has a set and is not dropped.
  bool has(CollectionId collection) const;

 private:
  struct Set {
    Bitmap live;
    Lsn dropped = Lsn::max();
  };
  struct Death {
    Lsn lsn;
    Ordinal ordinal;
    CollectionId collection;
  };
  struct Begin {
    Lsn lsn;
    Ordinal first;
  };
  Set& set_of(CollectionId collection);
  void forget_dropped();

  std::map<CollectionId, Set> sets_;
  Set* last_ = nullptr;  // of last_collection_: most shards have one busy collection
  CollectionId last_collection_;
  std::deque<Death> deaths_;  // LSNs above the horizon, ascending
  std::deque<Begin> begins_;  // per LSN above the horizon that has records: the first of them
  Lsn horizon_;
  Lsn checkpoint_;
};

}  // namespace holdfast::core
