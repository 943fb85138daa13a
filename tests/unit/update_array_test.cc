// Update operators on arrays: cases from MongoDB's manual and the corners around them, and what is refused.
#include "tests/support/update_case.h"

namespace holdfast::core {
namespace {

using test::expect_refusals;
using test::expect_results;
using test::mp;
using test::run;

TEST(UpdatePush, AppendsOneValueOrEach) {
  expect_results({{"{'$push': {scores: 89}}", "{_id: 1, scores: [44, 78]}", "{_id: 1, scores: [44, 78, 89]}"},
                  {"{'$push': {scores: {'$each': [90, 92, 85]}}}", "{_id: 1, scores: [44]}",
                   "{_id: 1, scores: [44, 90, 92, 85]}"},
                  {"{'$push': {a: [1, 2]}}", "{_id: 1, a: [[0]]}", "{_id: 1, a: [[0], [1, 2]]}"},
                  {"{'$push': {a: {b: 1}}}", "{_id: 1}", "{_id: 1, a: [{b: 1}]}"},
                  {"{'$push': {'x.a': {'$each': [1, 1]}}}", "{_id: 1}", "{_id: 1, x: {a: [1, 1]}}"},
                  {"{'$push': {a: {'$each': []}}}", "{_id: 1}", "{_id: 1, a: []}"},
                  {"{'$push': {a: {'$each': []}}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1]}"},
                  {"{'$push': {'a.1': 3}}", "{_id: 1, a: [1, [2], 4]}", "{_id: 1, a: [1, [2, 3], 4]}"},
                  {"{'$push': {'a.1': 3}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1, [3]]}"}});
}

TEST(UpdatePush, InsertsAtPositions) {
  expect_results({{"{'$push': {s: {'$each': [50, 60, 70], '$position': 0}}}", "{_id: 1, s: [100]}",
                   "{_id: 1, s: [50, 60, 70, 100]}"},
                  {"{'$push': {s: {'$each': [20, 30], '$position': 2}}}", "{_id: 1, s: [50, 60, 70, 100]}",
                   "{_id: 1, s: [50, 60, 20, 30, 70, 100]}"},
                  {"{'$push': {s: {'$each': [90, 80], '$position': -2}}}", "{_id: 1, s: [50, 60, 20, 30, 70, 100]}",
                   "{_id: 1, s: [50, 60, 20, 30, 90, 80, 70, 100]}"},
                  {"{'$push': {s: {'$each': [9], '$position': 7.0}}}", "{_id: 1, s: [1]}", "{_id: 1, s: [1, 9]}"},
                  {"{'$push': {s: {'$each': [9], '$position': -7}}}", "{_id: 1, s: [1]}", "{_id: 1, s: [9, 1]}"},
                  {"{'$push': {s: {'$position': i64(-9223372036854775808), '$each': [9]}}}", "{_id: 1, s: [1]}",
                   "{_id: 1, s: [9, 1]}"}});
}

TEST(UpdatePush, SlicesFromEitherEnd) {
  expect_results({{"{'$push': {s: {'$each': [80, 78, 86], '$slice': -5}}}", "{_id: 1, s: [40, 50, 60]}",
                   "{_id: 1, s: [50, 60, 80, 78, 86]}"},
                  {"{'$push': {s: {'$each': [100, 20], '$slice': 3}}}", "{_id: 1, s: [89, 90]}",
                   "{_id: 1, s: [89, 90, 100]}"},
                  {"{'$push': {s: {'$each': [], '$slice': -3}}}", "{_id: 1, s: [89, 70, 100, 20]}",
                   "{_id: 1, s: [70, 100, 20]}"},
                  {"{'$push': {s: {'$each': [1], '$slice': 0}}}", "{_id: 1, s: [1, 2]}", "{_id: 1, s: []}"},
                  {"{'$push': {s: {'$each': [9], '$slice': 2}}}", "{_id: 1, s: [1, 2]}", "{_id: 1, s: [1, 2]}"},
                  {"{'$push': {s: {'$each': [8, 9], '$slice': -2, '$position': 0}}}", "{_id: 1, s: [1]}",
                   "{_id: 1, s: [9, 1]}"},
                  {"{'$push': {s: {'$each': [7, 8, 9], '$slice': 2}}}", "{_id: 1}", "{_id: 1, s: [7, 8]}"},
                  {"{'$push': {s: {'$each': [7], '$slice': i64(-9223372036854775808)}}}", "{_id: 1, s: [1]}",
                   "{_id: 1, s: [1, 7]}"}});
}

TEST(UpdatePush, SortsValuesAndDocuments) {
  expect_results(
      {{"{'$push': {t: {'$each': [40, 60], '$sort': 1}}}", "{_id: 2, t: [89, 70, 89, 50]}",
        "{_id: 2, t: [40, 50, 60, 70, 89, 89]}"},
       {"{'$push': {t: {'$each': [], '$sort': -1}}}", "{_id: 2, t: [89, 'x', null, [1], {a: 1}, true]}",
        "{_id: 2, t: [true, [1], {a: 1}, 'x', 89, null]}"},
       {"{'$push': {q: {'$each': [{id: 3, score: 8}, {id: 4, score: 7}, {id: 5, score: 6}], '$sort': {score: 1}}}}",
        "{_id: 1, q: [{id: 1, score: 6}, {id: 2, score: 9}]}",
        "{_id: 1, q: [{id: 1, score: 6}, {id: 5, score: 6}, {id: 4, score: 7}, {id: 3, score: 8}, {id: 2, score: 9}]}"},
       {"{'$push': {q: {'$each': [{wk: 5, s: 8}, {wk: 6, s: 7}, {wk: 7, s: 6}], '$sort': {s: -1}, '$slice': 3}}}",
        "{_id: 1, q: [{wk: 1, s: 10}, {wk: 2, s: 8}, {wk: 3, s: 5}, {wk: 4, s: 6}]}",
        "{_id: 1, q: [{wk: 1, s: 10}, {wk: 2, s: 8}, {wk: 5, s: 8}]}"},
       {"{'$push': {q: {'$each': [], '$sort': {'a.b': 1, c: -1}}}}",
        "{_id: 1, q: [{a: {b: 2}}, {a: {b: 1}, c: 1}, 5, {a: [9], c: 0}, {a: {b: 1}, c: 2}]}",
        "{_id: 1, q: [{a: [9], c: 0}, 5, {a: {b: 1}, c: 2}, {a: {b: 1}, c: 1}, {a: {b: 2}}]}"},
       {"{'$push': {q: {'$each': [], '$sort': {'a.1': 1}}}}", "{_id: 1, q: [{a: [0, 9]}, {a: [7, 8]}]}",
        "{_id: 1, q: [{a: [7, 8]}, {a: [0, 9]}]}"},
       {"{'$push': {t: {'$each': [], '$sort': 1}}}", "{_id: 1, t: [1, 1.0, u8(1)]}", "{_id: 1, t: [1, 1.0, u8(1)]}"}});
}

TEST(UpdatePush, RefusesWhatIsNoArrayAndBadModifiers) {
  expect_refusals(
      {{"{'$push': {a: 1}}", "{_id: 1, a: 1}", Code::kBadRequest, "$push at path a: the field holds a number, not an"},
       {"{'$push': {a: 1}}", "{_id: 1, a: null}", Code::kBadRequest, "holds null"},
       {"{'$push': {'a.b': 1}}", "{_id: 1, a: [1]}", Code::kBadRequest, "$push at path a.b: a holds an array"},
       {"{'$push': {a: {'$each': 5}}}", "{_id: 1}", Code::kBadRequest, "$push at path a: $each takes an array"},
       {"{'$push': {a: {'$each': [], '$x': 5}}}", "{_id: 1}", Code::kUnsupported, "the modifier $x is not supported"},
       {"{'$push': {a: {'$each': [], x: 5}}}", "{_id: 1}", Code::kUnsupported, "the modifier x is not supported"},
       {"{'$push': {a: {'$slice': 5}}}", "{_id: 1}", Code::kBadRequest, "modifiers go with $each"},
       {"{'$push': {a: {'$each': [], '$slice': 1.5}}}", "{_id: 1}", Code::kBadRequest, "$slice takes a whole number"},
       {"{'$push': {a: {'$each': [], '$position': 'x'}}}", "{_id: 1}", Code::kBadRequest, "$position takes a whole"},
       {"{'$push': {a: {'$each': [], '$position': 18446744073709551615}}}", "{_id: 1}", Code::kBadRequest, "$position"},
       {"{'$push': {a: {'$each': [], '$sort': 2}}}", "{_id: 1}", Code::kBadRequest, "$sort takes 1, -1, or"},
       {"{'$push': {a: {'$each': [], '$sort': {}}}}", "{_id: 1}", Code::kBadRequest, "$sort takes one path or more"},
       {"{'$push': {a: {'$each': [], '$sort': {b: 0}}}}", "{_id: 1}", Code::kBadRequest, "$sort takes 1, -1, or"},
       {"{'$push': {a: {'$each': [], '$sort': {'b.': 1}}}}", "{_id: 1}", Code::kBadRequest, "$sort's path b. is empty"},
       {"{'$push': {_id: 1}}", "{_id: 1}", Code::kBadRequest, "_id never changes"}});
}

TEST(UpdatePush, SortIsBoundedInPathsAndElements) {
  std::string sort = "{";
  for (int i = 0; i < 32; ++i) sort += "f" + std::to_string(i) + ": 1, ";
  EXPECT_TRUE(run("{'$push': {a: {'$each': [1], '$sort': " + sort + "}}}}", "{_id: 1}"));
  EXPECT_EQ(run("{'$push': {a: {'$each': [1], '$sort': " + sort + "x: 1}}}}", "{_id: 1}").error().code,
            Code::kTooLarge);
  Update one = std::move(*Update::compile(mp("{'$push': {a: {'$each': [1], '$sort': 1}}}")));
  for (uint32_t n : {99'999U, 100'000U}) {
    Buffer document;
    msgpack::Writer(document).map(2).string("_id").uint(1).string("a").array(n);
    document.append(n, '\x01');
    auto r = one.apply(document);
    ASSERT_EQ(bool(r), n < 100'000);
    if (!r) EXPECT_EQ(r.error().code, Code::kTooLarge);
    if (!r) EXPECT_TRUE(r.error().message.starts_with("$push at path a: ")) << r.error().message;
  }
}

TEST(UpdatePush, ValuesObeyTheLimitOfDepth) {
  EXPECT_TRUE(run("{'$push': {a: [[1]]}}", "{_id: 1}", {.depth = 4}));
  EXPECT_EQ(run("{'$push': {a: [[[1]]]}}", "{_id: 1}", {.depth = 4}).error().code, Code::kTooLarge);
  EXPECT_TRUE(run("{'$push': {a: {'$each': [[[1]]]}}}", "{_id: 1}", {.depth = 4}));
  EXPECT_EQ(run("{'$push': {a: {'$each': [[[[1]]]]}}}", "{_id: 1}", {.depth = 4}).error().code, Code::kTooLarge);
  EXPECT_EQ(run("{'$addToSet': {a: {'$each': [[[[1]]]]}}}", "{_id: 1}", {.depth = 4}).error().code, Code::kTooLarge);
  EXPECT_EQ(run("{'$push': {'a.b.c': {'$each': []}}}", "{_id: 1}", {.depth = 3}).error().code, Code::kTooLarge);
}

TEST(UpdateAddToSet, AddsWhatIsNotThereYet) {
  expect_results({{"{'$addToSet': {tags: 'accessories'}}", "{_id: 1, tags: ['electronics', 'supplies']}",
                   "{_id: 1, tags: ['electronics', 'supplies', 'accessories']}"},
                  {"{'$addToSet': {tags: 'camera'}}", "{_id: 1, tags: ['camera']}", "{_id: 1, tags: ['camera']}"},
                  {"{'$addToSet': {letters: ['c', 'd']}}", "{_id: 1, letters: ['a', 'b']}",
                   "{_id: 1, letters: ['a', 'b', ['c', 'd']]}"},
                  {"{'$addToSet': {tags: {'$each': ['camera', 'z', 'electronics', 'a', 'z']}}}",
                   "{_id: 2, tags: ['electronics', 'supplies']}",
                   "{_id: 2, tags: ['electronics', 'supplies', 'camera', 'z', 'a']}"},
                  {"{'$addToSet': {a: {'$each': [1.0, i64(1), nan, nan]}}}", "{_id: 1}", "{_id: 1, a: [1.0, nan]}"},
                  {"{'$addToSet': {a: 1.0}}", "{_id: 1, a: [1, 1]}", "{_id: 1, a: [1, 1]}"},
                  {"{'$addToSet': {a: {x: 1, y: 2}}}", "{_id: 1, a: [{y: 2, x: 1}]}",
                   "{_id: 1, a: [{y: 2, x: 1}, {x: 1, y: 2}]}"},
                  {"{'$addToSet': {a: {'$each': []}}}", "{_id: 1}", "{_id: 1, a: []}"}});
  expect_refusals(
      {{"{'$addToSet': {a: 1}}", "{_id: 1, a: 1}", Code::kBadRequest, "$addToSet at path a: the field holds a number"},
       {"{'$addToSet': {a: {'$each': 1}}}", "{_id: 1}", Code::kBadRequest, "$each takes an array of values, not a num"},
       {"{'$addToSet': {a: {'$each': [1], '$slice': 1}}}", "{_id: 1}", Code::kUnsupported, "the modifier $slice is"}});
}

TEST(UpdatePull, RemovesElementsThatAreEqualOrMeetACondition) {
  expect_results(
      {{"{'$pull': {fruits: {'$in': ['apples', 'oranges']}, vegetables: 'carrots'}}",
        "{_id: 1, fruits: ['apples', 'pears', 'oranges'], vegetables: ['carrots', 'celery', 'carrots']}",
        "{_id: 1, fruits: ['pears'], vegetables: ['celery']}"},
       {"{'$pull': {votes: {'$gte': 6}}}", "{_id: 1, votes: [3, 5, 6, 7, 7, 8]}", "{_id: 1, votes: [3, 5]}"},
       {"{'$pull': {results: {score: 8, item: 'B'}}}",
        "{_id: 1, results: [{item: 'A', score: 5}, {item: 'B', score: 8}, {item: 'B', score: 8, x: 1}, 8]}",
        "{_id: 1, results: [{item: 'A', score: 5}, 8]}"},
       {"{'$pull': {results: {answers: {'$elemMatch': {q: 2, a: {'$gte': 8}}}}}}",
        "{_id: 1, results: [{answers: [{q: 1, a: 4}, {q: 2, a: 6}]}, {answers: [{q: 1, a: 8}, {q: 2, a: 9}]}]}",
        "{_id: 1, results: [{answers: [{q: 1, a: 4}, {q: 2, a: 6}]}]}"},
       {"{'$pull': {a: {'$or': [{x: 1}, {y: 1}]}}}", "{_id: 1, a: [{x: 1}, {y: 1}, {z: 1}]}", "{_id: 1, a: [{z: 1}]}"},
       {"{'$pull': {a: {}}}", "{_id: 1, a: [{}, {x: 1}, 5]}", "{_id: 1, a: [5]}"},
       {"{'$pull': {a: [1, 2]}}", "{_id: 1, a: [[1, 2], [2, 1], 1]}", "{_id: 1, a: [[2, 1], 1]}"},
       {"{'$pull': {a: null}}", "{_id: 1, a: [null, 1]}", "{_id: 1, a: [1]}"},
       {"{'$pull': {a: {'$gt': 1}}}", "{_id: 1, a: [[0, 2], [1], 2]}", "{_id: 1, a: [[1]]}"},
       {"{'$pull': {a: {'$ne': 1}}}", "{_id: 1, a: [1, 2, [1], null]}", "{_id: 1, a: [1, [1]]}"},
       {"{'$pull': {a: {'$not': {'$gt': 1}}}}", "{_id: 1, a: [1, 2, 'x']}", "{_id: 1, a: [2]}"},
       {"{'$pull': {a: {'$regex': '^x'}}}", "{_id: 1, a: ['xy', 'yx', 5]}", "{_id: 1, a: ['yx', 5]}"},
       {"{'$pull': {a: 7, 'b.c': 1}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1]}"},
       {"{'$pull': {'a.0': 7}}", "{_id: 1, a: [[7, 8]]}", "{_id: 1, a: [[8]]}"}});
}

TEST(UpdatePull, RefusesWhatIsNoArrayAndBadConditions) {
  expect_refusals(
      {{"{'$pull': {a: 1}}", "{_id: 1, a: 1}", Code::kBadRequest, "$pull at path a: the field holds a number, not an"},
       {"{'$pull': {'a.b': 1}}", "{_id: 1, a: 1}", Code::kBadRequest, "$pull at path a.b: a holds a number"},
       {"{'$pull': {'a.b': 1}}", "{_id: 1, a: [{b: [1]}]}", Code::kBadRequest, "$pull at path a.b: a holds an array"},
       {"{'$pull': {a: {'$near': 1}}}", "{_id: 1}", Code::kUnsupported, "$pull at path a: $near is not supported"},
       {"{'$pull': {a: {'$in': 1}}}", "{_id: 1}", Code::kBadRequest, "$pull at path a: there must be an array"},
       {"{'$pull': {a: {'$regex': '('}}}", "{_id: 1}", Code::kBadRequest, "$pull at path a"}});
}

TEST(UpdatePull, RefusesRegularExpressionsThatCostTooMuch) {
  std::string update = "{'$pull': {a: {'$regex': '" + std::string(3000, 'x') + "'}}}";
  Update u = std::move(*Update::compile(mp(update)));
  Buffer document;
  msgpack::Writer(document).map(2).string("_id").uint(1).string("a").array(1).string(std::string(1 << 20, 'y'));
  auto r = u.apply(document);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kTooLarge);
  EXPECT_TRUE(r.error().message.starts_with("$pull at path a: ")) << r.error().message;
}

TEST(UpdatePullAll, RemovesAllListedValues) {
  expect_results({{"{'$pullAll': {scores: [0, 5.0]}}", "{_id: 1, scores: [0, 2, 5, 5, 1, 0]}",
                   "{_id: 1, scores: [2, 1]}"},
                  {"{'$pullAll': {a: [{x: 1}, [1], null]}}", "{_id: 1, a: [{x: 1}, {x: 1, y: 1}, [1], 1, null]}",
                   "{_id: 1, a: [{x: 1, y: 1}, 1]}"},
                  {"{'$pullAll': {a: []}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1]}"},
                  {"{'$pullAll': {b: [1]}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1]}"}});
  expect_refusals({{"{'$pullAll': {a: 1}}", "{_id: 1}", Code::kBadRequest, "$pullAll at path a: the operand must be"},
                   {"{'$pullAll': {a: [1]}}", "{_id: 1, a: {}}", Code::kBadRequest, "holds a document"}});
}

TEST(UpdatePop, RemovesTheFirstOrLastElement) {
  expect_results({{"{'$pop': {scores: -1}}", "{_id: 1, scores: [8, 9, 10]}", "{_id: 1, scores: [9, 10]}"},
                  {"{'$pop': {scores: 1}}", "{_id: 1, scores: [9, 10]}", "{_id: 1, scores: [9]}"},
                  {"{'$pop': {a: 1.0, b: 1, c: 1}}", "{_id: 1, a: [[1]], b: []}", "{_id: 1, a: [], b: []}"},
                  {"{'$pop': {'a.1': -1}}", "{_id: 1, a: [0, [1, 2]]}", "{_id: 1, a: [0, [2]]}"}});
  expect_refusals({{"{'$pop': {a: 2}}", "{_id: 1}", Code::kBadRequest, "$pop at path a: the operand must be 1"},
                   {"{'$pop': {a: 'x'}}", "{_id: 1}", Code::kBadRequest, "$pop at path a: the operand must be 1"},
                   {"{'$pop': {a: 1}}", "{_id: 1, a: 'x'}", Code::kBadRequest, "$pop at path a: the field holds a"}});
}

TEST(UpdateArrays, KeepTheBytesOfWhatStays) {
  // {_id: 1, a: [1, 300, 5]}: the array's head and its elements wider than they need be.
  Buffer before(
      "\x82\xa3_id\x01\xa1"
      "a\xdc\x00\x03\xcc\x01\xce\x00\x00\x01\x2c\xd2\x00\x00\x00\x05",
      23);
  ASSERT_TRUE(check_document(before));
  auto after = [&](std::string_view update) { return Update::compile(mp(update))->apply(before)->document; };
  for (const char* same : {"{'$push': {a: {'$each': [5], '$slice': 3}}}", "{'$addToSet': {a: {'$each': [5, 1]}}}",
                           "{'$pull': {a: 7}}", "{'$pullAll': {a: [7, 8]}}"}) {
    EXPECT_EQ(after(same), before) << same;
    EXPECT_FALSE(Update::compile(mp(same))->apply(before)->changed()) << same;
  }
  Buffer head = before.substr(0, 8), elements = before.substr(11), five = before.substr(18);
  EXPECT_EQ(after("{'$push': {a: {'$each': [], '$sort': 1}}}"), before.substr(0, 13) + five + before.substr(13, 5));
  EXPECT_EQ(after("{'$pop': {a: -1}}"), head + "\x92" + before.substr(13));
  EXPECT_EQ(after("{'$push': {a: 6}}"), head + "\x94" + elements + "\x06");
}

TEST(UpdateArrays, OwnWhatTheyNeed) {
  auto text = std::make_unique<Buffer>(
      mp("{'$push': {a: {'$each': ['a string longer than short ones'], '$sort': {b: 1}}}, "
         "'$pull': {c: {x: 'another string that is long enough'}}}"));
  Update first = std::move(*Update::compile(*text));
  std::ranges::fill(*text, 'x');
  text.reset();
  Update u = std::move(first);
  EXPECT_EQ(u.apply(mp("{_id: 1, c: [{x: 'another string that is long enough'}]}"))->document,
            mp("{_id: 1, c: [], a: ['a string longer than short ones']}"));
}

}  // namespace
}  // namespace holdfast::core
