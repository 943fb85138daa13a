// Matching: one walk over a document's fields per conjunction.
#include <cmath>

#include "core/operand.h"
#include "core/query_form.h"
#include "core/value_order.h"
#include "io/base/probe.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;

uint32_t type_bit::of(const Value& value) {
  switch (value.kind) {
    case Kind::kNil: return kNull;
    case Kind::kBool: return kBool;
    case Kind::kUint: return value.u <= INT32_MAX ? kInt : kLong;
    case Kind::kInt: return value.i >= INT32_MIN ? kInt : kLong;
    case Kind::kFloat: return kDouble;
    case Kind::kString: return kString;
    case Kind::kBinary: return kBinary;
    case Kind::kArray: return kArray;
    case Kind::kMap: return kObject;
    case Kind::kTime: return kDate;
    case Kind::kExtension: return 0;
  }
  return 0;
}

namespace {

bool is_nan(const Value& v) { return v.kind == Kind::kFloat && std::isnan(v.f); }

}  // namespace

// ---- One test ----

/// Requires: an operator that compares by order.
bool Query::Test::compares(const Value& value, Cursor before) const {
  if (type_rank(value.kind) != type_rank(operand.kind)) return false;
  using enum Operator;
  bool or_equal = op == kLessOrEqual || op == kGreaterOrEqual;
  if (is_nan(value) || is_nan(operand)) return or_equal && is_nan(value) && is_nan(operand);
  std::weak_ordering order = std::weak_ordering::equivalent;
  if (value.is_container()) {
    Cursor mine = more->values.empty() ? Cursor(Bytes()) : Cursor(more->values.front());
    order = compare(before, mine);
  } else {
    order = compare_scalars(value, operand);
  }
  if (order == 0) return or_equal;
  return (order < 0) == (op == kLess || op == kLessOrEqual);
}

bool Query::Test::is_in_list(Cursor before) const {
  constexpr size_t kFew = 8;
  const std::vector<Bytes>& values = more->values;
  if (values.size() > kFew) {
    auto found = std::lower_bound(values.begin(), values.end(), before, [](Bytes listed, const Cursor& wanted) {
      Cursor a(listed), b = wanted;
      return compare(a, b) < 0;
    });
    if (found == values.end()) return false;
    Cursor a(*found);
    return compare(a, before) == 0;
  }
  return std::ranges::any_of(values, [&](Bytes listed) {
    Cursor a(listed), b = before;
    Value of_a, of_b;
    return a.next(of_a) && b.next(of_b) && equal(of_b, b, of_a, a);
  });
}

bool Query::Test::any_element(uint32_t count, Cursor at, QueryRun& run) const {
  for (uint32_t i = 0; i < count; ++i) {
    Cursor before = at;
    Value v;
    if (!at.next(v)) return false;
    if (holds_for(v, before, at, run)) return true;
    at = before;
    if (!at.skip()) return false;
  }
  return false;
}

/// Whether it holds of one value as it stands. `before` stands before it, `behind` behind its head.
bool Query::Test::holds_for(const Value& value, const Cursor& before, const Cursor& behind, QueryRun& run) const {
  using enum Operator;
  switch (op) {
    case kEqual: return equal(value, behind, operand, behind_operand);
    case kLess:
    case kLessOrEqual:
    case kGreater:
    case kGreaterOrEqual: return compares(value, before);
    case kIn: return is_in_list(before);
    case kExists: return true;
    case kType: return (type_bit::of(value) & more->types) != 0;
    case kRegex: {
      if (value.kind != Kind::kString) return false;
      Regex::Found found = more->regex->find_in(value.bytes);
      run.too_costly |= found == Regex::Found::kTooCostly;
      return found == Regex::Found::kYes;
    }
    case kMod: {
      std::optional<int64_t> n = cut_to_integer(value);
      // The smallest number by -1 is no number of 64 bits; its remainder is 0.
      return n && (more->divisor == -1 ? 0 : *n % more->divisor) == more->remainder;
    }
    case kSize: return value.kind == Kind::kArray && value.count == more->size;
    case kElementMatches:
    case kElementIs: {
      if (value.kind != Kind::kArray) return false;
      Cursor at = behind;
      for (uint32_t i = 0; i < value.count; ++i) {
        bool all = op == kElementMatches ? more->query->matches(at, run)
                                         : std::ranges::all_of(more->tests, [&](const Test& t) { return t.holds_of_element(at, run); });
        if (all) return true;
        if (!at.skip()) return false;
      }
      return false;
    }
    case kAll:
    case kNothing: return false;
  }
  return false;
}

bool Query::Test::candidate(CandidateKind kind, Cursor at, QueryRun& run) const {
  if (kind == CandidateKind::kMissing) return false;
  Cursor before = at;
  Value v;
  if (!at.next(v)) return false;
  if (holds_for(v, before, at, run)) return true;
  if (v.kind != Kind::kArray || kind != CandidateKind::kValue) return false;
  using enum Operator;
  bool of_array_alone = op == kSize || op == kElementMatches || op == kElementIs;
  return !of_array_alone && any_element(v.count, at, run);
}

bool Query::Test::holds_at(const Cursor& at, Path::Rest rest, QueryRun& run) const {
  bool held;
  if (op == Operator::kAll) {
    held = std::ranges::all_of(more->tests, [&](const Test& t) { return t.holds_at(at, rest, run); });
  } else {
    held = visit_candidates(at, rest, [&](CandidateKind kind, const Cursor& found) {
      return kind == CandidateKind::kMissing ? holds_of_missing() != negated : candidate(kind, found, run);
    });
  }
  return held != negated;
}

bool Query::Test::holds_of_missing() const {
  using enum Operator;
  bool held = false;
  if (op == kAll)
    held = std::ranges::all_of(more->tests, [](const Test& t) { return t.holds_of_missing(); });
  else if (op == kEqual || op == kLessOrEqual || op == kGreaterOrEqual)
    held = operand.kind == Kind::kNil;
  else if (op == kIn)
    held = more->has_null;
  return held != negated;
}

bool Query::Test::holds_of_element(const Cursor& at, QueryRun& run) const {
  bool held = op == Operator::kAll ? std::ranges::all_of(more->tests, [&](const Test& t) { return t.holds_of_element(at, run); })
                                   : candidate(CandidateKind::kElement, at, run);
  return held != negated;
}

// ---- A conjunction ----

const Query::Conjunction::Field* Query::Conjunction::find_field(Bytes name) const {
  constexpr size_t kFew = 8;  // up to so many, looking at each is faster than halving
  if (fields.size() <= kFew) {
    for (const Field& f : fields)
      if (f.name == name) return &f;
    return nullptr;
  }
  auto it = std::ranges::lower_bound(fields, name, {}, &Field::name);
  return it != fields.end() && it->name == name ? &*it : nullptr;
}

bool Query::Conjunction::fields_match(Cursor at, QueryRun& run) const {
  Value head;
  if (!at.next(head) || head.kind != Kind::kMap) return false;
  size_t left = fields.size();
  uint32_t required_left = required;
  for (uint32_t i = 0; i < head.count && left > 0; ++i) {
    Bytes key;
    if (!at.string(key)) return false;
    if (const Field* field = find_field(key)) {
      for (uint32_t k = field->begin; k < field->end; ++k)
        if (!conditions[k].test.holds_at(at, conditions[k].path.after_first(), run)) return false;
      --left;
      required_left -= !field->may_be_missing;
    }
    if (!at.skip()) return false;
  }
  return required_left == 0;
}

bool Query::Conjunction::matches(Cursor document, QueryRun& run) const {
  if (!fields_match(document, run)) return false;
  for (const Branch& branch : branches) {
    bool any = std::ranges::any_of(branch.alternatives, [&](const Conjunction& c) {
      if (MUTANT("or-takes-first-alternative") && &c != &branch.alternatives.front()) return false;
      return c.matches(document, run);
    });
    if (any == branch.negated) return false;
  }
  return true;
}

Query::Match Query::match(Bytes document) const {
  QueryRun run;
  bool yes = root_->matches(Cursor(document), run);
  if (run.too_costly) [[unlikely]]
    return Match::kTooCostly;
  return yes ? Match::kYes : Match::kNo;
}

Query::Match Query::match_element(Bytes element) const {
  QueryRun run;
  Cursor at(element);
  const Test::More& more = *element_->more;
  bool yes = element_->op == Test::Operator::kElementMatches
                 ? more.query->matches(at, run)
                 : std::ranges::all_of(more.tests, [&](const Test& t) { return t.holds_at(at, {}, run); });
  if (run.too_costly) [[unlikely]]
    return Match::kTooCostly;
  return yes ? Match::kYes : Match::kNo;
}

std::unexpected<Error> Query::too_costly() {
  return fail(Code::kTooLarge, "a string of a document is too long for the query's regular expression: use a simpler one, or other conditions beside it");
}

bool Query::matches_all() const { return root_->conditions.empty() && root_->branches.empty(); }

}  // namespace holdfast::core
