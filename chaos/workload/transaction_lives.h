// TransactionLives: what a server promises of how long it knows a transaction, and whether it keeps that; and what
// clients of transactions have in common.
//
// Place in the system: beside Lists and Bank, which tell it when they ask and what they hear. No OS.
//
// What it holds a server to, by the clocks of clients, which run up to a tenth too fast or too slow, as the server's
// does:
//   1. A transaction that was used a moment ago is known, unless it has ended, the server has started since, or is
//   allowed to be short of memory.
//   2. One that nobody used for longer than the server allows is not known; nor is one that began before the server's
//   last start.
//   3. The outcome of one that has ended is remembered for as long as promised.
#pragma once

#include "chaos/oracle/ledger.h"
#include "client/client.h"
#include "io/base/random.h"

namespace holdfast::chaos {

struct TransactionRules {
  Duration idle = seconds(60);
  Duration remembered = seconds(60);
  bool short_of_memory = false;  ///< it may refuse transactions, and end them before their time
};

/// One client: its connections, and what it draws from.
struct TransactionSession {
  TransactionSession(io::Host& h, client::Options options, Rng stream)
      : host(h), client(h, std::move(options)), random(stream) {}
  Time now() const { return host.clock.now(); }
  io::Host& host;
  client::Client client;
  Rng random;
};

/// One transaction of a client, as far as its life is concerned.
struct OpenTransaction {
  client::Transaction handle;
  uint64_t life = 0;  ///< of the server
  Time used_from;     ///< a request that was answered had been sent then
  Time used_by;       ///< the last answer came then
  uint32_t under_way = 0;
  bool unanswered = false;         ///< some request, and it may still arrive
  bool ending = false;             ///< to end it was asked for
  std::optional<Time> ended_from;  ///< the request that was told the outcome had been sent then
};

class TransactionLives {
 public:
  TransactionLives(TransactionRules rules, Ledger& ledger) : rules_(rules), ledger_(ledger) {}

  const TransactionRules& rules() const { return rules_; }
  /// Counts starts of the server.
  uint64_t life() const { return life_; }
  void restarted() { ++life_; }

  struct Asked {
    Time at;
    uint64_t life = 0;
    Duration unused;  ///< for at least so long nobody has used it
  };
  Asked ask(OpenTransaction& t, Time now) const;
  /// `error`: null for a success.
  void heard(OpenTransaction& t, const Asked& asked, Time now, const Error* error);
  /// What may be said about anything: whether an error is one that no server of these suites may give.
  void judge(const Error& error);

  bool tolerate_corrupt = false;
  bool tolerate_internal = false;

 private:
  TransactionRules rules_;
  Ledger& ledger_;
  uint64_t life_ = 0;
};

}  // namespace holdfast::chaos
