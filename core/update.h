// Updates: operators such as `$set` and `$push`, or a whole new document; compiled once, then applied to documents.
//
// Place in the system: the session compiles a request's update; the engine applies it to a document's committed or
// pending version and logs the result as a whole document. What each operator means is in OPERATORS.md.
//
// Shape. The paths of all operators form one tree: an inner node is a field that some paths go through, a leaf is an
// action. apply() walks the tree and the document together, copies what no path touches byte for byte in long runs, and
// writes the head of a map or array anew only when its count changes. Another operator is another action: what it makes
// of a value that is there, and of one that is missing. $rename is two actions, one at each end; what it moves is
// looked up before the walk. `$` is a position that apply() is told, put into the tree before the walk; `$[]` and `$[id]`
// are nodes that the walk applies to elements of an array, joined where one element is reached by several.
//
// Invariants
//  1. apply() gives a whole new document or an error: nothing is ever half applied.
//  2. What no path names keeps its bytes and order. New fields come last, in visiting_order() of their names, whatever
//     the order in the update.
//  3. `_id` never changes. The result obeys the limits.
//  4. Deterministic: the same update, document and context give the same bytes.
//  5. Work is bounded: a node of the tree is visited once, but below `$[]` and `$[id]`, where visits are counted
//     (kMaxSteps).
//
// Sources. Compiling: update.cc, with update_operator.h (names of operators, checks of operands). Applying, as
// update_applier.h declares it: update_apply.cc walks, update_elements.cc does so for `$[]` and `$[id]`,
// update_values.cc has what operators make of one value. Both: update_positional.h has positional parts, update_array.h
// the operators on arrays, increment.h the arithmetic.
// Immutable after compile(), owns what it needs: may be shared by any cores.
#pragma once

#include <memory>
#include <vector>

#include "core/document.h"
#include "core/path.h"
#include "core/query.h"
#include "io/base/time.h"

namespace holdfast::core {

struct ArrayOperand;

/// What an update knows beside the document.
struct UpdateContext {
  WallTime now;         ///< for $currentDate
  bool insert = false;  ///< the document is to be inserted: $setOnInsert applies, and `_id` may be missing so far
  std::optional<uint32_t> position = {};  ///< what `$` stands for: Query::matched_position()
};

/// What one path does to a document, as a tree. Views borrow from the Update's text.
struct UpdateNode {
  enum class Action : uint8_t {
    kDescend,
    kSet,
    kSetOnInsert,
    kUnset,
    kIncrement,
    kMultiply,
    kMin,
    kMax,
    kBit,
    kCurrentDate,
    kRenameFrom,
    kRenameTo,
    kPush,
    kAddToSet,
    kPull,
    kPullAll,
    kPop,
    kKeepId,
  };
  enum class Creates : uint8_t { kNever, kDepends, kAlways };
  enum class Part : uint8_t {
    kNamed,     ///< a field, or an element by its position
    kMatched,   ///< `$`
    kEach,      ///< `$[]`
    kFiltered,  ///< `$[id]`
  };
  enum class Demands : uint8_t { kNothing, kArraysOnInsert, kArrays };

  Path::Component field;
  Part part = Part::kNamed;
  uint32_t filter = 0;  ///< kFiltered: which
  Bytes path;  ///< from the root to here, for messages
  Action action = Action::kDescend;
  Bytes operand;  ///< as it came; $rename has none
  /// Whether the field is made when it is missing. kDepends: on the context ($setOnInsert), or on what is to be moved.
  Creates creates = Creates::kNever;
  /// Whether something here or below refuses a path through a scalar although it makes nothing: $pull, $pop.
  bool refuses_scalars = false;
  /// Whether something below needs an array that is there: `$[]` and `$[id]` make none.
  Demands demands = Demands::kNothing;
  uint64_t weight = 1;  ///< steps that it takes to apply it to a value
  uint32_t rename = 0;                        ///< kRenameFrom, kRenameTo: which
  std::shared_ptr<const ArrayOperand> array;  ///< operators on arrays
  std::vector<UpdateNode> children;           ///< kDescend; in visiting_order()

  bool is_leaf() const { return action != Action::kDescend; }
  /// Whether the children are `$[]` and `$[id]`. They are not mixed with others.
  bool on_elements() const { return !children.empty() && children.front().part >= Part::kEach; }
  void adopt(UpdateNode child);
};

/// A query about the elements that `$[identifier]` stands for.
struct ArrayFilter {
  Bytes identifier;  ///< borrowed from the query
  Query query;       ///< all conditions name the identifier as their field: Query::match_field()
};

/// "$set" …; for messages.
std::string_view operator_name(UpdateNode::Action action);

class Update {
 public:
  static constexpr size_t kMaxBytes = size_t{16} << 20;
  static constexpr size_t kMaxPaths = 10'000;
  static constexpr size_t kMaxParts = 50'000;  ///< of all paths together: each may become a node of the tree
  static constexpr uint32_t kMaxPadding = 1'500'000;  ///< nulls put between an array's end and a new element
  static constexpr size_t kMaxArrayFilters = 100;     ///< with Query::kMaxConditions conditions together
  /// What `$[]` and `$[id]` may cost: for each element the conditions it is tried by, the nodes of the tree that are
  /// applied to it, and an eighth of the bytes of operands of operators on arrays (for each path of $sort).
  static constexpr uint64_t kMaxSteps = 20'000'000;

  /// A document whose first key is no operator replaces the whole document. `array_filters`: nothing, null, or an array
  /// of queries, each about one identifier; every identifier in the paths has one, and every one is used.
  /// Errors: kBadRequest (malformed, or paths that conflict), kUnsupported (another operator or modifier), kTooLarge;
  /// each naming operator and path.
  static Result<Update> compile(Bytes update, Bytes array_filters = {}, const DocumentLimits& limits = {});

  /// Whether a path has `$`: apply() is refused without a position.
  bool needs_position() const { return !matched_place_.empty(); }

  Update(Update&&) = default;
  Update& operator=(Update&&) = default;

  enum class Outcome : uint8_t { kUnchanged, kChanged };
  struct Applied {
    Buffer document;
    Outcome outcome = Outcome::kUnchanged;  ///< kUnchanged: the bytes are those given
    bool changed() const { return outcome == Outcome::kChanged; }
  };
  /// Requires a document that check_document() accepted, or, with `context.insert`, one that lacks only `_id`.
  /// Errors: kBadRequest (the document's values do not allow it), kTooLarge, kCorrupt (not a well-formed document).
  Result<Applied> apply(Bytes document, const UpdateContext& context = {}) const;

  struct Rename {
    Path from, to;
  };

 private:
  friend class UpdateCompiler;
  Update() = default;
  Result<Applied> replace(Bytes document, const UpdateContext& context) const;

  std::vector<char> text_;  ///< the update as it came
  DocumentLimits limits_;
  bool replaces_ = false;  ///< the text is the new document
  UpdateNode root_;
  std::vector<ArrayFilter> filters_;
  std::string matched_place_;  ///< the first operator and path with `$`
  std::vector<Rename> renames_;
};

}  // namespace holdfast::core
