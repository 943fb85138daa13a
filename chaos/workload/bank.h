// Bank: clients that move money between accounts by transactions, and look at all accounts.
//
// Place in the system: a part of Transactions; BankHistory judges. Accounts {_id, o: owner, b: balance} are made
// together. A transfer looks at what its rule asks for: at nothing (Floor::kNone), at the accounts (kAccount), or, with
// validated reads, at all accounts of the owner (kOwner).
#pragma once

#include <set>

#include "chaos/oracle/bank_history.h"
#include "chaos/workload/transaction_lives.h"

namespace holdfast::chaos {

class Bank {
 public:
  Bank(BankHistory::Bank bank, TransactionLives& lives, Ledger& ledger)
      : history_(bank), lives_(lives), ledger_(ledger) {}

  io::Task<void> step(TransactionSession& s);
  /// False when the server did not answer.
  io::Task<bool> verify(TransactionSession& s) { return look(s); }
  void restarted(Lsn recovered, bool lossy);

  Bounds count(Lsn lsn) const;
  uint64_t moved() const { return moved_; }
  uint64_t asked() const { return asked_; }

 private:
  using Account = BankHistory::Account;
  using Balances = std::map<Account, int64_t>;
  struct Transfer {
    OpenTransaction tx;
    Account from = 0, to = 0;
    int64_t amount = 0;
    bool failed = false;  ///< or the rule forbids it
  };

  io::Task<void> make(TransactionSession& s);
  io::Task<bool> look(TransactionSession& s);
  io::Task<void> transfer(TransactionSession& s);
  io::Task<void> look_first(TransactionSession& s, Transfer& t);
  io::Task<void> look_within(TransactionSession& s, Transfer& t, bool changed);
  io::Task<void> book(TransactionSession& s, Transfer& t, Account account, int64_t amount);
  io::Task<void> end(TransactionSession& s, Transfer& t);
  io::Task<void> transfer_at_once(TransactionSession& s);
  template <class T>
  bool heard(TransactionSession& s, Transfer& t, const TransactionLives::Asked& asked, const Result<T>& result);
  std::optional<Balances> balances_of(const client::Documents& documents);
  const BankHistory::Bank& bank() const { return history_.bank(); }

  BankHistory history_;
  TransactionLives& lives_;
  Ledger& ledger_;
  std::set<uint64_t> made_in_;  ///< epochs of the ledger
  Lsn made_by_ = Lsn::max();
  uint64_t moved_ = 0;
  uint64_t asked_ = 0;
};

}  // namespace holdfast::chaos
