// ObjectHistory: decides, while a run goes on, whether the answers about one object (a document, the declared
// indexes of a collection, a user) can come from a linearizable store.
//
// Place in the system: pure; one per document in the Ledger, which judges simulated and real runs alike, and likewise
// in the ledgers beside it. What an object is, what can be asked of it and what then is answered says its Model:
// - State, Operation, Answer: Answer has a `state`, for reads; State() is where an object begins;
// - apply(state, operation) changes the state, and tells what is to be answered;
// - is_read(operation): the answer is the state, which stays;
// - assumed(operation): where it stands after an impossible answer to a change.
//
// Method: just-in-time linearization (Lowe, "Testing for linearizability", 2017; after Wing and Gong, 1993). A
// configuration is a state that the document may be in, with the writes that took effect but have not been answered,
// and the states that it went through while each unanswered read was under way (instead of one configuration per state
// that a read may have seen). When an operation is answered, the configurations survive in which the operations under
// way can be ordered so that it took effect with that answer. None left: no linearizable store gives these answers.
//
// An operation whose answer never came stays under way: it may take effect at any later time. Once its client has given
// up (abandon), a crash of the server ends it: it has happened or not. One whose client is still at it may also be sent
// to the server that comes after.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/base/ids.h"

namespace holdfast::chaos {

using OperationId = uint64_t;

/// Where in the log a change stands.
struct Place {
  Lsn lsn;
  enum class Precision : uint8_t { kExact, kAtMost } precision = Precision::kExact;  ///< kAtMost: there or before
  Lsn after = {};                                                                    ///< kAtMost: but after this
};

template <class Model>
class ObjectHistory {
 public:
  using State = typename Model::State;
  using Operation = typename Model::Operation;
  using Answer = typename Model::Answer;

  ObjectHistory();

  void invoke(OperationId id, const Operation& operation);
  /// False: no order explains this answer; the history then goes on from what was answered. `place`: of operations that
  /// changed something.
  bool answer(OperationId id, const Answer& answer, std::optional<Place> place);

  /// That operation never happened and never will. False when its effect has been seen.
  bool forget(OperationId id);
  /// Its client has given up and will not send it again.
  void abandon(OperationId id);

  /// The server has ended, and came back with everything up to `survived`. What was abandoned has happened or not.
  /// Everything answered has happened.
  void crash(Lsn survived);
  /// The same, but only what has an LSN of at most `survived` remains. False when no order explains what was answered
  /// up to there.
  bool crash_and_lose_after(Lsn survived);

  /// The states that the object may have had at a snapshot; nothing when that is too long ago to tell.
  std::optional<std::vector<State>> states_at(Lsn snapshot) const;
  /// The states it may have now, given that whatever is under way may have happened; nothing when that cannot be told.
  std::optional<std::vector<State>> states() const;
  /// What the object may have been when an answer was last found impossible.
  const std::vector<State>& states_at_failure() const { return states_at_failure_; }
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
    std::vector<State> states;  // sorted, distinct
    auto operator<=>(const Seen&) const = default;
  };
  struct Configuration {
    State state;
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

  static void pass_through(Configuration& c);
  static Configurations closure(Configurations from, const std::vector<Pending>& pending);
  static std::vector<State> states_of(const Configurations& configurations);
  static Configurations after(const Configurations& from, const std::vector<Pending>& pending, const Change& change);
  std::vector<Pending> may_precede(size_t first, Lsn lsn) const;
  std::optional<Configurations> as_of(Lsn lsn) const;
  void restart(Configurations configurations, Lsn survived);
  bool answer_read(OperationId id, const State& state);
  bool answer_write(OperationId id, const Operation& operation, const Answer& answer);
  bool go_on_with(Configurations next, const Configurations& out_of);
  void go_on_from(const State& state);
  void find_track_again(const State& state);
  void keep(OperationId id, const Operation& operation, const Answer& answer, Place place);

  Configurations configurations_;  // now
  std::vector<Pending> pending_;
  std::vector<State> states_at_failure_;
  // The same story told by LSN, for snapshots and losses: where it began, and the answered changes since, in LSN order.
  Configurations base_;
  Lsn base_lsn_;
  std::vector<Change> changes_;
  /// What survived a loss cannot be told: everything is believed, and nothing is gone through, until a read without
  /// company shows where the object stands.
  bool lost_track_ = false;
  std::optional<OperationId> alone_;  ///< a read, if it began when nothing was under way and nothing has begun since
};

}  // namespace holdfast::chaos
