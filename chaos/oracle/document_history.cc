#include "chaos/oracle/document_history.h"

namespace holdfast::chaos {

std::string text(const DocumentState& s) {
  if (!s.exists) return "absent";
  return "value " + std::to_string(s.value) + " counter " + std::to_string(s.counter);
}

Answer DocumentModel::apply(DocumentState& state, const Operation& operation) {
  using Kind = Operation::Kind;
  switch (operation.kind) {
    case Kind::kInsert: {
      DocumentState fresh{true, operation.value, 0};
      if (!state.exists) {
        state = fresh;
        return {true, {}};
      }
      return {operation.repeatable && state == fresh, {}};
    }
    case Kind::kUpdate:
      if (!state.exists) return {false, {}};
      state.value = operation.value;
      ++state.counter;
      return {true, {}};
    case Kind::kDelete: {
      bool existed = state.exists;
      state = {};
      return {existed, {}};
    }
    case Kind::kRead:
      return {false, state};
  }
  return {};
}

DocumentState DocumentModel::assumed(const Operation& operation) {
  return operation.kind == Operation::Kind::kInsert ? DocumentState{true, operation.value, 0} : DocumentState{};
}

}  // namespace holdfast::chaos
