#include "chaos/runner/real/power.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "chaos/runner/real/power_image.h"
#include "chaos/runner/real/recording.h"
#include "io/real/real_host.h"
#include "io/sync.h"

namespace holdfast::chaos {
namespace {

namespace fs = std::filesystem;
using real::OperationEvent;

constexpr uint64_t kImagesPerRecording = 250;
/// After so many violations nothing is learned from more.
constexpr size_t kEnough = 5;

struct PowerReport {
  uint64_t recordings = 0, lives = 0, events = 0, acknowledged = 0;
  ImageFigures images;
  std::vector<std::string> violations;
};

/// A moment to cut at: before that event of that life.
struct Cut {
  size_t life;
  size_t event;
  auto operator<=>(const Cut&) const = default;
};

/// Moments are drawn by how much there is to get wrong: a journal's writes and syncs are many and alike, everything else is rare.
std::vector<Cut> draw_cuts(const Recording& recording, uint64_t count, Rng& random) {
  constexpr uint64_t kRare = 8;
  std::vector<Cut> all;
  std::vector<uint64_t> until;  // sums of weights
  uint64_t total = 0;
  for (size_t life = 0; life < recording.lives().size(); ++life) {
    std::map<uint64_t, std::string_view> paths;
    std::map<uint64_t, uint64_t> weights;
    const auto& events = recording.lives()[life].record.events;
    for (size_t i = 0; i < events.size(); ++i) {
      uint64_t weight = kRare;
      if (const auto* b = std::get_if<real::OperationBegin>(&events[i])) {
        if (!b->path.empty()) paths[b->operation] = b->path;
        bool content = b->call == real::DiskCall::kWrite || b->call == real::DiskCall::kSync;
        if (content && paths[b->file].contains("/journal/")) weight = 1;
        weights[b->operation] = weight;
      } else {
        weight = weights[std::get<real::OperationEnd>(events[i]).operation];
      }
      all.push_back({life, i});
      until.push_back(total += weight);
    }
    all.push_back({life, events.size()});  // the process has died, and now the power goes
    until.push_back(total += kRare);
  }
  std::vector<Cut> cuts;
  for (uint64_t n = 0; n < count; ++n)
    cuts.push_back(all[static_cast<size_t>(std::ranges::upper_bound(until, random.below(total)) - until.begin())]);
  std::ranges::sort(cuts);
  return cuts;
}

/// The images of one recording.
class PowerCuts {
 public:
  PowerCuts(const RealOptions& options, std::string mode, std::string directory, std::string images, uint64_t seed, uint64_t count)
      : mode_(std::move(mode)),
        images_(std::move(images)),
        count_(count),
        seed_(seed),
        random_(seed, "power cuts"),
        real_({}),
        host_(real_.host()),
        recording_(host_, options, mode_, std::move(directory), seed),
        image_check_(host_, options, recording_, random_.fork("images")),
        jobs_(static_cast<uint64_t>(options.jobs)) {}

  PowerReport run() {
    real_.run(main());
    return std::move(report_);
  }

 private:
  io::Task<void> main() {
    co_await recording_.run();
    report_.violations = recording_.chronicle().violations();
    ++report_.recordings;
    report_.lives = recording_.lives().size();
    report_.acknowledged = recording_.chronicle().acknowledged();
    for (const RecordedLife& life : recording_.lives()) report_.events += life.record.events.size();
    if (!report_.violations.empty()) co_return;
    checks_.emplace(co_await io::this_executor());
    co_await cut_everywhere(draw_cuts(recording_, count_, random_));
    co_await checks_->drained();
    report_.images = image_check_.figures();
  }

  io::Task<void> cut_everywhere(std::vector<Cut> cuts) {
    DiskReplay replay(recording_.directory());
    size_t next = 0;
    for (size_t life = 0; life < recording_.lives().size(); ++life) {
      const RecordedLife& l = recording_.lives()[life];
      for (size_t event = 0; event <= l.record.events.size(); ++event) {
        bool ended = event == l.record.events.size();
        if (ended) replay.settle(l.settlement);
        for (; next < cuts.size() && cuts[next] == Cut{life, event}; ++next) {
          co_await jobs_.acquire(1);
          if (report_.violations.size() >= kEnough) co_return;
          checks_->spawn(check(make_image(replay, cuts[next], next)));
        }
        if (!ended) HF_ASSERT(replay.apply(l.record.events[event]), "the record was played once already");
      }
    }
  }

  /// What was told before the first moment after the cut rests on what had ended before it.
  Time time_of(const Cut& cut) const {
    for (size_t life = cut.life, event = cut.event; life < recording_.lives().size(); ++life, event = 0)
      if (const auto& events = recording_.lives()[life].record.events; event < events.size()) return real::time_of(events[event]);
    return Time::never();
  }

  std::string describe(const Cut& cut) const {
    const auto& events = recording_.lives()[cut.life].record.events;
    if (cut.event == events.size()) return fmt::format("life {}, after its end", cut.life);
    const OperationEvent& event = events[cut.event];
    if (const auto* b = std::get_if<real::OperationBegin>(&event))
      return fmt::format("life {}, before operation {} ({} {}) began", cut.life, b->operation, real::name(b->call), b->path);
    return fmt::format("life {}, before operation {} ended", cut.life, std::get<real::OperationEnd>(event).operation);
  }

  PowerImage make_image(const DiskReplay& replay, const Cut& cut, uint64_t number) {
    Rng draws = random_.fork(fmt::format("image {}", number));
    sim::Trace trace;
    sim::Stream stream(draws.next(), "image", trace);
    PowerImage image{number, time_of(cut), fmt::format("{}, seed {}, image {}: {}", mode_, seed_, number, describe(cut)), replay.cut(stream),
                fmt::format("{}/{}", images_, number)};
    image_check_.lose_power(*image.disk, draws, stream);
    return image;
  }

  io::Task<void> check(PowerImage image) {
    std::vector<std::string> found = co_await image_check_.run(image);
    report_.violations.insert(report_.violations.end(), found.begin(), found.end());
    jobs_.release(1);
  }

  std::string mode_;
  std::string images_;
  uint64_t count_;
  uint64_t seed_;
  Rng random_;
  real::RealHost real_;
  io::Host& host_;
  Recording recording_;
  ImageCheck image_check_;
  io::Semaphore jobs_;
  std::optional<io::TaskGroup> checks_;
  PowerReport report_;
};

std::string text(const PowerReport& r, std::string_view mode, double wall_seconds) {
  return fmt::format(
      "real-power, {} mode: {} images, {} violations, {:.1f} s\n"
      "  from {} recordings of {} lives, {} operations begun or ended, {} changes acknowledged\n{}",
      mode, r.images.images, r.violations.size(), wall_seconds, r.recordings, r.lives, r.events, r.acknowledged, r.images.text());
}

void add(PowerReport& to, PowerReport part) {
  to.recordings += part.recordings;
  to.lives += part.lives;
  to.events += part.events;
  to.acknowledged += part.acknowledged;
  to.images.add(part.images);
  to.violations.insert(to.violations.end(), part.violations.begin(), part.violations.end());
}

}  // namespace

int run_real_power(const RealOptions& o) {
  bool failed = false;
  uint64_t images = o.images.value_or(1000), recordings = (images + kImagesPerRecording - 1) / kImagesPerRecording;
  for (const std::string& mode : o.modes) {
    PowerReport report;
    double begin = monotonic_seconds();
    for (uint64_t n = 0; n < recordings && report.violations.empty(); ++n) {
      if (n % o.parts != o.part - 1) continue;
      uint64_t count = std::min(kImagesPerRecording, images - n * kImagesPerRecording);
      std::string directory = fresh_directory(o.scratch, "real-power"), at = fresh_directory(o.images_in, "real-power-images");
      PowerReport one = PowerCuts(o, mode, directory, at, o.seed + n, count).run();
      for (const std::string& v : one.violations) fmt::print(stderr, "{}\n", v);
      if (!one.violations.empty() || o.keep) {
        fmt::print(stderr, "the recorded directory: {}\n", directory);
      } else {
        fs::remove_all(directory);
        fs::remove_all(at);
      }
      add(report, std::move(one));
    }
    fmt::print("{}", text(report, mode, monotonic_seconds() - begin));
    std::fflush(stdout);
    failed = failed || !report.violations.empty();
  }
  return failed ? 1 : 0;
}

}  // namespace holdfast::chaos
