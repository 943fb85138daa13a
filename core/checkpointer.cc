#include "core/checkpointer.h"

#include <fmt/core.h>

#include "core/data_directory.h"
#include "core/gather.h"
#include "io/base/probe.h"

namespace holdfast::core {

Checkpointer::Checkpointer(EngineShared& shared, Manifest newest, Manifest previous, uint64_t highest_number)
    : shared_(shared), newest_(std::move(newest)), previous_(std::move(previous)), next_number_(highest_number + 1) {}

void Checkpointer::consider() {
  uint64_t bytes = shared_.journal->bytes_since(newest_.position);
  uint64_t due = shared_.options.checkpoint_bytes;
  if (bytes >= due) wake_.notify_all();
  // From four times the due size on, each write waits 100 µs more per further size: writers slow down to what checkpoints keep up with.
  uint64_t behind = bytes / due;
  shared_.slow_down_us.store(behind < 4 ? 0 : static_cast<uint32_t>(std::min<uint64_t>(behind - 3, 1000) * 100),
                             std::memory_order_relaxed);
}

void Checkpointer::stop() {
  stopping_ = true;
  wake_.notify_all();
}

io::Task<void> Checkpointer::run() {
  while (!stopping_) {
    if (shared_.damage || shared_.journal->bytes_since(newest_.position) < shared_.options.checkpoint_bytes) {
      co_await wake_.wait();
      continue;
    }
    Result<> done = co_await checkpoint();
    consider();
    if (done) continue;
    if (done.error().code != Code::kDiskFull || MUTANT("checkpoint-dies-of-a-full-disk")) {
      shared_.fail(CoreId(0), std::move(done.error()));
      co_return;
    }
    shared_.host.log.log(io::Level::kWarning, "no checkpoint: " + done.error().text() + "; trying again in a second");
    co_await wake_.wait(shared_.host.clock.now() + seconds(1));
  }
}

/// The catalog and counts at one LSN that is a group's end and durable.
io::Task<Result<Manifest>> Checkpointer::cut() {
  struct Look {
    Manifest manifest;  // of core 0
    std::vector<std::pair<CollectionId, int64_t>> counts;
    std::vector<QuarantinedDocument> quarantined;
    std::vector<SessionState> sessions;
  };
  Gathered<Look> looks = co_await gather<Look>(shared_, [](EngineCore& core) {
    Look look;
    const Catalog& catalog = core.catalog();
    look.manifest.databases = catalog.databases();
    look.manifest.collections = catalog.collections();
    if (!MUTANT("indexes-not-in-manifest")) look.manifest.indexes = catalog.indexes();
    look.manifest.next_database = catalog.next_database();
    look.manifest.next_collection = catalog.next_collection();
    look.quarantined = core.quarantine().list();
    look.sessions = core.sessions().list();
    for (const ManifestCollection& c : look.manifest.collections) look.counts.emplace_back(c.id, core.count(c.id));
    return look;
  });
  Manifest manifest = std::move(looks.values[0].manifest);
  for (Look& look : looks.values) std::ranges::move(look.sessions, std::back_inserter(manifest.sessions));
  std::ranges::sort(manifest.sessions, {}, &SessionState::id);
  for (const Look& look : looks.values)
    manifest.quarantined.insert(manifest.quarantined.end(), look.quarantined.begin(), look.quarantined.end());
  std::sort(manifest.quarantined.begin(), manifest.quarantined.end(), [](const QuarantinedDocument& a, const QuarantinedDocument& b) {
    return std::pair(a.touched.collection, a.touched.id_hash) < std::pair(b.touched.collection, b.touched.id_hash);
  });
  for (const Look& look : looks.values)
    for (size_t i = 0; i < manifest.collections.size(); ++i) {
      HF_ASSERT(look.counts[i].first == manifest.collections[i].id, "every core has the same catalog at one LSN");
      manifest.collections[i].documents += static_cast<uint64_t>(look.counts[i].second);
    }
  if (!MUTANT("checkpoint-skips-journal-sync")) HF_CO_CHECK_OK(co_await shared_.journal->flush());
  manifest.position = shared_.journal->boundary_at(looks.lsn);
  HF_ASSERT(manifest.position.lsn == looks.lsn, "commits end where groups end");
  co_return manifest;
}

io::Task<Result<>> Checkpointer::make_directories(const Manifest& manifest) {
  const std::string db = shared_.options.data_path + "/db";
  bool made_any = false;
  for (const ManifestDatabase& d : manifest.databases) {
    if (!made_directories_.insert(d.id).second) continue;
    // Durable for sure if the newest MANIFEST names a file in it. Otherwise what is there, if anything, is left from a checkpoint that failed.
    if (std::any_of(newest_.shards.begin(), newest_.shards.end(), [&](const ShardCheckpoint& s) { return s.database == d.id; })) continue;
    if (Result<> made = co_await make_anew(shared_.host.disk, db + "/" + d.name); !made) {
      made_directories_.erase(d.id);
      co_return fail(made);
    }
    made_any = true;
  }
  if (made_any) HF_CO_CHECK_OK(co_await shared_.host.disk.sync_dir(db));
  co_return Result<>();
}

io::Task<Result<std::vector<ShardCheckpoint>>> Checkpointer::flush(Lsn cut) {
  std::vector<ShardCheckpoint> shards;
  std::set<DatabaseId> directories;
  for (uint16_t k = 0; k < shared_.cores.size(); ++k) {
    EngineCore& core = *shared_.cores[k];
    HF_CO_TRY(flushed, co_await io::call_on<Result<EngineCore::FlushedShards>>(shared_.host.cores, CoreId(k),
                                                                              [&core, cut] { return core.flush_shards(cut); }));
    shards.insert(shards.end(), flushed.shards.begin(), flushed.shards.end());
    directories.insert(flushed.directories.begin(), flushed.directories.end());
  }
  const Catalog& catalog = shared_.cores[0]->catalog();
  for (DatabaseId d : directories)
    if (!MUTANT("checkpoint-directory-unsynced"))
      HF_CO_CHECK_OK(co_await shared_.host.disk.sync_dir(shared_.options.data_path + "/db/" + catalog.database_name(d)));
  std::sort(shards.begin(), shards.end(),
            [](const ShardCheckpoint& a, const ShardCheckpoint& b) { return std::pair(a.database, a.shard) < std::pair(b.database, b.shard); });
  co_return shards;
}

io::Task<Result<>> Checkpointer::checkpoint() {
  io::Host& host = shared_.host;
  const DirectorySettings& settings = shared_.settings;
  if (shared_.damage) co_return Result<>();
  HF_CO_TRY(manifest, co_await cut());
  if (manifest.position.lsn == newest_.position.lsn) co_return Result<>();
  HF_CO_CHECK_OK(co_await make_directories(manifest));
  manifest.number = next_number_++;
  HF_CO_TRY(shards, co_await flush(manifest.position.lsn));
  manifest.shards = std::move(shards);
  if (MUTANT("position-saved-apart")) manifest.position = shared_.journal->boundary_at(shared_.journal->durable_lsn());
  if (MUTANT("checkpoint-releases-before-manifest")) HF_CO_CHECK_OK(co_await shared_.journal->release_before(manifest.position));
  HF_CO_CHECK_OK(co_await write_manifest(host, shared_.options.data_path, manifest, settings.cluster_id, settings.server_id));

  for (uint16_t k = 0; k < shared_.cores.size(); ++k) {
    EngineCore& core = *shared_.cores[k];
    std::vector<ShardCheckpoint> mine;
    for (const ShardCheckpoint& s : manifest.shards)
      if (shared_.core_of(s.shard) == CoreId(k)) mine.push_back(s);
    HF_CO_CHECK_OK(co_await io::call_on<Result<bool>>(host.cores, CoreId(k), [&core, mine = std::move(mine)]() mutable {
      return core.shards_flushed(std::move(mine));
    }));
  }
  manifest.sessions = {};  // which may be large, and is written
  previous_ = std::exchange(newest_, std::move(manifest));
  ++taken_;
  HF_CO_CHECK_OK(co_await shared_.journal->release_before(previous_.position));
  co_await remove_old_manifests(host, shared_.options.data_path, newest_.number, previous_.number);
  co_return Result<>();
}

}  // namespace holdfast::core
