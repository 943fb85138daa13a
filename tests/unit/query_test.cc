// Queries by equality: cases from MongoDB's manual and matcher, refusals, and agreement with a naive evaluator over
// generated documents.
#include "core/query.h"

#include <gtest/gtest.h>

#include "core/id_key.h"
#include "io/base/utf8.h"
#include "tests/support/naive_query.h"
#include "tests/support/query_case.h"

namespace holdfast::core {
namespace {

using test::compiled;
using test::expect_all;
using test::expect_refused;
using test::matches;
using test::mp;
using test::show;
using test::Tree;
using test::TreeGenerator;

TEST(Query, EmptyMatchesEverything) {
  expect_all(true, {{"{}", "{}"}, {"{}", "{a: 1}"}, {"null", "{a: 1}"}});
  EXPECT_TRUE(compiled("{}").matches_all());
  EXPECT_FALSE(compiled("{a: 1}").matches_all());
}

TEST(Query, ComparesNumbersByExactValueAcrossWidths) {
  expect_all(true, {{"{a: 1}", "{a: 1.0}"},
                    {"{a: u64(1)}", "{a: i8(1)}"},
                    {"{a: -0.0}", "{a: 0}"},
                    {"{a: nan}", "{a: f32(nan)}"},
                    {"{a: 9223372036854775808.0}", "{a: 9223372036854775808}"}});
  expect_all(false, {{"{a: 1}", "{a: 1.5}"},
                     {"{a: 1}", "{a: '1'}"},
                     {"{a: 1}", "{a: true}"},
                     {"{a: 9007199254740993}", "{a: 9007199254740992.0}"},
                     {"{a: 18446744073709551615}", "{a: -1}"}});
}

TEST(Query, ComparesOtherScalarsWithinTheirType) {
  expect_all(true, {{"{a: 'x'}", "{a: 'x'}"},
                    {"{a: bin('x')}", "{a: bin('x')}"},
                    {"{a: true}", "{a: true}"},
                    {"{a: time(5,6)}", "{a: time(5,6)}"},
                    {"{a: ext(5,'x')}", "{a: ext(5,'x')}"}});
  expect_all(false, {{"{a: 'x'}", "{a: 'X'}"},
                     {"{a: 'x'}", "{a: bin('x')}"},
                     {"{a: true}", "{a: false}"},
                     {"{a: time(5,6)}", "{a: time(5,7)}"},
                     {"{a: ext(5,'x')}", "{a: ext(6,'x')}"}});
}

TEST(Query, AllFieldsMustMatchInAnyOrder) {
  expect_all(true, {{"{b: 2, a: 1}", "{a: 1, c: 5, b: 2}"}, {"{a: 1, 'b.c': 2, 'b.d': 3}", "{b: {d: 3, c: 2}, a: 1}"}});
  expect_all(false, {{"{a: 1, b: 2}", "{a: 1, b: 3}"},
                     {"{a: 1, b: 2}", "{a: 1}"},
                     {"{a: 1, 'b.c': 2, 'b.d': 3}", "{b: {d: 4, c: 2}, a: 1}"}});
}

TEST(Query, ManyFieldsAreFoundToo) {
  std::string query = "{", document = "{";
  for (int i = 0; i < 40; ++i) {
    query += "f" + std::to_string(i * 7 % 40) + ": " + std::to_string(i * 7 % 40) + ", ";
    document += "f" + std::to_string(i) + ": " + std::to_string(i) + ", ";
  }
  EXPECT_TRUE(matches(query + "}", document + "}"));
  EXPECT_FALSE(matches(query + "f40: 1}", document + "}"));
  EXPECT_TRUE(matches(query + "f40: null}", document + "}"));
}

TEST(Query, EmbeddedDocumentsAreEqualFieldByFieldInOrder) {
  expect_all(true, {{"{a: {b: 1, c: 2}}", "{a: {b: 1.0, c: i64(2)}}"},
                    {"{a: {}}", "{a: {}}"},
                    {"{a: {b: {'$gt': 1}}}", "{a: {b: {'$gt': 1}}}"}});
  expect_all(false, {{"{a: {b: 1, c: 2}}", "{a: {c: 2, b: 1}}"},
                     {"{a: {b: 1}}", "{a: {b: 1, c: 2}}"},
                     {"{a: {b: 1, c: 2}}", "{a: {b: 1}}"},
                     {"{a: {}}", "{a: []}"}});
}

TEST(Query, NullMatchesMissing) {
  expect_all(true, {{"{a: null}", "{}"},
                    {"{a: null}", "{a: null}"},
                    {"{a: null}", "{a: [1, null]}"},
                    {"{'a.b': null}", "{}"},
                    {"{'a.b': null}", "{a: 5}"},
                    {"{'a.b': null}", "{a: {}}"},
                    {"{'a.b': null}", "{a: [{b: 1}, {}]}"},
                    {"{'a.b': null}", "{a: [{b: null}]}"},
                    {"{a: null, b: 1}", "{b: 1}"}});
  expect_all(false, {{"{a: null}", "{a: 0}"},
                     {"{a: null}", "{a: []}"},
                     {"{'a.b': null}", "{a: []}"},
                     {"{'a.b': null}", "{a: [1, 2]}"},
                     {"{'a.b': null}", "{a: [{b: 1}, 5]}"},
                     {"{'a.b': null}", "{a: {b: 1}}"},
                     {"{a: null, b: 1}", "{}"}});
}

TEST(Query, ArraysMatchWholeOrByElement) {
  expect_all(true, {{"{a: 2}", "{a: [1, 2]}"},
                    {"{a: [1, 2]}", "{a: [1, 2]}"},
                    {"{a: [1, 2]}", "{a: [0, [1, 2]]}"},
                    {"{a: {b: 1}}", "{a: [{b: 1}]}"},
                    {"{a: []}", "{a: []}"},
                    {"{a: []}", "{a: [[]]}"},
                    {"{'a.b': 2}", "{a: [{b: 1}, {b: 2}]}"},
                    {"{'a.b': 2}", "{a: {b: [1, 2]}}"},
                    {"{'a.b.c': 2}", "{a: [{b: [{c: 1}, {c: 2}]}]}"}});
  expect_all(false, {{"{a: 2}", "{a: [[1, 2]]}"},
                     {"{a: [2, 1]}", "{a: [1, 2]}"},
                     {"{a: [1]}", "{a: [1, 2]}"},
                     {"{a: []}", "{a: [1]}"},
                     {"{'a.b': 2}", "{a: [[{b: 2}]]}"},
                     {"{'a.b': 2}", "{a: [2]}"}});
}

TEST(Query, ConditionsOnOneArrayMayHoldForDifferentElements) {
  expect_all(true, {{"{'a.b': 1, 'a.c': 2}", "{a: [{b: 1}, {c: 2}]}"}});
}

TEST(Query, PositionsAddressElementsAndFields) {
  expect_all(true, {{"{'a.1': 7}", "{a: [5, 7, 3]}"},
                    {"{'a.1': [2, 4]}", "{a: [5, [2, 4], 3]}"},
                    {"{'a.1': 4}", "{a: [5, {'1': 4}, 3]}"},
                    {"{'a.1': {'1': 4}}", "{a: [5, {'1': 4}, 3]}"},
                    {"{'a.1.b': 4}", "{a: [5, {b: 4}, 3]}"},
                    {"{'a.1.b': null}", "{a: [5, {b: 4}, 3]}"},
                    {"{'a.1.b': 4}", "{a: [5, [{b: 4}], 3]}"},
                    {"{'a.0.1': 4}", "{a: [[3, 4]]}"},
                    {"{'a.0': 4}", "{a: {'0': 4}}"},
                    {"{'a.0.b': [2, 3]}", "{a: [{b: [2, 3]}]}"}});
  expect_all(false, {{"{'a.1': 2}", "{a: [5, [2, 4], 3]}"},
                     {"{'a.3': null}", "{a: [5, 7, 3]}"},
                     {"{'a.01': 7}", "{a: [5, 7, 3]}"},
                     {"{'a.1': 5}", "{a: [5, 7, 3]}"},
                     {"{'a.4294967296': 5}", "{a: [5, 7, 3]}"},
                     {"{'a.4294967295': 5}", "{a: [5, 7, 3]}"}});
}

TEST(Query, EmptyNamesAreNames) {
  expect_all(true, {{"{'': 1}", "{'': 1}"}, {"{'a.': 1}", "{a: {'': 1}}"}, {"{'.a': 1}", "{'': {a: 1}}"}});
  expect_all(false, {{"{'a.b': 1}", "{'a.b': 1}"}});
}

TEST(Query, ExplicitEqIsTheSame) {
  expect_all(true, {{"{a: {'$eq': 1}}", "{a: [1]}"},
                    {"{a: {'$eq': {'$x': 1}}}", "{a: {'$x': 1}}"},
                    {"{'a.b': {'$eq': null}}", "{}"}});
  expect_all(false, {{"{a: {'$eq': 1}}", "{a: 2}"}});
}

TEST(Query, NamesUnsupportedOperatorsAndTheirPlace) {
  expect_refused({{"{a: {'$eq': 1, '$near': [1]}}", Code::kUnsupported, "$near is not supported at a"},
                  {"{'a.b': {'$nonsense': 1}}", Code::kUnsupported, "$nonsense is not supported at a.b"},
                  {"{a: {'$eq': 1, b: 2}}", Code::kBadRequest, "b: to compare"},
                  {"[]", Code::kBadRequest, "query must be a document"},
                  {"{a: 1, a: 2}", Code::kBadRequest, "twice"}});
  EXPECT_FALSE(Query::compile(""));
  EXPECT_FALSE(Query::compile("\x81"));
}

TEST(Query, RefusesWhatIsTooLarge) {
  std::string many = "{", deep = "{a", positions = "{a";
  for (int i = 0; i < 1001; ++i) many += "f" + std::to_string(i) + ": 1, ";
  for (int i = 0; i < 100; ++i) deep += ".a";
  for (int i = 0; i < 9; ++i) positions += ".0";
  for (const std::string& text : {many + "}", deep + ": 1}", positions + ": 1}"}) {
    auto q = Query::compile(mp(text));
    ASSERT_FALSE(q);
    EXPECT_EQ(q.error().code, Code::kTooLarge) << q.error().message;
  }
  Buffer bomb(203, '\x91');
  EXPECT_EQ(Query::compile(mp("{a: 1}").substr(0, 3) + bomb + "\x01").error().code, Code::kTooLarge);
}

TEST(Query, ShowsLongPathsInPartOfWholeCharacters) {
  std::string path = "x";
  for (int i = 0; i < 150; ++i) path += "é";
  auto q = Query::compile(mp("{'" + path + "': {'$near': 1}}"));
  ASSERT_FALSE(q);
  EXPECT_TRUE(is_utf8(q.error().message)) << q.error().message;
  EXPECT_LT(q.error().message.size(), 250u);
}

TEST(Query, KnowsTheOneIdItAsksFor) {
  EXPECT_EQ(compiled("{_id: 'x'}").id_key(), id_key(mp("'x'")).value());
  EXPECT_EQ(compiled("{a: 1, _id: 1.0}").id_key(), id_key(mp("1")).value());
  EXPECT_EQ(compiled("{_id: {'$eq': 'x'}}").id_key(), id_key(mp("'x'")).value());
  for (const char* text : {"{}", "{a: 1}", "{'_id.a': 1}", "{_id: null}", "{_id: ['x']}", "{a: {_id: 'x'}}"})
    EXPECT_EQ(compiled(text).id_key(), std::nullopt) << text;
}

TEST(Query, OwnsWhatItNeeds) {
  auto text = std::make_unique<Buffer>(mp("{'a.b': {c: 'a string longer than the small ones'}, d: 1}"));
  Query first = std::move(*Query::compile(*text));
  std::ranges::fill(*text, 'x');
  text.reset();
  Query q = std::move(first);
  EXPECT_EQ(q.match(mp("{d: 1, a: {b: {c: 'a string longer than the small ones'}}}")), Query::Match::kYes);
}

TEST(Query, AnswersOnBrokenDocuments) {
  Query q = compiled("{'a.b': 1, c: [1, {d: 2}]}");
  Buffer document = mp("{x: [1, 2, {y: 3}], a: [{b: [0, 1]}], c: [1, {d: 2}]}");
  ASSERT_EQ(q.match(document), Query::Match::kYes);
  for (size_t n = 0; n < document.size(); ++n) EXPECT_NE(q.match(Bytes(document).substr(0, n)), Query::Match::kYes) << n;
  for (size_t i = 0; i < document.size(); ++i)
    for (int bits = 1; bits < 256; ++bits) {
      Buffer broken = document;
      broken[i] = static_cast<char>(broken[i] ^ bits);
      q.match(broken);
    }
}

TEST(Query, TimeStaysBoundedOnNestedPositions) {
  // Every level can be read as a position or as a field named "0": 2^8 ways at most, since paths with more positions
  // are refused.
  std::string document = "1";
  for (int i = 0; i < 40; ++i) document = "[{'0': " + document + "}]";
  Query q = compiled("{'a.0.0.0.0.0.0.0.0': 2}");
  EXPECT_EQ(q.match(mp("{a: " + document + "}")), Query::Match::kNo);
}

TEST(Query, AgreesWithTheNaiveEvaluatorOnGeneratedCases) {
  int yes = 0, no = 0;
  for (uint64_t seed = 0; seed < 50'000; ++seed) {
    TreeGenerator g{Rng(seed, "query equality")};
    Tree document = g.map(4);
    Tree query = test::parse("{}");
    for (uint64_t n = g.rng.between(1, 3); n > 0; --n) {
      auto [path, found] = g.chance_path(document);
      if (query.field(path)) continue;
      Tree operand = g.rng.chance(3, 4) ? g.rewidth(found) : g.value(2);
      query.fields.emplace_back(path, operand);
    }
    bool expected = test::naive_matches(query, document).value();
    auto q = Query::compile(encode(query));
    ASSERT_TRUE(q) << "seed " << seed << ": " << show(query) << ": " << q.error().text();
    ASSERT_EQ(q->match(encode(document)) == Query::Match::kYes, expected)
        << "seed " << seed << ": " << show(query) << " on " << show(document);
    ++(expected ? yes : no);
  }
  EXPECT_GT(yes, 10'000);
  EXPECT_GT(no, 10'000);
}

}  // namespace
}  // namespace holdfast::core
