#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "io/real/real_host.h"
#include "io/real/recording_disk.h"
#include "sim/world.h"
#include "tests/contract/host_under_test.h"

namespace holdfast::contract {
namespace {

// The production host on a directory of its own below `base`.
class RealHostUnderTest final : public HostUnderTest {
 public:
  enum class Recorded : uint8_t { kNo, kYes };
  RealHostUnderTest(uint16_t cores, std::string base, Recorded recorded = Recorded::kNo)
      : directory_(fresh(base)), recorder_(recorder(recorded)), host_({.cores = cores, .recorder = recorder_.get()}) {}
  ~RealHostUnderTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
    std::filesystem::remove(record_path(), ignored);
  }
  io::Host& host() override { return host_.host(); }
  std::string directory() override { return directory_; }
  void run(io::Task<void> main) override { host_.run(std::move(main)); }

 private:
  static std::string fresh(const std::string& base) {
    std::string path = base + "/holdfast-contract-XXXXXX";
    HF_ASSERT(::mkdtemp(path.data()), "a test may make directories");
    return path;
  }
  std::string record_path() const { return directory_ + ".record"; }
  std::unique_ptr<real::OperationRecorder> recorder(Recorded recorded) const {
    if (recorded == Recorded::kNo) return nullptr;
    auto made = real::OperationRecorder::create(record_path());
    HF_ASSERT(made, "a test may make files");
    return std::move(*made);
  }

  std::string directory_;
  std::unique_ptr<real::OperationRecorder> recorder_;
  real::RealHost host_;
};

// The simulated host on a blank disk.
class SimHostUnderTest final : public HostUnderTest {
 public:
  SimHostUnderTest(uint16_t cores, const sim::FaultPlan& plan)
      : world_({.seed = 1, .plan = plan}), node_(world_.add_node("sim")) {
    HF_ASSERT(node_.disk().create("data", true), "a blank disk has room");
    node_.start({.cores = cores});
  }
  io::Host& host() override { return node_.host(); }
  std::string directory() override { return "data"; }
  void run(io::Task<void> main) override {
    node_.executor().spawn(then_stop(std::move(main), world_));
    EXPECT_EQ(world_.run(), sim::World::Stop::kAsked) << "main waits for something that never happens";
  }

 private:
  static io::Task<void> then_stop(io::Task<void> main, sim::World& world) {
    co_await std::move(main);
    world.stop();
  }
  sim::World world_;
  sim::Node& node_;
};

std::unique_ptr<HostUnderTest> simulated(uint16_t cores) {
  return std::make_unique<SimHostUnderTest>(cores, sim::FaultPlan());
}

// Whatever a host may legally do to its user, without failing.
std::unique_ptr<HostUnderTest> simulated_unkindly(uint16_t cores) {
  sim::FaultPlan plan;
  plan.disk_slow = 10'000;
  plan.disk_slow_ms_max = 20;
  plan.short_read = plan.short_write = 300'000;
  plan.net_partial = sim::kAlways;
  plan.net_stall = 10'000;
  plan.net_stall_ms_max = 5;
  plan.net_window = 3'000;
  return std::make_unique<SimHostUnderTest>(cores, plan);
}

// The build directory is on a real file system; /tmp may not be.
std::unique_ptr<HostUnderTest> on_disk(uint16_t cores) {
  return std::make_unique<RealHostUnderTest>(cores, HOLDFAST_TEST_SCRATCH);
}

// The same, while all that it does is recorded: nobody may notice.
std::unique_ptr<HostUnderTest> recorded(uint16_t cores) {
  return std::make_unique<RealHostUnderTest>(cores, HOLDFAST_TEST_SCRATCH, RealHostUnderTest::Recorded::kYes);
}

std::unique_ptr<HostUnderTest> on_tmpfs(uint16_t cores) {
  return std::make_unique<RealHostUnderTest>(cores, "/dev/shm");
}

}  // namespace

const std::vector<HostKind>& host_kinds() {
  static const std::vector<HostKind> kinds = [] {
    std::vector<HostKind> out = {{"RealDisk", on_disk}, {"RealRecorded", recorded}};
    out.push_back({"Sim", simulated});
    out.push_back({"SimUnkind", simulated_unkindly});
    if (::access("/dev/shm", W_OK) == 0) out.push_back({"RealTmpfs", on_tmpfs});
    return out;
  }();
  return kinds;
}

}  // namespace holdfast::contract
