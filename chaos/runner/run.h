// Run: many seeds of a suite, in worker processes, each twice; and each planted bug until a seed catches it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "chaos/runner/report.h"

namespace holdfast::chaos {

/// Every `of`-th thing, from the `number`-th on, counted from 1: a long run in parts that can be repeated one by one.
struct Part {
  uint64_t number = 1;
  uint64_t of = 1;
  /// From "2/10"; nothing when that is no part.
  static std::optional<Part> parse(const std::string& text);
};

struct RunOptions {
  std::string suite;
  uint64_t seeds = 100;
  uint64_t first_seed = 1;
  Part part;
  int jobs = 1;
  std::vector<std::string> mutants;
  std::string json;
  std::string self;
  bool once = false;  ///< skip the second run
  bool stop_at_failure = false;
  bool print_hashes = false;
};

/// Runs each seed twice in processes of their own and compares.
Report run(const RunOptions& options);

struct MutantsOptions {
  std::string suite;  ///< empty: all
  uint64_t seeds = 200;
  Part part;
  int jobs = 1;
  std::string self;
};
/// Each mutant in its suite until a seed catches it, as a table on standard output. Exit code: 0 when all were caught.
int run_mutants(const MutantsOptions& options);

}  // namespace holdfast::chaos
