// UserLedger: the oracle of stored users that are changed while the server runs: what was asked and answered about
// them, and whether it fits.
//
// Place in the system: beside the Ledger, to which it tells its violations and which tells it of restarts. A user is
// one object, judged by ObjectHistory. Users are not in the log: a change that was answered is durable, in either mode.
#pragma once

#include "chaos/oracle/ledger.h"
#include "chaos/oracle/object_history.h"

namespace holdfast::chaos {

struct UserModel {
  struct State {
    uint64_t password = 0;  ///< 0: there is no such user
    bool may_write = false;
    auto operator<=>(const State&) const = default;
  };
  struct Operation {
    enum class Kind : uint8_t {
      kAdd,     ///< done: there was none
      kPasswd,  ///< done: there is one
      kRemove,  ///< done: there was one
      kLogIn,   ///< done: it has that password
      kList,    ///< done: there is one; what it may is told
    };
    Kind kind = Kind::kList;
    uint64_t password = 0;
    bool may_write = false;
  };
  struct Answer {
    bool done = false;
    bool may_write = false;  ///< of a list
    State state = {};        ///< nothing answers with it
    auto operator<=>(const Answer&) const = default;
  };
  static Answer apply(State& state, const Operation& operation);
  static bool is_read(const Operation&) { return false; }
  static State assumed(const Operation& operation) { return {operation.password, operation.may_write}; }
};

class UserLedger {
 public:
  using Operation = UserModel::Operation;

  /// `ledger` outlives it.
  explicit UserLedger(Ledger& ledger);

  OperationId invoke(const std::string& user, const Operation& operation);
  void answer(OperationId id, const UserModel::Answer& answer);
  /// It changed nothing, or what it was answered proves nothing.
  void refused(OperationId id);
  /// Nobody knows what became of it. Logins and lists are forgotten.
  void abandoned(OperationId id);
  size_t under_way(const std::string& user) const;

 private:
  struct UnderWay {
    std::string user;
    Operation operation;
    bool abandoned = false;
  };
  UnderWay settle(OperationId id, const char* told);

  Ledger& ledger_;
  std::map<std::string, ObjectHistory<UserModel>> histories_;
  std::map<OperationId, UnderWay> under_way_;
  OperationId last_id_ = 0;
};

}  // namespace holdfast::chaos
