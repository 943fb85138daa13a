#include "chaos/suite/enumerate/enumerate.h"

#include <fmt/core.h>

#include "chaos/suite/enumerate/enumeration.h"
#include "io/base/hash.h"

namespace holdfast::chaos {
namespace {

/// More ways in which operations under way came out than this are not gone through at one crash point.
constexpr int kSettlements = 64;
/// Images of a state whose recovery is crashed.
constexpr size_t kParents = 2;

}  // namespace

using core::SyncMode;
using sim::DiskModel;
using sim::Moment;

// ---- Crash points of the scenario ----

void Enumeration::walk() {
  for (uint64_t operation = 1; operation <= result_.operations + 1; ++operation) {
    if (operation % options_.parts != options_.part) continue;
    for (Moment moment : {Moment::kBefore, Moment::kMiddle, Moment::kAfter}) {
      if (operation > result_.operations && moment != Moment::kBefore) continue;
      crash_at(operation, moment);
      if (done()) return;
    }
  }
}

DiskPtr Enumeration::crash(const CrashPoint& point, Settlement& settlement, Course& course) {
  return perform(2, scenario_.run, scenario_.stops, before_->clone(), course, crash_plan(point), &settlement).disk;
}

void Enumeration::crash_at(uint64_t operation, Moment moment) {
  CrashPoint point{operation, moment, {}, 0};
  Settlement settlement;
  for (int i = 0; i < kSettlements; ++i) {
    settlement.rewind();
    Course course;
    DiskPtr disk = crash(point, settlement, course);
    // What is atomic has no middle.
    if (moment == Moment::kMiddle && settlement.asked() == 0) return;
    ++result_.counts.crash_points;
    point.settlement = settlement.digits();
    if (states_.insert(disk->state_digest() ^ course.digest()).second) {
      ++result_.counts.states;
      images(*disk, {point}, promise(course), nullptr, 0);
    }
    if (done() || !settlement.advance()) return;
  }
}

Promise Enumeration::promise(const Course& course) const {
  SyncMode mode = scenario_.converts_to.value_or(scenario_.mode);
  Promise p{.after_process_death = kept_process_, .after_power_loss = kept_power_, .ceiling = *rehearsal_.opened(), .mode = scenario_.mode};
  if (course.opened()) {
    // What it showed when it opened was durable.
    p.after_process_death = std::max({p.after_process_death, *course.opened(), course.acknowledged()});
    p.after_power_loss = std::max({p.after_power_loss, *course.opened(), mode == SyncMode::kSync ? course.acknowledged() : course.durable()});
  }
  if (scenario_.converts_to) p.mode = course.opened() ? scenario_.converts_to : std::nullopt;
  for (size_t i = 0; i < course.asked().size(); ++i)
    if (const auto& a = rehearsal_.asked()[i]; a.changed) p.ceiling = std::max(p.ceiling, *a.lsn);
  return p;
}

// ---- Images of a state ----

void Enumeration::images(const DiskModel& state, const Address& at, const Promise& promise, const Verdict* exact, uint32_t depth) {
  sim::LossSpace space(state);
  sim::LossPlans plans(space, cap_at(depth), xxh3_64(scenario_.name));
  if (depth == 0 && plans.exhaustive()) ++result_.counts.states_exhausted;
  std::vector<Parent> parents;
  uint64_t least = UINT64_MAX;
  Address here = at;
  for (uint64_t index = 0; !done(); ++index) {
    std::optional<sim::LossPlan> plan = space.all_kept();
    if (index > 0 && !(plan = plans.next())) break;
    here.back().image = index;
    DiskPtr disk = state.clone();
    if (index > 0) {
      sim::FaultCounts counts;
      space.lose(*disk, *plan, counts);
    }
    ++(depth == 0 ? result_.counts.images : result_.counts.nested_images);
    DiskPtr kept = depth < options_.depth ? disk->clone() : nullptr;
    uint64_t digest = image(std::move(disk), here, promise, exact, space, *plan);
    // Into the recovery of the image as the process left it, and of one that the power loss left.
    bool wanted = kept && (index == 0 || digest < least);
    if (!wanted) continue;
    if (index > 0) least = digest;
    if (parents.size() == kParents) parents.pop_back();
    parents.push_back({std::move(kept), here, digest, index > 0 || space.choices().empty()});
  }
  for (Parent& p : parents)
    if (!done()) nested(std::move(p), promise, exact, depth + 1);
}

uint64_t Enumeration::digest_of(const DiskModel& image, bool power_lost) const {
  auto data = image.find(exam_.engine.data_path);  // HOLDFAST knows the inode of its directory
  return (power_lost ? image.durable_digest() : image.state_digest()) + (data ? (*data)->number : 0);
}

uint64_t Enumeration::image(DiskPtr disk, const Address& at, const Promise& promise, const Verdict* exact, const sim::LossSpace& space,
                            const sim::LossPlan& plan) {
  bool power_lost = at.back().image > 0;
  uint64_t digest = digest_of(*disk, power_lost);
  if (options_.begins) options_.begins(at);
  Verdict verdict = open(std::move(disk), digest, exams_of(power_lost));
  if (auto wrong = judge(verdict, promise, exact, power_lost || exact)) {
    std::vector<std::string> lost;
    if (power_lost) lost = space.describe(plan);
    failed(at, std::move(*wrong), std::move(lost));
  }
  return digest;
}

Verdict Enumeration::open(DiskPtr disk, uint64_t digest, uint64_t exams) {
  auto [it, fresh] = verdicts_.try_emplace(digest);
  if (!fresh) return it->second;
  ++result_.counts.opened;
  Verdict verdict;
  for (uint64_t i = 0; i < exams && !verdict.broken; ++i) {
    verdict = examine(exam_, i + 1 < exams ? disk->clone() : std::move(disk), digest + i);
    result_.counts.lives += verdict.lives;
  }
  return verdicts_[digest] = std::move(verdict);
}

std::optional<std::string> Enumeration::judge(const Verdict& v, const Promise& p, const Verdict* exact, bool power_lost) const {
  if (v.broken) return v.broken;
  if (exact) {
    if (v.lsn != exact->lsn) return fmt::format("recovery would have come to LSN {}; crashed and tried again, it comes to {}", exact->lsn.value, v.lsn.value);
    if (v.mode != exact->mode) return "recovery would have come to the other mode";
  }
  Lsn floor = power_lost ? p.after_power_loss : p.after_process_death;
  if (v.lsn < floor) return fmt::format("LSN {} had to survive, and it opened at {}", floor.value, v.lsn.value);
  if (v.lsn > p.ceiling) return fmt::format("it opened at LSN {}, and nothing above {} was ever asked for", v.lsn.value, p.ceiling.value);
  if (p.mode && v.mode != *p.mode) return "it opened in the other mode";
  return std::nullopt;
}

std::vector<std::pair<std::string_view, uint64_t*>> EnumerationCounts::fields() {
  return {{"crash_points", &crash_points}, {"states", &states}, {"states_exhausted", &states_exhausted}, {"images", &images},
          {"nested_images", &nested_images}, {"opened", &opened}, {"lives", &lives}};
}

EnumerationResult enumerate(const Scenario& scenario, const EnumerateOptions& options) {
  return Enumeration(scenario, options).run();
}

}  // namespace holdfast::chaos
