// Transactions: clients that use transactions: over lists (Lists), accounts (Bank) and jobs (Jobs).
//
// Place in the system: beside Crud and Bulk; runs over any io::Host through the client library; no OS.
#pragma once

#include "chaos/workload/bank.h"
#include "chaos/workload/jobs.h"
#include "chaos/workload/lists.h"

namespace holdfast::chaos {

struct TransactionsOptions {
  io::Endpoint server;
  std::optional<client::LoginOptions> login = std::nullopt;  ///< nothing: plaintext
  ListsOptions lists;
  BankHistory::Bank bank;
  TransactionRules rules;
  uint64_t operations = 40;  ///< per client: transactions, and what is asked beside them; 0: until it is stopped
  Duration pause_max = milliseconds(20);
  Duration timeout = seconds(2);
};

class Transactions {
 public:
  Transactions(TransactionsOptions options, Ledger& ledger, Rng random);

  /// One client, from beginning to end.
  io::Task<void> run_client(io::Host& host, int index);
  /// Clients end after what they are in.
  void stop() { stopping_ = true; }
  /// Reads everything. False when the server did not answer all of it.
  io::Task<bool> verify(io::Host& host);
  /// Judges the whole of it.
  void judge() { lists_.judge(); }
  void tolerate_corrupt() { lives_.tolerate_corrupt = true; }
  void tolerate_internal(bool yes) { lives_.tolerate_internal = yes; }

  /// How many documents there are at that LSN.
  Bounds count(Lsn lsn) const;
  uint64_t asked() const { return lists_.asked() + bank_.asked() + jobs_.asked(); }
  uint64_t committed() const { return lists_.committed() + bank_.moved() + jobs_.taken(); }
  uint64_t conflicts() const { return lists_.conflicts(); }

 private:
  TransactionsOptions options_;
  Rng random_;
  TransactionLives lives_;
  Lists lists_;
  Bank bank_;
  bool stopping_ = false;
  Jobs jobs_;
};

}  // namespace holdfast::chaos
