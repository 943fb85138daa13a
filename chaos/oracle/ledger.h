// Ledger: the oracle of the durability suites: what was asked and answered, and whether a correct server can have answered so.
//
// Place in the system: pure; fed by the workload's clients (simulated or real) and by whoever crashes and restarts the server. It judges
//   - each document: answers are linearizable, whatever crashes between (DocumentHistory);
//   - durability: after a restart nothing acknowledged is missing, by the rules of the mode; what survives is a prefix;
//   - LSNs: an acknowledged change has an LSN of its own; an answer rests on no earlier LSN than what had been acknowledged, to anyone, when it was
//     asked; `durable_lsn` never passes what survives. Where the disk can be looked at: what is said to be durable is in its durable bytes when it is said.
//     An answer that shows a write rests on that write's LSN, or a later one.
//   - snapshots: an export shows every document as it may have been at the export's LSN.
//
// Violations are collected as sentences; none means the run was correct as far as it went.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "chaos/oracle/bounds.h"
#include "chaos/oracle/document_history.h"

namespace holdfast::chaos {

using DocumentName = std::string;  ///< collection and key, as the workload names them

/// How the server's last incarnation ended, as far as durability cares.
enum class Loss : uint8_t {
  kNothing,          ///< clean stop, or process death: everything acknowledged survives in either mode
  kUnsynced,         ///< power cut: in async mode what was above the durable LSN may be gone
};

struct LedgerMode {
  bool sync = true;
};

class Ledger {
 public:
  using Selects = std::function<bool(const DocumentName&, const DocumentState&)>;

  explicit Ledger(LedgerMode mode) : mode_(mode) {}

  OperationId invoke(const DocumentName& document, const Operation& operation);
  enum class Effect : uint8_t {
    kNone,       ///< the reply says that nothing changed
    kOwnEntry,   ///< it changed something, by an entry of its own
    kSomeEntry,  ///< by an entry at or before that LSN: a batch's, or an earlier attempt's
  };
  /// `lsn` and `durable` as in the reply; 0 when it had none.
  void answer(OperationId id, const Answer& answer, Effect effect, Lsn lsn, Lsn durable);
  /// The request is known not to have happened (refused before evaluation).
  void refused(OperationId id);
  /// No answer came, and the client has given up on it.
  void abandoned(OperationId id);

  /// The server ended. Until restarted() nothing is answered.
  void ended(Loss loss);
  /// It serves again, and says that it is committed through `recovered`.
  void restarted(Lsn recovered);

  /// All documents of a collection as an export showed them at `snapshot`; the ledger knows which documents there are.
  /// With `selects`: those that it selects, of all.
  void snapshot(const std::string& prefix, Lsn snapshot, const std::map<DocumentName, DocumentState>& documents, const Selects& selects = {});
  void violation(std::string sentence);

  /// Bookkeeping for judges beside this one: an answer about `what` that was asked after `after` was acknowledged rests on `lsn`.
  void acknowledged(const std::string& what, Lsn after, Lsn lsn, Lsn durable);
  /// How many documents there were at that LSN whose names begin like that, by what is known.
  /// With `selects`: of those that it selects.
  Bounds count(const std::string& prefix, Lsn snapshot, const Selects& selects = {}) const;
  /// How many there are now. Holds of whatever was looked at since, as long as moves() stays what it was.
  Bounds count(const std::string& prefix) const;
  /// How often something was asked or answered.
  uint64_t moves() const { return moves_; }
  /// Called by restarted(): what was recovered, and whether that may be less than what was acknowledged.
  std::vector<std::function<void(Lsn recovered, bool lossy)>> on_restart;

  /// Tells through which LSN a power cut at this moment would surely leave the log. Empty: nobody can tell.
  std::function<Lsn()> durable_through;
  /// Told, as a sentence, everything the ledger is told: for traces.
  std::function<void(const std::string&)> tell;
  /// Told that there is a violation, once it is in the list.
  std::function<void()> on_violation;

  const std::vector<std::string>& violations() const { return violations_; }
  uint64_t answered() const { return answered_count_; }
  Lsn highest_acknowledged() const { return highest_lsn_; }
  /// Changes when the server came back with less than it had acknowledged (async mode): LSNs of different epochs do not compare.
  uint64_t epoch() const { return epoch_; }
  Lsn highest_durable() const { return highest_durable_; }
  /// Operations under way on that document: workloads leave a document alone when there are many.
  size_t under_way(const DocumentName& document) const;
  std::vector<DocumentName> documents() const;

 private:
  struct UnderWay {
    DocumentName document;
    Operation operation;
    uint64_t epoch = 0;
    Lsn after;  // acknowledged, to whomever, when it was asked
    bool abandoned = false;
  };
  LedgerMode mode_;
  std::map<DocumentName, DocumentHistory> histories_;
  std::map<OperationId, UnderWay> under_way_;
  OperationId last_id_ = 0;
  uint64_t moves_ = 0;
  uint64_t answered_count_ = 0;
  Lsn highest_lsn_;      // that any reply rested on
  Lsn highest_durable_;  // ever reported
  Loss loss_ = Loss::kNothing;
  uint64_t epoch_ = 0;  // counts restarts that may have lost something: LSNs of different epochs do not compare
  void check_durable(const std::string& what, Lsn lsn, Lsn durable);
  void check_what_it_rests_on(const UnderWay& asked, const Answer& answer, Effect effect, Lsn lsn);
  Lsn seen_durable_;       // in this epoch, on the disk
  std::set<Lsn> changes_;  // LSNs of acknowledged changes
  std::map<uint64_t, Lsn> written_at_;  // by value: where its acknowledged write stands …
  std::map<uint64_t, Lsn> shown_at_;    // … and the lowest LSN at which a read claims to have seen it
  std::vector<std::string> violations_;
};

}  // namespace holdfast::chaos
