// Crud: clients that insert, insert many, update, delete, read, count and export, and tell the ledger what they were told.
//
// Place in the system: runs over any io::Host (simulated or real) through the client library; no OS, no judgement of its own.
//
// Collections and keys. `docs`: a few keys that all clients fight over with every operation; nothing is sent twice. `once`: keys of the generated shape, each
// written by one insert and never changed, whose inserts the client library may send again and again. `many`: the same, inserted in batches.
#pragma once

#include <functional>

#include "chaos/oracle/ledger.h"
#include "client/client.h"
#include "io/base/random.h"

namespace holdfast::chaos {

struct CrudOptions {
  io::Endpoint server;
  std::optional<client::LoginOptions> login = std::nullopt;  ///< nothing: plaintext
  bool sessions = true;  ///< changes have numbers, and are sent again when their answers are lost
  int clients = 3;
  uint64_t keys = 12;             ///< in `docs`
  uint64_t operations = 60;       ///< per client; 0: until asked to stop
  Duration pause_max = milliseconds(20);  ///< between two operations of a client
  Duration timeout = seconds(2);
  /// Whether a client performs its operation of that number, counted from 0. Nothing: all. What each operation draws and
  /// writes follows from its number, so leaving some out does not change the others.
  std::function<bool(int client, uint64_t operation)> performs;
};

/// How often what was done, for the report.
struct CrudCounts {
  uint64_t performed = 0;  ///< operations of clients
  uint64_t asked = 0;      ///< requests, those of verify() included
  uint64_t answered = 0;
  uint64_t refused = 0;
  uint64_t unknown = 0;
  uint64_t exports = 0;
  uint64_t questions = 0;
};

/// State shared by the clients of a run. Everything belongs to one core.
class Crud {
 public:
  Crud(CrudOptions options, Ledger& ledger, Rng random) : options_(std::move(options)), ledger_(ledger), random_(random) {}

  /// One client, from beginning to end. `index`: 0 … clients - 1.
  io::Task<void> run_client(io::Host& host, int index);
  /// Clients end after the operation that they are in.
  void stop() { stopping_ = true; }

  /// Reads every document and exports every collection, and tells the ledger. Clients may go on meanwhile. False when the server did not answer.
  io::Task<bool> verify(io::Host& host);

  /// Inserts until the server says that its disk is full; false when it takes `most` inserts without saying so.
  io::Task<bool> fill(io::Host& host, uint64_t most);
  /// Inserts until one is acknowledged; false when none is within `limit`.
  io::Task<bool> insert_within(io::Host& host, Duration limit);

  const CrudCounts& counts() const { return counts_; }
  /// Asked between two operations of a client; a suite that pauses its clients waits here.
  std::function<io::Task<void>()> before_each;
  /// How many documents there are in collections of others, at that LSN. Without it the total that the server tells is not judged.
  std::function<Bounds(Lsn)> documents_elsewhere;
  /// Reads that fail as `corrupt` are tolerated (media faults); the others are violations.
  bool tolerate_corrupt = false;
  /// The same for `internal`, which a read that the disk refused comes out as.
  bool tolerate_internal = false;

 private:
  struct Session;
  io::Task<void> step(Session& s);
  io::Task<void> insert(Session& s);
  /// Why not, if it was not acknowledged.
  io::Task<std::optional<Code>> insert_once(Session& s);
  io::Task<void> insert_batch(Session& s);
  io::Task<void> update(Session& s);
  io::Task<void> remove(Session& s);
  io::Task<bool> read(Session& s, std::string collection, std::string key);
  /// Both: whether the server answered.
  io::Task<bool> count(Session& s, std::string collection);
  io::Task<bool> stats(Session& s);
  void judge_count(const std::string& of, uint64_t documents, Bounds can, Lsn lsn);
  io::Task<bool> ask(Session& s, std::string collection);
  io::Task<bool> export_collection(Session& s, std::string collection);
  std::string pick_key(Session& s);
  std::string fresh_key(Session& s);
  /// What every answer comes down to. True: there is a value.
  template <class T>
  bool take(OperationId id, const Result<client::Answer<T>>& result);

  CrudOptions options_;
  Ledger& ledger_;
  Rng random_;
  bool stopping_ = false;
  std::vector<std::string> once_;                ///< keys inserted, or tried to
  std::vector<std::vector<std::string>> batches_;  ///< the same, by batch
  CrudCounts counts_;
};

}  // namespace holdfast::chaos
