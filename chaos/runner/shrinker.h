// Shrinker: the search behind shrink(), and its passes. Internal to shrink.cc and shrink_passes.cc.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "chaos/runner/shrink.h"
#include "chaos/suite/minimize.h"

namespace holdfast::chaos {

/// Kinds of settings, by name.
bool is_of_plan(const std::string& name);
/// Whether a crash comes at all: "crash-3" and no more.
bool is_crash(const std::string& name);
/// At which operation it comes: "crash-3/operation".
bool is_aim(const std::string& name);

using Keep = Candidate;

class Shrinker {
 public:
  Shrinker(const Case& start, Trials& trials) : trials_(trials), best_(start) {}
  Result<Shrunk> run();

 private:
  /// Goes on with the first case that fails like the original; nothing when none does.
  std::optional<size_t> adopt(size_t count, const std::function<Case(size_t)>& make);
  bool adopt(const Case& c) { return c == best_ || adopt(1, [&](size_t) { return c; }).has_value(); }
  /// Goes on with a case that says less but is the same run.
  void say_less(const Case& c);
  /// Leaves out what can be left out of `count` things; `make` gives the case that keeps some.
  void leave_out(size_t count, const std::function<Case(const Keep&)>& make);
  void round();
  void tell(const char* after) const;
  uint64_t weight() const;

  void simplify(const std::function<bool(const std::string& name)>& which);
  void try_small();
  void list_strikes();
  void leave_out_crashes();
  void leave_out_clients();
  void leave_out_operations();
  void leave_out_strikes();
  void leave_out_values();
  void lower_numbers();
  std::vector<std::string> aims() const;
  void forget_the_idle();

  struct Performed {
    int client;
    uint64_t operation;
  };
  std::vector<Performed> performed() const;
  Case with_operations(Case c, const std::vector<Performed>& all, const Keep& keep) const;

  Trials& trials_;
  Case best_;
  Outcome outcome_;
  std::string kind_;
  Material original_;
  /// At first a run may grow by having fewer kinds of things in it; from the first simpler setting on it may not.
  enum class Growth : uint8_t { kAllowed, kRefused } growth_ = Growth::kAllowed;
};

}  // namespace holdfast::chaos
