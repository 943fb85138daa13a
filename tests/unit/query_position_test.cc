// What updates ask of queries: the position that `$` stands for, and conditions on a value alone.
#include "core/query.h"

#include <gtest/gtest.h>

#include "tests/support/naive_query.h"
#include "tests/support/query_case.h"

namespace holdfast::core {
namespace {

using test::compiled;
using test::encode;
using test::mp;
using test::show;
using test::Tree;
using test::TreeGenerator;

constexpr int kNone = -1;

struct PositionCase {
  const char* query;
  const char* document;
  int position;
};

void expect_positions(std::initializer_list<PositionCase> cases) {
  for (const PositionCase& c : cases) {
    Query q = compiled(c.query);
    Buffer document = mp(c.document);
    ASSERT_EQ(q.match(document), Query::Match::kYes) << c.query << " on " << c.document;
    auto found = q.matched_position(document);
    EXPECT_EQ(found ? static_cast<int>(*found) : kNone, c.position) << c.query << " on " << c.document;
  }
}

TEST(QueryPosition, IsThatOfTheFirstElementThatMatches) {
  expect_positions({{"{_id: 1, a: 80}", "{_id: 1, a: [85, 80, 80]}", 1},
                    {"{'a.b': 85}", "{a: [{b: 80}, 5, {b: 85}]}", 2},
                    {"{'a.b.c': 85}", "{a: {b: [{c: 80}, {c: [1, 85]}]}}", 1},
                    {"{a: {'$elemMatch': {b: {'$lte': 90}, c: {'$gt': 80}}}}", "{a: [{b: 80, c: 75}, {b: 85, c: 90}]}", 1},
                    {"{a: {'$elemMatch': {'$gt': 2, '$lt': 4}}}", "{a: [1, 5, 3]}", 2},
                    {"{'a.b': null}", "{a: [{b: 1}, {c: 1}]}", 1},
                    {"{'a.1': 7}", "{a: [7, 7]}", 1},
                    {"{'a.1.b': 7}", "{a: [1, {b: 7}]}", 1},
                    {"{a: {'$in': [3, 2]}}", "{a: [1, 2, 3]}", 1},
                    {"{a: {'$type': 'string'}}", "{a: [1, 'x']}", 1},
                    {"{a: {'$regex': '^x'}}", "{a: ['y', 'x']}", 1}});
}

TEST(QueryPosition, IsInTheOutermostArray) {
  expect_positions({{"{'a.b': 2}", "{a: [{b: [2, 3]}, 7]}", 0},
                    {"{'a.b': 3}", "{a: [{b: [2]}, {b: [2, 4, 3]}]}", 1},
                    {"{'a.b': {'$elemMatch': {c: 1}}}", "{a: [{b: []}, {b: [{c: 0}, {c: 0}, {c: 1}]}]}", 1},
                    {"{a: [1, 2]}", "{a: [[0], [0, 1], [1, 2]]}", 2}});
}

TEST(QueryPosition, IsNotKnownWithoutAnElement) {
  expect_positions({{"{}", "{a: [1]}", kNone},
                    {"{_id: 1}", "{_id: 1, a: [1]}", kNone},
                    {"{a: 5}", "{a: 5}", kNone},
                    {"{a: null}", "{}", kNone},
                    {"{'a.b': null}", "{a: 5}", kNone},
                    {"{a: [1, 2]}", "{a: [1, 2]}", kNone},
                    {"{a: {'$size': 2}}", "{a: [1, 2]}", kNone},
                    {"{a: {'$exists': true}}", "{a: [1, 2]}", kNone},
                    {"{'a.b': {'$exists': true}}", "{a: [1, {b: 2}]}", 1}});
}

TEST(QueryPosition, ComesFromNoNegation) {
  expect_positions({{"{a: {'$ne': 5}}", "{a: [1, 2]}", kNone},
                    {"{a: {'$nin': [5]}}", "{a: [1, 2]}", kNone},
                    {"{a: {'$not': {'$gt': 5}}}", "{a: [1, 2]}", kNone},
                    {"{a: {'$not': {'$not': {'$gt': 1}}}}", "{a: [1, 2]}", kNone},
                    {"{'$nor': [{a: 5}]}", "{a: [1, 2]}", kNone},
                    {"{'a.b': {'$exists': false}}", "{a: [1]}", kNone},
                    {"{a: 2, b: {'$ne': 5}}", "{a: [1, 2], b: [1]}", 1}});
}

TEST(QueryPosition, ComesFromTheLastConditionThatHasOne) {
  expect_positions({{"{z: 1, a: 2}", "{a: [1, 2], z: [0, 0, 1]}", 1},
                    {"{a: 2, z: 1}", "{a: [1, 2], z: [0, 0, 1]}", 2},
                    {"{a: 2, z: 1}", "{a: [1, 2], z: 1}", 1},
                    {"{a: {'$gt': 1, '$lt': 2}}", "{a: [2, 1]}", 1},
                    {"{a: {'$all': [2, 1]}}", "{a: [1, 2]}", 0},
                    {"{'$and': [{z: 1}, {a: 2}]}", "{a: [1, 2], z: [0, 0, 1]}", 1},
                    {"{'$and': [{a: 2}, {z: 1}], a: 1}", "{a: [1, 2], z: [0, 0, 1]}", 0}});
}

TEST(QueryPosition, ComesFromTheAlternativeThatMatches) {
  expect_positions({{"{'$or': [{a: 9}, {z: 1}, {a: 2}]}", "{a: [1, 2], z: [0, 0, 1]}", 2},
                    {"{'$or': [{a: 9}, {b: 5}, {a: 2}]}", "{a: [1, 2], b: 5}", kNone},
                    {"{a: 2, '$or': [{b: 5}]}", "{a: [1, 2], b: 5}", 1},
                    {"{a: 2, '$or': [{z: 1}]}", "{a: [1, 2], z: [0, 0, 1]}", 2},
                    {"{'$or': [{z: 1}], a: 2}", "{a: [1, 2], z: [0, 0, 1]}", 1},
                    {"{'$or': [{'$or': [{a: 9}, {a: 2, z: 1}]}]}", "{a: [1, 2], z: [0, 0, 1]}", 2}});
}

// ---- Agreement with a naive answer: of an array with that one element alone the condition would hold, too.

std::optional<size_t> naive_position(const Tree& query, const Tree& document);

std::optional<size_t> naive_position_of(const std::string& path, const Tree& condition, const Tree& document) {
  Tree alone = document, query = test::parse("{}");
  query.fields.emplace_back(path, condition);
  Tree* at = &alone;
  std::vector<std::string> parts = test::split(path);
  for (size_t i = 0; at != nullptr && !at->is_array(); ++i) {
    if (i == parts.size() || !at->is_map()) return std::nullopt;
    at = at->field(parts[i]);
  }
  if (at == nullptr) return std::nullopt;
  std::vector<Tree> items = at->items;
  for (size_t i = 0; i < items.size(); ++i) {
    at->items = {items[i]};
    if (*test::naive_matches(query, alone)) return i;
  }
  return std::nullopt;
}

std::optional<size_t> naive_position(const Tree& query, const Tree& document) {
  std::optional<size_t> last;
  auto keep = [&](std::optional<size_t> found) { last = found ? found : last; };
  for (auto& [name, value] : query.fields) {
    if (name == "$and") {
      for (const Tree& one : value.items) keep(naive_position(one, document));
    } else if (name == "$or") {
      auto first = std::ranges::find_if(value.items, [&](auto& one) { return *test::naive_matches(one, document); });
      keep(naive_position(*first, document));
    } else if (value.is_map()) {
      for (auto& [op, operand] : value.fields) {
        Tree one = test::parse("{}");
        one.fields.emplace_back(op, operand);
        if (op != "$ne" && op != "$not") keep(naive_position_of(name, one, document));
      }
    } else {
      keep(naive_position_of(name, value, document));
    }
  }
  return last;
}

struct Generator {
  TreeGenerator g;
  Tree document = Tree();

  Tree scalar(const Tree& there) {
    const Tree& part = g.part(there);
    return part.is_map() || part.is_array() ? g.scalar() : part;
  }
  Tree map(std::string name, Tree value) {
    Tree t = test::parse("{}");
    t.fields.emplace_back(std::move(name), std::move(value));
    return t;
  }
  Tree condition(const Tree& there) {
    constexpr const char* kOrders[] = {"$gt", "$gte", "$lt", "$lte", "$eq", "$ne"};
    Tree one = map(kOrders[g.rng.below(6)], scalar(there));
    switch (g.rng.below(6)) {
      case 0:
        return scalar(there);
      case 1:
        return map("$elemMatch", one);
      case 2:
        return map("$elemMatch", map(g.name(), scalar(there)));
      case 3:
        return map("$not", one);
      case 4:
        one.fields.emplace_back("$in", test::parse("[1, null, 'x', 2]"));
        return one;
      default:
        return one;
    }
  }
  Tree conditions(uint64_t n) {
    Tree query = test::parse("{}");
    for (; n > 0; --n) {
      auto [through, there] = g.chance_path(document);
      std::string path;
      for (const std::string& part : test::split(through))
        if (part[0] > '9') path += (path.empty() ? "" : ".") + part;
      if (!path.empty() && !query.field(path)) query.fields.emplace_back(path, condition(there));
    }
    return query;
  }
};

TEST(QueryPosition, AgreesWithTheNaiveAnswerOnGeneratedCases) {
  int some = 0, none = 0, several = 0;
  for (uint64_t seed = 0; seed < 150'000; ++seed) {
    Generator g{{Rng(seed, "positions")}};
    g.document = g.g.map(4);
    Tree query = g.conditions(2);
    if (g.g.rng.chance(1, 3)) {
      Tree list = test::parse("[]");
      list.items = {g.conditions(1), g.conditions(2)};
      query.fields.emplace_back(g.g.rng.chance(2, 3) ? "$or" : "$and", list);
      Tree more = g.conditions(1);
      for (auto& f : more.fields)
        if (!query.field(f.first)) query.fields.push_back(f);
    }
    if (!test::naive_matches(query, g.document).value_or(false)) continue;
    std::optional<size_t> expected = naive_position(query, g.document);
    Query q = std::move(*Query::compile(encode(query)));
    std::optional<uint32_t> found = q.matched_position(encode(g.document));
    ASSERT_EQ(found ? static_cast<int>(*found) : kNone, expected ? static_cast<int>(*expected) : kNone)
        << "seed " << seed << ": " << show(query) << " on " << show(g.document);
    ++(expected ? some : none);
    several += expected && *expected > 0;
  }
  EXPECT_GT(some, 2'000);
  EXPECT_GT(several, 500);
  EXPECT_GT(none, 2'000);
}

TEST(QueryPosition, AnswersOnBrokenDocuments) {
  Query q = compiled("{'a.b': 1, c: {'$elemMatch': {d: 2}}, '$or': [{x: 2}]}");
  Buffer document = mp("{x: [1, 2, {y: 3}], a: [{b: [0, 1]}], c: [1, {d: 2}]}");
  ASSERT_EQ(q.matched_position(document), 1u);
  for (size_t n = 0; n < document.size(); ++n) (void)q.matched_position(Bytes(document).substr(0, n));
  for (size_t i = 0; i < document.size(); ++i)
    for (int bits = 1; bits < 256; ++bits) {
      Buffer broken = document;
      broken[i] = static_cast<char>(broken[i] ^ bits);
      (void)q.matched_position(broken);
      (void)q.match_field(broken);
    }
}

TEST(QueryField, MatchesAValueAsTheOnlyField) {
  struct Case {
    const char* query;
    const char* value;
    bool matches;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"{x: {'$gt': 5}}", "6", true},
           {"{x: {'$gt': 5}}", "5", false},
           {"{x: {'$gt': 5, '$lt': 9}}", "9", false},
           {"{x: {a: 1}}", "{a: 1}", true},
           {"{'x.a': 1, 'x.b': {'$ne': 2}}", "{a: 1}", true},
           {"{'x.a': 1, 'x.b': {'$ne': 2}}", "{a: 1, b: 2}", false},
           {"{'x.a': null}", "5", true},
           {"{x: 2}", "[1, 2]", true},
           {"{'x.1': 2}", "[1, 2]", true},
           {"{'$or': [{x: 1}, {'x.a': 1}]}", "{a: 1}", true},
           {"{'$or': [{x: 1}, {'x.a': 1}]}", "{a: 2}", false},
           {"{'$nor': [{x: 1}, {'x.a': 1}]}", "{a: 2}", true},
           {"{'$and': [{x: {'$gt': 1}}, {'$or': [{x: 2}, {x: 3}]}]}", "3", true}})
    EXPECT_EQ(compiled(c.query).match_field(mp(c.value)) == Query::Match::kYes, c.matches) << c.query << " on " << c.value;
}

TEST(QueryField, NamesTheFieldsOfAllConditions) {
  EXPECT_EQ(compiled("{}").field_names(), std::vector<Bytes>{});
  EXPECT_EQ(compiled("{'x.a': 1, x: 2}").field_names(), std::vector<Bytes>{"x"});
  EXPECT_EQ(compiled("{'$or': [{b: 1}, {'$nor': [{'a.c': 1}]}]}").field_names(), (std::vector<Bytes>{"a", "b"}));
  EXPECT_EQ(compiled("{x: {'$gt': 1, '$lt': 2}, '$or': [{x: 1}]}").conditions(), 4u);
}

}  // namespace
}  // namespace holdfast::core
