#include "chaos/runner/real/real_suite.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "chaos/runner/real/power.h"
#include "chaos/runner/real/real_flips.h"
#include "chaos/runner/real/series.h"

namespace holdfast::chaos {
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

RealReport run_mode(std::string_view suite, Ending ending, const RealOptions& o, const std::string& mode) {
  RealReport report{.mode = mode};
  for (uint64_t series = 0; report.rounds < o.rounds && report.violations.empty(); ++series) {
    std::string directory = fresh_directory(o.scratch, suite);
    report.add(Series(o, ending, mode, directory, o.seed + series, std::min(o.rounds_per_directory, o.rounds - report.rounds)).run());
    for (const std::string& v : report.violations) fmt::print(stderr, "{}, seed {}: {}\n", mode, o.seed + series, v);
    if (!report.violations.empty() || o.keep)
      fmt::print(stderr, "the server's directory and log: {}\n", directory);
    else
      std::filesystem::remove_all(directory);
  }
  return report;
}

int run_rounds(std::string_view suite, Ending ending, const RealOptions& options) {
  bool failed = false;
  for (const std::string& mode : options.modes) {
    RealReport report = run_mode(suite, ending, options, mode);
    fmt::print("{}, {}", suite, report.text());
    std::fflush(stdout);
    failed = failed || !report.violations.empty();
  }
  return failed ? 1 : 0;
}

int run_real_kill(const RealOptions& options) { return run_rounds("real-kill", Ending::kKill, options); }
int run_real_term(const RealOptions& options) { return run_rounds("real-term", Ending::kTerm, options); }

constexpr std::array kRealSuites = {
    RealSuite{"real-kill", "A real server on a real disk, killed with -9 under load and while it starts: nothing acknowledged is lost", run_real_kill},
    RealSuite{"real-term", "The same, ended with SIGTERM: exit code 0, nothing acknowledged is lost, nothing is left to replay", run_real_term},
    RealSuite{"real-power", "Power cuts of a real server, made up from a record of its disk: it starts by itself, and nothing acknowledged is lost", run_real_power},
    RealSuite{"real-flips", "A real server on directories with one flipped bit: detected or harmless, and never another answer", run_real_flips},
};

constexpr std::array kRealMutants = {
    RealMutant{"ack-before-sync", "real-power", "sync", "an entry is acknowledged before its sync"},
    RealMutant{"no-dir-sync-after-segment", "real-power", "sync", "a new segment's directory is not synced"},
    RealMutant{"manifest-not-synced", "real-power", "sync", "segments go though the MANIFEST was never synced"},
};

}  // namespace

std::span<const RealMutant> real_mutants() { return kRealMutants; }

std::span<const RealSuite> real_suites() { return kRealSuites; }

const RealSuite* find_real_suite(std::string_view name) {
  for (const RealSuite& s : kRealSuites)
    if (s.name == name) return &s;
  return nullptr;
}

std::string fresh_directory(const std::string& scratch, std::string_view suite) {
  std::string directory = fmt::format("{}/holdfast-{}-XXXXXX", scratch, suite);
  if (mkdtemp(directory.data())) return directory;
  std::perror(directory.c_str());
  std::exit(1);
}

}  // namespace holdfast::chaos
