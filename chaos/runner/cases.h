// Cases: what holdfast-chaos does with single runs: tell one, shrink one, and run those that are committed.
#pragma once

#include <string>
#include <vector>

#include "chaos/suite/case.h"

namespace holdfast::chaos {

/// This build has the planted bugs in it.
#ifdef HOLDFAST_MUTANTS
inline constexpr bool kHasMutants = true;
#else
inline constexpr bool kHasMutants = false;
#endif

/// Reads a file; ends the process with a sentence and exit code 2 when it is no case, or names a suite or mutant that is
/// not there.
Case load_case(const std::string& path);

/// Runs a case in this process and tells what happened; every event goes to the file `trace` unless that is empty. Exit
/// code: 0 it passed, 1 it failed, 2 it does not fit its suite.
int replay_case(const Case& c, const std::string& trace);

/// Runs a case for a Trials in another process: one line on standard output.
int trial_case(const Case& c);

struct ShrinkOptions {
  std::string self;
  std::string out;  ///< empty: standard output
  int jobs = 1;
  double budget_core_seconds = 300;
};
/// Exit code: 0 when there is a smaller case.
int shrink_case(const Case& c, const ShrinkOptions& options);

/// Runs committed cases, or all `*.case` in a folder: with its mutants, where this build has them, each must fail as it
/// expects; without them it must pass. Exit code: 0 when all do.
int check_cases(const std::vector<std::string>& paths, const std::string& self, int jobs);

}  // namespace holdfast::chaos
