// What updates ask of queries: the position that `$` stands for, and conditions on a value alone.
#include "core/query.h"

#include <gtest/gtest.h>

#include "tests/support/query_case.h"

namespace holdfast::core {
namespace {

using test::compiled;
using test::mp;

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
