// Collections: clients that make, fill, read, drop and make again a few collections in two databases, and tell what they were told.
//
// Place in the system: beside Crud; runs over any io::Host through the client library; no OS, no judgement of its own. Documents are written once, under ids that
// are not of the generated shape, so that nothing is sent twice; they go only with their collection.
#pragma once

#include "chaos/oracle/collection_ledger.h"
#include "client/client.h"
#include "io/base/random.h"

namespace holdfast::chaos {

struct CollectionsOptions {
  io::Endpoint server;
  std::optional<client::LoginOptions> login = std::nullopt;  ///< nothing: plaintext
  bool sessions = true;  ///< changes have numbers, and are sent again when their answers are lost
  uint64_t collections = 2;      ///< in the default database; as many in the other
  uint64_t operations = 60;      ///< per client
  uint64_t drops = 10;           ///< of a hundred operations
  bool streams = false;          ///< read in small pages, too, with pauses between them
  Duration pause_max = milliseconds(20);
  Duration timeout = seconds(2);
};

class Collections {
 public:
  Collections(CollectionsOptions options, Ledger& ledger, Rng random)
      : options_(std::move(options)), ledger_(ledger), collections_(ledger), random_(random) {}

  /// One client, from beginning to end.
  io::Task<void> run_client(io::Host& host, int index);
  /// Reads everything in every way there is. False when the server did not answer all of it.
  io::Task<bool> verify(io::Host& host);

  const CollectionLedger& ledger() const { return collections_; }
  uint64_t asked() const { return asked_; }
  uint64_t drops() const { return drops_; }
  bool tolerate_corrupt = false;
  bool tolerate_internal = false;

 private:
  using Name = CollectionLedger::Name;
  struct Session;
  io::Task<void> step(Session& s);
  io::Task<void> insert(Session& s, Name name, uint64_t documents);
  io::Task<void> drop(Session& s, Name name);
  io::Task<void> create(Session& s, Name name);
  io::Task<bool> read(Session& s, Name name, std::string key);
  io::Task<bool> find_all(Session& s, Name name);
  io::Task<bool> export_all(Session& s, Name name);
  io::Task<bool> stream_all(Session& s, Name name);
  io::Task<bool> count(Session& s, Name name);
  io::Task<bool> exists(Session& s, Name name);
  io::Task<bool> list(Session& s, std::string database);
  io::Task<bool> database_exists(Session& s);
  Name pick(Session& s) const;
  std::vector<Name> names() const;
  /// The key of a document that is what its only write made it; tells the ledger otherwise.
  std::optional<std::string> key_of(const Name& name, Bytes document);
  void failed_read(const Error& error);
  template <class T>
  bool take(OperationId id, const Result<T>& result);

  CollectionsOptions options_;
  Ledger& ledger_;
  CollectionLedger collections_;
  Rng random_;
  uint64_t last_value_ = 0;
  std::map<std::string, std::pair<Name, uint64_t>> written_;  ///< where each key was written, and its value
  std::map<Name, std::vector<std::string>> keys_;
  uint64_t asked_ = 0;
  uint64_t drops_ = 0;
};

}  // namespace holdfast::chaos
