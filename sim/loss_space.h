// LossSpace: everything that a power loss may leave of one disk, as independent choices that can be counted and gone
// through.
//
// A choice is a sector, a size or a change of names that may come out in more than one way; its options are the ways
// that differ in content, the tame one (nothing lost) first and the durable one last. A plan picks one option of each;
// every plan is legal, because DiskModel asks the questions. Two plans may leave the same disk: a change of names that
// rests on a lost one is lost whatever its pick, and what a file holds does not matter when no name leads to it.
//
// Torn sectors and garbage are not options (a sector can tear at 511 places): a plan names the few sectors that do.
//
// LossPlans goes through a space: all of it when that is at most `cap`, otherwise the extremes in order (all kept, all
// lost, every moment in time, each choice alone lost, alone kept) and then samples; and behind that tears: all sectors at
// once down to garbage, each alone, samples.
#pragma once

#include <map>

#include "sim/loss.h"

namespace holdfast::sim {

struct LossPlan {
  std::vector<uint16_t> picks;            ///< one per choice
  std::map<uint32_t, SectorFate> torn;    ///< by choice; its pick does not count
};

class LossSpace {
 public:
  enum class Kind : uint8_t { kSector, kSize, kName };
  struct Option {
    size_t answer;      ///< to the question
    uint64_t sequence;  ///< of the change that brought it about; 0 for what is durable
  };
  struct Choice {
    Kind kind;
    uint32_t question;  ///< number of the question that DiskModel asks
    std::vector<Option> options;
    std::string what;
    size_t newest = 0;            ///< kSector: versions besides the durable one
    bool may_be_garbage = false;  ///< kSector
  };

  /// Of a power loss with the weak profile, on the disk as it is now.
  explicit LossSpace(const DiskModel& disk);

  const std::vector<Choice>& choices() const { return choices_; }
  /// How many plans there are, without tears; at most UINT64_MAX.
  uint64_t combinations() const { return combinations_; }
  LossPlan all_kept() const { return {std::vector<uint16_t>(choices_.size(), 0), {}}; }
  LossPlan all_lost() const;
  /// What there was after all changes up to `sequence`, those included.
  LossPlan as_of(uint64_t sequence) const;

  /// Carries the plan out. Requires: `disk` is a clone of the one that the space was made of.
  void lose(DiskModel& disk, const LossPlan& plan, FaultCounts& counts) const;
  /// What is not as nothing-lost would leave it, one sentence each.
  std::vector<std::string> describe(const LossPlan& plan) const;

 private:
  friend class SurveyChooser;
  std::vector<Choice> choices_;
  uint64_t combinations_ = 1;
};

class LossPlans {
 public:
  LossPlans(const LossSpace& space, uint64_t cap, uint64_t seed);

  /// The next plan; nothing when there are no more. At most cap + cap / 4.
  std::optional<LossPlan> next();
  /// Whether every plan without tears is among them.
  bool exhaustive() const { return space_.combinations() <= cap_; }

 private:
  std::optional<LossPlan> extreme(uint64_t index) const;
  LossPlan counted(uint64_t index) const;
  LossPlan sample();
  LossPlan torn(uint64_t index);
  void tear(LossPlan& plan, uint32_t choice);

  const LossSpace& space_;
  uint64_t cap_;
  Rng rng_;
  std::vector<uint32_t> sectors_;     ///< choices that can tear
  std::vector<uint64_t> moments_;     ///< distinct sequence numbers, ascending
  uint64_t given_ = 0;                ///< without tears
  uint64_t torn_ = 0, torn_total_ = 0;
};

}  // namespace holdfast::sim
