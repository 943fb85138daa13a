#include "chaos/runner/real/real_suite.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "chaos/runner/real/series.h"

namespace holdfast::chaos {
namespace {

constexpr std::array kRealSuites = {
    RealSuite{"real-kill", "A real server on a real disk, killed with -9 under load and while it starts: nothing acknowledged is lost", Ending::kKill},
    RealSuite{"real-term", "The same, ended with SIGTERM: exit code 0, nothing acknowledged is lost, nothing is left to replay", Ending::kTerm},
};

}  // namespace

std::span<const RealSuite> real_suites() { return kRealSuites; }

const RealSuite* find_real_suite(std::string_view name) {
  for (const RealSuite& s : kRealSuites)
    if (s.name == name) return &s;
  return nullptr;
}

void RealReport::add(const RealReport& part) {
  rounds += part.rounds;
  ended_starting += part.ended_starting;
  cuts += part.cuts;
  verifications += part.verifications;
  checked += part.checked;
  unknown += part.unknown;
  flooded += part.flooded;
  checkpoints += part.checkpoints;
  startups.insert(startups.end(), part.startups.begin(), part.startups.end());
  wall_seconds += part.wall_seconds;
  violations.insert(violations.end(), part.violations.begin(), part.violations.end());
}

std::string RealReport::text() const {
  std::vector<double> sorted = startups;
  std::sort(sorted.begin(), sorted.end());
  double median = sorted.empty() ? 0 : sorted[sorted.size() / 2], longest = sorted.empty() ? 0 : sorted.back();
  return fmt::format(
      "{} mode: {} rounds, {} violations, {:.1f} s\n"
      "  ended while it started {}, connections cut {} times, everything read back {} times\n"
      "  operations judged {}, outcomes unknown {}, inserts flooded {}\n"
      "  start to ready: median {:.0f} ms, longest {:.0f} ms of {} starts\n",
      mode, rounds, violations.size(), wall_seconds, ended_starting, cuts, verifications, checked, unknown, flooded, median * 1000, longest * 1000,
      sorted.size());
}

namespace {

RealReport run_mode(const RealSuite& suite, const RealOptions& o, const std::string& mode) {
  RealReport report{.mode = mode};
  for (uint64_t series = 0; report.rounds < o.rounds && report.violations.empty(); ++series) {
    std::string directory = o.scratch + "/holdfast-" + std::string(suite.name) + "-XXXXXX";
    if (!mkdtemp(directory.data())) {
      std::perror(directory.c_str());
      std::exit(1);
    }
    report.add(Series(o, suite.ending, mode, directory, o.seed + series, std::min(o.rounds_per_directory, o.rounds - report.rounds)).run());
    for (const std::string& v : report.violations) fmt::print(stderr, "{}, seed {}: {}\n", mode, o.seed + series, v);
    if (!report.violations.empty() || o.keep)
      fmt::print(stderr, "the server's directory and log: {}\n", directory);
    else
      std::filesystem::remove_all(directory);
  }
  return report;
}

}  // namespace

int run_real_suite(const RealSuite& suite, const RealOptions& options) {
  bool failed = false;
  for (const std::string& mode : options.modes) {
    RealReport report = run_mode(suite, options, mode);
    fmt::print("{}, {}", suite.name, report.text());
    std::fflush(stdout);
    failed = failed || !report.violations.empty();
  }
  return failed ? 1 : 0;
}

}  // namespace holdfast::chaos
