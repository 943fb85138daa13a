// The judge of transactions that append to lists: who may commit, with what outcome, and what a restart may do to it.
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/append_story.h"

namespace holdfast::chaos {
namespace {

using Story = AppendStory;

// ---- First committer wins ----

TEST(AppendOutcomes, FindsLostUpdates) {
  Story s;
  Id a = s.begin(0), b = s.begin(0);
  s.append(a, 1, 10), s.append(b, 1, 11);
  s.commit(a, 1);
  s.commit(b, 2);
  EXPECT_WRONG(s, "lost update");
  Story told_backwards;
  a = told_backwards.begin(0), b = told_backwards.begin(0);
  told_backwards.append(a, 1, 10), told_backwards.append(b, 1, 11);
  told_backwards.ask_commit(a);
  told_backwards.commit(b, 2);
  told_backwards.committed(a, 1);
  EXPECT_WRONG(told_backwards, "lost update");
  Story silent;
  silent.saw(2, {{1, {}}});
  a = silent.asks(0, {{1, {10}}}), b = silent.asks(1, {{1, {11}}});
  silent.saw(3, {{1, {10}}});
  silent.saw(4, {{1, {10, 11}}});
  EXPECT_WRONG(silent, "lost update") << "neither had an answer, but the first was not there at LSN 2";
}

TEST(AppendOutcomes, FindsReadsThatWereNotValidated) {
  for (bool validated : {true, false}) {
    Story s;
    Id a = s.begin(0, validated ? kValidated : kFromSnapshot), b = s.begin(0, kValidated);
    s.read(a, 1, {}), s.read(b, 2, {});
    s.append(a, 2, 10), s.append(b, 1, 11);
    s.commit(b, 1);
    s.commit(a, 2);
    s.saw(2, {{1, {11}}, {2, {10}}});
    if (validated)
      EXPECT_WRONG(s, "to be validated");
    else
      EXPECT_RIGHT(s);
    EXPECT_EQ(s.history.judge_cycles().empty(), !validated) << "write skew, by the lists alone";
  }
}

TEST(AppendOutcomes, WhoOnlyReadIsValidatedAsOfWhenItAskedToCommit) {
  for (bool early : {true, false}) {
    Story s;
    Id reader = s.begin(0, kValidated);
    s.read(reader, 1, {});
    if (early) s.ask_commit(reader);
    s.writes(0, 1, {{1, {10}}});
    if (!early) s.ask_commit(reader);
    s.note(s.history.committed_without_entry(reader));
    if (early) {
      EXPECT_RIGHT(s);
    } else {
      EXPECT_WRONG(s, "was to be validated");
    }
  }
}

TEST(AppendOutcomes, ConflictsHaveAReason) {
  struct Case {
    const char* what;
    const char* wrong;
    std::function<void(Story&, Id)> tell;
    bool seen = false;
  };
  const std::vector<Case> cases = {
      {"it changed after the snapshot", "", [](Story& s, Id) { s.writes(1, 2, {{1, {20}}}); }},
      {"somebody may have changed it", "", [](Story& s, Id) { s.asks(1, {{1, {20}}}); }},
      {"somebody was about to", "", [](Story& s, Id) { s.append(s.begin(1), 1, 20); }},
      {"a single append did", "", [](Story& s, Id) { s.committed(s.history.append_alone(1, 20, Lsn(1)), 2); }},
      {"somebody looks at it, to validate", "", [](Story& s, Id) { s.read(s.begin(1, kValidated), 1, {5}); }},
      {"nobody", "nobody else changed it", [](Story&, Id) {}},
      {"it was in the snapshot, as was seen", "nobody else changed it", [](Story&, Id) {}, true},
      {"somebody looks at it", "nobody else changed it", [](Story& s, Id) { s.read(s.begin(1), 1, {5}); }},
      {"another key changed", "nobody else changed it", [](Story& s, Id) { s.writes(1, 2, {{2, {20}}}); }},
  };
  for (const Case& c : cases) {
    Story s;
    s.history.given_up(s.history.append_alone(1, 5, Lsn(0)));
    if (c.seen)
      s.saw(1, {{1, {5}}});
    else
      s.committed(1, 1);
    Id rolled = s.begin(1);
    s.append(rolled, 1, 6);
    s.note(s.history.rolled_back(rolled));
    Id a = s.begin(1);
    s.append(a, 1, 10);
    c.tell(s, a);
    s.ask_commit(a);
    s.note(s.history.conflicted(a, 1));
    if (*c.wrong == 0)
      EXPECT_EQ(s.verdict(), "") << c.what;
    else
      EXPECT_NE(s.verdict().find(c.wrong), std::string::npos) << c.what << ": " << s.verdict();
  }
}

TEST(AppendOutcomes, ConflictsNameWhatTheyAreAbout) {
  Story s;
  Id a = s.begin(0);
  s.read(a, 1, {});
  s.append(a, 2, 10);
  s.writes(0, 1, {{1, {20}}});
  s.note(s.history.conflicted(a, 1));
  EXPECT_WRONG(s, "has nothing to do with it");
  Story validated;
  a = validated.begin(0, kValidated);
  validated.read(a, 1, {});
  validated.append(a, 2, 10);
  validated.writes(0, 1, {{1, {20}}});
  validated.note(validated.history.conflicted(a, 1));
  EXPECT_RIGHT(validated);
}

TEST(AppendOutcomes, AConflictWithWhatIsInTheSnapshotHasNoReason) {
  Story s;
  Id a = s.begin(0);
  s.append(a, 1, 10), s.ask_commit(a);
  Id b = s.begin(1);
  s.append(b, 1, 11);
  s.committed(a, 1);
  s.note(s.history.conflicted(b, 1));
  EXPECT_WRONG(s, "nobody else changed it");  // however late it was answered
}

// ---- Places of what has no answer ----

TEST(AppendOutcomes, WhatHasNoAnswerFitsAmongItsNeighbours) {
  for (bool hidden : {true, false}) {
    Story s;
    s.asks(0, {{1, {10}}, {2, {20}}});
    s.committed(s.history.append_alone(1, 11, Lsn(0)), 5);
    s.saw(9, {{1, {10, 11}}, {2, {20}}});
    EXPECT_EQ(s.wrong, "");
    s.saw_earlier(hidden ? 4 : 3, {{2, {}}});
    EXPECT_EQ(s.history.judge_places().empty(), !hidden) << "it stands before LSN 5 by the one list";
  }
}

TEST(AppendOutcomes, WhatIsValidatedFitsBeforeWhoChangesWhatItRead) {
  for (bool hidden : {true, false}) {
    Story s;
    Id a = s.begin(1, kValidated);
    s.read(a, 1, {});
    s.append(a, 2, 10), s.ask_commit(a);
    s.committed(s.history.append_alone(1, 11, Lsn(0)), 5);
    s.saw(9, {{2, {10}}, {1, {11}}});
    s.saw_earlier(hidden ? 4 : 3, {{2, {}}});
    EXPECT_EQ(s.wrong, "");
    EXPECT_EQ(s.history.judge_places().empty(), !hidden) << "it stands before LSN 5, as what it read changed there";
  }
}

// ---- Outcomes ----

TEST(AppendOutcomes, TheFirstOutcomeStays) {
  Story other_lsn;
  Id a = other_lsn.writes(0, 1, {{1, {10}}});
  other_lsn.committed(a, 2);
  EXPECT_WRONG(other_lsn, "when asked again");
  Story failed;
  a = failed.writes(0, 1, {{1, {10}}});
  failed.note(failed.history.conflicted(a, 1));
  EXPECT_WRONG(failed, "failed when asked again");
  Story revived;
  a = revived.begin(0);
  revived.append(a, 1, 10);
  revived.note(revived.history.rolled_back(a));
  revived.commit(a, 1);
  EXPECT_WRONG(revived, "commits all the same");
}

TEST(AppendOutcomes, WhatTheServerNoLongerKnewDoesNotCommit) {
  for (bool asked : {true, false}) {
    Story s;
    Id a = s.begin(0);
    s.append(a, 1, 10);
    if (asked) s.ask_commit(a);
    s.history.not_known(a);
    s.commit(a, 1);
    EXPECT_FALSE(s.verdict().empty());
    Story seen;
    a = seen.begin(0);
    seen.append(a, 1, 10);
    if (asked) seen.ask_commit(a);
    seen.history.not_known(a);
    seen.saw(1, {{1, {10}}});
    EXPECT_EQ(seen.verdict().empty(), asked) << "asked once, it may have committed before it was forgotten";
  }
  Story forgotten;
  Id b = forgotten.writes(0, 1, {{1, {10}}});
  forgotten.history.not_known(b);
  forgotten.saw(1, {{1, {10}}});
  EXPECT_RIGHT(forgotten);
}

// ---- Restarts ----

TEST(AppendOutcomes, WhatWasOpenAtARestartNeverCommits) {
  for (bool lossy : {true, false}) {
    for (bool read_only : {true, false}) {
      Story s;
      Id a = s.begin(0);
      if (!read_only) s.append(a, 1, 10);
      s.restarted(3, lossy);
      read_only ? s.commit_read_only(a) : s.commit(a, 4);
      EXPECT_WRONG(s, "was open when the server ended");
    }
    for (uint64_t lsn : {3, 4}) {
      Story asked;
      Id a = asked.begin(0);
      asked.append(a, 1, 10), asked.ask_commit(a);
      asked.restarted(3, lossy);
      asked.committed(a, lsn);
      EXPECT_EQ(asked.verdict().empty(), lsn == 3) << "it committed before the end, or never";
      Story seen;
      a = seen.asks(0, {{1, {10}}});
      seen.restarted(3, lossy);
      if (lsn == 4) seen.saw(3, {{1, {}}});
      seen.saw(5, {{1, {10}}});
      EXPECT_EQ(seen.verdict().empty(), lsn == 3);
    }
  }
  Story other;
  Id b = other.begin(0);
  other.append(b, 1, 10);
  other.restarted(3, false);
  other.told(1);
  other.commit(b, 2);
  EXPECT_WRONG(other, "was open when the server ended");
}

TEST(AppendOutcomes, NumberedRequestsAreSentAgain) {
  Story s;
  Id a = s.history.append_alone(1, 10, Lsn(0));
  s.restarted(3, false);
  s.saw(3, {{1, {}}});
  s.committed(a, 4);
  s.committed(a, 4);
  s.saw(4, {{1, {10}}});
  EXPECT_RIGHT(s);
  s.committed(a, 5);
  EXPECT_WRONG(s, "when asked again");
}

TEST(AppendOutcomes, NothingThatWasToldIsLostInSyncMode) {
  Story s;
  s.writes(0, 4, {{1, {10}}});
  s.restarted(3, false);
  EXPECT_WRONG(s, "the server came back with LSN 3");
}

/// Two commits are told, the second is lost; between them one without an answer, that was seen.
class Loss : public Story {
 public:
  Id kept = writes(0, 2, {{1, {10}}, {2, {11}}});
  Id between = asks(2, {{1, {12}}, {2, {13}}});
  Id gone = 0;
  explicit Loss(uint64_t survived) {
    saw(5, {{1, {10, 12}}, {2, {11, 13}}});
    gone = writes(5, 7, {{1, {14}}});
    saw(7, {{1, {10, 12, 14}}});
    restarted(survived, true);
    EXPECT_EQ(wrong, "");
  }
};

TEST(AppendOutcomes, ASuffixIsLostWhole) {
  for (bool survived : {true, false}) {
    Loss s(4);
    s.saw(4, survived ? Lists{{1, {10, 12}}, {2, {11, 13}}} : Lists{{1, {10}}, {2, {11}}});
    Id next = s.writes(4, 5, {{1, {20}}});
    s.saw(5, {{1, survived ? List{10, 12, 20} : List{10, 20}}, {3, {}}});
    EXPECT_RIGHT(s);
    s.committed(next, 5);
    s.history.not_known(s.gone);
    EXPECT_RIGHT(s);
  }
}

TEST(AppendOutcomes, FindsWhatALossMustNotDo) {
  Loss back(4);
  back.saw(5, {{1, {10, 12, 14}}});
  EXPECT_WRONG(back, "14 should not be there");
  Loss again(4);
  again.committed(again.gone, 7);
  EXPECT_WRONG(again, "commits all the same");
  Loss kept(4);
  kept.saw(4, {{1, {}}, {2, {}}});
  EXPECT_WRONG(kept, "does not show");
  Loss certain(6);
  certain.saw(6, {{1, {10}}, {2, {11}}});
  EXPECT_FALSE(certain.verdict().empty()) << "a snapshot at LSN 5 had shown it";
  Loss half(4);
  half.saw(4, {{1, {10, 12}}, {2, {11}}});
  EXPECT_WRONG(half, "has no place in the log");
  Loss moved(4);
  moved.asks(4, {{1, {20}}});
  moved.saw(5, {{1, {10, 20, 12}}});
  EXPECT_WRONG(moved, "was behind 1 values before");
  Story gone;
  gone.asks(0, {{1, {10}}});
  gone.saw(5, {{1, {}}}), gone.saw(7, {{1, {10}}});
  gone.restarted(5, true);
  gone.saw(6, {{1, {10}}});
  EXPECT_NE(gone.wrong, "") << "it stood after LSN 5";
  Loss late(4);
  late.saw(4, {{1, {10}}, {2, {11}}});
  late.saw(5, {{1, {10, 12}}, {2, {11, 13}}});
  EXPECT_WRONG(late, "has no place in the log");
}

TEST(AppendOutcomes, AnswersOfALostEpochSayNothing) {
  Story s;
  Id a = s.begin(7);
  auto look = s.history.look(Lsn(0));
  s.restarted(3, true);
  s.read(a, 1, {99});
  s.note(s.history.saw(look, {{1, {99}}}, Lsn(7)));
  s.writes(3, 4, {{1, {10}}});
  EXPECT_RIGHT(s);
}

}  // namespace
}  // namespace holdfast::chaos
