// Bulk: clients that change many documents with one request, and that upsert, and tell what they were told.
//
// Place in the system: beside Crud; runs over any io::Host through the client library; no OS, no judgement of its own but of the upserts.
//
// Three collections. `moves`: a fixed set of documents in groups, which updates of many, and of one, move from group to group (MoveHistory). `batches`: inserted
// together, never changed, deleted together (CollectionLedger, for which each batch is a collection). `upserts`: one document per user, found by a query
// that names no `_id`, so that only the server keeps two from being made; each keeps a log of its upserts.
#pragma once

#include "chaos/oracle/collection_ledger.h"
#include "chaos/oracle/move_history.h"
#include "client/client.h"
#include "io/base/random.h"

namespace holdfast::chaos {

struct BulkOptions {
  io::Endpoint server;
  std::optional<client::LoginOptions> login = std::nullopt;  ///< nothing: plaintext
  bool sessions = true;  ///< changes have numbers, and are sent again when their answers are lost
  uint64_t documents = 8;   ///< in `moves`
  uint64_t groups = 3;
  uint64_t users = 3;
  uint64_t operations = 60;  ///< per client
  Duration pause_max = milliseconds(20);
  Duration timeout = seconds(2);
};

class Bulk {
 public:
  Bulk(BulkOptions options, Ledger& ledger, Rng random);

  /// One client, from beginning to end.
  io::Task<void> run_client(io::Host& host, int index);
  /// Reads everything. False when the server did not answer all of it.
  io::Task<bool> verify(io::Host& host);
  /// Judges the whole of it, by what was read last.
  void judge();

  /// How many documents there are at that LSN.
  Bounds count(Lsn lsn) const;
  uint64_t asked() const { return asked_; }
  uint64_t moved() const { return moved_; }  ///< documents, by requests that were answered
  bool tolerate_corrupt = false;
  bool tolerate_internal = false;

 private:
  struct Session;
  using Look = CollectionLedger::Look;
  /// What became of a request for a change.
  enum class Outcome : uint8_t { kDone, kNotAllowed, kDuplicate, kRefused, kUnknown };
  template <class T>
  Outcome outcome_of(const Result<T>& result);
  void failed_read(const Error& error);

  io::Task<void> step(Session& s);
  io::Task<void> make_documents(Session& s);
  io::Task<void> move(Session& s);
  io::Task<void> move_first(Session& s, MoveHistory::Move m);
  io::Task<bool> look_at_moves(Session& s);
  io::Task<void> insert_batch(Session& s);
  io::Task<void> delete_batch(Session& s);
  io::Task<bool> look_at_batch(Session& s, uint64_t batch);
  io::Task<void> upsert(Session& s);
  io::Task<bool> look_at_user(Session& s, uint64_t user);
  void judge_user(uint64_t user, const client::Documents& found, Lsn snapshot);
  void restarted(Lsn recovered, bool lossy);
  void violation(const std::string& sentence) { ledger_.violation(sentence); }
  /// Whether an answer can be judged: its server has lost nothing since it was asked.
  bool comparable(const std::string& what, Look look, Lsn lsn, Lsn durable);

  BulkOptions options_;
  Ledger& ledger_;
  Rng random_;
  MoveHistory moves_;
  std::set<uint64_t> made_in_;  ///< epochs of the ledger in which the documents were made, or found
  CollectionLedger batches_;
  std::vector<uint64_t> sizes_;                           ///< of batches, by number
  std::map<std::pair<uint64_t, uint64_t>, Lsn> deleted_;  ///< by batch and epoch: a delete that found it
  struct Upsert {
    Lsn lsn;
    bool inserted = false;
  };
  std::vector<std::map<uint64_t, Upsert>> users_;  ///< by user: acknowledged upserts
  uint64_t last_upsert_ = 0;
  uint64_t asked_ = 0;
  uint64_t moved_ = 0;
};

}  // namespace holdfast::chaos
