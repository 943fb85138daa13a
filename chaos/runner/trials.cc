#include "chaos/runner/trials.h"

#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "chaos/runner/report.h"
#include "chaos/runner/worker.h"

namespace holdfast::chaos {
namespace {

using nlohmann::json;

/// A case that runs longer does not end: runs take well under a second.
constexpr double kTrialTimeoutSeconds = 20;

json to_json(const Material& m) {
  json j;
  j["settings"] = json::array();
  for (const auto& [name, s] : m.settings) j["settings"].push_back({name, s.value, s.simple});
  j["operations"] = json::array();
  for (const auto& [client, n] : m.operations) j["operations"].push_back({client, n});
  j["harms"] = json::array();
  for (const sim::Harm& h : m.harms)
    j["harms"].push_back({h.stream, h.index.occurrence, h.index.detail, h.kind == sim::Harm::Kind::kStrike, h.value});
  return j;
}

Material material_of(const json& j) {
  Material m;
  for (const json& s : j.at("settings")) m.settings[s.at(0).get<std::string>()] = {s.at(1).get<uint64_t>(), s.at(2).get<uint64_t>()};
  for (const json& o : j.at("operations")) m.operations[o.at(0).get<int>()] = o.at(1).get<uint64_t>();
  for (const json& h : j.at("harms"))
    m.harms.push_back({h.at(0).get<std::string>(),
                       {h.at(1).get<uint32_t>(), h.at(2).get<uint32_t>()},
                       h.at(3).get<bool>() ? sim::Harm::Kind::kStrike : sim::Harm::Kind::kValue,
                       h.at(4).get<uint64_t>()});
  return m;
}

/// The last line of what a process said before it ended.
std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
}

Outcome outcome_of(const JobResult& r) {
  Outcome out;
  json j = json::parse(r.output, nullptr, false);
  if (j.is_object() && j.contains("material")) out.material = material_of(j["material"]);
  if (r.timed_out) {
    out.violation = "the run does not end";
  } else if (WIFSIGNALED(r.status)) {
    out.violation = fmt::format("killed by signal {}: {}", WTERMSIG(r.status), last_line(r.errors));
  } else if (!j.is_object() || !j.contains("result") || !from_line(j["result"].get<std::string>(), out.result)) {
    out.violation = fmt::format("exit status {} without a result: {}", WEXITSTATUS(r.status), last_line(r.errors));
  } else {
    out.hash = out.result.hash;
    out.misfits = out.result.misfits;
    if (!out.result.violations.empty()) out.violation = out.result.violations.front();
  }
  return out;
}

}  // namespace

std::string to_line(const SeedResult* result, const Material& material) {
  json j;
  j["material"] = to_json(material);
  if (result) j["result"] = to_line(*result);
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

Trials::Trials(std::string self, int jobs, double budget_core_seconds) : self_(std::move(self)), jobs_(jobs), budget_(budget_core_seconds) {
  std::string pattern = std::filesystem::temp_directory_path() / "holdfast-cases-XXXXXX";
  if (!mkdtemp(pattern.data())) {
    std::perror(pattern.c_str());
    std::exit(1);
  }
  directory_ = pattern;
}

Trials::~Trials() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Outcome Trials::run(const Case& c) {
  double budget = std::exchange(budget_, core_seconds_ + 1);  // one run is always possible
  auto found = first(1, [&](size_t) { return c; }, [](const Outcome&) { return true; });
  budget_ = budget;
  return std::move(found->outcome);
}

std::optional<Trials::Found> Trials::first(size_t count, const std::function<Case(size_t)>& make,
                                           const std::function<bool(const Outcome&)>& accept) {
  std::optional<Found> found;
  size_t started = 0;
  auto file = [&](size_t i) { return fmt::format("{}/{}.case", directory_, i); };
  auto next = [&]() -> Job {
    if (found || started == count || exhausted()) return {};
    size_t i = started++;
    std::ofstream(file(i)) << to_text(make(i));
    return {{self_, "trial", file(i)}, i};
  };
  run_jobs(jobs_, kTrialTimeoutSeconds, next, [&](JobResult r) {
    core_seconds_ += r.cpu_seconds;
    ++runs_;
    std::filesystem::remove(file(r.tag));
    Outcome outcome = outcome_of(r);
    if ((!found || r.tag < found->index) && accept(outcome)) found = Found{r.tag, std::move(outcome)};
  });
  return found;
}

}  // namespace holdfast::chaos
