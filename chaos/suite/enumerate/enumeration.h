// Enumeration: the work behind enumerate(), in parts: rehearsal.cc (what comes before the first crash), enumerate.cc
// (crash points and images), nested.cc (crashes within recovery, and one image alone). Nobody else includes this.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "chaos/suite/enumerate/enumerate.h"
#include "chaos/suite/enumerate/exam.h"
#include "sim/loss_space.h"

namespace holdfast::chaos {

using DiskPtr = std::unique_ptr<sim::DiskModel>;

inline sim::CrashPlan crash_plan(const CrashPoint& point) {
  return {.operation = point.operation, .moment = point.moment, .how = sim::End::kProcessDeath};
}

/// What the opened image must hold.
struct Promise {
  Lsn after_process_death;  ///< at least
  Lsn after_power_loss;     ///< at least
  Lsn ceiling;              ///< at most
  std::optional<core::SyncMode> mode;
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
  void cut(sim::DiskModel& disk);
  core::EngineOptions engine_options(uint64_t number) const;

  // ---- Crash points of the scenario ----

  void walk();
  void crash_at(uint64_t operation, sim::Moment moment);
  DiskPtr crash(const CrashPoint& point, Settlement& settlement, Course& course);
  Promise promise(const Course& course) const;

  // ---- Images of a state ----

  /// `exact`: what the recovery from an earlier, clean image came to; null when there was none.
  void images(const sim::DiskModel& state, const Address& at, const Promise& promise, const Verdict* exact, uint32_t depth);
  /// Opens and judges one; the digest of the image.
  uint64_t image(DiskPtr disk, const Address& at, const Promise& promise, const Verdict* exact, const sim::LossSpace& space,
                 const sim::LossPlan& plan);
  Verdict open(DiskPtr disk, uint64_t digest, uint64_t exams);
  /// What a process left is in more danger than what a power loss left, and there is little of it.
  uint64_t exams_of(bool power_lost) const { return power_lost ? 1 : std::clamp<uint64_t>(options_.cap / 8, 1, kExamVariants); }
  std::optional<std::string> judge(const Verdict& verdict, const Promise& promise, const Verdict* exact, bool power_lost) const;
  uint64_t cap_at(uint32_t depth) const { return depth == 0 ? options_.cap : std::max<uint64_t>(4, options_.cap / 16); }
  uint64_t digest_of(const sim::DiskModel& image, bool power_lost) const;

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

}  // namespace holdfast::chaos
