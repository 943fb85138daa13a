// Document locks and pending versions: order of arrival, handing over, leaving with the entry that brought them.
#include "core/overlay.h"

#include <gtest/gtest.h>

#include "tests/support/test_executor.h"

namespace holdfast::core {
namespace {

using Log = std::vector<std::string>;

constexpr CollectionId kCollection{7};

io::Task<void> lock_and_log(Overlay& overlay, Bytes key, Log& log, std::string name, io::Event& release) {
  Overlay::Locked d = co_await overlay.lock({kCollection, key});
  log.push_back(name + " in");
  co_await release.wait();
  log.push_back(name + " out");
  overlay.unlock(d);
}

TEST(Overlay, HandsALockOnInOrderOfArrival) {
  test::TestExecutor executor;
  Overlay overlay{IdHasher(7)};
  Log log;
  io::Event first, rest;
  executor.spawn(lock_and_log(overlay, "k", log, "a", first));
  executor.spawn(lock_and_log(overlay, "k", log, "b", rest));
  executor.spawn(lock_and_log(overlay, "k", log, "c", rest));
  executor.run();
  EXPECT_EQ(log, (Log{"a in"}));
  EXPECT_EQ(overlay.try_lock({kCollection, "k"}), nullptr);
  rest.set();
  first.set();
  executor.run();
  EXPECT_EQ(log, (Log{"a in", "a out", "b in", "b out", "c in", "c out"}));
  EXPECT_EQ(overlay.size(), 0u) << "an idle document leaves nothing behind";
}

TEST(Overlay, LocksOfOtherDocumentsAndCollectionsDoNotMeet) {
  Overlay overlay{IdHasher(7)};
  Overlay::Locked a = overlay.try_lock({kCollection, "k"});
  Overlay::Locked b = overlay.try_lock({kCollection, "l"});
  Overlay::Locked c = overlay.try_lock({CollectionId(8), "k"});
  ASSERT_TRUE(a && b && c);
  EXPECT_EQ(overlay.size(), 3u);
  overlay.unlock(a);
  overlay.unlock(b);
  overlay.unlock(c);
  EXPECT_EQ(overlay.size(), 0u);
}

SubmissionRef put(Overlay::Locked d, Bytes body) {
  auto entry = std::make_shared<Submission>(CoreId(0));
  entry->add({EffectKind::kPut, DatabaseId(1), ShardId(0), kCollection, d->first.key, body});
  d->second.add({entry, true, body});
  return entry;
}

TEST(Overlay, PendingVersionsLeaveWithTheirEntriesInOrder) {
  Overlay overlay{IdHasher(7)};
  Overlay::Locked d = overlay.try_lock({kCollection, "k"});
  SubmissionRef one = put(d, "1");
  SubmissionRef two = put(d, "2");
  overlay.unlock(d);
  overlay.applied(kCollection, "k", *one);
  d = overlay.try_lock({kCollection, "k"});
  ASSERT_TRUE(d->second.newest());
  EXPECT_EQ(d->second.newest()->body, "2");
  overlay.applied(kCollection, "k", *two);
  EXPECT_EQ(d->second.newest(), nullptr);
  overlay.unlock(d);
  EXPECT_EQ(overlay.size(), 0u);
}

TEST(Overlay, AnEntryAppliedBeforeItsVersionWasAddedTakesNoOthersAway) {
  Overlay overlay{IdHasher(7)};
  Overlay::Locked d = overlay.try_lock({kCollection, "k"});
  SubmissionRef pending = put(d, "1");
  Submission stranger(CoreId(1));
  overlay.applied(kCollection, "k", stranger);
  ASSERT_TRUE(d->second.newest());
  EXPECT_EQ(d->second.newest()->entry, pending);
  overlay.unlock(d);
}

TEST(Overlay, WaitersMayDieInACrashWhileTheLockIsHeld) {
  Overlay overlay{IdHasher(7)};
  Log log;
  io::Event never;
  test::TestExecutor executor;
  executor.spawn(lock_and_log(overlay, "k", log, "a", never));
  executor.spawn(lock_and_log(overlay, "k", log, "b", never));
  executor.run();
  executor.crash();
  EXPECT_EQ(log, (Log{"a in"}));
}

}  // namespace
}  // namespace holdfast::core
