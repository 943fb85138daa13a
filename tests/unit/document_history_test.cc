// The judge of one document: it explains what a linearizable store may answer, and nothing else.
#include "chaos/oracle/document_history.h"

#include <gtest/gtest.h>

namespace holdfast::chaos {
namespace {

using Kind = Operation::Kind;

constexpr Answer kDone{.done = true};
constexpr Answer kNotDone{.done = false};
DocumentState present(uint64_t value, int64_t counter = 0) { return {true, value, counter}; }
Answer saw(DocumentState state) { return {.done = false, .state = state}; }
Place at(uint64_t lsn) { return {Lsn(lsn)}; }
Place at_most(uint64_t lsn) { return {Lsn(lsn), Place::Precision::kAtMost}; }

/// Tells a history one operation after the other.
class Story {
 public:
  DocumentHistory history;

  OperationId insert(uint64_t value) { return begin({.kind = Kind::kInsert, .value = value}); }
  OperationId insert_again(uint64_t value) { return begin({.kind = Kind::kInsert, .value = value, .repeatable = true}); }
  OperationId update(uint64_t value) { return begin({.kind = Kind::kUpdate, .value = value}); }
  OperationId remove() { return begin({.kind = Kind::kDelete}); }
  OperationId read() { return begin({}); }

  bool done(OperationId id, uint64_t lsn) { return history.answer(id, kDone, at(lsn)); }
  bool not_done(OperationId id) { return history.answer(id, kNotDone, std::nullopt); }
  bool saw(OperationId id, DocumentState state) { return history.answer(id, chaos::saw(state), std::nullopt); }
  /// A read that begins now and ends now.
  bool shows(DocumentState state) { return saw(read(), state); }

 private:
  OperationId begin(Operation operation) {
    history.invoke(++last_, operation);
    return last_;
  }
  OperationId last_ = 0;
};

// ---- One after the other ----

TEST(DocumentHistory, AcceptsWhatOneClientDoesOneAfterTheOther) {
  Story s;
  EXPECT_TRUE(s.shows({}));
  EXPECT_TRUE(s.not_done(s.update(1)));
  EXPECT_TRUE(s.not_done(s.remove()));
  EXPECT_TRUE(s.done(s.insert(2), 1));
  EXPECT_TRUE(s.not_done(s.insert(3)));
  EXPECT_TRUE(s.done(s.update(4), 2));
  EXPECT_TRUE(s.done(s.update(5), 3));
  EXPECT_TRUE(s.shows(present(5, 2)));
  EXPECT_TRUE(s.done(s.remove(), 4));
  EXPECT_TRUE(s.shows({}));
  EXPECT_TRUE(s.done(s.insert(6), 5));
  EXPECT_TRUE(s.shows(present(6, 0)));
}

TEST(DocumentHistory, RejectsAStaleRead) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  EXPECT_TRUE(s.done(s.update(2), 2));
  EXPECT_FALSE(s.shows(present(1, 0)));
}

TEST(DocumentHistory, RejectsAReadThatMissesAnAcknowledgedInsert) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  EXPECT_FALSE(s.shows({}));
}

TEST(DocumentHistory, RejectsADeletedDocumentThatComesBack) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  EXPECT_TRUE(s.done(s.remove(), 2));
  EXPECT_FALSE(s.shows(present(1, 0)));
}

TEST(DocumentHistory, RejectsAValueThatNobodyWrote) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  EXPECT_FALSE(s.shows(present(9, 0)));
}

TEST(DocumentHistory, RejectsAnUpdateThatWasAppliedTwice) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  EXPECT_TRUE(s.done(s.update(2), 2));
  EXPECT_FALSE(s.shows(present(2, 2)));
}

TEST(DocumentHistory, RejectsAnUpdateLostToAnother) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  OperationId a = s.update(2), b = s.update(3);
  EXPECT_TRUE(s.done(a, 2));
  EXPECT_TRUE(s.done(b, 3));
  EXPECT_FALSE(s.shows(present(3, 1))) << "both were acknowledged, so the counter is 2";
}

TEST(DocumentHistory, RejectsADuplicateOfNothing) {
  Story s;
  EXPECT_FALSE(s.not_done(s.insert(1)));
}

TEST(DocumentHistory, RejectsTwoInsertsOfOneIdThatBothSucceed) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  EXPECT_FALSE(s.done(s.insert(2), 2));
}

TEST(DocumentHistory, RejectsAnUpdateThatDidNotFindWhatIsThere) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  EXPECT_FALSE(s.not_done(s.update(2)));
}

TEST(DocumentHistory, RejectsADeleteThatFoundNothingWhereSomethingIs) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  EXPECT_FALSE(s.not_done(s.remove()));
}

TEST(DocumentHistory, ReportsOneFailureOnceAndGoesOn) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  EXPECT_FALSE(s.shows({}));
  EXPECT_TRUE(s.shows({}));
  EXPECT_TRUE(s.done(s.insert(2), 2));
  EXPECT_TRUE(s.shows(present(2)));
}

// ---- At the same time ----

TEST(DocumentHistory, AcceptsEitherOrderOfWritesUnderWay) {
  for (bool first_wins : {true, false}) {
    Story s;
    EXPECT_TRUE(s.done(s.insert(1), 1));
    OperationId a = s.update(2), b = s.update(3);
    OperationId r = s.read();
    EXPECT_TRUE(s.done(a, first_wins ? 3 : 2));
    EXPECT_TRUE(s.done(b, first_wins ? 2 : 3));
    EXPECT_TRUE(s.saw(r, present(first_wins ? 2 : 3, 2)));
  }
}

TEST(DocumentHistory, AReadMaySeeAWriteThatIsNotYetAnswered) {
  Story s;
  OperationId w = s.insert(1);
  EXPECT_TRUE(s.shows(present(1)));
  EXPECT_TRUE(s.done(w, 1));
}

TEST(DocumentHistory, WhatWasSeenOnceStaysSeen) {
  Story s;
  OperationId w = s.insert(1);
  EXPECT_TRUE(s.shows(present(1)));
  EXPECT_FALSE(s.shows({})) << "the insert is still unanswered, but somebody saw it";
  (void)w;
}

TEST(DocumentHistory, AnInsertThatWasSeenCannotBeRefusedAsADuplicate) {
  Story s;
  OperationId w = s.insert(1);
  EXPECT_TRUE(s.shows(present(1)));
  EXPECT_FALSE(s.not_done(w));
}

TEST(DocumentHistory, AWriteUnderWayMayTakeEffectMuchLater) {
  Story s;
  OperationId w = s.insert(1);
  EXPECT_TRUE(s.shows({}));
  EXPECT_TRUE(s.shows({}));
  EXPECT_TRUE(s.shows(present(1)));
  EXPECT_TRUE(s.done(w, 1));
}

TEST(DocumentHistory, AReadThatOverlapsMaySeeBeforeOrAfter) {
  for (bool before : {true, false}) {
    Story s;
    EXPECT_TRUE(s.done(s.insert(1), 1));
    OperationId r = s.read();
    EXPECT_TRUE(s.done(s.update(2), 2));
    EXPECT_TRUE(s.saw(r, before ? present(1, 0) : present(2, 1)));
  }
}

TEST(DocumentHistory, AnUnansweredDeleteExplainsAnAbsence) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  s.remove();
  EXPECT_TRUE(s.shows({}));
  EXPECT_FALSE(s.shows(present(1)));
}

TEST(DocumentHistory, OneOperationTakesEffectOnce) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  s.remove();
  EXPECT_TRUE(s.shows({}));
  EXPECT_TRUE(s.done(s.insert(2), 3));
  EXPECT_FALSE(s.shows({})) << "the delete has been used up";
}

TEST(DocumentHistory, AForgottenOperationExplainsNothing) {
  Story s;
  OperationId w = s.insert(1);
  s.history.forget(w);
  EXPECT_FALSE(s.shows(present(1)));
}

TEST(DocumentHistory, ARepeatedInsertIsDoneWhenTheDocumentIsStillIdentical) {
  Story s;
  EXPECT_TRUE(s.history.answer(s.insert_again(1), kDone, at_most(1)));
  EXPECT_TRUE(s.history.answer(s.insert_again(1), kDone, at_most(1)));
  EXPECT_FALSE(s.history.answer(s.insert_again(2), kDone, at_most(2))) << "another value is no repeat";
}

// ---- Crashes ----

TEST(DocumentHistory, AfterACrashAnAbandonedWriteHasHappenedOrNot) {
  for (bool happened : {true, false}) {
    Story s;
    s.history.abandon(s.insert(1));
    s.history.crash(Lsn(1));
    EXPECT_TRUE(s.shows(happened ? present(1) : DocumentState{}));
    EXPECT_FALSE(s.shows(happened ? DocumentState{} : present(1))) << "it has been settled by the first read";
  }
}

TEST(DocumentHistory, ACrashLosesNothingAcknowledged) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  s.history.crash(Lsn(1));
  EXPECT_FALSE(s.shows({}));
}

TEST(DocumentHistory, ACrashEndsWhatWasAbandoned) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  s.history.abandon(s.remove());
  EXPECT_EQ(s.history.under_way(), 1u) << "until the crash it may still take effect";
  s.history.crash(Lsn(1));
  EXPECT_EQ(s.history.under_way(), 0u);
  EXPECT_TRUE(s.shows(present(1)));
  EXPECT_FALSE(s.shows({}));
}

TEST(DocumentHistory, AChangeOfABoundedPlaceStandsBehindWhatWasAcknowledgedBefore) {
  for (uint64_t after : {1, 2}) {
    Story s;
    EXPECT_TRUE(s.done(s.insert(1), 1));
    EXPECT_TRUE(s.done(s.update(2), 2));
    EXPECT_TRUE(s.history.answer(s.update(3), kDone, Place{Lsn(9), Place::Precision::kAtMost, Lsn(after)}));
    EXPECT_TRUE(s.history.crash_and_lose_after(Lsn(2)));
    EXPECT_EQ(s.shows(present(3, 2)), after < 2);
  }
}

TEST(DocumentHistory, AChangeOfABoundedPlaceMayStandBeforeOneOfAKnownPlace) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  OperationId bounded = s.update(2), known = s.update(3);
  EXPECT_TRUE(s.history.answer(bounded, kDone, Place{Lsn(9), Place::Precision::kAtMost, Lsn(1)}));
  EXPECT_TRUE(s.done(known, 7));
  EXPECT_EQ(s.history.states_at(Lsn(9)), (std::vector{present(2, 2), present(3, 2)}));
}

TEST(DocumentHistory, AWriteWhoseClientIsStillAtItMayHappenAfterACrash) {
  Story s;
  OperationId w = s.insert_again(1);
  s.history.crash(Lsn());
  EXPECT_TRUE(s.shows({}));
  EXPECT_TRUE(s.shows(present(1))) << "its client sent it again";
  EXPECT_TRUE(s.history.answer(w, kDone, at_most(9)));
  EXPECT_FALSE(s.shows({}));
}

TEST(DocumentHistory, AReadMayBeAskedAcrossACrash) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  OperationId r = s.read();
  s.history.crash(Lsn(1));
  EXPECT_TRUE(s.done(s.update(2), 2));
  EXPECT_TRUE(s.saw(r, present(1)));
}

TEST(DocumentHistory, ALossLeavesExactlyThePrefix) {
  for (uint64_t survived = 0; survived <= 4; ++survived) {
    DocumentState expected[] = {{}, present(1, 0), present(2, 1), {}, present(4, 0)};
    for (const DocumentState& shown : expected) {
      Story s;
      EXPECT_TRUE(s.done(s.insert(1), 1));
      EXPECT_TRUE(s.done(s.update(2), 2));
      EXPECT_TRUE(s.done(s.remove(), 3));
      EXPECT_TRUE(s.done(s.insert(4), 4));
      EXPECT_TRUE(s.history.crash_and_lose_after(Lsn(survived)));
      EXPECT_EQ(s.shows(shown), shown == expected[survived]) << "survived " << survived << ", shown: " << text(shown);
    }
  }
}

TEST(DocumentHistory, AfterALossAnUnansweredWriteMayHaveComeBeforeAnAnsweredOne) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  s.history.abandon(s.update(2));
  EXPECT_TRUE(s.done(s.update(3), 5));
  EXPECT_TRUE(s.history.crash_and_lose_after(Lsn(5)));
  EXPECT_TRUE(s.shows(present(3, 2)));
}

TEST(DocumentHistory, ALossMayTakeAnEntryWhosePlaceIsOnlyBoundedOrLeaveIt) {
  for (bool left : {true, false}) {
    Story s;
    EXPECT_TRUE(s.history.answer(s.insert_again(1), kDone, at_most(5)));
    EXPECT_TRUE(s.history.crash_and_lose_after(Lsn(4)));
    EXPECT_TRUE(s.shows(left ? present(1) : DocumentState{}));
  }
}

// ---- Snapshots ----

TEST(DocumentHistory, TellsWhatASnapshotMayShow) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 3));
  EXPECT_TRUE(s.done(s.update(2), 5));
  using States = std::vector<DocumentState>;
  EXPECT_EQ(s.history.states_at(Lsn(2)), States{DocumentState{}});
  EXPECT_EQ(s.history.states_at(Lsn(3)), States{present(1)});
  EXPECT_EQ(s.history.states_at(Lsn(4)), States{present(1)});
  EXPECT_EQ(s.history.states_at(Lsn(5)), States{present(2, 1)});
  s.remove();
  EXPECT_EQ(s.history.states_at(Lsn(9)), (States{DocumentState{}, present(2, 1)}));
}

TEST(DocumentHistory, SnapshotsOlderThanItsMemoryAreNotJudged) {
  Story s;
  EXPECT_TRUE(s.done(s.insert(1), 1));
  for (uint64_t i = 2; i < 500; ++i) EXPECT_TRUE(s.done(s.update(i), i));
  EXPECT_FALSE(s.history.states_at(Lsn(3)));
  EXPECT_EQ(s.history.states_at(Lsn(498)), std::vector<DocumentState>{present(498, 497)});
}

/// A history of which nobody can tell what survived.
Story lost_track() {
  Story s;
  for (uint64_t n = 0; n < 70; ++n) {  // more changes than are remembered
    EXPECT_TRUE(s.done(s.insert(n + 1), 2 * n + 1));
    EXPECT_TRUE(s.done(s.remove(), 2 * n + 2));
  }
  EXPECT_TRUE(s.history.crash_and_lose_after(Lsn(3)));
  return s;
}

TEST(DocumentHistory, ClaimsNothingWhileItCannotTell) {
  Story s = lost_track();
  EXPECT_FALSE(s.history.states());
  EXPECT_TRUE(s.shows(present(9, 9)));
  ASSERT_TRUE(s.history.states());
  EXPECT_FALSE(s.shows({}));
}

TEST(DocumentHistory, FindsItsTrackOnlyByAReadThatNothingOverlapped) {
  Story s = lost_track();
  OperationId read = s.read();
  EXPECT_TRUE(s.done(s.insert(500), 200)) << "during the read, and perhaps after what it saw";
  EXPECT_TRUE(s.saw(read, {}));
  EXPECT_FALSE(s.history.states());
  EXPECT_TRUE(s.shows(present(500)));
}

}  // namespace
}  // namespace holdfast::chaos
