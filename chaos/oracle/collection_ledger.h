// CollectionLedger: the oracle of collections that come and go: what was asked and answered about them, and whether it fits.
//
// Place in the system: beside the Ledger, to which it tells its violations and which tells it of restarts. The judging is CollectionHistory's; this knows which
// collections there are, and what was acknowledged when something was asked. Databases are never dropped.
#pragma once

#include "chaos/oracle/collection_history.h"
#include "chaos/oracle/ledger.h"

namespace holdfast::chaos {

class CollectionLedger {
 public:
  /// `ledger` outlives it.
  explicit CollectionLedger(Ledger& ledger);

  using Key = CollectionHistory::Key;
  using Name = std::pair<std::string, std::string>;  ///< database and collection

  OperationId insert(const Name& name, std::vector<Key> keys);
  OperationId create(const Name& name);
  OperationId drop(const Name& name);
  void done(OperationId id, Lsn lsn, Lsn durable);
  void refused(OperationId id);
  void abandoned(OperationId id);
  /// Drops of that collection whose outcome is open.
  size_t drops_open(const Name& name) const;

  /// What a reader remembers from before it asks.
  struct Look {
    Lsn after;
    uint64_t epoch = 0;
  };
  Look look() const { return {ledger_.highest_acknowledged(), ledger_.epoch()}; }
  void saw(Look look, const Name& name, const Key& key, bool there, Lsn lsn, Lsn durable);
  void saw_all(Look look, const Name& name, const std::set<Key>& keys, Lsn snapshot);
  void saw_exists(Look look, const Name& name, bool there, Lsn lsn, Lsn durable);
  void saw_database(Look look, const std::string& database, bool there, Lsn lsn, Lsn durable);
  void saw_count(Look look, const Name& name, uint64_t documents, Lsn snapshot);
  /// Of all collections together.
  Bounds count(Lsn snapshot) const;

 private:
  struct UnderWay {
    Name name;
    Look look;
    bool abandoned = false;
  };
  OperationId ask(const Name& name, const char* what, const std::string& of);
  bool comparable(Look look, const Name& name, Lsn lsn, Lsn durable);
  void judge(const Name& name, std::string sentence);
  void restarted(Lsn recovered, bool lossy);

  Ledger& ledger_;
  std::map<Name, CollectionHistory> histories_;
  std::map<OperationId, UnderWay> under_way_;
  OperationId last_id_ = 0;
};

}  // namespace holdfast::chaos
