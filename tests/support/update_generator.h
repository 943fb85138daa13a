// Random updates aimed at a random document: what they change is often there, and often not.
#pragma once

#include "tests/support/tree.h"

namespace holdfast::test {

inline constexpr const char* kUpdateOperators[] = {"$set",  "$setOnInsert", "$unset",       "$inc",    "$mul",  "$min",
                                      "$max",  "$bit",         "$currentDate", "$rename", "$push", "$addToSet",
                                      "$pull", "$pullAll",     "$pop"};

inline Tree map_of(std::string name, Tree value) {
  Tree t = parse("{}");
  t.fields.emplace_back(std::move(name), std::move(value));
  return t;
}

struct UpdateGenerator {
  TreeGenerator g;
  Tree document = Tree();

  bool chance(uint64_t n, uint64_t of) { return g.rng.chance(n, of); }
  const char* one_of(std::initializer_list<const char*> all) { return all.begin()[g.rng.below(all.size())]; }

  // What goes with the update where it has positional parts.
  size_t position = 0;
  std::vector<std::pair<std::string, Tree>> filters;  ///< by identifier

  // Maps with an `_id` somewhere, and arrays more often than elsewhere.
  void make_document() {
    document = g.map(4);
    for (uint64_t n = g.rng.below(3); n > 0; --n) {
      std::string name = g.name();
      if (!document.field(name)) document.fields.emplace_back(name, array());
    }
    auto at = document.fields.begin() + static_cast<ptrdiff_t>(g.rng.below(document.fields.size() + 1));
    document.fields.insert(at, Tree::Field{"_id", parse(one_of({"1", "u16(7)", "'x'"}))});
  }

  // The same with arrays of elements that are alike, so that an operator often works on all of them.
  void make_even_document(const std::string& op) {
    make_document();
    for (const char* name : {"a", "b"}) {
      if (chance(1, 3)) continue;
      Tree* there = document.field(name);
      if (!there) document.fields.emplace_back(name, Tree());
      *document.field(name) = even_array(op);
    }
  }
  Tree even_array(const std::string& op) {
    Tree t = parse("[]");
    bool maps = chance(2, 3), nested = chance(1, 4);
    for (uint64_t n = g.rng.below(4); n > 0; --n) {
      Tree element = maps ? parse("{}") : suited(op);
      if (maps)
        for (const char* name : {"a", "b", "c"})
          if (chance(3, 4)) element.fields.emplace_back(name, suited(op));
      t.items.push_back(nested ? list_of({element, element}) : element);
    }
    return t;
  }
  Tree suited(const std::string& op) {
    if (chance(1, 25)) return g.scalar();
    if (op == "$inc" || op == "$mul" || op == "$bit") return parse(one_of({"0", "1", "2", "3", "7", "i64(6)", "0", "i64(0)"}));
    if (op == "$push" || op == "$addToSet" || op == "$pull" || op == "$pullAll" || op == "$pop")
      return parse(one_of({"[]", "[1]", "[1, 2]", "['x', 1]", "[2, 1, 2]", "[{a: 1}, {a: 2}]"}));
    return parse(one_of({"1", "2", "null", "'x'", "{}", "[]", "true", "0"}));
  }

  Tree array() {
    Tree t = parse("[]");
    for (uint64_t n = g.rng.below(5); n > 0; --n) t.items.push_back(chance(1, 2) ? g.map(2) : g.value(1));
    return t;
  }

  // A value, often one of the document.
  Tree value() { return chance(1, 2) ? g.rewidth(g.part(document)) : g.value(2); }

  // Of those at the path when that is an array, mostly.
  Tree element(const Tree& there) {
    if (there.is_array() && !there.items.empty() && chance(2, 3))
      return g.rewidth(there.items[g.rng.below(there.items.size())]);
    return g.value(1);
  }
  Tree elements(const Tree& there) {
    Tree t = parse("[]");
    for (uint64_t n = g.rng.below(4); n > 0; --n) t.items.push_back(element(there));
    return t;
  }

  Tree push_operand(const Tree& there) {
    if (chance(1, 5)) return g.scalar();
    Tree t = map_of("$each", elements(there));
    if (chance(1, 2)) t.fields.emplace_back("$position", parse(one_of({"0", "1", "-1", "2.0", "-2", "9", "-9"})));
    if (chance(1, 2)) t.fields.emplace_back("$slice", parse(one_of({"0", "1", "-1", "2", "-2.0", "3", "-4", "9"})));
    if (chance(1, 2))
      t.fields.emplace_back("$sort", parse(one_of({"1", "-1", "{a: 1}", "{b: -1, 'a.b': 1}", "{'0': 1, c: -1.0}"})));
    if (chance(1, 30)) t.fields.emplace_back("$extra", parse("1"));
    return t;
  }

  Tree tests(const Tree& there) {
    Tree t = parse("{}");
    for (uint64_t n = g.rng.between(1, 2); n > 0; --n) {
      std::string op = one_of({"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$size"});
      if (t.field(op)) continue;
      Tree operand = op == "$in" || op == "$nin" ? elements(there)
                     : op == "$exists"           ? parse(one_of({"true", "false"}))
                     : op == "$size"             ? parse(one_of({"0", "1", "2.0"}))
                                                 : element(there);
      for (Tree& item : operand.items)
        if (item.is_map()) item = g.scalar();  // operators' names are none of these values
      t.fields.emplace_back(op, operand);
    }
    return t;
  }

  Tree pull_operand(const Tree& there) {
    if (chance(1, 2)) return tests(there);
    Tree operand = element(there);
    if (operand.is_map() && chance(1, 2))
      for (auto& [name, condition] : operand.fields)
        if (chance(1, 2)) condition = tests(there);
    return operand;
  }

  Tree operand(const std::string& op, const Tree& there) {
    if (op == "$set" || op == "$setOnInsert" || op == "$min" || op == "$max") return value();
    if (op == "$unset") return g.scalar();
    if (op == "$inc") return chance(1, 2) ? parse(one_of({"1", "i8(-2)", "0", "0.5", "0", "0.0"})) : g.scalar();
    if (op == "$mul") return chance(1, 2) ? parse(one_of({"1", "i8(-2)", "0", "0.5", "u32(3)", "1.0"})) : g.scalar();
    if (op == "$bit")
      return parse(one_of({"{and: 3}", "{and: -1}", "{or: 0}", "{or: i64(6)}", "{xor: 5}", "{xor: 0, and: 6, or: 1}",
                           "{or: 1.0}", "{}", "{nor: 1}"}));
    if (op == "$currentDate") return parse(one_of({"true", "true", "{'$type': 'date'}", "{'$type': 'x'}"}));
    if (op == "$rename") return chance(1, 20) ? g.scalar() : parse("'" + to() + "'");
    if (op == "$push") return push_operand(there);
    if (op == "$addToSet") return chance(1, 2) ? map_of("$each", elements(there)) : element(there);
    if (op == "$pull") return pull_operand(there);
    if (op == "$pullAll") return chance(1, 20) ? g.scalar() : elements(there);
    return parse(one_of({"1", "-1", "1.0", "-1.0", "2"}));
  }

  std::string to() { return chance(1, 2) ? g.name() : g.path(); }

  std::pair<std::string, Tree> path_for(const std::string& op) {
    if (chance(1, 16)) return {"_id", *document.field("_id")};
    bool of_arrays = op == "$push" || op == "$addToSet" || op == "$pull" || op == "$pullAll" || op == "$pop";
    bool of_numbers = op == "$inc" || op == "$mul" || op == "$bit";
    auto found = g.chance_path(document);
    for (int i = 0; i < 4; ++i) {
      if (of_arrays ? found.second.is_array() : !of_numbers || found.second.is_number()) break;
      found = g.chance_path(document);
    }
    return found;
  }

  // A query about elements like `element`, and an identifier for it: a new one, or one that has been used.
  std::string identifier(const Tree& element) {
    if (!filters.empty() && chance(1, 3)) return filters[g.rng.below(filters.size())].first;
    std::string x = one_of({"x", "y", "el3"});
    if (std::ranges::find(filters, x, &std::pair<std::string, Tree>::first) == filters.end())
      filters.emplace_back(x, filter(x, element));
    return x;
  }

  Tree filter(const std::string& x, const Tree& element) {
    if (chance(1, 12)) return map_of(chance(1, 2) ? "$or" : "$nor", list_of({filter(x, element), filter(x, element)}));
    if (element.is_map() && !element.fields.empty() && chance(2, 3)) {
      auto& [name, value] = element.fields[g.rng.below(element.fields.size())];
      return map_of(x + "." + name, chance(1, 2) && !value.is_map() ? value : tests(value));
    }
    return map_of(x, chance(1, 2) ? scalar_tests() : element.is_map() || chance(1, 2) ? tests(element) : element);
  }
  static Tree list_of(std::vector<Tree> items) {
    Tree t = parse("[]");
    t.items = std::move(items);
    return t;
  }
  Tree scalar_tests() {
    return parse(one_of({"{'$gt': 1}", "{'$lte': 2}", "{'$exists': true}", "{'$ne': null}", "{'$in': [1, 2, 'x']}"}));
  }

  // `form` of "$", "$[]", "$[x]", or "" for any of them.
  std::string part_of(std::string form, const Tree& element) {
    if (form.empty()) form = one_of({"$", "$[]", "$[x]"});
    return form == "$[x]" ? "$[" + identifier(element) + "]" : form;
  }

  // A path through arrays by positional parts, and what one of its ways leads to.
  std::pair<std::string, Tree> positional_path(const std::string& form) {
    std::string p;
    bool had = false, matched = false;
    const Tree* t = &document;
    for (int parts = 0; parts == 0 || (t->is_map() && !t->fields.empty()) || (t->is_array() && !t->items.empty()); ++parts) {
      if (had && chance(1, 3)) break;
      if (t->is_map()) {
        const Tree::Field& f = t->fields[g.rng.below(t->fields.size())];
        p += (p.empty() ? "" : ".") + f.first;
        t = &f.second;
      } else {
        size_t i = position < t->items.size() && chance(2, 3) ? position : g.rng.below(t->items.size());
        std::string part = chance(1, 10) || (matched && form == "$") ? std::to_string(i) : part_of(form, t->items[i]);
        matched |= part == "$";
        had |= part[0] == '$';
        p += "." + part;
        t = &t->items[i];
      }
    }
    if (!had) return {};
    if (chance(1, 4)) return {p + "." + (chance(1, 8) ? part_of(form, *t) : g.name()), *t};
    return {p, *t};
  }

  std::pair<std::string, Tree> positional_path_for(const std::string& op, const std::string& form) {
    bool of_arrays = op == "$push" || op == "$addToSet" || op == "$pull" || op == "$pullAll" || op == "$pop";
    bool of_numbers = op == "$inc" || op == "$mul" || op == "$bit";
    auto kept = filters;
    std::pair<std::string, Tree> found;
    for (int i = 0; i < 20; ++i) {
      filters = kept;
      found = positional_path(form);
      bool fits = of_arrays ? found.second.is_array() : !of_numbers || found.second.is_number();
      if (!found.first.empty() && (fits || chance(1, 12))) break;
    }
    if (found.first.empty()) return {"a." + part_of(form, document), parse("1")};
    return found;
  }

  void add_positional(Tree& update, const std::string& op, const std::string& form) {
    auto [path, there] = positional_path_for(op, form);
    add_at(update, op, path, there);
  }

  // Beside the update; now and then not what the identifiers ask for.
  Tree array_filters() {
    std::vector<Tree> list;
    for (auto& [x, query] : filters) list.push_back(query);
    if (!list.empty() && chance(1, 40)) list.pop_back();
    if (chance(1, 40)) list.push_back(parse(one_of({"{z: 1}", "{X: 1}", "{}", "{x: 1}", "{x: 1, y: 1}", "5"})));
    return list_of(list);
  }

  void add(Tree& update, const std::string& op) {
    auto [path, there] = path_for(op);
    add_at(update, op, path, there);
  }

  void add_at(Tree& update, const std::string& op, const std::string& path, const Tree& there) {
    if (!update.field(op)) update.fields.emplace_back(op, parse("{}"));
    Tree* operands = update.field(op);
    if (!operands->field(path)) operands->fields.emplace_back(path, operand(op, there));
  }
};

}  // namespace holdfast::test
