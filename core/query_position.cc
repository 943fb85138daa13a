// What updates ask of queries: the position of the element that matched, and conditions on a value alone.
#include <algorithm>

#include "core/query_form.h"
#include "io/base/probe.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;

// ---- The position ----

// Of an element of the array that the path ends at.
bool Query::Test::holds_of_one_element(const Cursor& at, QueryRun& run) const {
  if (op == Operator::kElementMatches) return more->query->matches(at, run);
  if (op == Operator::kElementIs)
    return std::ranges::all_of(more->tests, [&](const Test& t) { return t.holds_of_element(at, run); });
  return candidate(CandidateKind::kElement, at, run);
}

std::optional<uint32_t> Query::Test::position_among(uint32_t count, Cursor at, Path::Rest rest, QueryRun& run) const {
  for (uint32_t i = 0; i < count; ++i) {
    Cursor element = at;
    Value head;
    if (!at.next(head)) return std::nullopt;
    bool holds = rest.empty() ? holds_of_one_element(element, run)
                              : visit_element(element, head, i, rest, [&](CandidateKind kind, const Cursor& found) {
                                  return kind == CandidateKind::kMissing ? holds_of_missing()
                                                                         : candidate(kind, found, run);
                                });
    if (holds) return MUTANT("position-is-the-first") ? 0 : i;
    at = element;
    if (!at.skip()) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<uint32_t> Query::Test::position_at(Cursor at, Path::Rest rest, QueryRun& run) const {
  if (negated || op == Operator::kAll) return std::nullopt;
  for (;; rest = rest.subspan(1)) {
    Value head;
    if (!at.next(head)) return std::nullopt;
    if (head.kind == Kind::kArray) {
      // Of an array that exists, or has a size, it is no element that does.
      bool of_the_whole = rest.empty() && (op == Operator::kExists || op == Operator::kSize);
      return of_the_whole ? std::nullopt : position_among(head.count, at, rest, run);
    }
    if (head.kind != Kind::kMap || rest.empty()) return std::nullopt;
    bool found = false;
    for (uint32_t i = 0; i < head.count && !found; ++i) {
      Bytes key;
      if (!at.string(key)) return std::nullopt;
      found = key == rest.front().name;
      if (!found && !at.skip()) return std::nullopt;
    }
    if (!found) return std::nullopt;
  }
}

std::optional<uint32_t> Query::Conjunction::position(const Cursor& document, QueryRun& run) const {
  std::optional<uint32_t> last;
  uint32_t from = 0;  // what was written before cannot count any more
  for (const Condition& c : conditions) {
    if (c.order < from) continue;
    if (auto found = c.test.position_at(document, c.path.components(), run)) last = found, from = c.order;
  }
  for (const Branch& branch : branches) {
    if (branch.negated || branch.order < from) continue;
    auto matched = std::ranges::find_if(branch.alternatives, [&](auto& c) { return c.matches(document, run); });
    if (matched == branch.alternatives.end()) continue;
    if (auto found = matched->position(document, run)) last = found, from = branch.order;
  }
  return last;
}

std::optional<uint32_t> Query::matched_position(Bytes document) const {
  QueryRun run;
  return root_->position(Cursor(document), run);
}

// ---- A value alone ----

bool Query::Conjunction::matches_field(const Cursor& value, QueryRun& run) const {
  for (const Condition& c : conditions)
    if (!c.test.holds_at(value, c.path.after_first(), run)) return false;
  for (const Branch& branch : branches) {
    bool any = std::ranges::any_of(branch.alternatives, [&](auto& c) { return c.matches_field(value, run); });
    if (any == branch.negated) return false;
  }
  return true;
}

Query::Match Query::match_field(Bytes value) const {
  QueryRun run;
  bool yes = root_->matches_field(Cursor(value), run);
  if (run.too_costly) [[unlikely]]
    return Match::kTooCostly;
  return yes ? Match::kYes : Match::kNo;
}

void Query::Conjunction::collect_names(std::vector<Bytes>& out) const {
  for (const Condition& c : conditions) out.push_back(c.path.first().name);
  for (const Branch& branch : branches)
    for (const Conjunction& alternative : branch.alternatives) alternative.collect_names(out);
}

std::vector<Bytes> Query::field_names() const {
  std::vector<Bytes> names;
  root_->collect_names(names);
  std::ranges::sort(names);
  auto repeats = std::ranges::unique(names);
  names.erase(repeats.begin(), repeats.end());
  return names;
}

}  // namespace holdfast::core
