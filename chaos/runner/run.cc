#include "chaos/runner/run.h"

#include <fmt/core.h>
#include <sys/wait.h>

#include <charconv>
#include <chrono>
#include <filesystem>

#include "chaos/runner/enumerate.h"
#include "chaos/runner/real/real_suite.h"
#include "chaos/runner/worker.h"

namespace holdfast::chaos {
namespace {

/// A seed that takes longer is stuck: seeds take well under a second.
constexpr double kSeedTimeoutSeconds = 60;

std::string how_it_ended(const JobResult& r) {
  std::string tail = r.errors.empty() ? "" : "\n" + r.errors;
  if (r.timed_out) return fmt::format("no end after {} s of computing{}", kSeedTimeoutSeconds, tail);
  if (WIFSIGNALED(r.status)) return fmt::format("killed by signal {}{}", WTERMSIG(r.status), tail);
  return fmt::format("exit status {} without a result{}", WEXITSTATUS(r.status), tail);
}

#ifdef HOLDFAST_MUTANTS
constexpr double kRealTimeoutSeconds = 1200;

/// "enumerate SCENARIO" in the table: caught by an image of that scenario.
constexpr std::string_view kEnumerate = "enumerate";

bool caught_by_enumeration(const Mutant& m, int jobs, const std::string& self) {
  EnumerateArguments a{.jobs = jobs, .mutants = {std::string(m.name)}, .self = self, .first_failure = true};
  if (m.suite.size() > kEnumerate.size()) a.scenario = m.suite.substr(kEnumerate.size() + 1);
  EnumerationCatch r = enumerate_until_failure(a);
  fmt::print("{:<36} {:<6} {:<18} {:>8} {:>10.1f}  {}\n", m.name, m.number, m.suite, r.images, r.cpu_seconds,
             r.what.empty() ? "NOT CAUGHT" : r.what.substr(0, r.what.find('\n')));
  std::fflush(stdout);
  return !r.what.empty();
}

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

}  // namespace

std::optional<Part> Part::parse(const std::string& text) {
  Part p;
  const char* end = text.data() + text.size();
  auto number = std::from_chars(text.data(), end, p.number);
  if (number.ec != std::errc() || number.ptr == end || *number.ptr != '/') return std::nullopt;
  auto of = std::from_chars(number.ptr + 1, end, p.of);
  if (of.ec != std::errc() || of.ptr != end || p.number < 1 || p.number > p.of) return std::nullopt;
  return p;
}

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
  uint64_t seed_next = o.first_seed + o.part.number - 1;
  uint64_t end = o.first_seed + o.seeds;
  int runs_begun = 0;  // of that seed
  bool stopping = false;
  int times = o.once ? 1 : 2;
  auto next = [&]() -> Job {
    if (stopping || seed_next >= end) return {};
    uint64_t seed = seed_next;
    if (++runs_begun == times) {
      runs_begun = 0;
      seed_next += o.part.of;
    }
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

int run_mutants(const MutantsOptions& options) {
#ifndef HOLDFAST_MUTANTS
  fmt::print(stderr, "holdfast-chaos: this build has no mutants in it; build the `mutants` preset\n");
  (void)options;
  return 2;
#else
  int missed = 0;
  size_t number = 0;
  auto in_part = [&] { return number++ % options.part.of + 1 == options.part.number; };
  fmt::print("{:<36} {:<6} {:<18} {:>8} {:>10}\n", "mutant", "no.", "suite", "seeds", "core-s");
  for (const Mutant& m : mutants()) {
    if (!options.suite.empty() && m.suite != options.suite && !m.suite.starts_with(options.suite + " ")) continue;
    if (!in_part()) continue;
    if (m.suite.starts_with(kEnumerate)) {
      missed += !caught_by_enumeration(m, options.jobs, options.self);
      continue;
    }
    RunOptions o{.suite = std::string(m.suite), .seeds = options.seeds, .jobs = options.jobs, .mutants = {std::string(m.name)},
                 .self = options.self, .once = true, .stop_at_failure = true};
    Report r = run(o);
    bool caught = !r.failures.empty();
    missed += !caught;
    fmt::print("{:<36} {:<6} {:<18} {:>8} {:>10.1f}  {}\n", m.name, m.number, m.suite,
               caught ? std::to_string(r.failures[0].seed) : fmt::format(">{}", options.seeds), r.cpu_seconds,
               caught ? r.failures[0].what.substr(0, r.failures[0].what.find('\n')) : "NOT CAUGHT");
    std::fflush(stdout);
  }
  for (const RealMutant& m : real_mutants())
    if ((options.suite.empty() || m.suite == options.suite) && in_part())
      missed += !real_mutant_is_caught(m, options.jobs, options.self);
  return missed == 0 ? 0 : 1;
#endif
}

}  // namespace holdfast::chaos
