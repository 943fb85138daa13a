// Update operators one by one: cases from MongoDB's manual and the corners around them, and what is refused.
#include "tests/support/update_case.h"

namespace holdfast::core {
namespace {

using test::expect_refusals;
using test::expect_results;
using test::run;

TEST(UpdateMul, MultipliesLikeIncAdds) {
  expect_results({{"{'$mul': {price: 1.25, quantity: 2}}", "{_id: 1, price: 10.5, quantity: 25}",
                   "{_id: 1, price: 13.125, quantity: i64(50)}"},
                  {"{'$mul': {price: 100}}", "{_id: 2}", "{_id: 2, price: i64(0)}"},
                  {"{'$mul': {price: 2.5}}", "{_id: 2}", "{_id: 2, price: 0.0}"},
                  {"{'$mul': {price: 5}}", "{_id: 3, price: f32(1.5)}", "{_id: 3, price: 7.5}"},
                  {"{'$mul': {a: 1}}", "{_id: 1, a: u16(7)}", "{_id: 1, a: u16(7)}"},
                  {"{'$mul': {a: 1.0}}", "{_id: 1, a: 7}", "{_id: 1, a: 7.0}"},
                  {"{'$mul': {'a.1': -3}}", "{_id: 1, a: [1, 2]}", "{_id: 1, a: [1, i64(-6)]}"},
                  {"{'$mul': {a: -0.0}}", "{_id: 1, a: inf}", "{_id: 1, a: nan}"}});
}

TEST(UpdateMul, IsExactAtTheEndsOfIntegers) {
  expect_results({{"{'$mul': {a: 4611686018427387904}}", "{_id: 1, a: -2}", "{_id: 1, a: i64(-9223372036854775808)}"},
                  {"{'$mul': {a: 1}}", "{_id: 1, a: 9223372036854775808}", "{_id: 1, a: 9223372036854775808}"},
                  {"{'$mul': {a: u64(9223372036854775808)}}", "{_id: 1, a: -1}",
                   "{_id: 1, a: i64(-9223372036854775808)}"},
                  {"{'$mul': {a: 0}}", "{_id: 1, a: u64(18446744073709551615)}", "{_id: 1, a: i64(0)}"}});
}

TEST(UpdateMul, RefusesOverflowAndWhatIsNoNumber) {
  expect_refusals(
      {{"{'$mul': {a: 2}}", "{_id: 1, a: 9223372036854775807}", Code::kBadRequest, "$mul at path a would overflow"},
       {"{'$mul': {a: u64(18446744073709551615)}}", "{_id: 1, a: 18446744073709551615}", Code::kBadRequest, "overflow"},
       {"{'$mul': {a: 2}}", "{_id: 1, a: 9223372036854775808}", Code::kBadRequest, "overflow"},
       {"{'$mul': {a: 2}}", "{_id: 1, a: 'x'}", Code::kBadRequest, "$mul at path a: the field holds a string"},
       {"{'$mul': {a: null}}", "{_id: 1}", Code::kBadRequest, "$mul at path a: the operand must be a number, not null"},
       {"{'$mul': {_id: 1}}", "{_id: 1}", Code::kBadRequest, "_id never changes"}});
}

TEST(UpdateMinMax, KeepTheSmallerOrGreaterByTheOrderOfValues) {
  expect_results({{"{'$min': {low: 150}}", "{_id: 1, high: 800, low: 200}", "{_id: 1, high: 800, low: 150}"},
                  {"{'$min': {low: 250}}", "{_id: 1, high: 800, low: 200}", "{_id: 1, high: 800, low: 200}"},
                  {"{'$max': {high: 950}}", "{_id: 1, high: 800, low: 200}", "{_id: 1, high: 950, low: 200}"},
                  {"{'$max': {high: 870}}", "{_id: 1, high: 950}", "{_id: 1, high: 950}"},
                  {"{'$min': {d: time(5,0)}, '$max': {e: time(5,1)}}", "{_id: 1, d: time(5,1), e: time(5,0)}",
                   "{_id: 1, d: time(5,0), e: time(5,1)}"},
                  {"{'$min': {a: {b: 1}}, '$max': {c: [1]}}", "{_id: 1}", "{_id: 1, a: {b: 1}, c: [1]}"},
                  {"{'$min': {a: null}}", "{_id: 1, a: -5}", "{_id: 1, a: null}"},
                  {"{'$max': {a: ''}}", "{_id: 1, a: 1e300}", "{_id: 1, a: ''}"},
                  {"{'$min': {a: 1.0}, '$max': {b: i64(1)}}", "{_id: 1, a: 1, b: 1.0}", "{_id: 1, a: 1, b: 1.0}"},
                  {"{'$min': {a: nan}}", "{_id: 1, a: -inf}", "{_id: 1, a: nan}"}});
}

TEST(UpdateRename, MovesFields) {
  expect_results(
      {{"{'$rename': {nickname: 'alias', cell: 'mobile'}}", "{_id: 1, alias: ['x'], mobile: '555', nickname: 'y'}",
        "{_id: 1, alias: 'y', mobile: '555'}"},
       {"{'$rename': {nmae: 'name'}}", "{_id: 1, nmae: {first: 'g'}, z: 1}", "{_id: 1, z: 1, name: {first: 'g'}}"},
       {"{'$rename': {'name.first': 'name.fname'}}", "{_id: 1, name: {first: 'g', last: 'w'}}",
        "{_id: 1, name: {last: 'w', fname: 'g'}}"},
       {"{'$rename': {'name.last': 'contact.lname'}}", "{_id: 1, name: {last: 'w'}}",
        "{_id: 1, name: {}, contact: {lname: 'w'}}"},
       {"{'$rename': {wife: 'spouse'}}", "{_id: 1, spouse: 1}", "{_id: 1, spouse: 1}"},
       {"{'$rename': {'a.b': 'x.y'}}", "{_id: 1, a: 5, x: 5}", "{_id: 1, a: 5, x: 5}"},
       {"{'$rename': {'a.0': 'b'}}", "{_id: 1, a: {'0': i64(7)}}", "{_id: 1, a: {}, b: i64(7)}"},
       {"{'$rename': {a: 'b', y: 'a2'}, '$set': {c: 1}}", "{_id: 1, y: 2, a: [1]}", "{_id: 1, a2: 2, b: [1], c: 1}"}});
}

TEST(UpdateRename, RefusesArraysOnTheWayAndBadNames) {
  expect_refusals(
      {{"{'$rename': {'a.0': 'b'}}", "{_id: 1, a: [1]}", Code::kBadRequest, "$rename at path a.0 to b: a.0 lies in an"},
       {"{'$rename': {b: 'a.0'}}", "{_id: 1, a: [1], b: 1}", Code::kBadRequest, "a.0 lies in an array"},
       {"{'$rename': {b: 'a.x.y'}}", "{_id: 1, a: [1], b: 1}", Code::kBadRequest, "a.x.y lies in an array"},
       {"{'$rename': {b: 'a.x'}}", "{_id: 1, a: 5, b: 1}", Code::kBadRequest, "$rename at path a.x: a holds a number"},
       {"{'$rename': {a: 'a'}}", "{_id: 1, a: 1}", Code::kBadRequest, "a and a conflict, in $rename and $rename"},
       {"{'$rename': {a: 'a.b'}}", "{_id: 1, a: 1}", Code::kBadRequest, "a and a.b conflict"},
       {"{'$rename': {a: 'b'}, '$set': {b: 1}}", "{_id: 1}", Code::kBadRequest, "b and b conflict"},
       {"{'$rename': {a: 'b', b: 'a'}}", "{_id: 1}", Code::kBadRequest, "conflict"},
       {"{'$rename': {a: 5}}", "{_id: 1}", Code::kBadRequest, "$rename at path a: the new name must be a string"},
       {"{'$rename': {a: ''}}", "{_id: 1}", Code::kBadRequest, "a part of the path is empty"},
       {"{'$rename': {a: '\xff'}}", "{_id: 1, a: 1}", Code::kBadRequest, "the new name must be UTF-8"},
       {"{'$rename': {a: 'b.$'}}", "{_id: 1}", Code::kBadRequest, "$rename at path a to b.$: $rename takes no positional"},
       {"{'$rename': {_id: 'b'}}", "{_id: 1}", Code::kBadRequest, "_id never changes"},
       {"{'$rename': {b: '_id'}}", "{_id: 1, b: 1}", Code::kBadRequest, "_id never changes"}});
}

TEST(UpdateRename, ResultObeysTheLimitOfDepth) {
  std::string path = "b", value = "1";
  for (int i = 0; i < 49; ++i) path += ".b";
  for (int i = 0; i < 50; ++i) value = "[" + value + "]";
  EXPECT_TRUE(run("{'$rename': {a: '" + path + "'}}", "{_id: 1, a: " + value + "}"));
  EXPECT_EQ(run("{'$rename': {a: '" + path + "'}}", "{_id: 1, a: [" + value + "]}").error().code, Code::kTooLarge);
}

TEST(UpdateSetOnInsert, AppliesToInsertionsAlone) {
  expect_results({{"{'$set': {item: 'apple'}, '$setOnInsert': {q: 100, 'x.y.z': 1}}", "{_id: 1}",
                   "{_id: 1, item: 'apple'}"},
                  {"{'$setOnInsert': {q: 100, 'q2.x': 1, _id: 5}}", "{_id: 1, q: 5, q2: 5}", "{_id: 1, q: 5, q2: 5}"}});
  UpdateContext insert{.insert = true};
  expect_results({{"{'$set': {item: 'apple'}, '$setOnInsert': {q: 100, 'x.y': 1}}", "{_id: 1}",
                   "{_id: 1, item: 'apple', q: 100, x: {y: 1}}"},
                  {"{'$setOnInsert': {_id: 1.0, a: 2}}", "{_id: 1, a: 1}", "{_id: 1, a: 2}"},
                  {"{'$setOnInsert': {_id: 7}}", "{a: 1}", "{a: 1, _id: 7}"},
                  {"{'$set': {_id: 7}}", "{a: 1}", "{a: 1, _id: 7}"},
                  {"{b: 1, _id: 2}", "{a: 1}", "{b: 1, _id: 2}"},
                  {"{b: 1}", "{a: 1}", "{b: 1}"}},
                 insert);
  expect_refusals({{"{'$setOnInsert': {_id: 2}}", "{_id: 1}", Code::kBadRequest, "$setOnInsert at path _id: _id never"},
                   {"{'$setOnInsert': {'a.b': 2}}", "{_id: 1, a: 5}", Code::kBadRequest, "$setOnInsert at path a.b"}},
                  insert);
}

TEST(UpdateCurrentDate, SetsTheTimeOfTheContext) {
  UpdateContext now{.now = {1'700'000'000'123'456'789}};
  expect_results({{"{'$currentDate': {a: true, 'b.c': {'$type': 'date'}}}", "{_id: 1, a: 5}",
                   "{_id: 1, a: time(1700000000,123456789), b: {c: time(1700000000,123456789)}}"},
                  {"{'$currentDate': {'a.1': true}}", "{_id: 1, a: [1]}",
                   "{_id: 1, a: [1, time(1700000000,123456789)]}"}},
                 now);
  expect_results({{"{'$currentDate': {a: true}}", "{_id: 1}", "{_id: 1, a: time(-1,999999999)}"}}, {.now = {-1}});
  expect_results({{"{'$currentDate': {a: true}}", "{_id: 1, a: time(0,0)}", "{_id: 1, a: time(0,0)}"}});
}

TEST(UpdateCurrentDate, RefusesOtherTypes) {
  expect_refusals({{"{'$currentDate': {a: {'$type': 'timestamp'}}}", "{_id: 1}", Code::kUnsupported,
                    "$currentDate at path a: $type \"timestamp\" is not supported"},
                   {"{'$currentDate': {a: {'$type': 'x'}}}", "{_id: 1}", Code::kBadRequest, "must be \"date\""},
                   {"{'$currentDate': {a: {}}}", "{_id: 1}", Code::kBadRequest, "must be true or"},
                   {"{'$currentDate': {a: false}}", "{_id: 1}", Code::kBadRequest, "must be true or"},
                   {"{'$currentDate': {_id: true}}", "{_id: 1}", Code::kBadRequest, "_id never changes"}});
}

TEST(UpdateBit, AppliesAndOrXor) {
  expect_results({{"{'$bit': {expdata: {and: 10}}}", "{_id: 1, expdata: 13}", "{_id: 1, expdata: i64(8)}"},
                  {"{'$bit': {expdata: {or: 5}}}", "{_id: 2, expdata: 3}", "{_id: 2, expdata: i64(7)}"},
                  {"{'$bit': {expdata: {xor: 5}}}", "{_id: 3, expdata: 1}", "{_id: 3, expdata: i64(4)}"},
                  {"{'$bit': {a: {and: 6, or: 1, xor: 3}}}", "{_id: 1, a: 5}", "{_id: 1, a: i64(6)}"},
                  {"{'$bit': {a: {or: 6}, b: {and: 6}}}", "{_id: 1}", "{_id: 1, a: i64(6), b: i64(0)}"},
                  {"{'$bit': {a: {or: 1}}}", "{_id: 1, a: u16(5)}", "{_id: 1, a: u16(5)}"},
                  {"{'$bit': {a: {and: -2}}}", "{_id: 1, a: -1}", "{_id: 1, a: i64(-2)}"}});
  expect_refusals(
      {{"{'$bit': {a: {or: 1}}}", "{_id: 1, a: 1.0}", Code::kBadRequest, "$bit at path a: the field holds a number"},
       {"{'$bit': {a: {or: 1}}}", "{_id: 1, a: 'x'}", Code::kBadRequest, "holds a string"},
       {"{'$bit': {a: {or: 1}}}", "{_id: 1, a: 9223372036854775808}", Code::kBadRequest, "a signed integer of 64 bits"},
       {"{'$bit': {a: {or: 1.0}}}", "{_id: 1}", Code::kBadRequest, "$bit at path a: the operand of or must be"},
       {"{'$bit': {a: {not: 1}}}", "{_id: 1}", Code::kUnsupported, "$bit at path a: not is not supported"},
       {"{'$bit': {a: {}}}", "{_id: 1}", Code::kBadRequest, "one of and, or, xor"},
       {"{'$bit': {a: 1}}", "{_id: 1}", Code::kBadRequest, "must be a document"}});
}

TEST(UpdateReplacement, KeepsTheIdAlone) {
  expect_results({{"{a: 1, b: 2}", "{_id: 1, x: 1}", "{_id: 1, a: 1, b: 2}"},
                  {"{}", "{x: 1, _id: u64(1)}", "{_id: u64(1)}"},
                  {"{a: 1, _id: 1.0, b: 2}", "{x: 1, _id: u64(1)}", "{a: 1, _id: u64(1), b: 2}"},
                  {"{a: {'$x': 1}, 'b.c': i64(1)}", "{_id: 1}", "{_id: 1, a: {'$x': 1}, 'b.c': i64(1)}"},
                  {"{_id: 1, a: 1}", "{_id: 1, a: 1}", "{_id: 1, a: 1}"}});
  expect_refusals({{"{_id: 2, a: 1}", "{_id: 1}", Code::kBadRequest, "another _id"},
                   {"{a: 1, '$set': {b: 1}}", "{_id: 1}", Code::kBadRequest, "mixes operators with fields, at $set"},
                   {"{a: {b: 1, b: 2}}", "{_id: 1}", Code::kBadRequest, "twice"}});
}

TEST(UpdateReplacement, ObeysTheLimits) {
  EXPECT_EQ(run("{a: '01234567890123456789'}", "{_id: 1}", {.bytes = 20}).error().code, Code::kTooLarge);
  EXPECT_TRUE(run("{a: [[1]]}", "{_id: 1}", {.depth = 3}));
  EXPECT_EQ(run("{a: [[[1]]]}", "{_id: 1}", {.depth = 3}).error().code, Code::kTooLarge);
}

}  // namespace
}  // namespace holdfast::core
