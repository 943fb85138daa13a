#include "chaos/oracle/declaration_history.h"

namespace holdfast::chaos {

std::string text(const Declarations& declared) {
  std::string out;
  for (size_t i = 0; i < Declarations::kIndexes; ++i)
    if (declared.types[i] > 0)
      out += (out.empty() ? "" : ", ") + std::to_string(i) + " of type " + std::to_string(declared.types[i] - 1);
  return out.empty() ? "none" : out;
}

DeclarationModel::Answer DeclarationModel::apply(State& state, const Operation& operation) {
  using Kind = Operation::Kind;
  uint8_t& is = state.types[operation.index];
  auto wanted = static_cast<uint8_t>(operation.type + 1);
  switch (operation.kind) {
    case Kind::kDeclare:
      if (is == 0) is = wanted;
      return {is == wanted};
    case Kind::kDrop: {
      bool was = is > 0;
      is = 0;
      return {was};
    }
    case Kind::kAsk:
      return {is > 0};
    case Kind::kDropCollection:
      state = {};
      return {true};
    case Kind::kList:
      return {false, state};
  }
  return {};
}

Declarations DeclarationModel::assumed(const Operation& operation) {
  Declarations out;
  if (operation.kind == Operation::Kind::kDeclare)
    out.types[operation.index] = static_cast<uint8_t>(operation.type + 1);
  return out;
}

}  // namespace holdfast::chaos
