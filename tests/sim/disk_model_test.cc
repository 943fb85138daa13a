// The page-cache model by itself: what is durable when, and what a power loss may and may not do.
#include "sim/disk_model.h"

#include <gtest/gtest.h>

namespace holdfast::sim {
namespace {

using Mood = LossProfile::Mood;
using AfterError = DiskModel::AfterError;

constexpr uint64_t kQuota = 64 << 20;
const LossProfile kLoseAll{.mood = Mood::kLoseAll};
const LossProfile kKeepAll{.mood = Mood::kKeepAll};

struct Bench {
  explicit Bench(uint64_t seed = 1) : stream(seed, "test", trace) {}
  Trace trace;
  Stream stream;
  FaultCounts counts;
};

InodePtr make(DiskModel& disk, std::string_view path, std::string_view text = {}) {
  auto f = disk.create(path, false);
  EXPECT_TRUE(f) << path;
  if (!text.empty()) EXPECT_TRUE(disk.write(*f, 0, text));
  return *f;
}

std::string read(const DiskModel& disk, std::string_view path) {
  auto f = disk.find(path);
  if (!f) return "(missing)";
  std::string out((*f)->cache.size(), 'x');
  EXPECT_EQ(disk.read(*f, 0, out), out.size());
  return out;
}

TEST(DiskModel, SyncedDataUnderASyncedNameSurvivesTheWorstPowerLoss) {
  Bench b;
  DiskModel disk(kQuota);
  InodePtr f = make(disk, "f", "kept");
  disk.sync(f, disk.mark(), {});
  disk.sync(*disk.find(""), disk.mark(), {});
  EXPECT_TRUE(disk.write(f, 4, " and lost"));
  make(disk, "g", "lost");
  disk.power_loss(kLoseAll, b.stream, b.counts);
  EXPECT_EQ(read(disk, "f"), "kept");
  EXPECT_EQ(read(disk, "g"), "(missing)");
  EXPECT_GT(b.counts[Fault::kNameLost], 0u);
  EXPECT_GT(b.counts[Fault::kSizeLost], 0u);
}

TEST(DiskModel, SyncCoversOnlyWhatWasWrittenBeforeItBegan) {
  Bench b;
  DiskModel disk(kQuota);
  InodePtr f = make(disk, "f", "before");
  disk.sync(*disk.find(""), disk.mark(), {});
  uint64_t mark = disk.mark();
  EXPECT_TRUE(disk.write(f, 0, "AFTER!"));
  disk.sync(f, mark, {});
  EXPECT_EQ(*DurableView(disk).read("f"), "before");
  disk.power_loss(kLoseAll, b.stream, b.counts);
  EXPECT_EQ(read(disk, "f"), "before");
}

TEST(DiskModel, SyncOfAFileDoesNotMakeItsNameDurable) {
  Bench b;
  DiskModel disk(kQuota);
  InodePtr f = make(disk, "f", "data");
  disk.sync(f, disk.mark(), {});
  EXPECT_FALSE(DurableView(disk).size("f"));
  disk.power_loss(kLoseAll, b.stream, b.counts);
  EXPECT_EQ(read(disk, "f"), "(missing)");
}

TEST(DiskModel, RenameMaySurviveWhileTheDataDoesNot) {
  Bench b;
  DiskModel disk(kQuota);
  make(disk, "new", "data that nobody synced");
  EXPECT_TRUE(disk.rename("new", "final"));
  disk.sync(*disk.find(""), disk.mark(), {});
  disk.power_loss(kLoseAll, b.stream, b.counts);
  EXPECT_EQ(read(disk, "final"), "");
  EXPECT_EQ(read(disk, "new"), "(missing)");
}

TEST(DiskModel, RenameAndUnlinkRevertUntilTheirDirectoryIsSynced) {
  Bench b;
  DiskModel disk(kQuota);
  InodePtr a = make(disk, "a", "a");
  InodePtr c = make(disk, "c", "c");
  disk.sync(a, disk.mark(), {});
  disk.sync(c, disk.mark(), {});
  disk.sync(*disk.find(""), disk.mark(), {});
  EXPECT_TRUE(disk.rename("a", "b"));
  EXPECT_TRUE(disk.remove("c"));
  auto copy = disk.clone();
  copy->power_loss(kLoseAll, b.stream, b.counts);
  EXPECT_EQ(read(*copy, "a"), "a");
  EXPECT_EQ(read(*copy, "b"), "(missing)");
  EXPECT_EQ(read(*copy, "c"), "c");
  disk.sync(*disk.find(""), disk.mark(), {});
  disk.power_loss(kLoseAll, b.stream, b.counts);
  EXPECT_EQ(read(disk, "a"), "(missing)");
  EXPECT_EQ(read(disk, "b"), "a");
  EXPECT_EQ(read(disk, "c"), "(missing)");
}

TEST(DiskModel, RenameBetweenDirectoriesNeverLosesTheFile) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Bench b(seed);
    DiskModel disk(kQuota);
    EXPECT_TRUE(disk.create("d", true));
    InodePtr f = make(disk, "f", "f");
    disk.sync(f, disk.mark(), {});
    disk.sync(*disk.find(""), disk.mark(), {});
    EXPECT_TRUE(disk.rename("f", "d/g"));
    if (seed % 3 == 1) disk.sync(*disk.find(""), disk.mark(), {});
    if (seed % 3 == 2) disk.sync(*disk.find("d"), disk.mark(), {});
    disk.power_loss({}, b.stream, b.counts);
    EXPECT_EQ((read(disk, "f") == "f") + (read(disk, "d/g") == "f"), 1) << seed;
    if (seed % 3 != 0) EXPECT_EQ(read(disk, "d/g"), "f") << "a synced rename stays";
  }
}

TEST(DiskModel, TruncateAndPreallocateRevertUntilSynced) {
  Bench b;
  DiskModel disk(kQuota);
  InodePtr f = make(disk, "f", std::string(3000, 'a'));
  disk.sync(f, disk.mark(), {});
  disk.sync(*disk.find(""), disk.mark(), {});
  disk.resize(f, 100);
  EXPECT_TRUE(disk.zero(f, 100, 1 << 20));
  auto copy = disk.clone();
  copy->power_loss(kLoseAll, b.stream, b.counts);
  EXPECT_EQ(read(*copy, "f"), std::string(3000, 'a'));
  disk.sync(f, disk.mark(), {});
  disk.power_loss(kLoseAll, b.stream, b.counts);
  EXPECT_EQ(read(disk, "f"), std::string(100, 'a') + std::string(1 << 20, '\0'));
}

TEST(DiskModel, AfterAFailedSyncARetrySucceedsAndTheOldContentComesBack) {
  for (bool by_power_loss : {false, true}) {
    Bench b;
    DiskModel disk(kQuota);
    InodePtr f = make(disk, "f", std::string(5000, 'a'));
    disk.sync(f, disk.mark(), {});
    disk.sync(*disk.find(""), disk.mark(), {});
    EXPECT_TRUE(disk.write(f, 0, std::string(6000, 'b')));
    disk.sync_failed(f, disk.mark(), AfterError::kMarkedClean, kLoseAll, b.stream, b.counts);
    EXPECT_EQ(read(disk, "f"), std::string(6000, 'b')) << "the cache still shows it";
    disk.sync(f, disk.mark(), {});  // "succeeds"
    EXPECT_EQ(read(disk, "f"), std::string(6000, 'b'));
    if (by_power_loss)
      disk.power_loss(kLoseAll, b.stream, b.counts);
    else
      disk.evict(b.counts);
    EXPECT_EQ(read(disk, "f"), std::string(5000, 'a') + std::string(1000, '\0'))
        << "the size was synced, the data never was";
  }
}

TEST(DiskModel, WritesAfterAFailedSyncAreDurableByTheNextOneAlone) {
  Bench b;
  DiskModel disk(kQuota);
  InodePtr f = make(disk, "f", std::string(8192, 'a'));
  disk.sync(f, disk.mark(), {});
  disk.sync(*disk.find(""), disk.mark(), {});
  EXPECT_TRUE(disk.write(f, 0, std::string(4096, 'b')));
  disk.sync_failed(f, disk.mark(), AfterError::kMarkedClean, kLoseAll, b.stream, b.counts);
  EXPECT_TRUE(disk.write(f, 4096, std::string(4096, 'c')));
  disk.sync(f, disk.mark(), {});
  disk.power_loss(kKeepAll, b.stream, b.counts);
  EXPECT_EQ(read(disk, "f"), std::string(4096, 'a') + std::string(4096, 'c'));
}

TEST(DiskModel, AfterAFailedSyncThatLeavesPagesDirtyARetryIsHonest) {
  Bench b;
  DiskModel disk(kQuota);
  InodePtr f = make(disk, "f", "old");
  disk.sync(f, disk.mark(), {});
  disk.sync(*disk.find(""), disk.mark(), {});
  EXPECT_TRUE(disk.write(f, 0, "new"));
  disk.sync_failed(f, disk.mark(), AfterError::kStillDirty, kLoseAll, b.stream, b.counts);
  EXPECT_EQ(*DurableView(disk).read("f"), "old");
  disk.sync(f, disk.mark(), {});
  EXPECT_EQ(*DurableView(disk).read("f"), "new");
}

TEST(DiskModel, FailedDirectorySyncForgetsTheNames) {
  Bench b;
  DiskModel disk(kQuota);
  make(disk, "f");
  disk.sync_failed(*disk.find(""), disk.mark(), AfterError::kMarkedClean, {}, b.stream, b.counts);
  disk.sync(*disk.find(""), disk.mark(), {});
  EXPECT_EQ(read(disk, "f"), "") << "processes still see it";
  disk.power_loss(kKeepAll, b.stream, b.counts);
  EXPECT_EQ(read(disk, "f"), "(missing)");
}

TEST(DiskModel, FullDiskRefusesNewPagesButNotTheOldOnes) {
  DiskModel disk(10 * kPageBytes);
  InodePtr f = make(disk, "f");
  EXPECT_TRUE(disk.zero(f, 0, 8 * kPageBytes));
  EXPECT_EQ(disk.free_bytes(), 2 * kPageBytes);
  EXPECT_EQ(disk.write(f, 8 * kPageBytes, std::string(3 * kPageBytes, 'x')).error().code, Code::kDiskFull);
  EXPECT_EQ(disk.zero(f, 1ULL << 60, 1).error().code, Code::kDiskFull);
  EXPECT_TRUE(disk.write(f, 0, std::string(8 * kPageBytes, 'x'))) << "preallocated room is there";
  EXPECT_EQ(f->cache.size(), 8 * kPageBytes) << "what was refused left nothing behind";
  EXPECT_TRUE(disk.remove("f"));
  f.reset();
  disk.sync(*disk.find(""), disk.mark(), {});
  EXPECT_EQ(disk.free_bytes(), 10 * kPageBytes);
}

TEST(DiskModel, FlippedBitStaysThroughSyncsAndPowerLossesAndIsOnRecord) {
  Bench b;
  DiskModel disk(kQuota);
  EXPECT_TRUE(disk.create("d", true));
  InodePtr f = make(disk, "d/f", std::string(1000, 'a'));
  EXPECT_FALSE(disk.flip_bit("d/f", 500, 0, b.counts)) << "not durable yet";
  disk.sync(f, disk.mark(), {});
  disk.sync(*disk.find("d"), disk.mark(), {});
  disk.sync(*disk.find(""), disk.mark(), {});
  EXPECT_TRUE(disk.flip_bit("d/f", 500, 0, b.counts));
  EXPECT_FALSE(disk.flip_bit("d/f", 1000, 0, b.counts)) << "past the end";
  std::string damaged = std::string(500, 'a') + static_cast<char>('a' ^ 1) + std::string(499, 'a');
  EXPECT_EQ(read(disk, "d/f"), damaged);
  disk.sync(f, disk.mark(), {});
  disk.power_loss({}, b.stream, b.counts);
  EXPECT_EQ(read(disk, "d/f"), damaged);
  ASSERT_EQ(disk.damage().size(), 1u);
  EXPECT_EQ(disk.damage()[0].path, "d/f");
  EXPECT_EQ(disk.damage()[0].offset, 500u);
}

TEST(DiskModel, DurableViewShowsWhatWouldSurelySurvive) {
  DiskModel disk(kQuota);
  EXPECT_TRUE(disk.create("d", true));
  InodePtr f = make(disk, "d/f", "text");
  DurableView view(disk);
  EXPECT_TRUE(view.files().empty());
  disk.sync(*disk.find("d"), disk.mark(), {});
  EXPECT_TRUE(view.files().empty()) << "its directory has no durable name";
  disk.sync(*disk.find(""), disk.mark(), {});
  EXPECT_EQ(view.files(), std::vector<std::string>{"d/f"});
  EXPECT_EQ(view.size("d/f"), 0u);
  disk.sync(f, disk.mark(), {});
  EXPECT_EQ(view.read("d/f"), "text");
  EXPECT_EQ(view.list("d").size(), 1u);
  EXPECT_FALSE(view.read("d"));
}

TEST(DiskModel, CloneIsADiskOfItsOwn) {
  Bench b;
  DiskModel disk(kQuota);
  EXPECT_TRUE(disk.create("d", true));
  InodePtr f = make(disk, "d/f", "synced");
  disk.sync(f, disk.mark(), {});
  disk.sync(*disk.find("d"), disk.mark(), {});
  disk.sync(*disk.find(""), disk.mark(), {});
  EXPECT_TRUE(disk.write(f, 0, "SYNCED, not"));
  EXPECT_TRUE(disk.rename("d/f", "g"));
  auto copy = disk.clone();
  EXPECT_EQ(copy->durable_digest(), disk.durable_digest());
  EXPECT_EQ(copy->free_bytes(), disk.free_bytes());
  EXPECT_EQ(read(*copy, "g"), "SYNCED, not");
  disk.power_loss(kLoseAll, b.stream, b.counts);
  EXPECT_EQ(read(disk, "d/f"), "synced");
  EXPECT_EQ(read(*copy, "g"), "SYNCED, not");
  copy->power_loss(kKeepAll, b.stream, b.counts);
  EXPECT_EQ(read(*copy, "g"), "SYNCED, not");
  EXPECT_NE(copy->durable_digest(), disk.durable_digest());
}

TEST(DiskModel, SameSeedSameSurvivors) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    uint64_t digests[2];
    for (uint64_t& d : digests) {
      Bench b(seed);
      DiskModel disk(kQuota);
      for (int i = 0; i < 5; ++i) make(disk, std::string(1, static_cast<char>('a' + i)), std::string(5000, 'x'));
      disk.power_loss({}, b.stream, b.counts);
      d = disk.durable_digest();
    }
    EXPECT_EQ(digests[0], digests[1]);
  }
}

TEST(DiskModel, ASettledDiskLosesFilesAndIsGivenOthersForGood) {
  Bench b;
  DiskModel disk(kQuota);
  ASSERT_TRUE(disk.create("d", true));
  make(disk, "d/f", "its own");
  make(disk, "d/g", "its own, too");
  disk.settle();
  EXPECT_TRUE(disk.put("d/f", "another's", Fault::kForeign, b.counts));
  EXPECT_TRUE(disk.put("new/sub/h", "older", Fault::kStale, b.counts));
  EXPECT_TRUE(disk.take_away("d/g", Fault::kWiped, b.counts));
  EXPECT_FALSE(disk.take_away("d/g", Fault::kWiped, b.counts)) << "gone already";
  for (int look = 0; look < 2; ++look) {
    EXPECT_EQ(read(disk, "d/f"), "another's");
    EXPECT_EQ(read(disk, "d/g"), "(missing)");
    EXPECT_EQ(read(disk, "new/sub/h"), "older");
    disk.power_loss(kLoseAll, b.stream, b.counts);
  }
  EXPECT_EQ(DurableView(disk).files(), (std::vector<std::string>{"d/f", "new/sub/h"}));
  uint64_t free = disk.free_bytes();
  EXPECT_TRUE(disk.take_away("new", Fault::kWiped, b.counts));
  EXPECT_EQ(disk.free_bytes(), free + kPageBytes) << "with all that was in it";
  EXPECT_EQ(disk.damage().size(), 4u);
  EXPECT_EQ(b.counts[Fault::kForeign] + b.counts[Fault::kStale] + b.counts[Fault::kWiped], 4u);
}

}  // namespace
}  // namespace holdfast::sim
