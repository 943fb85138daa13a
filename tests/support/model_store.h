// ModelStore: a tiny correct store with a log, delays and crashes, played by dice and told to a Ledger as a workload would tell it; with one
// fault planted it does one thing wrong now and then. What the judge's tests judge the judge by.
#pragma once

#include <deque>

#include "chaos/oracle/ledger.h"
#include "io/base/random.h"

namespace holdfast::test {

enum class Fault : uint8_t {
  kNone,
  kStaleRead,              ///< a read answers with what was there before it began
  kLostAtCrash,            ///< one surviving entry's effect is missing after a restart
  kLostUpdate,             ///< an update does not see the one before it
  kResurrected,            ///< a deleted document is back after a restart
  kReusedLsn,              ///< two entries get one LSN
  kFalselyDurable,         ///< replies report more durable than there is
  kFalseDuplicate,         ///< an insert is refused though nothing is there
  kUpdateTwice,            ///< an update takes effect twice
  kUncommittedRead,        ///< a read sees what is not committed
  kSnapshotMisses,         ///< a snapshot leaves a document out
  kSnapshotFromTheFuture,  ///< a snapshot shows a change above its LSN
  kPhantom,                ///< a snapshot shows what nobody wrote
};
const char* name(Fault fault);

class ModelStore {
 public:
  ModelStore(uint64_t seed, Fault fault);

  /// That many steps, then everything is finished, answered and read once more.
  void run(int steps);
  const chaos::Ledger& ledger() const { return ledger_; }
  /// The fault made a difference.
  bool struck() const { return struck_; }

 private:
  using States = std::map<chaos::DocumentName, chaos::DocumentState>;
  struct Part {
    chaos::OperationId id;
    chaos::DocumentName document;
    chaos::Operation operation;
    chaos::Answer answer;
    bool changed = false;
    bool uncommitted = false;  // a read's answer shows what is not committed
  };
  struct Request {
    std::vector<Part> parts;  // more than one: a batch of inserts
    Lsn committed_before;     // when it was asked
    bool evaluated = false;
    bool sent_again = false;  // an earlier attempt may have been executed
    bool abandoned = false;   // nobody waits for the answer
    Lsn lsn;                  // what the answer rests on
  };
  struct Entry {
    Lsn lsn;
    States puts;
  };
  struct Snapshot {
    Lsn lsn;
    States documents;
  };

  void step();
  void ask();
  void ask_batch();
  void evaluate(Request& r);
  void evaluate_read(Part& p, Lsn committed_before);
  void evaluate_write(Part& p, States& puts);
  void commit();
  void answer(size_t at);
  void abandon(size_t at);
  void begin_snapshot();
  void tell_snapshot();
  void crash();
  void break_survivors();
  void finish();
  bool strikes();
  States at(Lsn lsn) const;
  chaos::DocumentState state(const chaos::DocumentName& document, Lsn lsn) const;
  Lsn last() const { return log_.empty() ? Lsn() : log_.back().lsn; }
  Lsn reported_durable();
  /// One of the requests for which `wanted` holds; -1 when there is none.
  template <class F>
  int pick(F wanted);

  Fault fault_;
  Rng random_;
  bool sync_;
  chaos::Ledger ledger_;
  std::deque<Entry> log_;
  Lsn committed_, durable_, falsely_reported_;
  std::vector<Request> requests_;
  std::vector<Snapshot> snapshots_;
  std::vector<std::pair<chaos::DocumentName, chaos::DocumentState>> shown_uncommitted_;
  uint64_t last_value_ = 0;
  bool struck_ = false;
};

}  // namespace holdfast::test
