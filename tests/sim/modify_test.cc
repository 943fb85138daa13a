// The engine on three cores: updates, deletes and upserts of one document and of many, alone and against each other.
#include <fmt/core.h>

#include "tests/sim/engine_fixture.h"

namespace holdfast::test {
namespace {

using ModifyTest = EngineTest;

TEST_F(ModifyTest, UpdateManyChangesAllThatMatchAndCountsThoseThatAreNew) {
  run([](EngineTest& t) -> io::Task<void> {
    for (const char* d : {R"({"_id":1,"g":1,"n":5})", R"({"_id":2,"g":1,"n":7})", R"({"_id":3,"g":2,"n":5})"}) co_await t.insert(d);
    EXPECT_EQ(co_await t.many(update(R"({"g":1})", R"({"$set":{"n":7}})")), "2 1");
    EXPECT_EQ(co_await t.all(), R"({"_id":1,"g":1,"n":7} {"_id":2,"g":1,"n":7} {"_id":3,"g":2,"n":5})");
    EXPECT_EQ(co_await t.many(update(R"({"g":9})", R"({"$set":{"n":7}})")), "0 0");
    EXPECT_EQ(co_await t.many(update(R"({"_id":3})", R"({"$inc":{"n":1}})")), "1 1");
    EXPECT_EQ(co_await t.all(R"({"g":2})"), R"({"_id":3,"g":2,"n":6})");
  });
}

TEST_F(ModifyTest, UpdateManyThatFailsForOneDocumentChangesNone) {
  run([](EngineTest& t) -> io::Task<void> {
    for (int i = 0; i < 20; ++i) co_await t.insert(fmt::format(R"({{"_id":"k{}","n":{}}})", i, i == 13 ? "\"text\"" : "1"));
    std::string before = co_await t.all();
    std::string said = co_await t.many(update("{}", R"({"$inc":{"n":1}})"));
    EXPECT_TRUE(said.starts_with("bad_request") && said.contains("\"k13\"") && said.contains("nothing was changed")) << said;
    EXPECT_EQ(co_await t.all(), before);
    EXPECT_EQ(co_await t.many(update(R"({"_id":{"$ne":"k13"}})", R"({"$inc":{"n":1}})")), "19 19") << "no document stayed locked";
  });
}

TEST_F(ModifyTest, ChangesThatPassTheSizeOfAnEntryAreRefusedWhole) {
  run([](EngineTest& t) -> io::Task<void> {
    std::string filling(8 << 20, 'x');
    for (int i = 0; i < 9; ++i) co_await t.insert(fmt::format(R"({{"_id":{},"t":"{}"}})", i, filling));
    std::string said = co_await t.many(update("{}", R"({"$set":{"n":1}})"));
    EXPECT_TRUE(said.starts_with("too_large")) << said;
    EXPECT_EQ(co_await t.all(R"({"n":1})"), "");
    EXPECT_EQ(co_await t.many(removal("{}")), "9 9");
  });
}

TEST_F(ModifyTest, DeleteManyRemovesAllThatMatch) {
  run([](EngineTest& t) -> io::Task<void> {
    EXPECT_EQ(co_await t.many(removal("{}")), "0 0") << "there is no collection yet";
    for (int i = 0; i < 30; ++i) co_await t.insert(fmt::format(R"({{"_id":{},"even":{}}})", i, i % 2 == 0));
    EXPECT_EQ(co_await t.many(removal(R"({"even":true})")), "15 15");
    EXPECT_EQ(co_await t.all(R"({"even":true})"), "");
    auto left = co_await t.engine->count(kName, *Query::compile("\x80"));
    EXPECT_EQ(*left.result, 15u);
    EXPECT_EQ(co_await t.many(removal(R"({"_id":1})")), "1 1");
  });
}

TEST_F(ModifyTest, UpsertsInsertWhatTheQueryAsksForByEqualityAndTheUpdate) {
  run([](EngineTest& t) -> io::Task<void> {
    EXPECT_EQ(co_await t.one(upsert(R"({"_id":"a","b.c":1,"d":{"$eq":2},"$and":[{"e":3}],"f":{"$gt":4}})", R"({"$set":{"g":5},"$setOnInsert":{"h":6}})")),
              R"(0 0 new "a")");
    EXPECT_EQ(co_await t.all(), R"({"_id":"a","b":{"c":1},"d":2,"e":3,"g":5,"h":6})");
    EXPECT_EQ(co_await t.one(upsert(R"({"_id":"a"})", R"({"$set":{"g":7},"$setOnInsert":{"h":8}})")), "1 1");
    EXPECT_EQ(co_await t.all(), R"({"_id":"a","b":{"c":1},"d":2,"e":3,"g":7,"h":6})");
    EXPECT_EQ(co_await t.one(upsert(R"({"x":1})", R"({"$setOnInsert":{"_id":"b"},"$inc":{"n":2}})")), R"(0 0 new "b")");
    EXPECT_EQ(co_await t.all(R"({"x":1})"), R"({"x":1,"_id":"b","n":2})");
    EXPECT_EQ(co_await t.one(upsert(R"({"_id":"c"})", R"({"whole":true})")), R"(0 0 new "c")");
    EXPECT_EQ(co_await t.all(R"({"_id":"c"})"), R"({"_id":"c","whole":true})");
    EXPECT_EQ(co_await t.many(upsert(R"({"x":1})", R"({"$inc":{"n":1}})")), "1 1");
    EXPECT_EQ(co_await t.many(upsert(R"({"x":2})", R"({"$setOnInsert":{"_id":"d"}})")), R"(0 0 new "d")");
  });
}

TEST_F(ModifyTest, UpsertsByIdInsertTheOneOfEqualityWhateverElseIsCompared) {
  run([](EngineTest& t) -> io::Task<void> {
    EXPECT_EQ(co_await t.one(upsert(R"({"_id":{"$eq":1,"$ne":2}})", R"({"$set":{"n":1}})")), "0 0 new 1");
    EXPECT_EQ(co_await t.many(upsert(R"({"_id":{"$not":{"$eq":3},"$eq":4}})", R"({"$set":{"n":1}})")), "0 0 new 4");
    EXPECT_EQ(co_await t.one(update(R"({"_id":{"$eq":1,"$ne":4}})", R"({"$set":{"n":2}})")), "1 1");
    EXPECT_EQ(co_await t.all(), R"({"_id":1,"n":2} {"_id":4,"n":1})");
  });
}

TEST_F(ModifyTest, UpsertsThatCannotMakeADocumentSayWhy) {
  run([](EngineTest& t) -> io::Task<void> {
    co_await t.insert(R"({"_id":"a","n":1})");
    std::string taken = co_await t.one(upsert(R"({"_id":"a","n":2})", R"({"$set":{"m":1}})"));
    EXPECT_TRUE(taken.starts_with("duplicate_key: E11000")) << taken;
    std::string taken_new = co_await t.one(upsert(R"({"n":2})", R"({"$setOnInsert":{"_id":"a"}})"));
    EXPECT_TRUE(taken_new.starts_with("duplicate_key: E11000")) << taken_new;
    std::string twice = co_await t.one(upsert(R"({"b":1,"b.c":2})", R"({"$set":{"m":1}})"));
    EXPECT_TRUE(twice.starts_with("bad_request") && twice.contains("equalities")) << twice;
    std::string moved = co_await t.one(upsert(R"({"_id":"z"})", R"({"$set":{"_id":"y"}})"));
    EXPECT_TRUE(moved.starts_with("bad_request")) << moved;
    EXPECT_EQ(co_await t.all(), R"({"_id":"a","n":1})");
  });
}

TEST_F(ModifyTest, UpsertsOfTheSameQueryAtOnceInsertOneDocument) {
  run([](EngineTest& t) -> io::Task<void> {
    for (int i = 0; i < 20; ++i)
      co_await t.begin([&t, i]() -> io::Task<void> {
        // The order of fields says nothing.
        Modification m = upsert(i % 2 ? R"({"user":"u","day":7})" : R"({"day":7,"user":"u"})", R"({"$inc":{"n":1}})");
        if (i % 3 == 0)
          EXPECT_FALSE((co_await t.many(std::move(m))).contains("error"));
        else
          EXPECT_FALSE((co_await t.one(std::move(m))).contains("error"));
      });
    for (int i = 0; i < 20; ++i)
      co_await t.begin([&t]() -> io::Task<void> { co_await t.one(upsert(R"({"_id":"u"})", R"({"$inc":{"n":1}})")); });
    co_await t.settle();
    auto count = co_await t.engine->count(kName, *Query::compile("\x80"));
    EXPECT_EQ(*count.result, 2u);
    EXPECT_TRUE((co_await t.all(R"({"user":"u"})")).contains(R"("n":20)"));
    EXPECT_TRUE((co_await t.all(R"({"_id":"u"})")).contains(R"("n":20)"));
  });
}

// Each document is in one of two groups. Updates of a whole group race with those of single documents, which also move them.
TEST_F(ModifyTest, UpdatesOfManyAndOfOneLoseNothingOfEachOther) {
  run([](EngineTest& t) -> io::Task<void> {
    for (int i = 0; i < 12; ++i) co_await t.insert(fmt::format(R"({{"_id":{},"g":{},"n":0}})", i, i % 2));
    uint64_t modified = 0;
    for (int i = 0; i < 60; ++i)
      co_await t.begin([&t, &modified, i]() -> io::Task<void> {
        if (i % 3 == 0) {
          auto done = co_await t.engine->modify_many(kName, update(fmt::format(R"({{"g":{}}})", i % 2), R"({"$inc":{"n":1},"$bit":{"g":{"xor":1}}})"));
          EXPECT_TRUE(done.result) << done.result.error().text();
          modified += done.result->modified;
        } else {
          auto done = co_await t.engine->modify_one(kName, update(fmt::format(R"({{"_id":{}}})", i % 12), R"({"$inc":{"n":1},"$bit":{"g":{"xor":1}}})"));
          modified += done.result->modified;
        }
      });
    co_await t.settle();
    uint64_t sum = 0;
    for (uint64_t n = 0; n <= 60; ++n) {
      auto with = co_await t.engine->count(kName, *Query::compile(pack(fmt::format(R"({{"n":{}}})", n))));
      sum += n * *with.result;
    }
    EXPECT_EQ(sum, modified);
    EXPECT_GT(modified, 40u);
  });
}

TEST_F(ModifyTest, FindAndModifyTakesTheFirstInOrderAndShowsItBeforeOrAfter) {
  run([](EngineTest& t) -> io::Task<void> {
    for (const char* d : {R"({"_id":1,"p":5})", R"({"_id":2,"p":9})", R"({"_id":3,"p":7})"}) co_await t.insert(d);
    auto with = [](Modification m, Modification::Returns returns) {
      m.of.sort = *Sort::compile(pack(R"({"p":-1})"));
      m.returns = returns;
      return m;
    };
    using enum Modification::Returns;
    EXPECT_EQ(co_await t.one(with(update("{}", R"({"$set":{"p":1}})"), kBefore)), R"(1 1 {"_id":2,"p":9})");
    EXPECT_EQ(co_await t.one(with(update("{}", R"({"$inc":{"p":1}})"), kAfter)), R"(1 1 {"_id":3,"p":8})");
    Modification some = with(removal("{}"), kBefore);
    some.of.projection = *Projection::compile(pack(R"({"p":1,"_id":0})"));
    EXPECT_EQ(co_await t.one(std::move(some)), R"(1 1 {"p":8})");
    EXPECT_EQ(co_await t.all(), R"({"_id":1,"p":5} {"_id":2,"p":1})");
    EXPECT_EQ(co_await t.one(with(upsert(R"({"_id":7})", R"({"$set":{"p":3}})"), kAfter)), R"(0 0 new 7 {"_id":7,"p":3})");
    EXPECT_EQ(co_await t.one(with(upsert(R"({"_id":8})", R"({"$set":{"p":3}})"), kBefore)), "0 0 new 8");
    EXPECT_EQ(co_await t.one(with(update(R"({"p":77})", R"({"$set":{"p":3}})"), kAfter)), "0 0");
  });
}

TEST_F(ModifyTest, ManyWhoTakeTheFirstOfAQueueGetDifferentOnes) {
  run([](EngineTest& t) -> io::Task<void> {
    for (int i = 0; i < 40; ++i) co_await t.insert(fmt::format(R"({{"_id":{},"at":{}}})", i, 100 - i));
    std::vector<std::string> taken;
    for (int i = 0; i < 20; ++i)
      co_await t.begin([&t, &taken]() -> io::Task<void> {
        Modification m = removal("{}");
        m.of.sort = *Sort::compile(pack(R"({"at":1})"));
        m.returns = Modification::Returns::kBefore;
        taken.push_back(co_await t.one(std::move(m)));
      });
    co_await t.settle();
    std::ranges::sort(taken);
    EXPECT_EQ(std::ranges::unique(taken).begin(), taken.end());
    auto left = co_await t.engine->count(kName, *Query::compile(pack(R"({"at":{"$gt":80}})")));
    EXPECT_EQ(*left.result, 20u) << "the first twenty are gone";
  });
}

// In a closed loop: whoever has taken one asks for the next at once.
TEST_F(ModifyTest, NobodyWhoTakesTheFirstOfAQueueIsLeftWithoutOne) {
  run([](EngineTest& t) -> io::Task<void> {
    for (int i = 0; i < 600; ++i) co_await t.insert(fmt::format(R"({{"_id":{},"at":{}}})", i, 1000 - i));
    int taken = 0, others = 0;
    for (int i = 0; i < 64; ++i)
      co_await t.begin([&t, &taken, &others, i]() -> io::Task<void> {
        for (;;) {
          Modification m = removal("{}");
          if (i % 2) m.of.sort = *Sort::compile(pack(R"({"at":1})"));
          std::string said = co_await t.one(std::move(m));
          if (said == "0 0") co_return;
          ++(said == "1 1" ? taken : others);
        }
      });
    co_await t.settle();
    EXPECT_EQ(taken, 600);
    EXPECT_EQ(others, 0) << "conflicts";
  });
}

// Whoever asks while a collection is dropped and made again gets an answer about one of the two.
TEST_F(ModifyTest, DropsWhileManyAreModifiedLeaveNothingLocked) {
  run([](EngineTest& t) -> io::Task<void> {
    for (int round = 0; round < 20; ++round) {
      for (int i = 0; i < 6; ++i) co_await t.insert(fmt::format(R"({{"_id":{},"n":0}})", i));
      for (int i = 0; i < 4; ++i)
        co_await t.begin([&t, i]() -> io::Task<void> {
          std::string said = co_await (i % 2 ? t.many(update("{}", R"({"$inc":{"n":1}})")) : t.many(upsert(R"({"x":1})", R"({"$inc":{"n":1}})")));
          EXPECT_FALSE(said.contains(":")) << said;
        });
      co_await t.begin([&t]() -> io::Task<void> {
        auto dropped = co_await t.engine->drop_collection(kName);
        EXPECT_TRUE(dropped.result);
      });
      co_await t.settle();
      co_await t.engine->drop_collection(kName);
    }
  });
}

}  // namespace
}  // namespace holdfast::test
