// holdfast-chaos: runs the suites. See ../README.md.
#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <filesystem>
#include <fstream>
#include <thread>

#include "chaos/runner/enumerate.h"
#include "chaos/runner/real/real_suite.h"
#include "chaos/runner/report.h"
#include "chaos/runner/worker.h"

namespace holdfast::chaos {
namespace {

/// A seed that takes longer is stuck: seeds take well under a second.
constexpr double kSeedTimeoutSeconds = 60;
#ifdef HOLDFAST_MUTANTS
constexpr double kRealTimeoutSeconds = 1200;
#endif

struct RunOptions {
  std::string suite;
  uint64_t seeds = 100;
  uint64_t first_seed = 1;
  int jobs = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::string> mutants;
  std::string json;
  std::string self;
  bool once = false;            ///< skip the second run
  bool stop_at_failure = false;
  bool print_hashes = false;
};

const Suite& suite_named(const std::string& name) {
  if (const Suite* s = find_suite(name)) return *s;
  std::string all;
  for (const Suite& s : suites()) all += fmt::format(" {}", s.name);
  for (const RealSuite& s : real_suites()) all += fmt::format(" {}", s.name);
  fmt::print(stderr, "holdfast-chaos: there is no suite '{}'; there are{}\n", name, all);
  std::exit(2);
}

std::string how_it_ended(const JobResult& r) {
  std::string tail = r.errors.empty() ? "" : "\n" + r.errors;
  if (r.timed_out) return fmt::format("no end within {} s of wall time{}", kSeedTimeoutSeconds, tail);
  if (WIFSIGNALED(r.status)) return fmt::format("killed by signal {}{}", WTERMSIG(r.status), tail);
  return fmt::format("exit status {} without a result{}", WEXITSTATUS(r.status), tail);
}

/// Runs each seed twice in processes of their own and compares.
Report run(const RunOptions& o) {
  Report report;
  report.suite = o.suite;
  auto begin = std::chrono::steady_clock::now();
  struct Seed {
    int runs = 0;
    std::optional<SeedResult> first;
    bool failed = false;
  };
  std::map<uint64_t, Seed> open;
  uint64_t started = 0;
  bool stopping = false;
  int times = o.once ? 1 : 2;
  auto next = [&]() -> Job {
    if (stopping || started >= o.seeds * static_cast<uint64_t>(times)) return {};
    uint64_t seed = o.first_seed + started++ / static_cast<uint64_t>(times);
    Job job{{o.self, "seed", o.suite, "--seed", std::to_string(seed)}, seed};
    for (const std::string& m : o.mutants) job.argv.insert(job.argv.end(), {"--mutant", m});
    return job;
  };
  auto fail_seed = [&](uint64_t seed, std::string what) {
    if (std::exchange(open[seed].failed, true)) return;
    if (!o.stop_at_failure) fmt::print(stderr, "seed {}: {}\n", seed, what);
    report.failures.push_back({seed, std::move(what)});
    stopping = o.stop_at_failure;
  };
  run_jobs(o.jobs, kSeedTimeoutSeconds, next, [&](JobResult r) {
    report.cpu_seconds += r.cpu_seconds;
    Seed& seed = open[r.tag];
    SeedResult result;
    bool whole = !r.timed_out && WIFEXITED(r.status) && from_line(r.output, result);
    if (!whole) {
      fail_seed(r.tag, how_it_ended(r));
    } else {
      if (!result.violations.empty()) {
        std::string what;
        for (size_t i = 0; i < result.violations.size() && i < 5; ++i) what += (i ? "\n  " : "") + result.violations[i];
        if (result.violations.size() > 5) what += fmt::format("\n  and {} more", result.violations.size() - 5);
        fail_seed(r.tag, what);
      }
      if (!seed.first) {
        report.add(result);
        if (o.print_hashes) fmt::print("seed {} hash {:016x}\n", r.tag, result.hash);
        seed.first = std::move(result);
      } else if (seed.first->hash != result.hash) {
        ++report.hashes_differ;
        fail_seed(r.tag, fmt::format("two runs differ: hashes {:016x} and {:016x}", seed.first->hash, result.hash));
      }
    }
    if (++seed.runs == times && !seed.failed) open.erase(r.tag);
  });
  report.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

int run_command(const RunOptions& o) {
  suite_named(o.suite);
  Report report = run(o);
  fmt::print("{}", report.text());
  if (!o.json.empty()) std::ofstream(o.json) << report.json() << "\n";
  return report.failures.empty() ? 0 : 1;
}

/// One seed in this process; the result as a line on standard output.
int seed_command(const std::string& suite, const SeedOptions& options) {
  SeedResult result = suite_named(suite).run(options);
  std::string line = to_line(result) + "\n";
  // The process ends here and now: destroying a finished world teaches nothing.
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
  return 0;
}

int replay_command(const std::string& suite, SeedOptions options, const std::string& trace) {
  std::ofstream file;
  if (!trace.empty()) {
    file.open(trace);
    options.trace = [&file](std::string_view line) { file << line << "\n"; };
  }
  SeedResult result = suite_named(suite).run(options);
  fmt::print("seed {} hash {:016x}\nconfiguration: {}\n", options.seed, result.hash, result.configuration);
  for (const auto& [name, n] : result.counts) fmt::print("  {:<40} {:>12}\n", name, n);
  for (const std::string& v : result.violations) fmt::print("violation: {}\n", v);
  fmt::print("{}\n", result.violations.empty() ? "passed" : "failed");
  return result.violations.empty() ? 0 : 1;
}

/// "enumerate SCENARIO" in the table: caught by an image of that scenario.
constexpr std::string_view kEnumerate = "enumerate";

[[maybe_unused]] bool caught_by_enumeration(const Mutant& m, int jobs, const std::string& self) {
  EnumerateArguments a{.jobs = jobs, .mutants = {std::string(m.name)}, .self = self, .first_failure = true};
  if (m.suite.size() > kEnumerate.size()) a.scenario = m.suite.substr(kEnumerate.size() + 1);
  EnumerationCatch r = enumerate_until_failure(a);
  fmt::print("{:<36} {:<6} {:<18} {:>8} {:>10.1f}  {}\n", m.name, m.number, m.suite, r.images, r.cpu_seconds,
             r.what.empty() ? "NOT CAUGHT" : r.what.substr(0, r.what.find('\n')));
  std::fflush(stdout);
  return !r.what.empty();
}

#ifdef HOLDFAST_MUTANTS
/// The real suite in a process of its own; what it leaves behind goes.
bool real_mutant_is_caught(const RealMutant& m, int jobs, const std::string& self) {
  std::string scratch = fresh_directory(std::filesystem::temp_directory_path(), "mutant");
  bool begun = false, caught = false;
  auto next = [&]() -> Job {
    if (std::exchange(begun, true)) return {};
    return {{self, "run", std::string(m.suite), "--mode", std::string(m.mode), "--mutant", std::string(m.name), "--images", "1500", "--jobs",
             std::to_string(jobs), "--scratch", scratch, "--images-in", scratch},
            0};
  };
  run_jobs(1, kRealTimeoutSeconds, next, [&](JobResult r) {
    // By images that were judged, not by a run that came to nothing.
    bool judged = r.output.contains(" violations") && !r.output.contains(": 0 images");
    caught = judged && !r.timed_out && WIFEXITED(r.status) && WEXITSTATUS(r.status) == 1;
    fmt::print("{:<36} {:<6} {:<18} {:>8} {:>10.1f}  {}\n", m.name, "own", m.suite, "", r.cpu_seconds,
               caught ? r.errors.substr(0, r.errors.find('\n')) : "NOT CAUGHT");
    std::fflush(stdout);
  });
  std::filesystem::remove_all(scratch);
  return caught;
}
#endif

/// Each mutant in its suite until a seed catches it.
int mutants_command(const std::string& suite, uint64_t seeds, int jobs, const std::string& self) {
#ifndef HOLDFAST_MUTANTS
  fmt::print(stderr, "holdfast-chaos: this build has no mutants in it; build the `mutants` preset\n");
  (void)suite, (void)seeds, (void)jobs, (void)self;
  return 2;
#else
  int missed = 0;
  fmt::print("{:<36} {:<6} {:<18} {:>8} {:>10}\n", "mutant", "no.", "suite", "seeds", "core-s");
  for (const Mutant& m : mutants()) {
    if (!suite.empty() && m.suite != suite && !m.suite.starts_with(suite + " ")) continue;
    if (m.suite.starts_with(kEnumerate)) {
      missed += !caught_by_enumeration(m, jobs, self);
      continue;
    }
    RunOptions o{.suite = std::string(m.suite), .seeds = seeds, .jobs = jobs, .mutants = {std::string(m.name)}, .self = self, .once = true,
                 .stop_at_failure = true};
    Report r = run(o);
    bool caught = !r.failures.empty();
    missed += !caught;
    fmt::print("{:<36} {:<6} {:<18} {:>8} {:>10.1f}  {}\n", m.name, m.number, m.suite,
               caught ? std::to_string(r.failures[0].seed) : fmt::format(">{}", seeds), r.cpu_seconds,
               caught ? r.failures[0].what.substr(0, r.failures[0].what.find('\n')) : "NOT CAUGHT");
    std::fflush(stdout);
  }
  for (const RealMutant& m : real_mutants())
    if (suite.empty() || m.suite == suite) missed += !real_mutant_is_caught(m, jobs, self);
  return missed == 0 ? 0 : 1;
#endif
}

bool take_part(const std::string& text, RealOptions& o) {
  char end = 0;
  return std::sscanf(text.c_str(), "%" SCNu64 "/%" SCNu64 "%c", &o.part, &o.parts, &end) == 2 && o.part >= 1 && o.part <= o.parts;
}

}  // namespace
}  // namespace holdfast::chaos

int main(int argc, char** argv) {
  using namespace holdfast::chaos;
  CLI::App app("Runs Holdfast's suites: a whole server in a simulator that crashes it, and judges what it answers.");
  app.require_subcommand(1);
  char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  RunOptions o;
  o.self = n > 0 ? std::string(path, static_cast<size_t>(n)) : argv[0];

  auto* list = app.add_subcommand("list", "The suites");

  auto* run = app.add_subcommand("run", "Run seeds of a suite, each twice, and compare");
  run->add_option("suite", o.suite)->required();
  run->add_option("--seeds", o.seeds, "How many")->capture_default_str();
  run->add_option("--first-seed", o.first_seed, "The first one")->capture_default_str();
  run->add_option("--jobs", o.jobs, "Processes at once")->capture_default_str()->check(CLI::Range(1, 1024));
  run->add_option("--mutant", o.mutants, "Plant this bug (mutants build)");
  run->add_option("--json", o.json, "Write the report here");
  run->add_flag("--hashes", o.print_hashes, "Print every seed's trace hash");

  RealOptions real{.program = o.self.substr(0, o.self.rfind('/') + 1) + "holdfastd",
                   .scratch = std::filesystem::temp_directory_path(),
                   .modes = {"sync", "async"},
                   .images_in = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path()};
  run->add_option("--rounds", real.rounds, "Ends of the server, per mode")->capture_default_str()->group("Real suites");
  run->add_option("--mode", real.modes, "sync, async or, without it, one after the other")->check(CLI::IsMember({"sync", "async"}))->group("Real suites");
  run->add_option("--server", real.program, "The holdfastd to run")->capture_default_str()->group("Real suites");
  run->add_option("--server-flag", real.flags, "A further flag of its; write --server-flag=--cores=4")->group("Real suites");
  run->add_option("--scratch", real.scratch, "Where its directories are made; on a real disk, if that is what is meant")
      ->capture_default_str()->group("Real suites");
  run->add_option("--per-directory", real.rounds_per_directory, "Rounds on one directory")->capture_default_str()->check(CLI::Range(1, 1'000'000))
      ->group("Real suites");
  run->add_option("--load-ms", real.load_ms_max, "A round's longest time under load")->capture_default_str()->group("Real suites");
  run->add_option("--writers", real.writers, "Of the flood")->capture_default_str()->group("Real suites");
  run->add_flag("--keep", real.keep, "Leave the directories")->group("Real suites");
  run->add_option("--images", real.images, "real-power, real-flips: how many, per mode (1000, 200)")->group("Real suites");
  run->add_option("--images-in", real.images_in, "Where images are written; need not be a real disk")->capture_default_str()->group("Real suites");
  std::string part = "1/1";
  run->add_option("--part", part, "i/n: only the i-th of n equal shares of the images")->capture_default_str()->group("Real suites");

  SeedOptions seed;
  std::string trace;
  auto* one = app.add_subcommand("seed", "Run one seed in this process and print its result as JSON");
  auto* replay = app.add_subcommand("replay", "Run one seed and tell what happened");
  for (auto* c : {one, replay}) {
    c->add_option("suite", o.suite)->required();
    c->add_option("--seed", seed.seed)->required();
    c->add_option("--mutant", seed.mutants, "Plant this bug (mutants build)");
  }
  replay->add_option("--trace", trace, "Write every event here");

  EnumerateArguments images{.jobs = o.jobs, .self = o.self};
  auto* enumerated = app.add_subcommand("enumerate", "Crash short scripts at every operation of the disk, and open every image that may be left");
  add_enumerate_options(*enumerated, images);
  enumerated->add_option("--jobs", images.jobs, "Processes at once")->capture_default_str()->check(CLI::Range(1, 1024));
  enumerated->add_option("--json", images.json, "Write the figures here");
  enumerated->add_option("--at", images.at, "Only this image, as a failure names it");
  enumerated->add_option("--trace", images.trace, "With --at: write every event here");
  auto* enumerated_one = app.add_subcommand("enumerate-one", "Enumerate one scenario in this process and print the result as JSON");
  add_enumerate_options(*enumerated_one, images);

  std::string of_suite;
  uint64_t mutant_seeds = 200;
  auto* planted = app.add_subcommand("mutants", "Plant each bug and see it caught");
  planted->add_option("suite", of_suite, "Only those of this suite");
  planted->add_option("--seeds", mutant_seeds, "Give up after so many")->capture_default_str();
  planted->add_option("--jobs", o.jobs, "Processes at once")->capture_default_str();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    int code = app.exit(e);
    return code == 0 ? 0 : 2;
  }
  if (*list) {
    for (const Suite& s : suites()) fmt::print("{:<20} {}\n", s.name, s.about);
    for (const RealSuite& s : real_suites()) fmt::print("{:<20} {}\n", s.name, s.about);
    return 0;
  }
  if (const RealSuite* suite = *run ? find_real_suite(o.suite) : nullptr) {
    if (!take_part(part, real)) {
      fmt::print(stderr, "holdfast-chaos: --part {}: say i/n, with i from 1 to n\n", part);
      return 2;
    }
    real.seed = o.first_seed;
    real.mutants = o.mutants;
    real.jobs = o.jobs;
    return suite->run(real);
  }
  if (*run) return run_command(o);
  if (*one) return seed_command(o.suite, seed);
  if (*replay) return replay_command(o.suite, seed, trace);
  if (*enumerated) return enumerate_command(images);
  if (*enumerated_one) return enumerate_one_command(images);
  if (*planted) return mutants_command(of_suite, mutant_seeds, o.jobs, o.self);
  return 2;
}
