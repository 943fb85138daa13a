// DeclarationHistory: decides whether the answers about the declared indexes of one collection can come from a
// linearizable store.
//
// Place in the system: pure; the model of a collection's declarations, for ObjectHistory; DeclarationLedger has one for
// each collection. A collection is one object, so that its drop takes all declarations or none.
#pragma once

#include <array>

#include "chaos/oracle/object_history.h"

namespace holdfast::chaos {

/// Which of the indexes that the workload knows are declared, and with which of its types.
struct Declarations {
  static constexpr size_t kIndexes = 4;
  static constexpr uint8_t kTypes = 3;
  std::array<uint8_t, kIndexes> types{};  ///< 0: not declared; else one more than the type
  auto operator<=>(const Declarations&) const = default;
};
std::string text(const Declarations& declared);

struct DeclarationModel {
  using State = Declarations;
  struct Operation {
    enum class Kind : uint8_t {
      kDeclare,         ///< done: it is declared with that type now; refused: it is with another
      kDrop,            ///< done: there was one
      kAsk,             ///< done: there is one
      kDropCollection,  ///< always done
      kList,            ///< the read
    };
    Kind kind = Kind::kList;
    size_t index = 0;
    uint8_t type = 0;
  };
  struct Answer {
    bool done = false;
    Declarations state = {};
    auto operator<=>(const Answer&) const = default;
  };
  static Answer apply(State& state, const Operation& operation);
  static bool is_read(const Operation& operation) { return operation.kind == Operation::Kind::kList; }
  static State assumed(const Operation& operation);
};

using DeclarationHistory = ObjectHistory<DeclarationModel>;

}  // namespace holdfast::chaos
