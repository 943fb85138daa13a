// Locks: clients that race, with identical documents, to insert the same key first, and break their own connections.
//
// Place in the system: beside Crud; speaks the protocol itself, one connection per attempt, so that it decides when a connection ends. A client that got no answer
// sends the identical insert again on a new connection; the server may take that for a repeat and say "done", but only to who has inserted it. Whatever breaks,
// of all clients at most one is told "done" for a key.
//
// All attempts of a client at a key are one operation to the ledger: an insert that nobody else's may stand in for (but see Machines).
#pragma once

#include "chaos/oracle/ledger.h"
#include "io/base/random.h"
#include "io/host.h"

namespace holdfast::chaos {

struct LocksOptions {
  io::Endpoint server;
  uint64_t keys = 20;                     ///< one after the other, each client tries each
  Duration pause_max = milliseconds(20);  ///< between two keys
  Duration timeout = seconds(2);          ///< for one attempt
  int attempts = 6;
  /// Clients that share a machine cannot be told apart by the server: one of them may be told "done" for what another inserted and was not told. They believe
  /// it when their next request on that connection is answered, too; from then on nobody else is told.
  enum class Machines : uint8_t { kOwn, kShared } machines = Machines::kOwn;
};

class Locks {
 public:
  Locks(LocksOptions options, Ledger& ledger, Rng random) : options_(std::move(options)), ledger_(ledger), random_(random) {}

  /// One client, from beginning to end.
  io::Task<void> run_client(io::Host& host, int index);

  uint64_t asked() const { return asked_; }
  uint64_t repeated() const { return repeated_; }  ///< done by a later attempt than the first that was sent

 private:
  enum class Fate : uint8_t { kDone, kDuplicate, kRefused, kLost };
  struct Outcome {
    Fate fate = Fate::kLost;
    Lsn lsn;
    Lsn durable;
  };
  io::Task<void> take_lock(io::Host& host, Rng& random, uint64_t n);
  /// Whether somebody has it: who is told "done" after somebody was seen to must be the one.
  io::Task<void> look(io::Host& host, std::string key);
  io::Task<Outcome> attempt(io::Host& host, Rng& random, std::string key, uint64_t value);
  Outcome outcome_of(Bytes reply);

  LocksOptions options_;
  Ledger& ledger_;
  Rng random_;
  std::map<std::pair<uint64_t, uint64_t>, int> holders_;  ///< by key and the ledger's epoch: a loss frees a lock
  uint64_t asked_ = 0;
  uint64_t repeated_ = 0;
};

}  // namespace holdfast::chaos
