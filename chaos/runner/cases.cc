#include "chaos/runner/cases.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "chaos/runner/shrink.h"

namespace holdfast::chaos {
namespace {

[[noreturn]] void refuse(const std::string& sentence) {
  fmt::print(stderr, "holdfast-chaos: {}\n", sentence);
  std::exit(2);
}

SeedOptions options_of(const Case& c) { return {.seed = c.seed, .mutants = c.mutants, .overrides = c.overrides}; }

bool shows(std::string_view violation, const Case& c) {
  return c.expect.empty() || kind_of(without_quote(violation)) == kind_of(without_quote(c.expect));
}

/// Why this outcome is not what the case expects; empty when it is.
std::string stale(const Case& c, const Outcome& o) {
  if (!o.misfits.empty()) return "it does not fit its suite: " + o.misfits.front();
  if (o.violation.empty()) return "it passes, and should show: " + c.expect;
  if (!shows(o.violation, c)) return "it shows: " + o.violation + "\n  and should show: " + c.expect;
  return "";
}

// The material of the run under way, for a process that breaks off.
Material material_so_far;

void tell_material(int signal) {
  // After an assertion the heap is whole, so this is no worse than what assert() does.
  std::string line = to_line(nullptr, material_so_far) + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::vector<std::string> case_files(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) {
      out.push_back(path);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.path().extension() == ".case") out.push_back(entry.path().string());
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace

Case load_case(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) refuse("cannot read " + path);
  Result<Case> c = parse_case(text.str());
  if (!c) refuse(path + ": " + c.error().message);
  if (!find_suite(c->suite)) refuse(fmt::format("{}: there is no suite '{}'; the case is stale", path, c->suite));
  for (const std::string& m : c->mutants)
    if (std::ranges::find(mutants(), m, &Mutant::name) == mutants().end()) refuse(fmt::format("{}: there is no mutant '{}'; the case is stale", path, m));
  return std::move(*c);
}

int replay_case(const Case& c, const std::string& trace) {
  SeedOptions options = options_of(c);
  std::ofstream file;
  if (!trace.empty()) {
    file.open(trace);
    if (!file) refuse("cannot write " + trace);
    options.trace = [&file](std::string_view line) { file << line << "\n"; };
  }
  if (!c.mutants.empty() && !kHasMutants) fmt::print("this build has no planted bugs in it: the run is one without\n");
  SeedResult result = find_suite(c.suite)->run(options);
  if (!result.misfits.empty()) {
    for (const std::string& m : result.misfits) fmt::print(stderr, "holdfast-chaos: stale: {} in {}\n", m, c.suite);
    return 2;
  }
  fmt::print("seed {} hash {:016x}\nconfiguration: {}\n", c.seed, result.hash, result.configuration);
  for (const auto& [name, n] : result.counts) fmt::print("  {:<40} {:>12}\n", name, n);
  for (const std::string& v : result.violations) fmt::print("violation: {}\n", v);
  if (!c.expect.empty() && (result.violations.empty() || !shows(result.violations.front(), c)))
    fmt::print("stale or fixed: expected was: {}\n", c.expect);
  fmt::print("{}\n", result.violations.empty() ? "passed" : "failed");
  return result.violations.empty() ? 0 : 1;
}

int trial_case(const Case& c) {
  SeedOptions options = options_of(c);
  options.material = &material_so_far;
  std::signal(SIGABRT, tell_material);
  SeedResult result = find_suite(c.suite)->run(options);
  std::string line = to_line(&result, material_so_far) + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
  return 0;
}

int shrink_case(const Case& c, const ShrinkOptions& o) {
  Trials trials(o.self, o.jobs, o.budget_core_seconds);
  Result<Shrunk> shrunk = shrink(c, trials);
  if (!shrunk) refuse(shrunk.error().message);
  std::string text = to_text(shrunk->smallest);
  if (o.out.empty()) fmt::print("{}", text);
  RunSize before = size_of(shrunk->before), after = size_of(shrunk->after);
  auto row = [](const char* what, auto was, auto is) { fmt::print(stderr, "{:<16} {:>10} {:>10}\n", what, was, is); };
  row("", "before", "after");
  row("faults", before.faults, after.faults);
  row("crashes", before.crashes, after.crashes);
  row("clients", before.clients, after.clients);
  row("operations", before.operations, after.operations);
  row("virtual seconds", fmt::format("{:.3f}", before.seconds), fmt::format("{:.3f}", after.seconds));
  fmt::print(stderr, "{} runs, {:.1f} core-seconds{}; {} bytes\nviolation: {}\n", trials.runs(), trials.core_seconds(),
             trials.exhausted() ? ", which is the budget: more may go with a larger one" : "", text.size(), shrunk->after.violation);
  if (text.size() > kCaseBytesMax) {
    fmt::print(stderr, "holdfast-chaos: the case has {} bytes; one that is to be committed has at most {}\n", text.size(), kCaseBytesMax);
    return 1;
  }
  if (!o.out.empty()) {
    std::ofstream file(o.out);
    file << text;
    if (!file.flush()) refuse("cannot write " + o.out);
    fmt::print(stderr, "replay: holdfast-chaos replay {}\n", o.out);
  }
  return 0;
}

int check_cases(const std::vector<std::string>& paths, const std::string& self, int jobs) {
  std::vector<std::string> files = case_files(paths);
  if (files.empty()) refuse("there is no case");
  struct Check {
    std::string file;
    Case c;
    bool must_fail;
  };
  std::vector<Check> checks;
  for (const std::string& file : files) {
    Case c = load_case(file);
    if (std::filesystem::file_size(file) > kCaseBytesMax) refuse(fmt::format("{} is longer than {} bytes", file, kCaseBytesMax));
    if (!c.mutants.empty() && kHasMutants) checks.push_back({file, c, true});
    c.mutants.clear();
    checks.push_back({file, std::move(c), false});
  }
  Trials trials(self, jobs, 1e9);
  int bad = 0;
  size_t at = 0;
  for (const Check& check : checks) {
    Outcome o = trials.run(check.c);
    std::string why = check.must_fail ? stale(check.c, o)
                      : o.misfits.empty() ? (o.violation.empty() ? "" : "it fails without a planted bug: " + o.violation)
                                          : "it does not fit its suite: " + o.misfits.front();
    if (!why.empty()) {
      ++bad;
      fmt::print("{}: {}\nreplay: holdfast-chaos replay {}\n", check.file, why, check.file);
    }
    ++at;
  }
  fmt::print("{} cases, {} runs, {} not as expected; {:.1f} core-seconds\n", files.size(), at, bad, trials.core_seconds());
  return bad == 0 ? 0 : 1;
}

}  // namespace holdfast::chaos
