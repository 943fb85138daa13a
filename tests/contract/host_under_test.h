// The contract suite's fixture: what io/*.h promise, written once and run against every host.
//
// A host kind makes fresh hosts, each with a fresh, empty directory. A test is a captureless coroutine that runs as
// the main task of core 0:
//
//   TEST_P(DiskContract, CreateRefusesWhatIsThere) {
//     run([](io::Host& host, std::string directory) -> io::Task<void> { ... co_return; });
//   }
//
// A new host joins the suite by an entry in host_kinds() (hosts.cc).
#pragma once

#include <gtest/gtest.h>

#include "io/host.h"

namespace holdfast::contract {

/// One host, to be run once.
class HostUnderTest {
 public:
  virtual ~HostUnderTest() = default;
  virtual io::Host& host() = 0;
  /// A directory that exists, is empty, and is nobody else's.
  virtual std::string directory() = 0;
  /// Runs `main` on core 0 until it ends.
  virtual void run(io::Task<void> main) = 0;
};

struct HostKind {
  std::string name;
  std::unique_ptr<HostUnderTest> (*make)(uint16_t cores);
};
const std::vector<HostKind>& host_kinds();

class ContractTest : public testing::TestWithParam<HostKind> {
 protected:
  using Body = io::Task<void> (*)(io::Host& host, std::string directory);

  void run(Body body) { run(1, body); }
  void run(uint16_t cores, Body body) {
    bool ended = false;
    auto host = GetParam().make(cores);
    host->run(mark_end(body(host->host(), host->directory()), ended));
    EXPECT_TRUE(ended) << "the main task must run to its end";
  }

 private:
  static io::Task<void> mark_end(io::Task<void> body, bool& ended) {
    co_await std::move(body);
    ended = true;
  }
};

inline std::string kind_name(const testing::TestParamInfo<HostKind>& info) { return info.param.name; }

#define HOLDFAST_CONTRACT(Suite) \
  class Suite : public ContractTest {}; \
  INSTANTIATE_TEST_SUITE_P(, Suite, testing::ValuesIn(host_kinds()), kind_name)

// gtest's ASSERT_* cannot leave a coroutine; these can.

/// CO_VALUE(name, expression): declares `name` as the value of a Result, or fails the test and ends the coroutine.
#define CO_VALUE(name, ...) CO_VALUE_IMPL(HF_CONCAT(co_value_, __COUNTER__), name, __VA_ARGS__)
#define CO_VALUE_IMPL(tmp, name, ...)                          \
  auto tmp = __VA_ARGS__;                                      \
  if (!tmp) {                                                  \
    ADD_FAILURE() << #__VA_ARGS__ << ": " << tmp.error().text(); \
    co_return;                                                 \
  }                                                            \
  auto name = std::move(*tmp)

/// CO_OK(expression): the same for a Result whose value is not needed.
#define CO_OK(...)                                                    \
  do {                                                                \
    auto co_ok = __VA_ARGS__;                                         \
    if (!co_ok) {                                                     \
      ADD_FAILURE() << #__VA_ARGS__ << ": " << co_ok.error().text(); \
      co_return;                                                      \
    }                                                                 \
  } while (0)

/// EXPECT_CODE(code, expression): the Result is an error of that code.
#define EXPECT_CODE(expected, ...)                                                                              \
  do {                                                                                                          \
    auto expect_code = __VA_ARGS__;                                                                             \
    if (expect_code)                                                                                            \
      ADD_FAILURE() << #__VA_ARGS__ << ": succeeded, wanted " << info(expected).name;                           \
    else                                                                                                        \
      EXPECT_EQ(expect_code.error().code, expected) << #__VA_ARGS__ << ": " << expect_code.error().text();      \
  } while (0)

}  // namespace holdfast::contract
