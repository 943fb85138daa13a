// Queries against the oracle in tests/support/naive_query.h: generated cases for each operator, and the cases of
// MongoDB's manual that the oracle itself must get right.
#include <gtest/gtest.h>

#include "core/query.h"
#include "tests/support/naive_query.h"
#include "tests/support/query_generator.h"

namespace holdfast::core {
namespace {

using test::QueryGenerator;
using test::show;
using test::Tree;

constexpr uint64_t kCases = 2000;  // of each operator

/// What the query answers; nothing when it refuses.
std::optional<bool> answer(const Tree& query, const Tree& document) {
  auto q = Query::compile(encode(query));
  if (!q) return std::nullopt;
  auto match = q->match(encode(document));
  EXPECT_NE(match, Query::Match::kTooCostly);
  return match == Query::Match::kYes;
}

const char* name(std::optional<bool> answer) { return !answer ? "refused" : *answer ? "match" : "no match"; }

class GeneratedQueries : public testing::TestWithParam<std::string_view> {};

TEST_P(GeneratedQueries, AgreeWithTheOracle) {
  int match = 0, no_match = 0, refused = 0, wrong = 0;
  for (uint64_t seed = 0; seed < kCases && wrong < 5; ++seed) {
    QueryGenerator g{Rng(seed, GetParam())};
    Tree document = g.document();
    Tree query = g.query(GetParam(), document);
    auto expected = naive_matches(query, document);
    ++(!expected ? refused : *expected ? match : no_match);
    auto actual = answer(query, document);
    if (actual == expected) continue;
    ++wrong;
    ADD_FAILURE() << GetParam() << " seed " << seed << ": " << name(actual) << ", the oracle says " << name(expected)
                  << "\n  query    " << show(query) << "\n  document " << show(document);
  }
  RecordProperty("match", match);
  RecordProperty("no_match", no_match);
  RecordProperty("refused", refused);
  EXPECT_GE(match, 60);
  EXPECT_GE(no_match, 60);
  EXPECT_GE(refused, 10);
}

INSTANTIATE_TEST_SUITE_P(Query, GeneratedQueries,
                         testing::ValuesIn(QueryGenerator::operators().begin(), QueryGenerator::operators().end()),
                         [](auto& info) { return std::string(info.param.substr(1)); });

// From the manual and the tests of MongoDB's matcher; then the decisions of this project where the two are silent or
// differ.
TEST(QueryOracle, IsRightAboutTheManualsCases) {
  struct Case {
    const char* answer;
    const char* query;
    const char* document;
  };
  for (const Case& c : std::initializer_list<Case>{
           // $gt and its kin: one type, elements too.
           {"match", "{a: {$gt: 5}}", "{a: [1, 9]}"},
           {"match", "{a: {$gt: 5, $lt: 3}}", "{a: [1, 9]}"},
           {"no match", "{a: {$gt: 5}}", "{a: 'x'}"},
           {"no match", "{a: {$lt: 5}}", "{a: null}"},
           {"no match", "{a: {$lt: 5}}", "{}"},
           {"match", "{a: {$gte: null}}", "{}"},
           {"match", "{a: {$lte: null}}", "{a: null}"},
           {"no match", "{a: {$gt: null}}", "{a: null}"},
           {"no match", "{a: {$gte: null}}", "{a: 1}"},
           {"match", "{a: {$gte: nan}}", "{a: nan}"},
           {"match", "{a: {$lte: nan}}", "{a: nan}"},
           {"no match", "{a: {$gt: nan}}", "{a: 1}"},
           {"no match", "{a: {$lt: 1}}", "{a: nan}"},
           {"no match", "{a: {$lte: 1}}", "{a: nan}"},
           {"match", "{a: {$gt: [1]}}", "{a: [1, 0]}"},
           {"match", "{a: {$lt: {b: 2}}}", "{a: {b: 1}}"},
           {"match", "{a: {$lt: true}}", "{a: false}"},
           {"match", "{a: {$gt: 9007199254740992.0}}", "{a: 9007199254740993}"},
           // Negations look at the whole path.
           {"no match", "{a: {$ne: 1}}", "{a: [1, 2]}"},
           {"match", "{a: {$ne: 1}}", "{}"},
           {"no match", "{a: {$ne: null}}", "{}"},
           {"no match", "{'a.b': {$ne: 1}}", "{a: [{b: 1}, {b: 2}]}"},
           {"no match", "{a: {$nin: [3, 1]}}", "{a: [1, 2]}"},
           {"match", "{a: {$nin: []}}", "{a: 1}"},
           {"no match", "{a: {$in: []}}", "{a: 1}"},
           {"match", "{a: {$in: [null, 5]}}", "{}"},
           {"match", "{a: {$in: [[1, 2]]}}", "{a: [1, 2]}"},
           {"match", "{a: {$not: {$gt: 5}}}", "{}"},
           {"no match", "{a: {$not: {$gt: 5}}}", "{a: [1, 9]}"},
           {"match", "{a: {$not: {$gt: 5, $lt: 8}}}", "{a: 9}"},
           {"match", "{a: {$not: {$not: {$eq: 1}}}}", "{a: 1}"},
           // $exists, $type, $size.
           {"match", "{a: {$exists: true}}", "{a: null}"},
           {"match", "{'a.b': {$exists: false}}", "{a: [1, 2]}"},
           {"match", "{'a.b': {$exists: true}}", "{a: [{c: 1}, {b: 1}]}"},
           {"no match", "{'a.b': {$exists: 0}}", "{a: [{c: 1}, {b: 1}]}"},
           {"match", "{a: {$exists: true}}", "{a: []}"},
           {"match", "{'a.1': {$exists: 1}}", "{a: [1, 2]}"},
           {"match", "{'a.2': {$exists: null}}", "{a: [1, 2]}"},
           {"match", "{a: {$type: 'string'}}", "{a: [1, 'x']}"},
           {"match", "{a: {$type: 'array'}}", "{a: []}"},
           {"match", "{a: {$type: 4}}", "{a: [1]}"},
           {"match", "{a: {$type: ['string', 10]}}", "{a: null}"},
           {"no match", "{a: {$type: 'null'}}", "{}"},
           {"match", "{a: {$type: 'int'}}", "{a: i64(2147483647)}"},
           {"match", "{a: {$type: 'long'}}", "{a: 2147483648}"},
           {"match", "{a: {$type: 'long'}}", "{a: -2147483649}"},
           {"no match", "{a: {$type: 'int'}}", "{a: 1.0}"},
           {"match", "{a: {$type: 'double'}}", "{a: f32(1)}"},
           {"match", "{a: {$type: 'number'}}", "{a: 1.0}"},
           {"match", "{a: {$type: 9}}", "{a: time(0,0)}"},
           {"no match", "{'a.0': {$type: 'int'}}", "{a: [[1]]}"},
           {"match", "{a: {$size: 2.0}}", "{a: [1, [2, 3, 4]]}"},
           {"no match", "{a: {$size: 3}}", "{a: [1, [2, 3, 4]]}"},
           {"match", "{'a.1': {$size: 3}}", "{a: [1, [2, 3, 4]]}"},
           {"match", "{'a.b': {$size: 1}}", "{a: [{b: 5}, {b: [5]}]}"},
           {"no match", "{a: {$size: 0}}", "{}"},
           // $mod cuts towards zero.
           {"match", "{a: {$mod: [4, 0]}}", "{a: [3, 12]}"},
           {"match", "{a: {$mod: [4.9, 1.9]}}", "{a: 5.9}"},
           {"match", "{a: {$mod: [4, -1]}}", "{a: -5}"},
           {"no match", "{a: {$mod: [4, 3]}}", "{a: -5}"},
           {"match", "{a: {$mod: [-4, 1]}}", "{a: 5}"},
           {"no match", "{a: {$mod: [4, 0]}}", "{a: inf}"},
           {"no match", "{a: {$mod: [1, 0]}}", "{a: 9223372036854775808}"},
           {"match", "{a: {$mod: [-1, 0]}}", "{a: i64(-9223372036854775808)}"},
           // $regex finds anywhere.
           {"match", "{a: {$regex: 'b.d'}}", "{a: [1, 'abcde']}"},
           {"no match", "{a: {$regex: '^b'}}", "{a: 'abc'}"},
           {"match", "{a: {$options: 'i', $regex: '^B'}}", "{a: 'bc'}"},
           {"no match", "{a: {$regex: ''}}", "{a: 5}"},
           {"match", "{a: {$not: {$regex: 'x'}}}", "{}"},
           // $all
           {"match", "{a: {$all: [1, 2]}}", "{a: [2, 5, 1]}"},
           {"match", "{a: {$all: [1]}}", "{a: 1}"},
           {"match", "{a: {$all: [[1, 2]]}}", "{a: [1, 2]}"},
           {"match", "{a: {$all: [[1, 2]]}}", "{a: [[1, 2]]}"},
           {"no match", "{a: {$all: []}}", "{a: []}"},
           {"match", "{a: {$all: [null]}}", "{}"},
           {"match", "{'a.b': {$all: [1, 2]}}", "{a: [{b: 1}, {b: 2}]}"},
           {"match", "{a: {$all: [{$elemMatch: {b: 1, c: 2}}, {$elemMatch: {b: 2}}]}}", "{a: [{b: 1, c: 2}, {b: 2}]}"},
           {"no match", "{a: {$all: [{$elemMatch: {b: 1, c: 2}}]}}", "{a: [{b: 1}, {c: 2}]}"},
           // $elemMatch: one element for all of it.
           {"match", "{a: {$elemMatch: {$gte: 80, $lt: 85}}}", "{a: [82, 85, 88]}"},
           {"no match", "{a: {$elemMatch: {$gte: 80, $lt: 85}}}", "{a: [75, 88, 89]}"},
           {"match", "{a: {$elemMatch: {b: 'x', c: {$gte: 8}}}}", "{a: [{b: 'x', c: 8}, {b: 'y', c: 5}]}"},
           {"no match", "{a: {$elemMatch: {b: 'x', c: {$gte: 8}}}}", "{a: [{b: 'x', c: 5}, {b: 'y', c: 8}]}"},
           {"no match", "{a: {$elemMatch: {$gt: 1}}}", "{a: 5}"},
           {"no match", "{a: {$elemMatch: {$gt: 1}}}", "{a: [[5]]}"},
           {"match", "{a: {$elemMatch: {$elemMatch: {$gt: 1}}}}", "{a: [[5]]}"},
           {"match", "{'a.0': {$elemMatch: {$gt: 1}}}", "{a: [[5]]}"},
           {"match", "{a: {$elemMatch: {$ne: 1}}}", "{a: [1, 2]}"},
           {"match", "{a: {$elemMatch: {$not: {$gt: 1}}}}", "{a: [1, 2]}"},
           {"match", "{a: {$elemMatch: {$or: [{b: 1}, {c: 1}]}}}", "{a: [{c: 1}]}"},
           {"match", "{a: {$elemMatch: {b: {$exists: false}}}}", "{a: [{c: 1}]}"},
           {"no match", "{a: {$elemMatch: {b: {$exists: false}}}}", "{a: [1]}"},
           {"match", "{a: {$elemMatch: {}}}", "{a: [1, {}]}"},
           {"no match", "{a: {$elemMatch: {}}}", "{a: [1, [{}]]}"},
           {"match", "{a: {$elemMatch: {$size: 2}}}", "{a: [[1, 2]]}"},
           {"match", "{a: {$elemMatch: {$in: [null]}}}", "{a: [null]}"},
           {"no match", "{a: {$elemMatch: {$in: [null]}}}", "{a: []}"},
           // $and, $or, $nor.
           {"match", "{$or: [{a: 1}, {b: {$gt: 1}}], c: 3}", "{b: 2, c: 3}"},
           {"match", "{$nor: [{a: 1}, {b: 2}]}", "{a: 2}"},
           {"no match", "{$nor: [{a: 1}, {b: 2}]}", "{a: 2, b: 2}"},
           {"match", "{$and: [{$or: [{a: 1}, {a: 2}]}, {$nor: [{b: 1}]}]}", "{a: 2}"},
           // What is an operator and what is data.
           {"match", "{a: {$eq: {$gt: 1}}}", "{a: {$gt: 1}}"},
           {"match", "{a: {b: 1, $gt: 1}}", "{a: {b: 1, $gt: 1}}"},
           {"match", "{a: {}}", "{a: {}}"},
           {"refused", "{a: {$gt: 1, b: 1}}", "{}"},
           {"refused", "{a: {$and: [{b: 1}]}}", "{}"},
           {"refused", "{$gt: 1}", "{}"},
           {"refused", "{$comment: 'x'}", "{}"},
           {"refused", "{a: {$options: 'i'}}", "{}"},
           {"refused", "{a: {$regex: 'a', $options: 'g'}}", "{}"},
           {"refused", "{a: {$regex: '('}}", "{}"},
           {"refused", "{a: {$not: {}}}", "{}"},
           {"refused", "{a: {$not: 'x'}}", "{}"},
           {"refused", "{a: {$mod: [0.5, 0]}}", "{}"},
           {"refused", "{a: {$in: [{$gt: 1}]}}", "{}"},
           {"refused", "{a: {$all: [1, {$elemMatch: {b: 1}}]}}", "{}"},
           {"refused", "{a: {$size: 1.5}}", "{}"},
           {"refused", "{a: {$type: []}}", "{}"},
           {"refused", "{$or: []}", "{}"},
           {"refused", "{$or: [null]}", "{}"},
       }) {
    Tree query = test::parse(c.query), document = test::parse(c.document);
    EXPECT_STREQ(name(naive_matches(query, document)), c.answer) << "the oracle, " << c.query << " on " << c.document;
    EXPECT_STREQ(name(answer(query, document)), c.answer) << c.query << " on " << c.document;
  }
}

}  // namespace
}  // namespace holdfast::core
