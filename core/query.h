// Queries: compiled once, then matched against raw documents.
//
// Place in the system: the session compiles a request's query; the engine asks id_key() for a point lookup, else scans and calls match() for
// every document. What each operator means is in OPERATORS.md.
//
// Shape. A query is a conjunction: conditions, each a path and a test, and branches ($or, $nor), each a list of conjunctions over the same
// document; $and dissolves into the conjunction around it. A test sees the candidates that the path finds (path.h) and holds if it does of one of them,
// or, negated ($ne, $nin, $not), of none. Conditions are sorted by the first component of their paths, so that a conjunction walks the
// document's top-level fields once, evaluates the conditions of each field as it passes, and stops at the first that fails or when none is left.
// An operator on values is one more case in Test::holds_for().
//
// Invariants
//  1. match() does not allocate, but for regular expressions. Its time is bounded by (bytes of the document) x (conditions) x 2^Path::kMaxPositions and, for
//     each string that an expression is looked for in, Regex::kMaxSteps. A document that is not well-formed matches or not, without harm.
//  2. Compiled form and operands are owned: the bytes given to compile() may go.
//
// Sources: query_compile.cc, query_match.cc, query_position.cc (what updates ask). Immutable after compile(): may be shared by any cores.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/path.h"
#include "core/regex.h"
#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::core {

class Query {
 public:
  static constexpr size_t kMaxBytes = size_t{16} << 20;
  static constexpr size_t kMaxConditions = 1000;

  /// Null is the empty query: an absent map in some languages.
  /// Errors: kBadRequest (malformed, naming the place), kUnsupported (an operator that is not there, naming it and its place), kTooLarge.
  static Result<Query> compile(Bytes query);

  Query(Query&&) noexcept;
  Query& operator=(Query&&) noexcept;
  ~Query();

  enum class Match : uint8_t {
    kNo,
    kYes,
    kTooCostly,  ///< a string of the document is too long for a regular expression: answer with too_costly()
  };
  Match match(Bytes document) const;
  static std::unexpected<Error> too_costly();

  /// A condition on elements of arrays, as $pull takes one: {$operator: operand, …} on the element as it stands, or a
  /// query, on elements that are documents. Requires a map. Errors as compile().
  static Result<Query> compile_element(Bytes condition);
  /// Requires a query from compile_element(). An element that is an array matches also by an element of its own, as the
  /// value of a path does.
  Match match_element(Bytes element) const;

  /// The position that the update operator `$` stands for: that of the element, in the outermost array on the way,
  /// through which the query's last condition matched that matched through an array (OPERATORS.md). None: no condition
  /// did. Requires match(document) == kYes. Costs at most as much as another match, for each level of $or.
  std::optional<uint32_t> matched_position(Bytes document) const;

  /// As match() of a document with one field, which all conditions name and which holds `value`; no such document is
  /// made. Requires at most one in field_names().
  Match match_field(Bytes value) const;
  /// The top-level fields that conditions name, each once, sorted; they borrow from the query.
  std::vector<Bytes> field_names() const;
  /// Conditions and alternatives, at most kMaxConditions.
  size_t conditions() const { return conditions_; }

  /// The key of the only `_id` that can match, when the query asks for one by equality: look that one up, then match() it.
  const std::optional<Buffer>& id_key() const { return id_key_; }
  /// Whether every document matches.
  bool matches_all() const;
  /// The query as it came.
  Bytes text() const { return {text_.data(), text_.size()}; }

  // The compiled form, for the sources of this class.
  struct Test;
  struct Condition;
  struct Conjunction;

 private:
  friend class QueryCompiler;
  Query();

  std::vector<char> text_;  ///< the query as it came; paths and operands borrow from it
  std::unique_ptr<Conjunction> root_;
  std::unique_ptr<Test> element_;  ///< of compile_element()
  std::optional<Buffer> id_key_;
  size_t conditions_ = 0;
};

}  // namespace holdfast::core
