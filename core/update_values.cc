// What the operators of updates make of one value: of one that is there, and of one that is missing.
#include <fmt/core.h>

#include "core/increment.h"
#include "core/operand.h"
#include "core/update_applier.h"
#include "core/update_array.h"
#include "core/value_order.h"
#include "io/base/probe.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;

Result<> UpdateApplier::present(const UpdateNode& node, Bytes old) {
  switch (node.action) {
    case Action::kSet:
      return replace(old, node.operand);
    case Action::kSetOnInsert:
      if (context_.insert) return node.path == "_id" ? keep_id(node, old) : replace(old, node.operand);
      return replace(old, old);
    case Action::kUnset:
      return replace(old, "\xc0");
    case Action::kIncrement:
    case Action::kMultiply:
      return compute(node, old);
    case Action::kMin:
      return replace(old, compare(node.operand, old) < 0 ? node.operand : old);
    case Action::kMax:
      return replace(old, compare(node.operand, old) > 0 || MUTANT("max-replaces-always") ? node.operand : old);
    case Action::kBit:
      return change_bits(node, old);
    case Action::kCurrentDate:
      return replace(old, date());
    case Action::kRenameFrom:  // of nothing: what is to be moved was found by the fields around it
      return replace(old, old);
    case Action::kRenameTo:
      return replace(old, moved_[node.rename].empty() ? old : moved_[node.rename]);
    case Action::kPush:
    case Action::kAddToSet:
    case Action::kPull:
    case Action::kPullAll:
    case Action::kPop:
      return change_array(node, old);
    case Action::kKeepId:
      return keep_id(node, old);
    case Action::kDescend:
      return descend(node, old);
  }
  return corrupt();
}

Result<> UpdateApplier::missing(const UpdateNode& node) {
  changed_ = true;
  Value operand;
  Cursor(node.operand).next(operand);
  switch (node.action) {
    case Action::kSet:
    case Action::kSetOnInsert:
    case Action::kMin:
    case Action::kMax:
      out_.append(node.operand);
      return {};
    case Action::kIncrement:
      append_computed(out_, operand);
      return {};
    case Action::kMultiply:
      append_zero(out_, operand);
      return {};
    case Action::kBit:
      append_bits(out_, 0, node.operand);
      return {};
    case Action::kCurrentDate:
      append_time(out_, context_.now);
      return {};
    case Action::kRenameTo:
      out_.append(moved_[node.rename]);
      return {};
    case Action::kPush:
    case Action::kAddToSet:
      return append_updated_array(node, "\x90", out_);
    case Action::kDescend:
      return missing_map(node);
    case Action::kKeepId:
      if (!context_.insert) break;  // only a document without _id comes here
      out_.append(node.operand);
      return {};
    case Action::kUnset:
    case Action::kRenameFrom:
    case Action::kPull:
    case Action::kPullAll:
    case Action::kPop:
      break;
  }
  return corrupt();
}

Result<> UpdateApplier::replace(Bytes old, Bytes value) {
  changed_ |= old != value;
  out_.append(value);
  return {};
}

Result<> UpdateApplier::keep_id(const UpdateNode& node, Bytes old) {
  if (!equal(old, node.operand))
    return fail(Code::kBadRequest, fmt::format("{}: _id never changes; delete the document and insert another",
                                               place(node.action, node.path)));
  out_.append(old);
  return {};
}

std::unexpected<Error> UpdateApplier::wrong_type(const UpdateNode& node, Kind there, std::string_view wanted) {
  return fail(Code::kBadRequest, fmt::format("{}: the field holds {}, not {}", place(node.action, node.path),
                                             type_name(there), wanted));
}

Result<> UpdateApplier::compute(const UpdateNode& node, Bytes old) {
  Value number, by;
  if (!Cursor(old).next(number) || !Cursor(node.operand).next(by)) return corrupt();
  if (!is_number(number.kind)) {
    if (MUTANT("failing-increment-is-left-out")) return replace(old, old);
    return wrong_type(node, number.kind, "a number");
  }
  size_t start = out_.size();
  HF_CHECK_OK(node.action == Action::kIncrement ? append_sum(out_, number, by, node.path)
                                                : append_product(out_, number, by, node.path));
  keep_equal(old, number, start);
  return {};
}

Result<> UpdateApplier::change_bits(const UpdateNode& node, Bytes old) {
  Value number;
  if (!Cursor(old).next(number)) return corrupt();
  std::optional<int64_t> n = signed_integer(number);
  if (!n) return wrong_type(node, number.kind, "a signed integer of 64 bits");
  size_t start = out_.size();
  append_bits(out_, *n, node.operand);
  keep_equal(old, number, start);
  return {};
}

void UpdateApplier::keep_equal(Bytes old, const Value& before, size_t start) {
  Value after;
  Cursor(Bytes(out_).substr(start)).next(after);
  bool same_type = (after.kind == Kind::kFloat) == (before.kind == Kind::kFloat);
  if (same_type && compare_scalars(after, before) == 0) {
    out_.resize(start);
    out_.append(old);
  } else {
    changed_ = true;
  }
}

Result<> UpdateApplier::change_array(const UpdateNode& node, Bytes old) {
  Value head;
  if (!Cursor(old).next(head)) return corrupt();
  if (head.kind != Kind::kArray) return wrong_type(node, head.kind, "an array");
  size_t start = out_.size();
  HF_CHECK_OK(append_updated_array(node, old, out_));
  changed_ |= Bytes(out_).substr(start) != old;
  return {};
}

Buffer UpdateApplier::date() const {
  Buffer time;
  append_time(time, context_.now);
  return time;
}

Result<> UpdateApplier::look_up(std::span<const Update::Rename> renames, Bytes document) {
  for (const Update::Rename& rename : renames) {
    FoundValue from = find_value(rename.from.components(), document);
    moved_.push_back(from.value);
    if (from.value.empty()) continue;
    FoundValue to = find_value(rename.to.components(), document);
    if (from.in_array || to.in_array)
      return fail(Code::kBadRequest, fmt::format("{} to {}: {} lies in an array",
                                                 place(Action::kRenameFrom, rename.from.text()),
                                                 Path::shown(rename.to.text()),
                                                 Path::shown((from.in_array ? rename.from : rename.to).text())));
    int depth = limits_.depth - static_cast<int>(rename.to.components().size());
    if (!msgpack::validate(from.value, {.max_depth = depth, .string_keys = false, .distinct_keys = false}))
      return fail(Code::kTooLarge, fmt::format("{}: the document would be nested more than {} deep",
                                               place(Action::kRenameFrom, rename.from.text()), limits_.depth));
  }
  return {};
}

}  // namespace holdfast::core
