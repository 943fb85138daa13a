// Trials: runs cases in worker processes and says what each came to.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "chaos/suite/case.h"
#include "chaos/suite/suite.h"

namespace holdfast::chaos {

/// What the run of one case came to.
struct Outcome {
  uint64_t hash = 0;
  std::string violation;  ///< the first one, or how the process ended without a result; empty: it passed
  std::vector<std::string> misfits;
  SeedResult result;      ///< empty when the process broke off
  Material material;      ///< what there is to leave out, as far as the run came
};

class Trials {
 public:
  /// `self`: this program. Cases are handed to its processes as files in a directory of their own, which goes with this.
  Trials(std::string self, int jobs, double budget_core_seconds);
  Trials(const Trials&) = delete;
  Trials& operator=(const Trials&) = delete;
  ~Trials();

  Outcome run(const Case& c);
  /// The first of `count` cases, in their order, that `accept`s its outcome. Tries several at once; which one is found
  /// does not depend on how many. Nothing: none, or the budget is used up.
  struct Found {
    size_t index;
    Outcome outcome;
  };
  std::optional<Found> first(size_t count, const std::function<Case(size_t)>& make, const std::function<bool(const Outcome&)>& accept);

  double core_seconds() const { return core_seconds_; }
  uint64_t runs() const { return runs_; }
  bool exhausted() const { return core_seconds_ >= budget_; }

 private:
  std::string self_;
  int jobs_;
  double budget_;
  std::string directory_;
  double core_seconds_ = 0;
  uint64_t runs_ = 0;
};

/// A result as a worker prints it for a trial, with the material; and what a runner makes of its end.
std::string to_line(const SeedResult* result, const Material& material);

}  // namespace holdfast::chaos
