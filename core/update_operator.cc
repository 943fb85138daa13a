#include "core/update_operator.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/operand.h"
#include "core/value_order.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using Action = UpdateNode::Action;
using Creates = UpdateNode::Creates;

namespace {

constexpr UpdateOperator kOperators[] = {
    {"$set", Action::kSet, Creates::kAlways},
    {"$setOnInsert", Action::kSetOnInsert, Creates::kDepends},
    {"$unset", Action::kUnset, Creates::kNever},
    {"$inc", Action::kIncrement, Creates::kAlways},
    {"$mul", Action::kMultiply, Creates::kAlways},
    {"$min", Action::kMin, Creates::kAlways},
    {"$max", Action::kMax, Creates::kAlways},
    {"$bit", Action::kBit, Creates::kAlways},
    {"$currentDate", Action::kCurrentDate, Creates::kAlways},
    {"$rename", Action::kRenameFrom, Creates::kNever},
    {"$rename", Action::kRenameTo, Creates::kDepends},
    {"$push", Action::kPush, Creates::kAlways},
    {"$addToSet", Action::kAddToSet, Creates::kAlways},
    {"$pull", Action::kPull, Creates::kNever},
    {"$pullAll", Action::kPullAll, Creates::kNever},
    {"$pop", Action::kPop, Creates::kNever},
    {"$set", Action::kKeepId, Creates::kAlways},
};

Result<> check_bits(Bytes operations) {
  Cursor at(operations);
  Value head;
  at.next(head);
  if (head.count == 0) return fail(Code::kBadRequest, "there must be one of and, or, xor");
  for (uint32_t i = 0; i < head.count; ++i) {
    Bytes name;
    at.string(name);
    Bytes bits = at.raw();
    if (name != "and" && name != "or" && name != "xor")
      return fail(Code::kUnsupported, fmt::format("{} is not supported, only and, or, xor are", Path::shown(name)));
    if (!signed_integer(head_of(bits)))
      return fail(Code::kBadRequest, fmt::format("the operand of {} must be a signed integer of 64 bits", name));
  }
  return {};
}

Result<> check_date(Bytes operand) {
  Cursor at(operand);
  Value head, type;
  Bytes name;
  at.next(head);
  if (head.count != 1 || !at.string(name) || name != "$type")
    return fail(Code::kBadRequest, "the operand must be true or {$type: \"date\"}");
  at.next(type);
  if (type.kind == Kind::kString && type.bytes == "date") return {};
  if (type.kind == Kind::kString && type.bytes == "timestamp")
    return fail(Code::kUnsupported, "$type \"timestamp\" is not supported, only \"date\" is");
  return fail(Code::kBadRequest, "$type must be \"date\"");
}

}  // namespace

const UpdateOperator* find_operator(Bytes name) {
  const UpdateOperator* found = std::ranges::find(kOperators, name, &UpdateOperator::name);
  return found == std::end(kOperators) ? nullptr : found;
}

const UpdateOperator& operator_of(Action action) {
  return *std::ranges::find(kOperators, action, &UpdateOperator::action);
}

std::string_view operator_name(Action action) { return operator_of(action).name; }

Result<> check_operand(Action action, Bytes operand) {
  Value v = head_of(operand);
  auto must_be = [&](std::string_view what) {
    return fail(Code::kBadRequest, fmt::format("the operand must be {}, not {}", what, type_name(v.kind)));
  };
  switch (action) {
    case Action::kIncrement:
      return is_number(v.kind) ? Result<>() : must_be("a number");
    case Action::kMultiply:
      return is_number(v.kind) ? Result<>() : must_be("a number");
    case Action::kBit:
      return v.kind == Kind::kMap ? check_bits(operand) : must_be("a document of and, or, xor");
    case Action::kCurrentDate:
      if (v.kind == Kind::kBool && v.boolean) return {};
      return v.kind == Kind::kMap ? check_date(operand) : must_be("true or {$type: \"date\"}");
    default:
      return {};
  }
}

}  // namespace holdfast::core
