#include "chaos/suite/enumerate/enumerate.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <fmt/core.h>

#include "chaos/suite/enumerate/exam.h"
#include "io/base/hash.h"
#include "sim/loss_space.h"

namespace holdfast::chaos {
namespace {

using core::SyncMode;
using sim::DiskModel;
using sim::Moment;
using DiskPtr = std::unique_ptr<DiskModel>;

constexpr uint64_t kQuota = uint64_t{1} << 30;
/// More ways in which operations under way came out than this are not gone through at one crash point.
constexpr int kSettlements = 64;
/// Images of a state whose recovery is crashed.
constexpr size_t kParents = 2;

sim::CrashPlan crash_plan(const CrashPoint& point) {
  return {.operation = point.operation, .moment = point.moment, .how = sim::End::kProcessDeath};
}

/// What the opened image must hold.
struct Promise {
  Lsn after_process_death;  ///< at least
  Lsn after_power_loss;     ///< at least
  Lsn ceiling;              ///< at most
  std::optional<SyncMode> mode;
};

/// An image whose recovery may be crashed.
struct Parent {
  DiskPtr disk;
  Address address;
  uint64_t digest;
  bool clean;  ///< nothing in it waits for a sync
};

class Enumeration {
 public:
  Enumeration(const Scenario& scenario, const EnumerateOptions& options) : scenario_(scenario), options_(options) {}

  EnumerationResult run() {
    if (prepare() && rehearse()) {
      if (options_.only)
        replay();
      else
        walk();
    }
    return std::move(result_);
  }

 private:
  bool done() const { return result_.failures.size() >= options_.failures_max; }
  bool failed(const Address& at, std::string what, std::vector<std::string> lost = {}) {
    result_.failures.push_back({to_text(at), std::move(what), std::move(lost)});
    return false;
  }

  // ---- What comes before ----

  LifeEnd perform(uint64_t number, io::Task<void> (*script)(Script&), bool stops, DiskPtr disk, Course& course,
                  std::optional<sim::CrashPlan> crash, Settlement* settlement);
  bool prepare();
  bool rehearse();
  void cut(DiskModel& disk);
  core::EngineOptions engine_options(uint64_t number) const;

  // ---- Crash points of the scenario ----

  void walk();
  void crash_at(uint64_t operation, Moment moment);
  DiskPtr crash(const CrashPoint& point, Settlement& settlement, Course& course);
  Promise promise(const Course& course) const;

  // ---- Images of a state ----

  /// `exact`: what the recovery from an earlier, clean image came to; null when there was none.
  void images(const DiskModel& state, const Address& at, const Promise& promise, const Verdict* exact, uint32_t depth);
  /// Opens and judges one; the digest of the image.
  uint64_t image(DiskPtr disk, const Address& at, const Promise& promise, const Verdict* exact, const sim::LossSpace& space,
                 const sim::LossPlan& plan);
  Verdict open(DiskPtr disk, uint64_t digest);
  std::optional<std::string> judge(const Verdict& verdict, const Promise& promise, const Verdict* exact, bool power_lost) const;
  uint64_t cap_at(uint32_t depth) const { return depth == 0 ? options_.cap : std::max<uint64_t>(4, options_.cap / 16); }
  uint64_t digest_of(const DiskModel& image, bool power_lost) const;

  // ---- Crashes within recovery ----

  void nested(Parent parent, const Promise& promise, const Verdict* exact, uint32_t depth);
  void nested_at(const Parent& parent, const Promise& promise, const Verdict* exact, CrashPoint point, uint32_t depth);

  // ---- One image alone ----

  void replay();

  const Scenario& scenario_;
  const EnumerateOptions& options_;
  EnumerationResult result_;
  DiskPtr before_;  // the disk that the run begins with
  History history_;
  Course rehearsal_;
  Lsn kept_process_, kept_power_;  // what the preparation was promised
  ExamOptions exam_;
  absl::flat_hash_set<uint64_t> states_;
  absl::flat_hash_map<uint64_t, Verdict> verdicts_;  // of images, by digest
};

// ---- What comes before ----

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
  Verdict verdict = open(std::move(disk), digest);
  if (auto wrong = judge(verdict, promise, exact, power_lost || exact)) {
    std::vector<std::string> lost;
    if (power_lost) lost = space.describe(plan);
    failed(at, std::move(*wrong), std::move(lost));
  }
  return digest;
}

Verdict Enumeration::open(DiskPtr disk, uint64_t digest) {
  auto [it, fresh] = verdicts_.try_emplace(digest);
  if (!fresh) return it->second;
  ++result_.counts.opened;
  Verdict verdict = examine(exam_, std::move(disk), digest);
  result_.counts.lives += verdict.lives;
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

// ---- Crashes within recovery ----

void Enumeration::nested(Parent parent, const Promise& promise, const Verdict* exact, uint32_t depth) {
  const Verdict verdict = verdicts_.at(parent.digest);
  if (verdict.broken) return;
  if (parent.clean) exact = &verdict;
  // Samples; deeper levels get fewer.
  uint64_t points = std::max<uint64_t>(4, options_.cap / (depth == 1 ? 4 : 16));
  Rng rng(parent.digest, "nested");
  for (uint64_t i = 0; i < points && !done(); ++i) {
    CrashPoint point{rng.between(1, verdict.operations), static_cast<Moment>(rng.below(3)), {}, 0};
    for (int d = 0; d < 8; ++d) point.settlement.push_back(static_cast<char>('0' + rng.below(5)));
    nested_at(parent, promise, exact, std::move(point), depth);
  }
}

void Enumeration::nested_at(const Parent& parent, const Promise& promise, const Verdict* exact, CrashPoint point, uint32_t depth) {
  Settlement settlement(point.settlement);
  DiskPtr disk = first_recovery(exam_, parent.disk->clone(), crash_plan(point), settlement).disk;
  point.settlement.resize(settlement.asked());
  uint64_t expected[] = {exact ? exact->lsn.value + 1 : 0, promise.after_process_death.value, promise.after_power_loss.value, promise.ceiling.value};
  if (!states_.insert(xxh3_64(Bytes(reinterpret_cast<const char*>(expected), sizeof expected), disk->state_digest())).second) return;
  Address at = parent.address;
  at.push_back(std::move(point));
  images(*disk, at, promise, exact, depth);
}

// ---- One image alone ----

void Enumeration::replay() {
  const Address& address = *options_.only;
  exam_.trace = options_.trace;
  Course course;
  DiskPtr disk;
  bool power_lost = false, clean = false;
  std::optional<Verdict> parent;
  std::vector<std::string> lost;
  for (size_t level = 0; level < address.size(); ++level) {
    const CrashPoint& point = address[level];
    Settlement settlement(point.settlement);
    if (level > 0 && clean) parent = examine(exam_, disk->clone(), 0);
    disk = level == 0 ? crash(point, settlement, course)
                      : first_recovery(exam_, std::move(disk), crash_plan(point), settlement).disk;
    if (point.image == 0) continue;
    power_lost = true;
    sim::LossSpace space(*disk);
    clean = true;
    sim::LossPlans plans(space, cap_at(static_cast<uint32_t>(level)), xxh3_64(scenario_.name));
    std::optional<sim::LossPlan> plan;
    for (uint64_t i = 0; i < point.image; ++i) plan = plans.next();
    if (!plan) {
      failed(address, "there is no such image with this --cap");
      return;
    }
    sim::FaultCounts counts;
    space.lose(*disk, *plan, counts);
    lost = space.describe(*plan);
  }
  uint64_t digest = digest_of(*disk, address.back().image > 0);
  ++result_.counts.images;
  Verdict verdict = open(std::move(disk), digest);
  if (auto wrong = judge(verdict, promise(course), parent ? &*parent : nullptr, power_lost)) failed(address, std::move(*wrong), std::move(lost));
}

}  // namespace

std::vector<std::pair<std::string_view, uint64_t*>> EnumerationCounts::fields() {
  return {{"crash_points", &crash_points}, {"states", &states}, {"states_exhausted", &states_exhausted}, {"images", &images},
          {"nested_images", &nested_images}, {"opened", &opened}, {"lives", &lives}};
}

EnumerationResult enumerate(const Scenario& scenario, const EnumerateOptions& options) {
  return Enumeration(scenario, options).run();
}

}  // namespace holdfast::chaos
