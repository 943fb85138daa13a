// Settings: the numbers that a suite draws once per run (clients, sizes, when to crash), by name.
//
// Place in the system: a suite asks for each number here instead of drawing it, so that a case can fix any of them and a
// shrinker hears which there are and what would be simpler. Each is drawn from a stream of its own: fixing one, or asking
// for another, changes no other.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "chaos/suite/overrides.h"
#include "sim/world.h"

namespace holdfast::chaos {

/// One number that a run asked for.
struct Setting {
  uint64_t value = 0;
  uint64_t simple = 0;  ///< what a reader would rather see; `value` when nothing is simpler
  bool operator==(const Setting&) const = default;
};

/// What a run could be made smaller by.
struct Material {
  std::map<std::string, Setting> settings;  ///< that it asked for, and the fields of the fault plan
  std::map<int, uint64_t> operations;       ///< per client, how many it came to
  std::vector<sim::Harm> harms;
};

class Settings {
 public:
  /// All three outlive this; `material` may be null.
  Settings(sim::World& world, const Overrides& overrides, Material* material)
      : world_(world), overrides_(overrides), material_(material) {}

  /// Even in [low, high], both included, unless the case says otherwise.
  uint64_t between(const std::string& name, uint64_t low, uint64_t high, uint64_t simple);
  uint64_t between(const std::string& name, uint64_t low, uint64_t high) { return between(name, low, high, low); }
  /// The same with small numbers as likely as large ones: as many between 1 and 2 as between 1000 and 2000.
  uint64_t log_between(const std::string& name, uint64_t low, uint64_t high, uint64_t simple);
  /// True once in `n`.
  bool one_in(const std::string& name, uint64_t n);
  /// `usual`, unless the case says otherwise: something within [low, high].
  uint64_t given(const std::string& name, uint64_t usual, uint64_t low, uint64_t high, uint64_t simple);

  /// A name that runs may ask for, though not every run does; digits stand for any number.
  void may_ask(std::string_view name) { known_.insert(shape(name)); }
  /// What of the overrides makes no sense here: settings that nobody can ask for, values out of range.
  std::vector<std::string> misfits() const;

 private:
  /// A name with each number replaced by `#`.
  static std::string shape(std::string_view name);

  sim::World& world_;
  const Overrides& overrides_;
  Material* material_;
  std::set<std::string> known_;
  std::vector<std::string> out_of_range_;
};

}  // namespace holdfast::chaos
