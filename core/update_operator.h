// The operators of updates: their names, whether they make a field, and what operands they take.
//
// Place in the system: update.cc asks while it compiles. What an operator does to a value is in update_values.cc; the
// operands of operators on arrays are compiled by update_array_compile.cc. Pure.
#pragma once

#include "core/update.h"

namespace holdfast::core {

struct UpdateOperator {
  std::string_view name;
  UpdateNode::Action action;
  UpdateNode::Creates creates;
};

/// Null: there is no operator of that name. `$rename` is found as kRenameFrom, `$set` as kSet.
const UpdateOperator* find_operator(Bytes name);
const UpdateOperator& operator_of(UpdateNode::Action action);

/// Whether it is an operator on arrays.
inline bool on_arrays(UpdateNode::Action action) {
  return action >= UpdateNode::Action::kPush && action <= UpdateNode::Action::kPop;
}

/// Whether `operand` is one that the operator takes. Most take every value; operators on arrays take what
/// compile_array_operand() accepts, and pass here. Requires well-formed MessagePack. Errors: kBadRequest, kUnsupported,
/// without naming operator and path.
Result<> check_operand(UpdateNode::Action action, Bytes operand);

}  // namespace holdfast::core
