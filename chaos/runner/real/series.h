// Series: the rounds on one directory: one ledger, one host for the clients, one server process after the other.
#pragma once

#include "chaos/runner/real/real_suite.h"
#include "chaos/runner/real/relay.h"
#include "chaos/runner/real/server_process.h"
#include "chaos/workload/crud.h"
#include "chaos/workload/flood.h"
#include "chaos/workload/transactions.h"
#include "io/real/real_host.h"

namespace holdfast::chaos {

class Series {
 public:
  Series(const RealOptions& options, Ending ending, std::string mode, std::string directory, uint64_t seed, uint64_t rounds);

  /// Once.
  RealReport run();

 private:
  io::Task<void> all_rounds();
  io::Task<void> run_client(int index);
  io::Task<void> run_transactions(int index);
  void stop_clients();
  /// Starts the server and opens the way to it. Rounds that end it meanwhile are counted. False: it did not start, or the rounds are used up.
  io::Task<bool> start();
  io::Task<bool> take_over();
  io::Task<void> load();
  io::Task<void> verify();
  io::Task<void> end_under_load();
  io::Task<void> last_words();
  void ended();
  void violation(std::string sentence);

  const RealOptions& options_;
  Ending ending_;
  ServerOptions server_options_;
  Rng random_;
  uint64_t rounds_left_;
  Ledger ledger_;
  real::RealHost real_;
  io::Host& host_;
  std::optional<Relay> relay_;
  std::optional<Crud> crud_;
  std::optional<Flood> flood_;
  std::optional<Transactions> transactions_;
  std::optional<io::TaskGroup> clients_;
  std::optional<ServerProcess> server_;
  uint64_t last_checkpoints_ = 0;
  bool clean_ = true;  // the last incarnation stopped clean, or there was none
  bool given_up_ = false;
  RealReport report_;
};

}  // namespace holdfast::chaos
