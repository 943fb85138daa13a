// SimRecord: what a run answers to probes, mutants and cooperative faults (io/base/probe.h).
//
// Names arrive as string literals; each literal is looked up once by address and from then on found without comparing
// text. Addresses decide nothing: everything that can be seen is ordered by name.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "io/base/probe.h"
#include "sim/faults.h"

namespace holdfast::sim {

class SimRecord final : public RunRecord {
 public:
  SimRecord(uint64_t seed, const FaultPlan& plan, std::vector<std::string> mutants, Trace& trace, FaultCounts& counts);

  void probe(std::string_view name) override;
  bool mutant(std::string_view name) override;
  /// Each name is on or off for the whole run, and if on, has a rate; both drawn from the name's own stream.
  bool misbehave(std::string_view name) override;

  /// Probes reached, with how often; mutants that were asked for while planted, likewise.
  std::map<std::string, uint64_t, std::less<>> probes() const;
  std::map<std::string, uint64_t, std::less<>> mutants_reached() const;

 private:
  struct Misbehaviour {
    Stream stream;
    Rate rate;
  };
  template <class V>
  struct ByName {
    std::map<std::string, V, std::less<>> values;
    std::unordered_map<const char*, V*> by_address;
  };

  uint64_t seed_;
  const FaultPlan& plan_;
  std::set<std::string, std::less<>> mutants_;
  Trace& trace_;
  FaultCounts& counts_;
  ByName<uint64_t> probes_;
  ByName<uint64_t> reached_;
  ByName<Misbehaviour> misbehaviours_;
};

}  // namespace holdfast::sim
