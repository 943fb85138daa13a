// BankHistory: judges accounts between which transactions move money: none is made or lost, at any moment that anybody
// sees.
//
// Place in the system: pure; beside AppendHistory, which judges transactions more sharply but asks for documents of its
// own. This one takes ordinary updates.
//
// What it holds a server to:
//   1. Every snapshot has all accounts, and the total that there was at the beginning: a move is seen of both sides or
//   of neither.
//   2. One LSN, one set of balances: snapshots at the same LSN are equal, whoever takes them and however often.
//   3. By the rule that the workload keeps, what must not go below zero does not. A transfer that looks at the account
//   it takes from, which it changes, needs
//      no more than first committer wins; one that looks at all of an owner's accounts needs validated reads (write
//      skew).
// Snapshots of a lost epoch say nothing about what comes afterwards.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "io/base/ids.h"

namespace holdfast::chaos {

class BankHistory {
 public:
  using Account = uint64_t;  ///< 0 … accounts - 1
  using Sentence = std::string;
  enum class Floor : uint8_t {
    kNone,
    kAccount,  ///< no account goes below zero
    kOwner,    ///< an owner's accounts together do not
  };
  struct Bank {
    uint64_t accounts = 0;
    uint64_t accounts_per_owner = 1;
    int64_t first_balance = 0;  ///< of each account
    Floor floor = Floor::kNone;
  };

  explicit BankHistory(Bank bank) : bank_(bank) {}

  const Bank& bank() const { return bank_; }
  uint64_t owner_of(Account a) const { return a / bank_.accounts_per_owner; }

  /// The accounts have been made, at or before that LSN: all at once.
  void made(Lsn by) { made_by_ = std::min(made_by_, by); }
  /// All accounts at one snapshot.
  Sentence saw(const std::map<Account, int64_t>& balances, Lsn snapshot);
  /// `lossy`: what was after `survived` may be lost.
  void restarted(Lsn survived, bool lossy);

 private:
  Sentence below_zero(const std::map<Account, int64_t>& balances, Lsn snapshot) const;

  Bank bank_;
  Lsn made_by_ = Lsn::max();
  std::map<Lsn, std::map<Account, int64_t>> seen_;
};

}  // namespace holdfast::chaos
