#include "core/repair.h"

#include <fmt/format.h>

#include "core/data_directory.h"
#include "core/durable.h"
#include "core/record.h"
#include "core/verify.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

/// What a rebuilt shard keeps in memory before it goes to its file.
constexpr uint64_t kTailBytes = uint64_t{64} << 20;

class ShardRepair {
 public:
  ShardRepair(io::Host& host, const EngineOptions& options, const DirectorySettings& settings, Manifest manifest)
      : host_(host), options_(options), settings_(settings), manifest_(std::move(manifest)) {}

  /// Writes anew what is damaged; nothing counts before write().
  io::Task<Result<>> run(RepairReport& report) {
    std::map<DatabaseId, std::string> names;
    for (const ManifestDatabase& d : manifest_.databases) names[d.id] = d.name;
    const VerifyOptions look{.data_path = options_.data_path, .id_hash_bits = options_.id_hash_bits, .reading = {}};
    std::map<CollectionId, uint64_t> documents;
    std::vector<ShardCheckpoint> shards;
    for (const ShardCheckpoint& s : manifest_.shards) {
      VerifyReport found;
      const std::string directory = options_.data_path + "/db/" + names[s.database];
      HF_CO_TRY(truth, co_await verify_shard(host_, look, directory, settings_.cluster_id, s, found));
      if (found.sound()) {
        shards.push_back(s);
        for (const auto& [collection, n] : truth.documents) documents[collection] += n;
        continue;
      }
      changed_ = true;
      HF_CO_TRY(anew, co_await rebuild(s, directory, truth, documents));
      report.done.push_back(fmt::format("{}: shard {} was written anew as generation {}, with {} records; the damaged file stays, remove it when it is not needed",
                                        directory, s.shard.value, anew.generation.value, anew.next_ordinal.value));
      if (anew.db_length > 0) shards.push_back(anew);
    }
    manifest_.shards = std::move(shards);
    if (changed_)
      for (ManifestCollection& c : manifest_.collections) c.documents = documents[c.id];
    co_return Result<>();
  }

  /// Twice: the older one that is kept must not name what is damaged either.
  io::Task<Result<>> write(uint64_t highest_number) {
    if (!changed_) co_return Result<>();
    for (int i = 0; i < 2; ++i) {
      manifest_.number = ++highest_number;
      HF_CO_CHECK_OK(co_await write_manifest(host_, options_.data_path, manifest_, settings_.cluster_id, settings_.server_id));
    }
    co_await remove_old_manifests(host_, options_.data_path, highest_number, highest_number - 1);
    co_return Result<>();
  }

 private:
  io::Task<Result<ShardCheckpoint>> rebuild(ShardCheckpoint old, std::string directory, const ShardTruth& truth,
                                            std::map<CollectionId, uint64_t>& documents) {
    ShardCheckpoint fresh{old.database, old.shard, old.generation.next(), 0, Ordinal(0), Lsn(0), 0};
    // Left by an earlier repair that did not end.
    std::string path = fmt::format("{}/shard_{:03}.{}.db", directory, fresh.shard.value, fresh.generation.value);
    Result<> removed = co_await host_.disk.remove(path);
    if (!removed && removed.error().code != Code::kNotFound) co_return fail(removed);
    ShardOptions how{.directory = directory, .cluster_id = settings_.cluster_id, .id_hash_bits = options_.id_hash_bits};
    std::unique_ptr<Shard> shard = Shard::make(host_, std::move(how), fresh);
    const std::string from = fmt::format("{}/shard_{:03}.{}.db", directory, old.shard.value, old.generation.value);
    const uint32_t seed = ShardIdentity{settings_.cluster_id, old.database, old.shard, old.generation}.seed();
    std::unique_ptr<io::File> file;
    Lsn last;
    for (const SoundRecord& s : truth.sound) {
      if (s.tombstone) continue;
      if (!file) {
        HF_CO_TRY(opened, co_await host_.disk.open(from, io::Open::kRead));
        file = std::move(opened);
      }
      if (s.lsn > last && shard->tail_bytes() >= kTailBytes) HF_CO_CHECK_OK(co_await flush(*shard, fresh, last));
      Buffer bytes;
      grow(bytes, s.size);
      HF_CO_CHECK_OK(co_await io::read_exactly(*file, s.offset, bytes));
      auto r = parse_record(seed, bytes);
      if (!r) co_return fail(Code::kCorrupt, fmt::format("{} at offset {} reads differently each time; check the disk", from, s.offset));
      Effect put{EffectKind::kPut, old.database, old.shard, r->header.collection, r->key, r->body};
      HF_CO_CHECK_OK(co_await shard->apply(s.lsn, put));
      ++documents[r->header.collection];
      last = s.lsn;
    }
    if (shard->dirty()) HF_CO_CHECK_OK(co_await flush(*shard, fresh, last));
    if (!MUTANT("repair-believes-its-shard-too-early")) HF_CO_CHECK_OK(co_await sync_names(host_.disk, directory));
    fresh.lsn = old.lsn;
    co_return fresh;
  }

  static io::Task<Result<>> flush(Shard& shard, ShardCheckpoint& checkpoint, Lsn cut) {
    HF_CO_TRY(flushed, co_await shard.flush(cut));
    checkpoint = flushed.checkpoint;
    co_return co_await shard.flushed(checkpoint);
  }

  io::Host& host_;
  const EngineOptions& options_;
  const DirectorySettings settings_;
  Manifest manifest_;
  bool changed_ = false;
};

io::Task<Result<>> repair_shards(io::Host& host, const EngineOptions& options, RepairReport& report) {
  HF_CO_TRY(directory, co_await open_directory(host, options));
  ShardRepair repair(host, options, directory.settings, directory.newest);
  HF_CO_CHECK_OK(co_await repair.run(report));
  co_return co_await repair.write(directory.highest_manifest_number);
}

io::Task<Result<>> repair_log(io::Host& host, EngineOptions options, RepairReport& report) {
  options.accept_loss = true;
  options.checkpoint_bytes = uint64_t{1} << 50;  // only those that settle_loss() takes
  HF_CO_TRY(engine, co_await Engine::open(host, std::move(options)));
  HF_CO_CHECK_OK(co_await engine->settle_loss());
  report.done.push_back(fmt::format("the log goes on after LSN {}; segments that were damaged are no part of it any more", engine->committed_lsn().value));
  co_return co_await engine->stop();
}

}  // namespace

io::Task<Result<RepairReport>> repair_directory(io::Host& host, EngineOptions options, Loss loss) {
  HF_CO_TRY(found, co_await verify_directory(host, {.data_path = options.data_path, .id_hash_bits = options.id_hash_bits, .reading = {}}));
  RepairReport report{.lost = std::move(found.damage), .lost_count = found.damaged, .done = {}};
  if (report.sound() || loss == Loss::kListed) co_return report;
  HF_CO_CHECK_OK(co_await repair_shards(host, options, report));
  HF_CO_CHECK_OK(co_await repair_log(host, options, report));
  co_return report;
}

}  // namespace holdfast::core
