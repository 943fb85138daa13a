// Updates: `$set`, `$unset`, `$inc`, compiled once, then applied to documents.
//
// Place in the system: the session compiles a request's update; the engine applies it to a document's committed or
// pending version and logs the result as a whole document. What each operator means is in OPERATORS.md.
//
// Shape. The paths of all operators form one tree: an inner node is a field that some paths go through, a leaf is an
// action. apply() walks the tree and the document together, copies what no path touches byte for byte in long runs, and
// writes the head of a map or array anew only when its count changes. Another operator is another action.
//
// Invariants
//  1. apply() gives a whole new document or an error: nothing is ever half applied.
//  2. What no path names keeps its bytes and order. New fields come last, in visiting_order() of their names, whatever
//     the order in the update.
//  3. `_id` never changes. The result obeys the limits.
//  4. Deterministic: the same update and document give the same bytes.
//
// Immutable after compile(), owns what it needs: may be shared by any cores.
#pragma once

#include <vector>

#include "core/document.h"
#include "core/path.h"

namespace holdfast::core {

/// What one path does to a document, as a tree. Views borrow from the Update's text.
struct UpdateNode {
  enum class Action : uint8_t { kDescend, kSet, kUnset, kIncrement, kKeepId };

  Path::Component field;
  Bytes path;  ///< from the root to here, for messages
  Action action = Action::kDescend;
  Bytes operand;  ///< kSet, kKeepId: the value; kIncrement: the number
  /// Whether the field is made when it is missing: not for kUnset, nor for a kDescend to nothing else.
  bool creates = true;
  std::vector<UpdateNode> children;  ///< kDescend; in visiting_order()
};

class Update {
 public:
  static constexpr size_t kMaxBytes = size_t{16} << 20;
  static constexpr size_t kMaxPaths = 10'000;
  static constexpr size_t kMaxParts = 50'000;  ///< of all paths together: each may become a node of the tree
  static constexpr uint32_t kMaxPadding = 1'500'000;  ///< nulls put between an array's end and a new element

  /// Errors: kBadRequest (malformed, or paths that conflict), kUnsupported (another operator, or a replacement
  /// document), kTooLarge; each naming operator and path.
  static Result<Update> compile(Bytes update, const DocumentLimits& limits = {});

  Update(Update&&) = default;
  Update& operator=(Update&&) = default;

  enum class Outcome : uint8_t { kUnchanged, kChanged };
  struct Applied {
    Buffer document;
    Outcome outcome = Outcome::kUnchanged;  ///< kUnchanged: the bytes are those given
    bool changed() const { return outcome == Outcome::kChanged; }
  };
  /// Requires a document that check_document() accepted.
  /// Errors: kBadRequest (the document's values do not allow it), kTooLarge, kCorrupt (not a well-formed document).
  Result<Applied> apply(Bytes document) const;

 private:
  friend class UpdateCompiler;
  Update() = default;

  std::vector<char> text_;  ///< the update as it came
  DocumentLimits limits_;
  UpdateNode root_;
};

}  // namespace holdfast::core
