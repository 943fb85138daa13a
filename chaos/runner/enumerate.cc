#include "chaos/runner/enumerate.h"

#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "chaos/runner/worker.h"
#include "chaos/suite/enumerate/enumerate.h"

namespace holdfast::chaos {
namespace {

using nlohmann::json;

/// A scenario with a large cap may take hours.
constexpr double kTimeoutSeconds = 24 * 3600;
constexpr double kSecondsPerHour = 3600;

struct Row {
  std::string scenario;
  EnumerationResult result;
  double cpu_seconds = 0;
};

bool parse_part(const std::string& text, uint64_t& part, uint64_t& parts) {
  return std::sscanf(text.c_str(), "%lu/%lu", &part, &parts) == 2 && part < parts;
}

EnumerateOptions options_of(const EnumerateArguments& a) {
  EnumerateOptions o{.cap = a.cap, .depth = a.depth, .mutants = a.mutants};
  if (a.first_failure) o.failures_max = 1;
  if (!parse_part(a.part, o.part, o.parts)) {
    fmt::print(stderr, "holdfast-chaos: --part is I/N, counted from 0\n");
    std::exit(2);
  }
  if (!a.at.empty() && !(o.only = parse_address(a.at))) {
    fmt::print(stderr, "holdfast-chaos: '{}' is no address of an image\n", a.at);
    std::exit(2);
  }
  return o;
}

std::vector<std::string> wanted(const EnumerateArguments& a) {
  std::vector<std::string> names;
  for (const Scenario& s : scenarios())
    if (a.scenario.empty() || s.name == a.scenario || s.name.starts_with(a.scenario + "-")) names.push_back(s.name);
  if (!names.empty()) return names;
  fmt::print(stderr, "holdfast-chaos: there is no scenario '{}'; there are\n", a.scenario);
  for (const Scenario& s : scenarios()) fmt::print(stderr, "  {:<20} {}\n", s.name, s.about);
  std::exit(2);
}

// ---- One line from the worker to the runner ----

std::string to_line(EnumerationResult& r) {
  json j;
  j["operations"] = r.operations;
  for (const auto& [name, value] : r.counts.fields()) j["counts"][name] = *value;
  j["failures"] = json::array();
  for (const EnumerationFailure& f : r.failures) j["failures"].push_back({{"at", f.at}, {"what", f.what}, {"lost", f.lost}});
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool from_line(const std::string& line, EnumerationResult& r) {
  json j = json::parse(line, nullptr, false);
  if (!j.is_object() || !j.contains("counts")) return false;
  r.operations = j["operations"];
  for (const auto& [name, value] : r.counts.fields()) *value = j["counts"][name];
  for (const json& f : j["failures"]) r.failures.push_back({f["at"], f["what"], f["lost"]});
  return true;
}

// Where the worker is, for when an assertion ends it.
Address current_image;

void tell_where(int signal) {
  std::string line = "at image " + to_text(current_image) + "\n";
  (void)!write(STDERR_FILENO, line.data(), line.size());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

Row row_of(const std::string& name, const JobResult& job) {
  Row row{name, {}, job.cpu_seconds};
  if (WIFEXITED(job.status) && from_line(job.output, row.result)) return row;
  std::string how = WIFSIGNALED(job.status) ? fmt::format("killed by signal {}", WTERMSIG(job.status)) : fmt::format("exit status {}", WEXITSTATUS(job.status));
  constexpr std::string_view kWhere = "at image ";
  std::string at;
  if (size_t n = job.errors.rfind(kWhere); n != std::string::npos) at = job.errors.substr(n + kWhere.size(), job.errors.find('\n', n) - n - kWhere.size());
  row.result.failures.push_back({at, fmt::format("{} without a result\n{}", how, job.errors), {}});
  return row;
}

std::vector<Row> run(const EnumerateArguments& a) {
  std::vector<std::string> names = wanted(a);
  std::vector<Row> rows(names.size());
  size_t started = 0;
  bool failed = false;
  auto next = [&]() -> Job {
    if (started == names.size() || (failed && a.first_failure)) return {};
    Job job{{a.self, "enumerate-one", names[started], "--cap", std::to_string(a.cap), "--depth", std::to_string(a.depth), "--part", a.part}, started};
    ++started;
    for (const std::string& m : a.mutants) job.argv.insert(job.argv.end(), {"--mutant", m});
    if (a.first_failure) job.argv.push_back("--first-failure");
    return job;
  };
  run_jobs(a.jobs, kTimeoutSeconds, next, [&](JobResult r) {
    rows[r.tag] = row_of(names[r.tag], r);
    failed |= !rows[r.tag].result.failures.empty();
  });
  rows.resize(started);
  return rows;
}

// ---- What people read ----

std::string replay_line(const EnumerateArguments& a, const std::string& scenario, const std::string& at) {
  std::string line = fmt::format("holdfast-chaos enumerate {} --cap {} --at {}", scenario, a.cap, at);
  for (const std::string& m : a.mutants) line += " --mutant " + m;
  return line;
}

void print_failure(const EnumerateArguments& a, const std::string& scenario, const EnumerationFailure& f) {
  fmt::print("{}: {}\n", scenario, f.what);
  for (const std::string& l : f.lost) fmt::print("    {}\n", l);
  if (!f.at.empty()) fmt::print("  replay: {}\n", replay_line(a, scenario, f.at));
}

double per_hour(uint64_t n, double seconds) { return seconds > 0 ? static_cast<double>(n) / seconds * kSecondsPerHour : 0; }

void print_row(Row& row) {
  EnumerationCounts& c = row.result.counts;
  fmt::print("{:<20} {:>5} {:>7} {:>7} {:>5.0f}% {:>9} {:>9} {:>9} {:>6} {:>8.1f} {:>11.0f} {:>11.0f}\n", row.scenario, row.result.operations,
             c.crash_points, c.states, c.states ? 100.0 * static_cast<double>(c.states_exhausted) / static_cast<double>(c.states) : 0, c.images,
             c.nested_images, c.opened, row.result.failures.size(), row.cpu_seconds, per_hour(c.images + c.nested_images, row.cpu_seconds),
             per_hour(c.opened, row.cpu_seconds));
}

json json_of(Row& row) {
  json j = json::parse(to_line(row.result));
  j["scenario"] = row.scenario;
  j["core_seconds"] = row.cpu_seconds;
  return j;
}

int replay(const EnumerateArguments& a) {
  EnumerateOptions options = options_of(a);
  const Scenario* scenario = find_scenario(a.scenario);
  if (!scenario) wanted({.scenario = "none of these"});
  std::ofstream file;
  if (!a.trace.empty()) {
    file.open(a.trace);
    options.trace = [&file](std::string_view line) { file << line << "\n"; };
  }
  EnumerationResult result = enumerate(*scenario, options);
  for (const EnumerationFailure& f : result.failures) print_failure(a, a.scenario, f);
  fmt::print("{}\n", result.failures.empty() ? "passed" : "failed");
  return result.failures.empty() ? 0 : 1;
}

}  // namespace

void add_enumerate_options(CLI::App& command, EnumerateArguments& a) {
  command.add_option("scenario", a.scenario, "One of them, or the first part of its name; without it, all");
  command.add_option("--cap", a.cap, "Images per state; more than that are sampled")->capture_default_str()->check(CLI::Range(8, 1 << 30));
  command.add_option("--depth", a.depth, "Crashes within recovery, one after the other")->capture_default_str()->check(CLI::Range(0, 8));
  command.add_option("--part", a.part, "I/N: every Nth operation, from the Ith on")->capture_default_str();
  command.add_option("--mutant", a.mutants, "Plant this bug (mutants build)");
  command.add_flag("--first-failure", a.first_failure, "End with the first failure instead of three per scenario");
}

int enumerate_command(const EnumerateArguments& a) {
  if (!a.at.empty()) return replay(a);
  (void)options_of(a);
  std::vector<Row> rows = run(a);
  fmt::print("{:<20} {:>5} {:>7} {:>7} {:>6} {:>9} {:>9} {:>9} {:>6} {:>8} {:>11} {:>11}\n", "scenario", "i/o", "crashes", "states", "whole", "images",
             "nested", "distinct", "failed", "core-s", "images/h", "distinct/h");
  Row total{"all", {}, 0};
  json report = json::array();
  for (Row& row : rows) {
    print_row(row);
    report.push_back(json_of(row));
    auto sums = total.result.counts.fields();
    auto values = row.result.counts.fields();
    for (size_t i = 0; i < sums.size(); ++i) *sums[i].second += *values[i].second;
    total.result.operations += row.result.operations;
    total.cpu_seconds += row.cpu_seconds;
    total.result.failures.insert(total.result.failures.end(), row.result.failures.begin(), row.result.failures.end());
  }
  print_row(total);
  for (const Row& row : rows)
    for (const EnumerationFailure& f : row.result.failures) print_failure(a, row.scenario, f);
  if (!a.json.empty()) std::ofstream(a.json) << report.dump(2) << "\n";
  return total.result.failures.empty() ? 0 : 1;
}

int enumerate_one_command(const EnumerateArguments& a) {
  for (int s : {SIGABRT, SIGSEGV, SIGILL, SIGFPE, SIGBUS}) std::signal(s, tell_where);
  EnumerateOptions options = options_of(a);
  options.begins = [](const Address& at) { current_image = at; };
  const Scenario* scenario = find_scenario(a.scenario);
  if (!scenario) return 2;
  EnumerationResult result = enumerate(*scenario, options);
  std::string line = to_line(result) + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
  return 0;
}

EnumerationCatch enumerate_until_failure(const EnumerateArguments& a) {
  EnumerationCatch out;
  for (Row& row : run(a)) {
    out.cpu_seconds += row.cpu_seconds;
    out.images += row.result.counts.images + row.result.counts.nested_images;
    if (out.what.empty() && !row.result.failures.empty())
      out.what = fmt::format("{} {}: {}", row.scenario, row.result.failures[0].at, row.result.failures[0].what);
  }
  return out;
}

}  // namespace holdfast::chaos
