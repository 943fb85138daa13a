// Guarded: what makes a simulated server one with users, as an operator would, and who its clients are.
//
// Place in the system: for suites whose connections are encrypted by our own handshake, with passwords that cost
// little.
#pragma once

#include "chaos/oracle/ledger.h"
#include "chaos/suite/settings.h"
#include "client/client.h"
#include "server/config.h"

namespace holdfast::chaos {

class Guarded {
 public:
  explicit Guarded(Ledger& ledger) : ledger_(ledger) {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  /// Cheap passwords, and ciphers that do not depend on the machine.
  static void configure(Settings& settings, server::Config& config);
  /// `holdfastd user add`, for those who are not there yet. kIo and others when the disk refuses.
  static io::Task<Result<>> add_users(io::Host& host, const server::Config& config);

  /// May read and write. To meet a server with another key than before is a violation.
  client::LoginOptions writer() { return login("writer", "may write"); }
  client::LoginOptions reader() { return login("reader", "may read"); }

 private:
  client::LoginOptions login(const char* user, const char* password);
  Ledger& ledger_;
  std::optional<wire::Public> met_;
};

}  // namespace holdfast::chaos
