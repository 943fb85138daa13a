// Update operators on arrays: $push, $addToSet, $pull, $pullAll, $pop. What each means is in OPERATORS.md.
//
// Place in the system: update.cc compiles an operand once, update_values.cc asks for what becomes of an array. Elements
// that stay keep their bytes; the array's head is written anew only when the count changes. Sources:
// update_array_compile.cc, update_array.cc.
//
// Time: linear in the bytes, but for $sort and for telling elements apart, which are n log n and bounded in number.
#pragma once

#include "core/query.h"
#include "core/update.h"

namespace holdfast::core {

/// A compiled operand. Borrows from the update's text, but for the query.
struct ArrayOperand {
  static constexpr size_t kMaxOrdered = 100'000;  ///< elements that $sort orders; values of $addToSet and $pullAll
  static constexpr size_t kMaxSortPaths = 32;

  struct SortKey {
    std::optional<Path> path;  ///< none: the element as it stands
    bool descending = false;
  };
  /// Elements one after the other.
  struct Run {
    Bytes bytes;
    uint32_t count = 0;

    static Run of(Bytes array);
  };

  Run added;                       ///< $push
  std::optional<int64_t> position;
  std::optional<int64_t> slice;
  std::vector<SortKey> sort;

  std::vector<Bytes> values;       ///< $addToSet: what to add, without repeats; $pullAll: what to remove
  std::vector<uint32_t> by_value;  ///< places in `values`, in order of the values

  Bytes value;                     ///< $pull: what to remove, unless there is a condition
  std::optional<Query> condition;  ///< $pull

  bool from_front = false;         ///< $pop
};

/// `depth`: how deep the array may nest, itself included. Errors: kBadRequest, kUnsupported, kTooLarge, without naming
/// operator and path.
Result<std::shared_ptr<const ArrayOperand>> compile_array_operand(UpdateNode::Action action, Bytes operand, int depth);

/// Appends to `out` what the operator of `node` makes of the array `old`. Requires an array's head in front of `old`.
/// Errors: kTooLarge (naming operator and path), kCorrupt.
Result<> append_updated_array(const UpdateNode& node, Bytes old, Buffer& out);

}  // namespace holdfast::core
