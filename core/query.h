// Queries: compiled once, then matched against raw documents.
//
// Place in the system: the session compiles a request's query; the engine asks id_key() for a point lookup, else scans
// and calls matches() for every document. What each operator means is in OPERATORS.md.
//
// Shape. A query is a conjunction of conditions; a condition is a path, an operator and an operand. Conditions are
// sorted by the first component of their paths, so that matches() walks the document's top-level fields once, evaluates
// the conditions of each field as it passes, and stops at the first that fails or when none is left. An operator on
// values is one more case in holds(). $or, $nor and $not will be conditions without a path, whose operand is a list of
// conjunctions over the same document.
//
// Invariants
//  1. matches() neither allocates nor fails. Its time is bounded by (bytes of the document) x (conditions) x
//     2^kMaxPositions, in practice by one pass. A document that is not well-formed matches or not, without harm.
//  2. Compiled form and operands are owned: the bytes given to compile() may go.
//
// Immutable after compile(): may be shared by any cores.
#pragma once

#include <optional>
#include <vector>

#include "core/path.h"
#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::core {

class Query {
 public:
  static constexpr size_t kMaxBytes = size_t{16} << 20;
  static constexpr size_t kMaxConditions = 1000;
  static constexpr size_t kMaxPositions = 8;  ///< array positions in one path

  /// Null is the empty query: an absent map in some languages.
  /// Errors: kBadRequest (malformed, naming the place), kUnsupported (an operator that is not there, naming it and its
  /// path), kTooLarge.
  static Result<Query> compile(Bytes query);

  Query(Query&&) = default;
  Query& operator=(Query&&) = default;

  bool matches(Bytes document) const;

  /// The key of the only `_id` that can match, when the query asks for one by equality: look that one up, then ask
  /// matches() of it.
  const std::optional<Buffer>& id_key() const { return id_key_; }
  /// Whether every document matches.
  bool matches_all() const { return conditions_.empty(); }

 private:
  friend class QueryCompiler;

  enum class Operator : uint8_t { kEqual };

  struct Condition {
    Path path;
    Operator op = Operator::kEqual;
    msgpack::Value operand;
    msgpack::Cursor behind_operand{Bytes()};  ///< behind the operand's head: where a container's parts begin
  };
  /// The conditions on one top-level field.
  struct Field {
    Bytes name;
    uint32_t begin = 0;
    uint32_t end = 0;
    enum class IfMissing : uint8_t { kFails, kHolds } if_missing = IfMissing::kFails;
  };

  Query() = default;
  const Field* find_field(Bytes name) const;
  bool all_hold(const Field& field, const msgpack::Cursor& value) const;
  static bool holds(const Condition& condition, CandidateKind kind, msgpack::Cursor at);

  std::vector<char> text_;  ///< the query as it came; paths and operands borrow from it
  std::vector<Condition> conditions_;
  std::vector<Field> fields_;  ///< sorted by name
  uint32_t required_ = 0;      ///< fields that may not be missing
  std::optional<Buffer> id_key_;
};

}  // namespace holdfast::core
