#include "chaos/suite/enumerate/exam.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "chaos/suite/enumerate/script.h"
#include "sim/loss_space.h"

namespace holdfast::chaos {
namespace {

using core::Engine;
using sim::DiskModel;

constexpr uint64_t kRoom = uint64_t{1} << 30;
constexpr std::string_view kSeed = "exam";
/// What the second life adds.
constexpr std::string_view kAddedDatabase = "added";
constexpr std::string_view kAddedKey = "added";
constexpr uint64_t kAddedValue = 40'100;

enum class FirstEnd : uint8_t { kProcessDeath, kLoseAll, kDrawn, kCount };
enum class SecondEnd : uint8_t {
  kCleanStop,
  kProcessDeath,
  kLoseAll,
  kDamaged,         ///< all that is unsynced is lost, and the newest MANIFEST damaged
  kStoppedDamaged,  ///< likewise after a clean stop, which makes a MANIFEST
  kCount
};
constexpr uint64_t kFirstEnds = static_cast<uint64_t>(FirstEnd::kCount);
constexpr uint64_t kSecondEnds = static_cast<uint64_t>(SecondEnd::kCount);
static_assert(kFirstEnds * kSecondEnds == kExamVariants);

bool stops(SecondEnd end) { return end == SecondEnd::kCleanStop || end == SecondEnd::kStoppedDamaged; }
bool damages(SecondEnd end) { return end == SecondEnd::kDamaged || end == SecondEnd::kStoppedDamaged; }
bool loses(SecondEnd end) { return end == SecondEnd::kLoseAll || damages(end); }

io::Task<void> look(Engine& engine, const std::vector<std::string>& keys, Result<Observed>& out) {
  out = co_await observe(engine, keys);
}

/// Looks, writes one document, and looks again.
struct Second {
  Result<Observed> before = Observed();
  Result<Observed> after = Observed();
  std::optional<std::string> trouble;

  static io::Task<void> work(Second& self, Engine& engine, const std::vector<std::string>& keys, SecondEnd end) {
    self.before = co_await observe(engine, keys);
    Course course;
    Script script(engine, course);
    co_await script.put(fmt::format("{}.{}", kAddedDatabase, kAddedDatabase), std::string(kAddedKey), kAddedValue);
    if (loses(end)) co_await script.flush();
    self.after = co_await observe(engine, keys);
    if (!script.surprises().empty()) self.trouble = script.surprises().front();
    if (!stops(end)) co_return;
    Result<> stopped = co_await engine.stop();
    if (!stopped) self.trouble = "it did not stop clean: " + stopped.error().text();
  }
};

void lose(DiskModel& disk, sim::LossProfile::Mood mood, uint64_t seed) {
  sim::Trace trace;
  sim::Stream stream(seed, "after an exam", trace);
  sim::FaultCounts counts;
  disk.power_loss({.mood = mood}, stream, counts);
}

/// Of what is unsynced all data goes, and the names stay: removals last while what made them needless does not.
void lose_data_alone(DiskModel& disk) {
  sim::LossSpace space(disk);
  sim::LossPlan plan = space.all_lost();
  for (size_t i = 0; i < plan.picks.size(); ++i)
    if (space.choices()[i].kind == sim::LossSpace::Kind::kName) plan.picks[i] = 0;
  sim::FaultCounts counts;
  space.lose(disk, plan, counts);
}

/// Flips a bit of the newest MANIFEST if there are two.
void damage_newest_manifest(DiskModel& disk, const std::string& data_path, uint64_t seed) {
  std::vector<std::pair<uint64_t, std::string>> found;
  for (const std::string& path : sim::DurableView(disk).files(data_path)) {
    size_t at = path.find("/MANIFEST.");
    uint64_t n = 0;
    if (at == std::string::npos) continue;
    std::from_chars(path.data() + at + 10, path.data() + path.size(), n);
    found.emplace_back(n, path);
  }
  if (found.size() < 2) return;
  const std::string& newest = std::ranges::max(found).second;
  uint64_t size = *sim::DurableView(disk).size(newest);
  sim::FaultCounts counts;
  if (size > 0) (void)disk.flip_bit(newest, seed % size, static_cast<uint8_t>(seed % 8), counts);
}

class Exam {
 public:
  Exam(const ExamOptions& options, std::unique_ptr<DiskModel> disk, uint64_t variant)
      : options_(options), disk_(std::move(disk)), variant_(variant) {
    first_end_ = static_cast<FirstEnd>(variant % kFirstEnds);
    second_end_ = static_cast<SecondEnd>(variant / kFirstEnds % kSecondEnds);
  }

  Verdict run() {
    if (first() && second()) third();
    return std::move(verdict_);
  }

 private:
  LifeEnd live_once(uint64_t number, const Work& work) {
    ++verdict_.lives;
    LifeOptions life{.seed = kSeed, .number = number, .engine = options_.engine, .mutants = options_.mutants, .trace = options_.trace};
    return live(life, std::move(disk_), work);
  }

  bool broken(std::string what) {
    if (!verdict_.broken) verdict_.broken = std::move(what);
    return false;
  }
  /// Whether the life came to its end.
  bool went_well(LifeEnd& end, std::string_view which) {
    disk_ = std::move(end.disk);
    if (end.refused) return broken(fmt::format("{} was refused: {}", which, end.refused->text()));
    if (end.stuck) return broken(fmt::format("{} waits for something that never comes", which));
    if (!end.finished) return broken(fmt::format("{} stopped by itself: {}", which, end.log.empty() ? "" : end.log.back()));
    return true;
  }

  bool first() {
    Result<Observed> seen = Observed();
    Work work = [&](Engine& engine) { return look(engine, options_.keys, seen); };
    LifeEnd end = live_once(1, work);
    if (options_.may_be_full && end.refused && end.refused->code == Code::kDiskFull) {
      disk_ = std::move(end.disk);
      disk_->set_quota(kRoom);
      end = live_once(1, work);
    }
    verdict_.operations = end.operations;
    if (!went_well(end, "opening")) return false;
    if (!seen) return broken("reading: " + seen.error().text());
    verdict_.lsn = seen->lsn;
    verdict_.mode = seen->mode;
    const Contents* expected = options_.history->at(seen->lsn);
    if (!expected) return broken(fmt::format("it opened at LSN {}, and there is none", seen->lsn.value));
    if (*expected != seen->contents)
      return broken(fmt::format("at LSN {} it holds {}; that was {}", seen->lsn.value, seen->contents.text(), expected->text()));
    shown_ = std::move(*seen);
    disk_->set_quota(kRoom);
    switch (first_end_) {
      case FirstEnd::kLoseAll:
        lose(*disk_, sim::LossProfile::Mood::kLoseAll, variant_);
        break;
      case FirstEnd::kDrawn:
        lose(*disk_, sim::LossProfile::Mood::kDrawn, variant_);
        break;
      default:
        break;
    }
    return true;
  }

  bool same(const Result<Observed>& seen, const Observed& expected, std::string_view when) {
    if (!seen) return broken(fmt::format("reading {}: {}", when, seen.error().text()));
    if (seen->lsn != expected.lsn)
      return broken(fmt::format("{} it is at LSN {}, and was at {}", when, seen->lsn.value, expected.lsn.value));
    if (seen->mode != expected.mode) return broken(fmt::format("{} it is in the other mode", when));
    if (seen->contents != expected.contents)
      return broken(fmt::format("{} it holds {}, and held {}", when, seen->contents.text(), expected.contents.text()));
    return true;
  }

  bool second() {
    Second work;
    LifeEnd end = live_once(2, [&](Engine& engine) { return Second::work(work, engine, options_.keys, second_end_); });
    if (!went_well(end, "opening again")) return false;
    if (!same(work.before, shown_, "recovered again")) return false;
    if (work.trouble) return broken("after recovery: " + *work.trouble);
    Observed expected = shown_;
    expected.contents.create(std::string(kAddedDatabase), std::string(kAddedDatabase))[std::string(kAddedKey)] = {kAddedValue, 0};
    expected.lsn = Lsn(expected.lsn.value + 2);
    if (!same(work.after, expected, "after one more write")) return false;
    shown_ = std::move(expected);
    if (loses(second_end_) && variant_ / 64 % 2 == 0)
      lose_data_alone(*disk_);
    else if (loses(second_end_))
      lose(*disk_, sim::LossProfile::Mood::kLoseAll, variant_);
    if (damages(second_end_)) damage_newest_manifest(*disk_, options_.engine.data_path, variant_ / 128);
    return true;
  }

  void third() {
    Result<Observed> seen = Observed();
    bool damaged = damages(second_end_);
    LifeEnd end = live_once(3, [&](Engine& engine) { return look(engine, options_.keys, seen); });
    if (!went_well(end, damaged ? "opening without the newest MANIFEST" : "opening a third time")) return;
    (void)same(seen, shown_, damaged ? "without the newest MANIFEST" : "opened a third time");
  }

  const ExamOptions& options_;
  std::unique_ptr<DiskModel> disk_;
  uint64_t variant_;
  FirstEnd first_end_;
  SecondEnd second_end_;
  Observed shown_;
  Verdict verdict_;
};

}  // namespace

Verdict examine(const ExamOptions& options, std::unique_ptr<DiskModel> disk, uint64_t variant) {
  return Exam(options, std::move(disk), variant).run();
}

LifeEnd first_recovery(const ExamOptions& options, std::unique_ptr<DiskModel> disk, sim::CrashPlan crash, Settlement& settlement) {
  Result<Observed> seen = Observed();
  LifeOptions life{.seed = kSeed, .number = 1, .engine = options.engine, .mutants = options.mutants, .crash = crash,
                   .settlement = &settlement, .trace = options.trace};
  return live(life, std::move(disk), [&](Engine& engine) { return look(engine, options.keys, seen); });
}

}  // namespace holdfast::chaos
