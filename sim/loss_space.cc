#include "sim/loss_space.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::sim {

/// Answers "nothing lost" and notes what else could have been answered.
class SurveyChooser final : public LossChooser {
 public:
  explicit SurveyChooser(LossSpace& space) : space_(space) {}

  void begin_file(const FileLoss&) override {}

  SectorFate sector(const SectorLoss& s) override {
    LossSpace::Choice c{LossSpace::Kind::kSector, questions_++, {}, {}, s.newest(), s.may_be_garbage};
    std::vector<Sector> seen;
    for (size_t n = s.newest() + 1; n-- > 0;) {
      if (s.must_be_newest && n < s.newest()) break;
      Sector content = s.version(n);
      if (!seen.empty() && seen.back() == content) c.options.back().sequence = s.sequence(n);  // it held that long
      if (std::ranges::find(seen, content) != seen.end()) continue;
      seen.push_back(content);
      c.options.push_back({n, s.sequence(n)});
    }
    if (c.options.size() > 1) c.what = fmt::format("inode {} sector {}", s.of.file.number, s.sector);
    add(std::move(c));
    return {.version = s.newest()};
  }

  size_t size(const FileLoss& file) override {
    LossSpace::Choice c{LossSpace::Kind::kSize, questions_++, {}, {}};
    std::vector<uint64_t> seen;
    for (size_t n = file.changes + 1; n-- > 0;) {
      uint64_t size = file.size_after(n), sequence = n == 0 ? 0 : file.file.pending[n - 1].sequence;
      if (!seen.empty() && seen.back() == size) c.options.back().sequence = sequence;
      if (std::ranges::find(seen, size) != seen.end()) continue;
      seen.push_back(size);
      c.options.push_back({n, sequence});
    }
    if (c.options.size() > 1) c.what = fmt::format("size of inode {}", file.file.number);
    add(std::move(c));
    return file.changes;
  }

  void begin_names(size_t) override {}

  bool survives(const NameLoss& change) override {
    add({LossSpace::Kind::kName, questions_++, {{1, change.sequence}, {0, 0}}, change.text()});
    return true;
  }

 private:
  void add(LossSpace::Choice choice) {
    if (choice.options.size() < 2) return;
    uint64_t n = choice.options.size();
    space_.combinations_ = space_.combinations_ > UINT64_MAX / n ? UINT64_MAX : space_.combinations_ * n;
    space_.choices_.push_back(std::move(choice));
  }

  LossSpace& space_;
  uint32_t questions_ = 0;
};

namespace {

/// Answers as planned, and the tame way where there was nothing to choose.
class PlannedChooser final : public LossChooser {
 public:
  PlannedChooser(const LossSpace& space, const LossPlan& plan) : space_(space), plan_(plan) {}

  void begin_file(const FileLoss&) override {}
  SectorFate sector(const SectorLoss& s) override {
    std::optional<uint32_t> choice = next();
    if (!choice) return {.version = s.newest()};
    if (auto torn = plan_.torn.find(*choice); torn != plan_.torn.end()) return torn->second;
    return {.version = answer(*choice)};
  }
  size_t size(const FileLoss& file) override {
    std::optional<uint32_t> choice = next();
    return choice ? answer(*choice) : file.changes;
  }
  void begin_names(size_t) override {}
  bool survives(const NameLoss&) override {
    std::optional<uint32_t> choice = next();
    return !choice || answer(*choice) != 0;
  }

 private:
  // Questions come in the order of the survey.
  std::optional<uint32_t> next() {
    uint32_t question = asked_++;
    if (at_ == space_.choices().size() || space_.choices()[at_].question != question) return std::nullopt;
    return at_++;
  }
  size_t answer(uint32_t choice) const { return space_.choices()[choice].options[plan_.picks[choice]].answer; }

  const LossSpace& space_;
  const LossPlan& plan_;
  uint32_t asked_ = 0;
  uint32_t at_ = 0;
};

}  // namespace

LossSpace::LossSpace(const DiskModel& disk) {
  SurveyChooser survey(*this);
  FaultCounts unreported;
  disk.clone()->power_loss(LossProfile{}, survey, unreported);
}

LossPlan LossSpace::all_lost() const {
  LossPlan plan = all_kept();
  for (size_t i = 0; i < choices_.size(); ++i) plan.picks[i] = static_cast<uint16_t>(choices_[i].options.size() - 1);
  return plan;
}

LossPlan LossSpace::as_of(uint64_t sequence) const {
  LossPlan plan = all_lost();
  for (size_t i = 0; i < choices_.size(); ++i) {
    const std::vector<Option>& options = choices_[i].options;
    auto last = std::ranges::find_if(options, [&](const Option& o) { return o.sequence <= sequence; });
    if (last != options.end()) plan.picks[i] = static_cast<uint16_t>(last - options.begin());
  }
  return plan;
}

void LossSpace::lose(DiskModel& disk, const LossPlan& plan, FaultCounts& counts) const {
  PlannedChooser chooser(*this, plan);
  disk.power_loss(LossProfile{}, chooser, counts);
}

std::vector<std::string> LossSpace::describe(const LossPlan& plan) const {
  std::vector<std::string> out;
  for (uint32_t i = 0; i < choices_.size(); ++i) {
    const Choice& c = choices_[i];
    const Option& o = c.options[plan.picks[i]];
    if (auto torn = plan.torn.find(i); torn != plan.torn.end()) {
      const SectorFate& f = torn->second;
      std::string left = f.cut == 0 ? "" : fmt::format("version {} of {} up to byte {}, then ", f.version, c.newest, f.cut);
      out.push_back(fmt::format("{}: {}{}", c.what, left, f.garbage ? "garbage" : fmt::format("version {}", f.right)));
    } else if (plan.picks[i] == 0) {
      continue;
    } else if (c.kind == Kind::kName) {
      out.push_back(c.what + ": lost");
    } else {
      out.push_back(fmt::format("{}: {}", c.what, o.answer == 0 ? "lost" : fmt::format("as after change {}", o.answer)));
    }
  }
  return out;
}

}  // namespace holdfast::sim
