#include "chaos/suite/flips.h"

#include <fmt/format.h>

#include "chaos/workload/documents.h"
#include "core/repair.h"
#include "core/verify.h"
#include "io/base/msgpack.h"
#include "sim/world.h"

namespace holdfast::chaos {
namespace {

using core::Engine;

constexpr const char* kData = "/data";
constexpr core::Name kName{kFlipDatabase, kFlipCollection};
constexpr int kHashBits[] = {64, 3};

core::EngineOptions options_of(uint64_t directory) {
  core::EngineOptions o;
  o.data_path = kData;
  o.shard_count = 2;
  o.mode = core::SyncMode::kSync;
  o.journal.segment_bytes = 2 * 4096;
  o.index_tail_min = 4;
  o.id_hash_bits = kHashBits[directory % 2];
  return o;
}

Buffer string_value(std::string_view s) {
  Buffer out;
  msgpack::Writer(out).string(s);
  return out;
}

core::Query everything() {
  Buffer none;
  msgpack::Writer(none).map(0);
  return std::move(*core::Query::compile(none));
}

/// One life of a process on a disk of its own.
class Life {
 public:
  Life(std::unique_ptr<sim::DiskModel> disk, uint64_t seed, const std::vector<std::string>& mutants)
      : world_({.seed = seed, .mutants = mutants}), node_(world_.add_node("server")) {
    node_.replace_disk(std::move(disk));
  }

  /// False: it neither ended nor can go on.
  bool run(const sim::Main& main) {
    bool ended = false;
    node_.on_end = [&ended](sim::End, int) { ended = true; };
    node_.start(main, {.cores = 1});
    world_.run({.until = seconds(600)});
    hash_ = hash_ * 31 + world_.trace().hash();
    if (!ended) node_.kill(sim::End::kProcessDeath);
    return ended;
  }

  sim::World& world() { return world_; }
  sim::Node& node() { return node_; }
  uint64_t hash() const { return hash_; }

 private:
  sim::World world_;
  sim::Node& node_;
  uint64_t hash_ = 0;
};

// ---- Making a directory ----

/// Each but for the last of some ends by a clean stop: so there are files of several checkpoints, and records of several flushes.
constexpr int kLives = 3;

class Maker {
 public:
  explicit Maker(uint64_t number) : number_(number), random_(number, "flip directory") {}

  FlipTruth truth;

  io::Task<int> main(io::Host& host) {
    auto opened = co_await Engine::open(host, options_of(number_));
    HF_ASSERT(opened, "a fresh or sound directory opens");
    engine_ = std::move(*opened);
    for (uint64_t n = random_.between(8, 20); n > 0; --n) co_await change();
    ++lives_;
    if (lives_ == kLives && number_ / 2 % 2 == 0)
      co_await io::sleep_for(seconds(1));  // killed, once it has sealed its log: that still holds something then
    else
      HF_ASSERT(co_await engine_->stop(), "without faults it stops clean");
    co_return 0;
  }
  void end() { engine_.reset(); }

 private:
  io::Task<void> change() {
    std::string key = fmt::format("k{}", random_.below(9));
    bool there = truth.documents.contains(key);
    uint64_t value = ++last_value_;
    Buffer filter_bytes = by_key(key);
    auto filter = core::Query::compile(filter_bytes);
    if (!there) {
      Buffer document = make_document(key, value);
      HF_ASSERT((co_await engine_->insert_one(kName, document, core::Repeat::kByShape)).result, "it was absent");
    } else if (random_.below(3) > 0) {
      Buffer update_bytes = make_update(value);
      auto update = core::Update::compile(update_bytes);
      HF_ASSERT((co_await engine_->update_one(kName, *filter, *update)).result, "it was there");
    } else {
      HF_ASSERT((co_await engine_->delete_one(kName, *filter)).result, "it was there");
    }
    Buffer id = string_value(key);
    auto now = co_await engine_->find_by_id(kName, id);
    truth.documents.erase(key);
    std::erase(truth.absent, key);
    if (*now.result)
      truth.documents[key] = std::move(**now.result);
    else
      truth.absent.push_back(key);
  }

  uint64_t number_;
  Rng random_;
  uint64_t last_value_ = 0;
  int lives_ = 0;
  std::unique_ptr<Engine> engine_;
};

// ---- Looking at a damaged one ----

struct Seen {
  std::optional<Error> refused;
  uint64_t corrupt = 0;  ///< answers
  std::vector<std::string> wrong;
  std::map<std::string, std::optional<Buffer>> documents;  ///< what was told of each id
};

class Reader {
 public:
  Reader(const FlipTruth& truth, uint64_t directory, Seen& seen) : truth_(truth), directory_(directory), seen_(seen) {}

  io::Task<int> main(io::Host& host) {
    auto opened = co_await Engine::open(host, options_of(directory_));
    if (!opened) {
      seen_.refused = opened.error();
      co_return 3;
    }
    engine_ = std::move(*opened);
    for (const auto& [key, document] : truth_.documents) co_await find(key);
    for (const std::string& key : truth_.absent) co_await find(key);
    co_await find("never there");
    auto count = co_await engine_->count(kName, everything());
    if (take(count, "count")) count_ = *count.result;
    auto all = co_await engine_->find(kName, {.query = everything(), .sort = {}, .projection = {}}, 1 << 20);
    if (take(all, "find"))
      for (Buffer& d : *all.result) scanned_.push_back(std::move(d));
    else
      scan_failed_ = true;
    co_return 0;
  }
  void end() { engine_.reset(); }

  bool io_errors = false;  ///< reads may fail
  std::optional<uint64_t> count() const { return count_; }
  bool scan_failed() const { return scan_failed_; }
  const std::vector<Buffer>& scanned() const { return scanned_; }

 private:
  template <class T>
  bool take(const core::Reply<T>& reply, std::string_view what) {
    if (reply.result) return true;
    Code code = reply.result.error().code;
    if (code != Code::kCorrupt && !(io_errors && code == Code::kIo)) seen_.wrong.push_back(fmt::format("{} failed with {}", what, reply.result.error().text()));
    ++seen_.corrupt;
    return false;
  }

  io::Task<void> find(std::string key) {
    Buffer id = string_value(key);
    auto found = co_await engine_->find_by_id(kName, id);
    if (take(found, "reading " + key)) seen_.documents[key] = std::move(*found.result);
  }

  const FlipTruth& truth_;
  uint64_t directory_;
  Seen& seen_;
  std::unique_ptr<Engine> engine_;
  std::optional<uint64_t> count_;
  std::vector<Buffer> scanned_;
  bool scan_failed_ = false;
};

/// One directory, and what is wrong with it, one thing at a time.
class Media {
 public:
  Media(const SeedOptions& options, uint64_t directory)
      : options_(options), directory_(directory), random_(options.seed, "media"), made_(make_flip_directory(directory, options.mutants)) {
    check_sound();
    result_.configuration = fmt::format("directory={} documents={} hash_bits={}", directory_, made_.truth.documents.size(), kHashBits[directory_ % 2]);
  }

  SeedResult flip_bits() {
    uint64_t number = 0;
    for (const std::string& path : files()) {
      Buffer bytes = content(*made_.disk, path);
      for (uint64_t offset = 0; offset < bytes.size() && !enough(); ++offset) {
        if (!near_something(bytes, offset)) continue;
        if (number++ % kFlipSeedsPerDirectory != (options_.seed - 1) % kFlipSeedsPerDirectory) continue;
        auto bit = static_cast<uint8_t>(random_.below(8));
        attempt(fmt::format("{} at {}, bit {}", path, offset, bit),
                [&](sim::DiskModel& disk, sim::FaultCounts& counts) { return disk.flip_bit(path, offset, bit, counts); });
      }
    }
    return std::move(result_);
  }

  SeedResult spoil_sectors() {
    using sim::Fault;
    const std::vector<std::string> all = files();
    for (const std::string& path : all) {
      Buffer bytes = content(*made_.disk, path), old = content(*made_.before, path);
      for (uint64_t at = 0; at < bytes.size() && !enough(); at += sim::kSectorBytes) {
        if (!near_something(bytes, at)) continue;
        uint64_t length = std::min<uint64_t>(sim::kSectorBytes, bytes.size() - at);
        overwrite(path, at, Buffer(length, '\0'), Fault::kLostWrite);
        const std::string& other = all[random_.below(all.size())];
        Buffer elsewhere = content(*made_.disk, other);
        elsewhere = elsewhere.substr(random_.below(elsewhere.size() / sim::kSectorBytes + 1) * sim::kSectorBytes, length);
        if (!elsewhere.empty()) overwrite(path, at, std::move(elsewhere), Fault::kMisdirected);
        uint64_t block = at / 4096 * 4096;
        if (at == block && block < old.size()) overwrite(path, block, old.substr(block, std::min<uint64_t>(4096, bytes.size() - block)), Fault::kOldBlock);
        io_errors_ = true;
        attempt(fmt::format("{} at {}, unreadable", path, at),
                [&](sim::DiskModel& disk, sim::FaultCounts& counts) { return disk.make_unreadable(path, at, length, counts); });
        io_errors_ = false;
      }
    }
    return std::move(result_);
  }

 private:
  using Spoil = std::function<Result<>(sim::DiskModel&, sim::FaultCounts&)>;

  std::vector<std::string> files() const {
    std::vector<std::string> out;
    // What was removed may still have a durable name.
    for (std::string& path : sim::DurableView(*made_.disk).files(kData))
      if (!path.ends_with("LOCK") && made_.disk->find(path)) out.push_back(std::move(path));
    return out;
  }
  static Buffer content(const sim::DiskModel& disk, const std::string& path) {
    auto bytes = sim::DurableView(disk).read(path);
    return bytes ? std::move(*bytes) : Buffer();
  }
  bool enough() const { return result_.violations.size() > 20; }
  void overwrite(const std::string& path, uint64_t at, Buffer bytes, sim::Fault kind) {
    if (content(*made_.disk, path).compare(at, bytes.size(), bytes) == 0) return;
    attempt(fmt::format("{} at {}, {}", path, at, sim::name(kind)),
            [&](sim::DiskModel& disk, sim::FaultCounts& counts) { return disk.overwrite(path, at, bytes, kind, counts); });
  }

  /// Most of a segment is zeros that were never anything else; of those only what lies near other bytes is flipped.
  static bool near_something(Bytes bytes, uint64_t offset) {
    uint64_t from = offset / 512 * 512;
    return bytes.substr(from, 512).find_first_not_of('\0') != Bytes::npos;
  }

  void check_sound() {
    core::VerifyReport report = verify(made_.disk->clone());
    for (const std::string& d : report.damage) violation("before any flip: " + d);
    Seen seen = look(made_.disk->clone(), "before any flip");
    if (seen.refused || seen.corrupt > 0) violation("before any flip the engine complains");
  }

  void attempt(std::string what, const Spoil& spoil) {
    where_ = std::move(what);
    if (options_.trace) options_.trace("damage: " + where_);
    std::unique_ptr<sim::DiskModel> damaged = made_.disk->clone();
    sim::FaultCounts counts;
    HF_ASSERT(spoil(*damaged, counts), "the place is durable");
    for (size_t f = 0; f < static_cast<size_t>(sim::Fault::kCount); ++f)
      if (uint64_t n = counts[static_cast<sim::Fault>(f)]) result_.counts["fault: " + std::string(sim::name(static_cast<sim::Fault>(f)))] += n;
    ++result_.counts["damaged"];
    core::VerifyReport report = verify(damaged->clone());
    Seen seen = look(damaged->clone(), where_);
    bool complains = seen.refused || seen.corrupt > 0;
    ++result_.counts[seen.refused ? "damaged: refused" : seen.corrupt > 0 ? "damaged: served but for that" : "damaged: harmless"];
    if (report_refused_ || !report.sound()) ++result_.counts["damaged: found by verification"];
    if (complains && report.sound() && !report_refused_) violation("the engine complains, and verification finds nothing");
    if (report.damaged + report.notes.size() == 0 && !report_refused_ && !complains) {
      ++result_.counts["damaged: noticed by nobody"];
      if (options_.trace) options_.trace("nobody notices it");
    }
    if (seen.refused && !is_told(seen.refused->code) && seen.refused->code != Code::kUnsupported) violation("refused with " + seen.refused->text());
    // What cannot be read cannot be repaired either: the disk has to be replaced.
    if (complains && !report_refused_ && !io_errors_) repair(std::move(damaged), report);
  }

  core::VerifyReport verify(std::unique_ptr<sim::DiskModel> disk) {
    Life life(std::move(disk), options_.seed, options_.mutants);
    std::optional<Result<core::VerifyReport>> report;
    life.run([&](io::Host& host) { return verify_main(host, report); });
    result_.hash = result_.hash * 31 + life.hash();
    report_refused_ = !report || !*report;
    return report_refused_ ? core::VerifyReport() : std::move(**report);
  }
  io::Task<int> verify_main(io::Host& host, std::optional<Result<core::VerifyReport>>& out) {
    out = co_await core::verify_directory(host, {.data_path = kData, .id_hash_bits = kHashBits[directory_ % 2], .reading = {}});
    co_return 0;
  }

  Seen look(std::unique_ptr<sim::DiskModel> disk, const std::string& what) {
    where_ = what;
    Seen seen;
    Life life(std::move(disk), options_.seed, options_.mutants);
    Reader reader(made_.truth, directory_, seen);
    reader.io_errors = io_errors_;
    bool ended = life.run([&](io::Host& host) { return reader.main(host); });
    result_.hash = result_.hash * 31 + life.hash();
    for (const auto& [name, n] : life.world().record().probes()) result_.probes[name] += n;
    if (!ended) violation("the engine hangs");
    reader.end();
    for (const std::string& w : seen.wrong) violation(w);
    judge(seen, reader);
    return seen;
  }

  void judge(const Seen& seen, const Reader& reader) {
    for (const auto& [key, told] : seen.documents) {
      auto truth = made_.truth.documents.find(key);
      bool same = truth == made_.truth.documents.end() ? !told : told && *told == truth->second;
      if (!same) violation(fmt::format("{} was answered {}", key, told ? "with other bytes" : "as not there"));
    }
    if (seen.refused) return;
    if (reader.count() && *reader.count() != made_.truth.documents.size())
      violation(fmt::format("count says {} of {}", *reader.count(), made_.truth.documents.size()));
    if (!reader.scan_failed() && reader.scanned().size() != made_.truth.documents.size())
      violation(fmt::format("a scan shows {} of {} documents", reader.scanned().size(), made_.truth.documents.size()));
  }

  /// After a repair it opens and complains of nothing; what it tells was written at some time.
  void repair(std::unique_ptr<sim::DiskModel> disk, const core::VerifyReport& found) {
    Life life(std::move(disk), options_.seed, options_.mutants);
    std::optional<Result<core::RepairReport>> report;
    life.run([&](io::Host& host) { return repair_main(host, report); });
    result_.hash = result_.hash * 31 + life.hash();
    if (!report || !*report) {
      ++result_.counts["repairs: refused"];
      return;
    }
    ++result_.counts["repairs"];
    if ((*report)->lost_count != found.damaged) violation("repair gave up something else than verification found");
    Seen seen;
    Reader reader(made_.truth, directory_, seen);
    Life after(life.node().disk().clone(), options_.seed, options_.mutants);
    after.run([&](io::Host& host) { return reader.main(host); });
    result_.hash = result_.hash * 31 + after.hash();
    reader.end();
    if (seen.refused) violation("after its repair it was refused: " + seen.refused->text());
    if (seen.corrupt > 0) violation("after its repair it still answers corrupt");
    uint64_t differ = 0;
    for (const auto& [key, told] : seen.documents) {
      auto truth = made_.truth.documents.find(key);
      differ += truth == made_.truth.documents.end() ? told.has_value() : !told || *told != truth->second;
      if (told && !read_document(*told)) violation("after its repair " + key + " is what nobody wrote");
    }
    if (!seen.refused && reader.count() && reader.scanned().size() != *reader.count()) violation("after its repair count and scan differ");
    if (differ > (*report)->lost_count && !lost_the_log(**report)) violation(fmt::format("{} documents changed in a repair that listed {}", differ, (*report)->lost_count));
  }
  io::Task<int> repair_main(io::Host& host, std::optional<Result<core::RepairReport>>& out) {
    out = co_await core::repair_directory(host, options_of(directory_), core::Loss::kAccepted);
    co_return 0;
  }
  /// One sentence may stand for many documents.
  static bool lost_the_log(const core::RepairReport& report) {
    return std::any_of(report.lost.begin(), report.lost.end(), [](const std::string& s) { return s.contains("the log breaks") || s.contains("missing"); });
  }

  bool is_told(Code code) const { return code == Code::kCorrupt || (io_errors_ && code == Code::kIo); }
  void violation(const std::string& what) { result_.violations.push_back(where_ + ": " + what); }

  const SeedOptions& options_;
  const uint64_t directory_;
  Rng random_;
  FlipDirectory made_;
  SeedResult result_;
  std::string where_;
  bool report_refused_ = false;
  bool io_errors_ = false;  // reads may fail
};

}  // namespace

FlipDirectory make_flip_directory(uint64_t number, const std::vector<std::string>& mutants) {
  Maker maker(number);
  auto disk = std::make_unique<sim::DiskModel>(uint64_t{1} << 30);
  std::unique_ptr<sim::DiskModel> before;
  for (int life = 0; life < kLives; ++life) {
    Life process(std::move(disk), number * kLives + static_cast<uint64_t>(life), mutants);
    process.run([&](io::Host& host) { return maker.main(host); });
    maker.end();
    disk = process.node().disk().clone();
    if (life + 2 == kLives) before = disk->clone();
  }
  return {std::move(disk), std::move(before), std::move(maker.truth)};
}

SeedResult run_bit_flips(const SeedOptions& options) { return Media(options, (options.seed - 1) / kFlipSeedsPerDirectory).flip_bits(); }

SeedResult run_bad_sectors(const SeedOptions& options) { return Media(options, options.seed - 1).spoil_sectors(); }

}  // namespace holdfast::chaos
