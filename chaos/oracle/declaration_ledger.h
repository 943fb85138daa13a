// DeclarationLedger: the oracle of declared indexes: what was asked and answered about them, and whether it fits.
//
// Place in the system: beside the Ledger, to which it tells its violations and which tells it of restarts. The judging
// is DeclarationHistory's, a collection each; this knows what was acknowledged when something was asked, and so where
// in the log each change stands: after a loss in async mode what is declared must be what was declared at the LSN that
// the server came back with.
#pragma once

#include "chaos/oracle/declaration_history.h"
#include "chaos/oracle/ledger.h"

namespace holdfast::chaos {

class DeclarationLedger {
 public:
  using Operation = DeclarationModel::Operation;

  /// `ledger` outlives it.
  explicit DeclarationLedger(Ledger& ledger);

  OperationId invoke(const std::string& collection, const Operation& operation);
  /// `lsn` and `durable` as in the reply.
  void answer(OperationId id, const DeclarationModel::Answer& answer, Lsn lsn, Lsn durable);
  /// It was told that what it asks for cannot be, as things are: not_found, or an index of another type.
  void answer_not_done(OperationId id);
  /// It changed nothing, or nobody was told what it saw.
  void refused(OperationId id);
  /// No answer came, and the client has given up on it.
  void abandoned(OperationId id);
  /// Operations under way on that collection: the workload leaves one alone when there are many.
  size_t under_way(const std::string& collection) const;

 private:
  struct UnderWay {
    std::string collection;
    Operation operation;
    uint64_t epoch = 0;
    Lsn after;  // committed when it was asked: what it changes stands behind that
    bool abandoned = false;
  };
  std::optional<UnderWay> settle(OperationId id, const DeclarationModel::Answer& answer, Lsn lsn);
  void restarted(Lsn recovered, bool lossy);

  Ledger& ledger_;
  std::map<std::string, DeclarationHistory> histories_;
  std::map<OperationId, UnderWay> under_way_;
  OperationId last_id_ = 0;
  Lsn recovered_;  // by the server's present life
};

}  // namespace holdfast::chaos
