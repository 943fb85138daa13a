// Jobs: documents that transactions take away: each once, by whoever commits first.
//
// Place in the system: a part of Transactions. Documents {_id: number} are inserted one by one, with numbers that
// nobody used before. A transaction looks for the first, in any way, and deletes it. What there is besides it shows
// whether a deletion is seen as the change that it is.
//
// What it holds a server to:
//   1. No job is taken twice: of two transactions that delete one document the later is refused.
//   2. At an LSN a job is there when it was inserted by then and not taken, and no other.
#pragma once

#include <map>
#include <set>

#include "chaos/workload/transaction_lives.h"

namespace holdfast::chaos {

class Jobs {
 public:
  Jobs(TransactionLives& lives, Ledger& ledger) : lives_(lives), ledger_(ledger) {}

  io::Task<void> step(TransactionSession& s);
  /// False when the server did not answer.
  io::Task<bool> verify(TransactionSession& s) { return look(s); }
  void restarted(Lsn recovered, bool lossy);

  Bounds count(Lsn lsn) const;
  uint64_t asked() const { return asked_; }
  uint64_t taken() const { return taken_; }

 private:
  struct Job {
    std::optional<Lsn> inserted;  // as acknowledged
    std::optional<Lsn> taken;     // likewise
    uint64_t takes_without_answer = 0;
  };

  io::Task<void> insert(TransactionSession& s);
  io::Task<void> take(TransactionSession& s);
  io::Task<std::optional<uint64_t>> take_first(TransactionSession& s, const client::Transaction& t);
  io::Task<void> commit(TransactionSession& s, const client::Transaction& t, uint64_t job, uint64_t epoch);
  io::Task<bool> look(TransactionSession& s);
  void judge(const std::set<uint64_t>& there, Lsn lsn);

  TransactionLives& lives_;
  Ledger& ledger_;
  std::map<uint64_t, Job> jobs_;
  uint64_t last_ = 0;
  uint64_t asked_ = 0;
  uint64_t taken_ = 0;
};

}  // namespace holdfast::chaos
