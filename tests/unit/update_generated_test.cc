// Updates agree with a naive updater over generated documents: each operator alone, and several at once.
#include <gtest/gtest.h>

#include "core/update.h"
#include "tests/support/naive_update.h"

namespace holdfast::core {
namespace {

using test::encode;
using test::NaiveContext;
using test::parse;
using test::show;
using test::Tree;
using test::TreeGenerator;

constexpr const char* kOperators[] = {"$set",  "$setOnInsert", "$unset",       "$inc",    "$mul",  "$min",
                                      "$max",  "$bit",         "$currentDate", "$rename", "$push", "$addToSet",
                                      "$pull", "$pullAll",     "$pop"};

Tree map_of(std::string name, Tree value) {
  Tree t = parse("{}");
  t.fields.emplace_back(std::move(name), std::move(value));
  return t;
}

struct UpdateGenerator {
  TreeGenerator g;
  Tree document = Tree();

  bool chance(uint64_t n, uint64_t of) { return g.rng.chance(n, of); }
  const char* one_of(std::initializer_list<const char*> all) { return all.begin()[g.rng.below(all.size())]; }

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

  void add(Tree& update, const std::string& op) {
    auto [path, there] = path_for(op);
    if (!update.field(op)) update.fields.emplace_back(op, parse("{}"));
    Tree* operands = update.field(op);
    if (!operands->field(path)) operands->fields.emplace_back(path, operand(op, there));
  }
};

struct Counts {
  int changed = 0, unchanged = 0, refused = 0;
};

// Empty, or what disagrees.
std::string compare(const Tree& update, const Tree& document, const NaiveContext& context, Counts& counts) {
  std::string what = show(update) + " on " + show(document);
  std::optional<Tree> expected = test::naive_update(update, document, context);
  auto compiled = Update::compile(encode(update));
  Result<Update::Applied> applied =
      compiled ? compiled->apply(encode(document), {.now = {context.now_ns}, .insert = context.insert})
               : fail(compiled.error().code, compiled.error().message);
  if (applied.has_value() != expected.has_value())
    return what + (expected ? " is refused: " + applied.error().text() : " gives " + show(applied->document));
  if (!expected) {
    ++counts.refused;
    return applied.error().code == Code::kBadRequest || applied.error().code == Code::kUnsupported
               ? ""
               : what + ": " + applied.error().text();
  }
  if (applied->document != encode(*expected))
    return what + " gives " + show(applied->document) + ", expected " + show(*expected);
  if (applied->changed() != (encode(document) != encode(*expected))) return what + ": changed or not";
  ++(applied->changed() ? counts.changed : counts.unchanged);
  return "";
}

TEST(UpdateGenerated, EachOperatorAgreesWithTheNaiveUpdater) {
  for (const char* op : kOperators) {
    Counts counts;
    for (uint64_t seed = 0; seed < 5'000; ++seed) {
      UpdateGenerator u{{Rng(seed, op)}};
      u.make_document();
      NaiveContext context{.now_ns = seed % 2 ? -5 : 1'700'000'000'000'000'001, .insert = seed % 3 > 0};
      Tree update = parse("{}");
      u.add(update, op);
      if (u.chance(1, 5)) u.add(update, op);
      // Some have been applied before.
      if (u.chance(1, 4))
        if (auto once = test::naive_update(update, u.document, context)) u.document = *once;
      std::string wrong = compare(update, u.document, context, counts);
      ASSERT_EQ(wrong, "") << op << ", seed " << seed;
    }
    EXPECT_GT(counts.changed, 300) << op;
    EXPECT_GT(counts.unchanged, 300) << op;
    EXPECT_GT(counts.refused, 1'000) << op;
  }
}

TEST(UpdateGenerated, SeveralOperatorsAgreeWithTheNaiveUpdater) {
  Counts counts;
  for (uint64_t seed = 0; seed < 40'000; ++seed) {
    UpdateGenerator u{{Rng(seed, "updates")}};
    u.make_document();
    Tree update = parse("{}");
    for (uint64_t n = u.g.rng.between(1, 3); n > 0; --n)
      u.add(update, kOperators[u.g.rng.below(std::size(kOperators))]);
    std::string wrong = compare(update, u.document, {.now_ns = 5, .insert = seed % 2 > 0}, counts);
    ASSERT_EQ(wrong, "") << "seed " << seed;
  }
  EXPECT_GT(counts.changed, 5'000);
  EXPECT_GT(counts.unchanged, 2'000);
  EXPECT_GT(counts.refused, 10'000);
}

TEST(UpdateGenerated, ReplacementsAgreeWithTheNaiveUpdater) {
  Counts counts;
  for (uint64_t seed = 0; seed < 3'000; ++seed) {
    UpdateGenerator u{{Rng(seed, "replacements")}};
    u.make_document();
    Tree update = u.chance(1, 4) ? u.document : u.g.map(3);
    if (u.chance(1, 4)) update = u.g.rewidth(update);
    if (u.chance(1, 6)) std::erase_if(update.fields, [](auto& f) { return f.first == "_id"; });
    if (u.chance(1, 6) && !update.field("_id")) update.fields.emplace_back("_id", parse("5"));
    if (u.chance(1, 12) && !update.fields.empty()) update.fields.emplace_back("$set", parse("{}"));
    std::string wrong = compare(update, u.document, {}, counts);
    ASSERT_EQ(wrong, "") << "seed " << seed;
  }
  EXPECT_GT(counts.changed, 300);
  EXPECT_GT(counts.unchanged, 300);
  EXPECT_GT(counts.refused, 300);
}

}  // namespace
}  // namespace holdfast::core
