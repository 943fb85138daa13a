// main() of every test program: gtest's, with one line per failed test that repeats it.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace {

class ReproduceLine : public testing::EmptyTestEventListener {
 public:
  explicit ReproduceLine(std::string program) : program_(std::move(program)) {}

 private:
  void OnTestEnd(const testing::TestInfo& test) override {
    if (test.result()->Failed())
      std::printf("reproduce: %s --gtest_filter=%s.%s\n", program_.c_str(), test.test_suite_name(), test.name());
  }
  std::string program_;
};

}  // namespace

int main(int argc, char** argv) {
  // Property tests draw the same cases every time unless told otherwise: what gates a change must not flicker.
  ::setenv("RC_PARAMS", "seed=1 max_success=500", /*overwrite=*/0);
  testing::InitGoogleTest(&argc, argv);
  auto program = std::filesystem::proximate(std::filesystem::absolute(argv[0])).string();
  testing::UnitTest::GetInstance()->listeners().Append(new ReproduceLine(program));
  return RUN_ALL_TESTS();
}
