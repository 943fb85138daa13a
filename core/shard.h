// Shard: one shard of one database as a state machine that applies the log.
//
// Place in the system: the engine core that owns the shard applies committed effects in LSN order, reads documents,
// scans at a snapshot, and writes checkpoints. All calls come from that one core. Files:
// db/<database>/shard_NNN.<gen>.db (truth) and .sidx (cache); see FORMAT.md.
//
// State: records have ordinals 0, 1, 2 … in LSN order. Records up to the last checkpoint are in the .db file; newer
// ones wait in the memory tail, encoded as they will be written. The primary index maps id_hash -> newest ordinal (runs
// + overlay); `live` is one bitmap of ordinals per collection.
//
// Invariants
//  1. A record enters the .db file only when its LSN is at most the cut of a checkpoint, which is at most
//  min(committed, durable).
//  2. live == { ordinals of puts that no later record names as predecessor }, minus dropped collections. Everything but
//  the .db bytes can be rebuilt from them.
//  3. A read never returns bytes whose checksums, place (cluster, database, shard, generation, ordinal) or id do not
//  fit: it is kCorrupt, naming
//     file, offset, LSN and ordinal.
//  4. History needed by a snapshot at or above the horizon is kept: ordinals' LSNs and deaths since then.
//
// Crash behaviour: bytes beyond the length in the MANIFEST mean nothing and are overwritten. A damaged or missing .sidx
// is rebuilt from the .db file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/entry.h"
#include "io/host.h"

namespace holdfast::core {

/// What the MANIFEST records of a shard, and what it is opened with.
struct ShardCheckpoint {
  DatabaseId database;
  ShardId shard;
  Generation generation{1};
  uint64_t db_length = 0;  ///< bytes of the .db file that count; 0: the file is not there yet
  Ordinal next_ordinal;    ///< records in those bytes
  Lsn lsn;                 ///< everything through here is in them
  uint64_t digest = 0;     ///< chain over the records' places and headers (record.h): those bytes and no others
  bool operator==(const ShardCheckpoint&) const = default;
};

struct ShardOptions {
  std::string directory;  ///< of the database; made by the engine before the first flush
  uint64_t cluster_id = 0;
  uint32_t index_tail_min =
      4096;  ///< records not covered by the newest .sidx before a new one is written (or 1/8 of the covered, if more)
  uint64_t scan_chunk_bytes = 256 << 10;  ///< scans read the file in pieces of this size
  int id_hash_bits = 64;                  ///< simulation: fewer, so that hashes collide
};

/// A document as read: an owned copy, checked.
struct Document {
  Lsn lsn;
  Ordinal ordinal;
  Buffer body;
};

class Shard {
 public:
  virtual ~Shard() = default;

  static std::unique_ptr<Shard> make(io::Host& host, ShardOptions options, ShardCheckpoint checkpoint);

  /// Loads the index; every other call waits for it by itself. Cheap when done already. A failure is for good: every
  /// later call gets it. Errors: kCorrupt (the .db file is missing, too short, of another identity, has unreadable
  /// record headers and no index file that knows them, or is not what the MANIFEST remembers), kUnsupported (newer),
  /// kIo.
  virtual io::Task<Result<>> open() = 0;
  virtual bool is_open() const = 0;

  /// The newest applied version of a document; nothing when there is none or it is deleted.
  virtual io::Task<Result<std::optional<Document>>> find(CollectionId collection, Bytes key) = 0;

  /// As find(), when it can be answered from memory without waiting; else nothing, and find() must be awaited.
  /// `Answer::document` borrows from the tail and is valid until this core's next await.
  struct Answer {
    bool exists = false;
    Lsn lsn;
    Bytes body;
  };
  virtual std::optional<Answer> try_find(CollectionId collection, Bytes key) = 0;

  /// The version of a document that a snapshot sees; nothing when there was none. Costs a record for each version since. Requires horizon <= snapshot <=
  /// applied LSN at the start, that the horizon stays at or below the snapshot until the task has ended, and that the snapshot has the collection.
  virtual io::Task<Result<std::optional<Document>>> find_at(CollectionId collection, Bytes key, Lsn snapshot) = 0;
  /// Whether a put or delete of that id was applied after a snapshot. Requires what find_at() requires.
  virtual io::Task<Result<bool>> changed_since(CollectionId collection, Bytes key, Lsn snapshot) = 0;

  /// Applies one put or delete. Effects of one shard come in LSN order, one at a time; waits only to open, or to see in
  /// the file that a record with the same hash is of the same id. Effects through the checkpoint that the shard was
  /// made with are in its file already: they do nothing (replay). Returns +1, 0 or -1: how the collection's document
  /// count changed. `effect` must live until the task has ended. Errors: those of open(); kCorrupt (the record that had
  /// to be looked at is damaged); kUnsupported (full(), and no room left).
  virtual io::Task<Result<int>> apply(Lsn lsn, const Effect& effect) = 0;
  /// apply() without waiting, when the shard is open and nothing need be read; else nothing was done and apply() must
  /// be awaited.
  virtual std::optional<int> try_apply(Lsn lsn, const Effect& effect) = 0;

  /// Forgets a dropped collection at `lsn`; snapshots below it still see its documents.
  virtual void drop_collection(Lsn lsn, CollectionId collection) = 0;

  /// No snapshot below `horizon` will be asked for any more: history before it may go.
  virtual void set_horizon(Lsn horizon) = 0;

  /// What is kept in memory because a snapshot at or above the horizon may need it, about.
  virtual uint64_t history_bytes() const = 0;

  /// A scan of one collection at one snapshot. Requires horizon <= snapshot <= applied LSN at the start, and that the
  /// horizon stays at or below the snapshot until the scan is destroyed.
  class Scan {
   public:
    virtual ~Scan() = default;
    /// Up to about `max_bytes` of documents (at least one), in ordinal order; empty at the end.
    virtual io::Task<Result<std::vector<Document>>> next(uint64_t max_bytes) = 0;
  };
  /// From the record of that number on: a scan of the same snapshot goes on where another one stopped.
  virtual io::Task<Result<std::unique_ptr<Scan>>> scan(CollectionId collection, Lsn snapshot, Ordinal from = Ordinal()) = 0;

  /// Checks the records in the file from `from` on, about `max_bytes` of them: their bytes, and what index and live sets say of each. Damage is no
  /// error here. Errors: those of open(); kIo.
  struct VerifiedPart {
    Ordinal next;
    bool done = false;
    uint64_t records = 0;
    uint64_t bytes = 0;
    std::vector<std::string> damage;  ///< one sentence per record
  };
  virtual io::Task<Result<VerifiedPart>> verify(Ordinal from, uint64_t max_bytes) = 0;
  /// Documents of a collection now. Requires is_open().
  virtual uint64_t live_count(CollectionId collection) const = 0;

  /// Bytes of records that wait in the memory tail above the last checkpoint.
  virtual uint64_t tail_bytes() const = 0;
  /// Whether records wait in the tail.
  virtual bool dirty() const = 0;
  /// Whether ordinals (2^31) or offsets (32 GiB) run out soon. Admission then refuses writes to this shard; what was
  /// admitted still has room.
  virtual bool full() const = 0;

  /// Appends to the .db file every record with LSN <= cut that is not there, on a new block, and syncs the file.
  /// Records applied meanwhile stay in the tail. Returns what the MANIFEST is to record; nothing of it counts until the
  /// MANIFEST is durable. When the file is made, `created` is set: the caller syncs the directory. One flush at a time;
  /// everything through `cut` has been applied. A flush that failed, or whose MANIFEST was not written, may be
  /// repeated, with any larger cut: it writes the same place again. Durable: the bytes that the returned checkpoint
  /// names. Errors: those of open(); kDiskFull (nothing changed); kUnsupported (the file would pass 32 GiB); kIo
  /// (fatal, as always).
  struct Flushed {
    ShardCheckpoint checkpoint;
    bool created = false;
  };
  virtual io::Task<Result<Flushed>> flush(Lsn cut) = 0;
  /// The MANIFEST with that checkpoint, the last flush's, is durable: the tail records that it covers leave memory.
  /// Then merges the index and writes a new .sidx (unsynced) if it is time; failing to write that is a note in the log.
  virtual io::Task<Result<>> flushed(ShardCheckpoint checkpoint) = 0;
};

}  // namespace holdfast::core
