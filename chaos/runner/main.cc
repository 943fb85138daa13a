// holdfast-chaos: runs the suites. See ../README.md.
#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "chaos/runner/cases.h"
#include "chaos/runner/enumerate.h"
#include "chaos/runner/real/real_suite.h"
#include "chaos/runner/run.h"

namespace holdfast::chaos {
namespace {

const Suite& suite_named(const std::string& name) {
  if (const Suite* s = find_suite(name)) return *s;
  std::string all;
  for (const Suite& s : suites()) all += fmt::format(" {}", s.name);
  for (const RealSuite& s : real_suites()) all += fmt::format(" {}", s.name);
  fmt::print(stderr, "holdfast-chaos: there is no suite '{}'; there are{}\n", name, all);
  std::exit(2);
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

/// Either a file, or a suite and a seed.
struct CaseOptions {
  std::string what;
  std::optional<uint64_t> seed;
  std::vector<std::string> mutants;

  Case get() const {
    if (!seed) {
      if (find_suite(what)) {
        fmt::print(stderr, "holdfast-chaos: which seed? --seed S\n");
        std::exit(2);
      }
      Case c = load_case(what);
      c.mutants.insert(c.mutants.end(), mutants.begin(), mutants.end());
      return c;
    }
    suite_named(what);
    return {.suite = what, .seed = *seed, .mutants = mutants};
  }
};

}  // namespace
}  // namespace holdfast::chaos

int main(int argc, char** argv) {
  using namespace holdfast::chaos;
  CLI::App app("Runs Holdfast's suites: a whole server in a simulator that crashes it, and judges what it answers.");
  app.require_subcommand(1);
  char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  RunOptions o;
  o.jobs = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
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

  SeedOptions seed;
  auto* one = app.add_subcommand("seed", "Run one seed in this process and print its result as JSON");
  one->add_option("suite", o.suite)->required();
  one->add_option("--seed", seed.seed)->required();
  one->add_option("--mutant", seed.mutants, "Plant this bug (mutants build)");

  EnumerateArguments images{.jobs = o.jobs, .self = o.self};
  auto* enumerated = app.add_subcommand("enumerate", "Crash short scripts at every operation of the disk, and open every image that may be left");
  add_enumerate_options(*enumerated, images);
  enumerated->add_option("--jobs", images.jobs, "Processes at once")->capture_default_str()->check(CLI::Range(1, 1024));
  enumerated->add_option("--json", images.json, "Write the figures here");
  enumerated->add_option("--at", images.at, "Only this image, as a failure names it");
  enumerated->add_option("--trace", images.trace, "With --at: write every event here");
  auto* enumerated_one = app.add_subcommand("enumerate-one", "Enumerate one scenario in this process and print the result as JSON");
  add_enumerate_options(*enumerated_one, images);


  CaseOptions which;
  std::string trace;
  ShrinkOptions shrinking{.self = o.self};
  auto* replay = app.add_subcommand("replay", "Run one seed, or the case in a file, and tell what happened");
  replay->add_option("--trace", trace, "Write every event here");
  auto* shrink = app.add_subcommand("shrink", "From a seed that fails to the smallest case that fails in the same way");
  shrink->add_option("--out", shrinking.out, "Write the case here instead of to standard output");
  shrink->add_option("--budget", shrinking.budget_core_seconds, "Core-seconds to spend")->capture_default_str();
  shrink->add_option("--jobs", o.jobs, "Processes at once")->capture_default_str()->check(CLI::Range(1, 1024));
  for (auto* c : {replay, shrink}) {
    c->add_option("case", which.what, "A file, or with --seed a suite")->required();
    c->add_option("--seed", which.seed, "The seed of that suite");
    c->add_option("--mutant", which.mutants, "Plant this bug (mutants build)");
  }
  std::string trial_file;
  auto* trial = app.add_subcommand("trial", "")->group("");
  trial->add_option("file", trial_file)->required();

  std::vector<std::string> case_paths;
  auto* cases = app.add_subcommand("cases", "Run case files: each fails with its planted bug, where this build has it, and passes without");
  cases->add_option("path", case_paths, "Files, or folders of *.case")->required();

  MutantsOptions planting{.self = o.self};
  auto* planted = app.add_subcommand("mutants", "Plant each bug and see it caught");
  planted->add_option("suite", planting.suite, "Only those of this suite");
  planted->add_option("--seeds", planting.seeds, "Give up after so many")->capture_default_str();
  planted->add_option("--jobs", o.jobs, "Processes at once")->capture_default_str();

  std::string part = "1/1";
  run->add_option("--part", part, "2/10: of these seeds the second, the twelfth and so on; of a real suite's images the second of ten equal shares")->capture_default_str();
  planted->add_option("--part", part, "2/10: of the planted bugs the second, the twelfth and so on")->capture_default_str();

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
  std::optional<Part> parsed = Part::parse(part);
  if (!parsed) {
    fmt::print(stderr, "holdfast-chaos: '{}' is no part like 2/10\n", part);
    return 2;
  }
  if (const RealSuite* suite = *run ? find_real_suite(o.suite) : nullptr) {
    real.seed = o.first_seed;
    for (const std::string& m : o.mutants) real.flags.insert(real.flags.end(), {"--test-mutant", m});
    real.jobs = o.jobs;
    real.part = parsed->number;
    real.parts = parsed->of;
    return suite->run(real);
  }
  o.part = planting.part = *parsed;
  planting.jobs = shrinking.jobs = o.jobs;
  if (*run) return run_command(o);
  if (*one) return seed_command(o.suite, seed);
  if (*replay) return replay_case(which.get(), trace);
  if (*shrink) return shrink_case(which.get(), shrinking);
  if (*trial) return trial_case(load_case(trial_file));
  if (*cases) return check_cases(case_paths, o.self, o.jobs);
  if (*enumerated) return enumerate_command(images);
  if (*enumerated_one) return enumerate_one_command(images);
  if (*planted) return run_mutants(planting);
  return 2;
}
