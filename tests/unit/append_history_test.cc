// The judge of transactions that append to lists: each anomaly in what is seen, by itself, and the history beside it
// that is right.
#include <gtest/gtest.h>

#include "tests/support/append_story.h"

namespace holdfast::chaos {
namespace {

using Story = AppendStory;

TEST(AppendHistory, WhatIsRightIsRight) {
  Story s;
  Id a = s.begin(0);
  s.read(a, 1, {});
  s.append(a, 1, 10), s.append(a, 1, 11), s.append(a, 2, 12);
  s.read(a, 1, {10, 11});
  s.commit(a, 1);
  s.committed(a, 1);
  Id b = s.begin(1), c = s.begin(1, kValidated);
  s.read(b, 1, {10, 11}), s.read(c, 2, {12});
  s.append(b, 1, 13);
  s.read(c, 1, {10, 11}), s.commit_read_only(c);
  s.commit(b, 2);
  s.saw(2, {{1, {10, 11, 13}}, {2, {12}}, {3, {}}});
  Id alone = s.history.append_alone(3, 14, Lsn(2));
  s.committed(alone, 3);
  s.committed(alone, 3);
  s.saw(3, {{3, {14}}});
  EXPECT_RIGHT(s);
}

// ---- What must never be seen ----

TEST(AppendHistory, FindsWhatWasAbortedG1a) {
  for (bool seen_first : {true, false})
    for (bool refused : {true, false}) {
      Story s;
      Id a = s.begin(0);
      s.writes(0, 1, {{1, {10}}});
      s.append(a, 1, 11);
      s.ask_commit(a);
      if (seen_first) s.saw(2, {{1, {10, 11}}});
      s.note(refused ? s.history.conflicted(a, 1) : s.history.rolled_back(a));
      EXPECT_EQ(s.wrong.empty(), !seen_first) << s.wrong;
      if (!seen_first) s.saw(2, {{1, {10, 11}}});
      EXPECT_WRONG(s, seen_first ? "has failed, but was seen" : "11 should not be there");
    }
}

TEST(AppendHistory, FindsWhatWasNeverCommitted) {
  Story s;
  Id a = s.begin(0);
  s.append(a, 1, 10);
  s.saw(1, {{1, {10}}});
  EXPECT_WRONG(s, "which has not asked to commit");
}

TEST(AppendHistory, FindsAPartOfWhatWasAppendedG1b) {
  for (const List& part : {List{10}, List{10, 12}, List{12}, List{11, 10}}) {
    Story s;
    s.writes(0, 1, {{1, {10, 11}}});
    s.asks(0, {{1, {12}}});
    s.saw_earlier(2, {{1, part}});
    EXPECT_FALSE(s.verdict().empty());
  }
  Story later;
  later.writes(0, 1, {{1, {10, 11}}});
  later.saw(1, {{1, {10, 11}}});
  later.saw(1, {{1, {10}}});
  EXPECT_WRONG(later, "ends within what");
}

TEST(AppendHistory, FindsATransactionInPart) {
  for (bool answered : {true, false}) {
    Story s;
    if (answered)
      s.writes(0, 1, {{1, {10}}, {2, {11}}});
    else
      s.asks(0, {{1, {10}}, {2, {11}}});
    s.saw_earlier(1, {{1, {10}}, {2, {}}});
    EXPECT_WRONG(s, answered ? "does not show" : "has no place in the log");
  }
  Story whole;
  whole.asks(0, {{1, {10}}, {2, {11}}});
  whole.saw(1, {{1, {}}, {2, {}}});
  whole.saw(2, {{1, {10}}, {2, {11}}});
  EXPECT_RIGHT(whole);
  whole.saw(3, {{1, {}}});
  EXPECT_FALSE(whole.wrong.empty()) << "it comes and goes";
  Story half_seen;
  half_seen.asks(0, {{1, {10}}, {2, {11}}});
  half_seen.saw(1, {{1, {10}}});
  EXPECT_RIGHT(half_seen);
}

TEST(AppendHistory, FindsWhatNobodyAppended) {
  Story s;
  s.saw(0, {{1, {10}}});
  EXPECT_WRONG(s, "nobody has appended 10");
  Story elsewhere;
  elsewhere.writes(0, 1, {{1, {10}}});
  elsewhere.saw(1, {{2, {10}}});
  EXPECT_WRONG(elsewhere, "was appended to key 1");
}

// ---- One order ----

TEST(AppendHistory, FindsTwoOrders) {
  Story s;
  s.asks(0, {{1, {10}}}), s.asks(1, {{1, {11}}});
  s.saw(2, {{1, {10, 11}}});
  s.saw(2, {{1, {11, 10}}});
  EXPECT_WRONG(s, "others have seen 10 there");
}

TEST(AppendHistory, FindsWhatWasDoneTwice) {
  Story s;
  Id alone = s.history.append_alone(1, 10, Lsn(0));
  s.history.given_up(alone);
  s.asks(0, {{1, {11}}});
  s.saw(3, {{1, {10, 11, 10}}});
  EXPECT_WRONG(s, "10 is there twice");
  Story once;
  once.history.given_up(once.history.append_alone(1, 10, Lsn(0)));
  once.saw(3, {{1, {10}}});
  EXPECT_RIGHT(once);
}

TEST(AppendHistory, FindsWhatIsMissing) {
  Story s;
  s.writes(0, 1, {{1, {10}}});
  s.saw(1, {{1, {}}});
  EXPECT_WRONG(s, "does not show what transaction 1 appended");
  Story overtaken;
  overtaken.writes(0, 1, {{1, {10}}});
  overtaken.writes(1, 2, {{1, {11}}});
  overtaken.saw(2, {{1, {11}}});
  EXPECT_WRONG(overtaken, "does not show what transaction 1 appended");
  Story told_later;
  Id a = told_later.begin(0);
  told_later.append(a, 1, 10);
  told_later.ask_commit(a);
  told_later.saw(5, {{1, {}}});
  told_later.committed(a, 4);
  EXPECT_WRONG(told_later, "a snapshot at LSN 5 does not show");
}

// ---- A transaction by itself ----

TEST(AppendHistory, FindsATransactionThatForgets) {
  for (const List& list : {List{}, List{10}, List{11}, List{11, 10}, List{10, 11, 9}}) {
    Story s;
    s.writes(0, 1, {{1, {9}}});
    Id a = s.begin(1);
    s.append(a, 1, 10), s.append(a, 1, 11);
    s.read(a, 1, list);
    EXPECT_WRONG(s, "has appended [10, 11]");
  }
}

TEST(AppendHistory, FindsReadsThatDoNotAgree) {
  Story s;
  Id a = s.begin(0);
  s.read(a, 1, {});
  s.writes(0, 1, {{1, {10}}});
  s.read(a, 1, {10});
  EXPECT_WRONG(s, "one snapshot at LSN 0 shows 1 values, another 0");
}

// ---- LSNs ----

TEST(AppendHistory, FindsSnapshotsThatAreNotExact) {
  Story ahead;
  ahead.writes(0, 5, {{1, {10}}});
  ahead.saw_earlier(4, {{1, {10}}});
  EXPECT_WRONG(ahead, "which stands at LSN 5");
  Story stale;
  stale.writes(0, 5, {{1, {10}}});
  stale.saw(4, {{1, {}}});
  EXPECT_WRONG(stale, "LSN 5 had been told");
  Story old;
  old.told(5);
  old.begin(4);
  EXPECT_WRONG(old, "snapshot at LSN 4, but LSN 5");
  Story backwards;
  backwards.asks(0, {{1, {10}}});
  backwards.saw(3, {{1, {10}}});
  backwards.saw_earlier(4, {{1, {}}});
  EXPECT_WRONG(backwards, "shows 1");
}

TEST(AppendHistory, FindsCommitsAtTheWrongPlace) {
  Story at_snapshot;
  at_snapshot.writes(5, 5, {{1, {10}}});
  EXPECT_WRONG(at_snapshot, "not above its snapshot");
  Story early;
  Id a = early.begin(1);
  early.append(a, 1, 10);
  early.told(7);
  early.commit(a, 6);
  EXPECT_WRONG(early, "LSN 7 had been told");
  Story shared;
  shared.writes(0, 3, {{1, {10}}});
  Id b = shared.begin(3);
  shared.append(b, 1, 11), shared.ask_commit(b);
  shared.told(0);
  EXPECT_EQ(shared.wrong, "");
  shared.committed(b, 3);
  EXPECT_FALSE(shared.wrong.empty());
  Story crossed;
  Id first = crossed.history.append_alone(1, 10, Lsn(0)), second = crossed.history.append_alone(1, 11, Lsn(0));
  crossed.committed(first, 4);
  crossed.saw(9, {{1, {11, 10}}});
  crossed.committed(second, 5);
  EXPECT_WRONG(crossed, "stands before");
  Story crossed_too;
  first = crossed_too.history.append_alone(1, 10, Lsn(0)), second = crossed_too.history.append_alone(1, 11, Lsn(0));
  crossed_too.committed(second, 5);
  crossed_too.saw(9, {{1, {11, 10}}});
  crossed_too.committed(first, 4);
  EXPECT_WRONG(crossed_too, "stands behind");
  for (uint64_t lsn : {4, 5, 9, 10}) {
    Story between;
    Id d = between.history.append_alone(1, 10, Lsn(0));
    between.saw(4, {{1, {}}});
    between.saw(9, {{1, {10}}});
    between.committed(d, lsn);
    EXPECT_EQ(between.verdict().empty(), lsn == 5 || lsn == 9) << lsn << " " << between.verdict();
  }
  Story nothing;
  nothing.commit(nothing.begin(0), 1);
  EXPECT_WRONG(nothing, "changes nothing");
  Story no_entry;
  Id c = no_entry.begin(0);
  no_entry.append(c, 1, 10);
  no_entry.commit_read_only(c);
  EXPECT_WRONG(no_entry, "without an entry, but has appended to key 1");
}

// ---- By the lists alone ----

TEST(AppendHistory, FindsSkewedSnapshotsWithoutLsns) {
  // Two readers see two writers, each the other one first: nobody is told an LSN.
  Story s;
  s.asks(0, {{1, {10}}}), s.asks(0, {{2, {20}}});
  Id a = s.begin(9), b = s.begin(9);
  s.read(a, 1, {10}), s.read(a, 2, {});
  EXPECT_TRUE(s.history.judge_cycles().empty());
  s.read(b, 1, {}), s.read(b, 2, {20});
  auto cycles = s.history.judge_cycles();
  ASSERT_EQ(cycles.size(), 1u);
  for (const char* part : {"G-nonadjacent", "wr: transaction 1 ", "appended [10] to key 1, which transaction 3 ",
                           "saw [] in key 1, without [10] that transaction 1 "})
    EXPECT_NE(cycles[0].find(part), std::string::npos) << cycles[0];
}

TEST(AppendHistory, FindsWhatGoesAgainstRealTime) {
  Story s;
  s.saw(5, {{1, {}}});
  Id a = s.history.append_alone(1, 10, Lsn(0));
  s.committed(a, 6);
  s.note(s.history.saw(s.history.look(Lsn(0)), {{1, {}}}, Lsn(5)));  // its LSN is too low, but nobody had told one
  EXPECT_EQ(s.wrong, "");
  s.saw(6, {{1, {10}}});
  EXPECT_EQ(s.wrong, "");
  EXPECT_WRONG(s, "G-single (read skew or lost update), against real time");
}

TEST(AppendHistory, OneListIsShownAsItWasAtSomeMoment) {
  for (uint64_t rests_on : {1, 2, 3}) {
    Story s;
    AppendHistory::Look look = s.history.look(Lsn(0));
    s.writes(0, 1, {{1, {10}}});
    s.writes(1, 2, {{1, {11}}});
    s.note(s.history.saw_one(look, 1, {10}, Lsn(rests_on)));  // not a snapshot at that LSN
    s.note(s.history.saw_one(look, 1, {}, Lsn(rests_on)));
    EXPECT_RIGHT(s);
    s.note(s.history.saw_one(look, 1, {10, 11}, Lsn(rests_on)));
    if (rests_on < 2) {
      EXPECT_WRONG(s, "but rests on LSN 1");
    } else {
      EXPECT_RIGHT(s);
    }
  }
  Story lossy;
  lossy.writes(0, 1, {{1, {10}}});
  lossy.note(lossy.history.saw_one(lossy.history.look(Lsn(1)), 1, {10}, Lsn(1)));
  lossy.restarted(0, true);
  lossy.writes(0, 1, {{1, {11}}});  // in the place of what was seen
  lossy.saw(1, {{1, {11}}});
  EXPECT_RIGHT(lossy);
  Story late;
  late.writes(0, 1, {{1, {10}}});
  late.saw(1, {{1, {10}}});
  late.note(late.history.saw_one(late.history.look(Lsn(1)), 1, {}, Lsn(1)));
  EXPECT_WRONG(late, "was answered before");
}

TEST(AppendHistory, AWholeTransactionInOneRequest) {
  for (bool whole : {true, false}) {
    Story s;
    Id a = s.history.append_at_once({{1, 10}, {2, 11}}, Lsn(0));
    s.restarted(0, false);  // whoever has no answer may ask again
    s.committed(a, 1);
    s.saw(1, {{1, {10}}, {2, whole ? List{11} : List{}}});
    if (whole) {
      EXPECT_RIGHT(s);
    } else {
      EXPECT_WRONG(s, "key 2");
    }
  }
}

TEST(AppendHistory, NamesKeysAsPeopleDo) {
  AppendHistory history([](AppendHistory::Key key) { return "stock/item-" + std::to_string(key); });
  EXPECT_EQ(history.saw(history.look(Lsn(0)), {{7, {1}}}, Lsn(0)).substr(0, 13), "stock/item-7:");
}

}  // namespace
}  // namespace holdfast::chaos
