#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "io/real/real_host.h"
#include "tests/contract/host_under_test.h"

namespace holdfast::contract {
namespace {

// The production host on a directory of its own below `base`.
class RealHostUnderTest final : public HostUnderTest {
 public:
  RealHostUnderTest(uint16_t cores, std::string base)
      : directory_(base + "/holdfast-contract-XXXXXX"), host_({.cores = cores}) {
    HF_ASSERT(::mkdtemp(directory_.data()), "a test may make directories");
  }
  ~RealHostUnderTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  io::Host& host() override { return host_.host(); }
  std::string directory() override { return directory_; }
  void run(io::Task<void> main) override { host_.run(std::move(main)); }

 private:
  std::string directory_;
  real::RealHost host_;
};

// The build directory is on a real file system; /tmp may not be.
std::unique_ptr<HostUnderTest> on_disk(uint16_t cores) {
  return std::make_unique<RealHostUnderTest>(cores, HOLDFAST_TEST_SCRATCH);
}

std::unique_ptr<HostUnderTest> on_tmpfs(uint16_t cores) {
  return std::make_unique<RealHostUnderTest>(cores, "/dev/shm");
}

}  // namespace

const std::vector<HostKind>& host_kinds() {
  static const std::vector<HostKind> kinds = [] {
    std::vector<HostKind> out = {{"RealDisk", on_disk}};
    if (::access("/dev/shm", W_OK) == 0) out.push_back({"RealTmpfs", on_tmpfs});
    return out;
  }();
  return kinds;
}

}  // namespace holdfast::contract
