// Lists: clients whose transactions append to lists, and tell the judge of lists (AppendHistory) what they did and saw.
//
// Place in the system: a part of Transactions. No OS, no judgement of its own but of what a transaction must find after
// what it has done itself.
//
// Documents {_id, n, l: [n numbers]}, spread over collections of several databases. A document comes with its first
// number and never goes for good: a transaction that deletes one inserts it again before it commits, with one number
// more. Transactions read single documents (by id, by query) and all of a collection, count, append in any way that
// there is; they commit, once or again and again, roll back, are left alone, or are found again much later. Their
// requests come over several connections, some at the same time. Beside them single appends and reads, and whole
// transactions in one request (tx_batch).
//
// What was not answered cannot be gone on with: who appended something and does not know whether, rolls back.
#pragma once

#include <map>

#include "chaos/oracle/append_history.h"
#include "chaos/workload/transaction_lives.h"

namespace holdfast::chaos {

struct ListsOptions {
  uint64_t keys = 6;
  uint64_t places = 3;  ///< collections: 1 to 9
  Duration pause_max = milliseconds(20);
};

class Lists {
 public:
  using Key = AppendHistory::Key;
  using List = AppendHistory::List;

  Lists(ListsOptions options, TransactionLives& lives, Ledger& ledger);

  /// What one client keeps from step to step.
  struct Tx;
  using Strays = std::vector<std::shared_ptr<Tx>>;
  /// One transaction, or whatever is asked instead of one.
  io::Task<void> step(TransactionSession& s, Strays& strays);
  void give_up(Strays& strays);

  /// Reads all lists. False when the server did not answer all of it.
  io::Task<bool> verify(TransactionSession& s);
  void judge();
  void restarted(Lsn recovered, bool lossy);

  Bounds count(Lsn lsn) const;
  uint64_t committed() const { return committed_; }
  uint64_t conflicts() const { return conflicts_; }
  uint64_t asked() const { return asked_; }

 private:
  using Asked = TransactionLives::Asked;
  using TxRef = std::shared_ptr<Tx>;

  // lists.cc: what is within a transaction
  io::Task<TxRef> begin(TransactionSession& s);
  io::Task<void> act(TransactionSession& s, Tx& t);
  io::Task<void> act_at_once(TransactionSession& s, Tx& t);
  io::Task<void> read_one(TransactionSession& s, Tx& t, Key key);
  io::Task<void> read_all(TransactionSession& s, Tx& t, uint64_t place);
  io::Task<void> count_all(TransactionSession& s, Tx& t, uint64_t place);
  io::Task<void> append(TransactionSession& s, Tx& t, Key key);
  io::Task<bool> append_to_present(TransactionSession& s, Tx& t, Key key, uint64_t value);
  io::Task<bool> append_to_absent(TransactionSession& s, Tx& t, Key key, uint64_t value);
  io::Task<bool> upsert(TransactionSession& s, Tx& t, Key key, uint64_t value);
  io::Task<bool> write_again(TransactionSession& s, Tx& t, Key key, uint64_t value);
  template <class T>
  bool heard(TransactionSession& s, Tx& t, const Asked& asked, const Result<T>& result);
  enum class Absent : uint8_t { kIsRead, kIsNotSeen };
  void told(Tx& t, Key key, const List& list, Absent absent);
  bool expect(bool right, const char* wrong);
  std::optional<std::map<Key, List>> lists_of(const client::Documents& documents, uint64_t place);
  std::optional<List> list_of(Bytes document, Key key);

  // lists_end.cc: how transactions end, and what is beside them
  io::Task<void> transaction(TransactionSession& s, Strays& strays);
  io::Task<void> go_on(TransactionSession& s, Strays& strays);
  io::Task<void> finish(TransactionSession& s, TxRef t, Strays& strays);
  io::Task<void> leave(TransactionSession& s, TxRef t);
  io::Task<void> commit(TransactionSession& s, Tx& t);
  struct CommitAsk {
    Asked asked = {};
    std::optional<Result<client::Stamp>> done = {};
    bool decided = false;
  };
  io::Task<bool> ask_commit(TransactionSession& s, Tx& t);
  io::Task<void> ask_commit_once(TransactionSession& s, Tx& t, CommitAsk& one);
  io::Task<void> ask_after_end(TransactionSession& s, Tx& t);
  bool told_commit(TransactionSession& s, Tx& t, const Asked& asked, const Result<client::Stamp>& done);
  bool told_failure(TransactionSession& s, Tx& t, const Asked& asked, const Error& error);
  io::Task<void> roll_back(TransactionSession& s, Tx& t);
  io::Task<void> append_alone(TransactionSession& s);
  io::Task<bool> look_at_one(TransactionSession& s);
  io::Task<bool> look_at_all(TransactionSession& s, uint64_t place);
  io::Task<bool> look_within(TransactionSession& s);
  io::Task<void> batch(TransactionSession& s);
  io::Task<void> pause(TransactionSession& s);

  void note(const AppendHistory::Sentence& sentence) {
    if (!sentence.empty()) ledger_.violation(sentence);
  }
  void tell(const std::string& sentence) const {
    if (ledger_.tell) ledger_.tell(sentence);
  }
  void shown(const std::map<Key, List>& lists, Lsn lsn);

  Key some_key(TransactionSession& s) const { return keys_[s.random.below(keys_.size())]; }
  /// All of a collection.
  std::vector<Key> keys_at(uint64_t place) const;

  ListsOptions options_;
  std::vector<Key> keys_;
  uint64_t places_ = 0;  ///< that have a key
  TransactionLives& lives_;
  Ledger& ledger_;
  AppendHistory history_;
  std::map<Key, Lsn> there_;  ///< documents that have been there since that LSN, or earlier
  uint64_t last_value_ = 0;
  uint64_t asked_ = 0;
  uint64_t committed_ = 0;
  uint64_t conflicts_ = 0;
};

}  // namespace holdfast::chaos
