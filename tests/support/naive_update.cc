#include "tests/support/naive_update.h"

#include "tests/support/naive_query.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace holdfast::test {

using msgpack::Kind;

namespace {

using Wide = __int128;

// ---- Numbers

bool is_integer(const Tree& t) { return t.kind == Kind::kUint || t.kind == Kind::kInt; }

Tree made(auto write) {
  Buffer b;
  msgpack::Writer w(b);
  write(w);
  return decode(b);
}

Tree integer(Wide n) {
  if (n <= INT64_MAX) return made([&](auto& w) { w.int64(static_cast<int64_t>(n)); });
  Buffer b("\xcf");
  append_be(b, static_cast<uint64_t>(n));
  return decode(b);
}

Tree floating(double f) {
  return made([&](auto& w) { w.float64(std::isnan(f) ? std::numeric_limits<double>::quiet_NaN() : f); });
}

Wide value_of(const Tree& t) { return static_cast<Wide>(t.number); }

// The old bytes stand when the number and its kind do.
Tree unless_equal(const Tree& fresh, const Tree& old) {
  bool same_type = (fresh.kind == Kind::kFloat) == (old.kind == Kind::kFloat);
  return same_type && naive_compare(fresh, old) == 0 ? old : fresh;
}

std::optional<Tree> computed(bool product, const Tree& a, const Tree& b) {
  if (!is_integer(a) || !is_integer(b)) {
    auto x = static_cast<double>(a.number), y = static_cast<double>(b.number);
    return floating(product ? x * y : x + y);
  }
  Wide x = value_of(a), y = value_of(b);
  if (product && x > INT64_MAX && y > INT64_MAX) return std::nullopt;
  Wide n = product ? x * y : x + y;
  Wide most = x > INT64_MAX || y > INT64_MAX ? Wide{UINT64_MAX} : Wide{INT64_MAX};
  if (n < INT64_MIN || n > most) return std::nullopt;
  return integer(n);
}

std::optional<int64_t> whole(const Tree& t) {
  if (!t.is_number() || std::isnan(t.number) || std::floor(t.number) != t.number) return std::nullopt;
  if (t.number < -9223372036854775808.0L || t.number >= 9223372036854775808.0L) return std::nullopt;
  return static_cast<int64_t>(t.number);
}

bool one_or_minus_one(const Tree& t) { return whole(t) == 1 || whole(t) == -1; }

// ---- Conditions of $pull

bool begins_with_operator(const Tree& t) {
  return t.is_map() && !t.fields.empty() && t.fields.front().first.starts_with('$');
}

bool one_type(const Tree& a, const Tree& b) { return a.kind == b.kind || (a.is_number() && b.is_number()); }

bool compares(const std::string& op, const Tree& v, const Tree& operand) {
  if (op == "$eq") return naive_compare(v, operand) == 0;
  if (!one_type(v, operand)) return false;
  int order = naive_compare(v, operand);
  bool or_equal = op == "$gte" || op == "$lte";
  if (v.is_number() && (std::isnan(v.number) || std::isnan(operand.number))) return or_equal && order == 0;
  if (order == 0) return or_equal;
  return (order < 0) == op.starts_with("$l");
}

// `v`: what is there, or nothing. An array stands for itself and for each of its elements.
bool holds(const std::string& op, const Tree* v, const Tree& operand) {
  if (op == "$ne") return !holds("$eq", v, operand);
  if (op == "$nin") return !holds("$in", v, operand);
  if (op == "$exists") return (v != nullptr) == (operand.kind != Kind::kBool || operand.boolean);
  if (op == "$size") return v != nullptr && v->is_array() && whole(operand) == static_cast<int64_t>(v->items.size());
  if (op == "$in") return std::ranges::any_of(operand.items, [&](auto& one) { return holds("$eq", v, one); });
  if (v == nullptr) return operand.kind == Kind::kNil && op != "$gt" && op != "$lt";
  return compares(op, *v, operand) ||
         std::ranges::any_of(v->items, [&](auto& item) { return compares(op, item, operand); });
}

bool all_hold(const Tree* v, const Tree& condition) {
  if (!begins_with_operator(condition)) return holds("$eq", v, condition);
  return std::ranges::all_of(condition.fields, [&](auto& f) { return holds(f.first, v, f.second); });
}

bool pulls(const Tree& element, const Tree& operand) {
  if (!operand.is_map()) return naive_compare(element, operand) == 0;
  if (begins_with_operator(operand)) return all_hold(&element, operand);
  return element.is_map() &&
         std::ranges::all_of(operand.fields, [&](auto& f) { return all_hold(element.field(f.first), f.second); });
}

// ---- Arrays

bool contains(const std::vector<Tree>& list, const Tree& v) {
  return std::ranges::any_of(list, [&](auto& one) { return naive_compare(one, v) == 0; });
}

Tree at_path(const Tree& element, const std::string& path) {
  const Tree* t = &element;
  for (const std::string& name : split(path)) {
    const Tree* next = t->is_map() ? t->field(name) : nullptr;
    for (size_t i = 0; t->is_array() && i < t->items.size(); ++i)
      if (std::to_string(i) == name) next = &t->items[i];
    if (next == nullptr) return Tree();
    t = next;
  }
  return *t;
}

int sort_order(const Tree& a, const Tree& b, const Tree& sort) {
  if (sort.is_number()) return naive_compare(a, b) * static_cast<int>(sort.number);
  for (auto& [path, direction] : sort.fields)
    if (int o = naive_compare(at_path(a, path), at_path(b, path))) return o * static_cast<int>(direction.number);
  return 0;
}

struct Push {
  std::vector<Tree> values;
  std::optional<int64_t> position, slice;
  const Tree* sort = nullptr;
};

bool is_sort(const Tree& sort) {
  if (!sort.is_map()) return one_or_minus_one(sort);
  return !sort.fields.empty() && std::ranges::all_of(sort.fields, [](auto& f) { return one_or_minus_one(f.second); });
}

std::optional<Push> push_of(const Tree& operand) {
  if (!begins_with_operator(operand) && !operand.field("$each")) return Push{.values = {operand}};
  Push push;
  for (auto& [name, value] : operand.fields) {
    if (name == "$each" && value.is_array())
      push.values = value.items;
    else if (name == "$position" && whole(value))
      push.position = whole(value);
    else if (name == "$slice" && whole(value))
      push.slice = whole(value);
    else if (name == "$sort" && is_sort(value))
      push.sort = &value;
    else
      return std::nullopt;
  }
  return operand.field("$each") ? std::optional(push) : std::nullopt;
}

void push_to(std::vector<Tree>& items, const Push& push) {
  auto n = static_cast<int64_t>(items.size());
  int64_t at = push.position.value_or(n);
  at = at < 0 ? std::max<int64_t>(0, n + at) : std::min(at, n);
  items.insert(items.begin() + at, push.values.begin(), push.values.end());
  if (push.sort)
    for (size_t i = 1; i < items.size(); ++i)
      for (size_t k = i; k > 0 && sort_order(items[k], items[k - 1], *push.sort) < 0; --k)
        std::swap(items[k], items[k - 1]);
  n = static_cast<int64_t>(items.size());
  if (push.slice && *push.slice >= 0 && *push.slice < n) items.resize(static_cast<size_t>(*push.slice));
  if (push.slice && *push.slice < 0 && n + *push.slice > 0) items.erase(items.begin(), items.begin() + n + *push.slice);
}

std::vector<Tree> set_values(const Tree& operand) {
  return begins_with_operator(operand) ? operand.field("$each")->items : std::vector<Tree>{operand};
}

bool change_array(const std::string& op, const Tree& operand, std::vector<Tree>& items) {
  if (op == "$push") push_to(items, *push_of(operand));
  if (op == "$addToSet")
    for (const Tree& v : set_values(operand))
      if (!contains(items, v)) items.push_back(v);
  if (op == "$pull") std::erase_if(items, [&](auto& item) { return pulls(item, operand); });
  if (op == "$pullAll") std::erase_if(items, [&](auto& item) { return contains(operand.items, item); });
  if (op == "$pop" && !items.empty()) items.erase(operand.number > 0 ? items.end() - 1 : items.begin());
  return true;
}

// ---- Actions

struct Action {
  std::string op;
  std::vector<std::string> path;
  Tree operand;
  bool idle = false;  // has nothing to do in this context, wherever it leads
};

bool on_arrays(const std::string& op) {
  return op == "$push" || op == "$addToSet" || op == "$pull" || op == "$pullAll" || op == "$pop";
}

bool removes(const std::string& op) { return op == "$unset" || op == "$rename"; }

bool creates(const Action& a) {
  return !removes(a.op) && a.op != "$pull" && a.op != "$pullAll" && a.op != "$pop";
}

int64_t bits_of(const Tree& operations, int64_t n) {
  for (auto& [name, operand] : operations.fields) {
    auto bits = static_cast<int64_t>(operand.number);
    n = name == "and" ? n & bits : name == "or" ? n | bits : n ^ bits;
  }
  return n;
}

bool valid(const std::string& op, const Tree& v) {
  if (op == "$inc" || op == "$mul") return v.is_number();
  if (op == "$rename") return v.kind == Kind::kString;
  if (op == "$pop") return one_or_minus_one(v);
  if (op == "$pullAll") return v.is_array();
  if (op == "$push") return push_of(v).has_value();
  if (op == "$addToSet")
    return !begins_with_operator(v) || (v.fields.size() == 1 && v.field("$each") && v.field("$each")->is_array());
  if (op == "$currentDate")
    return (v.kind == Kind::kBool && v.boolean) ||
           (v.is_map() && v.fields.size() == 1 && v.field("$type") && v.field("$type")->text == "date");
  if (op == "$bit")
    return v.is_map() && !v.fields.empty() && std::ranges::all_of(v.fields, [](auto& f) {
      return (f.first == "and" || f.first == "or" || f.first == "xor") && is_integer(f.second) && whole(f.second);
    });
  return true;
}

Tree date(const NaiveContext& context) {
  int64_t nanoseconds = context.now_ns % 1'000'000'000;
  if (nanoseconds < 0) nanoseconds += 1'000'000'000;
  int64_t seconds = (context.now_ns - nanoseconds) / 1'000'000'000;
  return made([&](auto& w) { w.time(seconds, static_cast<uint32_t>(nanoseconds)); });
}

Tree fresh(const Action& a, const NaiveContext& context) {
  if (a.op == "$inc") return a.operand.kind == Kind::kFloat ? floating(static_cast<double>(a.operand.number))
                                                            : integer(value_of(a.operand));
  if (a.op == "$mul") return a.operand.kind == Kind::kFloat ? floating(0) : integer(0);
  if (a.op == "$bit") return integer(bits_of(a.operand, 0));
  if (a.op == "$currentDate") return date(context);
  if (!on_arrays(a.op)) return a.operand;
  Tree array = parse("[]");
  change_array(a.op, a.operand, array.items);
  return array;
}

// False: refused.
bool change(Tree& v, const Action& a, const NaiveContext& context) {
  if (a.op == "$inc" || a.op == "$mul") {
    std::optional<Tree> result = v.is_number() ? computed(a.op == "$mul", v, a.operand) : std::nullopt;
    if (result) v = unless_equal(*result, v);
    return result.has_value();
  }
  if (a.op == "$bit") {
    if (!is_integer(v) || !whole(v)) return false;
    v = unless_equal(integer(bits_of(a.operand, *whole(v))), v);
    return true;
  }
  if (on_arrays(a.op)) return v.is_array() && change_array(a.op, a.operand, v.items);
  int order = naive_compare(a.operand, v);
  if ((a.op == "$min" && order >= 0) || (a.op == "$max" && order <= 0)) return true;
  v = a.op == "$currentDate" ? date(context) : a.operand;
  return true;
}

bool is_position(const std::string& s) {
  return !s.empty() && std::ranges::all_of(s, [](char c) { return c >= '0' && c <= '9'; });
}

bool apply(Tree& t, const Action& a, size_t depth, const NaiveContext& context) {
  if (a.idle) return true;
  const std::string& name = a.path[depth];
  Tree* child = nullptr;
  if (t.is_map()) {
    child = t.field(name);
  } else if (t.is_array() && is_position(name)) {
    size_t i = std::stoul(name);
    if (i < t.items.size()) child = &t.items[i];
  } else {
    return removes(a.op);
  }
  bool last = depth + 1 == a.path.size();
  if (child == nullptr) {
    if (!creates(a)) return true;
    Tree value = last ? fresh(a, context) : parse("{}");
    if (t.is_map())
      t.fields.emplace_back(name, value);
    else
      t.items.resize(std::stoul(name) + 1), t.items.back() = value;
    return last || apply(t.is_map() ? t.fields.back().second : t.items.back(), a, depth + 1, context);
  }
  if (!last) return apply(*child, a, depth + 1, context);
  if (!removes(a.op)) return change(*child, a, context);
  if (t.is_array())
    *child = Tree();
  else
    std::erase_if(t.fields, [&](auto& f) { return f.first == name; });
  return true;
}

bool before(const Action& a, const Action& b) {
  return std::ranges::lexicographical_compare(a.path, b.path, [](const std::string& x, const std::string& y) {
    if (is_position(x) && is_position(y)) return std::stoi(x) < std::stoi(y);
    if (is_position(x) || is_position(y)) return is_position(x);
    return x < y;
  });
}

// ---- Positional parts: paths with them become paths without, of what the document holds

bool for_elements(const std::string& part) { return part.starts_with("$["); }
std::string identifier(const std::string& part) { return part.substr(2, part.size() - 3); }

bool is_identifier(const std::string& s) {
  return !s.empty() && s[0] >= 'a' && s[0] <= 'z' && std::ranges::all_of(s, [](char c) { return std::isalnum(c) != 0; });
}

bool is_path(const std::vector<std::string>& path, bool positional) {
  for (const std::string& part : path) {
    if (part.empty()) return false;
    if (!part.starts_with('$')) continue;
    bool known = part == "$" || part == "$[]" || (for_elements(part) && part.back() == ']' && is_identifier(identifier(part)));
    if (!known || !positional || &part == &path.front()) return false;
  }
  return std::ranges::count(path, "$") < 2;
}

// Two paths meet if one is the other or leads there, or if one goes through all elements where the other names one.
bool conflict(const Action& a, const Action& b) {
  for (size_t i = 0; i < std::min(a.path.size(), b.path.size()); ++i) {
    if (for_elements(a.path[i]) != for_elements(b.path[i])) return true;
    if (a.path[i] != b.path[i]) return false;
  }
  return true;
}

bool any_conflict(const std::vector<Action>& actions) {
  for (size_t i = 0; i < actions.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (conflict(actions[i], actions[k])) return true;
  return false;
}

void identifiers_of(const Tree& query, std::vector<std::string>& out) {
  for (auto& [name, value] : query.fields) {
    if (!name.starts_with('$')) out.push_back(split(name)[0]);
    if (name.starts_with('$'))
      for (const Tree& one : value.items) identifiers_of(one, out);
  }
}

struct Filter {
  std::string identifier;
  Tree query;
  bool used = false;
};

std::optional<std::vector<Filter>> filters_of(const Tree& list) {
  std::vector<Filter> out;
  if (!list.is_array() && list.kind != Kind::kNil) return std::nullopt;
  for (const Tree& query : list.items) {
    std::vector<std::string> names;
    if (!query.is_map() || !naive_matches(query, parse("{}"))) return std::nullopt;
    identifiers_of(query, names);
    if (names.empty() || !is_identifier(names[0]) || std::ranges::count(names, names[0]) != std::ssize(names)) return std::nullopt;
    if (std::ranges::find(out, names[0], &Filter::identifier) != out.end()) return std::nullopt;
    out.push_back({names[0], query});
  }
  return out;
}

// False: a filter or an identifier stands alone.
bool belong_together(const std::vector<Action>& actions, std::vector<Filter>& filters) {
  for (const Action& a : actions)
    for (const std::string& part : a.path) {
      if (!for_elements(part) || part == "$[]") continue;
      auto filter = std::ranges::find(filters, identifier(part), &Filter::identifier);
      if (filter == filters.end()) return false;
      filter->used = true;
    }
  return std::ranges::all_of(filters, &Filter::used);
}

bool reaches(const std::string& part, const Tree& element, const std::vector<Filter>& filters) {
  if (part == "$[]") return true;
  Tree wrapped = parse("{}");
  wrapped.fields.emplace_back(identifier(part), element);
  return *naive_matches(std::ranges::find(filters, identifier(part), &Filter::identifier)->query, wrapped);
}

// ---- $rename

struct Place {
  std::optional<Tree> value;
  bool in_array = false;
};

Place place_of(const Tree& document, const std::vector<std::string>& path) {
  Place place;
  const Tree* t = &document;
  for (const std::string& name : path) {
    place.in_array |= t->is_array();
    const Tree* next = t->is_map() ? t->field(name) : nullptr;
    if (t->is_array() && is_position(name) && std::stoul(name) < t->items.size()) next = &t->items[std::stoul(name)];
    if (next == nullptr) return place;
    t = next;
  }
  place.value = *t;
  return place;
}

// Puts positions in the place of the parts for elements that stand at `depth`. False: there is no array.
bool expand(const Tree& document, size_t depth, const std::vector<Filter>& filters, std::vector<Action>& actions) {
  std::vector<Action> out;
  for (const Action& a : actions) {
    if (a.path.size() <= depth || !for_elements(a.path[depth])) {
      out.push_back(a);
      continue;
    }
    Place array = place_of(document, {a.path.begin(), a.path.begin() + static_cast<ptrdiff_t>(depth)});
    if (!array.value || !array.value->is_array()) {
      if (!a.idle) return false;
      continue;
    }
    for (size_t i = 0; i < array.value->items.size(); ++i) {
      if (!reaches(a.path[depth], array.value->items[i], filters)) continue;
      out.push_back(a);
      out.back().path[depth] = std::to_string(i);
    }
  }
  actions = out;
  return true;
}

// False: refused.
bool resolve(const Tree& document, const NaiveContext& context, std::vector<Action>& actions) {
  std::optional<std::vector<Filter>> filters = filters_of(context.array_filters);
  if (!filters || !belong_together(actions, *filters)) return false;
  size_t longest = 0;
  for (Action& a : actions) {
    longest = std::max(longest, a.path.size());
    for (std::string& part : a.path) {
      if (part != "$") continue;
      if (!context.position) return false;
      part = std::to_string(*context.position);
    }
  }
  if (any_conflict(actions)) return false;
  for (size_t depth = 1; depth < longest; ++depth)
    if (!expand(document, depth, *filters, actions) || any_conflict(actions)) return false;
  return true;
}

// ---- Whole updates

std::optional<Tree> replacement(const Tree& update, const Tree& document) {
  if (std::ranges::any_of(update.fields, [](auto& f) { return f.first.starts_with('$'); })) return std::nullopt;
  Tree out = update;
  const Tree* old_id = document.field("_id");
  if (old_id == nullptr) return out;
  if (Tree* id = out.field("_id")) {
    if (naive_compare(*id, *old_id) != 0) return std::nullopt;
    *id = *old_id;
  } else {
    out.fields.insert(out.fields.begin(), Tree::Field{"_id", *old_id});
  }
  return out;
}

// False: refused, whatever the document.
bool collect(const Tree& update, const NaiveContext& context, std::vector<Action>& out) {
  constexpr std::string_view kKnown[] = {"$set",  "$setOnInsert", "$unset",       "$inc",    "$mul",      "$min",
                                         "$max",  "$bit",         "$currentDate", "$rename", "$push",     "$addToSet",
                                         "$pull", "$pullAll",     "$pop"};
  for (auto& [op, operands] : update.fields) {
    if (std::ranges::find(kKnown, op) == std::end(kKnown) || !operands.is_map()) return false;
    for (auto& [path, operand] : operands.fields) {
      Action a{op, split(path), operand, op == "$setOnInsert" && !context.insert};
      bool id_may_be_set = (op == "$set" || op == "$setOnInsert") && a.path.size() == 1;
      if (!valid(op, operand)) return false;
      out.push_back(a);
      if (op == "$rename") out.push_back({"to", split(operand.text), a.operand, false});
      for (const Action& made : {a, out.back()})
        if (!is_path(made.path, op != "$rename") || (made.path[0] == "_id" && !id_may_be_set)) return false;
    }
  }
  return true;
}

}  // namespace

std::optional<Tree> naive_update(const Tree& update, const Tree& document, const NaiveContext& context) {
  if (!begins_with_operator(update))
    return context.array_filters.items.empty() ? replacement(update, document) : std::nullopt;
  std::vector<Action> actions;
  if (!collect(update, context, actions)) return std::nullopt;
  for (size_t i = 0; i < actions.size(); ++i) {
    if (actions[i].op != "$rename") continue;
    Action& to = actions[i + 1];
    Place source = place_of(document, actions[i].path), target = place_of(document, to.path);
    actions[i].idle = to.idle = !source.value;
    if (!source.value) continue;
    if (source.in_array || target.in_array) return std::nullopt;
    to.operand = *source.value;
  }
  if (!resolve(document, context, actions)) return std::nullopt;
  std::ranges::sort(actions, before);
  Tree out = document;
  for (const Action& a : actions)
    if (!apply(out, a, 0, context)) return std::nullopt;
  // `_id` may be set, to what it is.
  const Tree* old_id = document.field("_id");
  if (old_id && naive_compare(*old_id, *out.field("_id")) != 0) return std::nullopt;
  if (old_id) *out.field("_id") = *old_id;
  return out;
}

}  // namespace holdfast::test
