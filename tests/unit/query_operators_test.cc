// Query operators one by one: cases from MongoDB's manual and matcher, and what is refused.
#include "core/id_key.h"
#include "tests/support/query_case.h"

namespace holdfast::core {
namespace {

using test::compiled;
using test::expect_all;
using test::expect_refused;
using test::matches;
using test::mp;

TEST(QueryOperators, ComparisonsHoldWithinOneType) {
  expect_all(true, {{"{a: {'$gt': 1}}", "{a: 1.5}"},
                    {"{a: {'$gte': 2}}", "{a: u64(2)}"},
                    {"{a: {'$lt': 'b'}}", "{a: 'abc'}"},
                    {"{a: {'$lte': true}}", "{a: false}"},
                    {"{a: {'$gt': time(5,0)}}", "{a: time(5,1)}"},
                    {"{a: {'$lt': {b: 2}}}", "{a: {b: 1}}"},
                    {"{a: {'$gt': 1, '$lt': 3}}", "{a: 2}"},
                    {"{a: {'$gt': 9007199254740992.0}}", "{a: 9007199254740993}"}});
  expect_all(false, {{"{a: {'$gt': 1}}", "{a: '2'}"},
                     {"{a: {'$gt': 1}}", "{}"},
                     {"{a: {'$lt': 1}}", "{a: null}"},
                     {"{a: {'$gt': 'a'}}", "{a: bin('b')}"},
                     {"{a: {'$gte': 1}}", "{a: true}"},
                     {"{a: {'$gt': 1, '$lt': 3}}", "{a: 3}"}});
}

TEST(QueryOperators, ComparisonsWithNullAndNan) {
  expect_all(true, {{"{a: {'$gte': null}}", "{a: null}"},
                    {"{a: {'$lte': null}}", "{}"},
                    {"{a: {'$gte': nan}}", "{a: nan}"},
                    {"{a: {'$lte': nan}}", "{a: [1, nan]}"}});
  expect_all(false, {{"{a: {'$gt': null}}", "{a: null}"},
                     {"{a: {'$lt': null}}", "{}"},
                     {"{a: {'$lt': 5}}", "{a: nan}"},
                     {"{a: {'$gt': nan}}", "{a: 5}"},
                     {"{a: {'$gte': nan}}", "{a: 5}"}});
}

TEST(QueryOperators, ComparisonsOnArraysHoldForSomeElementEach) {
  expect_all(true, {{"{a: {'$gt': 10, '$lt': 5}}", "{a: [1, 20]}"},
                    {"{a: {'$gt': [1, 2]}}", "{a: [1, 3]}"},
                    {"{a: {'$gt': [1, 2]}}", "{a: [0, [2]]}"},
                    {"{'a.b': {'$gt': 1}}", "{a: [{b: 1}, {b: 2}]}"},
                    {"{'a.1': {'$gt': 1}}", "{a: [0, 2]}"}});
  expect_all(false, {{"{a: {'$gt': 10}}", "{a: [1, 2]}"},
                     {"{a: {'$gt': 1}}", "{a: [[2]]}"},
                     {"{'a.1': {'$gt': 1}}", "{a: [0, [2]]}"}});
}

TEST(QueryOperators, NegationsNegateTheWholePath) {
  expect_all(true, {{"{a: {'$ne': 1}}", "{}"},
                    {"{a: {'$ne': 1}}", "{a: [2, 3]}"},
                    {"{a: {'$nin': [1, 2]}}", "{a: 3}"},
                    {"{a: {'$nin': []}}", "{}"},
                    {"{a: {'$not': {'$gt': 1}}}", "{}"},
                    {"{a: {'$not': {'$gt': 1, '$lt': 5}}}", "{a: 7}"},
                    {"{a: {'$not': {'$not': {'$eq': 1}}}}", "{a: 1}"},
                    {"{'a.b': {'$ne': 1}}", "{a: 5}"}});
  expect_all(false, {{"{a: {'$ne': 1}}", "{a: [1, 2]}"},
                     {"{a: {'$ne': null}}", "{}"},
                     {"{a: {'$nin': [1, null]}}", "{}"},
                     {"{a: {'$not': {'$gt': 1, '$lt': 5}}}", "{a: 3}"},
                     {"{'a.b': {'$ne': 1}}", "{a: [{b: 2}, {b: 1}]}"}});
}

TEST(QueryOperators, InFindsOneOfAList) {
  expect_all(true, {{"{a: {'$in': [1, 2]}}", "{a: 2.0}"},
                    {"{a: {'$in': [1, [2]]}}", "{a: [2]}"},
                    {"{a: {'$in': [null]}}", "{}"},
                    {"{a: {'$in': [5, 6]}}", "{a: [1, 5]}"},
                    {"{a: {'$in': [{b: 1}]}}", "{a: {b: 1}}"}});
  expect_all(false, {{"{a: {'$in': []}}", "{a: 1}"}, {"{a: {'$in': [1]}}", "{}"}, {"{a: {'$in': ['1']}}", "{a: 1}"}});
  std::string many = "{a: {'$in': ['x', null, {b: 1}, [7]";
  for (int i = 100; i > 0; --i) many += ", " + std::to_string(i * 3);
  many += "]}}";
  expect_all(true, {{many.c_str(), "{a: 300}"}, {many.c_str(), "{a: 3.0}"}, {many.c_str(), "{a: 'x'}"},
                    {many.c_str(), "{a: {b: 1}}"}, {many.c_str(), "{}"}, {many.c_str(), "{a: [7]}"}});
  expect_all(false, {{many.c_str(), "{a: 301}"}, {many.c_str(), "{a: 303}"}, {many.c_str(), "{a: 7}"}});
}

TEST(QueryOperators, ExistsTellsNullFromMissing) {
  expect_all(true, {{"{a: {'$exists': true}}", "{a: null}"},
                    {"{a: {'$exists': 1}}", "{a: []}"},
                    {"{a: {'$exists': false}}", "{}"},
                    {"{'a.b': {'$exists': false}}", "{a: [1, 2]}"},
                    {"{'a.1': {'$exists': true}}", "{a: [1, 2]}"},
                    {"{'a.b': {'$exists': true}}", "{a: [{c: 1}, {b: 1}]}"}});
  expect_all(false, {{"{a: {'$exists': 0}}", "{a: null}"},
                     {"{a: {'$exists': true}}", "{}"},
                     {"{'a.2': {'$exists': true}}", "{a: [1, 2]}"},
                     {"{'a.b': {'$exists': false}}", "{a: [{c: 1}, {b: 1}]}"}});
}

TEST(QueryOperators, TypeByNameAndNumber) {
  expect_all(true, {{"{a: {'$type': 'int'}}", "{a: 5}"},
                    {"{a: {'$type': 'int'}}", "{a: i64(5)}"},
                    {"{a: {'$type': 'long'}}", "{a: 3000000000}"},
                    {"{a: {'$type': 'number'}}", "{a: 1.5}"},
                    {"{a: {'$type': 1}}", "{a: f32(1.5)}"},
                    {"{a: {'$type': 'array'}}", "{a: []}"},
                    {"{a: {'$type': 'string'}}", "{a: [1, 'x']}"},
                    {"{a: {'$type': ['null', 9]}}", "{a: time(1,0)}"},
                    {"{a: {'$type': 'binData'}}", "{a: bin('x')}"},
                    {"{a: {'$type': 'bool'}}", "{a: true}"}});
  expect_all(false, {{"{a: {'$type': 'null'}}", "{}"},
                     {"{a: {'$type': 'string'}}", "{a: 1}"},
                     {"{a: {'$type': 'object'}}", "{a: []}"},
                     {"{a: {'$type': 'long'}}", "{a: u64(5)}"}});
}

TEST(QueryOperators, RegexFindsInStrings) {
  expect_all(true, {{"{a: {'$regex': 'b+'}}", "{a: 'abbc'}"},
                    {"{a: {'$regex': '^ABC$', '$options': 'i'}}", "{a: 'abc'}"},
                    {"{a: {'$options': 'm', '$regex': '^b'}}", "{a: 'a\nb'}"},
                    {"{a: {'$regex': 'a.b', '$options': 's'}}", "{a: 'a\nb'}"},
                    {"{a: {'$regex': 'a b # c\n [ #]', '$options': 'x'}}", "{a: 'ab#'}"},
                    {"{a: {'$regex': 'x'}}", "{a: [1, 'yx']}"},
                    {"{a: {'$not': {'$regex': 'x'}}}", "{a: 'y'}"},
                    {"{a: {'$regex': ''}}", "{a: ''}"}});
  expect_all(false, {{"{a: {'$regex': 'a.b'}}", "{a: 'a\nb'}"},
                     {"{a: {'$regex': '1'}}", "{a: 1}"},
                     {"{a: {'$regex': 'x'}}", "{}"},
                     {"{a: {'$regex': '^b'}}", "{a: 'a\nb'}"}});
}

TEST(QueryOperators, RegexNeverTakesLong) {
  // Exponential for whoever backtracks.
  std::string text(100'000, 'a');
  EXPECT_FALSE(matches("{a: {'$regex': '(a*)*(a*)*(a|aa)+b$'}}", "{a: '" + text + "'}"));
  // Too large to be looked for in a long text: an error instead of a wait.
  Query q = compiled("{a: {'$regex': '(x+x+){40}y'}}");
  EXPECT_EQ(q.match(mp("{a: 'xxxxxxxx'}")), Query::Match::kNo);
  EXPECT_EQ(q.match(mp("{a: '" + std::string(8 << 20, 'x') + "'}")), Query::Match::kTooCostly);
  EXPECT_EQ(Query::too_costly().error().code, Code::kTooLarge);
  expect_refused({{"{a: {'$regex': '((a{100}){100}){100}'}}", Code::kBadRequest, "repetition"},
                  {"{a: {'$regex': 'a{999}b{999}c{999}d{999}e{999}f{999}'}}", Code::kTooLarge, "too large"},
                  {"{a: {'$regex': 'a(?=b)'}}", Code::kUnsupported, "lookaround"},
                  {"{a: {'$regex': '(a)\\1'}}", Code::kUnsupported, "backreferences"}});
}

TEST(QueryOperators, ModCutsToIntegers) {
  expect_all(true, {{"{a: {'$mod': [4, 0]}}", "{a: 12}"},
                    {"{a: {'$mod': [4.9, 1.9]}}", "{a: 9.7}"},
                    {"{a: {'$mod': [4, -1]}}", "{a: -5}"},
                    {"{a: {'$mod': [-1, 0]}}", "{a: i64(-9223372036854775808)}"},
                    {"{a: {'$mod': [3, 2]}}", "{a: [1, 5]}"}});
  expect_all(false, {{"{a: {'$mod': [4, 1]}}", "{a: -5}"},
                     {"{a: {'$mod': [4, 0]}}", "{a: nan}"},
                     {"{a: {'$mod': [4, 0]}}", "{a: 1e300}"},
                     {"{a: {'$mod': [4, 0]}}", "{a: '4'}"}});
}

TEST(QueryOperators, SizeIsOfTheArrayItself) {
  expect_all(true, {{"{a: {'$size': 0}}", "{a: []}"}, {"{a: {'$size': 2.0}}", "{a: [1, [2]]}"}, {"{'a.1': {'$size': 1}}", "{a: [1, [2]]}"}});
  expect_all(false, {{"{a: {'$size': 1}}", "{a: 5}"}, {"{a: {'$size': 1}}", "{a: [[1], 2]}"}, {"{a: {'$size': 0}}", "{}"}});
}

TEST(QueryOperators, AllWantsEachValueSomewhere) {
  expect_all(true, {{"{a: {'$all': [1, 2]}}", "{a: [2, 1, 3]}"},
                    {"{a: {'$all': [1]}}", "{a: 1}"},
                    {"{a: {'$all': [[1, 2]]}}", "{a: [1, 2]}"},
                    {"{a: {'$all': [null]}}", "{}"},
                    {"{a: {'$all': [{'$elemMatch': {b: 1, c: 1}}, {'$elemMatch': {b: 2}}]}}", "{a: [{b: 2}, {b: 1, c: 1}]}"},
                    {"{a: {'$not': {'$all': [1, 2]}}}", "{a: [1, 3]}"}});
  expect_all(false, {{"{a: {'$all': [1, 2]}}", "{a: [1, 3]}"},
                     {"{a: {'$all': []}}", "{a: []}"},
                     {"{a: {'$not': {'$all': [1, 2]}}}", "{a: [2, 1]}"},
                     {"{a: {'$all': [{'$elemMatch': {b: 1, c: 1}}]}}", "{a: [{b: 1}, {c: 1}]}"}});
}

TEST(QueryOperators, ElemMatchWantsOneElementForEverything) {
  expect_all(true, {{"{a: {'$elemMatch': {'$gte': 80, '$lt': 85}}}", "{a: [82, 85, 88]}"},
                    {"{a: {'$elemMatch': {b: 1, c: {'$gt': 1}}}}", "{a: [{b: 1, c: 1}, {b: 1, c: 2}]}"},
                    {"{a: {'$elemMatch': {'b.c': null}}}", "{a: [{}]}"},
                    {"{a: {'$elemMatch': {'$or': [{b: 1}, {c: 1}]}}}", "{a: [{d: 1}, {c: 1}]}"},
                    {"{a: {'$elemMatch': {}}}", "{a: [1, {}]}"},
                    {"{a: {'$elemMatch': {'$elemMatch': {'$eq': 2}}}}", "{a: [[1, 2]]}"},
                    {"{'a.0': {'$elemMatch': {'$eq': 2}}}", "{a: [[1, 2]]}"},
                    {"{a: {'$elemMatch': {'$not': {'$gt': 1}}}}", "{a: [5, 1]}"},
                    {"{a: {'$elemMatch': {'$nin': [1]}}}", "{a: [1, 2]}"}});
  expect_all(false, {{"{a: {'$elemMatch': {'$gte': 80, '$lt': 85}}}", "{a: [75, 88]}"},
                     {"{a: {'$elemMatch': {b: 1, c: 1}}}", "{a: [{b: 1}, {c: 1}]}"},
                     {"{a: {'$elemMatch': {b: 1}}}", "{a: {b: 1}}"},
                     {"{a: {'$elemMatch': {'$eq': 2}}}", "{a: [[1, 2]]}"},
                     {"{a: {'$elemMatch': {}}}", "{a: [1]}"}});
}

TEST(QueryOperators, AndOrNorCombineQueries) {
  expect_all(true, {{"{'$or': [{a: 1}, {b: 2}]}", "{b: 2}"},
                    {"{'$and': [{a: {'$gt': 1}}, {a: {'$lt': 5}}], b: 1}", "{a: 2, b: 1}"},
                    {"{'$nor': [{a: 1}, {b: 2}]}", "{}"},
                    {"{'$or': [{'$and': [{a: 1}, {'$nor': [{b: 1}]}]}, {c: 1}]}", "{a: 1, b: 2}"},
                    {"{'$or': [{a: 1}, {}]}", "{}"},
                    {"{'$and': [{}]}", "{}"}});
  expect_all(false, {{"{'$or': [{a: 1}, {b: 2}]}", "{a: 2, b: 1}"},
                     {"{'$nor': [{a: 1}, {b: 2}]}", "{b: 2}"},
                     {"{'$nor': [{}]}", "{}"},
                     {"{'$or': [{a: 1}], b: 1}", "{a: 1}"},
                     {"{'$and': [{a: 1}, {a: 2}]}", "{a: 1}"}});
  EXPECT_TRUE(matches("{'$and': [{a: 1}, {a: 2}]}", "{a: [1, 2]}"));
}

TEST(QueryOperators, AnIdBehindAndIsFoundByKey) {
  EXPECT_TRUE(compiled("{'$and': [{_id: 1}, {a: 2}]}").id_key());
  EXPECT_FALSE(compiled("{'$or': [{_id: 1}, {a: 2}]}").id_key());
  EXPECT_FALSE(compiled("{_id: {'$ne': 1}}").id_key());
  EXPECT_FALSE(compiled("{_id: {'$not': {'$eq': 1}}}").id_key());
  EXPECT_FALSE(compiled("{a: {'$elemMatch': {_id: 1}}}").id_key());
  EXPECT_FALSE(compiled("{_id: {'$gte': 1}}").id_key());
}

TEST(QueryOperators, AnIdAskedForIsTheOneOfEqualityWhateverElseIsCompared) {
  for (const char* text : {"{_id: {'$eq': 1, '$ne': 2}}", "{_id: {'$ne': 2, '$eq': 1}}", "{_id: {'$eq': 1, '$not': {'$eq': 2}}}", "{_id: {'$eq': 1, '$all': [1]}}",
                           "{_id: {'$eq': 1, '$not': {'$all': [2, 3]}}}", "{_id: 1, '$and': [{_id: {'$ne': 2}}, {_id: 2}]}"})
    EXPECT_EQ(compiled(text).id_key(), id_key(mp("1")).value()) << text;
}

TEST(QueryOperators, DeeplyNestedIsLinear) {
  std::string query = "{a: 1}";
  for (int i = 0; i < 30; ++i) query = "{'$or': [{b: 2}, " + query + "]}";
  EXPECT_TRUE(matches(query, "{a: 1}"));
  EXPECT_FALSE(matches(query, "{a: 2}"));
}

TEST(QueryOperators, NamesWhatIsWrongAndWhere) {
  using enum Code;
  expect_refused({{"{a: {'$in': 1}}", kBadRequest, "array of values, at a.$in"},
                  {"{a: {'$in': [{'$gt': 1}]}}", kBadRequest, "a.$in"},
                  {"{a: {'$nin': {}}}", kBadRequest, "a.$nin"},
                  {"{'$or': []}", kBadRequest, "at $or"},
                  {"{'$or': [{a: 1}, 5]}", kBadRequest, "at $or.1"},
                  {"{'$or': [{a: 1}, {b: {'$foo': 1}}]}", kUnsupported, "$foo is not supported at $or.1.b"},
                  {"{'$and': {a: 1}}", kBadRequest, "at $and"},
                  {"{a: {'$and': [{b: 1}]}}", kUnsupported, "$and is not supported at a"},
                  {"{'$where': '1'}", kUnsupported, "$where is not supported at the top level"},
                  {"{a: {'$not': 5}}", kBadRequest, "a.$not"},
                  {"{a: {'$not': {}}}", kBadRequest, "a.$not"},
                  {"{a: {'$not': {b: 1}}}", kBadRequest, "a.$not"},
                  {"{a: {'$size': -1}}", kBadRequest, "a.$size"},
                  {"{a: {'$size': 1.5}}", kBadRequest, "a.$size"},
                  {"{a: {'$mod': [4]}}", kBadRequest, "a.$mod"},
                  {"{a: {'$mod': [0, 1]}}", kBadRequest, "a.$mod"},
                  {"{a: {'$mod': [0.5, 1]}}", kBadRequest, "a.$mod"},
                  {"{a: {'$mod': [nan, 1]}}", kBadRequest, "a.$mod"},
                  {"{a: {'$type': 'foo'}}", kBadRequest, "a.$type"},
                  {"{a: {'$type': []}}", kBadRequest, "a.$type"},
                  {"{a: {'$type': [1, 99]}}", kBadRequest, "a.$type"},
                  {"{a: {'$regex': 5}}", kBadRequest, "a.$regex"},
                  {"{a: {'$regex': '('}}", kBadRequest, "a.$regex"},
                  {"{a: {'$regex': 'a', '$options': 'q'}}", kBadRequest, "option 'q'"},
                  {"{a: {'$options': 'i'}}", kBadRequest, "a.$options"},
                  {"{a: {'$elemMatch': 5}}", kBadRequest, "a.$elemMatch"},
                  {"{a: {'$elemMatch': {b: {'$foo': 1}}}}", kUnsupported, "at a.$elemMatch.b"},
                  {"{a: {'$all': 5}}", kBadRequest, "a.$all"},
                  {"{a: {'$all': [1, {'$elemMatch': {}}]}}", kBadRequest, "a.$all"},
                  {"{a: {'$all': [{'$elemMatch': {b: 1}, '$gt': 2}]}}", kBadRequest, "a.$all"},
                  {"{a: {'$gt': 1, b: 2}}", kBadRequest, "field b"}});
}

}  // namespace
}  // namespace holdfast::core
