// What comes before the first crash: the disk that the run begins with, and the run without a crash.
#include <fmt/core.h>

#include "chaos/suite/enumerate/enumeration.h"

namespace holdfast::chaos {
namespace {

using core::SyncMode;
using sim::DiskModel;

constexpr uint64_t kQuota = uint64_t{1} << 30;

}  // namespace

core::EngineOptions Enumeration::engine_options(uint64_t number) const {
  core::EngineOptions e = scenario_.engine;
  e.mode = scenario_.mode;
  if (number > 1 && scenario_.converts_to) {
    e.mode = scenario_.converts_to;
    e.convert_mode = true;
  }
  return e;
}

struct Performance {
  io::Task<void> (*script)(Script&);
  bool stops;
  Course& course;
  std::vector<std::string> surprises;

  static io::Task<void> work(Performance& self, core::Engine& engine) {
    self.course.opened(engine.committed_lsn());
    Script script(engine, self.course);
    co_await self.script(script);
    self.surprises = script.surprises();
    if (!self.stops) co_return;
    Result<> stopped = co_await engine.stop();
    if (!stopped) self.surprises.push_back("it did not stop clean: " + stopped.error().text());
  }
};

LifeEnd Enumeration::perform(uint64_t number, io::Task<void> (*script)(Script&), bool stops, DiskPtr disk, Course& course,
                             std::optional<sim::CrashPlan> crash, Settlement* settlement) {
  LifeOptions life{.seed = "scenario", .number = number, .engine = engine_options(number), .mutants = &options_.mutants, .crash = crash,
                   .settlement = settlement};
  if (number > 1 && scenario_.quota_bytes > 0) {
    life.room_after = scenario_.room_after;
    life.room_bytes = kQuota;
  }
  if (options_.only && crash) life.trace = options_.trace;
  Performance performance{script, stops, course, {}};
  LifeEnd end = live(life, std::move(disk), [&](core::Engine& engine) { return Performance::work(performance, engine); });
  if (crash) return end;
  if (end.refused) performance.surprises.push_back("opening was refused: " + end.refused->text());
  if (!end.finished && !end.refused) performance.surprises.push_back("it did not come to its end");
  for (std::string& s : performance.surprises) failed({}, "without a crash: " + std::move(s));
  return end;
}

bool Enumeration::prepare() {
  before_ = std::make_unique<DiskModel>(kQuota);
  if (scenario_.prepare) {
    Course course;
    bool stops = scenario_.before == Scenario::Before::kStopped;
    before_ = perform(1, scenario_.prepare, stops, std::move(before_), course, std::nullopt, nullptr).disk;
    if (!result_.failures.empty()) return false;
    if (Result<> extended = history_.extend(course); !extended) return failed({}, "preparing: " + extended.error().message);
    kept_process_ = course.acknowledged();
    kept_power_ = stops || scenario_.mode == SyncMode::kSync ? course.acknowledged() : course.durable();
    if (scenario_.before == Scenario::Before::kCut) {
      cut(*before_);
      kept_process_ = kept_power_;
    }
  }
  if (scenario_.quota_bytes > 0) before_->set_quota(scenario_.quota_bytes);
  return true;
}

/// Of what waits for a sync the oldest sector is lost.
void Enumeration::cut(DiskModel& disk) {
  sim::LossSpace space(disk);
  sim::LossPlan plan = space.all_kept();
  const std::vector<sim::LossSpace::Choice>& choices = space.choices();
  std::optional<size_t> oldest;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (choices[i].kind != sim::LossSpace::Kind::kSector) continue;
    if (!oldest || choices[i].options.front().sequence < choices[*oldest].options.front().sequence) oldest = i;
  }
  if (oldest) plan.picks[*oldest] = static_cast<uint16_t>(choices[*oldest].options.size() - 1);
  sim::FaultCounts counts;
  space.lose(disk, plan, counts);
}

bool Enumeration::rehearse() {
  LifeEnd end = perform(2, scenario_.run, scenario_.stops, before_->clone(), rehearsal_, std::nullopt, nullptr);
  if (!result_.failures.empty()) return false;
  if (Result<> extended = history_.extend(rehearsal_); !extended) return failed({}, "rehearsing: " + extended.error().message);
  result_.operations = end.operations;
  exam_ = {.engine = scenario_.engine, .mutants = &options_.mutants, .history = &history_, .keys = history_.keys(),
           .may_be_full = scenario_.quota_bytes > 0};
  if (!scenario_.converts_to) exam_.engine.mode = scenario_.mode;
  return true;
}

}  // namespace holdfast::chaos
