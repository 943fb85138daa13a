// AppendHistory: judges transactions over documents that each hold a list, to which numbers are appended that nobody
// appends twice.
//
// Place in the system: pure; beside MoveHistory. A list tells in which order, and by whom, its document was changed
// (the list-append workload of Elle: Kingsbury & Alvaro, VLDB 2020), so that what transactions see can be judged
// exactly. Clients tell it what they ask before they ask, and what they are told.
//
// What it holds a server to:
//   1. What was refused, rolled back, or never asked to commit is never seen; of a transaction that commits everything
//   is, of every key, or nothing. So is
//      one without an answer all or nothing.
//   2. A transaction sees its snapshot and behind it its own appends, however often it looks.
//   3. Each key has one order: all lists seen are beginnings of one, nothing is in it twice, and what was acknowledged
//   stays.
//   4. A snapshot at LSN s is what commits with LSNs up to s have appended, in the order of their LSNs. It is not older
//   than what anybody had been told when it
//      was asked for. A commit's LSN is its own, higher than its snapshot's and than what had been told when it was
//      asked for.
//   5. First committer wins: of two transactions that changed one key the later has the earlier in its snapshot. Reads
//   that are to be *validated* have
//      not changed when their transaction commits. A conflict has a reason: another who changed that key after the
//      snapshot, or was about to.
//   6. By the lists and by real time alone, whatever LSNs say: no order of events that snapshot isolation forbids
//   (DependencyGraph).
//   7. The first outcome stays, however often one asks. What was open when the server ended, or what the server no
//   longer knew, never commits afterwards.
//   8. After a restart what survives is a prefix of the log: of a loss (async mode) a suffix that is lost whole, and
//   never seen again.
//
// Single operations are transactions, too: an append of its own (`append_alone`), a read of one or of all keys at a
// snapshot (`saw`). Numbered requests that are sent again until there is an answer are judged as such: in the list once
// if acknowledged, at most once otherwise, and with one LSN.
//
// Method: 1 to 5 and 7 at the answer that shows it, where LSNs are known; what depends on later answers, the rest of 5,
// and 6 by judge(). Sentences: empty when all fits. Memory grows with the run, which whoever runs it bounds.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "chaos/oracle/append_order.h"
#include "io/base/ids.h"

namespace holdfast::chaos {

class AppendHistory {
 public:
  using Key = uint64_t;  ///< a document, of any collection
  using Value = AppendOrder::Value;
  using List = AppendOrder::List;  ///< a document that is not there is an empty list
  using TransactionId = uint64_t;
  using Sentence = std::string;
  enum class Reads : uint8_t { kFromSnapshot, kValidated };

  /// Keys as people know them.
  explicit AppendHistory(std::function<std::string(Key)> name_of = {}) : name_of_(std::move(name_of)) {}

  // -- Transactions. `after`: what anybody had been told when it was asked for.
  TransactionId begin(Reads reads, Lsn after);
  Sentence begun(TransactionId id, Lsn snapshot);
  Sentence read(TransactionId id, Key key, const List& list);
  /// Asked for. Whoever gets no answer rolls back, or gives up.
  void append(TransactionId id, Key key, Value value);
  /// To commit is asked for, or asked again.
  void commit(TransactionId id, Lsn after);
  Sentence committed(TransactionId id, Lsn lsn);
  /// It changed nothing.
  Sentence committed_without_entry(TransactionId id);
  Sentence conflicted(TransactionId id, Key named);
  /// Also of an append that was refused.
  Sentence rolled_back(TransactionId id);
  /// The server says that it does not know the transaction: it has ended by itself, or with the server.
  void not_known(TransactionId id);
  /// No answer came, and the client asks no more.
  void given_up(TransactionId id);

  // -- Single operations.
  /// Then committed(), conflicted(), rolled_back() or given_up().
  TransactionId append_alone(Key key, Value value, Lsn after) { return append_at_once({{key, value}}, after); }
  /// A whole transaction in one request.
  TransactionId append_at_once(const std::map<Key, Value>& values, Lsn after);
  struct Look {
    Lsn after;
    uint64_t epoch = 0;
    uint64_t asked_at = 0;
  };
  Look look(Lsn after) { return {after, epoch_, ++now_}; }
  Sentence saw(const Look& look, const std::map<Key, List>& lists, Lsn snapshot);
  /// The list as it was at some moment since it was asked for: the answer rests on an LSN, but is no snapshot at it.
  Sentence saw_one(const Look& look, Key key, const List& list, Lsn rests_on);

  /// The server came back with everything up to `survived` and nothing after it. `lossy`: that may be less than was
  /// acknowledged; then what is wrong with what was asked until then, as judge() would say.
  std::vector<Sentence> restarted(Lsn survived, bool lossy);
  /// Changes when something may have been lost: an answer to what was asked in an earlier epoch is no answer any more
  /// (given_up).
  uint64_t epoch() const { return epoch_; }

  /// What cannot have been, by all that is known now.
  std::vector<Sentence> judge() const;
  std::vector<Sentence> judge_places() const;  ///< by LSNs
  std::vector<Sentence> judge_cycles() const;  ///< without them

  size_t transactions() const { return transactions_.size(); }
  const List& order_of(Key key) { return orders_[key].values(); }

 private:
  friend class AppendPlaces;
  friend class AppendCycles;
  enum class Fate : uint8_t { kOpen, kAsked, kCommitted, kRefused, kRolledBack, kLost };
  struct Transaction {
    Fate fate = Fate::kOpen;
    bool single = false;
    bool validated = false;
    bool given_up = false;
    bool not_known = false;
    bool ended = false;  // the server has been restarted since: it cannot commit any more
    bool late = false;   // to commit was asked for only then
    uint64_t epoch = 0;
    Lsn after;              // its snapshot is not older
    Lsn commit_after;       // its commit is later
    Lsn high = Lsn::max();  // and not later than this
    std::optional<Lsn> snapshot;
    std::optional<Lsn> lsn;    // as acknowledged
    uint64_t asked_at = 0;     // these count what the history is told
    uint64_t answered_at = 0;  // the last answer that says what it saw or did; 0: none
    uint64_t over_at = 0;      // from then on it holds nobody up; 0: not over
    std::map<Key, List> appends;
    std::map<Key, size_t> reads;   // how much of each list its snapshot shows
    std::map<Key, size_t> was_at;  // where its run began before a loss that it may have survived
    bool seen = false;             // of some key
  };
  struct Source {
    TransactionId by = 0;
    Key key = 0;
  };

  Transaction& at(TransactionId id) { return transactions_.at(id); }
  const Transaction& at(TransactionId id) const { return transactions_.at(id); }
  bool happened(const Transaction& t) const { return t.seen || t.lsn.has_value(); }
  std::string name(Key key) const { return name_of_ ? name_of_(key) : "key " + std::to_string(key); }
  std::string tell(TransactionId id) const;
  Sentence about(Key key, Sentence wrong) const;
  TransactionId ask(Lsn after);
  void add_append(TransactionId id, Key key, Value value);
  Sentence learn(Key key, const List& list);
  Sentence extend(Key key, AppendOrder& order, const List& list);
  Sentence may_be_seen(TransactionId id) const;
  Sentence commit_is_possible(TransactionId id) const;
  Sentence wins(TransactionId id, Key key, Lsn lsn) const;
  bool justified(TransactionId id, Key key) const;
  Sentence fail(TransactionId id, Fate fate);
  void end(TransactionId id, Lsn survived);
  void lose(Lsn survived);
  size_t certain_runs(const AppendOrder& order, Lsn survived) const;
  void lose_order(Key key, AppendOrder& order, Lsn survived);

  std::function<std::string(Key)> name_of_;
  std::map<TransactionId, Transaction> transactions_;
  std::map<Key, AppendOrder> orders_;
  std::unordered_map<Value, Source> sources_;  // never iterated
  std::map<Key, std::vector<TransactionId>>
      touched_;  // who changes it, or reads it to be validated, in the order of asking
  uint64_t now_ = 0;
  uint64_t epoch_ = 0;
  TransactionId last_id_ = 0;
};

}  // namespace holdfast::chaos
