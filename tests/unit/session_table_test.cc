// Sessions: what effects make of them, and what becomes of a request that comes with a number.
#include "core/session_table.h"

#include <gtest/gtest.h>

#include "core/outcome.h"
#include "tests/support/test_executor.h"

namespace holdfast::core {
namespace {

constexpr uint16_t kShards = 4;

class Table {
 public:
  explicit Table(SessionLimits limits = {}) : table(limits, kShards) {}
  void open(uint64_t id, int64_t now = 0) {
    Buffer body;
    apply(open_effect(id, WallTime{now}, kShards, body));
  }
  void outcome(Numbered request, Bytes result, int64_t now = 0) {
    Buffer body;
    apply(outcome_effect(request, result, WallTime{now}, kShards, body));
  }
  void close(uint64_t id) {
    Buffer body;
    apply(close_effect(id, kShards, body));
  }
  void apply(const Effect& effect) {
    EXPECT_EQ(effect.kind, EffectKind::kSession);
    Result<> done = table.apply(++lsn, effect.body);
    EXPECT_TRUE(done) << done.error().message;
  }
  /// "execute", the result and its LSN, or the code of the error.
  std::string begin(Numbered request) {
    std::optional<Result<std::optional<SessionOutcome>>> said;
    loop.spawn([](Table& t, Numbered r, auto& out) -> io::Task<void> { out = co_await t.table.begin(r); }(*this, request, said));
    loop.run();
    return said ? text(*said) : "waits";
  }
  static std::string text(const Result<std::optional<SessionOutcome>>& said) {
    if (!said) return std::string(info(said.error().code).name);
    if (!*said) return "execute";
    return (*said)->result + " at " + std::to_string((*said)->lsn.value);
  }

  test::TestExecutor loop;
  SessionTable table;
  Lsn lsn;
};

TEST(Sessions, ANumberBelongsToWhatWasAskedForWithIt) {
  Table t;
  t.open(9);
  t.outcome({.session = 9, .number = 1, .asked = 5}, "one");
  t.outcome({.session = 9, .number = 2}, "two");
  EXPECT_EQ(t.begin({.session = 9, .number = 1, .attempt = 2, .asked = 5}), "one at 2");
  EXPECT_EQ(t.begin({.session = 9, .number = 1, .attempt = 3, .asked = 6}), "bad_request");
  EXPECT_EQ(t.begin({.session = 9, .number = 1, .attempt = 4, .asked = 5}), "one at 2") << "a mistake leaves everything as it was";
  EXPECT_EQ(t.begin({.session = 9, .number = 1}), "one at 2") << "who only wants to know need not say";
  EXPECT_EQ(t.begin({.session = 9, .number = 2, .attempt = 2, .asked = 6}), "two at 3") << "of an outcome from before it was known";
}

TEST(Sessions, ARequestIsExecutedOnceAndItsOutcomeKeptUntilItWasAnswered) {
  Table t;
  EXPECT_EQ(t.begin({.session = 9, .number = 1}), "session_unknown");
  t.open(9);
  EXPECT_EQ(t.begin({.session = 9, .number = 0}), "bad_request");
  EXPECT_EQ(t.begin({.session = 9, .number = 1}), "execute");
  t.outcome({.session = 9, .number = 1}, "one");
  t.table.end({.session = 9, .number = 1});
  EXPECT_EQ(t.begin({.session = 9, .number = 1, .attempt = 2}), "one at 2");
  EXPECT_EQ(t.begin({.session = 9, .number = 3}), "execute") << "numbers may come in any order";
  t.outcome({.session = 9, .number = 3, .answered = 1}, "three");
  EXPECT_EQ(t.begin({.session = 9, .number = 1}), "unknown_outcome") << "the client has said that it has the answer";
  EXPECT_EQ(t.begin({.session = 9, .number = 2}), "execute");
  EXPECT_EQ(t.begin({.session = 9, .number = 3}), "three at 3");
  t.close(9);
  EXPECT_EQ(t.begin({.session = 9, .number = 4}), "session_unknown");
  EXPECT_EQ(t.table.size(), 0u);
}

TEST(Sessions, WhatChangedNothingMayBeExecutedAgain) {
  Table t;
  t.open(9);
  EXPECT_EQ(t.begin({.session = 9, .number = 1}), "execute");
  t.table.end({.session = 9, .number = 1});
  EXPECT_EQ(t.begin({.session = 9, .number = 1, .attempt = 2}), "execute");
}

TEST(Sessions, AnAttemptThatWasOvertakenIsNotExecuted) {
  Table t;
  t.open(9);
  EXPECT_EQ(t.begin({.session = 9, .number = 5, .attempt = 3}), "execute");
  t.table.end({.session = 9, .number = 5});
  EXPECT_EQ(t.begin({.session = 9, .number = 5, .attempt = 2}), "unknown_outcome");
  EXPECT_EQ(t.begin({.session = 9, .number = 5}), "unknown_outcome");
  EXPECT_EQ(t.begin({.session = 9, .number = 5, .attempt = 4}), "execute");
  t.table.end({.session = 9, .number = 5});
  EXPECT_EQ(t.begin({.session = 9, .number = 7, .answered = 6}), "execute");
  EXPECT_EQ(t.begin({.session = 9, .number = 6, .attempt = 9}), "unknown_outcome") << "its client had an answer";
}

TEST(Sessions, TheSecondAttemptWaitsForTheFirst) {
  Table t;
  t.open(9);
  EXPECT_EQ(t.begin({.session = 9, .number = 1}), "execute");
  std::vector<std::string> said;
  for (uint64_t attempt : {2, 3})
    t.loop.spawn([](Table& t, uint64_t attempt, auto& said) -> io::Task<void> {
      said.push_back(Table::text(co_await t.table.begin({.session = 9, .number = 1, .attempt = attempt})));
    }(t, attempt, said));
  t.loop.spawn([](Table& t, auto& said) -> io::Task<void> { said.push_back(Table::text(co_await t.table.ask({.session = 9, .number = 1}))); }(t, said));
  t.loop.run();
  EXPECT_TRUE(said.empty());
  t.outcome({.session = 9, .number = 1}, "done");
  t.table.end({.session = 9, .number = 1});
  t.loop.run();
  EXPECT_EQ(said, (std::vector<std::string>{"done at 2", "done at 2", "done at 2"}));
}

TEST(Sessions, AskingExecutesNothing) {
  Table t;
  t.open(9);
  auto asked = [&](uint64_t number) {
    std::string said;
    t.loop.spawn([](Table& t, uint64_t n, std::string& out) -> io::Task<void> { out = Table::text(co_await t.table.ask({.session = 9, .number = n})); }(t, number, said));
    t.loop.run();
    return said;
  };
  EXPECT_EQ(asked(1), "execute");
  EXPECT_EQ(asked(1), "execute") << "it was not begun";
  t.outcome({.session = 9, .number = 2, .answered = 1}, "two");
  EXPECT_EQ(asked(1), "unknown_outcome");
  EXPECT_EQ(asked(2), "two at 2");
}

TEST(Sessions, LargeResultsAndTooManyOfThemAreForgotten) {
  Table t;
  t.open(9);
  t.outcome({.session = 9, .number = 1}, std::string(kMaxOutcomeBytes + 1, 'x'));
  ASSERT_TRUE(t.table.find(9)->outcomes.contains(1));
  EXPECT_FALSE(t.table.find(9)->outcomes.at(1).kept);
  EXPECT_EQ(decode_outcome<Modified>(t.table.find(9)->outcomes.at(1)).error().code, Code::kUnknownOutcome);
  for (uint64_t n = 2; n <= 2000; ++n) t.outcome({.session = 9, .number = n}, "");
  EXPECT_EQ(t.table.find(9)->outcomes.size(), kMaxSessionBytes / kOutcomeOverhead);
  EXPECT_EQ(t.begin({.session = 9, .number = 1}), "unknown_outcome");
  EXPECT_EQ(t.begin({.session = 9, .number = 2000}), " at 2001");
}

TEST(Sessions, ThoseThatWereUsedLongestAgoMakeWay) {
  Table t({.sessions_per_shard = 3, .bytes_per_shard = 1000});
  for (uint64_t id : {4, 8, 12}) t.open(id, static_cast<int64_t>(id));
  t.open(5, 1);  // of another shard
  t.outcome({.session = 4, .number = 1}, "x", 20);
  t.open(16, 21);
  EXPECT_EQ(t.table.find(8), nullptr);
  EXPECT_NE(t.table.find(4), nullptr);
  EXPECT_NE(t.table.find(5), nullptr);
  t.outcome({.session = 16, .number = 1}, std::string(900, 'x'), 22);
  EXPECT_EQ(t.begin({.session = 4, .number = 1}), "unknown_outcome") << "its outcome made way for the bytes of another";
  EXPECT_EQ(t.begin({.session = 4, .number = 2}), "execute");
  EXPECT_EQ(t.table.unused_since(WallTime{21}, 10), (std::vector<uint64_t>{12, 4, 5}));
  EXPECT_EQ(t.table.unused_since(WallTime{21}, 1).size(), 1u);
}

TEST(Sessions, OfAttemptsOnlyTheNewestAreRememberedOverAllSessions) {
  Table t({.attempts = 3});
  for (uint64_t id : {9, 13}) t.open(id);
  auto ask = [&](uint64_t session, uint64_t number, uint64_t attempt) {
    Numbered request{.session = session, .number = number, .attempt = attempt};
    std::string said = t.begin(request);
    if (said == "execute") t.table.end(request);
    return said;
  };
  for (uint64_t attempt : {2, 3, 4, 5}) EXPECT_EQ(ask(9, 1, attempt), "execute") << "a request counts once";
  EXPECT_EQ(ask(9, 2, 2), "execute");
  EXPECT_EQ(ask(13, 1, 2), "execute");
  EXPECT_EQ(ask(9, 1, 6), "execute") << "nothing is forgotten yet";
  EXPECT_EQ(ask(13, 2, 2), "execute");
  EXPECT_EQ(ask(9, 1, 7), "unknown_outcome") << "which attempts have come is forgotten, so none is taken any more";
  EXPECT_EQ(ask(9, 2, 1), "unknown_outcome");
  EXPECT_EQ(ask(9, 2, 3), "execute");
  EXPECT_EQ(ask(13, 1, 3), "execute");
}

TEST(Sessions, OfADamagedOneOnlyWhatIsKnownIsAnswered) {
  Table t;
  t.open(9);
  t.outcome({.session = 9, .number = 1}, "one");
  t.table.damage(9);
  EXPECT_EQ(t.begin({.session = 9, .number = 1}), "one at 2");
  EXPECT_EQ(t.begin({.session = 9, .number = 2}), "unknown_outcome");
}

TEST(Sessions, StandInACheckpointAsTheyAre) {
  Table t;
  t.open(9, 3);
  t.open(5, 4);
  t.outcome({.session = 9, .number = 4, .answered = 2}, "four", 7);
  Table back;
  for (SessionState& s : t.table.list()) back.table.adopt(std::move(s));
  EXPECT_EQ(back.table.list(), t.table.list());
  EXPECT_EQ(back.begin({.session = 9, .number = 4, .answered = 2}), "four at 3");
  EXPECT_EQ(back.begin({.session = 9, .number = 2}), "unknown_outcome");
}

TEST(Sessions, MalformedEffectsAreCorrupt) {
  Table t;
  t.open(9);
  Buffer body;
  Effect good = outcome_effect({.session = 9, .number = 1}, "x", {}, kShards, body);
  for (size_t n = 0; n + 1 < good.body.size(); ++n) EXPECT_FALSE(t.table.apply(Lsn(9), good.body.substr(0, n))) << n;
  EXPECT_TRUE(t.table.apply(Lsn(9), good.body));
  EXPECT_FALSE(t.table.apply(Lsn(10), good.body)) << "an outcome is told once";
  body[0] = 9;
  EXPECT_FALSE(t.table.apply(Lsn(11), good.body));
}

TEST(Outcomes, ComeBack) {
  auto kept = [](Buffer result) { return SessionOutcome{.lsn = Lsn(7), .result = std::move(result)}; };
  std::vector<Buffer> ids = {"\xa1x", "\x05"};
  EXPECT_EQ(*decode_outcome<std::vector<Buffer>>(kept(encode_outcome(ids))), ids);
  EXPECT_EQ(*decode_outcome<Buffer>(kept(encode_outcome(ids[0]))), ids[0]);
  EXPECT_EQ(*decode_outcome<bool>(kept(encode_outcome(true))), true);
  EXPECT_EQ(*decode_outcome<Lsn>(kept(encode_outcome(Lsn()))), Lsn(7));
  Modified m{.matched = 3, .modified = 2, .upserted = Buffer("\xa1u"), .document = std::nullopt};
  auto back = decode_outcome<Modified>(kept(encode_outcome(m)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->matched, 3u);
  EXPECT_EQ(back->modified, 2u);
  EXPECT_EQ(back->upserted, m.upserted);
  EXPECT_EQ(back->document, std::nullopt);
  EXPECT_FALSE(decode_outcome<Modified>(kept("\x91\x01")));
  EXPECT_FALSE(decode_outcome<Buffer>(kept("")));
}

}  // namespace
}  // namespace holdfast::core
