// The engine on three cores: requests that are executed once, however often they come, over restarts and beside each other.
#include <fmt/core.h>

#include "tests/sim/engine_fixture.h"

namespace holdfast::test {
namespace {

class NumberedTest : public EngineTest {
 public:
  static inline uint64_t session = 0;
  static Name at(uint64_t number, uint64_t attempt = 1, uint64_t answered = 0) {
    return {"db", "c", {}, {.session = session, .number = number, .answered = answered, .attempt = attempt}};
  }
  static io::Task<void> open(EngineTest& t) {
    auto opened = co_await t.engine->open_session();
    EXPECT_TRUE(opened.result);
    session = *opened.result;
  }
  static io::Task<std::string> asked(EngineTest& t, uint64_t number) {
    auto said = co_await t.engine->request_outcome({.session = session, .number = number});
    if (!said.result) co_return std::string(info(said.result.error().code).name);
    co_return *said.result ? fmt::format("at {}", (*said.result)->lsn.value) : "not executed";
  }
};

TEST_F(NumberedTest, AnotherRequestWithANumberThatIsTakenIsRefusedAlsoAfterARestart) {
  auto as = [](uint64_t asked) {
    Name name = at(1, 2);
    name.request.asked = asked;
    return name;
  };
  auto check = [as](EngineTest& t) -> io::Task<void> {
    EXPECT_EQ(co_await t.one(update(R"({"_id":1})", R"({"$inc":{"n":1}})"), as(5)), "1 1");
    std::string said = co_await t.one(removal(R"({"_id":1})"), as(6));
    EXPECT_TRUE(said.starts_with("bad_request") && said.contains("this one was not")) << said;
    EXPECT_EQ(co_await t.all("{}"), R"({"_id":1,"n":1})");
  };
  run_lives({[&](EngineTest& t) -> io::Task<void> {
               co_await open(t);
               co_await t.insert(R"({"_id":1,"n":0})");
               co_await check(t);
             },
             check});
}

TEST_F(NumberedTest, EachKindOfChangeIsMadeOnceAndAnsweredAlike) {
  auto ask_all = [](EngineTest& t, uint64_t attempt) -> io::Task<std::vector<std::string>> {
    std::vector<std::string> said;
    said.push_back(co_await t.insert_in(at(1, attempt), R"({"_id":1,"n":0})"));
    auto many = co_await t.engine->insert_many(at(2, attempt), {pack(R"({"_id":2,"n":0})"), pack(R"({"_id":3,"n":0})")}, Repeat::kNever);
    said.push_back(many.result ? fmt::format("{} at {}", many.result->size(), many.lsn.value) : many.result.error().text());
    said.push_back(co_await t.one(update(R"({"_id":1})", R"({"$inc":{"n":1}})"), at(3, attempt)));
    said.push_back(co_await t.many(update("{}", R"({"$inc":{"n":1}})"), at(4, attempt)));
    said.push_back(co_await t.one(upsert(R"({"k":1})", R"({"$inc":{"n":1}})"), at(5, attempt)));
    said.push_back(co_await t.one(removal(R"({"_id":2})"), at(6, attempt)));
    Modification pop = update(R"({"_id":3})", R"({"$inc":{"n":10}})");
    pop.returns = Modification::Returns::kAfter;
    said.push_back(co_await t.one(std::move(pop), at(7, attempt)));
    said.push_back(co_await t.many(upsert(R"({"k":2})", R"({"$inc":{"n":1}})"), at(8, attempt)));
    said.push_back(co_await t.many(removal(R"({"k":2})"), at(9, attempt)));
    said.push_back(co_await asked(t, 9));
    co_return said;
  };
  std::vector<std::string> first;
  std::string all;
  auto work = [&](EngineTest& t) -> io::Task<void> {
    co_await open(t);
    first = co_await ask_all(t, 1);
    EXPECT_EQ(first[3], "3 3");
    EXPECT_EQ(first[6], R"(1 1 {"_id":3,"n":11})");
    EXPECT_EQ(co_await ask_all(t, 2), first);
    all = co_await t.all("{}");
  };
  auto again = [&](EngineTest& t) -> io::Task<void> {
    EXPECT_EQ(co_await ask_all(t, 3), first) << "over a restart";
    EXPECT_EQ(co_await t.all("{}"), all);
    EXPECT_EQ(co_await asked(t, 10), "not executed");
    EXPECT_EQ(co_await t.one(update(R"({"_id":1})", R"({"$inc":{"n":1}})"), at(10, 1, 9)), "1 1");
    EXPECT_TRUE((co_await t.one(update(R"({"_id":1})", R"({"$inc":{"n":1}})"), at(4, 9))).starts_with("unknown_outcome"));
  };
  options.checkpoint_bytes = 1;  // so that sessions come from a MANIFEST, too
  run_lives({work, again, [&](EngineTest& t) -> io::Task<void> {
               EXPECT_TRUE((co_await t.one(update(R"({"_id":1})", R"({"$inc":{"n":1}})"), at(9, 9))).starts_with("unknown_outcome"));
               EXPECT_EQ(co_await t.one(update(R"({"_id":1})", R"({"$inc":{"n":1}})"), at(10, 9)), "1 1");
               EXPECT_TRUE((co_await t.all(R"({"_id":1})")).contains(R"("n":3)"));
             }});
}

TEST_F(NumberedTest, DropsAndCommitsToo) {
  run([](EngineTest& t) -> io::Task<void> {
    co_await open(t);
    co_await t.insert(R"({"_id":1})");
    EXPECT_TRUE(*(co_await t.engine->drop_collection(at(1))).result);
    co_await t.insert(R"({"_id":2})");
    EXPECT_TRUE(*(co_await t.engine->drop_collection(at(1, 2))).result);
    EXPECT_EQ(co_await t.all("{}"), R"({"_id":2})") << "what was made since the first time is not dropped";

    auto tx = co_await t.engine->begin_transaction({});
    EXPECT_EQ(co_await t.insert_in({"db", "c", *tx.result}, R"({"_id":3})"), "ok");
    auto first = co_await t.engine->commit_transaction(*tx.result, at(2).request);
    auto second = co_await t.engine->commit_transaction("any other id", at(2, 2).request);
    EXPECT_EQ(*first.result, *second.result);
    EXPECT_EQ(co_await asked(t, 2), fmt::format("at {}", first.result->value));
  });
}

TEST_F(NumberedTest, WhatFailsOrChangesNothingIsExecutedAgain) {
  run([](EngineTest& t) -> io::Task<void> {
    co_await open(t);
    co_await t.insert(R"({"_id":1})");
    EXPECT_TRUE((co_await t.insert_in(at(1), R"({"_id":1})")).starts_with("duplicate_key"));
    EXPECT_EQ(co_await t.one(removal(R"({"_id":2})"), at(2)), "0 0");
    EXPECT_EQ(co_await asked(t, 1), "not executed");
    EXPECT_EQ(co_await t.one(removal(R"({"_id":1})")), "1 1");
    EXPECT_EQ(co_await t.insert_in(at(1, 2), R"({"_id":1})"), "ok");
    EXPECT_TRUE((co_await t.one(removal(R"({"_id":1})"), at(2, 1, 1))).starts_with("0 0") == false);
  });
}

TEST_F(NumberedTest, OfManyAttemptsAtOnceOneIsExecuted) {
  run([](EngineTest& t) -> io::Task<void> {
    co_await open(t);
    co_await t.insert(R"({"_id":1,"n":0})");
    std::vector<std::string> said;
    for (int i = 0; i < 40; ++i)
      co_await t.begin([&t, &said, i]() -> io::Task<void> {
        said.push_back(co_await t.one(update(R"({"_id":1})", R"({"$inc":{"n":1}})"), at(1 + static_cast<uint64_t>(i) % 4, 1)));
      });
    co_await t.settle();
    EXPECT_EQ(co_await t.all("{}"), R"({"_id":1,"n":4})");
    for (const std::string& s : said) EXPECT_EQ(s, "1 1");
  });
}

TEST_F(NumberedTest, SessionsAreClosedByTheirClientsAndWhenNobodyUsesThem) {
  run([](EngineTest& t) -> io::Task<void> {
    co_await open(t);
    EXPECT_EQ(co_await t.insert_in(at(1), R"({"_id":1})"), "ok");
    EXPECT_TRUE(*(co_await t.engine->close_session(session)).result);
    EXPECT_FALSE(*(co_await t.engine->close_session(session)).result);
    EXPECT_TRUE((co_await t.insert_in(at(2), R"({"_id":2})")).starts_with("session_unknown"));
    co_await open(t);
    EXPECT_EQ(co_await asked(t, 1), "not executed");
    co_await io::sleep_for(kSessionLife + seconds(20));
    EXPECT_EQ(co_await asked(t, 1), "session_unknown");
  });
}

}  // namespace
}  // namespace holdfast::test
