// The judge of a whole run: planted wrong answers are named, correct runs pass, also thousands of random ones.
#include "chaos/oracle/ledger.h"

#include <gtest/gtest.h>

#include "tests/support/model_store.h"

namespace holdfast::chaos {
namespace {

using Kind = Operation::Kind;
using Effect = Ledger::Effect;

DocumentState present(uint64_t value, int64_t counter = 0) { return {true, value, counter}; }

class LedgerTest : public testing::Test {
 protected:
  void insert(const DocumentName& document, uint64_t value, uint64_t lsn, uint64_t durable = 0) {
    ledger.answer(ledger.invoke(document, {.kind = Kind::kInsert, .value = value}), {.done = true}, Effect::kOwnEntry, Lsn(lsn), Lsn(durable));
  }
  void read(const DocumentName& document, DocumentState state, uint64_t lsn) {
    ledger.answer(ledger.invoke(document, {}), {.state = state}, Effect::kNone, Lsn(lsn), Lsn());
  }
  void restart(Loss loss, uint64_t recovered) {
    ledger.ended(loss);
    ledger.restarted(Lsn(recovered));
  }
  /// The one violation found so far; empty when there is none, all of them when there are several.
  std::string violation() const {
    std::string all;
    for (const std::string& v : ledger.violations()) all += (all.empty() ? "" : "\n") + v;
    return all;
  }
  void be(Ledger fresh) { ledger = std::move(fresh); }

  Ledger ledger{{.sync = false}};
};

TEST_F(LedgerTest, AcceptsACorrectRun) {
  insert("c/a", 1, 1);
  insert("c/b", 2, 2, 1);
  restart(Loss::kNothing, 2);
  read("c/a", present(1), 2);
  insert("c/c", 3, 3, 2);
  restart(Loss::kUnsynced, 2);
  read("c/c", {}, 2);
  read("c/b", present(2), 2);
  EXPECT_EQ(violation(), "");
  EXPECT_EQ(ledger.answered(), 6u);
}

TEST_F(LedgerTest, ProcessDeathLosesNothingAcknowledgedInEitherMode) {
  for (bool sync : {true, false}) {
    be(Ledger({.sync = sync}));
    insert("c/a", 1, 7);
    restart(Loss::kNothing, 6);
    EXPECT_EQ(violation(), "LSN 7 was acknowledged, but the server came back with 6 only");
  }
}

TEST_F(LedgerTest, APowerCutLosesNothingAcknowledgedInSyncMode) {
  be(Ledger({.sync = true}));
  insert("c/a", 1, 7);
  restart(Loss::kUnsynced, 6);
  EXPECT_EQ(violation(), "LSN 7 was acknowledged, but the server came back with 6 only");
}

TEST_F(LedgerTest, NothingReportedDurableIsLostInAsyncMode) {
  insert("c/a", 1, 7, 5);
  restart(Loss::kUnsynced, 4);
  EXPECT_TRUE(violation().starts_with("LSN 5 was reported durable, but the server came back with 4 only")) << violation();
}

TEST_F(LedgerTest, WhatOnlyAReadRestedOnCountsToo) {
  read("c/a", {}, 9);
  restart(Loss::kNothing, 8);
  EXPECT_EQ(violation(), "LSN 9 was acknowledged, but the server came back with 8 only");
}

TEST_F(LedgerTest, AnAcknowledgedWriteThatIsGoneIsNamed) {
  insert("c/a", 1, 1);
  restart(Loss::kNothing, 1);
  read("c/a", {}, 1);
  EXPECT_EQ(violation(), "read of c/a (value 0) was answered absent at LSN 1, but the document was value 1 counter 0");
}

TEST_F(LedgerTest, WhatSurvivesAPowerCutIsAPrefixWithoutHoles) {
  insert("c/a", 1, 1);
  insert("c/b", 2, 2);
  insert("c/c", 3, 3);
  restart(Loss::kUnsynced, 2);
  read("c/a", present(1), 2);
  read("c/b", {}, 2);
  EXPECT_EQ(violation(), "read of c/b (value 0) was answered absent at LSN 2, but the document was value 2 counter 0");
}

TEST_F(LedgerTest, WhatIsAboveTheCutIsGone) {
  insert("c/a", 1, 1);
  insert("c/b", 2, 2);
  restart(Loss::kUnsynced, 1);
  read("c/b", present(2), 1);
  EXPECT_EQ(violation(), "read of c/b (value 0) was answered value 2 counter 0 at LSN 1, but the document was absent");
}

TEST_F(LedgerTest, TwoChangesNeverShareAnLsn) {
  insert("c/a", 1, 1);
  insert("c/b", 2, 1);
  EXPECT_EQ(violation(), "LSN 1 was given to two acknowledged changes; the second is of c/b");
}

TEST_F(LedgerTest, AnLsnMayBeUsedAgainAfterItsChangeWasLost) {
  insert("c/a", 1, 1);
  insert("c/b", 2, 2);
  restart(Loss::kUnsynced, 1);
  insert("c/b", 3, 2);
  EXPECT_EQ(violation(), "");
}

TEST_F(LedgerTest, AnLsnIsNotUsedAgainWhenItsChangeSurvived) {
  insert("c/a", 1, 1);
  restart(Loss::kUnsynced, 1);
  insert("c/b", 2, 1);
  EXPECT_EQ(violation(), "LSN 1 was given to two acknowledged changes; the second is of c/b");
}

TEST_F(LedgerTest, OneClientIsNeverToldAnEarlierLsnThanBefore) {
  insert("c/b", 1, 4);
  insert("c/a", 2, 5);
  read("c/b", present(1), 4);
  EXPECT_EQ(violation(), "read of c/b (value 0) began after LSN 5 was acknowledged, but was answered at LSN 4");
}

TEST_F(LedgerTest, AnAnswerThatOverlapsMayRestOnAnEarlierLsn) {
  OperationId slow = ledger.invoke("c/a", {});
  insert("c/b", 1, 5);
  ledger.answer(slow, {}, Effect::kNone, Lsn(4), Lsn());
  EXPECT_EQ(violation(), "");
}

TEST_F(LedgerTest, NothingIsDurableThatWasNeverCommitted) {
  insert("c/a", 1, 5, 6);
  EXPECT_EQ(violation(), "");
  restart(Loss::kNothing, 5);
  EXPECT_EQ(violation(), "LSN 6 was reported durable, but the server came back with 5 only");
}

TEST_F(LedgerTest, ARefusedWriteMustNotHaveBeenSeen) {
  OperationId w = ledger.invoke("c/a", {.kind = Kind::kInsert, .value = 1});
  read("c/a", present(1), 1);
  ledger.refused(w);
  EXPECT_EQ(violation(), "insert of c/a (value 1) was refused, but its effect has been seen");
}

TEST_F(LedgerTest, ADuplicateIsNotAnsweredOnSomethingThatVanished) {
  ledger.abandoned(ledger.invoke("c/a", {.kind = Kind::kInsert, .value = 1}));
  OperationId second = ledger.invoke("c/a", {.kind = Kind::kInsert, .value = 2});
  ledger.answer(second, {.done = false}, Effect::kNone, Lsn(), Lsn());
  restart(Loss::kNothing, 0);
  EXPECT_EQ(violation(), "");
  read("c/a", {}, 0);
  EXPECT_EQ(violation(), "read of c/a (value 0) was answered absent at LSN 0, but the document was value 1 counter 0");
}

TEST_F(LedgerTest, AnAnswerFromBeforeALossIsNotJudgedAfterIt) {
  OperationId w = ledger.invoke("c/a", {.kind = Kind::kInsert, .value = 1});
  restart(Loss::kUnsynced, 0);
  read("c/a", {}, 0);
  ledger.answer(w, {.done = true}, Effect::kOwnEntry, Lsn(1), Lsn());
  EXPECT_EQ(violation(), "");
}

TEST_F(LedgerTest, AnInsertIsJudgedAcrossAProcessDeath) {
  OperationId w = ledger.invoke("c/a", {.kind = Kind::kInsert, .value = 1, .repeatable = true});
  restart(Loss::kNothing, 0);
  read("c/a", {}, 0);
  ledger.answer(w, {.done = true}, Effect::kSomeEntry, Lsn(1), Lsn());
  read("c/a", present(1), 1);
  EXPECT_EQ(violation(), "");
  read("c/a", {}, 1);
  EXPECT_NE(violation(), "");
}

TEST_F(LedgerTest, SnapshotsShowWhatWasAtTheirLsn) {
  insert("c/a", 1, 1);
  insert("c/b", 2, 2);
  ledger.snapshot("c/", Lsn(1), {{"c/a", present(1)}});
  ledger.snapshot("c/", Lsn(2), {{"c/a", present(1)}, {"c/b", present(2)}});
  EXPECT_EQ(violation(), "");
  ledger.snapshot("c/", Lsn(1), {{"c/a", present(1)}, {"c/b", present(2)}});
  EXPECT_EQ(violation(), "a snapshot at LSN 1 shows c/b as value 2 counter 0, but it was absent");
}

TEST_F(LedgerTest, SnapshotsMissNothing) {
  insert("c/a", 1, 1);
  ledger.snapshot("c/", Lsn(1), {});
  EXPECT_EQ(violation(), "a snapshot at LSN 1 shows c/a as absent, but it was value 1 counter 0");
}

TEST_F(LedgerTest, SnapshotsShowNoPhantoms) {
  ledger.snapshot("c/", Lsn(1), {{"c/x", present(1)}});
  EXPECT_EQ(violation(), "a snapshot shows c/x, which nobody wrote");
}

// ---- Random runs ----

using test::Fault;
using test::ModelStore;

TEST(LedgerOnRandomRuns, NeverRejectsACorrectStore) {
  for (uint64_t seed = 1; seed <= 1500; ++seed) {
    ModelStore store(seed, Fault::kNone);
    store.run(400);
    ASSERT_TRUE(store.ledger().violations().empty()) << "seed " << seed << ": " << store.ledger().violations().front();
    ASSERT_GT(store.ledger().answered(), 20u) << "seed " << seed;
  }
}

/// How many of 200 runs with that fault are rejected, of those in which it struck.
struct Caught {
  int struck = 0;
  int rejected = 0;
};
Caught runs_with(Fault fault) {
  Caught out;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    ModelStore store(seed, fault);
    store.run(400);
    out.struck += store.struck();
    out.rejected += !store.ledger().violations().empty();
  }
  return out;
}

/// Some faults can be seen only when a crash or an answer follows, so that not every run can be rejected.
struct Expected {
  Fault fault;
  int percent = 70;
};
void PrintTo(const Expected& e, std::ostream* out) { *out << test::name(e.fault); }

class LedgerFinds : public testing::TestWithParam<Expected> {};

TEST_P(LedgerFinds, AStoreWithThisFault) {
  Caught caught = runs_with(GetParam().fault);
  EXPECT_GE(caught.struck, 20) << "the fault must strike for the test to mean something";
  EXPECT_GE(caught.rejected * 100, caught.struck * GetParam().percent) << caught.rejected << " rejected of " << caught.struck;
}

INSTANTIATE_TEST_SUITE_P(Ledger, LedgerFinds,
                         testing::Values(Expected{Fault::kStaleRead}, Expected{Fault::kLostAtCrash, 80}, Expected{Fault::kLostUpdate},
                                         Expected{Fault::kResurrected, 80}, Expected{Fault::kReusedLsn, 60}, Expected{Fault::kFalselyDurable},
                                         Expected{Fault::kFalseDuplicate}, Expected{Fault::kUpdateTwice}, Expected{Fault::kUncommittedRead, 15},
                                         Expected{Fault::kSnapshotMisses}, Expected{Fault::kSnapshotFromTheFuture, 50}, Expected{Fault::kPhantom}),
                         [](const auto& info) { return std::string(test::name(info.param.fault)); });

TEST_F(LedgerTest, CountsWhatMustAndWhatMayBeThere) {
  insert("c/a", 1, 1);
  insert("c/b", 2, 2);
  insert("d/a", 3, 3);
  ledger.abandoned(ledger.invoke("c/c", {.kind = Kind::kInsert, .value = 4}));
  ledger.answer(ledger.invoke("c/a", {.kind = Kind::kDelete}), {.done = true}, Effect::kOwnEntry, Lsn(5), Lsn());
  Bounds then = ledger.count("c/", Lsn(4)), now = ledger.count("c/");
  EXPECT_TRUE(then.hold(2) && then.hold(3));
  EXPECT_FALSE(then.hold(1) || then.hold(4));
  EXPECT_TRUE(now.hold(1) && now.hold(2));
  EXPECT_FALSE(now.hold(3));
}

TEST_F(LedgerTest, AReadRestsOnTheWriteThatItShows) {
  OperationId write = ledger.invoke("c/a", {.kind = Kind::kInsert, .value = 1});
  read("c/a", present(1), 4);
  EXPECT_EQ(violation(), "");
  ledger.answer(write, {.done = true}, Effect::kOwnEntry, Lsn(5), Lsn());
  EXPECT_EQ(violation(), "a read of c/a rests on LSN 4, but shows value 1, which was written at LSN 5");
}

}  // namespace
}  // namespace holdfast::chaos
