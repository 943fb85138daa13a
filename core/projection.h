// Projections: which fields of a document are answered; compiled once, then applied to raw documents.
//
// Semantics are MongoDB's (manual, "Project Fields to Return", "$slice (projection)"). A projection includes ({a: 1, 'b.c': 1}) or excludes ({a: 0});
// `_id` is answered unless excluded, and may be excluded by either kind. `{path: {$slice: n}}` or `{$slice: [skip, n]}` cuts an array; alone it excludes
// nothing. Paths go through documents and through every element of arrays, never by position. What an inclusion does not name is left out: in an
// array also what is no document or array. Fields keep the document's order.
//
// Pure; immutable after compile(), may be shared by any cores. apply() is linear in the document.
#pragma once

#include <optional>
#include <vector>

#include "io/base/bytes.h"
#include "io/base/error.h"
#include "io/base/msgpack.h"

namespace holdfast::core {

class Projection {
 public:
  static constexpr size_t kMaxPaths = 1000;

  Projection() = default;  ///< whole documents
  /// Null and {} are whole documents. Errors: kBadRequest, kUnsupported ($elemMatch, $meta, expressions, positional $), kTooLarge, with the place.
  static Result<Projection> compile(Bytes projection);
  /// The fields of these paths (an array of strings), and `_id`; an empty array: whole documents.
  static Result<Projection> of_fields(Bytes paths);

  bool whole() const { return root_.children.empty() && keeps_id_ && !includes_; }
  /// Requires a document that check_document() accepted. Bytes that are none give something, without harm.
  Buffer apply(Bytes document) const;

 private:
  enum class Action : uint8_t { kDescend, kInclude, kExclude, kSlice };
  struct Node {
    std::string name;
    Action action = Action::kDescend;
    int64_t skip = 0;                  ///< kSlice: from the end when negative
    std::optional<uint64_t> count;     ///< kSlice; nothing: from `skip` on
    std::vector<Node> children;        ///< kDescend
  };
  Result<> add(Bytes path, Node leaf);
  Result<> add_value(Bytes path, Bytes value);
  static Result<Node> slice(Bytes path, Bytes operand);
  void map(const Node& node, Bytes value, bool top, Buffer& out) const;
  void array(const Node& node, Bytes value, Buffer& out) const;
  bool field(const Node& node, Bytes value, Buffer& out) const;
  static void sliced(const Node& node, Bytes value, Buffer& out);

  Node root_;
  bool includes_ = false;
  bool keeps_id_ = true;
  size_t paths_ = 0;
};

}  // namespace holdfast::core
