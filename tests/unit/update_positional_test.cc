// Positional parts of paths: `$`, `$[]` and `$[identifier]` by cases, most from MongoDB's manual.
#include "core/query.h"
#include "tests/support/update_case.h"

namespace holdfast::core {
namespace {

using test::mp;
using test::run;
using test::show;

struct Case {
  const char* query;  ///< gives `$` its position; null: none
  const char* filters;
  const char* update;
  const char* before;
  const char* after;
};

Result<Update::Applied> apply(const char* query, const char* filters, std::string_view update, const char* document,
                              bool insert = false) {
  UpdateContext context{.insert = insert};
  if (query) {
    Query q = std::move(*Query::compile(mp(query)));
    EXPECT_EQ(q.match(mp(document)), Query::Match::kYes) << query << " on " << document;
    context.position = q.matched_position(mp(document));
  }
  return run(update, document, {}, context, filters ? filters : "null");
}

void expect_cases(std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    auto r = apply(c.query, c.filters, c.update, c.before);
    ASSERT_TRUE(r) << c.update << " on " << c.before << ": " << r.error().text();
    EXPECT_EQ(show(r->document), show(mp(c.after))) << c.update << " on " << c.before;
    EXPECT_TRUE(r->document == mp(c.after)) << c.update << " on " << c.before;
    EXPECT_EQ(r->changed(), mp(c.before) != mp(c.after)) << c.update << " on " << c.before;
  }
}

struct Refusal {
  const char* query;
  const char* filters;
  const char* update;
  const char* document;
  const char* text;  ///< in the message
};

void expect_refused(std::initializer_list<Refusal> refusals, Code code = Code::kBadRequest) {
  for (const Refusal& c : refusals) {
    auto r = apply(c.query, c.filters, c.update, c.document);
    ASSERT_FALSE(r) << c.update << " on " << c.document << " gave " << show(r->document);
    EXPECT_EQ(r.error().code, code) << c.update << ": " << r.error().text();
    EXPECT_TRUE(r.error().message.contains(c.text)) << c.update << ": " << r.error().text();
  }
}

// ---- $

TEST(UpdateMatched, ChangesTheElementThatTheQueryMatched) {
  expect_cases({{"{_id: 1, grades: 80}", nullptr, "{'$set': {'grades.$': 82}}", "{_id: 1, grades: [85, 80, 80]}",
                 "{_id: 1, grades: [85, 82, 80]}"},
                {"{_id: 4, 'grades.grade': 85}", nullptr, "{'$set': {'grades.$.std': 6}}",
                 "{_id: 4, grades: [{grade: 80, std: 8}, {grade: 85, std: 5}, {grade: 85, std: 8}]}",
                 "{_id: 4, grades: [{grade: 80, std: 8}, {grade: 85, std: 6}, {grade: 85, std: 8}]}"},
                {"{grades: {'$elemMatch': {grade: {'$lte': 90}, mean: {'$gt': 80}}}}", nullptr,
                 "{'$set': {'grades.$.std': 6}}", "{_id: 5, grades: [{grade: 80, mean: 75}, {grade: 85, mean: 90}]}",
                 "{_id: 5, grades: [{grade: 80, mean: 75}, {grade: 85, mean: 90, std: 6}]}"},
                {"{activity_ids: 1, grades: 95, deans_list: 2021}", nullptr, "{'$set': {'deans_list.$': 2022}}",
                 "{_id: 8, activity_ids: [1, 2], grades: [90, 95], deans_list: [2021, 2020]}",
                 "{_id: 8, activity_ids: [1, 2], grades: [90, 95], deans_list: [2022, 2020]}"},
                {"{a: 2}", nullptr, "{'$unset': {'a.$': 1}, '$inc': {n: 1}}", "{_id: 1, a: [1, 2]}",
                 "{_id: 1, a: [1, null], n: i64(1)}"}});
}

TEST(UpdateMatched, StandsForTheNumberWhereverItIs) {
  expect_cases({{"{a: 2}", nullptr, "{'$set': {'b.$': 5}}", "{_id: 1, a: [1, 2], b: []}", "{_id: 1, a: [1, 2], b: [null, 5]}"},
                {"{a: 2}", nullptr, "{'$set': {'b.$.c': 5}}", "{_id: 1, a: [1, 2]}", "{_id: 1, a: [1, 2], b: {'1': {c: 5}}}"},
                {"{a: 2}", nullptr, "{'$set': {'a.$': 5, 'b.c.$': 6}}", "{_id: 1, a: [1, 2], b: {c: [7, 8]}}",
                 "{_id: 1, a: [1, 5], b: {c: [7, 6]}}"}});
}

TEST(UpdateMatched, JoinsWithThePositionItStandsFor) {
  const char* before = "{_id: 1, a: [{k: 1}, {k: 2}, {k: 3}]}";
  expect_cases({{"{'a.k': 2}", nullptr, "{'$set': {'a.$.y': 1, 'a.1.x': 2, 'a.2.x': 3, 'a.0.x': 4}}", before,
                 "{_id: 1, a: [{k: 1, x: 4}, {k: 2, x: 2, y: 1}, {k: 3, x: 3}]}"},
                {"{'a.k': 2}", nullptr, "{'$set': {'a.$.y': 1, 'a.0.y': 2}}", before,
                 "{_id: 1, a: [{k: 1, y: 2}, {k: 2, y: 1}, {k: 3}]}"}});
  expect_refused({{"{'a.k': 2}", nullptr, "{'$set': {'a.$.y': 1}, '$inc': {'a.1.y': 2}}", before, "a.$.y"},
                  {"{'a.k': 2}", nullptr, "{'$set': {'a.$': 1, 'a.1.y': 2}}", before, "conflict, in $set and $set"}});
}

TEST(UpdateMatched, IsRefusedWithoutAPosition) {
  expect_refused({{nullptr, nullptr, "{'$set': {'a.$': 1}}", "{_id: 1, a: [1]}", "$set at path a.$: the query matched through no array"},
                  {"{_id: 1}", nullptr, "{'$inc': {n: 1}, '$pull': {'a.$.b': 1}}", "{_id: 1, a: [1]}", "$pull at path a.$.b"}});
  auto inserted = apply(nullptr, nullptr, "{'$set': {'a.$': 1}}", "{_id: 1, a: [1]}", true);
  EXPECT_EQ(inserted.error().code, Code::kBadRequest);
}

TEST(UpdateMatched, StandsOnceBehindAPath) {
  expect_refused({{"{a: 1}", nullptr, "{'$set': {'a.$.b.$': 1}}", "{_id: 1, a: [1]}", "$set at path a.$.b.$: $ stands at most once"},
                  {"{a: 1}", nullptr, "{'$set': {'$': 1}}", "{_id: 1, a: [1]}", "$ must stand behind the path of an array"},
                  {"{a: 1}", nullptr, "{'$set': {'$.a': 1}}", "{_id: 1, a: [1]}", "must stand behind"},
                  {"{a: 1}", nullptr, "{'$set': {'_id.$': 1}}", "{_id: 1, a: [1]}", "_id never changes"},
                  {"{a: 1}", nullptr, "{'$rename': {'a.$': 'b'}}", "{_id: 1, a: [1]}", "$rename takes no positional"}});
}

// ---- $[]

TEST(UpdateEach, ChangesEveryElement) {
  expect_cases({{nullptr, nullptr, "{'$inc': {'grades.$[]': 10}}", "{_id: 1, grades: [85, 82]}", "{_id: 1, grades: [i64(95), i64(92)]}"},
                {nullptr, nullptr, "{'$inc': {'grades.$[].std': -2}}", "{_id: 1, grades: [{g: 80, std: 8}, {g: 85, std: 5}]}",
                 "{_id: 1, grades: [{g: 80, std: i64(6)}, {g: 85, std: i64(3)}]}"},
                {nullptr, nullptr, "{'$set': {'a.$[]': 5}}", "{_id: 1, a: []}", "{_id: 1, a: []}"},
                {nullptr, nullptr, "{'$set': {'a.$[]': 5}}", "{_id: 1, a: [5, 5]}", "{_id: 1, a: [5, 5]}"},
                {nullptr, nullptr, "{'$set': {'a.$[].$[]': 5}}", "{_id: 1, a: [[1], [], [2, 3]]}", "{_id: 1, a: [[5], [], [5, 5]]}"},
                {nullptr, nullptr, "{'$set': {'a.$[].b.1.c': 5}}", "{_id: 1, a: [{}, {b: [1]}]}",
                 "{_id: 1, a: [{b: {'1': {c: 5}}}, {b: [1, {c: 5}]}]}"},
                {"{'a.k': 2}", nullptr, "{'$set': {'a.$.b.$[]': 5}}", "{_id: 1, a: [{k: 1, b: [1]}, {k: 2, b: [1, 2]}]}",
                 "{_id: 1, a: [{k: 1, b: [1]}, {k: 2, b: [5, 5]}]}"}});
}

TEST(UpdateEach, GoesWithEveryOperator) {
  UpdateContext now{.now = {5'000'000'000}};
  for (auto [update, before, after] : std::initializer_list<std::array<const char*, 3>>{
           {"{'$unset': {'a.$[].x': 1}}", "[{x: 1, y: 2}, {y: 1}]", "[{y: 2}, {y: 1}]"},
           {"{'$unset': {'a.$[]': 1}}", "[1, 2]", "[null, null]"},
           {"{'$mul': {'a.$[]': 2}}", "[1, 2]", "[i64(2), i64(4)]"},
           {"{'$min': {'a.$[]': 2}}", "[1, 3]", "[1, 2]"},
           {"{'$max': {'a.$[].x': 2}}", "[{x: 1}, {}]", "[{x: 2}, {x: 2}]"},
           {"{'$currentDate': {'a.$[].x': true}}", "[{}]", "[{x: time(5,0)}]"},
           {"{'$bit': {'a.$[]': {or: 1}}}", "[2, 3]", "[i64(3), 3]"},
           {"{'$push': {'a.$[]': 5}}", "[[1], []]", "[[1, 5], [5]]"},
           {"{'$push': {'a.$[].x': {'$each': [3, 1], '$sort': 1}}}", "[{x: [2]}, {}]", "[{x: [1, 2, 3]}, {x: [1, 3]}]"},
           {"{'$pull': {'a.$[]': {'$gt': 1}}}", "[[1, 2], [3]]", "[[1], []]"},
           {"{'$pullAll': {'a.$[]': [1]}}", "[[1, 2], [3]]", "[[2], [3]]"},
           {"{'$pop': {'a.$[]': 1}}", "[[1, 2], []]", "[[1], []]"},
           {"{'$addToSet': {'a.$[]': 1}}", "[[1], []]", "[[1], [1]]"},
           {"{'$setOnInsert': {'a.$[]': 1}}", "[1, 2]", "[1, 2]"}}) {
    std::string document = std::string("{_id: 1, a: ") + before + "}";
    auto r = run(update, document, {}, now);
    ASSERT_TRUE(r) << update << ": " << r.error().text();
    EXPECT_EQ(show(r->document), show(mp(std::string("{_id: 1, a: ") + after + "}"))) << update;
  }
}

TEST(UpdateEach, NeedsAnArrayThatIsThere) {
  expect_refused(
      {{nullptr, nullptr, "{'$set': {'a.$[]': 1}}", "{_id: 1}", "$set at path a.$[]: a must be an array of this document, but is missing"},
       {nullptr, nullptr, "{'$unset': {'a.b.$[].c': 1}}", "{_id: 1}", "$unset at path a.b.$[].c: a.b must be an array"},
       {nullptr, nullptr, "{'$set': {'a.$[].b': 1}}", "{_id: 1, a: {b: 1}}", "a must be an array of this document, but holds a document"},
       {nullptr, nullptr, "{'$set': {'a.$[]': 1}}", "{_id: 1, a: null}", "but holds null"},
       {nullptr, nullptr, "{'$pull': {'a.b.$[]': 1}}", "{_id: 1, a: 5}", "$pull at path a.b.$[]: a holds a number"},
       {nullptr, nullptr, "{'$set': {'a.$[].b.$[]': 1}}", "{_id: 1, a: [{b: [1]}, {}]}", "a.$[].b must be an array"},
       {nullptr, nullptr, "{'$set': {'a.5.$[]': 1}}", "{_id: 1, a: [[1]]}", "a.5 must be an array"},
       {nullptr, nullptr, "{'$set': {'a.x.$[]': 1}}", "{_id: 1, a: [[1]]}", "a holds an array, which has no field x"},
       {nullptr, nullptr, "{'$set': {b: 1, 'a.x.b': 1}, '$unset': {'a.x.c.$[]': 1}}", "{_id: 1}", "$unset at path a.x.c.$[]"},
       {nullptr, nullptr, "{'$set': {'a.$[].b': 1}}", "{_id: 1, a: [{}, 5]}", "$set at path a.$[].b: a.$[] holds a number"}});
}

TEST(UpdateEach, OfSetOnInsertNeedsItWhenItInserts) {
  expect_cases({{nullptr, nullptr, "{'$setOnInsert': {'a.$[].b': 1, 'c.$[]': 2}}", "{_id: 1, c: 5}", "{_id: 1, c: 5}"}});
  auto there = apply(nullptr, nullptr, "{'$setOnInsert': {'a.$[].b': 1}}", "{_id: 1, a: [{}]}", true);
  ASSERT_TRUE(there);
  EXPECT_EQ(show(there->document), show(mp("{_id: 1, a: [{b: 1}]}")));
  auto missing = apply(nullptr, nullptr, "{'$setOnInsert': {'a.$[].b': 1}}", "{_id: 1}", true);
  EXPECT_EQ(missing.error().code, Code::kBadRequest);
}

TEST(UpdateEach, IsNotMixedWithPositions) {
  const char* document = "{_id: 1, a: [{}]}";
  expect_refused({{nullptr, nullptr, "{'$set': {'a.$[].b': 1, 'a.0.c': 1}}", document, "a.0.c and a.$[].b conflict"},
                  {nullptr, nullptr, "{'$set': {'a.$[].b': 1, 'a.x': 1}}", document, "do not go with names, positions and $"},
                  {"{_id: 1}", nullptr, "{'$set': {'a.$[].b': 1}, '$inc': {'a.$.c': 1}}", document, "conflict, in $inc and $set"},
                  {nullptr, nullptr, "{'$set': {'a.$[].b': 1, a: 1}}", document, "a and a.$[].b conflict"},
                  {nullptr, nullptr, "{'$set': {'$[].a': 1}}", document, "$[] must stand behind the path of an array"},
                  {nullptr, nullptr, "{'$set': {'a.$[': 1}}", document, "$[ is none of $, $[] and $[identifier]"}});
}

// ---- $[identifier]

TEST(UpdateFiltered, ChangesTheElementsOfItsFilter) {
  expect_cases({{nullptr, "[{e: {'$gte': 100}}]", "{'$set': {'grades.$[e]': 100}}", "{_id: 3, grades: [95, 110, 100]}",
                 "{_id: 3, grades: [95, 100, 100]}"},
                {nullptr, "[{'e.grade': {'$gte': 85}}]", "{'$set': {'grades.$[e].mean': 100}}",
                 "{_id: 1, grades: [{grade: 80, mean: 75}, {grade: 85, mean: 90}]}",
                 "{_id: 1, grades: [{grade: 80, mean: 75}, {grade: 85, mean: 100}]}"},
                {nullptr, "[{'e.grade': {'$gt': 80}, 'e.std': {'$gte': 5}}]", "{'$inc': {'grades.$[e].std': -1}}",
                 "{_id: 1, grades: [{grade: 85, std: 6}, {grade: 80, std: 6}, {grade: 90, std: 3}]}",
                 "{_id: 1, grades: [{grade: 85, std: i64(5)}, {grade: 80, std: 6}, {grade: 90, std: 3}]}"},
                {nullptr, "[{'d.level': {'$ne': 'Bachelor'}}]", "{'$set': {'degrees.$[d].gradcampaign': 1}}",
                 "{_id: 1, degrees: [{level: 'Master'}, {level: 'Bachelor'}]}",
                 "{_id: 1, degrees: [{level: 'Master', gradcampaign: 1}, {level: 'Bachelor'}]}"},
                {nullptr, "[{score: {'$gte': 8}}, {'t.type': 'quiz'}]", "{'$inc': {'grades.$[t].questions.$[score]': 2}}",
                 "{_id: 1, grades: [{type: 'quiz', questions: [10, 8, 5]}, {type: 'exam', questions: [25]}]}",
                 "{_id: 1, grades: [{type: 'quiz', questions: [i64(12), i64(10), 5]}, {type: 'exam', questions: [25]}]}"},
                {nullptr, "[{score: {'$gte': 8}}]", "{'$inc': {'grades.$[].questions.$[score]': 2}}",
                 "{_id: 1, grades: [{questions: [10, 5]}, {questions: [9]}]}",
                 "{_id: 1, grades: [{questions: [i64(12), 5]}, {questions: [i64(11)]}]}"},
                {nullptr, "[{'$or': [{x: 1}, {'x.a': {'$gt': 1}}]}]", "{'$set': {'a.$[x]': 0}}", "{_id: 1, a: [1, {a: 2}, {a: 1}]}",
                 "{_id: 1, a: [0, 0, {a: 1}]}"},
                {nullptr, "[{x: 9}]", "{'$set': {'a.$[x]': 0}}", "{_id: 1, a: [1, 2]}", "{_id: 1, a: [1, 2]}"}});
}

TEST(UpdateFiltered, SeveralReachOneElementUnlessTheyMeet) {
  const char* filters = "[{'x.v': {'$gte': 2}}, {'y.v': {'$lte': 2}}]";
  const char* apart = "{_id: 1, a: [{v: 1}, {v: 3}]}";
  const char* both = "{_id: 1, a: [{v: 1}, {v: 2}, {v: 3}]}";
  expect_cases({{nullptr, filters, "{'$set': {'a.$[x].v': 0}, '$inc': {'a.$[y].v': 5}}", apart, "{_id: 1, a: [{v: i64(6)}, {v: 0}]}"},
                {nullptr, filters, "{'$set': {'a.$[x].t': 0, 'a.$[y].s': 5, 'a.$[].r': 6}}", both,
                 "{_id: 1, a: [{v: 1, r: 6, s: 5}, {v: 2, r: 6, s: 5, t: 0}, {v: 3, r: 6, t: 0}]}"},
                {nullptr, "[{'x.k': 1}, {'y.k': 1}, {z: {'$gt': 1}}]", "{'$set': {'a.$[x].b.$[z]': 0, 'a.$[y].b.$[]': 1}}",
                 "{_id: 1, a: [{k: 1, b: [1]}, {k: 2, b: [9]}]}", "{_id: 1, a: [{k: 1, b: [1]}, {k: 2, b: [9]}]}"}});
  expect_refused({{nullptr, filters, "{'$set': {'a.$[x].v': 0}, '$inc': {'a.$[y].v': 5}}", both, "a.$[x].v and a.$[y].v conflict, in $set and $inc"},
                  {nullptr, filters, "{'$set': {'a.$[x]': 0, 'a.$[y].v': 5}}", both, "a.$[x] and a.$[y].v conflict"},
                  {nullptr, filters, "{'$set': {'a.$[x].w.0': 0, 'a.$[y].w.$[]': 5}}", "{_id: 1, a: [{v: 2, w: [1]}]}", "conflict"},
                  {nullptr, "[{'x.k': 1}, {'y.k': 1}, {z: {'$gt': 0}}]", "{'$set': {'a.$[x].b.$[z]': 0, 'a.$[y].b.$[]': 1}}",
                   "{_id: 1, a: [{k: 1, b: [1]}]}", "a.$[y].b.$[]"}});
}

TEST(UpdateFiltered, LooksAtElementsAsTheyWere) {
  expect_cases({{nullptr, "[{'x.v': 1}, {'y.v': 2}]", "{'$set': {'a.$[x].v': 2, 'a.$[y].w': 1}}", "{_id: 1, a: [{v: 1}, {v: 2}]}",
                 "{_id: 1, a: [{v: 2}, {v: 2, w: 1}]}"}});
}

TEST(UpdateFiltered, IdentifiersAndFiltersBelongTogether) {
  const char* document = "{_id: 1, a: [1]}";
  const char* set = "{'$set': {'a.$[x]': 1}}";
  expect_refused(
      {{nullptr, nullptr, set, document, "$set at path a.$[x]: there is no array filter for the identifier x"},
       {nullptr, "[]", set, document, "no array filter for the identifier x"},
       {nullptr, "[{y: 1}]", set, document, "no array filter for the identifier x"},
       {nullptr, "[{x: 1}, {y: 1}]", set, document, "array filter 1: no path of the update has $[y]"},
       {nullptr, "[{x: 1}]", "{a: 1}", document, "array filter 0: no path of the update has $[x]"},
       {nullptr, "[{x: 1}, {'x.a': 2}]", set, document, "array filters 0 and 1 are both about x"},
       {nullptr, "[{x: 1, y: 2}]", set, document, "array filter 0: it names x and y"},
       {nullptr, "[{'$or': [{x: 1}, {y: 2}]}]", set, document, "names x and y"},
       {nullptr, "[{}]", set, document, "array filter 0: there must be a condition on an identifier"},
       {nullptr, "[5]", set, document, "array filter 0: there must be a document, not a number"},
       {nullptr, "{x: 1}", set, document, "array filters must be an array of documents"},
       {nullptr, "[{X: 1}]", set, document, "array filter 0: X is no identifier: one begins with a lowercase letter"},
       {nullptr, "[{x_y: 1}]", set, document, "x_y is no identifier"},
       {nullptr, "[{x: {'$gt': 1, y: 2}}]", set, document, "array filter 0: the query mixes operators"},
       {nullptr, "[{x: 1}]", "{'$set': {'a.$[X]': 1}}", document, "$set at path a.$[X]: $[X] is none of $, $[] and"},
       {nullptr, "[{x: 1}]", "{'$set': {'a.$[x': 1}}", document, "$[x is none of"}});
  expect_refused({{nullptr, "[{x: {'$near': 1}}]", set, document, "array filter 0: $near is not supported at x"}}, Code::kUnsupported);
}

// ---- Bounds

std::string repeated(const char* part, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += part;
  return out;
}

TEST(UpdatePositional, BoundsFiltersAndTheirConditions) {
  std::string filters, set, conditions;
  for (int i = 0; i < 101; ++i) {
    std::string x = "x" + std::to_string(i);
    filters += "{" + x + ": 1},";
    set += "'a.$[" + x + "]': 1,";
  }
  auto many = run("{'$set': {" + set + "}}", "{_id: 1, a: []}", {}, {}, "[" + filters + "]");
  EXPECT_EQ(many.error().code, Code::kTooLarge) << many.error().text();
  for (int i = 0; i < 600; ++i) conditions += "'x." + std::to_string(i) + "': 1,";
  std::string one = "{" + conditions + "}", other = one;
  for (size_t at = 0; (at = other.find("x.", at)) != std::string::npos;) other[at] = 'y';
  auto wide = run("{'$set': {'a.$[x]': 1, 'a.$[y]': 1}}", "{_id: 1, a: []}", {}, {}, "[" + one + "," + other + "]");
  EXPECT_EQ(wide.error().code, Code::kTooLarge) << wide.error().text();
  EXPECT_TRUE(run("{'$set': {'a.$[x]': 1}}", "{_id: 1, a: []}", {}, {}, "[" + one + "]"));
}

TEST(UpdatePositional, BoundsElementsTimesFiltersAndPaths) {
  std::string document = "{_id: 1, a: [" + repeated("{},", 20'000) + "]}";
  std::string unset, conditions, values;
  for (int i = 0; i < 3'000; ++i) unset += "'a.$[].x" + std::to_string(i) + "': 1,";
  for (int i = 0; i < 900; ++i) conditions += "'x.b" + std::to_string(i) + "': null,";
  struct { std::string update, filters; bool fits; } cases[] = {
      {"{'$unset': {'a.$[].x': 1}}", "null", true},
      {"{'$unset': {" + unset + "}}", "null", false},
      {"{'$unset': {'a.$[x].y': 1, 'b.$[x]': 1, 'c.$[x]': 1}}", "[{" + conditions + "}]", true},
      {"{'$unset': {'a.$[x].y': 1}}", "[{" + conditions + "}]", true}};
  document = document.substr(0, document.size() - 1) + ", b: [], c: []}";
  for (auto& c : cases) {
    auto r = run(c.update, document, {}, {}, c.filters);
    EXPECT_EQ(r.has_value(), c.fits) << c.update.substr(0, 60);
    if (!r) EXPECT_EQ(r.error().code, Code::kTooLarge) << r.error().text();
  }
  document = "{_id: 1, a: [" + repeated("[],", 60'000) + "]}";
  auto r = run("{'$push': {'a.$[]': {'$each': [" + repeated("1,", 20'000) + "], '$slice': -1}}}", document);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kTooLarge);
  EXPECT_TRUE(r.error().message.contains("$push at path a.$[]: elements times")) << r.error().text();
}

TEST(UpdatePositional, ResultObeysTheLimitWhileItGrows) {
  std::string document = "{_id: 1, a: [" + repeated("1,", 1'000) + "]}";
  auto r = run("{'$set': {'a.$[]': '" + repeated("x", 1'000) + "'}}", document, {.bytes = 100'000});
  EXPECT_EQ(r.error().code, Code::kTooLarge) << r.error().text();
  auto padded = run("{'$set': {'a.$[].90000': 1}}", "{_id: 1, a: [[], []]}", {.bytes = 100'000});
  EXPECT_EQ(padded.error().code, Code::kTooLarge) << padded.error().text();
}

TEST(UpdatePositional, OwnsWhatItNeeds) {
  auto text = std::make_unique<Buffer>(mp("{'$set': {'a.$[identifier].b': 'a string longer than the small ones'}}"));
  auto filters = std::make_unique<Buffer>(mp("[{'identifier.name': 'another string longer than the small ones'}]"));
  Update first = std::move(*Update::compile(*text, *filters));
  std::ranges::fill(*text, 'x');
  std::ranges::fill(*filters, 'x');
  text.reset();
  filters.reset();
  Update u = std::move(first);
  auto r = u.apply(mp("{_id: 1, a: [{name: 'another string longer than the small ones'}, {}]}"));
  ASSERT_TRUE(r);
  EXPECT_EQ(show(r->document), show(mp("{_id: 1, a: [{name: 'another string longer than the small ones', b: 'a string "
                                       "longer than the small ones'}, {}]}")));
}

// Pushed to each of many arrays and sorted there: what that costs is more than the bytes that are pushed.
TEST(UpdatePositional, CountsWhatItTakesToSort) {
  auto numbers = [](int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += (i ? ", " : "") + std::to_string(i * 79 % 127);
    return out;
  };
  std::string arrays;
  for (int i = 0; i < 5000; ++i) arrays += i ? ", []" : "[]";
  Buffer document = mp("{_id: 1, a: [" + arrays + "]}");
  auto push = [&](std::string_view modifiers) {
    return Update::compile(mp("{'$push': {'a.$[]': {'$each': [" + numbers(1000) + "]" + std::string(modifiers) + "}}}"))->apply(document);
  };
  EXPECT_TRUE(push(", '$slice': 0"));
  auto sorted = push(", '$slice': 0, '$sort': 1");
  ASSERT_FALSE(sorted);
  EXPECT_EQ(sorted.error().code, Code::kTooLarge);
}

TEST(UpdatePositional, AnswersOnBrokenDocuments) {
  Update u = std::move(*Update::compile(mp("{'$set': {'a.$[].b': 2, 'c.$': 1}, '$inc': {'a.$[x].c.$[]': 1}}"), mp("[{'x.b': 1}]")));
  Buffer document = mp("{_id: 1, a: [{b: 1, c: [1, 2]}, {b: 2}], c: [1, 2]}");
  UpdateContext context{.position = 1};
  ASSERT_TRUE(u.apply(document, context));
  for (size_t n = 0; n < document.size(); ++n) (void)u.apply(Bytes(document).substr(0, n), context);
  for (size_t i = 0; i < document.size(); ++i)
    for (int bits = 1; bits < 256; ++bits) {
      Buffer broken = document;
      broken[i] = static_cast<char>(broken[i] ^ bits);
      (void)u.apply(broken, context);
    }
}

}  // namespace
}  // namespace holdfast::core
