// Crashes within the recovery of an image; and one image alone, by its address.
#include "chaos/suite/enumerate/enumeration.h"
#include "io/base/hash.h"

namespace holdfast::chaos {

using sim::Moment;

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
  Verdict verdict = open(std::move(disk), digest, exams_of(address.back().image > 0));
  if (auto wrong = judge(verdict, promise(course), parent ? &*parent : nullptr, power_lost)) failed(address, std::move(*wrong), std::move(lost));
}

}  // namespace holdfast::chaos
