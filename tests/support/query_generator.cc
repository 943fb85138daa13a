#include "tests/support/query_generator.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace holdfast::test {

namespace {

using msgpack::Kind;

constexpr int kDepth = 4;

constexpr std::string_view kOperators[] = {"$eq",  "$ne",     "$gt",   "$gte",   "$lt",  "$lte",  "$in",
                                           "$nin", "$exists", "$type", "$regex", "$mod", "$size", "$all",
                                           "$not", "$and",    "$or",   "$nor",   "$elemMatch"};

bool is_logical(std::string_view op) { return op == "$and" || op == "$or" || op == "$nor"; }
/// Those that hold queries or operators again.
bool is_nested(std::string_view op) { return is_logical(op) || op == "$not" || op == "$elemMatch"; }

Tree map_of(std::string_view name, Tree value) {
  Tree t = parse("{}");
  t.fields.emplace_back(std::string(name), std::move(value));
  return t;
}

Tree array_of(std::vector<Tree> items) {
  Tree t = parse("[]");
  t.items = std::move(items);
  return t;
}

Tree string_of(const std::string& s) { return parse("'" + s + "'"); }

Tree float_of(long double number) {
  char text[64];
  std::snprintf(text, sizeof text, "f64(%.17Lg)", number);
  return parse(text);
}

/// Operands that must be refused. Of $and, $or, $nor under this name; of the others as whole maps of operators.
const std::vector<Tree>& refused_operands(std::string_view op) {
  static const auto kAll = [] {
    const std::vector<const char*> lists = {"5", "null", "'a'", "{}", "[{$gt: 1}]", "[1, {$x: 1}]"};
    const std::vector<const char*> logical = {"[]", "{}", "null", "5", "[5]", "[null]", "[{}, [1]]", "{a: 1}",
                                              "[{a: {$foo: 1}}]", "[{$gt: 1}]", "[{$comment: 'a'}]"};
    const std::map<std::string_view, std::vector<const char*>> texts = {
        {"$in", lists},
        {"$nin", lists},
        {"$type",
         {"[]", "'foo'", "'Int'", "''", "0", "-1", "3.5", "6", "127", "null", "true", "['int', 'x']", "[[2]]", "{}",
          "[null]", "nan"}},
        {"$regex", {"'('", "'[a'", "'a(b'", "'*a'", "5", "null", "['a']", "{}", "bin('a')"}},
        {"$mod",
         {"[]", "[2]", "[2, 1, 0]", "5", "null", "{}", "[0, 1]", "[-0.0, 0]", "[0.5, 0]", "[nan, 0]", "[inf, 0]",
          "[2, nan]", "[2, -inf]", "['a', 0]", "[2, null]", "[9223372036854775808, 0]", "[2, 1e300]"}},
        {"$size", {"-1", "1.5", "'a'", "null", "true", "[1]", "{}", "nan", "inf", "-0.5", "i64(-3)", "1e300",
          "9223372036854775808"}},
        {"$all",
         {"5", "null", "{}", "'a'", "[{$gt: 1}]", "[1, {$gt: 1}]", "[{$elemMatch: {}}, 1]",
          "[1, {$elemMatch: {a: 1}}]", "[{$elemMatch: 5}]", "[{$elemMatch: {$foo: 1}}]",
          "[{$elemMatch: {a: 1}}, {$eq: 1}]"}},
        {"$elemMatch",
         {"5", "null", "[]", "[1]", "'a'", "{$gt: 1, b: 1}", "{b: 1, $gt: 1}", "{$and: []}", "{$foo: 1}",
          "{$and: [{a: 1}], $gt: 1}", "{$gt: 1, $and: [{a: 1}]}", "{$in: 5}", "{a: {$size: -1}}"}},
        {"$not",
         {"{}", "5", "null", "'a'", "[]", "[{$gt: 1}]", "{b: 1}", "{$gt: 1, b: 2}", "{b: 2, $gt: 1}",
          "{$and: [{a: 1}]}", "{$foo: 1}", "{$in: 5}", "{$not: {}}", "{$not: 5}"}},
        {"$and", logical},
        {"$or", logical},
        {"$nor", logical}};
    std::map<std::string_view, std::vector<Tree>> trees;
    for (std::string_view name : kOperators) trees[name];
    for (auto& [name, operands] : texts)
      for (const char* text : operands) trees[name].push_back(parse(text));
    return trees;
  }();
  return kAll.at(op);
}

/// Whether something is at that path.
bool leads(const Tree& t, std::span<const std::string> rest) {
  if (rest.empty()) return true;
  if (const Tree* field = t.field(rest[0])) return leads(*field, rest.subspan(1));
  for (size_t i = 0; i < t.items.size(); ++i) {
    if (t.items[i].is_map() && leads(t.items[i], rest)) return true;
    if (std::to_string(i) == rest[0] && leads(t.items[i], rest.subspan(1))) return true;
  }
  return false;
}

void append(Tree& map, const Tree& other) {
  for (const Tree::Field& field : other.fields)
    if (!map.field(field.first)) map.fields.push_back(field);
}

}  // namespace

std::span<const std::string_view> QueryGenerator::operators() { return kOperators; }

// --- documents and operands ---

std::string QueryGenerator::word() {
  std::string s;
  for (uint64_t n = values.rng.below(5); n > 0; --n) s += "abcAB"[values.rng.below(5)];
  return s;
}

Tree QueryGenerator::any_width(int64_t number) { return values.rewidth(parse(std::to_string(number))); }

Tree QueryGenerator::small_number() {
  // Or where $type's int ends.
  constexpr int64_t kEnds[] = {2147483647, 2147483648, -2147483648, -2147483649};
  if (values.rng.chance(1, 12)) return any_width(kEnds[values.rng.below(4)]);
  auto n = static_cast<int64_t>(values.rng.below(13)) - 6;
  return values.rng.chance(1, 4) ? float_of(static_cast<long double>(n) + 0.5L) : any_width(n);
}

Tree QueryGenerator::enriched(const Tree& tree) {
  Tree t = tree;
  for (Tree& item : t.items) item = enriched(item);
  for (auto& [name, value] : t.fields) value = enriched(value);
  if (t.is_map() || t.is_array()) {
    // Some containers become elements of an array.
    if (!values.rng.chance(1, 6)) return t;
    std::vector<Tree> items = {t, values.rng.chance(1, 2) ? values.map(2) : values.scalar()};
    if (values.rng.chance(1, 2)) std::swap(items[0], items[1]);
    return array_of(items);
  }
  switch (values.rng.below(8)) {
    case 0:
    case 1:
      return string_of(word());
    case 2:
    case 3:
      return small_number();
    case 4: {
      Tree array = parse("[]");
      for (uint64_t n = values.rng.below(4); n > 0; --n)
        array.items.push_back(values.rng.chance(1, 2) ? string_of(word()) : small_number());
      return array;
    }
    default:
      return t;
  }
}

Tree QueryGenerator::document() {
  Tree t = values.map(4);
  for (auto& [name, value] : t.fields) {
    if (values.rng.chance(1, 4)) value = array_of({values.value(2), value, values.value(1)});
    value = enriched(value);
  }
  return t.fields.empty() && values.rng.chance(7, 8) ? document() : t;
}

/// Of an array often an element.
const Tree& QueryGenerator::inside(const Tree& value) {
  if (!value.is_array() || value.items.empty() || values.rng.chance(1, 3)) return value;
  return value.items[values.rng.below(value.items.size())];
}

Tree QueryGenerator::near(const Tree& value) {
  if (value.is_number() && std::abs(value.number) < 1e15L)
    return values.rewidth(float_of(value.number + (static_cast<long double>(values.rng.below(5)) - 2) / 2));
  if (value.kind == Kind::kString) {
    if (value.text.empty() || values.rng.chance(1, 2)) return string_of(value.text + "a");
    return string_of(value.text.substr(1));
  }
  if (value.is_array()) {
    Tree t = value;
    t.items.push_back(values.scalar());
    return t;
  }
  return values.value(2);
}

Tree QueryGenerator::operand(const Tree& value) {
  const Tree& from = inside(value);
  switch (values.rng.below(8)) {
    case 0:
    case 1:
      return near(from);
    case 2:
      return values.rng.chance(1, 3) ? Tree() : values.scalar();
    case 3:
      return values.rng.chance(1, 2) ? enriched(values.value(2)) : small_number();
    default:
      return values.rewidth(from);
  }
}

// --- what each operator takes ---

Tree QueryGenerator::list(const Tree& value) {
  Tree t = parse("[]");
  for (uint64_t n = values.rng.below(4); n > 0; --n)
    t.items.push_back(values.rng.chance(1, 2) ? values.scalar() : operand(value));
  return t;
}

Tree QueryGenerator::truth() {
  static const std::vector<Tree> kAll = [] {
    std::vector<Tree> all;
    for (const char* text : {"true", "false", "1", "0", "null", "-0.0", "f32(0)", "u64(0)", "nan", "''", "0.5", "[]",
                             "{}", "{$x: 1}"})
      all.push_back(parse(text));
    return all;
  }();
  return kAll[values.rng.below(values.rng.chance(1, 2) ? 2 : kAll.size())];
}

Tree QueryGenerator::type(const Tree& value) {
  struct Type {
    const char* name;
    int number;
  };
  static constexpr Type kAny[] = {{"double", 1}, {"string", 2}, {"object", 3}, {"array", 4}, {"binData", 5},
                                  {"bool", 8},   {"date", 9},   {"null", 10},  {"int", 16},  {"long", 18}};
  auto one = [&]() -> Tree {
    static const std::map<Kind, std::vector<size_t>> kOf = {
        {Kind::kFloat, {0}},  {Kind::kString, {1}}, {Kind::kMap, {2}}, {Kind::kArray, {3}},    {Kind::kBinary, {4}},
        {Kind::kBool, {5}},   {Kind::kTime, {6}},   {Kind::kNil, {7}}, {Kind::kUint, {8, 9}}, {Kind::kInt, {8, 9}}};
    const Tree& from = inside(value);
    if (values.rng.chance(1, 8)) return string_of("number");
    size_t i = values.rng.below(std::size(kAny));
    if (auto of = kOf.find(from.kind); of != kOf.end() && values.rng.chance(1, 2))
      i = of->second[values.rng.below(of->second.size())];
    return values.rng.chance(1, 2) ? string_of(kAny[i].name) : any_width(kAny[i].number);
  };
  if (values.rng.chance(2, 3)) return one();
  Tree t = parse("[]");
  for (uint64_t n = values.rng.between(1, 3); n > 0; --n) t.items.push_back(one());
  return t;
}

/// Of part of the value when that is a string, piece by piece, else of a random word.
std::string QueryGenerator::pattern(const Tree& value) {
  Rng& rng = values.rng;
  const Tree& from = inside(value);
  std::string word_in = from.kind == Kind::kString && rng.chance(3, 4) ? from.text : word(), p;
  size_t begin = rng.chance(1, 2) ? 0 : rng.below(word_in.size() + 1);
  size_t end = rng.chance(1, 2) ? word_in.size() : rng.between(begin, word_in.size());
  if (rng.chance(1, 4)) p += "^";
  for (char c : word_in.substr(begin, end - begin)) {
    const std::string s(1, c);
    const std::string pieces[] = {s, s, s, s, ".", "[" + s + "bc]", s + "+", s + "?", s + "*", ".*", "(" + s + "|ab)",
                                  "(" + s + "B?)+", "[^" + s + "]", s + "b"};
    p += pieces[rng.below(std::size(pieces))];
  }
  if (rng.chance(1, 4)) p += "$";
  if (!p.empty() && rng.chance(1, 10)) p += "|^b";
  return p;
}

Tree QueryGenerator::regex(const Tree& value) {
  std::string p = pattern(value);
  if (values.rng.chance(2, 3)) return map_of("$regex", string_of(p));
  if (values.rng.chance(1, 2))
    for (char& c : p)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  static constexpr const char* kOptions[] = {"", "i", "i", "i", "i", "ii", "si", "m", "xims"};
  Tree options = map_of("$options", string_of(kOptions[values.rng.below(std::size(kOptions))]));
  Tree t = map_of("$regex", string_of(p));
  if (values.rng.chance(1, 2)) std::swap(t, options);
  append(t, options);
  return t;
}

Tree QueryGenerator::mod(const Tree& value) {
  static const std::vector<Tree> kDivisors = [] {
    std::vector<Tree> all;
    for (const char* text : {"1", "2", "3", "-2", "2.5", "u8(3)", "f32(4.0)", "-1", "-1.5", "1000",
                             "9223372036854775807", "i64(-9223372036854775808)"})
      all.push_back(parse(text));
    return all;
  }();
  const Tree& from = inside(value);
  const Tree& divisor = kDivisors[values.rng.below(std::size(kDivisors))];
  Tree remainder = any_width(static_cast<int64_t>(values.rng.below(5)) - 2);
  if (from.is_number() && std::abs(from.number) < 1e15L && values.rng.chance(2, 3)) {
    auto r = static_cast<int64_t>(from.number) % static_cast<int64_t>(divisor.number);
    bool cut = values.rng.chance(1, 4);
    remainder = cut ? float_of(static_cast<long double>(r) + (r < 0 ? -0.5L : 0.5L)) : any_width(r);
  }
  return array_of({divisor, remainder});
}

Tree QueryGenerator::size(const Tree& value) {
  uint64_t n = values.rng.chance(1, 2) ? value.items.size() : values.rng.below(5);
  return n == 0 && values.rng.chance(1, 4) ? parse("-0.0") : any_width(static_cast<int64_t>(n));
}

Tree QueryGenerator::all(const Tree& value, int depth) {
  if (values.rng.chance(1, 16)) return parse("[]");
  bool elements = values.rng.chance(1, 4);
  Tree t = parse("[]");
  for (uint64_t n = values.rng.between(1, 3); n > 0; --n) {
    if (elements)
      t.items.push_back(map_of("$elemMatch", element(value, depth - 1)));
    else
      t.items.push_back(values.rng.chance(2, 3) ? values.rewidth(inside(value)) : operand(value));
  }
  return t;
}

Tree QueryGenerator::element(const Tree& value, int depth) {
  bool has_one = value.is_array() && !value.items.empty();
  Tree one = has_one ? value.items[values.rng.below(value.items.size())] : values.value(1);
  if (one.is_map() ? values.rng.chance(4, 5) : values.rng.chance(1, 12)) return any_query(one, depth - 1);
  return operators_for(any_operator(depth - 1), one, depth - 1);
}

// --- how they are put together ---

std::string_view QueryGenerator::any_operator(int depth) {
  while (true) {
    std::string_view op = kOperators[values.rng.below(std::size(kOperators))];
    if (!is_nested(op) || (depth > 0 && !is_logical(op))) return op;
  }
}

/// Mostly a path that leads somewhere, to an array for the operators on arrays, and so on.
std::pair<std::string, Tree> QueryGenerator::place(std::string_view op, const Tree& document) {
  auto is_wanted = [&](const std::pair<std::string, Tree>& found) {
    const Tree& from = inside(found.second);
    if (!leads(document, split(found.first))) return false;
    if (op == "$size" || op == "$elemMatch" || op == "$all") return found.second.is_array();
    if (op == "$regex") return from.kind == Kind::kString;
    if (op == "$mod") return from.is_number();
    return true;
  };
  auto found = values.chance_path(document);
  for (int i = 0; i < 8 && !is_wanted(found) && values.rng.chance(7, 8); ++i) found = values.chance_path(document);
  if (values.rng.chance(1, 10)) found.first += "." + values.name();
  return found;
}

/// {op: operand}, with $options where it belongs.
Tree QueryGenerator::on_value(std::string_view op, const Tree& value, int depth) {
  if (op == "$in" || op == "$nin") return map_of(op, list(value));
  if (op == "$exists") return map_of(op, truth());
  if (op == "$type") return map_of(op, type(value));
  if (op == "$regex") return regex(value);
  if (op == "$mod") return map_of(op, mod(value));
  if (op == "$size") return map_of(op, size(value));
  if (op == "$all") return map_of(op, all(value, depth));
  if (op == "$elemMatch") return map_of(op, element(value, depth));
  if (op == "$not") return map_of(op, operators_for(any_operator(depth - 1), value, depth - 1));
  return map_of(op, values.rng.chance(1, 40) ? parse("{$x: 1}") : operand(value));
}

Tree QueryGenerator::operators_for(std::string_view op, const Tree& value, int depth) {
  Tree t = on_value(op, value, depth);
  while (values.rng.chance(1, 6)) {
    std::string_view other = any_operator(depth);
    if (!t.field(other)) append(t, on_value(other, value, depth));
  }
  return t;
}

Tree QueryGenerator::condition(std::string_view op, const Tree& document, int depth) {
  if (is_logical(op)) {
    Tree t = parse("[]");
    for (uint64_t n = values.rng.between(1, 3); n > 0; --n) t.items.push_back(any_query(document, depth - 1));
    return map_of(op, t);
  }
  auto [path, value] = place(op, document);
  if (op == "$eq" && values.rng.chance(1, 3)) return map_of(path, operand(value));
  return map_of(path, operators_for(op, value, depth));
}

Tree QueryGenerator::conditions(std::string_view op, const Tree& document, int depth) {
  Tree t = condition(op, document, depth);
  while (values.rng.chance(1, 6)) append(t, condition(any_operator(depth), document, depth));
  return t;
}

Tree QueryGenerator::any_query(const Tree& document, int depth) {
  if (values.rng.chance(1, 30)) return parse("{}");
  std::string_view op = kOperators[values.rng.below(std::size(kOperators))];
  return conditions(depth <= 0 && is_nested(op) ? any_operator(0) : op, document, depth);
}

/// Refused for the operand of `op`, or for what stands beside it.
Tree QueryGenerator::refused(std::string_view op, const Tree& document) {
  static const std::vector<Tree> kBesideOperators = {parse("{b: 2}"), parse("{$foo: 1}"), parse("{$and: [{a: 1}]}"),
                                                     parse("{$comment: 'a'}")};
  static const std::vector<Tree> kBesideQueries = {parse("{$foo: 1}"), parse("{$comment: 'a'}"), parse("{$gt: 1}"),
                                                   parse("{$not: {a: 1}}"), parse("{$where: 'a'}")};
  Rng& rng = values.rng;
  const std::vector<Tree>& operands = refused_operands(op);
  auto [path, value] = place(op, document);
  bool by_operand = !operands.empty() && rng.chance(3, 4);
  Tree t = by_operand ? map_of(op, operands[rng.below(operands.size())]) : on_value(op, value, 2);
  if (is_logical(op)) {
    if (by_operand) return t;
    Tree query = condition(op, document, 1);
    if (rng.chance(1, 2)) return map_of(path, query);
    append(query, kBesideQueries[rng.below(kBesideQueries.size())]);
    return query;
  }
  if (op == "$regex" && by_operand && rng.chance(1, 3)) {
    static const std::vector<Tree> kBad = {parse("{$options: 'i'}"), parse("{$regex: 'a', $options: 'g'}"),
                                           parse("{$options: 5, $regex: 'a'}"), parse("{$regex: 'a', $options: null}")};
    t = kBad[rng.below(kBad.size())];
  }
  if (!by_operand) append(t, kBesideOperators[rng.below(kBesideOperators.size())]);
  return map_of(path, t);
}

Tree QueryGenerator::query(std::string_view op, const Tree& document) {
  Rng& rng = values.rng;
  Tree t = rng.chance(1, 16) ? refused(op, document) : conditions(op, document, kDepth);
  static constexpr const char* kAround[] = {"$and", "$or", "$nor"};
  while (rng.chance(1, 6)) {
    std::vector<Tree> parts = {t};
    if (rng.chance(1, 3)) parts.push_back(any_query(document, 1));
    if (rng.chance(1, 2)) std::swap(parts.front(), parts.back());
    t = map_of(kAround[rng.below(3)], array_of(parts));
  }
  return t;
}

}  // namespace holdfast::test
