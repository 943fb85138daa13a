// In which order the plans of a space are gone through.
#include <algorithm>

#include "sim/loss_space.h"

namespace holdfast::sim {

LossPlans::LossPlans(const LossSpace& space, uint64_t cap, uint64_t seed)
    : space_(space), cap_(cap), rng_(seed, "loss plans") {
  for (uint32_t i = 0; i < space.choices().size(); ++i) {
    const LossSpace::Choice& c = space.choices()[i];
    if (c.kind == LossSpace::Kind::kSector) sectors_.push_back(i);
    for (const LossSpace::Option& o : c.options) moments_.push_back(o.sequence);
  }
  std::ranges::sort(moments_);
  moments_.erase(std::ranges::unique(moments_).begin(), moments_.end());
  if (!sectors_.empty()) torn_total_ = std::min<uint64_t>(1 + 4 * sectors_.size(), cap / 4);
}

std::optional<LossPlan> LossPlans::next() {
  if (given_ < std::min(cap_, space_.combinations())) {
    uint64_t index = given_++;
    if (exhaustive()) return counted(index);
    std::optional<LossPlan> plan = extreme(index);
    return plan ? plan : sample();
  }
  if (torn_ == torn_total_) return std::nullopt;
  return torn(torn_++);
}

/// First every sector at once, with nothing but garbage behind its first bytes, then each alone, then samples.
LossPlan LossPlans::torn(uint64_t index) {
  LossPlan plan = space_.all_kept();
  if (index == 0) {
    for (uint32_t choice : sectors_)
      plan.torn[choice] = {.version = space_.choices()[choice].newest, .cut = 8, .garbage = rng_.next()};
    return plan;
  }
  if (index <= sectors_.size()) {
    tear(plan, sectors_[index - 1]);
    return plan;
  }
  if (rng_.below(2) == 0) plan = sample();
  do tear(plan, sectors_[rng_.below(sectors_.size())]);
  while (rng_.below(3) == 0);
  return plan;
}

/// The index, written in the mixed base of the choices' options.
LossPlan LossPlans::counted(uint64_t index) const {
  LossPlan plan = space_.all_kept();
  for (size_t i = 0; i < plan.picks.size(); ++i) {
    uint64_t n = space_.choices()[i].options.size();
    plan.picks[i] = static_cast<uint16_t>(index % n);
    index /= n;
  }
  return plan;
}

std::optional<LossPlan> LossPlans::extreme(uint64_t index) const {
  const auto& choices = space_.choices();
  auto last = [&](size_t i) { return static_cast<uint16_t>(choices[i].options.size() - 1); };
  if (index == 0) return space_.all_kept();
  if (index == 1) return space_.all_lost();
  index -= 2;
  if (index < moments_.size()) return space_.as_of(moments_[index]);
  index -= moments_.size();
  if (index < choices.size()) {
    LossPlan plan = space_.all_kept();
    plan.picks[index] = last(index);
    return plan;
  }
  index -= choices.size();
  if (index >= choices.size()) return std::nullopt;
  LossPlan plan = space_.all_lost();
  plan.picks[index] = 0;
  return plan;
}

LossPlan LossPlans::sample() {
  LossPlan plan = space_.all_kept();
  uint64_t lost_of_ten = std::array<uint64_t, 3>{1, 5, 9}[rng_.below(3)];
  for (size_t i = 0; i < plan.picks.size(); ++i)
    if (rng_.below(10) < lost_of_ten)
      plan.picks[i] = static_cast<uint16_t>(1 + rng_.below(space_.choices()[i].options.size() - 1));
  return plan;
}

void LossPlans::tear(LossPlan& plan, uint32_t choice) {
  const LossSpace::Choice& c = space_.choices()[choice];
  SectorFate fate;
  if (c.may_be_garbage && rng_.below(4) == 0) {
    fate = {.version = 0, .cut = 0, .garbage = rng_.next()};
  } else {
    fate.version = rng_.between(1, c.newest);
    fate.right = rng_.below(fate.version);
    // Headers stand at the beginning of sectors: half of the tears go through them.
    fate.cut = rng_.below(2) == 0 ? rng_.between(1, 16) * 8 : rng_.between(1, kSectorBytes - 1);
    if (rng_.below(2) == 0) fate.garbage = rng_.next();
  }
  plan.torn[choice] = fate;
}

}  // namespace holdfast::sim
