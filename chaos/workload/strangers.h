// Strangers: who tries to get in without a password, with a wrong one, or to write as a reader; and who looks, as
// somebody who may, whether any of it had an effect.
//
// Place in the system: beside Crud; runs over any io::Host through the client library. What they are answered proves
// nothing, since a plaintext answer may be garbled on its way: judged is what they got to see or left behind.
#pragma once

#include "chaos/oracle/ledger.h"
#include "client/client.h"
#include "io/base/random.h"

namespace holdfast::chaos {

struct StrangersOptions {
  io::Endpoint server;
  client::LoginOptions writer;
  client::LoginOptions reader;
  uint64_t attempts = 12;  ///< of each client
  Duration timeout = seconds(3);
};

class Strangers {
 public:
  Strangers(StrangersOptions options, Ledger& ledger, Rng random)
      : options_(std::move(options)), ledger_(ledger), random_(random) {}

  io::Task<void> run_client(io::Host& host, int index);
  /// Whether what they wrote is there. False when the server did not answer.
  io::Task<bool> verify(io::Host& host);
  uint64_t attempts() const { return attempts_; }

 private:
  io::Task<void> attempt(io::Host& host, std::optional<client::LoginOptions> login, uint64_t number);

  StrangersOptions options_;
  Ledger& ledger_;
  Rng random_;
  uint64_t attempts_ = 0;
};

}  // namespace holdfast::chaos
