#include "tests/support/naive_query.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <regex>
#include <set>
#include <span>

namespace holdfast::test {

namespace {

using msgpack::Kind;

bool is_logical(const std::string& name) { return name == "$and" || name == "$or" || name == "$nor"; }

/// A map that is read as operators, where operators may stand.
bool starts_with_dollar(const Tree& t) { return t.is_map() && !t.fields.empty() && t.fields[0].first.starts_with('$'); }

/// $elemMatch with operators on the element itself; otherwise its operand is a query on elements that are maps.
bool is_value_form(const Tree& operand) { return starts_with_dollar(operand) && !is_logical(operand.fields[0].first); }

bool is_whole(const Tree& t) { return t.is_number() && std::isfinite(t.number) && std::trunc(t.number) == t.number; }

/// A number cut towards zero to 64 bits with a sign; nothing when it does not fit.
std::optional<int64_t> cut(const Tree& t) {
  constexpr long double kLimit = 9223372036854775808.0L;
  if (!t.is_number() || !std::isfinite(t.number)) return std::nullopt;
  long double whole = std::trunc(t.number);
  if (whole < -kLimit || whole >= kLimit) return std::nullopt;
  return static_cast<int64_t>(whole);
}

std::optional<std::regex> regex(const std::string& pattern, const Tree* options) {
  auto flags = std::regex::ECMAScript;
  // Of the generated expressions and strings, m, s and x change nothing.
  if (options && options->text.contains('i')) flags |= std::regex::icase;
  try {
    return std::regex(pattern, flags);
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
}

struct Type {
  const char* name;
  int number;
  bool (*has)(const Tree&);
};

bool is_integer(const Tree& t) { return t.kind == Kind::kUint || t.kind == Kind::kInt; }
bool is_int(const Tree& t) { return is_integer(t) && t.number >= -2147483648.0L && t.number <= 2147483647.0L; }

constexpr Type kTypes[] = {
    {"double", 1, [](const Tree& t) { return t.kind == Kind::kFloat; }},
    {"string", 2, [](const Tree& t) { return t.kind == Kind::kString; }},
    {"object", 3, [](const Tree& t) { return t.kind == Kind::kMap; }},
    {"array", 4, [](const Tree& t) { return t.kind == Kind::kArray; }},
    {"binData", 5, [](const Tree& t) { return t.kind == Kind::kBinary; }},
    {"bool", 8, [](const Tree& t) { return t.kind == Kind::kBool; }},
    {"date", 9, [](const Tree& t) { return t.kind == Kind::kTime; }},
    {"null", 10, [](const Tree& t) { return t.kind == Kind::kNil; }},
    {"int", 16, is_int},
    {"long", 18, [](const Tree& t) { return is_integer(t) && !is_int(t); }},
    {"number", 0, [](const Tree& t) { return t.is_number(); }},
};

const Type* find_type(const Tree& wanted) {
  for (const Type& type : kTypes) {
    if (wanted.kind == Kind::kString && wanted.text == type.name) return &type;
    if (type.number != 0 && wanted.is_number() && wanted.number == type.number) return &type;
  }
  return nullptr;
}

// --- what is refused ---

bool query_is_valid(const Tree& query);
bool operators_are_valid(const Tree& operators);

bool elem_match_is_valid(const Tree& operand) {
  if (!operand.is_map()) return false;
  return is_value_form(operand) ? operators_are_valid(operand) : query_is_valid(operand);
}

bool all_is_valid(const Tree& operand) {
  if (!operand.is_array()) return false;
  auto is_elem_match = [](const Tree& t) { return starts_with_dollar(t) && t.fields[0].first == "$elemMatch"; };
  if (operand.items.empty() || !is_elem_match(operand.items[0]))
    return std::ranges::none_of(operand.items, starts_with_dollar);
  return std::ranges::all_of(operand.items, [&](const Tree& item) {
    return is_elem_match(item) && item.fields.size() == 1 && elem_match_is_valid(item.fields[0].second);
  });
}

bool type_is_valid(const Tree& operand) {
  if (!operand.is_array()) return find_type(operand) != nullptr;
  return !operand.items.empty() && std::ranges::all_of(operand.items, find_type);
}

bool mod_is_valid(const Tree& operand) {
  if (!operand.is_array() || operand.items.size() != 2) return false;
  auto divisor = cut(operand.items[0]);
  return divisor && *divisor != 0 && cut(operand.items[1]);
}

bool regex_is_valid(const Tree& operators) {
  const Tree* pattern = operators.field("$regex");
  const Tree* options = operators.field("$options");
  if (!pattern || pattern->kind != Kind::kString) return false;
  if (options && options->kind != Kind::kString) return false;
  if (options && options->text.find_first_not_of("imsx") != std::string::npos) return false;
  return regex(pattern->text, options).has_value();
}

bool operator_is_valid(const Tree& operators, const std::string& name, const Tree& operand) {
  static const std::set<std::string> kTakeAnything = {"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$exists"};
  if (kTakeAnything.contains(name)) return true;
  if (name == "$in" || name == "$nin")
    return operand.is_array() && std::ranges::none_of(operand.items, starts_with_dollar);
  if (name == "$type") return type_is_valid(operand);
  if (name == "$regex" || name == "$options") return regex_is_valid(operators);
  if (name == "$mod") return mod_is_valid(operand);
  if (name == "$size") return is_whole(operand) && operand.number >= 0 && cut(operand);
  if (name == "$all") return all_is_valid(operand);
  if (name == "$elemMatch") return elem_match_is_valid(operand);
  if (name == "$not") return operators_are_valid(operand);
  return false;
}

bool operators_are_valid(const Tree& operators) {
  return operators.is_map() && !operators.fields.empty() &&
         std::ranges::all_of(operators.fields,
                             [&](auto& field) { return operator_is_valid(operators, field.first, field.second); });
}

bool query_is_valid(const Tree& query) {
  return query.is_map() && std::ranges::all_of(query.fields, [](const Tree::Field& field) {
    const auto& [name, value] = field;
    if (is_logical(name))
      return value.is_array() && !value.items.empty() && std::ranges::all_of(value.items, query_is_valid);
    if (name.starts_with('$')) return false;
    return !starts_with_dollar(value) || operators_are_valid(value);
  });
}

// --- what matches ---

struct Candidate {
  const Tree* value;  ///< null: missing
  bool is_single;     ///< an array's elements are no candidates
};

using Candidates = std::vector<Candidate>;

void find(const Tree& t, std::span<const std::string> rest, Candidates& out) {
  if (rest.empty()) return out.push_back({&t, false});
  if (t.is_map()) {
    if (const Tree* f = t.field(rest[0])) return find(*f, rest.subspan(1), out);
    return out.push_back({nullptr, false});
  }
  if (!t.is_array()) return out.push_back({nullptr, false});
  for (size_t i = 0; i < t.items.size(); ++i) {
    const Tree& item = t.items[i];
    if (item.is_map()) find(item, rest, out);
    if (std::to_string(i) != rest[0]) continue;
    if (rest.size() == 1)
      out.push_back({&item, true});
    else if (item.is_map() || item.is_array())
      find(item, rest.subspan(1), out);
  }
}

using Test = std::function<bool(const Tree*)>;

/// Of some candidate as a whole; elements of arrays are none.
bool some_whole(const Candidates& candidates, const Test& test) {
  return std::ranges::any_of(candidates, test, &Candidate::value);
}

/// Of some candidate, or of an element of one that is an array.
bool some(const Candidates& candidates, const Test& test) {
  return std::ranges::any_of(candidates, [&](const Candidate& c) {
    if (test(c.value)) return true;
    return c.value && c.value->is_array() && !c.is_single &&
           std::ranges::any_of(c.value->items, [&](const Tree& item) { return test(&item); });
  });
}

bool equals(const Tree* value, const Tree& operand) {
  return value ? naive_compare(*value, operand) == 0 : operand.kind == Kind::kNil;
}

/// $gt, $gte, $lt, $lte: within the operand's type only.
bool is_on_side(const std::string& name, const Tree* value, const Tree& operand) {
  bool or_equal = name.ends_with('e');
  if (operand.kind == Kind::kNil) return or_equal && equals(value, operand);
  if (!value) return false;
  bool numbers = value->is_number() && operand.is_number();
  if (!numbers && value->kind != operand.kind) return false;
  if (numbers && (std::isnan(value->number) || std::isnan(operand.number))) return or_equal && equals(value, operand);
  int order = naive_compare(*value, operand);
  return order == 0 ? or_equal : (order > 0) == name.starts_with("$g");
}

bool is_true(const Tree& t) {
  if (t.kind == Kind::kBool) return t.boolean;
  return t.kind != Kind::kNil && !(t.is_number() && t.number == 0);
}

bool has_remainder(const Tree* value, const Tree& operand) {
  auto dividend = value ? cut(*value) : std::nullopt;
  if (!dividend) return false;
  // In 128 bits, where the smallest number divided by -1 is no overflow.
  return static_cast<__int128>(*dividend) % *cut(operand.items[0]) == *cut(operand.items[1]);
}

bool has_type(const Tree* value, const Tree& operand) {
  if (!value) return false;
  if (!operand.is_array()) return find_type(operand)->has(*value);
  return std::ranges::any_of(operand.items, [&](const Tree& wanted) { return find_type(wanted)->has(*value); });
}

bool query_holds(const Tree& query, const Tree& document);
bool all_hold(const Tree& operators, const Candidates& candidates);

bool some_element(const Tree* value, const Tree& operand) {
  return value && value->is_array() && std::ranges::any_of(value->items, [&](const Tree& item) {
    if (is_value_form(operand)) return all_hold(operand, {{&item, true}});
    return item.is_map() && query_holds(operand, item);
  });
}

bool all_are_there(const Tree& operand, const Candidates& candidates) {
  return !operand.items.empty() && std::ranges::all_of(operand.items, [&](const Tree& wanted) {
    if (starts_with_dollar(wanted)) return all_hold(wanted, candidates);
    return some(candidates, [&](const Tree* v) { return equals(v, wanted); });
  });
}

bool holds(const Tree& operators, const std::string& name, const Tree& operand, const Candidates& candidates) {
  auto is_equal = [&](const Tree* v) { return equals(v, operand); };
  auto is_in = [&](const Tree* v) {
    return std::ranges::any_of(operand.items, [&](const Tree& one) { return equals(v, one); });
  };
  if (name == "$eq") return some(candidates, is_equal);
  if (name == "$ne") return !some(candidates, is_equal);
  if (name == "$in") return some(candidates, is_in);
  if (name == "$nin") return !some(candidates, is_in);
  if (name == "$exists") return some_whole(candidates, [](const Tree* v) { return v != nullptr; }) == is_true(operand);
  if (name == "$type") return some(candidates, [&](const Tree* v) { return has_type(v, operand); });
  if (name == "$mod") return some(candidates, [&](const Tree* v) { return has_remainder(v, operand); });
  if (name == "$size")
    return some_whole(candidates, [&](const Tree* v) {
      return v && v->is_array() && static_cast<long double>(v->items.size()) == operand.number;
    });
  if (name == "$elemMatch") return some_whole(candidates, [&](const Tree* v) { return some_element(v, operand); });
  if (name == "$all") return all_are_there(operand, candidates);
  if (name == "$not") return !all_hold(operand, candidates);
  if (name == "$options") return true;
  if (name == "$regex") {
    auto expression = regex(operand.text, operators.field("$options"));
    return some(candidates, [&](const Tree* v) {
      return v && v->kind == Kind::kString && std::regex_search(v->text, *expression);
    });
  }
  return some(candidates, [&](const Tree* v) { return is_on_side(name, v, operand); });
}

bool all_hold(const Tree& operators, const Candidates& candidates) {
  return std::ranges::all_of(operators.fields,
                             [&](auto& field) { return holds(operators, field.first, field.second, candidates); });
}

bool query_holds(const Tree& query, const Tree& document) {
  auto holds_here = [&](const Tree& part) { return query_holds(part, document); };
  return std::ranges::all_of(query.fields, [&](const Tree::Field& field) {
    const auto& [name, value] = field;
    if (name == "$and") return std::ranges::all_of(value.items, holds_here);
    if (name == "$or") return std::ranges::any_of(value.items, holds_here);
    if (name == "$nor") return std::ranges::none_of(value.items, holds_here);
    Candidates candidates;
    find(document, split(name), candidates);
    if (starts_with_dollar(value)) return all_hold(value, candidates);
    return some(candidates, [&](const Tree* v) { return equals(v, value); });
  });
}

}  // namespace

std::optional<bool> naive_matches(const Tree& query, const Tree& document) {
  if (query.kind == Kind::kNil) return true;
  if (!query_is_valid(query)) return std::nullopt;
  return query_holds(query, document);
}

}  // namespace holdfast::test
