// Updates agree with a naive updater over generated documents: each operator alone, and several at once.
#include <gtest/gtest.h>

#include "core/update.h"
#include "tests/support/naive_update.h"
#include "tests/support/update_generator.h"

namespace holdfast::core {
namespace {

using test::encode;
using test::NaiveContext;
using test::parse;
using test::show;
using test::Tree;
using test::UpdateGenerator;

struct Counts {
  int changed = 0, unchanged = 0, refused = 0;
};

// Empty, or what disagrees.
std::string compare(const Tree& update, const Tree& document, const NaiveContext& context, Counts& counts) {
  std::string what = show(update) + " on " + show(document);
  std::optional<Tree> expected = test::naive_update(update, document, context);
  what += " with " + show(context.array_filters);
  if (context.position) what += " at " + std::to_string(*context.position);
  auto compiled = Update::compile(encode(update), encode(context.array_filters));
  UpdateContext real{.now = {context.now_ns}, .insert = context.insert, .position = context.position};
  Result<Update::Applied> applied =
      compiled ? compiled->apply(encode(document), real)
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
  for (const char* op : test::kUpdateOperators) {
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

// One case for `form` and `op`: one or two positional paths, here and there beside others.
std::string positional_case(uint64_t seed, const std::string& form, const std::string& op, Counts& counts) {
  UpdateGenerator u{{Rng(seed, form + op)}};
  u.position = u.g.rng.below(3);
  u.make_even_document(op);
  Tree update = parse("{}");
  u.add_positional(update, op, form);
  if (u.chance(1, 4)) u.add_positional(update, op, form);
  if (u.chance(1, 8)) u.add_positional(update, test::kUpdateOperators[u.g.rng.below(15)], "");
  if (u.chance(1, 8)) u.add(update, op);
  NaiveContext context{.now_ns = seed % 2 ? -5 : 1'700'000'000'000'000'001, .insert = op == "$setOnInsert" && u.chance(2, 3)};
  if (!u.chance(1, 20)) context.position = u.position;
  context.array_filters = u.array_filters();
  if (u.chance(1, 3))
    if (auto once = test::naive_update(update, u.document, context)) u.document = *once;
  return compare(update, u.document, context, counts);
}

TEST(UpdateGenerated, EachPositionalFormAgreesWithTheNaiveUpdaterForEachOperator) {
  for (std::string form : {"$", "$[]", "$[x]"})
    for (std::string op : test::kUpdateOperators) {
      Counts counts;
      for (uint64_t seed = 0; seed < 1'000; ++seed) {
        std::string wrong = positional_case(seed, form, op, counts);
        ASSERT_EQ(wrong, "") << form << " " << op << ", seed " << seed;
      }
      if (op == "$rename") {
        EXPECT_EQ(counts.changed + counts.unchanged, 0);
        continue;
      }
      EXPECT_GT(counts.changed, 30) << form << " " << op;
      EXPECT_GT(counts.unchanged, 60) << form << " " << op;
      EXPECT_GT(counts.refused, 60) << form << " " << op;
    }
}

TEST(UpdateGenerated, SeveralPositionalPathsAgreeWithTheNaiveUpdater) {
  Counts counts;
  for (uint64_t seed = 0; seed < 12'000; ++seed) {
    UpdateGenerator u{{Rng(seed, "positional updates")}};
    u.position = u.g.rng.below(3);
    u.make_even_document("");
    Tree update = parse("{}");
    std::string form = u.chance(1, 2) ? "" : "$[x]";
    for (uint64_t n = u.g.rng.between(2, 4); n > 0; --n) {
      std::string op = u.one_of({"$set", "$unset", "$max", "$currentDate", "$setOnInsert"});
      u.add_positional(update, op, form);
    }
    NaiveContext context{.now_ns = 5, .insert = seed % 2 > 0, .position = u.position, .array_filters = u.array_filters()};
    std::string wrong = compare(update, u.document, context, counts);
    ASSERT_EQ(wrong, "") << "seed " << seed;
  }
  EXPECT_GT(counts.changed, 1'000);
  EXPECT_GT(counts.unchanged, 300);
  EXPECT_GT(counts.refused, 1'500);
}

TEST(UpdateGenerated, SeveralOperatorsAgreeWithTheNaiveUpdater) {
  Counts counts;
  for (uint64_t seed = 0; seed < 40'000; ++seed) {
    UpdateGenerator u{{Rng(seed, "updates")}};
    u.make_document();
    Tree update = parse("{}");
    for (uint64_t n = u.g.rng.between(1, 3); n > 0; --n)
      u.add(update, test::kUpdateOperators[u.g.rng.below(std::size(test::kUpdateOperators))]);
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
