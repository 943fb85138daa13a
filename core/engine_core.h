// EngineCore: the part of the engine that lives on one core: its shards, its copy of the catalog, the overlay, and the loop that applies commits.
//
// Place in the system: sessions reach it through Engine; core 0 delivers commits to it. Everything here is used on its own core only; what cores share is
// EngineShared, and of that only the atomics are written after start.
//
// The order that everything rests on: deliveries come from core 0 over one FIFO channel. A commit batch is applied whole before the next delivery is looked
// at; a marker therefore runs when this core has applied exactly what was committed when core 0 sent it. Markers sent to all cores at
// once see one LSN everywhere: that is how snapshots, counts and checkpoints get a consistent cut.
//
// Crash behaviour: nothing here is durable; all of it is rebuilt from MANIFEST, files and journal.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <set>

#include "core/catalog.h"
#include "core/engine.h"
#include "core/overlay.h"
#include "core/quarantine.h"
#include "core/shard.h"
#include "core/transaction.h"
#include "io/base/probe.h"

namespace holdfast::core {

class EngineCore;
class PageHeap;

struct EngineShared {
  io::Host& host;
  EngineOptions options;
  DirectorySettings settings;
  std::vector<std::unique_ptr<EngineCore>> cores = {};
  std::unique_ptr<Journal> journal = nullptr;  ///< core 0 only

  /// Set by recovery, before anything is served: a shard's file is damaged, and entries that concern it could not be applied. The server then takes no
  /// writes and no checkpoints, so that the log keeps them for a repair.
  std::optional<Error> damage = std::nullopt;

  std::atomic<uint64_t> committed = 0;   ///< published before any reply that it releases
  std::atomic<uint64_t> durable = 0;
  std::atomic<bool> disk_full = false;   ///< no room for the journal to grow: writes are refused
  std::atomic<bool> stalled = false;     ///< the disk does not answer: writes are refused
  std::atomic<uint32_t> slow_down_us = 0;  ///< how long each write waits because checkpoints are behind

  /// Stops the engine for good (fail-stop); any core. Set by Engine.
  std::function<void(CoreId from, Error)> fail = {};

  Lsn committed_lsn() const { return Lsn(committed.load(std::memory_order_acquire)); }
  CoreId core_of(ShardId shard) const { return CoreId(static_cast<uint16_t>(shard.value % cores.size())); }
};

/// What one request's evaluation came to. `stale`: the collection went away between resolving its name and evaluating; resolve again.
template <class T>
struct Evaluated {
  Result<T> result;
  Lsn lsn;
  bool stale = false;
};

struct CommitBatch {
  std::vector<EntryRef> entries;  ///< dense, in LSN order
  Lsn through;
};

/// One document of an entry over several, on its way from being locked to finish().
struct PreparedWrite {
  CollectionRef collection = {};
  ShardId shard;
  Buffer key;
  Bytes body;        ///< what is put; once the entry is posted it lies there
  size_t index = 0;  ///< in the request
  EffectKind kind = EffectKind::kPut;
  Buffer owned = {};   ///< of a document that was made here
  bool writes = true;  ///< false: it is locked only
  enum class State : uint8_t { kFree, kRepeat, kTaken } state = State::kFree;  ///< of an insert
  Overlay::Locked locked = nullptr;
  SubmissionRef rests_on = nullptr;  ///< the pending entry that decided the state
};

class EngineCore {
 public:
  EngineCore(EngineShared& shared, CoreId core);

  // Recovery, before run(), by whoever recovers.

  void adopt_catalog(const Catalog& catalog) { catalog_ = catalog; }
  /// Makes the shard known with its checkpoint.
  void adopt_shard(const ShardCheckpoint& checkpoint);
  void adopt_count(CollectionId collection, int64_t documents) { counts_[collection] = documents; }
  io::Task<Result<>> apply_effect(Lsn lsn, const Effect& effect);
  /// Recovery: as apply_effect(), but damage in the shard's file is put up with: the shard answers nothing any more (EngineShared::damage).
  io::Task<Result<>> replay_effect(Lsn lsn, const Effect& effect);
  void adopt_quarantined(const QuarantinedDocument& mark) { quarantine_.add(mark); }
  void adopt_applied(Lsn lsn) { applied_ = lsn; }

  // Deliveries, in order, from core 0.

  void deliver(std::shared_ptr<const CommitBatch> batch);
  void deliver(io::Message marker);
  /// The loop; ends after close() when all deliveries are done.
  io::Task<void> run();
  void close() { deliveries_.close(); }

  Lsn applied() const { return applied_; }
  /// What an answer rests on that looks at this core's state now. In the midst of a batch, when applying waits for the disk, more than applied().
  Lsn seen() const { return std::max(applied_, applying_); }
  io::Task<void> applied_through(Lsn lsn);
  /// Returns when this core has applied the entry, with its LSN; at once for null. Of entries that another core posted only those whose LSN is known.
  io::Task<Lsn> applied(SubmissionRef entry);
  /// Counts a document of an entry or a transaction, which may have a million: whether others are to run before it.
  bool rest_is_due(uint32_t& documents) const { return ++documents % (uint64_t{8} * shared_.options.scan_yield_documents) == 0; }
  const Catalog& catalog() const { return catalog_; }
  /// As it is now; one copy for all who ask between two changes.
  std::shared_ptr<const Catalog> shared_catalog();
  int64_t count(CollectionId collection) const;
  uint64_t tail_bytes() const;
  const Quarantine& quarantine() const { return quarantine_; }
  SessionTable& sessions() { return sessions_; }
  void end_quarantine() { quarantine_ = Quarantine(); }
  /// kCorrupt when this core cannot tell everything about a collection.
  Result<> intact(CollectionRef c);

  // Snapshots: history at and above the oldest is kept on this core.

  void open_snapshot(Lsn lsn) { snapshots_.insert(lsn); }
  void close_snapshot(Lsn lsn) { snapshots_.erase(snapshots_.find(lsn)); }

  // Single documents (evaluate.cc). `after`: what was committed when the request came; the core first applies through it.

  /// True: inserted. Also true for a repeat.
  /// `also`: an effect that goes with it; null: none. It lives until the task has ended.
  io::Task<Evaluated<bool>> insert(CollectionRef c, Lsn after, ShardId shard, Bytes key, Bytes document, Repeat repeat, const Effect* also);
  io::Task<Evaluated<std::optional<Buffer>>> find(CollectionRef c, Lsn after, ShardId shard, Bytes key);
  /// As a snapshot that is open on this core sees it.
  io::Task<Result<std::optional<Buffer>>> find_at(CollectionRef c, Lsn snapshot, ShardId shard, Bytes key);
  struct Target {
    CollectionRef c;
    Lsn after;
    ShardId shard;
    Bytes key;
    std::optional<Lsn> unchanged_since = std::nullopt;  ///< a document that has changed since does not match
    Numbered request = {};
  };
  /// Modifies the document of that key if it matches. When there is none, inserts it if `change` is an upsert whose query asks for that key.
  io::Task<Evaluated<Modified>> modify(Target target, const Modification& change);

  // Several documents as one entry (evaluate_many.cc): prepare on every core in turn, post once, finish on every core; many_writes.h. There is at least one.

  /// Locks and looks at the documents of one collection; `items` are sorted by key. On error or stale nothing stays locked.
  io::Task<Evaluated<bool>> prepare_inserts(Lsn after, std::vector<PreparedWrite*> items, Repeat repeat);
  /// The same of documents that were read at `snapshot`. True: none that is to be written has changed since. When it returns, everything is applied that
  /// was pending for them.
  io::Task<Evaluated<bool>> prepare_changes(Lsn after, std::vector<PreparedWrite*> items, Lsn snapshot);
  /// The same of what a transaction of that snapshot has written and read, in several collections; `items` are sorted by collection and key. kConflict: an item, whose
  /// state is then kTaken, has changed since the snapshot.
  io::Task<Evaluated<bool>> prepare_commit(Lsn after, std::vector<PreparedWrite*> items, Lsn snapshot);
  /// Adds the pending versions (none when `entry` is null) and unlocks. The LSN of `entry` is known. `items` outlive the task.
  io::Task<void> finish(const std::vector<PreparedWrite*>& items, SubmissionRef entry);

  /// A lock that is no document's, see turn_key().
  io::Task<Overlay::Locked> take_turn(CollectionRef c, Bytes key);
  void end_turn(Overlay::Locked turn) { overlay_.unlock(turn); }

  // Numbered requests of sessions that are kept here (session_table.h).

  io::Task<Evaluated<std::optional<SessionOutcome>>> begin_numbered(Numbered request, Lsn after);
  io::Task<bool> end_numbered(Numbered request, Lsn lsn);
  io::Task<Evaluated<std::optional<SessionOutcome>>> ask_numbered(Numbered request, Lsn after);

  // Scans (scan.cc), at a snapshot that is open on this core.

  struct Found {
    Buffer key;       ///< of its id
    Buffer body;      ///< what is answered of it
    Buffer sort_key;  ///< of the find's sort

    /// What it takes, with its place in vectors that grow or are sorted.
    uint64_t memory() const { return 2 * sizeof(*this) + key.size() + body.size() + sort_key.size(); }
  };
  struct InOrder {
    const Sort& sort;
    bool operator()(const Found& a, const Found& b) const { return sort.compare(a.sort_key, a.key, b.sort_key, b.key) < 0; }
  };
  /// Documents of this core's shards that `find` asks for: the first find.wanted() in its order, without one any so many. Nothing is skipped yet.
  /// kTooLarge beyond `memory` bytes. What is `hidden` is left out.
  using Hidden = const TransactionCollection::Writes*;
  io::Task<Result<std::vector<Found>>> scan(CollectionRef c, Lsn snapshot, const Find& find, uint64_t memory, Hidden hidden);
  /// The same of documents that a transaction has written, which nobody changes meanwhile.
  io::Task<Result<std::vector<Found>>> select(const Find& find, const TransactionCollection::Writes& writes, uint64_t memory);
  /// What `change` makes of all that matches.
  struct Changes {
    uint64_t matched = 0;
    std::vector<PreparedWrite> writes;  ///< of those that it changes
    uint64_t bytes = 0;                 ///< about what they take in an entry
  };
  /// kTooLarge beyond `max_bytes`.
  io::Task<Result<Changes>> scan_changes(CollectionRef c, Lsn snapshot, const Modification& change, uint64_t max_bytes, Hidden hidden);
  io::Task<Result<uint64_t>> scan_count(CollectionRef c, Lsn snapshot, const Query& query, Hidden hidden);

  /// How the documents stand to an index; at most `issues` of them are told.
  io::Task<Result<IndexCensus>> scan_census(CollectionRef c, Lsn snapshot, const IndexSpec& index, const Query& everything, size_t issues);

  // Pages of streams (cursor_scan.cc), at a snapshot that the cursor keeps open on this core.

  /// A page in the order of shards and ordinals, in the making: it goes from core to core. On one core at a time.
  struct ScanPage {
    uint64_t cursor = 0;
    CollectionRef collection;
    Lsn snapshot;
    const Find* find = nullptr;
    // Where it goes on: among the core's shards, and there.
    size_t shard_index = 0;
    Ordinal from;
    // What it may still take.
    uint64_t skip = 0;
    uint64_t documents = 0;
    uint64_t bytes = 0;       ///< of what is answered; the last document may pass it
    uint64_t scan_bytes = 0;  ///< of what is looked at
    std::vector<Buffer> found = {};
    bool full() const { return documents == 0 || bytes == 0 || scan_bytes == 0; }
  };
  /// Goes on with a page. True: through all of this core's shards; false: the page is full.
  io::Task<Result<bool>> scan_page(ScanPage& page);
  /// Tells `heap` of every document that matches.
  io::Task<Result<bool>> sort_page(CollectionRef c, Lsn snapshot, const Query& query, PageHeap& heap);
  /// The cursor's snapshot is no longer used on this core.
  void end_cursor(uint64_t cursor, Lsn snapshot);
  /// What history takes in memory that snapshots need, once what none needs is gone.
  uint64_t history_bytes();

  // Verification (verify_online.cc).

  /// A part of one shard; nothing when the shard holds nothing.
  io::Task<Result<std::optional<Shard::VerifiedPart>>> verify_shard(DatabaseId database, ShardId shard, Ordinal from, uint64_t max_bytes);
  /// What a collection's count should be; nothing when some shard is not open or damaged.
  std::optional<int64_t> live_count(CollectionRef c);

  // Catalog barriers.

  /// Stops admitting to the collection and returns when no request is evaluating there.
  io::Task<bool> close_gate(CollectionId collection);

  // Checkpoints.

  struct FlushedShards {
    std::vector<ShardCheckpoint> shards;        ///< all of this core's that have a file
    std::vector<DatabaseId> directories;        ///< of which the names must be synced
  };
  io::Task<Result<FlushedShards>> flush_shards(Lsn cut);
  io::Task<Result<bool>> shards_flushed(std::vector<ShardCheckpoint> checkpoints);

 private:
  template <class Each>
  io::Task<Result<>> each_match(CollectionRef c, Lsn snapshot, const Query& query, Hidden hidden, Each& each);
  struct Slot {
    std::unique_ptr<Shard> shard;
    io::Semaphore requests;
    ShardCheckpoint checkpoint;
    std::optional<Error> damage = std::nullopt;  ///< entries could not be applied: nothing may be read any more
  };
  struct Gate {
    uint32_t evaluating = 0;
    bool closing = false;
    io::WaitList changed;
  };
  struct Delivery {
    std::shared_ptr<const CommitBatch> batch;
    io::Message marker;
  };
  /// What is stored under a key now, pending versions first.
  struct Current {
    bool exists = false;
    Bytes body;                // in `owned`, in the entry, or in the shard's tail until the next await
    Lsn lsn;                   // of a committed version
    SubmissionRef pending;     // null: committed
    std::optional<Buffer> owned;
  };
  /// A scan that ended with a page, kept for the next one. Nothing but speed depends on it.
  struct OpenScan {
    uint64_t cursor = 0;
    size_t shard_index = 0;
    Ordinal next;  ///< where it goes on: with `ahead`, then the scan
    std::unique_ptr<Shard::Scan> scan;
    std::vector<Document> ahead = {};
  };
  static constexpr size_t kOpenScans = 16;
  /// What a locked evaluation wants done: an effect, or nothing; and what the reply rests on.
  struct Verdict {
    SubmissionRef rests_on;
  };

  Slot& slot(DatabaseId database, ShardId shard);
  std::vector<Slot*> slots_of(DatabaseId database);
  Lsn horizon() const { return snapshots_.empty() ? applied_ : *snapshots_.begin(); }
  io::Task<bool> enter(CollectionRef c, Lsn after);
  void leave(CollectionRef c);
  /// kCorrupt when what is newest of that document is not known.
  Result<> intact(const Slot& slot, CollectionId collection, Bytes key) const;
  io::Task<Result<Current>> current(Slot& slot, CollectionRef c, Overlay::Locked document);
  bool is_repeat(const Current& found, Bytes document, Bytes id_value_shape, Repeat repeat) const;
  io::Task<Result<>> unchanged_since(PreparedWrite& item, Lsn snapshot, SubmissionRef& rests_on);
  SubmissionRef post(Overlay::Locked document, const Effect& effect, const Effect* also = nullptr);
  SubmissionRef post(Overlay::Locked document, const Effect& effect, const Target& target, const Modified& outcome);
  void append(SubmissionRef entry);
  io::Task<Result<bool>> insert_locked(Slot& slot, CollectionRef c, ShardId shard, Overlay::Locked document, Bytes body, Repeat repeat,
                                       const Effect* also, Verdict& verdict);
  io::Task<Result<Modified>> modify_locked(Slot& slot, const Target& target, Overlay::Locked document, const Modification& change,
                                           Verdict& verdict);
  Result<Modified> upsert_locked(const Target& target, Overlay::Locked document, const Modification& change, Verdict& verdict);

  io::Task<Result<OpenScan>> open_scan(const ScanPage& page, Slot& slot);
  io::Task<Result<bool>> scan_shard(ScanPage& page, Slot& slot);
  void keep_scan(OpenScan scan);

  bool mine(const Effect& effect) const { return shared_.core_of(effect.shard) == core_; }
  std::optional<int> try_apply(Lsn lsn, const Effect& effect);
  Result<> apply_catalog(Lsn lsn, const Effect& effect);
  io::Task<Result<>> apply_entry(const Entry& entry);
  void note_progress();
  void add_to_count(CollectionId collection, int change) {
    if (change > 0 || !MUTANT("count-ignores-deletes")) counts_[collection] += change;
  }

  EngineShared& shared_;
  CoreId core_;
  Catalog catalog_;
  std::shared_ptr<const Catalog> shared_catalog_;  // null when catalog_ has changed since
  absl::flat_hash_map<DatabaseId, std::vector<std::unique_ptr<Slot>>> slots_;  // by shard id / number of cores
  absl::flat_hash_map<CollectionId, int64_t> counts_;
  Overlay overlay_;
  Quarantine quarantine_;
  SessionTable sessions_;
  std::map<CollectionId, Gate> gates_;
  std::multiset<Lsn> snapshots_;
  std::vector<OpenScan> open_scans_;  // the oldest first

  io::Channel<Delivery> deliveries_;
  Lsn applied_;
  Lsn applying_;  // through the batch that is being applied
  io::WaitList applied_changed_;
  std::deque<std::pair<Time, Lsn>> progress_;  // samples of applied_, one a second, for the repeat window
};

}  // namespace holdfast::core
