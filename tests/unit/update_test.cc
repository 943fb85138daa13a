// Updates: $set, $unset and $inc by cases, refusals, and bytes that must stay.
#include "tests/support/update_case.h"

namespace holdfast::core {
namespace {

using test::expect_refusals;
using test::expect_results;
using test::mp;
using test::run;

TEST(UpdateSet, ReplacesInPlaceAndAppendsWhatIsNew) {
  expect_results({{"{'$set': {a: 2}}", "{_id: 1, a: 1, b: 3}", "{_id: 1, a: 2, b: 3}"},
                  {"{'$set': {c: 2}}", "{_id: 1, a: 1}", "{_id: 1, a: 1, c: 2}"},
                  {"{'$set': {a: {x: [1]}}}", "{_id: 1, a: 1, b: 3}", "{_id: 1, a: {x: [1]}, b: 3}"},
                  {"{'$set': {'a.b': 2}}", "{_id: 1, a: {c: 1, b: 1}}", "{_id: 1, a: {c: 1, b: 2}}"},
                  {"{'$set': {'a.b': 2}}", "{_id: 1, a: {c: 1}}", "{_id: 1, a: {c: 1, b: 2}}"},
                  {"{'$set': {'a.b.c': 2}}", "{_id: 1}", "{_id: 1, a: {b: {c: 2}}}"},
                  {"{'$set': {'a.0.c': 2}}", "{_id: 1}", "{_id: 1, a: {'0': {c: 2}}}"},
                  {"{'$set': {a: 5}}", "{_id: 1, a: 5}", "{_id: 1, a: 5}"},
                  {"{'$set': {a: i64(5)}}", "{_id: 1, a: 5}", "{_id: 1, a: i64(5)}"},
                  {"{'$set': {}}", "{_id: 1, a: 5}", "{_id: 1, a: 5}"},
                  {"{'$set': {a: {'$x': 1}}}", "{_id: 1}", "{_id: 1, a: {'$x': 1}}"}});
}

TEST(UpdateSet, AppendsNewFieldsInTheOrderOfTheirNames) {
  expect_results({{"{'$set': {c: 1, a: 2}, '$inc': {b: 3}}", "{_id: 1, z: 0}", "{_id: 1, z: 0, a: 2, b: i64(3), c: 1}"},
                  {"{'$set': {'10': 1, '9': 2, a: 3}}", "{_id: 1}", "{_id: 1, '9': 2, '10': 1, a: 3}"},
                  {"{'$set': {'x.b': 1, 'x.a': 2}}", "{_id: 1}", "{_id: 1, x: {a: 2, b: 1}}"}});
}

TEST(UpdateSet, SetsElementsAndPadsWithNull) {
  expect_results({{"{'$set': {'a.1': 9}}", "{_id: 1, a: [1, 2, 3]}", "{_id: 1, a: [1, 9, 3]}"},
                  {"{'$set': {'a.3': 9}}", "{_id: 1, a: [1, 2, 3]}", "{_id: 1, a: [1, 2, 3, 9]}"},
                  {"{'$set': {'a.5': 9, 'a.3': 8}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1, null, null, 8, null, 9]}"},
                  {"{'$set': {'a.0': 9}}", "{_id: 1, a: []}", "{_id: 1, a: [9]}"},
                  {"{'$set': {'a.1.b': 9}}", "{_id: 1, a: [1, {b: 2, c: 3}]}", "{_id: 1, a: [1, {b: 9, c: 3}]}"},
                  {"{'$set': {'a.2.b': 9}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1, null, {b: 9}]}"},
                  {"{'$set': {'a.0.1': 9}}", "{_id: 1, a: [[1, 2]]}", "{_id: 1, a: [[1, 9]]}"}});
}

TEST(UpdateSet, RefusesPathsThroughScalars) {
  expect_refusals({{"{'$set': {'a.b': 1}}", "{_id: 1, a: 5}", Code::kBadRequest, "a.b: a holds a number"},
                   {"{'$set': {'a.b.c': 1}}", "{_id: 1, a: {b: 'x'}}", Code::kBadRequest, "a.b.c: a.b holds a string"},
                   {"{'$set': {'a.b': 1}}", "{_id: 1, a: null}", Code::kBadRequest, "a holds null"},
                   {"{'$set': {'a.b': 1}}", "{_id: 1, a: [1]}", Code::kBadRequest, "a holds an array"},
                   {"{'$set': {'a.01': 1}}", "{_id: 1, a: [1]}", Code::kBadRequest, "a holds an array"},
                   {"{'$set': {'a.0.b': 1}}", "{_id: 1, a: [1]}", Code::kBadRequest, "a.0 holds a number"},
                   {"{'$set': {'a.b.c': 1}}", "{_id: 1, a: 5}", Code::kBadRequest, "a holds a number"},
                   {"{'$set': {'a.1500001': 1}}", "{_id: 1, a: []}", Code::kTooLarge, "a.1500001"}});
}

TEST(UpdateUnset, RemovesFieldsAndEmptiesElements) {
  expect_results({{"{'$unset': {a: ''}}", "{_id: 1, a: 1, b: 2}", "{_id: 1, b: 2}"},
                  {"{'$unset': {'a.b': 1}}", "{_id: 1, a: {b: 1, c: 2}}", "{_id: 1, a: {c: 2}}"},
                  {"{'$unset': {'a.b': 1}}", "{_id: 1, a: {b: 1}}", "{_id: 1, a: {}}"},
                  {"{'$unset': {x: 1, 'a.x': 1, 'a.b.c': 1, 'y.z': 1}}", "{_id: 1, a: {b: 5}}", "{_id: 1, a: {b: 5}}"},
                  {"{'$unset': {'a.1': 1}}", "{_id: 1, a: [1, 2, 3]}", "{_id: 1, a: [1, null, 3]}"},
                  {"{'$unset': {'a.1': 1}}", "{_id: 1, a: [1, null]}", "{_id: 1, a: [1, null]}"},
                  {"{'$unset': {'a.7': 1, 'a.x': 1}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1]}"},
                  {"{'$unset': {'a.0.b': 1}}", "{_id: 1, a: [{b: 1}]}", "{_id: 1, a: [{}]}"}});
}

TEST(UpdateInc, AddsAndWritesComputedWidths) {
  expect_results({{"{'$inc': {a: 1}}", "{_id: 1, a: 5}", "{_id: 1, a: i64(6)}"},
                  {"{'$inc': {a: -7}}", "{_id: 1, a: u16(5)}", "{_id: 1, a: i64(-2)}"},
                  {"{'$inc': {a: 1}}", "{_id: 1}", "{_id: 1, a: i64(1)}"},
                  {"{'$inc': {'a.b.c': 1.5}}", "{_id: 1}", "{_id: 1, a: {b: {c: 1.5}}}"},
                  {"{'$inc': {a: f32(1.5)}}", "{_id: 1}", "{_id: 1, a: 1.5}"},
                  {"{'$inc': {a: 0.5}}", "{_id: 1, a: 1}", "{_id: 1, a: 1.5}"},
                  {"{'$inc': {a: 1}}", "{_id: 1, a: f32(0.5)}", "{_id: 1, a: 1.5}"},
                  {"{'$inc': {a: 1.0}}", "{_id: 1, a: 1}", "{_id: 1, a: 2.0}"},
                  {"{'$inc': {'a.1': 1}}", "{_id: 1, a: [1, 2]}", "{_id: 1, a: [1, i64(3)]}"},
                  {"{'$inc': {'a.2': 1}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1, null, i64(1)]}"}});
}

TEST(UpdateInc, LeavesTheBytesWhenNothingChanges) {
  expect_results({{"{'$inc': {a: 0}}", "{_id: 1, a: u16(5)}", "{_id: 1, a: u16(5)}"},
                  {"{'$inc': {a: 0}}", "{_id: 1, a: f32(1.5)}", "{_id: 1, a: f32(1.5)}"},
                  {"{'$inc': {a: 1}}", "{_id: 1, a: 1e300}", "{_id: 1, a: 1e300}"},
                  {"{'$inc': {a: 1}}", "{_id: 1, a: nan}", "{_id: 1, a: nan}"},
                  {"{'$inc': {a: 0.0}}", "{_id: 1, a: 5}", "{_id: 1, a: 5.0}"}});
}

TEST(UpdateInc, IsExactAtTheEndsOfIntegers) {
  expect_results(
      {{"{'$inc': {a: 1}}", "{_id: 1, a: 9223372036854775806}", "{_id: 1, a: i64(9223372036854775807)}"},
       {"{'$inc': {a: -1}}", "{_id: 1, a: i64(-9223372036854775807)}", "{_id: 1, a: i64(-9223372036854775808)}"},
       {"{'$inc': {a: 1}}", "{_id: 1, a: 9223372036854775808}", "{_id: 1, a: u64(9223372036854775809)}"},
       {"{'$inc': {a: -1}}", "{_id: 1, a: 9223372036854775808}", "{_id: 1, a: i64(9223372036854775807)}"},
       {"{'$inc': {a: u64(18446744073709551615)}}", "{_id: 1}", "{_id: 1, a: u64(18446744073709551615)}"},
       {"{'$inc': {a: u64(18446744073709551615)}}", "{_id: 1, a: i64(-9223372036854775808)}",
        "{_id: 1, a: i64(9223372036854775807)}"}});
  expect_refusals(
      {{"{'$inc': {a: 1}}", "{_id: 1, a: 9223372036854775807}", Code::kBadRequest, "overflow"},
       {"{'$inc': {a: -1}}", "{_id: 1, a: i64(-9223372036854775808)}", Code::kBadRequest, "path a would overflow"},
       {"{'$inc': {'b.c': 1}}", "{_id: 1, b: {c: 18446744073709551615}}", Code::kBadRequest, "path b.c"}});
}

TEST(UpdateInc, RefusesWhatIsNoNumber) {
  expect_refusals({{"{'$inc': {a: 1}}", "{_id: 1, a: 'x'}", Code::kBadRequest, "a: the field holds a string"},
                   {"{'$inc': {a: 1}}", "{_id: 1, a: null}", Code::kBadRequest, "holds null"},
                   {"{'$inc': {a: '1'}}", "{_id: 1, a: 1}", Code::kBadRequest, "must be a number, not a string"}});
}

TEST(Update, NeverChangesTheId) {
  expect_results({{"{'$set': {_id: 1.0, a: 2}}", "{a: 1, _id: 1}", "{a: 2, _id: 1}"},
                  {"{'$set': {_id: 'x'}}", "{_id: 'x'}", "{_id: 'x'}"}});
  expect_refusals({{"{'$set': {_id: 2}}", "{_id: 1}", Code::kBadRequest, "_id never changes"},
                   {"{'$unset': {_id: 1}}", "{_id: 1}", Code::kBadRequest, "_id never changes"},
                   {"{'$inc': {_id: 0}}", "{_id: 1}", Code::kBadRequest, "_id never changes"},
                   {"{'$set': {'_id.a': 2}}", "{_id: 1}", Code::kBadRequest, "_id never changes"}});
}

TEST(Update, AppliesSeveralOperatorsAtOnce) {
  expect_results({{"{'$set': {'a.x': 1}, '$unset': {'a.y': 1, b: 1}, '$inc': {'a.z': 2}}",
                   "{_id: 1, b: 2, a: {y: 1, z: 1}}", "{_id: 1, a: {z: i64(3), x: 1}}"}});
}

TEST(Update, RefusesConflictingPaths) {
  expect_refusals(
      {{"{'$set': {a: 1, 'a.b': 2}}", "{_id: 1}", Code::kBadRequest, "a and a.b conflict"},
       {"{'$set': {'a.b.c': 1}, '$unset': {'a.b': 2}}", "{_id: 1}", Code::kBadRequest, "a.b and a.b.c conflict"},
       {"{'$set': {a: 1}, '$inc': {a: 2}}", "{_id: 1}", Code::kBadRequest, "a and a conflict"},
       {"{'$set': {_id: 1}, '$unset': {_id: 1}}", "{_id: 1}", Code::kBadRequest, "_id"}});
  EXPECT_TRUE(run("{'$set': {'a.b': 1, 'ab': 2, 'a.bc': 3, 'a-b': 4}}", "{_id: 1}"));
}

TEST(Update, RefusesWhatItDoesNotKnow) {
  expect_refusals(
      {{"{'$pushAll': {a: 1}}", "{_id: 1}", Code::kUnsupported, "$pushAll in an update is not supported (at path a)"},
       {"{'$set': {a: 1}, '$nonsense': 5}", "{_id: 1}", Code::kUnsupported, "$nonsense"},
       {"{b: 2, '$set': {a: 1}}", "{_id: 1}", Code::kBadRequest, "mixes operators"},
       {"{'$set': {a: 1}, b: 2}", "{_id: 1}", Code::kBadRequest, "mixes operators"},
       {"[]", "{_id: 1}", Code::kBadRequest, "must be a document"},
       {"{'$set': 5}", "{_id: 1}", Code::kBadRequest, "$set takes a document"},
       {"{'$set': {'a.$x': 1}}", "{_id: 1}", Code::kBadRequest, "a.$x"},
       {"{'$set': {'': 1}}", "{_id: 1}", Code::kBadRequest, "empty"},
       {"{'$set': {'a..b': 1}}", "{_id: 1}", Code::kBadRequest, "empty"},
       {"{'$unset': {'a.': 1}}", "{_id: 1}", Code::kBadRequest, "empty"},
       {"{'$set': {a: 1, a: 2}}", "{_id: 1}", Code::kBadRequest, "twice"}});
}

TEST(Update, ResultObeysTheLimits) {
  DocumentLimits limits{.bytes = 40};
  EXPECT_TRUE(run("{'$set': {a: '0123456789'}}", "{_id: 1}", limits));
  EXPECT_EQ(run("{'$set': {a: '0123456789012345678901234567890123456789'}}", "{_id: 1}", limits).error().code,
            Code::kTooLarge);
  EXPECT_EQ(run("{'$set': {'a.100': 1}}", "{_id: 1, a: []}", limits).error().code, Code::kTooLarge);
  // A deep path and a deep value that together pass the depth.
  std::string path = "a", value = "1";
  for (int i = 0; i < 49; ++i) path += ".a";
  for (int i = 0; i < 50; ++i) value = "[" + value + "]";
  auto deepest = run("{'$set': {'" + path + "': " + value + "}}", "{_id: 1}");
  ASSERT_TRUE(deepest) << deepest.error().text();
  EXPECT_TRUE(check_document(deepest->document));
  EXPECT_EQ(run("{'$set': {'" + path + "': [" + value + "]}}", "{_id: 1}").error().code, Code::kTooLarge);
}

TEST(Update, RefusesMorePathsThanItKeepsTreesOf) {
  std::string path;
  for (int i = 0; i < 95; ++i) path += ".part";
  std::string update = "{'$set': {";
  for (int i = 0; i < 600; ++i) update += "'f" + std::to_string(i) + path + "': 1, ";
  auto u = Update::compile(mp(update + "}}"));
  ASSERT_FALSE(u);
  EXPECT_EQ(u.error().code, Code::kTooLarge);
}

TEST(Update, PaddingOfManyArraysStaysWithinTheLimit) {
  std::string update = "{'$set': {", document = "{_id: 1, ";
  for (int i = 0; i < 30; ++i) {
    update += "'f" + std::to_string(i) + ".1500000': 1, ";
    document += "f" + std::to_string(i) + ": [], ";
  }
  EXPECT_EQ(run(update + "}}", document + "}").error().code, Code::kTooLarge);
}

TEST(Update, KeepsTheBytesOfWhatItDoesNotTouch) {
  // {_id: 1, a: {b: 1}, c: 5} with heads and strings wider than they need be.
  Buffer before(
      "\xde\x00\x03\xd9\x03_id\xcd\x00\x01\xda\x00\x01"
      "a\xdf\x00\x00\x00\x01\xa1"
      "b\x01\xa1"
      "c\xd3\x00\x00\x00\x00\x00\x00\x00\x05",
      34);
  ASSERT_TRUE(check_document(before));
  Update set = std::move(*Update::compile(mp("{'$set': {'a.b': 2}}")));
  Buffer after = before;
  after[before.find("b\x01") + 1] = 2;
  EXPECT_EQ(set.apply(before)->document, after);
  Update same = std::move(*Update::compile(mp("{'$set': {'a.b': 1}, '$inc': {c: 0}, '$unset': {d: 1}}")));
  auto unchanged = same.apply(before);
  EXPECT_EQ(unchanged->document, before);
  EXPECT_FALSE(unchanged->changed());
}

TEST(Update, ManyPathsAreFoundToo) {
  std::string update = "{'$set': {", before = "{_id: 1, ", after = "{_id: 1, ";
  for (int i = 0; i < 40; ++i) {
    int n = i * 7 % 40;
    update += "f" + std::to_string(n) + ": " + std::to_string(n) + ", ";
    before += "f" + std::to_string(i) + ": 0, ";
    after += "f" + std::to_string(i) + ": " + std::to_string(i) + ", ";
  }
  auto r = run(update + "}}", before + "}");
  ASSERT_TRUE(r);
  EXPECT_EQ(r->document, mp(after + "}"));
}

TEST(Update, OwnsWhatItNeeds) {
  auto text = std::make_unique<Buffer>(mp("{'$set': {'a.b': 'a string longer than the small ones'}}"));
  Update first = std::move(*Update::compile(*text));
  std::ranges::fill(*text, 'x');
  text.reset();
  Update u = std::move(first);
  EXPECT_EQ(u.apply(mp("{_id: 1}"))->document, mp("{_id: 1, a: {b: 'a string longer than the small ones'}}"));
}

TEST(Update, ReportsBrokenDocumentsAsCorrupt) {
  Update u = std::move(*Update::compile(mp("{'$set': {'a.1': 2}, '$inc': {b: 1}, '$unset': {c: 1}}")));
  Buffer document = mp("{x: [1, {y: 2}], a: [1, 2, 3], c: {d: 1}, b: 5}");
  ASSERT_TRUE(u.apply(document));
  for (size_t n = 0; n < document.size(); ++n) {
    auto r = u.apply(Bytes(document).substr(0, n));
    ASSERT_FALSE(r) << n;
    EXPECT_EQ(r.error().code, Code::kCorrupt) << n;
  }
  for (size_t i = 0; i < document.size(); ++i)
    for (int bits = 1; bits < 256; ++bits) {
      Buffer broken = document;
      broken[i] = static_cast<char>(broken[i] ^ bits);
      (void)u.apply(broken);
    }
}

}  // namespace
}  // namespace holdfast::core
