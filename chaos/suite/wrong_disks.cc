#include "chaos/suite/wrong_disks.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

#include "chaos/suite/media_exam.h"
#include "chaos/suite/wrong_disks_cases.h"
#include "core/id_key.h"
#include "core/settings_format.h"
#include "io/base/assert.h"

namespace holdfast::chaos {
namespace {

using sim::DiskModel;

SmallShape draw_shape(uint64_t number, uint64_t twin) {
  Rng random(number, "wrong disks");
  SmallShape shape{.number = number, .twin = twin, .shards = 3};
  constexpr uint64_t kBlocks[] = {2, 8, 16};
  constexpr uint64_t kCheckpoints[] = {12 << 10, 20 << 10, 64 << 20};
  shape.segment_blocks = kBlocks[random.below(3)];
  shape.checkpoint_bytes = kCheckpoints[random.below(3)];
  shape.lives = static_cast<int>(random.between(1, 3));
  shape.killed = random.below(2) == 0;
  shape.rests = true;
  return shape;
}

uint64_t cluster_of(const DiskModel& disk) {
  std::optional<Buffer> bytes = data_file(disk, "HOLDFAST");
  auto found = bytes ? core::decode_settings(*bytes) : fail(Code::kNotFound, "");
  return found ? found->slot.settings.cluster_id : 0;
}

/// The shard that a file of that name belongs to.
std::optional<ShardId> shard_in(std::string_view path) {
  constexpr std::string_view kStem = "/shard_";
  size_t at = path.find(kStem);
  if (at == std::string_view::npos || !path.ends_with(".db")) return std::nullopt;
  path.remove_prefix(at + kStem.size());
  uint16_t n = 0;
  std::from_chars(path.data(), path.data() + path.size(), n);
  return ShardId(n);
}

class WrongDisks {
 public:
  explicit WrongDisks(const SeedOptions& options)
      : shape_(draw_shape(options.seed, 0)),
        own_(make_small_directory(shape_, options.mutants)),
        twin_(make_small_directory(draw_shape(options.seed, 1), options.mutants)),
        exam_(options, shape_, own_.truth) {
    disks_.own = own_.disk.get();
    disks_.foreign = twin_.disk.get();
    for (auto& disk : own_.earlier) disks_.earlier.push_back(disk.get());
    own_.disk->settle();
    twin_.disk->settle();
    for (auto& disk : own_.earlier) disk->settle();
    exam_.result().configuration =
        fmt::format("documents={} lives={} killed={} segment_blocks={} checkpoint_bytes={} hash_bits={}",
                    own_.truth.documents.size(), shape_.lives, shape_.killed, shape_.segment_blocks,
                    shape_.checkpoint_bytes, shape_.options().id_hash_bits);
  }

  SeedResult run() {
    exam_.check_sound(*own_.disk, "before any damage");
    for (const WrongDisk& wrong : wrong_disks(disks_))
      if (!exam_.enough()) attempt(wrong);
    for (const WrongDisk& wrong : wiped_disks(disks_)) begin_empty(wrong);
    be_the_twin();
    open_as_copy();
    return std::move(exam_.result());
  }

 private:
  std::unique_ptr<DiskModel> made(const WrongDisk& wrong) const {
    std::unique_ptr<DiskModel> disk = own_.disk->clone();
    sim::FaultCounts counts;
    HF_ASSERT(wrong.apply(*disk, counts), "what is taken away is there");
    return disk;
  }

  void attempt(const WrongDisk& wrong) {
    std::unique_ptr<DiskModel> damaged = made(wrong);
    auto restored = [&](const DiskModel* earlier) { return is_as_earlier(*damaged, *earlier); };
    if (std::ranges::any_of(disks_.earlier, restored) || is_spare_again(wrong, *own_.disk)) {
      ++exam_.result().counts["left out: a restored backup"];
      return;
    }
    MediaExam::Outcome outcome = exam_.attempt(
        *own_.disk, wrong.what, [&](DiskModel& disk, sim::FaultCounts& counts) { return wrong.apply(disk, counts); });
    judge_extent(wrong, outcome.seen);
    exam_.repair(outcome);
    if (!outcome.seen.complains()) live_on(std::move(outcome.seen.disk), own_.truth);
  }

  /// What is not touched is served, and what is complained of was touched.
  void judge_extent(const WrongDisk& wrong, const Seen& seen) {
    if (seen.refused) {
      auto in_shards = [](const WrongFile& f) { return f.path.starts_with("db/"); };
      if (std::ranges::all_of(wrong.files, in_shards))
        exam_.violation("only shards are damaged, and it was refused: " + seen.refused->text());
      auto named = [&](const std::string& path) { return seen.refused->message.contains(name_of(path)); };
      if (std::ranges::none_of(wrong.files, named, &WrongFile::path) && std::ranges::none_of(wrong.rest, named))
        exam_.violation("the refusal names no file: " + seen.refused->text());
    }
    bool all = wrong.touches("db/" + std::string(kSmallDatabase));
    std::set<ShardId> shards;
    for (const WrongFile& f : wrong.files)
      if (auto shard = shard_in(f.path)) shards.insert(*shard);
    if (seen.corrupt > 0 && !all && shards.empty())
      exam_.violation("answers are corrupt, and no shard's file is damaged");
    for (const std::string& id : seen.corrupt_ids) {
      ShardId shard = core::shard_of(*core::id_key(string_id(id)), static_cast<uint16_t>(shape_.shards));
      if (!all && !shards.contains(shard))
        exam_.violation(fmt::format("{} is corrupt, and shard {} is not damaged", id, shard.value));
    }
  }
  /// As a message names it; of MANIFESTs any.
  static std::string name_of(const std::string& path) {
    std::string name = path.substr(path.find_last_of('/') + 1);
    return name.starts_with("MANIFEST.") ? "MANIFEST" : name;
  }

  /// It stops clean, and is the same afterwards.
  void live_on(std::unique_ptr<DiskModel> disk, const SmallTruth& truth) {
    Seen stopped = exam_.look(std::move(disk), truth, MediaExam::Ending::kStopped);
    if (stopped.complains()) return exam_.violation("the next start complains");
    if (exam_.look(std::move(stopped.disk), truth).complains())
      exam_.violation("the start after a clean stop complains");
  }

  /// A first start.
  void begin_empty(const WrongDisk& wrong) {
    exam_.at(wrong.what);
    SmallTruth nothing;
    for (const auto& [id, document] : own_.truth.documents) nothing.absent.push_back(id);
    ++exam_.result().counts["wiped"];
    Seen seen = exam_.look(made(wrong), nothing);
    if (seen.complains()) return exam_.violation("a first start complains");
    uint64_t cluster = cluster_of(*seen.disk);
    if (cluster == 0 || cluster == cluster_of(*own_.disk))
      exam_.violation("an empty database calls itself the old cluster");
    live_on(std::move(seen.disk), nothing);
  }

  /// The twin's whole disk is the twin's: nothing here knows which one was meant.
  void be_the_twin() {
    exam_.at("the twin's whole disk");
    ++exam_.result().counts["foreign as a whole"];
    Seen seen = exam_.look(twin_.disk->clone(), twin_.truth);
    if (seen.complains()) return exam_.violation("the engine complains");
    if (cluster_of(*seen.disk) != cluster_of(*twin_.disk)) exam_.violation("it is of another cluster now");
    live_on(std::move(seen.disk), twin_.truth);
  }

  /// The twin's files in this directory are a copy, as HOLDFAST names another one.
  void open_as_copy() {
    exam_.at("the twin's files in this directory");
    ++exam_.result().counts["foreign as a whole"];
    Seen seen = exam_.look(made(whole_disk(*twin_.disk, sim::Fault::kForeign)), twin_.truth);
    if (shape_.killed) {
      bool told = seen.refused && seen.refused->code == Code::kUnsupported &&
          seen.refused->message.contains("is a copy");
      std::string said = seen.refused ? ": " + seen.refused->text() : "";
      if (!told) exam_.violation("a copy without a clean end was not refused as one" + said);
      return;
    }
    auto told = [](const std::string& line) { return line.contains("is a copy"); };
    if (seen.complains()) exam_.violation("a clean copy was not opened");
    if (std::ranges::none_of(seen.log, told)) return exam_.violation("nobody is told that it is a copy");
    live_on(std::move(seen.disk), twin_.truth);
  }

  const SmallShape shape_;
  SmallDirectory own_, twin_;
  Disks disks_;
  MediaExam exam_;
};

}  // namespace

SeedResult run_wrong_disks(const SeedOptions& options) { return WrongDisks(options).run(); }

}  // namespace holdfast::chaos
