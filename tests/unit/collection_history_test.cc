// The judge of a collection that comes and goes: it explains every place a drop may have in the log, and nothing else.
#include "chaos/oracle/collection_history.h"

#include <gtest/gtest.h>

#include "chaos/oracle/collection_ledger.h"

namespace holdfast::chaos {
namespace {

using Keys = std::set<std::string>;

/// Tells a history what happens, LSNs as plain numbers.
class Story {
 public:
  CollectionHistory history;

  OperationId insert(std::vector<std::string> keys, uint64_t after) { return history.insert(++last_, std::move(keys), Lsn(after)), last_; }
  OperationId drop(uint64_t after) { return history.drop(++last_, Lsn(after)), last_; }
  OperationId create(uint64_t after) { return history.create(++last_, Lsn(after)), last_; }
  bool done(OperationId id, uint64_t lsn) { return history.done(id, Lsn(lsn)).empty(); }
  bool refused(OperationId id) { return history.refused(id).empty(); }
  /// One that is asked and answered.
  void inserted(std::string key, uint64_t lsn) { EXPECT_TRUE(done(insert({key}, lsn - 1), lsn)); }
  void dropped(uint64_t lsn) { EXPECT_TRUE(done(drop(lsn - 1), lsn)); }
  /// A drop that nobody gets an answer to.
  void lost_drop(uint64_t after) { history.abandoned(drop(after)); }

  bool there(std::string key, uint64_t from, uint64_t to) { return history.saw(key, true, {Lsn(from), Lsn(to)}).empty(); }
  bool absent(std::string key, uint64_t from, uint64_t to) { return history.saw(key, false, {Lsn(from), Lsn(to)}).empty(); }
  bool shows(const Keys& keys, uint64_t at) { return history.saw_all(keys, Lsn(at)).empty(); }
  bool exists(bool there, uint64_t at) { return history.saw_exists(there, {Lsn(at), Lsn(at)}).empty(); }
  bool counts(uint64_t n, uint64_t at) { return history.count(Lsn(at)).hold(n); }

 private:
  OperationId last_ = 0;
};

TEST(CollectionHistory, ADropIsOneDeathAtItsPlace) {
  Story s;
  s.inserted("a", 1);
  s.inserted("b", 2);
  s.dropped(5);
  EXPECT_TRUE(s.shows({"a", "b"}, 4));
  EXPECT_TRUE(s.shows({}, 5));
  EXPECT_TRUE(s.counts(2, 4) && s.counts(0, 5));
  EXPECT_FALSE(s.counts(1, 4));
  EXPECT_FALSE(s.shows({"a"}, 5));
  EXPECT_FALSE(s.there("b", 6, 7)) << "nothing comes back";
}

TEST(CollectionHistory, NothingGoesWithoutADrop) {
  Story s;
  s.inserted("a", 3);
  EXPECT_TRUE(s.absent("a", 2, 3)) << "it was looked at before";
  EXPECT_FALSE(s.absent("a", 3, 3));
}

TEST(CollectionHistory, WhatIsMadeAgainHoldsOnlyWhatCameAfter) {
  Story s;
  s.inserted("old", 1);
  s.dropped(2);
  s.inserted("new", 4);
  EXPECT_TRUE(s.shows({"new"}, 4));
  EXPECT_TRUE(s.counts(1, 4));
  EXPECT_FALSE(s.shows({"new", "old"}, 5));
}

TEST(CollectionHistory, ADropWithoutAnswerHappenedWhollyOrNotAtAll) {
  for (bool first : {true, false}) {
    Story s;
    s.inserted("a", 1);
    s.inserted("b", 2);
    s.lost_drop(2);
    s.history.restarted(Lsn(3), false);
    EXPECT_TRUE(first ? s.absent("a", 3, 3) : s.there("a", 3, 3));
    EXPECT_FALSE(first ? s.there("b", 3, 3) : s.absent("b", 3, 3));
  }
}

TEST(CollectionHistory, ASnapshotShowsAllOfADropOrNothing) {
  Story s;
  s.inserted("a", 1);
  s.inserted("b", 2);
  s.lost_drop(2);
  EXPECT_TRUE(s.shows({"a", "b"}, 9)) << "it may still come";
  EXPECT_TRUE(s.shows({}, 12)) << "it came";
  EXPECT_TRUE(s.shows({"a", "b"}, 9)) << "and was between the two";
  EXPECT_FALSE(s.shows({"a"}, 10));
}

TEST(CollectionHistory, ADropIsAcknowledgedWhereWhatWasSeenAllowsIt) {
  Story s;
  s.inserted("a", 1);
  OperationId drop = s.drop(1);
  EXPECT_TRUE(s.there("a", 6, 6));
  EXPECT_FALSE(s.done(drop, 5));
}

TEST(CollectionHistory, ARefusedDropHasNotHappened) {
  Story s;
  s.inserted("a", 1);
  OperationId drop = s.drop(1);
  EXPECT_TRUE(s.absent("a", 2, 2));
  EXPECT_FALSE(s.refused(drop));
}

TEST(CollectionHistory, ARefusedInsertIsNeverSeen) {
  Story s;
  EXPECT_TRUE(s.refused(s.insert({"a"}, 0)));
  EXPECT_FALSE(s.there("a", 1, 1));
  EXPECT_FALSE(s.there("z", 1, 1)) << "nor what nobody wrote";
}

TEST(CollectionHistory, AnInsertOfSeveralIsSeenWhole) {
  Story s;
  s.history.abandoned(s.insert({"a", "b"}, 0));
  EXPECT_TRUE(s.shows({}, 1));
  EXPECT_TRUE(s.shows({"a", "b"}, 2));
  Story torn;
  torn.history.abandoned(torn.insert({"a", "b"}, 0));
  EXPECT_FALSE(torn.shows({"b"}, 2));
}

TEST(CollectionHistory, AnAcknowledgementMustFitWhatWasSeenBefore) {
  Story s;
  OperationId insert = s.insert({"a"}, 0);
  EXPECT_TRUE(s.absent("a", 5, 5)) << "not yet";
  EXPECT_FALSE(s.done(insert, 4)) << "it was committed, and absent at LSN 5";
}

TEST(CollectionHistory, ALossUndoesADropAndItsLaterDocuments) {
  Story s;
  s.inserted("a", 1);
  s.dropped(5);
  s.inserted("b", 7);
  s.history.restarted(Lsn(4), true);
  EXPECT_TRUE(s.shows({"a"}, 4));
  EXPECT_FALSE(s.there("b", 8, 8));
  Story kept;
  kept.inserted("a", 1);
  kept.dropped(5);
  kept.history.restarted(Lsn(5), true);
  EXPECT_FALSE(kept.there("a", 5, 5));
}

TEST(CollectionHistory, ExistsFromItsFirstInsertToItsDrop) {
  Story s;
  EXPECT_FALSE(s.exists(true, 1)) << "nobody made it";
  s.inserted("a", 2);
  EXPECT_TRUE(s.exists(true, 2));
  EXPECT_FALSE(s.exists(false, 2));
  s.dropped(3);
  EXPECT_TRUE(s.exists(false, 3));
  EXPECT_FALSE(s.exists(true, 3));
  s.insert({"b"}, 3);
  EXPECT_TRUE(s.exists(true, 4)) << "made for an insert that is under way";
  s.history.restarted(Lsn(4), true);
  EXPECT_TRUE(s.exists(true, 4)) << "also when the insert itself was lost";
}

TEST(CollectionHistory, CreatingWhatIsThereMakesNothing) {
  Story s;
  s.inserted("a", 1);
  EXPECT_TRUE(s.done(s.create(1), 1));
  s.dropped(2);
  EXPECT_TRUE(s.done(s.drop(2), 2)) << "nor does dropping what is not there";
  EXPECT_TRUE(s.exists(false, 2));
  EXPECT_TRUE(s.done(s.create(2), 3));
  EXPECT_FALSE(s.exists(false, 3));
}

TEST(CollectionLedger, JudgesNothingAcrossALossOfWhatWasAcknowledged) {
  Ledger ledger({.sync = false});
  CollectionLedger collections(ledger);
  const CollectionLedger::Name name{"", "c"};
  collections.done(collections.insert(name, {"a"}), Lsn(3), Lsn());
  CollectionLedger::Look before = collections.look();
  ledger.ended(Loss::kUnsynced);
  ledger.restarted(Lsn(0));
  collections.saw(before, name, "a", true, Lsn(3), Lsn());
  EXPECT_TRUE(ledger.violations().empty()) << "an answer of the old server";
  collections.saw(collections.look(), name, "a", true, Lsn(1), Lsn());
  EXPECT_EQ(ledger.violations().size(), 1u);
}

TEST(CollectionLedger, NoticesAnswersThatRestOnLessThanWasAcknowledged) {
  Ledger ledger({.sync = true});
  CollectionLedger collections(ledger);
  const CollectionLedger::Name name{"", "c"};
  collections.done(collections.insert(name, {"a"}), Lsn(3), Lsn(3));
  collections.done(collections.drop(name), Lsn(2), Lsn(3));
  ASSERT_FALSE(ledger.violations().empty());
  EXPECT_NE(ledger.violations().back().find("rests on LSN 2"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::chaos
