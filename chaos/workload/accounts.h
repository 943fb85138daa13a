// Accounts: clients that add, change and remove users of a running server, try their passwords, new and old, and look
// at the list.
//
// Place in the system: beside Strangers; runs over any io::Host through the client library; judged by UserLedger. Who
// gets in proves that the password was right. Who is turned away proves nothing while messages may be garbled: only
// verify(), when all is calm, takes that for an answer.
#pragma once

#include "chaos/oracle/user_ledger.h"
#include "client/client.h"
#include "io/base/random.h"

namespace holdfast::chaos {

struct AccountsOptions {
  io::Endpoint server;
  client::LoginOptions manager;  ///< may read and write, and is not touched
  uint64_t users = 2;
  uint64_t operations = 20;  ///< per client
  Duration pause_max = milliseconds(100);
  Duration timeout = seconds(3);
};

class Accounts {
 public:
  Accounts(AccountsOptions options, Ledger& ledger, Rng random)
      : options_(std::move(options)), ledger_(ledger), users_(ledger), random_(random) {}

  /// One client, from beginning to end.
  io::Task<void> run_client(io::Host& host, int index);
  /// Every password that any user ever had is tried. False when the server did not answer all of it.
  io::Task<bool> verify(io::Host& host);
  uint64_t changes() const { return changes_; }

 private:
  using Operation = UserModel::Operation;
  struct Session;
  io::Task<void> step(Session& s);
  io::Task<void> change(Session& s, std::string user);
  io::Task<bool> log_in(io::Host& host, std::string user, uint64_t password);
  io::Task<bool> list(client::Client& client);
  client::LoginOptions login(std::string user, uint64_t password) const;

  AccountsOptions options_;
  Ledger& ledger_;
  UserLedger users_;
  Rng random_;
  uint64_t last_password_ = 0;
  uint64_t changes_ = 0;
  std::map<std::string, std::vector<uint64_t>> passwords_;  ///< that each user was ever to have
  bool calm_ = false;
};

}  // namespace holdfast::chaos
