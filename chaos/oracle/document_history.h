// DocumentHistory: decides, while a run goes on, whether the answers about one document can come from a linearizable store.
//
// Place in the system: pure; one per document in the Ledger, which judges simulated and real runs alike.
//
// Method: just-in-time linearization (Lowe, "Testing for linearizability", 2017; after Wing and Gong, 1993). A configuration is a state that the document may
// be in, with the writes that took effect but have not been answered, and the states that it went through while each unanswered read was under way (instead
// of one configuration per state that a read may have seen). When an operation is answered, the configurations survive in which the operations under way can be
// ordered so that it took effect with that answer. None left: no linearizable store gives these answers.
//
// An operation whose answer never came stays under way: it may take effect at any later time. Once its client has given up (abandon), a crash of the server ends
// it: it has happened or not. One whose client is still at it may also be sent to the server that comes after.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/base/ids.h"

namespace holdfast::chaos {

/// What a document of the workloads holds: which write gave it its value, and how often it was incremented since it was inserted.
struct DocumentState {
  bool exists = false;
  uint64_t value = 0;
  int64_t counter = 0;
  auto operator<=>(const DocumentState&) const = default;
};
std::string text(const DocumentState& state);

struct Operation {
  enum class Kind : uint8_t {
    kInsert,  ///< of {value, counter 0}; refused when the document exists, but for an identical one when `repeatable`
    kUpdate,  ///< sets the value and increments the counter
    kDelete,
    kRead,
  };
  Kind kind = Kind::kRead;
  uint64_t value = 0;
  bool repeatable = false;
};

/// What was answered. Insert: done = inserted (or repeated), else refused as a duplicate. Update, delete: done = there was one. Read: `state`.
struct Answer {
  bool done = false;
  DocumentState state;
  auto operator<=>(const Answer&) const = default;
};

using OperationId = uint64_t;

/// Where in the log a change stands.
struct Place {
  Lsn lsn;
  enum class Precision : uint8_t { kExact, kAtMost } precision = Precision::kExact;  ///< kAtMost: there or before
};

class DocumentHistory {
 public:
  DocumentHistory();

  void invoke(OperationId id, const Operation& operation);
  /// False: no order explains this answer; the history then goes on from what was answered. `place`: of operations that changed something.
  bool answer(OperationId id, const Answer& answer, std::optional<Place> place);

  /// That operation never happened and never will. False when its effect has been seen.
  bool forget(OperationId id);
  /// Its client has given up and will not send it again.
  void abandon(OperationId id);

  /// The server has ended, and came back with everything up to `survived`. What was abandoned has happened or not. Everything answered has happened.
  void crash(Lsn survived);
  /// The same, but only what has an LSN of at most `survived` remains. False when no order explains what was answered up to there.
  bool crash_and_lose_after(Lsn survived);

  /// The states that the document may have had at a snapshot; nothing when that is too long ago to tell.
  std::optional<std::vector<DocumentState>> states_at(Lsn snapshot) const;
  /// The states it may have now, given that whatever is under way may have happened; nothing when that cannot be told.
  std::optional<std::vector<DocumentState>> states() const;
  /// What the document may have been when an answer was last found impossible.
  const std::vector<DocumentState>& states_at_failure() const { return states_at_failure_; }
  size_t under_way() const { return pending_.size(); }

 private:
  struct Pending {
    OperationId id;
    Operation operation;
    bool abandoned = false;
  };
  struct Effective {
    OperationId id;
    Answer answer;
    auto operator<=>(const Effective&) const = default;
  };
  struct Seen {
    OperationId read;
    std::vector<DocumentState> states;  // sorted, distinct
    auto operator<=>(const Seen&) const = default;
  };
  struct Configuration {
    DocumentState state;
    std::vector<Effective> effective;  // writes that took effect and are not answered; sorted by id
    std::vector<Seen> seen;            // what each read under way may have seen; sorted by id
    auto operator<=>(const Configuration&) const = default;
  };
  using Configurations = std::vector<Configuration>;  // sorted, distinct
  /// An answered change: its place among the others is known.
  struct Change {
    OperationId id;
    Place place;
    Operation operation;
    Answer answer;
  };

  static Answer apply(DocumentState& state, const Operation& operation);
  static void pass_through(Configuration& c);
  static Configurations closure(Configurations from, const std::vector<Pending>& pending);
  static std::vector<DocumentState> states_of(const Configurations& configurations);
  static Configurations after(const Configurations& from, const std::vector<Pending>& pending, const Change& change);
  std::optional<Configurations> as_of(Lsn lsn) const;
  void restart(Configurations configurations, Lsn survived);
  bool answer_read(OperationId id, const DocumentState& state);
  bool answer_write(OperationId id, const Operation& operation, const Answer& answer);
  bool go_on_with(Configurations next, const Configurations& out_of);
  void go_on_from(const DocumentState& state);
  void find_track_again(const DocumentState& state);
  void keep(OperationId id, const Operation& operation, const Answer& answer, Place place);

  Configurations configurations_;  // now
  std::vector<Pending> pending_;
  std::vector<DocumentState> states_at_failure_;
  // The same story told by LSN, for snapshots and losses: where it began, and the answered changes since, in LSN order.
  Configurations base_;
  Lsn base_lsn_;
  std::vector<Change> changes_;
  /// What survived a loss cannot be told: everything is believed, and nothing is gone through, until a read without company shows where the document stands.
  bool lost_track_ = false;
  std::optional<OperationId> alone_;  ///< a read, if it began when nothing was under way and nothing has begun since
};

}  // namespace holdfast::chaos
