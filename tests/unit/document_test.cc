// Documents at the door: what is refused and how, and that bytes are kept.
#include "core/document.h"

#include <gtest/gtest.h>

#include "tests/support/tree.h"

namespace holdfast::core {
namespace {

using test::mp;
using test::show;

Code refused(Bytes document, const DocumentLimits& limits = {}) {
  auto r = check_document(document, limits);
  EXPECT_FALSE(r) << "was accepted";
  return r ? Code::kInternal : r.error().code;
}

std::string nested(int depth) {
  std::string s = "{_id: 1, a: ";
  for (int i = 1; i < depth; ++i) s += "[";
  for (int i = 1; i < depth; ++i) s += "]";
  return s + "}";
}

TEST(CheckDocument, FindsTheIdWhereverItStands) {
  for (const char* text : {"{_id: 'x', a: 1}", "{a: {_id: 5}, b: [1, 2], _id: 'x'}"}) {
    Buffer document = mp(text);
    auto checked = check_document(document);
    ASSERT_TRUE(checked) << checked.error().text();
    EXPECT_EQ(checked->bytes.data(), document.data());
    EXPECT_EQ(checked->id, mp("'x'"));
    EXPECT_EQ(checked->key, "\x20x");
  }
}

TEST(CheckDocument, AcceptsNamesThatPathsDoNotReach) {
  for (const char* text : {"{_id: 1, '$set': 1}", "{_id: 1, 'a.b': 1}", "{_id: 1, '': 1}", "{_id: 1, a: {'$x': 1}}"})
    EXPECT_TRUE(check_document(mp(text))) << text;
}

TEST(CheckDocument, RefusesWhatIsNoDocument) {
  EXPECT_EQ(refused(mp("1")), Code::kBadRequest);
  EXPECT_EQ(refused(mp("[]")), Code::kBadRequest);
  EXPECT_EQ(refused(""), Code::kBadRequest);
  EXPECT_EQ(refused("\xc1"), Code::kBadRequest);
  EXPECT_EQ(refused(mp("{_id: 1, a: 'abc'}") + "x"), Code::kBadRequest);
  EXPECT_EQ(refused(mp("{_id: 1, a: 'abc'}").substr(0, 8)), Code::kBadRequest);
  EXPECT_EQ(refused(mp("{_id: 1, a: 1, a: 2}")), Code::kBadRequest);
  EXPECT_EQ(refused(mp("{_id: 1, a: [{b: 1, b: 2}]}")), Code::kBadRequest);
  EXPECT_EQ(refused(mp("{_id: 1, '\xff': 2}")), Code::kBadRequest);
  EXPECT_EQ(refused(Bytes("\x82\xa3_id\x01\x05\x06", 7)), Code::kBadRequest) << "a key that is a number";
}

TEST(CheckDocument, RefusesIdsThatAreMissingOrCannotBe) {
  for (const char* text : {"{}", "{a: 1}", "{_id: null}", "{_id: [1]}", "{_id: {a: 1}}", "{_id: ext(3,'x')}"}) {
    auto r = check_document(mp(text));
    ASSERT_FALSE(r) << text;
    EXPECT_EQ(r.error().code, Code::kBadRequest) << text;
    EXPECT_TRUE(r.error().message.contains("_id")) << r.error().message;
  }
  EXPECT_EQ(refused(mp("{_id: '" + std::string(1025, 'x') + "'}")), Code::kTooLarge);
}

TEST(CheckDocument, HoldsTheLimitsExactly) {
  EXPECT_TRUE(check_document(mp(nested(100))));
  EXPECT_EQ(refused(mp(nested(101))), Code::kTooLarge);
  Buffer document = mp("{_id: 1, a: '0123456789'}");
  EXPECT_TRUE(check_document(document, {.bytes = document.size()}));
  EXPECT_EQ(refused(document, {.bytes = document.size() - 1}), Code::kTooLarge);
}

TEST(WithId, PutsTheIdFirstAndKeepsTheRest) {
  auto made = with_id(mp("{b: i64(1), a: {c: [u32(2)]}}"), "new");
  ASSERT_TRUE(made);
  EXPECT_EQ(*made, mp("{_id: 'new', b: i64(1), a: {c: [u32(2)]}}"));
  EXPECT_EQ(*with_id(mp("{}"), "n"), mp("{_id: 'n'}"));
  EXPECT_FALSE(with_id(mp("[]"), "n"));
  EXPECT_FALSE(with_id("", "n"));
}

TEST(WithId, WidensTheHeadWhenItMust) {
  for (int fields : {14, 15, 16, 65534, 65535, 65536}) {
    test::Tree t = test::parse("{}");
    for (int i = 0; i < fields; ++i) t.fields.emplace_back("f" + std::to_string(i), test::Tree());
    auto made = with_id(encode(t), "n");
    ASSERT_TRUE(made);
    t.fields.emplace(t.fields.begin(), "_id", test::parse("'n'"));
    EXPECT_TRUE(*made == encode(t)) << fields;
    EXPECT_TRUE(check_document(*made)) << fields;
  }
}

TEST(FindId, LooksAtTheTopLevelAlone) {
  EXPECT_EQ(find_id(mp("{a: {_id: 1}}")), std::nullopt);
  EXPECT_EQ(find_id(mp("{a: 1, _id: [2]}")), mp("[2]"));
  EXPECT_EQ(find_id(mp("[1]")), std::nullopt);
}

}  // namespace
}  // namespace holdfast::core
