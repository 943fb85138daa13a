// What a run of many seeds comes to: kept as it goes, printed at the end for people, and as JSON for machines.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "chaos/suite/suite.h"

namespace holdfast::chaos {

/// One seed's result as a worker prints it and the runner reads it.
std::string to_line(const SeedResult& result);
/// False for a line that is no such result.
bool from_line(const std::string& line, SeedResult& result);

struct Failure {
  uint64_t seed = 0;
  std::string what;
};

struct Report {
  std::string suite;
  uint64_t seeds = 0;
  double cpu_seconds = 0;
  double wall_seconds = 0;
  double simulated_seconds = 0;
  std::map<std::string, uint64_t> counts;
  std::map<std::string, uint64_t> probes;
  std::vector<Failure> failures;
  uint64_t hashes_differ = 0;

  void add(const SeedResult& result);
  std::string text() const;
  std::string json() const;
};

}  // namespace holdfast::chaos
