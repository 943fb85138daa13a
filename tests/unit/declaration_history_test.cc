// The judge of declared indexes: it explains what a collection may have declared, through crashes and losses, and
// nothing else.
#include <gtest/gtest.h>

#include "chaos/oracle/declaration_ledger.h"

namespace holdfast::chaos {
namespace {

using Kind = DeclarationModel::Operation::Kind;

class DeclarationLedgerTest : public testing::Test {
 protected:
  OperationId ask(Kind kind, size_t index = 0, uint8_t type = 0) {
    return declared.invoke("c", {.kind = kind, .index = index, .type = type});
  }
  void done(OperationId id, uint64_t lsn, uint64_t durable = 0) {
    declared.answer(id, {.done = true}, Lsn(lsn), Lsn(durable));
  }
  void declare(size_t index, uint64_t lsn, uint8_t type = 0) { done(ask(Kind::kDeclare, index, type), lsn); }
  void drop(size_t index, uint64_t lsn) { done(ask(Kind::kDrop, index), lsn); }
  void drop_collection(uint64_t lsn) { done(ask(Kind::kDropCollection), lsn); }
  void not_done(Kind kind, size_t index, uint8_t type = 0) { declared.answer_not_done(ask(kind, index, type)); }
  void listed(std::array<uint8_t, 4> types, uint64_t lsn) {
    declared.answer(ask(Kind::kList), {.state = {types}}, Lsn(lsn), Lsn());
  }
  void restart(Loss loss, uint64_t recovered) {
    ledger.ended(loss);
    ledger.restarted(Lsn(recovered));
  }
  /// The one violation since it was last asked; all of them when there are several.
  std::string violation() {
    std::string all;
    for (; told < ledger.violations().size(); ++told) all += (all.empty() ? "" : "\n") + ledger.violations()[told];
    return all;
  }

  Ledger ledger{{.sync = false}};
  DeclarationLedger declared{ledger};
  size_t told = 0;
};

TEST_F(DeclarationLedgerTest, AcceptsWhatOneClientDoesOneAfterTheOther) {
  listed({}, 0);
  not_done(Kind::kDrop, 1);
  not_done(Kind::kAsk, 1);
  declare(1, 1, 2);
  declare(1, 1, 2);
  not_done(Kind::kDeclare, 1, 0);
  done(ask(Kind::kAsk, 1), 1);
  declare(0, 2);
  listed({1, 3, 0, 0}, 2);
  drop(1, 3);
  listed({1, 0, 0, 0}, 3);
  drop_collection(4);
  drop_collection(4);
  listed({}, 4);
  declare(1, 6, 0);
  listed({0, 1, 0, 0}, 6);
  EXPECT_EQ(violation(), "");
}

TEST_F(DeclarationLedgerTest, NothingIsDeclaredThatNobodyAskedFor) {
  listed({0, 1, 0, 0}, 1);
  EXPECT_EQ(violation(), "c: list indexes was answered 1 of type 0 at LSN 1, but declared was: none");
}

TEST_F(DeclarationLedgerTest, AListMissesNothing) {
  declare(2, 1);
  listed({}, 1);
  EXPECT_EQ(violation(), "c: list indexes was answered none at LSN 1, but declared was: 2 of type 0");
}

TEST_F(DeclarationLedgerTest, AnotherTypeIsRefusedAndNotTaken) {
  declare(0, 1, 1);
  declare(0, 2, 2);
  EXPECT_EQ(violation(), "c: declare index 0 of type 2 was answered done at LSN 2, but declared was: 0 of type 1");
  not_done(Kind::kDeclare, 1);
  EXPECT_EQ(violation(), "c: declare index 1 of type 0 was answered not done at LSN 0, but declared was: 0 of type 2");
}

TEST_F(DeclarationLedgerTest, IndexesGoWithTheirCollection) {
  declare(0, 1);
  declare(3, 2);
  drop_collection(3);
  done(ask(Kind::kAsk, 3), 3);
  EXPECT_EQ(violation(), "c: ask for index 3 was answered done at LSN 3, but declared was: none");
}

TEST_F(DeclarationLedgerTest, ADropOfTheCollectionTakesAllOrNone) {
  declare(0, 1);
  declare(1, 2);
  declared.abandoned(ask(Kind::kDropCollection));
  listed({1, 0, 0, 0}, 3);
  EXPECT_EQ(violation(),
            "c: list indexes was answered 0 of type 0 at LSN 3, but declared was: none; or 0 of type 0, 1 of type 0");
}

TEST_F(DeclarationLedgerTest, WithoutAnAnswerItIsThereOrNotAfterACrashAndStaysSo) {
  for (bool there : {true, false}) {
    size_t index = there ? 1 : 2;
    declared.abandoned(ask(Kind::kDeclare, index));
    restart(Loss::kNothing, 1);
    std::array<uint8_t, 4> now{0, 1, 0, 0};
    listed(now, 1);
    EXPECT_EQ(violation(), "");
    now[index] ^= 1;
    listed(now, 1);
    EXPECT_NE(violation(), "");
    listed({0, 1, 0, 0}, 1);  // for the next
    told = ledger.violations().size();
  }
}

TEST_F(DeclarationLedgerTest, ACrashLosesNothingAcknowledged) {
  declare(0, 1);
  drop(0, 2);
  declare(1, 3);
  restart(Loss::kNothing, 3);
  listed({0, 1, 0, 0}, 3);
  EXPECT_EQ(violation(), "");
  listed({1, 1, 0, 0}, 3);
  EXPECT_EQ(violation(),
            "c: list indexes was answered 0 of type 0, 1 of type 0 at LSN 3, but declared was: 1 of type 0");
}

TEST_F(DeclarationLedgerTest, ALossLeavesWhatWasDeclaredAtItsLsn) {
  declare(0, 1);
  drop(0, 4);
  declare(1, 5);
  drop_collection(8);
  restart(Loss::kUnsynced, 4);
  listed({}, 4);
  EXPECT_EQ(violation(), "");
  listed({0, 1, 0, 0}, 4);
  EXPECT_EQ(violation(), "c: list indexes was answered 1 of type 0 at LSN 4, but declared was: none");
}

TEST_F(DeclarationLedgerTest, ADeclarationMayStandBeforeTheSnapshotThatItAnswersWith) {
  // Counted at LSN 9, while others wrote; asked for after LSN 2 had been acknowledged.
  for (uint64_t survived : {2, 5}) {
    SCOPED_TRACE(survived);
    restart(Loss::kUnsynced, 0);
    declare(0, 2);
    declare(1, 9);
    restart(Loss::kUnsynced, survived);
    OperationId list = ask(Kind::kList);
    declared.answer(list, {.state = {{1, 1, 0, 0}}}, Lsn(survived), Lsn());
    EXPECT_EQ(violation() == "", survived > 2) << "it stands behind LSN 2";
  }
}

TEST_F(DeclarationLedgerTest, AnAnswerFromBeforeALossIsNotJudgedAfterIt) {
  OperationId late = ask(Kind::kDeclare, 0);
  restart(Loss::kUnsynced, 0);
  listed({}, 0);
  done(late, 3);
  listed({}, 0);
  EXPECT_EQ(violation(), "");
}

TEST_F(DeclarationLedgerTest, WhatWasRefusedHasNotBeenSeen) {
  OperationId refused = ask(Kind::kDeclare, 0);
  listed({1, 0, 0, 0}, 1);
  EXPECT_EQ(violation(), "");
  declared.refused(refused);
  EXPECT_EQ(violation(), "c: declare index 0 of type 0 was refused, but its effect has been seen");
}

TEST_F(DeclarationLedgerTest, AnswersRestOnWhatWasAcknowledged) {
  declare(0, 5);
  listed({1, 0, 0, 0}, 4);
  EXPECT_EQ(violation(), "an answer about c that was asked for after LSN 5 was acknowledged rests on LSN 4");
}

}  // namespace
}  // namespace holdfast::chaos
