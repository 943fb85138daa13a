#include "chaos/runner/report.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace holdfast::chaos {

using nlohmann::json;

std::string to_line(const SeedResult& r) {
  json j;
  j["hash"] = fmt::format("{:016x}", r.hash);
  j["violations"] = r.violations;
  j["counts"] = r.counts;
  j["probes"] = r.probes;
  j["simulated_seconds"] = r.simulated_seconds;
  j["configuration"] = r.configuration;
  j["misfits"] = r.misfits;
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool from_line(const std::string& line, SeedResult& r) {
  json j = json::parse(line, nullptr, false);
  if (!j.is_object() || !j.contains("hash")) return false;
  r.hash = std::stoull(j["hash"].get<std::string>(), nullptr, 16);
  r.violations = j["violations"].get<std::vector<std::string>>();
  r.counts = j["counts"].get<std::map<std::string, uint64_t>>();
  r.probes = j["probes"].get<std::map<std::string, uint64_t>>();
  r.simulated_seconds = j["simulated_seconds"].get<double>();
  r.configuration = j["configuration"].get<std::string>();
  r.misfits = j["misfits"].get<std::vector<std::string>>();
  return true;
}

void Report::add(const SeedResult& r) {
  ++seeds;
  simulated_seconds += r.simulated_seconds;
  for (const auto& [name, n] : r.counts) counts[name] += n;
  for (const auto& [name, n] : r.probes) probes[name] += n;
}

std::string Report::text() const {
  std::string out = fmt::format("{}: {} seeds, {} failures, {} hash differences; {:.0f} simulated seconds in {:.1f} s ({:.1f} core-seconds, second runs included)\n",
                                suite, seeds, failures.size(), hashes_differ, simulated_seconds, wall_seconds, cpu_seconds);
  double per = cpu_seconds > 0 ? 1 / cpu_seconds : 0;
  for (const auto& [name, n] : counts) out += fmt::format("  {:<40} {:>12} {:>12.1f} per core-second\n", name, n, static_cast<double>(n) * per);
  out += fmt::format("  {:<40} {:>12.2f} hours per core-hour\n", "simulated", simulated_seconds * per);
  out += "probes reached:\n";
  for (const auto& [name, n] : probes) out += fmt::format("  {:<40} {:>12}\n", name, n);
  for (const Failure& f : failures) out += fmt::format("seed {}: {}\n  replay: holdfast-chaos replay {} --seed {}\n", f.seed, f.what, suite, f.seed);
  return out;
}

std::string Report::json() const {
  nlohmann::json j;
  j["suite"] = suite;
  j["seeds"] = seeds;
  j["hashes_differ"] = hashes_differ;
  j["wall_seconds"] = wall_seconds;
  j["core_seconds"] = cpu_seconds;
  j["simulated_seconds"] = simulated_seconds;
  j["counts"] = counts;
  j["probes"] = probes;
  j["failures"] = nlohmann::json::array();
  for (const Failure& f : failures) j["failures"].push_back({{"seed", f.seed}, {"what", f.what}});
  return j.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace holdfast::chaos
