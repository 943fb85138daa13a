// Suites: what can be run, by name, and what one seed of one comes to.
//
// Place in the system: a suite builds a World, puts servers and clients into it, lets the seed's faults loose, and judges. No OS here; the runner (runner/)
// runs seeds in processes of their own, twice, and compares hashes.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chaos/suite/overrides.h"
#include "chaos/suite/settings.h"
#include "io/host.h"
#include "sim/trace.h"

namespace holdfast::chaos {

struct SeedOptions {
  uint64_t seed = 1;
  std::vector<std::string> mutants;
  Overrides overrides;
  Material* material = nullptr;  ///< filled as the run goes on, so that there is some when the process breaks off
  sim::Trace::Sink trace;  ///< nothing: no story
};

struct SeedResult {
  uint64_t hash = 0;
  std::vector<std::string> violations;       ///< none: the seed passed
  std::map<std::string, uint64_t> counts;    ///< what happened: crashes, faults by name, operations checked …
  std::map<std::string, uint64_t> probes;    ///< SOMETIMES places reached, and how often
  double simulated_seconds = 0;
  std::string configuration;                 ///< what the seed drew, in one line
  std::vector<std::string> misfits;          ///< overrides that make no sense in this suite: the run means nothing
};

/// The end of a run about one server: ends its process, so that what is under way in it is over before it is destroyed, and puts what world and settings know
/// into the result.
void conclude(sim::World& world, sim::Node& server, const Settings& settings, SeedResult& out);

/// One client of a workload as the main of a process.
template <class Workload>
io::Task<int> run_client(Workload& workload, io::Host& host, int index) {
  co_await workload.run_client(host, index);
  co_return 0;
}

struct Suite {
  std::string_view name;
  std::string_view about;  ///< one sentence
  SeedResult (*run)(const SeedOptions& options);
};

std::span<const Suite> suites();
/// Null when there is none.
const Suite* find_suite(std::string_view name);

/// A planted bug, and where it is expected to be caught.
struct Mutant {
  std::string_view name;
  std::string_view number;  ///< in the list of precedents (README.md); "own" for others
  std::string_view suite;   ///< or "enumerate SCENARIO": crash enumeration (enumerate/)
  std::string_view about;
};
std::span<const Mutant> mutants();

}  // namespace holdfast::chaos
