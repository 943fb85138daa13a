// Everything that a power loss may leave, gone through: on disks so small that a person can list it.
#include "sim/loss_space.h"

#include <gtest/gtest.h>

#include <set>

#include "sim/loss.h"

namespace holdfast::sim {
namespace {

constexpr uint64_t kQuota = 64 << 20;
constexpr uint64_t kCap = 10'000;

std::string sector_of(char c) { return std::string(kSectorBytes, c); }

void sync_all(DiskModel& disk, const InodePtr& file) {
  disk.sync(file, disk.mark(), {});
  disk.sync(*disk.find(""), disk.mark(), {});
}

/// Every file as "name=content", a letter per sector (its first byte; '~' when the sector is not all the same), sorted.
std::string look(const DiskModel& disk) {
  std::string out;
  DurableView view(disk);
  for (const std::string& path : view.files()) {
    Buffer bytes = *view.read(path);
    out += (out.empty() ? "" : " ") + path + "=";
    for (size_t at = 0; at < bytes.size(); at += kSectorBytes) {
      Bytes one = Bytes(bytes).substr(at, kSectorBytes);
      bool pure = one.find_first_not_of(one[0]) == Bytes::npos;
      out += !pure ? '~' : one[0] == 0 ? '0' : one[0];
    }
  }
  return out;
}

/// All images without tears, and how many plans there were.
std::set<std::string> images(const DiskModel& disk, uint64_t* plans_given = nullptr, uint64_t cap = kCap) {
  LossSpace space(disk);
  LossPlans plans(space, cap, 1);
  std::set<std::string> out;
  FaultCounts counts;
  uint64_t n = 0;
  while (auto plan = plans.next()) {
    if (!plan->torn.empty()) continue;
    ++n;
    auto clone = disk.clone();
    space.lose(*clone, *plan, counts);
    out.insert(look(*clone));
  }
  if (plans_given) *plans_given = n;
  return out;
}

TEST(LossSpace, TwoDirtySectorsAndOneRenameLeaveEightImages) {
  DiskModel disk(kQuota);
  InodePtr f = *disk.create("a", false);
  ASSERT_TRUE(disk.write(f, 0, sector_of('x') + sector_of('y')));
  sync_all(disk, f);
  ASSERT_TRUE(disk.write(f, 0, sector_of('X') + sector_of('Y')));
  ASSERT_TRUE(disk.rename("a", "b"));
  uint64_t plans = 0;
  std::set<std::string> expected = {"a=xy", "a=Xy", "a=xY", "a=XY", "b=xy", "b=Xy", "b=xY", "b=XY"};
  EXPECT_EQ(images(disk, &plans), expected);
  EXPECT_EQ(plans, 8u);
}

TEST(LossSpace, ASectorMayHoldAnyVersionSinceItsLastSync) {
  DiskModel disk(kQuota);
  InodePtr f = *disk.create("a", false);
  ASSERT_TRUE(disk.write(f, 0, sector_of('1')));
  sync_all(disk, f);
  for (char c : {'2', '3'}) ASSERT_TRUE(disk.write(f, 0, sector_of(c)));
  EXPECT_EQ(images(disk), (std::set<std::string>{"a=1", "a=2", "a=3"}));
}

TEST(LossSpace, WhatIsWrittenAgainUnchangedIsNoChoice) {
  DiskModel disk(kQuota);
  InodePtr f = *disk.create("a", false);
  ASSERT_TRUE(disk.write(f, 0, sector_of('1') + sector_of('2')));
  sync_all(disk, f);
  ASSERT_TRUE(disk.write(f, 0, sector_of('1') + sector_of('3')));
  EXPECT_EQ(LossSpace(disk).combinations(), 2u);
  EXPECT_EQ(images(disk), (std::set<std::string>{"a=12", "a=13"}));
}

TEST(LossSpace, SizesAreLostByThemselves) {
  DiskModel disk(kQuota);
  InodePtr f = *disk.create("a", false);
  ASSERT_TRUE(disk.write(f, 0, sector_of('1')));
  sync_all(disk, f);
  ASSERT_TRUE(disk.write(f, kSectorBytes, sector_of('2')));
  // The size without its data shows zeros; the data without the size shows nothing.
  EXPECT_EQ(images(disk), (std::set<std::string>{"a=1", "a=10", "a=12"}));
}

TEST(LossSpace, ANameNeedsTheOneThatItRestsOn) {
  DiskModel disk(kQuota);
  InodePtr f = *disk.create("a", false);
  disk.sync(f, disk.mark(), {});
  ASSERT_TRUE(disk.rename("a", "b"));
  ASSERT_TRUE(disk.create("c", false));
  // Creation of a, its rename, creation of c: the rename rests on the creation.
  EXPECT_EQ(images(disk), (std::set<std::string>{"", "c=", "a=", "a= c=", "b=", "b= c="}));
}

TEST(LossSpace, WhatWasSyncedIsInEveryImage) {
  DiskModel disk(kQuota);
  InodePtr f = *disk.create("a", false);
  ASSERT_TRUE(disk.write(f, 0, sector_of('1')));
  sync_all(disk, f);
  EXPECT_TRUE(LossSpace(disk).choices().empty());
  EXPECT_EQ(images(disk), (std::set<std::string>{"a=1"}));
}

/// 24 sectors and a name: far more than the cap.
std::unique_ptr<DiskModel> large() {
  auto disk = std::make_unique<DiskModel>(kQuota);
  InodePtr f = *disk->create("a", false);
  EXPECT_TRUE(disk->write(f, 0, std::string(24 * kSectorBytes, 'o')));
  sync_all(*disk, f);
  for (uint64_t i = 0; i < 24; ++i) EXPECT_TRUE(disk->write(f, i * kSectorBytes, sector_of('n')));
  EXPECT_TRUE(disk->rename("a", "b"));
  return disk;
}

TEST(LossPlans, BeyondTheCapTheExtremesComeFirst) {
  auto disk = large();
  LossSpace space(*disk);
  EXPECT_EQ(space.combinations(), uint64_t{1} << 25);
  uint64_t plans = 0;
  std::set<std::string> seen = images(*disk, &plans, 200);
  EXPECT_EQ(plans, 200u);
  auto file = [](uint64_t from, uint64_t to, char inside, char outside) {
    std::string s(24, outside);
    std::fill(s.begin() + static_cast<ptrdiff_t>(from), s.begin() + static_cast<ptrdiff_t>(to), inside);
    return s;
  };
  EXPECT_TRUE(seen.contains("b=" + file(0, 24, 'n', 'o'))) << "all kept";
  EXPECT_TRUE(seen.contains("a=" + file(0, 24, 'o', 'n'))) << "all lost";
  EXPECT_TRUE(seen.contains("a=" + file(0, 24, 'n', 'o'))) << "the name alone lost";
  EXPECT_TRUE(seen.contains("b=" + file(0, 24, 'o', 'n'))) << "the name alone kept";
  for (uint64_t i = 0; i < 24; ++i) {
    EXPECT_TRUE(seen.contains("b=" + file(i, i + 1, 'o', 'n'))) << "sector " << i << " alone lost";
    EXPECT_TRUE(seen.contains("a=" + file(i, i + 1, 'n', 'o'))) << "sector " << i << " alone kept";
    EXPECT_TRUE(seen.contains("a=" + file(0, i, 'n', 'o'))) << "all until sector " << i;
  }
  EXPECT_GT(seen.size(), 24u * 3 + 4) << "and samples";
}

TEST(LossPlans, TearsLeavePartsOfVersionsAndGarbage) {
  auto disk = large();
  LossSpace space(*disk);
  LossPlans plans(space, 200, 1);
  FaultCounts counts;
  uint64_t torn = 0;
  while (auto plan = plans.next()) {
    if (plan->torn.empty()) continue;
    ++torn;
    auto clone = disk->clone();
    space.lose(*clone, *plan, counts);
    EXPECT_NE(look(*clone).find('~'), std::string::npos);
    EXPECT_FALSE(space.describe(*plan).empty());
  }
  EXPECT_EQ(torn, 50u);
  EXPECT_GE(counts[Fault::kSectorTorn], 50u);
  EXPECT_GT(counts[Fault::kSectorGarbage], 5u);
}

TEST(LossPlans, TheSameSeedGivesTheSamePlans) {
  auto disk = large();
  LossSpace space(*disk);
  LossPlans a(space, 300, 7), b(space, 300, 7);
  while (auto plan = a.next()) {
    auto other = b.next();
    ASSERT_TRUE(other);
    ASSERT_EQ(plan->picks, other->picks);
    ASSERT_EQ(plan->torn.size(), other->torn.size());
  }
  EXPECT_FALSE(b.next());
}

/// Whatever a stream draws, going through the space finds it, too.
TEST(LossSpace, HoldsWhateverIsDrawn) {
  DiskModel disk(kQuota);
  InodePtr f = *disk.create("a", false);
  ASSERT_TRUE(disk.write(f, 0, sector_of('1') + sector_of('2')));
  sync_all(disk, f);
  ASSERT_TRUE(disk.write(f, kSectorBytes, sector_of('3') + sector_of('4')));
  disk.resize(f, kSectorBytes);
  ASSERT_TRUE(disk.write(f, 0, sector_of('5')));
  ASSERT_TRUE(disk.rename("a", "b"));
  InodePtr g = *disk.create("a", false);
  ASSERT_TRUE(disk.write(g, 0, sector_of('6')));
  std::set<std::string> all = images(disk);
  std::set<std::string> drawn;
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    Trace trace;
    Stream s(seed, "loss", trace);
    FaultCounts counts;
    auto clone = disk.clone();
    clone->power_loss({.torn = 0, .garbage = 0}, s, counts);
    drawn.insert(look(*clone));
    ASSERT_TRUE(all.contains(look(*clone))) << look(*clone);
  }
  EXPECT_GT(drawn.size() * 4, all.size()) << "and drawing comes near to all of it";
}

TEST(DiskModel, StateDigestTellsCachedFromDurable) {
  DiskModel disk(kQuota);
  InodePtr f = *disk.create("a", false);
  sync_all(disk, f);
  ASSERT_TRUE(disk.write(f, 0, sector_of('1')));
  uint64_t dirty = disk.state_digest();
  EXPECT_EQ(disk.clone()->state_digest(), dirty);
  disk.sync(f, disk.mark(), {});
  EXPECT_NE(disk.state_digest(), dirty);
}

}  // namespace
}  // namespace holdfast::sim
