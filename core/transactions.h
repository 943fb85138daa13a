// Transactions: those that are open, and what became of those that ended lately.
//
// Place in the system: on core 0, behind the engine, which sends requests here that name a transaction. They belong to the server, not to a connection: any
// connection may go on with one whose id it knows. Requests of one transaction run one after the other.
//
//     begin: gather() opens a snapshot on all cores --> reads there, writes kept in Transaction --> commit: many_writes.h
//
// Commit. Everything that was written (and, if asked for, read) is locked in the one order of locks, and looked at: if nothing has changed since the snapshot,
// pending writes of others included, all of it becomes one entry. Otherwise nothing happens, and the error names the document: first committer wins
// (Berenson et al., 1995: snapshot isolation).
//
// Bounds. Number and memory: EngineOptions::max_transactions, transactions_bytes (also of copies of the catalog: one for all that began between two of its
// changes), kMaxEntryEffects each. Time: one that no request has used for transaction_idle
// ends by itself; so does one whose snapshot is older than snapshot_age, or costs too much history, and such a one takes no more requests but those that end it:
// however busy it is, it gets no older.
//
// What became of an ended one is remembered for a while, so that a commit that is asked again is answered as the first time. After a restart nothing is: an
// entry tells whether a commit has happened, not to whom it belonged.
//
// Crash behaviour: an open transaction is gone, as if it had never been; a committed one is one entry of the log.
#pragma once

#include <deque>

#include "core/engine_core.h"
#include "core/transaction.h"

namespace holdfast::core {

class EngineImpl;

class Transactions {
 public:
  Transactions(EngineImpl& engine, EngineShared& shared) : engine_(engine), shared_(shared) {}

  // All on core 0. `name.transaction` says which. Arguments live until the task has ended.

  io::Task<Reply<Buffer>> begin(TransactionOptions options);
  /// Its LSN, or the snapshot's when there was nothing to write. On any error but kTxUnknown it is rolled back.
  io::Task<Reply<Lsn>> commit(std::string_view id, Numbered request);
  /// Also of one that was rolled back already. kTxUnknown: there is none of that id, or it has committed.
  io::Task<Reply<bool>> roll_back(std::string_view id);

  io::Task<Reply<std::vector<Buffer>>> insert(Name name, const std::vector<Bytes>& documents);
  io::Task<Reply<std::vector<Buffer>>> find(Name name, const Find& find, FindBounds bounds);
  io::Task<Reply<std::optional<Buffer>>> find_by_id(Name name, Bytes id);
  io::Task<Reply<uint64_t>> count(Name name, const Query& query);
  enum class Scope : uint8_t { kOne, kAll };
  io::Task<Reply<Modified>> modify(Name name, const Modification& change, Scope scope);

  /// Ends those that were idle too long, and looks at the memory that snapshots cost. Now and then, one at a time.
  io::Task<void> tidy();
  size_t open() const { return open_.size(); }

 private:
  using Ref = std::shared_ptr<Transaction>;
  struct Outcome {
    enum class Kind : uint8_t { kCommitted, kRolledBack, kFailed } kind;
    uint64_t number;
    uint64_t secret;
    Lsn lsn;
    std::optional<Error> error = std::nullopt;  ///< kFailed
    Time at = {};
  };

  // transactions.cc
  enum class Use : uint8_t { kGoOn, kEnd };
  io::Task<Result<Ref>> take(std::string_view id, Use use = Use::kGoOn);
  void give(const Ref& t);
  Error why_unknown(std::string_view id) const;
  const Outcome* outcome_of(std::string_view id) const;
  bool is_too_old(const Transaction& t) const;
  bool is_over(const Transaction& t) const;
  void end_by_itself(const Ref& t);
  void hold_catalog(Transaction& t, std::shared_ptr<const Catalog> catalog);
  void let_go_of_catalog(Transaction& t);
  void close_snapshots(const Transaction& t);
  void end(const Ref& t, Outcome outcome);
  void end_idle();
  void make_room();
  template <class T, class F>
  io::Task<Reply<T>> within(std::string_view id, F run);

  // transaction_run.cc
  using Found = std::vector<EngineCore::Found>;
  Result<TransactionCollection*> collection(Transaction& t, Name name);
  io::Task<Result<std::optional<Buffer>>> committed(Transaction& t, const TransactionCollection& c, Bytes key);
  io::Task<Result<std::optional<Buffer>>> current(Transaction& t, const TransactionCollection& c, Bytes key);
  Result<> put(Transaction& t, TransactionCollection& c, Bytes key, std::optional<Buffer> body, bool was_there);
  void store(Transaction& t, TransactionCollection& c, Bytes key, std::optional<Buffer> body, bool was_there);
  Result<> note_read(Transaction& t, TransactionCollection& c, Bytes key);
  Result<> room_for(const Transaction& t, uint64_t bytes) const;
  io::Task<Result<Found>> scan(Transaction& t, TransactionCollection& c, const Find& find, FindBounds bounds);
  io::Task<Reply<std::vector<Buffer>>> insert_in(Transaction& t, Name name, const std::vector<Bytes>& documents);
  io::Task<Reply<std::vector<Buffer>>> find_in(Transaction& t, Name name, const Find& find, FindBounds bounds);
  io::Task<Reply<std::optional<Buffer>>> find_by_id_in(Transaction& t, Name name, Bytes id);
  io::Task<Reply<uint64_t>> count_in(Transaction& t, Name name, const Query& query);
  io::Task<Reply<Modified>> modify_in(Transaction& t, Name name, const Modification& change, Scope scope);
  io::Task<Result<Modified>> modify_one(Transaction& t, TransactionCollection& c, const Modification& change);
  io::Task<Result<Modified>> modify_document(Transaction& t, TransactionCollection& c, Bytes key, const Modification& change);
  io::Task<Result<Modified>> modify_all(Transaction& t, TransactionCollection& c, const Modification& change);
  io::Task<Result<Modified>> upsert(Transaction& t, TransactionCollection& c, const Modification& change);

  // transaction_commit.cc
  io::Task<Reply<Lsn>> write(Transaction& t, Numbered request);
  io::Task<Reply<Lsn>> write_resolved(Transaction& t, Numbered request);
  io::Task<Result<>> resolve_all(Transaction& t);
  static bool misses_collections(const Transaction& t);
  io::Task<void> look_for_collections(Transaction& t);
  std::vector<PreparedWrite> prepare(const Transaction& t);
  io::Task<void> write_half(std::vector<PreparedWrite>& items);

  EngineImpl& engine_;
  EngineShared& shared_;
  uint64_t last_number_ = 0;
  uint32_t beginning_ = 0;  // not in open_ yet
  uint64_t bytes_ = 0;      // of all that are open, and of the catalogs that they see
  absl::flat_hash_map<const Catalog*, uint32_t> catalogs_;  // by how many each is seen; never iterated
  std::map<uint64_t, Ref> open_;  // by number: in the order in which they began
  std::map<uint64_t, Outcome> ended_;
  std::deque<uint64_t> forget_next_;  // of ended_, the oldest first
};

}  // namespace holdfast::core
