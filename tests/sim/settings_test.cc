// HOLDFAST on a simulated disk: whatever becomes of a change and of the reading after it, one slot is whole.
#include <gtest/gtest.h>

#include "core/manifest.h"
#include "sim/loss_space.h"
#include "sim/world.h"

namespace holdfast::core {
namespace {

using sim::DiskModel;

constexpr uint64_t kQuota = 64 << 20;

DirectorySettings settings_in(SyncMode mode) {
  return {.cluster_id = 1, .server_id = 2, .shard_count = 3, .mode = mode, .identity = {4, 5}, .initialized = true};
}

enum class Act : uint8_t { kCreate, kChange, kLoad };

struct Life {
  Act act;
  std::optional<Result<DirectorySettings>> loaded;

  static io::Task<int> main(Life& self, io::Host& host) {
    if (self.act == Act::kCreate) (void)co_await host.disk.make_dir("/data");
    if (self.act == Act::kCreate) (void)co_await host.disk.sync_dir("");
    if (self.act == Act::kCreate) (void)co_await create_settings(host, "/data", settings_in(SyncMode::kAsync));
    if (self.act == Act::kChange) (void)co_await change_settings(host, "/data", settings_in(SyncMode::kSync));
    if (self.act == Act::kLoad) self.loaded.emplace(co_await load_settings(host, "/data"));
    co_return 0;
  }
};

struct Lived {
  std::unique_ptr<DiskModel> disk;
  std::optional<Result<DirectorySettings>> loaded;
  uint64_t operations;
};

/// By process death before that operation; 0: to the end.
Lived live(std::unique_ptr<DiskModel> disk, Act act, uint64_t crash_before = 0) {
  sim::World world({.seed = 1});
  sim::Node& node = world.add_node("server");
  (void)node.replace_disk(std::move(disk));
  Life life{act, std::nullopt};
  if (crash_before > 0) node.crash_at({.operation = crash_before, .how = sim::End::kProcessDeath});
  node.start([&](io::Host& host) { return Life::main(life, host); }, {.cores = 1});
  world.run();
  return {node.replace_disk(std::make_unique<DiskModel>(0)), std::move(life.loaded), node.operations(sim::IoKind::kDisk)};
}

/// All that a power loss may leave can be read, and says one thing or the other.
void check_images(const DiskModel& disk, const std::string& when, bool must_be_new) {
  sim::LossSpace space(disk);
  sim::LossPlans plans(space, 64, 1);
  while (auto plan = plans.next()) {
    auto image = disk.clone();
    sim::FaultCounts counts;
    space.lose(*image, *plan, counts);
    Lived read = live(std::move(image), Act::kLoad);
    ASSERT_TRUE(read.loaded && *read.loaded) << when << ": " << (read.loaded ? read.loaded->error().text() : "nothing");
    if (must_be_new) ASSERT_EQ((*read.loaded)->mode, SyncMode::kSync) << when;
  }
}

/// A dead process leaves one slot in the page cache alone; whoever reads it must not put the other one at stake.
TEST(Settings, AreReadableAfterPowerLossInTheMiddleOfReadingAnUnsyncedChange) {
  Lived made = live(std::make_unique<DiskModel>(kQuota), Act::kCreate);
  uint64_t changing = live(made.disk->clone(), Act::kChange).operations;
  for (uint64_t k = 1; k <= changing + 1; ++k) {
    Lived changed = live(made.disk->clone(), Act::kChange, k <= changing ? k : 0);
    std::string when = "changing crashed before operation " + std::to_string(k);
    check_images(*changed.disk, when, k > changing);
    uint64_t reading = live(changed.disk->clone(), Act::kLoad).operations;
    for (uint64_t j = 1; j <= reading; ++j) {
      Lived read = live(changed.disk->clone(), Act::kLoad, j);
      check_images(*read.disk, when + ", reading before operation " + std::to_string(j), k > changing);
    }
  }
}

TEST(Settings, OnceReadStayAsTheyWereRead) {
  Lived made = live(std::make_unique<DiskModel>(kQuota), Act::kCreate);
  uint64_t changing = live(made.disk->clone(), Act::kChange).operations;
  for (uint64_t k = 1; k <= changing; ++k) {
    Lived read = live(live(made.disk->clone(), Act::kChange, k).disk, Act::kLoad);
    ASSERT_TRUE(read.loaded && *read.loaded);
    check_images(*read.disk, "crashed before operation " + std::to_string(k), (*read.loaded)->mode == SyncMode::kSync);
  }
}

}  // namespace
}  // namespace holdfast::core
