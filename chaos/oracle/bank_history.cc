#include "chaos/oracle/bank_history.h"

#include <fmt/format.h>

namespace holdfast::chaos {

BankHistory::Sentence BankHistory::below_zero(const std::map<Account, int64_t>& balances, Lsn snapshot) const {
  std::map<uint64_t, int64_t> owners;
  for (auto [account, balance] : balances) {
    owners[owner_of(account)] += balance;
    if (bank_.floor == Floor::kAccount && balance < 0)
      return fmt::format("account {} has {} at LSN {}", account, balance, snapshot.value);
  }
  if (bank_.floor != Floor::kOwner) return {};
  for (auto [owner, sum] : owners)
    if (sum < 0) return fmt::format("the accounts of owner {} have {} together at LSN {}", owner, sum, snapshot.value);
  return {};
}

BankHistory::Sentence BankHistory::saw(const std::map<Account, int64_t>& balances, Lsn snapshot) {
  if (balances.empty() && snapshot < made_by_) return {};
  if (balances.size() != bank_.accounts)
    return fmt::format("{} of {} accounts are there at LSN {}", balances.size(), bank_.accounts, snapshot.value);
  int64_t total = 0, due = static_cast<int64_t>(bank_.accounts) * bank_.first_balance;
  for (auto [account, balance] : balances) total += balance;
  if (total != due)
    return fmt::format("all accounts have {} together at LSN {}, but {} were put there", total, snapshot.value, due);
  auto [same, first] = seen_.emplace(snapshot, balances);
  for (auto [account, balance] : same->second)
    if (balances.at(account) != balance)
      return fmt::format("account {} has {} at LSN {}, and at the same LSN it has {}", account, balance, snapshot.value,
                         balances.at(account));
  made(snapshot);
  return below_zero(balances, snapshot);
}

void BankHistory::restarted(Lsn survived, bool lossy) {
  if (!lossy) return;
  seen_.erase(seen_.upper_bound(survived), seen_.end());
  if (made_by_ > survived) made_by_ = Lsn::max();
}

}  // namespace holdfast::chaos
