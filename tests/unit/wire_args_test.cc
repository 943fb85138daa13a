#include <gtest/gtest.h>

#include "io/base/random.h"
#include "io/wire/args.h"

namespace holdfast::wire {
namespace {

using msgpack::Writer;

Buffer doc(std::string_view id) {
  Buffer b;
  Writer(b).map(2).string("n").uint(1).string("_id").string(id);
  return b;
}

struct Many {
  std::vector<std::string> ids;
  Buffer blob;
  std::vector<uint64_t> offsets;
  bool with_ids = true;

  Buffer encode() const {
    Buffer b;
    Writer w(b);
    w.map(with_ids ? 3 : 2);
    if (with_ids) {
      w.string("ids").array(static_cast<uint32_t>(ids.size()));
      for (auto& id : ids) w.string(id);
    }
    w.string("blob").binary(blob).string("offsets").array(static_cast<uint32_t>(offsets.size()));
    for (auto o : offsets) w.uint(o);
    return b;
  }
};

Many three() {
  Many m;
  for (auto id : {"a", "bb", "ccc"}) {
    m.ids.push_back(id);
    m.offsets.push_back(m.blob.size());
    m.blob += doc(id);
  }
  m.offsets.push_back(m.blob.size());
  return m;
}

std::vector<std::string> documents(const Many& m) {
  Buffer b = m.encode();
  auto parsed = parse_insert_many(b);
  if (!parsed) return {parsed.error().text()};
  std::vector<std::string> out;
  Bytes document;
  while (parsed->next(document)) out.emplace_back(document);
  EXPECT_EQ(out.size(), parsed->count());
  return out;
}

bool refused(const Many& m) {
  Buffer b = m.encode();
  auto parsed = parse_insert_many(b);
  return !parsed && parsed.error().code == Code::kBadRequest;
}

TEST(InsertOneArgs, AreTheDocumentItself) {
  Buffer d = doc("x");
  EXPECT_EQ(*parse_insert_one(d), d);
  EXPECT_FALSE(parse_insert_one("\x90"));
  EXPECT_FALSE(parse_insert_one(""));
}

TEST(InsertOneArgs, AreUnwrappedWhenTheyAreOnlyAWrapper) {
  Buffer wrapped;
  Writer(wrapped).map(1).string("doc").raw(doc("x"));
  EXPECT_EQ(*parse_insert_one(wrapped), doc("x"));
  Buffer beside;
  Writer(beside).map(2).string("doc").raw(doc("x")).string("_id").string("y");
  EXPECT_EQ(*parse_insert_one(beside), beside) << "with an _id beside it, doc is a field like any other";
  Buffer scalar;
  Writer(scalar).map(1).string("doc").uint(3);
  EXPECT_EQ(*parse_insert_one(scalar), scalar);
}

TEST(InsertManyArgs, GiveTheDocumentsInOrder) {
  Many m = three();
  std::vector<std::string> all = {doc("a"), doc("bb"), doc("ccc")};
  EXPECT_EQ(documents(m), all);
  m.offsets.pop_back();
  EXPECT_EQ(documents(m), all) << "the first clients left out the last offset";
  m.ids = {"", "bb", ""};
  EXPECT_EQ(documents(m), all) << "empty ids name nothing";
  m = three();
  m.with_ids = false;
  EXPECT_EQ(documents(m), all);
}

TEST(InsertManyArgs, MayHoldNothing) {
  Many none;
  EXPECT_EQ(documents(none), std::vector<std::string>());
  none.offsets = {0};
  EXPECT_EQ(documents(none), std::vector<std::string>());
}

TEST(InsertManyArgs, RefuseOffsetsThatDoNotFit) {
  auto with = [](auto change) {
    Many m = three();
    change(m);
    return refused(m);
  };
  EXPECT_TRUE(with([](Many& m) { m.offsets[0] = 1; }));
  EXPECT_TRUE(with([](Many& m) { std::swap(m.offsets[1], m.offsets[2]); }));
  EXPECT_TRUE(with([](Many& m) { m.offsets[3] += 1; }));
  EXPECT_TRUE(with([](Many& m) { m.offsets[3] -= 1; }));
  EXPECT_TRUE(with([](Many& m) { m.offsets[1] += 1; }));
  EXPECT_TRUE(with([](Many& m) { m.offsets[1] = m.offsets[2]; })) << "two documents in one slice, none in the other";
  EXPECT_TRUE(with([](Many& m) { m.offsets[3] = UINT64_MAX; }));
  EXPECT_TRUE(with([](Many& m) { m.offsets.push_back(m.offsets.back()); }));
  EXPECT_TRUE(with([](Many& m) { m.ids.pop_back(); }));
  EXPECT_TRUE(with([](Many& m) { m.ids[1] = "other"; }));
  EXPECT_TRUE(with([](Many& m) { m.blob[0] = '\xc0'; }));
  EXPECT_TRUE(with([](Many& m) { m.offsets.clear(); }));
  Many no_documents;
  no_documents.blob = "x";
  EXPECT_TRUE(refused(no_documents));
}

TEST(QueryArgs, TakeNilAndAbsenceForTheEmptyQuery) {
  EXPECT_EQ(parse_query("")->query, kEmptyMap);
  EXPECT_EQ(parse_query("\x81\xa5query\xc0")->query, kEmptyMap);
  auto q = parse_query("\x82\xa5limit\x07\xa5query\x81\xa1" "a\x01");
  ASSERT_TRUE(q);
  EXPECT_EQ(q->limit, 7u);
  EXPECT_EQ(q->query, Bytes("\x81\xa1" "a\x01"));
  EXPECT_FALSE(parse_query("\x81\xa5query\x01"));
  EXPECT_FALSE(parse_query("\x81\xa5limit\xff"));
  EXPECT_FALSE(parse_query("\x01"));
}

TEST(OtherArgs, AreReadAndRefusedByShape) {
  EXPECT_EQ(parse_find_by_id("\x81\xa2id\x05")->id, "\x05");
  EXPECT_FALSE(parse_find_by_id("\x80"));
  EXPECT_EQ(*parse_name("\x81\xa4name\xa1x"), "x");
  EXPECT_FALSE(parse_name("\x81\xa4name\xa0"));
  EXPECT_EQ(parse_hello("\x81\xa8protocol\x01")->protocol, 1u);
  auto e = parse_export("\x82\xa6" "cursor\xc4\x02xy\xa5" "bytes\x05");
  EXPECT_EQ(e->cursor, "xy");
  EXPECT_EQ(e->bytes, 5u);
}

TEST(OtherArgs, ThatComeTwiceAreRefused) {
  auto twice = parse_modify("\x82\xa6" "filter\x81\xa3_id\x01\xa6" "filter\x80");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, Code::kBadRequest);
  EXPECT_TRUE(twice.error().message.contains("\"filter\" twice")) << twice.error().message;
  EXPECT_FALSE(parse_query("\x82\xa5" "limit\xc0\xa5" "limit\x01")) << "nil, too";
  auto nils = [](uint32_t count) {
    Buffer out;
    Writer w(out);
    w.map(count);
    for (uint32_t i = 0; i < count; ++i) w.string(std::to_string(i)).nil();
    return out;
  };
  EXPECT_TRUE(parse_nothing(nils(32)));
  EXPECT_FALSE(parse_nothing(nils(33))) << "they are compared one by one";
}

/// The sentence of a refusal that names the argument; otherwise what else happened.
std::string refused(const Result<>& parsed) {
  if (parsed) return "taken";
  return parsed.error().code == Code::kUnsupported ? parsed.error().message : "another error: " + parsed.error().message;
}

TEST(OtherArgs, OfUnknownNamesAreRefusedByName) {
  Bytes limt = "\x81\xa4limt\x01";
  auto of = [](auto parsed) { return parsed ? Result<>() : Result<>(fail(parsed)); };
  for (const Result<>& parsed :
       {of(parse_query(limt)), of(parse_stream(limt)), of(parse_find_many_stream(limt)), of(parse_find_by_id(limt)), of(parse_insert_many(limt)),
        of(parse_name(limt)), of(parse_batch(limt)), of(parse_tx_batch(limt)), of(parse_tx_insert(limt)), of(parse_tx_id(limt, Others::kRefused)),
        of(parse_user(limt)), of(parse_export(limt)), of(parse_begin(limt)), of(parse_session(limt)), of(parse_index(limt)), parse_nothing(limt)})
    EXPECT_TRUE(refused(parsed).ends_with(" takes no \"limt\"")) << refused(parsed);
  EXPECT_TRUE(parse_hello(limt)) << "a later client may say more of itself";
  for (Bytes nothing : {Bytes(), Bytes("\xc0"), Bytes("\x80"), Bytes("\x81\xa4limt\xc0")}) EXPECT_TRUE(parse_nothing(nothing));
  EXPECT_FALSE(parse_nothing("\x01"));
  EXPECT_EQ(*parse_tx_id("\x82\xa5tx_id\xa1x\xa5query\x80", Others::kLeft), "x");
}

TEST(ModifyArgs, AreReadAndRefusedByShape) {
  EXPECT_EQ(parse_modify("\x82\xa6" "filter\x80\xa6update\x81\xa4$set\x80")->update, Bytes("\x81\xa4$set\x80"));
  EXPECT_TRUE(parse_modify("\x81\xa6" "filter\x80")->update.empty());
  EXPECT_FALSE(parse_modify("\x82\xa6" "filter\x80\xa6update\x01"));
  EXPECT_FALSE(parse_modify("\x81\xa6" "update\x80")) << "no filter";
  EXPECT_EQ(parse_modify("\x82\xa6" "update\x80\xa5" "tx_id\xa1x")->filter, kEmptyMap);
  EXPECT_TRUE(parse_modify("\x82\xa6" "filter\x80\xa6upsert\xc3")->upsert);
  EXPECT_FALSE(parse_modify("\x82\xa6" "filter\x80\xa6upsert\x01"));
  EXPECT_EQ(parse_modify("\x82\xa6" "filter\x80\xa6return\xa5" "after")->returns, "after");
  EXPECT_EQ(parse_modify("\x81\xa6" "filter\x81\xa1" "a\x01")->filter, Bytes("\x81\xa1" "a\x01"));
  EXPECT_EQ(parse_modify("\x82\xa6" "filter\x80\xad" "array_filters\x91\x80")->array_filters, Bytes("\x91\x80"));
  EXPECT_EQ(parse_modify("\x82\xa6" "filter\x80\xad" "array_filters\xc0")->array_filters, Bytes());
  EXPECT_FALSE(parse_modify("\x82\xa6" "filter\x80\xad" "array_filters\x80"));
}

TEST(ModifyArgs, WithoutAFilterChangeNothing) {
  EXPECT_EQ(parse_modify("\x81\xa6" "filter\xc0")->filter, kEmptyMap) << "a map without fields, in Go";
  for (Bytes args : {Bytes("\x80"), Bytes("\xc0"), Bytes(), Bytes("\x81\xa6update\x80"), Bytes("\x81\xa6remove\xc3")}) {
    auto refused = parse_modify(args);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kBadRequest);
    EXPECT_TRUE(refused.error().message.contains("filter")) << refused.error().message;
  }
}

TEST(ModifyArgs, OfAnotherNameAreRefusedByName) {
  for (Bytes args : {Bytes("\x81\xa5query\x80"), Bytes("\x82\xa6" "filter\x80\xa5query\x81\xa1" "a\x01")}) {
    auto refused = parse_modify(args);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kUnsupported);
    EXPECT_TRUE(refused.error().message.contains("\"query\"")) << refused.error().message;
  }
  EXPECT_TRUE(parse_modify("\x82\xa6" "filter\x80\xa5query\xc0")) << "nil counts as absent";
  EXPECT_FALSE(parse_modify(Bytes("\x82\xa6" "filter\x80\xa1\xff\x01")));
}

TEST(StreamArgs, AreAQueryAndTheSizeOfAPage) {
  Buffer b;
  Writer(b).map(6).string("query").map(0).string("limit").uint(9).string("skip").uint(2).string("page").uint(3).string("bytes").uint(4).string("cursor").binary("t");
  auto s = parse_stream(b);
  ASSERT_TRUE(s);
  EXPECT_EQ(s->query.limit, 9u);
  EXPECT_EQ(s->query.skip, 2u);
  EXPECT_EQ(s->query.cursor, "t");
  EXPECT_EQ(s->page, 3u);
  EXPECT_EQ(s->bytes, 4u);
  EXPECT_FALSE(parse_find_many_stream(b)) << "page";
  Buffer c;
  Writer(c).map(3).string("query").map(0).string("limit").uint(9).string("cursor").binary("t");
  auto many = parse_find_many_stream(c);
  ASSERT_TRUE(many);
  EXPECT_EQ(many->page, 9u) << "its limit is the page's";
  EXPECT_FALSE(many->query.limit);
  EXPECT_EQ(many->bytes, 0u);
  EXPECT_FALSE(parse_stream("\x81\xa4page\xa1x"));
  EXPECT_FALSE(parse_find_many_stream("\x81\xa5limit\xff"));
}

TEST(BatchArgs, GiveTheRequestsRaw) {
  Buffer b;
  Writer(b).map(1).string("requests").array(2).map(0).map(1).string("id").uint(4);
  auto batch = parse_batch(b);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->count(), 2u);
  Bytes request;
  ASSERT_TRUE(batch->next(request));
  EXPECT_EQ(request, "\x80");
  ASSERT_TRUE(batch->next(request));
  EXPECT_EQ(request, Bytes("\x81\xa2id\x04"));
  EXPECT_FALSE(batch->next(request));
  EXPECT_FALSE(parse_batch("\x80"));
}

TEST(AllArgs, SurviveRandomBytes) {
  Rng rng(3, "args");
  Buffer valid = three().encode();
  for (int i = 0; i < 20'000; ++i) {
    Buffer b = valid;
    for (uint64_t k = rng.between(1, 3); k > 0; --k) b[rng.below(b.size())] = static_cast<char>(rng.next());
    b.resize(rng.between(0, b.size()));
    if (auto m = parse_insert_many(b)) {
      Bytes document;
      size_t total = 0;
      while (m->next(document)) total += document.size();
      EXPECT_EQ(total, m->size());
    }
    (void)parse_insert_one(b);
    (void)parse_query(b);
    (void)parse_modify(b);
    (void)parse_batch(b);
    (void)parse_export(b);
    (void)parse_stream(b);
    (void)parse_find_many_stream(b);
  }
}

}  // namespace
}  // namespace holdfast::wire
