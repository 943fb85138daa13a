// Indexes: clients that declare, list and drop indexes of a few collections, drop the collections and make them again,
// and ask for what is refused.
//
// Place in the system: beside Collections; runs over any io::Host through the client library; no OS. The collections
// hold no documents: judged is what is remembered, by DeclarationLedger, and that what is refused leaves nothing.
#pragma once

#include "chaos/oracle/declaration_ledger.h"
#include "client/client.h"
#include "io/base/random.h"

namespace holdfast::chaos {

struct IndexesOptions {
  io::Endpoint server;
  bool sessions = true;  ///< drops of collections have numbers, and are sent again when their answers are lost
  uint64_t collections = 2;
  uint64_t operations = 60;  ///< per client
  uint64_t drops = 10;       ///< of collections, of a hundred operations
  Duration pause_max = milliseconds(20);
  Duration timeout = seconds(2);
};

class Indexes {
 public:
  Indexes(IndexesOptions options, Ledger& ledger, Rng random)
      : options_(std::move(options)), ledger_(ledger), declared_(ledger), random_(random) {}

  /// One client, from beginning to end.
  io::Task<void> run_client(io::Host& host, int index);
  /// Lists the indexes of all collections. False when the server did not answer all of it.
  io::Task<bool> verify(io::Host& host);

  uint64_t asked() const { return asked_; }
  uint64_t declared() const { return declares_; }
  bool tolerate_corrupt = false;
  bool tolerate_internal = false;

 private:
  using Operation = DeclarationModel::Operation;
  struct Session;
  io::Task<void> step(Session& s);
  io::Task<void> declare(Session& s, std::string collection);
  io::Task<void> drop(Session& s, std::string collection);
  io::Task<void> ask(Session& s, std::string collection);
  io::Task<void> drop_collection(Session& s, std::string collection);
  io::Task<void> create_collection(Session& s, std::string collection);
  io::Task<bool> list(Session& s, std::string collection);
  io::Task<void> ask_amiss(Session& s, std::string collection);
  io::Task<Result<client::Answer<Buffer>>> call(Session& s, wire::Op op, const std::string& collection, Buffer args);
  /// What an answer to a change comes down to when it is neither done nor what `refusal` says.
  template <class T>
  void take(OperationId id, const Result<T>& result, Code refusal);
  void check_census(const std::string& collection, Bytes census);
  std::optional<Declarations> declarations(const std::string& collection, Bytes list);
  void complain(const Error& error);

  IndexesOptions options_;
  Ledger& ledger_;
  DeclarationLedger declared_;
  Rng random_;
  uint64_t asked_ = 0;
  uint64_t declares_ = 0;
};

}  // namespace holdfast::chaos
