// The file of users on a simulated disk: whatever a crash leaves, it is the old state or the new one, and once a change
// was told to be done it is the new one.
#include "server/users_file.h"

#include <gtest/gtest.h>

#include "sim/loss_space.h"
#include "sim/world.h"

namespace holdfast::server {
namespace {

using sim::DiskModel;

constexpr uint64_t kQuota = 64 << 20;

wire::Verifier verifier() { return *wire::make_verifier("secret", Buffer(wire::kSaltBytes, 's'), wire::kLeastCost); }

/// ada alone, or bob alone: who was removed must not come back.
Users users_of(std::string name) {
  Users out{wire::Key(), wire::Key()};
  EXPECT_TRUE(out.add({.name = std::move(name), .verifier = verifier()}));
  return out;
}

enum class Act : uint8_t { kMake, kChange, kSettle };

struct Life {
  Act act;
  bool done = false;
  std::optional<Result<FoundUsers>> found;

  static io::Task<int> main(Life& self, io::Host& host) {
    io::Disk& disk = host.disk;
    if (self.act == Act::kMake) {
      (void)co_await disk.make_dir("/data");
      (void)co_await disk.sync_dir("");
      self.done = (co_await write_users(disk, "/data", 0, users_of("ada"))).has_value();
    } else if (self.act == Act::kChange) {
      self.done = (co_await write_users(disk, "/data", 1, users_of("bob"))).has_value();
    } else {
      self.found.emplace(co_await find_users(disk, "/data"));
      if (*self.found) self.done = (co_await settle_users(disk, "/data", **self.found)).has_value();
    }
    co_return 0;
  }
};

struct Lived {
  std::unique_ptr<DiskModel> disk;
  std::string found;  // who, or the error
  bool done;
  uint64_t operations;
};

/// By process death before that operation; 0: to the end.
Lived live(std::unique_ptr<DiskModel> disk, Act act, uint64_t crash_before = 0) {
  sim::World world({.seed = 1});
  sim::Node& node = world.add_node("server");
  (void)node.replace_disk(std::move(disk));
  Life life{.act = act, .found = std::nullopt};
  if (crash_before > 0) node.crash_at({.operation = crash_before, .how = sim::End::kProcessDeath});
  node.start([&](io::Host& host) { return Life::main(life, host); }, {.cores = 1});
  world.run();
  std::string found;
  if (life.found && !*life.found) found = life.found->error().text();
  if (life.found && *life.found) found = (*life.found)->users ? (*life.found)->users->all().front().name : "nobody";
  return {node.replace_disk(std::make_unique<DiskModel>(0)), found, life.done, node.operations(sim::IoKind::kDisk)};
}

/// Who is found in each of the images that a power loss may leave.
std::set<std::string> after_power_loss(const DiskModel& disk) {
  std::set<std::string> out;
  sim::LossSpace space(disk);
  sim::LossPlans plans(space, 64, 1);
  while (auto plan = plans.next()) {
    auto image = disk.clone();
    sim::FaultCounts counts;
    space.lose(*image, *plan, counts);
    out.insert(live(std::move(image), Act::kSettle).found);
  }
  return out;
}

using Found = std::set<std::string>;

TEST(UsersFile, IsThereOrNotWhenItIsFirstMade) {
  uint64_t making = live(std::make_unique<DiskModel>(kQuota), Act::kMake).operations;
  for (uint64_t k = 1; k <= making + 1; ++k) {
    Lived made = live(std::make_unique<DiskModel>(kQuota), Act::kMake, k <= making ? k : 0);
    Found found = after_power_loss(*made.disk);
    for (const std::string& who : found)
      EXPECT_TRUE(who == "nobody" || who == "ada") << who << ", crashed before operation " << k;
    if (made.done) EXPECT_EQ(found, Found{"ada"});
  }
}

TEST(UsersFile, IsTheOldOneOrTheNewOneAfterAChangeThatCrashed) {
  Lived made = live(std::make_unique<DiskModel>(kQuota), Act::kMake);
  ASSERT_TRUE(made.done);
  uint64_t changing = live(made.disk->clone(), Act::kChange).operations;
  bool old_seen = false, new_seen = false;
  for (uint64_t k = 1; k <= changing + 1; ++k) {
    Lived changed = live(made.disk->clone(), Act::kChange, k <= changing ? k : 0);
    Found found = after_power_loss(*changed.disk);
    for (const std::string& who : found)
      EXPECT_TRUE(who == "ada" || who == "bob") << who << ", crashed before operation " << k;
    if (changed.done) EXPECT_EQ(found, Found{"bob"}) << "who was removed came back";
    old_seen = old_seen || found.contains("ada");
    new_seen = new_seen || found.contains("bob");
  }
  EXPECT_TRUE(old_seen && new_seen);
}

/// The sync of its directory may have failed in an earlier life: then no further sync makes the name durable.
TEST(UsersFile, IsWrittenAnewUnderTheNextNumberAtEveryStart) {
  Lived made = live(std::make_unique<DiskModel>(kQuota), Act::kMake);
  for (int start = 1; start <= 3; ++start) {
    Lived settled = live(made.disk->clone(), Act::kSettle);
    std::string now = "/data/USERS." + std::to_string(start + 1);
    EXPECT_TRUE(settled.disk->find(now)) << now;
    EXPECT_FALSE(settled.disk->find("/data/USERS." + std::to_string(start)));
    made = live(std::move(settled.disk), Act::kSettle, 1);
  }
}

/// What was read after a process death, and settled, stays so through a power loss.
TEST(UsersFile, StaysWhatItWasOnceItWasSettled) {
  Lived made = live(std::make_unique<DiskModel>(kQuota), Act::kMake);
  uint64_t changing = live(made.disk->clone(), Act::kChange).operations;
  for (uint64_t k = 1; k <= changing; ++k) {
    Lived settled = live(live(made.disk->clone(), Act::kChange, k).disk, Act::kSettle);
    ASSERT_TRUE(settled.done) << settled.found;
    EXPECT_EQ(after_power_loss(*settled.disk), Found{settled.found}) << "crashed before operation " << k;
  }
}

}  // namespace
}  // namespace holdfast::server
