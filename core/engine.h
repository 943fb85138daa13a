// Engine: the database of one server, from a decoded request to the durable, visible change and back.
//
// Place in the system: sessions call it; it owns the catalog, the shards, the overlay of pending writes, the journal and the checkpoints. One EngineCore
// per core of the host does the work (engine_core.h); this class is what the cores share and what the outside sees.
//
// A write's way: the session's core resolves the names, sends the request to the core of the document's shard; that core locks the document, evaluates against
// committed state and overlay, adds the effects to the overlay and posts one entry to the journal (core 0). When the journal reports it
// committed, every core applies it in LSN order, and only then the reply is released.
//
// Invariants (DESIGN terms): what is acknowledged is committed; nothing uncommitted is returned; a reply is held until everything its evaluation read is
// committed; per document, evaluation order is LSN order; a core serves a read at LSN s only when it has applied through s.
//
// Cores: open() and stop() are called on core 0; every other call from any core, and its task resumes there.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/index_spec.h"
#include "core/journal.h"
#include "core/modification.h"
#include "core/session_table.h"
#include "core/transaction.h"
#include "io/host.h"

namespace holdfast::core {

struct EngineOptions {
  std::string data_path;
  /// Unset: what the directory was made with; 256 and sync for a new one. Set and different from the directory's: kUnsupported, naming both.
  std::optional<uint16_t> shard_count;
  std::optional<SyncMode> mode;
  bool convert_mode = false;  ///< allows `mode` to differ: the directory is converted before anything is served
  JournalOptions journal;     ///< its `mode` is set from the directory
  uint64_t checkpoint_bytes = uint64_t{64} << 20;  ///< journal bytes after which a checkpoint begins; at four times that, writers are slowed
  uint32_t max_databases = 64;
  uint32_t max_collections = 100'000;
  uint32_t requests_per_shard = 4096;  ///< evaluating or waiting for commit; more wait at admission
  uint32_t scan_yield_documents = 128; ///< documents between two yields of a scan; of an entry over many documents eight times as many
  uint64_t scan_chunk_bytes = 256 << 10;
  uint32_t index_tail_min = 4096;
  // Cursors of streams and exports (cursors.h).
  uint32_t max_cursors = 10'000;
  Duration cursor_idle = seconds(600);       ///< a cursor that nobody asks for so long is dropped
  Duration cursor_abandoned = seconds(30);   ///< idle for so long, it may have to make way for a new one
  Duration cursor_done = seconds(15);        ///< how long one stays whose last page was given, for whoever asks for that again
  Duration snapshot_age = seconds(3600);     ///< the longest that a cursor keeps its snapshot
  uint64_t history_bytes = uint64_t{256} << 20;     ///< what snapshots may keep in memory; beyond, the older half of the cursors loses theirs
  uint64_t page_ahead_bytes = uint64_t{64} << 20;   ///< what sorted pages keep for the pages after them, all cursors together
  uint64_t pages_bytes = uint64_t{256} << 20;       ///< of pages in the making, all together; a page may pass its own by one document
  uint64_t page_scan_bytes = uint64_t{256} << 20;   ///< how much a page without a sort looks at before it ends, however little it found
  // Transactions (transactions.h).
  uint32_t max_transactions = 1000;
  Duration transaction_idle = seconds(60);        ///< one that no request uses for so long is rolled back
  Duration transaction_remembered = seconds(60);  ///< for how long it is known how one ended; or until 100,000 others have
  uint64_t transactions_bytes = uint64_t{512} << 20;  ///< what all that are open have written, and read to be validated
  // Sessions (session_table.h).
  uint32_t max_sessions = 100'000;  ///< those used longest ago make way
  uint64_t session_bytes = uint64_t{128} << 20;  ///< of outcomes that all of them remember
  Duration stall_after = seconds(10);  ///< no entry was committed for so long though some wait: the disk does not answer, writes are refused
  Duration repeat_window = seconds(60);  ///< how long an identical insert counts as a repeat (see Repeat)
  int id_hash_bits = 64;                 ///< simulation: fewer, so that hashes collide
  bool accept_loss = false;              ///< repair (repair.h): the log ends where it cannot be followed; quarantines end
};

/// Where a request works: names as the client gave them, and the transaction within which; and which request of a session it is. A database is 1-63 of [A-Za-z0-9_-], a collection 1-255 bytes of
/// UTF-8 without control characters.
struct Name {
  std::string_view database;
  std::string_view collection;
  std::string_view transaction = {};  ///< as begin_transaction() gave it; empty: none
  /// A request that changes something is executed once, however often it comes with its number: then it gives the first result, at the first LSN. (One that has
  /// changed nothing is executed again.) Further errors: kSessionUnknown; kUnknownOutcome: it is too long ago. Not within transactions.
  Numbered request = {};
};
Result<> check_database_name(std::string_view name);
Result<> check_collection_name(std::string_view name);

/// What a reply tells: the result or error, and the LSN it rests on. Both kinds are released only when that LSN is committed.
template <class T>
struct Reply {
  Result<T> result;
  Lsn lsn;
};

/// Whether an insert that finds an identical document (same bytes) inserted within `repeat_window` is answered as done. An insert whose `_id` has
/// the generated shape (60 ASCII letters) always is, unless kNever says otherwise; others only when the session knows that the connection that
/// sent the first one broke.
enum class Repeat : uint8_t { kByShape, kAccept, kNever };

struct CollectionStats {
  std::string database;
  std::string name;
  uint64_t documents = 0;
};

struct EngineStats {
  Lsn committed;
  Lsn durable;
  Lsn checkpoint;  ///< of the newest MANIFEST
  uint64_t checkpoints = 0;
  uint64_t journal_bytes = 0;  ///< since the last checkpoint
  uint64_t tail_bytes = 0;     ///< records in memory
  uint16_t shard_count = 0;
  SyncMode mode = SyncMode::kSync;
  bool read_only = false;
  bool stalled = false;  ///< writes are refused because the disk does not answer (EngineOptions::stall_after)
  uint64_t damaged_documents = 0;  ///< in quarantine (quarantine.h)
  uint64_t open_transactions = 0;
  bool damaged_shards = false;     ///< a shard's file is damaged so that the log could not be applied to it: read-only until repaired
  uint64_t server_id = 0;
  std::vector<CollectionStats> collections;  ///< by database, then name
};

/// One page of a stream: some documents of one snapshot. The pages together have all, in order, without gaps or repeats.
struct DocumentPage {
  std::vector<Buffer> documents;
  Buffer cursor;  ///< empty: that was the last page
  Lsn snapshot;
};

/// Which page of a stream, and how much of it.
struct StreamPosition {
  uint64_t fingerprint = 0;  ///< of what the stream is of (cursor_token.h): the same for all its pages
  uint64_t documents = 0;    ///< at most so many; 0: as bytes allow
  uint64_t bytes = 0;        ///< the page ends with the document that reaches it
  Bytes cursor;              ///< empty: the first
};

/// A part of a verification of a running server: what is damaged in it, and how far it has come.
struct VerifyPage {
  std::vector<std::string> damage;  ///< one sentence each
  uint64_t records = 0;             ///< in this part
  uint64_t bytes = 0;
  uint64_t shards_done = 0;  ///< of all databases, so far
  uint64_t shards = 0;
  Buffer cursor;  ///< empty: that was the last part
};

/// How the documents of a collection stand to an index that is declared.
struct IndexCensus {
  static constexpr size_t kMaxIssues = 100;
  struct Issue {
    Buffer id;            ///< the document's, a MessagePack value
    size_t field = 0;     ///< of the index
    std::string actual;   ///< the type of what it has there
  };
  uint64_t fitting = 0;
  uint64_t others = 0;  ///< they lack a value, or have one of another type
  std::vector<Issue> issues;  ///< of those with another type, at most kMaxIssues …
  bool truncated = false;     ///< … and there are more
};

class Engine {
 public:
  virtual ~Engine() = default;

  /// Takes the directory's lock, recovers, and is ready to serve. Notes about what recovery found go to the host's log.
  /// Errors: kLocked, kCorrupt, kUnsupported (newer or other settings), kDiskFull, kIo: the directory is refused and unchanged.
  static io::Task<Result<std::unique_ptr<Engine>>> open(io::Host& host, EngineOptions options);

  /// Stops clean: ends checkpoints, commits and syncs what was taken, checkpoints, seals. Requires that no call is under way any more.
  virtual io::Task<Result<>> stop() = 0;

  /// Returns when the engine has stopped for good by itself (a failed write or sync), with the reason; or, with kShuttingDown, after stop(). From core 0.
  virtual io::Task<Error> failed() = 0;

  // Documents. Every Bytes argument must live until the task has ended. Within a transaction all of these read what it sees, and write what is seen by others
  // once it has committed. Further errors there: kTxUnknown; kTooLarge and kOverloaded (what it has written and read takes too much memory); kSnapshotTooOld.

  /// Inserts one document; adds a generated `_id` when it has none. Returns the `_id` as MessagePack. Makes the collection when it is not there.
  /// Errors: kDuplicateKey, kBadRequest, kTooLarge, kReadOnly, kDiskFull, kCorrupt.
  virtual io::Task<Reply<Buffer>> insert_one(Name name, Bytes document, Repeat repeat) = 0;
  /// Inserts all or none, as one entry. Returns the ids in order. Further errors: kTooLarge for the whole.
  virtual io::Task<Reply<std::vector<Buffer>>> insert_many(Name name, std::vector<Bytes> documents, Repeat repeat) = 0;
  /// The newest committed version; nothing when there is none. `id` is a MessagePack value.
  virtual io::Task<Reply<std::optional<Buffer>>> find_by_id(Name name, Bytes id) = 0;
  /// Documents as asked for, at one snapshot. kTooLarge when they pass the bounds. The one document that a query by _id asks for is answered whatever
  /// its size.
  virtual io::Task<Reply<std::vector<Buffer>>> find(Name name, const Find& find, FindBounds bounds) = 0;
  virtual io::Task<Reply<uint64_t>> count(Name name, const Query& query) = 0;
  /// Modifies one document that matches, or upserts. kConflict when other writers changed every candidate again and again meanwhile.
  virtual io::Task<Reply<Modified>> modify_one(Name name, const Modification& change) = 0;
  /// Modifies all documents that match at one snapshot, as one entry: all or none, and none that others have changed since the snapshot. Or upserts
  /// one. Errors: those of the update on any of the documents; kTooLarge (the changes pass kMaxEntryEffects); kConflict (others went on changing which
  /// documents match).
  virtual io::Task<Reply<Modified>> modify_many(Name name, const Modification& change) = 0;

  // Transactions (transactions.h).

  /// Its id. The snapshot, which is what the reply rests on, has everything that was acknowledged before the call. kOverloaded: too many are open.
  virtual io::Task<Reply<Buffer>> begin_transaction(TransactionOptions options) = 0;
  /// One entry with everything that was written, at the LSN that is returned. Asked again, it gives the first outcome, for a while.
  /// Errors: kConflict, naming the document: another has changed it since the snapshot; those of a write. On any of them the transaction is rolled back.
  /// kTxUnknown: it has ended, was idle for too long, or the server has started since.
  virtual io::Task<Reply<Lsn>> commit_transaction(std::string_view id, Numbered request = {}) = 0;
  /// kTxUnknown as above; none for one that has been rolled back.
  virtual io::Task<Reply<bool>> roll_back_transaction(std::string_view id) = 0;

  // Sessions (session_table.h).

  /// Its id, drawn. Durable like any commit.
  virtual io::Task<Reply<uint64_t>> open_session() = 0;
  /// Whether there was one.
  virtual io::Task<Reply<bool>> close_session(uint64_t session) = 0;
  /// What has become of a request; waits while it is under way. Nothing: it has not been executed, so far. Errors: kSessionUnknown, kUnknownOutcome.
  virtual io::Task<Reply<std::optional<SessionOutcome>>> request_outcome(Numbered request) = 0;

  // Catalog. Never within a transaction.

  /// Idempotent.
  virtual io::Task<Reply<bool>> create_collection(Name name) = 0;
  /// False when there was none.
  virtual io::Task<Reply<bool>> drop_collection(Name name) = 0;
  virtual io::Task<Reply<bool>> database_exists(std::string_view database) = 0;
  virtual io::Task<Reply<bool>> collection_exists(Name name) = 0;
  virtual io::Task<Reply<std::vector<std::string>>> list_databases() = 0;
  virtual io::Task<Reply<std::vector<std::string>>> list_collections(std::string_view database) = 0;

  // Declared indexes (index_spec.h). They are remembered; no query uses them so far.

  /// Idempotent; makes the collection when it is not there. Errors: those of check_index(); kBadRequest (there is one of these paths with other types), kTooLarge (too
  /// many).
  virtual io::Task<Reply<IndexCensus>> create_index(Name name, const IndexSpec& index) = 0;
  /// `index`: its name. kNotFound.
  virtual io::Task<Reply<bool>> drop_index(Name name, std::string_view index) = 0;
  virtual io::Task<Reply<std::vector<IndexSpec>>> list_indexes(Name name) = 0;
  /// Of one that is declared, at one snapshot. kNotFound.
  virtual io::Task<Reply<IndexCensus>> index_census(Name name, std::string_view index) = 0;

  // Whole server.

  virtual io::Task<Reply<EngineStats>> stats() = 0;
  /// Returns when all that was acknowledged before the call is durable.
  virtual io::Task<Reply<bool>> flush() = 0;
  /// A page of all that find() would answer, whatever its size, at the snapshot at which the first page was taken. Without a sort in a fixed but undefined order.
  /// Any page may be asked for again, also an older one: the same cursor and numbers give the same page. A page may be empty and not the last. With a sort
  /// every few pages cost a scan. Errors: kBadRequest (no cursor, or one of another stream), kCursorExpired (idle too long, or of an earlier life), kSnapshotTooOld,
  /// kOverloaded (too many cursors), kTooLarge (sort keys), kCorrupt. Requires that `find` lives until the task has ended.
  virtual io::Task<Reply<DocumentPage>> stream_page(Name name, const Find& find, StreamPosition from) = 0;
  /// The same of all documents of a collection.
  virtual io::Task<Reply<DocumentPage>> export_page(Name name, Bytes cursor, uint64_t max_bytes) = 0;

  /// Checks the next `max_bytes` of the shards' files against checksums, index and live sets, beside everything else; the last part also counts against
  /// live sets. Any cursor may be asked for again. What is only in memory or in the log is not looked at. Errors: kBadRequest (no cursor), kIo.
  virtual io::Task<Reply<VerifyPage>> verify_page(Bytes cursor, uint64_t max_bytes) = 0;

  /// Repair: ends quarantines, and checkpoints so that nothing of the log before now is needed any more. Requires accept_loss. From core 0.
  virtual io::Task<Result<>> settle_loss() = 0;

  /// Committed and durable LSN as of now, for replies; any core.
  virtual Lsn committed_lsn() const = 0;
  virtual Lsn durable_lsn() const = 0;
};

}  // namespace holdfast::core
