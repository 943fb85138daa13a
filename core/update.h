// Updates: operators such as `$set` and `$push`, or a whole new document; compiled once, then applied to documents.
//
// Place in the system: the session compiles a request's update; the engine applies it to a document's committed or
// pending version and logs the result as a whole document. What each operator means is in OPERATORS.md.
//
// Shape. The paths of all operators form one tree: an inner node is a field that some paths go through, a leaf is an
// action. apply() walks the tree and the document together, copies what no path touches byte for byte in long runs, and
// writes the head of a map or array anew only when its count changes. Another operator is another action: what it makes
// of a value that is there, and of one that is missing. $rename is two actions, one at each end; what it moves is
// looked up before the walk.
//
// Invariants
//  1. apply() gives a whole new document or an error: nothing is ever half applied.
//  2. What no path names keeps its bytes and order. New fields come last, in visiting_order() of their names, whatever
//     the order in the update.
//  3. `_id` never changes. The result obeys the limits.
//  4. Deterministic: the same update, document and context give the same bytes.
//
// Sources: update.cc compiles, update_apply.cc walks, update_array.h has the operators on arrays, increment.h the
// arithmetic.
// Immutable after compile(), owns what it needs: may be shared by any cores.
#pragma once

#include <memory>
#include <vector>

#include "core/document.h"
#include "core/path.h"
#include "io/base/time.h"

namespace holdfast::core {

struct ArrayOperand;

/// What an update knows beside the document.
struct UpdateContext {
  WallTime now;         ///< for $currentDate
  bool insert = false;  ///< the document is to be inserted: $setOnInsert applies, and `_id` may be missing so far
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

  Path::Component field;
  Bytes path;  ///< from the root to here, for messages
  Action action = Action::kDescend;
  Bytes operand;  ///< as it came; $rename has none
  /// Whether the field is made when it is missing. kDepends: on the context ($setOnInsert), or on what is to be moved.
  Creates creates = Creates::kNever;
  /// Whether something here or below refuses a path through a scalar although it makes nothing: $pull, $pop.
  bool refuses_scalars = false;
  uint32_t rename = 0;                        ///< kRenameFrom, kRenameTo: which
  std::shared_ptr<const ArrayOperand> array;  ///< operators on arrays
  std::vector<UpdateNode> children;           ///< kDescend; in visiting_order()
};

/// "$set" …; for messages.
std::string_view operator_name(UpdateNode::Action action);

class Update {
 public:
  static constexpr size_t kMaxBytes = size_t{16} << 20;
  static constexpr size_t kMaxPaths = 10'000;
  static constexpr size_t kMaxParts = 50'000;  ///< of all paths together: each may become a node of the tree
  static constexpr uint32_t kMaxPadding = 1'500'000;  ///< nulls put between an array's end and a new element

  /// A document whose first key is no operator replaces the whole document.
  /// Errors: kBadRequest (malformed, or paths that conflict), kUnsupported (another operator or modifier), kTooLarge;
  /// each naming operator and path.
  static Result<Update> compile(Bytes update, const DocumentLimits& limits = {});

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
  std::vector<Rename> renames_;
};

}  // namespace holdfast::core
