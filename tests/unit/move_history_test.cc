// The judge of documents that are moved from group to group, many at once: it takes every history that a server with snapshot isolation can give, and no other.
#include "chaos/oracle/move_history.h"

#include <gtest/gtest.h>

namespace holdfast::chaos {
namespace {

using Move = MoveHistory::Move;
using Logs = std::vector<std::vector<MoveHistory::MoveId>>;

/// Four documents in two groups: 0 and 2 in group 0, 1 and 3 in group 1; 3 is stubborn. LSN 1 made them.
class Story {
 public:
  MoveHistory history{4, 2};
  Story() { history.made(Lsn(1)); }

  MoveHistory::MoveId ask(Move move, uint64_t after) { return history.ask(move, Lsn(after)); }
  MoveHistory::MoveId moved(Move move, uint64_t after, uint64_t lsn, uint64_t documents) {
    auto id = ask(move, after);
    history.moved(id, Lsn(lsn), documents);
    return id;
  }
  MoveHistory::MoveId lost(Move move, uint64_t after) {
    auto id = ask(move, after);
    history.unknown(id);
    return id;
  }
  /// Each document with its moves, and where they lead when nothing else is said.
  bool shows(const Logs& logs, uint64_t at, std::map<uint64_t, uint64_t> groups = {}) {
    std::map<MoveHistory::Document, MoveHistory::Shown> all;
    for (uint64_t d = 0; d < logs.size(); ++d) {
      uint64_t group = history.first_group(d);
      for (auto id : logs[d]) group = to_[id];
      all[d] = {groups.contains(d) ? groups[d] : group, logs[d]};
    }
    return history.saw(all, Lsn(at)).empty();
  }
  bool right() { return history.judge().empty(); }
  /// So that shows() can tell where moves lead.
  std::map<MoveHistory::MoveId, uint64_t> to_;
};

TEST(MoveHistory, AMoveIsSeenFromItsPlaceOnOfAllItsDocuments) {
  Story s;
  auto a = s.moved({.from = 0, .to = 1}, 1, 5, 2);
  s.to_[a] = 1;
  EXPECT_TRUE(s.shows({{}, {}, {}, {}}, 4));
  EXPECT_TRUE(s.shows({{a}, {}, {a}, {}}, 5));
  EXPECT_TRUE(s.right());
  EXPECT_FALSE(s.shows({{}, {}, {}, {}}, 5)) << "it is gone";
  EXPECT_FALSE(s.shows({{a}, {}, {}, {}}, 6)) << "half of it";
  EXPECT_FALSE(s.shows({{a}, {}, {a}, {}}, 4)) << "before its place";
  EXPECT_FALSE(s.shows({{a}, {}, {a}, {}}, 6, {{0, 0}})) << "the group is another";
}

TEST(MoveHistory, OneWithoutAnAnswerHappensWholeOrNot) {
  Story s;
  auto a = s.lost({.from = 0, .to = 1}, 1);
  s.to_[a] = 1;
  EXPECT_TRUE(s.shows({{}, {}, {}, {}}, 3));
  EXPECT_TRUE(s.shows({{a}, {}, {a}, {}}, 7));
  EXPECT_TRUE(s.right());
  EXPECT_FALSE(s.shows({{a}, {}, {a}, {}}, 3)) << "it was absent there";
  Story half;
  auto b = half.lost({.from = 0, .to = 1}, 1);
  half.to_[b] = 1;
  EXPECT_TRUE(half.shows({{b}, {}, {}, {}}, 7));
  EXPECT_FALSE(half.right()) << "document 2 was in the group all the time";
}

TEST(MoveHistory, WhatIsMovedHasNotChangedSinceItWasLookedAt) {
  Story s;
  // Both were asked at once; the first in the log took document 0 out of the group, so the second must have looked after that, or not have met it.
  auto one = s.moved({.from = 0, .to = 1, .only = 0}, 1, 5, 1);
  auto all = s.moved({.from = 0, .to = 1}, 1, 6, 1);
  s.to_[one] = s.to_[all] = 1;
  EXPECT_TRUE(s.shows({{one}, {}, {all}, {}}, 6));
  EXPECT_TRUE(s.right());
  Story wrong;
  auto back = wrong.moved({.from = 0, .to = 0, .only = 0}, 1, 5, 1);
  auto late = wrong.moved({.from = 0, .to = 1}, 1, 6, 1);
  wrong.to_[back] = 0;
  wrong.to_[late] = 1;
  EXPECT_TRUE(wrong.shows({{back, late}, {}, {}, {}}, 6));
  EXPECT_FALSE(wrong.right()) << "document 2 was left behind";
}

TEST(MoveHistory, AllIsSeenAtOneMoment) {
  // Document 1 comes into group 0 when document 0 leaves it: who moves the group meets one of them.
  for (bool both : {false, true}) {
    Story s;
    auto swap_in = s.moved({.from = 1, .to = 0, .only = 1}, 1, 4, 1);
    auto swap_out = s.moved({.from = 0, .to = 1, .only = 0}, 1, 5, 1);
    auto all = s.moved({.from = 0, .to = 1}, 1, 6, both ? 2 : 1);
    s.to_[swap_in] = 0;
    s.to_[swap_out] = s.to_[all] = 1;
    EXPECT_TRUE(s.shows({{swap_out}, {swap_in, all}, both ? std::vector{all} : std::vector<MoveHistory::MoveId>{}, {}}, 6));
    EXPECT_EQ(s.right(), both) << "document 2 never left";
  }
}

TEST(MoveHistory, AnswersWithoutAChangeMustHaveBeenRight) {
  Story s;
  auto none = s.ask({.from = 0, .to = 1}, 3);
  s.history.none_there(none, Lsn(4));
  EXPECT_TRUE(s.shows({{}, {}, {}, {}}, 9));
  EXPECT_FALSE(s.right()) << "there were two";
  Story empty;
  auto out = empty.moved({.from = 0, .to = 1}, 1, 3, 2);
  empty.to_[out] = 1;
  empty.history.none_there(empty.ask({.from = 0, .to = 1}, 2), Lsn(4));
  EXPECT_TRUE(empty.shows({{out}, {}, {out}, {}}, 9));
  EXPECT_TRUE(empty.right());
  empty.history.not_allowed(empty.ask({.from = 0, .to = 1, .refused_by_stubborn = true}, 4));
  EXPECT_FALSE(empty.right()) << "nobody there is stubborn";
  Story stubborn;
  stubborn.history.not_allowed(stubborn.ask({.from = 1, .to = 0, .refused_by_stubborn = true}, 4));
  EXPECT_TRUE(stubborn.shows({{}, {}, {}, {}}, 9) && stubborn.right());
}

TEST(MoveHistory, TheFirstIsTheOneThatWasMovedLeast) {
  // Documents 0 and 2 are in group 0, and 0 was moved there once.
  for (bool right : {true, false}) {
    Story s;
    auto once = s.moved({.from = 0, .to = 0, .only = 0}, 1, 3, 1);
    auto first = s.moved({.from = 0, .to = 1, .first = true}, 3, 5, 1);
    s.to_[once] = 0;
    s.to_[first] = 1;
    EXPECT_TRUE(right ? s.shows({{once}, {}, {first}, {}}, 6) : s.shows({{once, first}, {}, {}, {}}, 6));
    EXPECT_EQ(s.right(), right);
  }
  Story two;
  auto one = two.lost({.from = 0, .to = 1, .first = true}, 1);
  two.to_[one] = 1;
  EXPECT_FALSE(two.shows({{one}, {}, {one}, {}}, 6));
}

TEST(MoveHistory, WhatWasLostIsNeverSeenAgain) {
  Story s;
  auto kept = s.moved({.from = 0, .to = 1}, 1, 3, 2);
  auto gone = s.moved({.from = 1, .to = 0}, 3, 8, 4);
  s.to_[kept] = 1;
  s.to_[gone] = 0;
  s.history.restarted(Lsn(5), true);
  EXPECT_TRUE(s.shows({{kept}, {}, {kept}, {}}, 6) && s.right());
  EXPECT_FALSE(s.shows({{kept, gone}, {gone}, {kept, gone}, {gone}}, 7));
}

TEST(MoveHistory, DocumentsAreAllThereOnceTheyWereMade) {
  Story s;
  EXPECT_TRUE(s.history.saw({}, Lsn(0)).empty());
  EXPECT_FALSE(s.history.saw({}, Lsn(1)).empty());
  s.history.restarted(Lsn(0), true);
  EXPECT_TRUE(s.history.saw({}, Lsn(1)).empty()) << "they were lost";
}

}  // namespace
}  // namespace holdfast::chaos
