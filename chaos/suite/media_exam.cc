#include "chaos/suite/media_exam.h"

#include <fmt/format.h>

#include "chaos/workload/documents.h"
#include "io/base/assert.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

using core::Engine;

constexpr core::Name kName{kSmallDatabase, kSmallCollection};

core::Query everything() {
  Buffer none;
  msgpack::Writer(none).map(0);
  return std::move(*core::Query::compile(none));
}

/// Opens the engine and asks for all there is.
class Reader {
 public:
  Reader(const SmallTruth& truth, core::EngineOptions options, Seen& seen)
      : truth_(truth), options_(std::move(options)), seen_(seen) {}

  bool io_errors = false;
  MediaExam::Ending ending = MediaExam::Ending::kKilled;

  io::Task<int> main(io::Host& host) {
    auto opened = co_await Engine::open(host, options_);
    if (!opened) {
      seen_.refused = opened.error();
      co_return 3;
    }
    engine_ = std::move(*opened);
    for (const auto& [key, document] : truth_.documents) co_await find(key);
    for (const std::string& key : truth_.absent) co_await find(key);
    co_await find("never there");
    auto count = co_await engine_->count(kName, everything());
    if (take(count, "count")) seen_.count = *count.result;
    auto all = co_await engine_->find(kName, {.query = everything(), .sort = {}, .projection = {}}, {.answer = 1 << 20});
    if (take(all, "find")) seen_.scanned = std::move(*all.result);
    if (ending == MediaExam::Ending::kStopped && seen_.corrupt == 0) {
      Result<> stopped = co_await engine_->stop();
      if (!stopped) seen_.wrong.push_back("it does not stop clean: " + stopped.error().text());
    }
    co_return 0;
  }
  void end() { engine_.reset(); }

 private:
  template <class T>
  bool take(const core::Reply<T>& reply, const std::string& what) {
    if (reply.result) return true;
    Code code = reply.result.error().code;
    if (code != Code::kCorrupt && !(io_errors && code == Code::kIo))
      seen_.wrong.push_back(fmt::format("{} failed with {}", what, reply.result.error().text()));
    if (seen_.corrupt++ == 0) seen_.complaint = reply.result.error().message;
    return false;
  }

  io::Task<void> find(std::string key) {
    Buffer id = string_id(key);
    auto found = co_await engine_->find_by_id(kName, id);
    if (take(found, "reading " + key))
      seen_.documents[key] = std::move(*found.result);
    else
      seen_.corrupt_ids.push_back(key);
  }

  const SmallTruth& truth_;
  const core::EngineOptions options_;
  Seen& seen_;
  std::unique_ptr<Engine> engine_;
};

bool same(const SmallTruth& truth, const std::string& key, const std::optional<Buffer>& told) {
  auto at = truth.documents.find(key);
  return at == truth.documents.end() ? !told : told && *told == at->second;
}

/// One sentence may stand for many documents.
bool lost_the_log(const std::vector<std::string>& damage) {
  return std::any_of(damage.begin(), damage.end(),
                     [](const std::string& s) { return s.contains("the log") || s.contains("missing"); });
}

io::Task<int> verify_main(io::Host& host, core::VerifyOptions options, std::optional<Result<core::VerifyReport>>& out) {
  out = co_await core::verify_directory(host, std::move(options));
  co_return 0;
}

io::Task<int> repair_main(io::Host& host, core::EngineOptions options, std::optional<Result<core::RepairReport>>& out) {
  out = co_await core::repair_directory(host, std::move(options), core::Loss::kAccepted);
  co_return 0;
}

}  // namespace

MediaExam::MediaExam(const SeedOptions& options, SmallShape shape, const SmallTruth& truth)
    : options_(options), shape_(shape), truth_(truth) {}

void MediaExam::at(std::string where) {
  where_ = std::move(where);
  if (options_.trace) options_.trace("damage: " + where_);
}

void MediaExam::check_sound(const sim::DiskModel& disk, std::string where) {
  at(std::move(where));
  Verified verified = verify(disk.clone());
  if (verified.refused) violation("verification refuses: " + verified.refused->text());
  for (const std::string& d : verified.report.damage) violation(d);
  if (look(disk.clone(), truth_).complains()) violation("the engine complains");
}

MediaExam::Outcome MediaExam::attempt(const sim::DiskModel& sound, std::string what, const Spoil& spoil) {
  at(std::move(what));
  Outcome out;
  out.damaged = sound.clone();
  sim::FaultCounts counts;
  HF_ASSERT(spoil(*out.damaged, counts), "the place is durable");
  for (size_t f = 0; f < static_cast<size_t>(sim::Fault::kCount); ++f)
    if (uint64_t n = counts[static_cast<sim::Fault>(f)])
      result_.counts["fault: " + std::string(sim::name(static_cast<sim::Fault>(f)))] += n;
  ++result_.counts["damaged"];
  out.verified = verify(out.damaged->clone());
  out.seen = look(out.damaged->clone(), truth_);
  const Seen& seen = out.seen;
  const char* served = seen.corrupt > 0 ? "damaged: served but for that" : "damaged: harmless";
  ++result_.counts[seen.refused ? "damaged: refused" : served];
  if (out.verified.finds()) ++result_.counts["damaged: found by verification"];
  if (seen.complains() && !out.verified.finds()) violation("the engine complains, and verification finds nothing");
  if (!seen.complains() && !out.verified.finds() && out.verified.report.notes.empty()) {
    ++result_.counts["damaged: noticed by nobody"];
    if (options_.trace) options_.trace("nobody notices it");
  }
  if (seen.refused) {
    Code code = seen.refused->code;
    if (options_.trace) options_.trace("refused: " + seen.refused->text());
    bool told = code == Code::kCorrupt || code == Code::kUnsupported || (io_errors && code == Code::kIo);
    if (!told) violation("refused with " + seen.refused->text());
  }
  return out;
}

Verified MediaExam::verify(std::unique_ptr<sim::DiskModel> disk) {
  Life life(std::move(disk), options_.seed, options_.mutants);
  std::optional<Result<core::VerifyReport>> report;
  core::VerifyOptions how{.data_path = kSmallData, .id_hash_bits = shape_.options().id_hash_bits, .reading = {}};
  life.run([&](io::Host& host) { return verify_main(host, how, report); });
  result_.hash = result_.hash * 31 + life.hash();
  if (!report) return {{}, Error{Code::kInternal, "verification hangs"}};
  if (!*report) return {{}, report->error()};
  return {std::move(**report), std::nullopt};
}

Seen MediaExam::look(std::unique_ptr<sim::DiskModel> disk, const SmallTruth& truth, Ending ending) {
  Seen seen;
  Life life(std::move(disk), options_.seed, options_.mutants);
  Reader reader(truth, shape_.options(), seen);
  reader.io_errors = io_errors;
  reader.ending = ending;
  bool ended = life.run([&](io::Host& host) { return reader.main(host); });
  result_.hash = result_.hash * 31 + life.hash();
  for (const auto& [name, n] : life.world().record().probes()) result_.probes[name] += n;
  if (!ended) violation("the engine hangs");
  reader.end();
  for (const std::string& w : seen.wrong) violation(w);
  seen.log.assign(life.node().log().begin(), life.node().log().end());
  seen.disk = life.node().disk().clone();
  judge(seen, truth);
  return seen;
}

void MediaExam::judge(const Seen& seen, const SmallTruth& truth) {
  for (const auto& [key, told] : seen.documents)
    if (!same(truth, key, told))
      violation(fmt::format("{} was answered {}", key, told ? "with other bytes" : "as not there"));
  if (seen.refused) return;
  if (seen.count && *seen.count != truth.documents.size())
    violation(fmt::format("count says {} of {}", *seen.count, truth.documents.size()));
  if (seen.scanned && seen.scanned->size() != truth.documents.size())
    violation(fmt::format("a scan shows {} of {} documents", seen.scanned->size(), truth.documents.size()));
}

// ---- Repairs ----

Seen MediaExam::look_at_repaired(std::unique_ptr<sim::DiskModel> disk) {
  Seen seen;
  Reader reader(truth_, shape_.options(), seen);
  Life life(std::move(disk), options_.seed, options_.mutants);
  life.run([&](io::Host& host) { return reader.main(host); });
  result_.hash = result_.hash * 31 + life.hash();
  reader.end();
  return seen;
}

/// A repair that is cut off leaves what was damaged, or what was repaired, or something between; never a loss that it did not mean. What it leaves is repaired.
std::unique_ptr<sim::DiskModel> MediaExam::cut_off_repairs(const Outcome& outcome) {
  Rng random = Rng(options_.seed, "repair").fork(where_);
  std::unique_ptr<sim::DiskModel> disk = outcome.damaged->clone();
  for (uint64_t cuts = random.below(3); cuts > 0; --cuts) {
    static constexpr sim::IoKind kKinds[] = {sim::IoKind::kDisk, sim::IoKind::kSync};
    sim::CrashPlan plan{.operation = 0, .kind = kKinds[random.below(2)], .moment = sim::Moment::kAfter, .how = sim::End::kPowerLoss};
    plan.operation = random.between(1, plan.kind == sim::IoKind::kSync ? 12 : 80);
    Life life(std::move(disk), random.below(UINT64_MAX), options_.mutants);
    std::optional<Result<core::RepairReport>> report;
    life.run([&](io::Host& host) { return repair_main(host, shape_.options(), report); }, plan);
    result_.hash = result_.hash * 31 + life.hash();
    result_.counts["repairs cut off"] += !report;
    disk = life.node().disk().clone();
    judge_half_repaired(look_at_repaired(disk->clone()), outcome);
  }
  return disk;
}

void MediaExam::repair(const Outcome& outcome) {
  // What cannot be read cannot be repaired either: the disk has to be replaced.
  if (!outcome.seen.complains() || outcome.verified.refused || io_errors) return;
  Life life(cut_off_repairs(outcome), options_.seed, options_.mutants);
  std::optional<Result<core::RepairReport>> report;
  life.run([&](io::Host& host) { return repair_main(host, shape_.options(), report); });
  result_.hash = result_.hash * 31 + life.hash();
  if (!report || !*report) {
    ++result_.counts["repairs: refused"];
    if (options_.trace) options_.trace("its repair is refused: " + (report ? report->error().text() : "it hangs"));
    return;
  }
  ++result_.counts["repairs"];
  if ((*report)->lost_count > outcome.verified.report.damaged)
    violation("repair gave up more than verification found");
  judge_repaired(look_at_repaired(life.node().disk().clone()), outcome.verified.report);
}

uint64_t MediaExam::judge_versions(const Seen& seen, const std::string& when) {
  uint64_t differ = 0;
  for (const auto& [key, told] : seen.documents) {
    differ += !same(truth_, key, told);
    if (!told) continue;
    auto read = read_document(*told);
    bool written = read && truth_.values_after < read->state.value && read->state.value <= truth_.last_value;
    if (!written) violation(when + " " + key + " is what nobody wrote");
  }
  return differ;
}

void MediaExam::judge_half_repaired(const Seen& seen, const Outcome& before) {
  uint64_t differ = judge_versions(seen, "after half a repair");
  const core::VerifyReport& damage = before.verified.report;
  if (differ > damage.damaged && !lost_the_log(damage.damage))
    violation(fmt::format("after half a repair {} documents have changed, but {} were damaged", differ, damage.damaged));
  if (seen.refused && !before.seen.refused) violation("after half a repair it is refused: " + seen.refused->text());
  if (before.seen.refused) return;
  for (const std::string& id : seen.corrupt_ids)
    if (std::ranges::find(before.seen.corrupt_ids, id) == before.seen.corrupt_ids.end())
      violation("after half a repair " + id + " cannot be read, which it could be before: " + seen.complaint);
}

/// After a repair it opens and complains of nothing; what it tells was written at some time.
void MediaExam::judge_repaired(const Seen& seen, const core::VerifyReport& damage) {
  if (seen.refused) violation("after its repair it was refused: " + seen.refused->text());
  if (seen.corrupt > 0) violation("after its repair it still answers corrupt");
  uint64_t differ = judge_versions(seen, "after its repair");
  if (seen.scanned && seen.count && seen.scanned->size() != *seen.count)
    violation("after its repair count and scan differ");
  if (differ > damage.damaged && !lost_the_log(damage.damage))
    violation(fmt::format("{} documents changed in a repair of which {} were damaged", differ, damage.damaged));
}

}  // namespace holdfast::chaos
