// Probes, mutants and cooperative faults: the places where code meets the run that is watching it.
//
// All three reach the run through one thread-local pointer that whoever runs a step sets; it is the only global state
// there is. In production it is null: a probe costs a load and a branch, a mutant nothing at all.
//
//   SOMETIMES(condition, "name")   a rare branch; the run's report names probes that were never reached
//   MUTANT("name")                 true when the run plants that bug; constant false outside the `mutants` preset
//   MAY_MISBEHAVE("name")          true when the run asks for behaviour that is legal but unkind (a shorter batch, an
//                                  early flush, an extra yield)
//
// Names are lower-case words joined by '-' and unique per place, but for mutants that need several places.
#pragma once

#include <string_view>

namespace holdfast {

class RunRecord {
 public:
  virtual ~RunRecord() = default;
  virtual void probe(std::string_view name) = 0;
  virtual bool mutant(std::string_view name) = 0;
  virtual bool misbehave(std::string_view name) = 0;
};

inline thread_local RunRecord* current_run = nullptr;

/// Sets `current_run` for a scope.
class RunScope {
 public:
  explicit RunScope(RunRecord* run) : previous_(current_run) { current_run = run; }
  ~RunScope() { current_run = previous_; }
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;

 private:
  RunRecord* previous_;
};

}  // namespace holdfast

#define SOMETIMES(condition, name) \
  ((condition) && ::holdfast::current_run ? ::holdfast::current_run->probe(name) : void(0))

#ifdef HOLDFAST_MUTANTS
#define MUTANT(name) (::holdfast::current_run != nullptr && ::holdfast::current_run->mutant(name))
#else
#define MUTANT(name) false
#endif

#define MAY_MISBEHAVE(name) (::holdfast::current_run != nullptr && ::holdfast::current_run->misbehave(name))
