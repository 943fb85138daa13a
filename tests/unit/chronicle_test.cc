// The chronicle: which survivors of a made-up crash it accepts, and which it does not.
#include "chaos/oracle/chronicle.h"

#include <gtest/gtest.h>

namespace holdfast::chaos {
namespace {

using There = std::map<DocumentName, DocumentState>;
constexpr DocumentState kFirst{.exists = true, .value = 1};
constexpr DocumentState kSecond{.exists = true, .value = 2, .counter = 1};

// Document a: inserted (LSN 1, told at 20), updated (LSN 3, told at 40). Document b: inserted (LSN 2, told at 30). Document c: asked for at 35, never
// answered. Nothing had been durable but LSN 1, when b was answered.
Chronicle story(bool sync) {
  Chronicle c({.sync = sync});
  auto a = c.asked({10}, "x/a", kFirst);
  c.done(a, {20}, Lsn(1), Lsn(0));
  auto b = c.asked({15}, "x/b", kFirst);
  c.done(b, {30}, Lsn(2), Lsn(1));
  (void)c.asked({35}, "x/c", kFirst);
  auto a2 = c.asked({21}, "x/a", kSecond);
  c.done(a2, {40}, Lsn(3), Lsn(1));
  return c;
}

size_t wrongs(const Chronicle& c, int64_t cut, uint64_t recovered, const There& there) { return c.judge({cut}, Lsn(recovered), there).size(); }

TEST(Chronicle, AcceptsEveryPrefixThatCoversWhatWasDurable) {
  Chronicle c = story(false);
  EXPECT_EQ(wrongs(c, 50, 3, {{"x/a", kSecond}, {"x/b", kFirst}}), 0u);
  EXPECT_EQ(wrongs(c, 50, 3, {{"x/a", kSecond}, {"x/b", kFirst}, {"x/c", kFirst}}), 0u);
  EXPECT_EQ(wrongs(c, 50, 2, {{"x/a", kFirst}, {"x/b", kFirst}}), 0u);
  EXPECT_EQ(wrongs(c, 50, 1, {{"x/a", kFirst}}), 0u);
  EXPECT_EQ(wrongs(c, 50, 0, {}), 1u) << "LSN 1 was reported durable";
  EXPECT_EQ(wrongs(c, 30, 0, {}), 0u) << "but nobody had been told before the cut";
}

TEST(Chronicle, WantsEverythingAcknowledgedInSyncMode) {
  Chronicle c = story(true);
  EXPECT_EQ(wrongs(c, 50, 3, {{"x/a", kSecond}, {"x/b", kFirst}}), 0u);
  EXPECT_EQ(wrongs(c, 50, 2, {{"x/a", kFirst}, {"x/b", kFirst}}), 1u);
  EXPECT_EQ(wrongs(c, 40, 2, {{"x/a", kFirst}, {"x/b", kFirst}}), 0u) << "told at 40, not before";
}

TEST(Chronicle, SeesAHoleAndAnOldVersion) {
  Chronicle c = story(false);
  EXPECT_EQ(wrongs(c, 50, 3, {{"x/a", kSecond}}), 1u) << "LSN 2 is missing";
  EXPECT_EQ(wrongs(c, 50, 3, {{"x/a", kFirst}, {"x/b", kFirst}}), 1u) << "LSN 3 is missing";
  EXPECT_EQ(wrongs(c, 50, 2, {{"x/a", kSecond}, {"x/b", kFirst}}), 1u) << "LSN 3 should not be there";
  EXPECT_EQ(wrongs(c, 50, 3, {{"x/a", {.exists = true, .value = 2}}, {"x/b", kFirst}}), 1u) << "half an update";
}

TEST(Chronicle, SeesWhatNobodyWroteOrHadNotAskedForYet) {
  Chronicle c = story(false);
  EXPECT_EQ(wrongs(c, 50, 3, {{"x/a", kSecond}, {"x/b", kFirst}, {"x/d", kFirst}}), 1u);
  EXPECT_EQ(wrongs(c, 30, 2, {{"x/a", kFirst}, {"x/b", kFirst}, {"x/c", kFirst}}), 1u);
}

TEST(Chronicle, WantsAnUnansweredBatchWholeOrNotAtAll) {
  Chronicle c({.sync = true});
  (void)c.asked({10}, "x/a", kFirst, 7);
  (void)c.asked({10}, "x/b", kFirst, 7);
  EXPECT_EQ(wrongs(c, 20, 1, {{"x/a", kFirst}, {"x/b", kFirst}}), 0u);
  EXPECT_EQ(wrongs(c, 20, 0, {}), 0u);
  EXPECT_EQ(wrongs(c, 20, 1, {{"x/b", kFirst}}), 1u);
}

TEST(Chronicle, KnowsThatARefusedChangeNeverHappens) {
  Chronicle c({.sync = true});
  c.refused(c.asked({10}, "x/a", kFirst));
  EXPECT_EQ(wrongs(c, 20, 0, {}), 0u);
  EXPECT_EQ(wrongs(c, 20, 1, {{"x/a", kFirst}}), 1u);
}

TEST(Chronicle, WantsWhatWasDeletedGone) {
  Chronicle c({.sync = true});
  c.done(c.asked({10}, "x/a", kFirst), {11}, Lsn(1), Lsn(1));
  c.done(c.asked({12}, "x/a", {}), {13}, Lsn(2), Lsn(2));
  EXPECT_EQ(wrongs(c, 20, 2, {}), 0u);
  EXPECT_EQ(wrongs(c, 20, 2, {{"x/a", kFirst}}), 1u);
}

}  // namespace
}  // namespace holdfast::chaos
