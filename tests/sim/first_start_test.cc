// First starts that power cuts end, and end again while the next start makes up for the first: the one after them always starts by itself.
#include <gtest/gtest.h>

#include "core/engine.h"
#include "sim/world.h"

namespace holdfast::test {
namespace {

using namespace core;

class FirstStart {
 public:
  explicit FirstStart(uint64_t seed) : world_({.seed = seed}), node_(world_.add_node("server")) {}

  /// Opens the engine until the power goes, within the disk operation of that number; 0: not at all. Returns why it did not open, or nothing.
  std::optional<Error> live(uint64_t cut_at, sim::End end = sim::End::kPowerLoss) {
    refused_.reset();
    if (cut_at > 0)
      node_.crash_at({.operation = cut_at, .kind = sim::IoKind::kDisk, .moment = sim::Moment::kMiddle, .how = sim::End::kPowerLoss});
    node_.start([this](io::Host& host) { return open(host); }, {.cores = 1});
    world_.run({.until = Duration{world_.now().ns} + seconds(60)});
    reached_ = !node_.crash_planned();
    node_.cancel_crash();
    node_.kill(end);
    engine_.reset();
    return refused_;
  }
  /// Whether the last life came to the operation at which it was to be cut.
  bool reached() const { return reached_; }
  sim::FaultPlan& plan() { return world_.plan(); }
  bool durable(const char* path) { return node_.durable().read(path).has_value(); }

 private:
  io::Task<int> open(io::Host& host) {
    EngineOptions options;
    options.data_path = "/data";
    options.shard_count = 1;
    options.journal.segment_bytes = 2 * 4096;
    Result<std::unique_ptr<Engine>> opened = co_await Engine::open(host, options);
    if (opened)
      engine_ = std::move(*opened);
    else
      refused_ = opened.error();
    co_return 0;
  }

  sim::World world_;
  sim::Node& node_;
  std::unique_ptr<Engine> engine_;
  std::optional<Error> refused_;
  bool reached_ = false;
};

// The sync of the data directory's own name fails, and leaves that clean in the page cache alone.
TEST(FirstStart, MakesAnewADirectoryWhoseNameCouldNotBeSynced) {
  FirstStart directory(7);
  directory.plan() = {.sync_error = 1'000'000, .sync_error_clean = 1'000'000};
  ASSERT_TRUE(directory.live(0, sim::End::kProcessDeath));
  directory.plan() = {};
  ASSERT_FALSE(directory.live(0));
  EXPECT_TRUE(directory.durable("/data/HOLDFAST")) << "a power cut has taken all of it";
}

// Later operations of a second start are those of a first one: by then it has emptied what it found.
constexpr uint64_t kSecondMax = 40;

TEST(FirstStart, StartsByItselfAfterTwoPowerCuts) {
  uint64_t lives = 0;
  bool ends = false;
  for (uint64_t first = 1; !ends; ++first)
    for (uint64_t second = 1; second <= kSecondMax; ++second) {
      FirstStart directory(first * 1'000 + second);
      ASSERT_FALSE(directory.live(first));
      if ((ends = !directory.reached())) break;
      std::optional<Error> refused = directory.live(second);
      ASSERT_FALSE(refused) << "cut at operation " << first << ", then at " << second << ": " << refused->text();
      if (!directory.reached()) break;
      refused = directory.live(0);
      ASSERT_FALSE(refused) << "cut at operation " << first << ", then at " << second << ": " << refused->text();
      ++lives;
    }
  EXPECT_GT(lives, 500u);
}

}  // namespace
}  // namespace holdfast::test
