// Opening, recovering, starting and stopping the engine; and what the journal reports to it.
#include <fmt/core.h>

#include "core/engine_impl.h"
#include "core/gather.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

constexpr Duration kHousekeeping = seconds(10);
/// A stalled disk is noticed after so many looks without progress.
constexpr int kLooks = 4;

Find all_documents() {
  Result<Query> query = Query::compile("\x80");
  HF_ASSERT(query, "the empty query is one");
  return {.query = std::move(*query), .sort = {}, .projection = {}};
}

}  // namespace

EngineImpl::EngineImpl(io::Host& host, EngineOptions options, OpenedDirectory directory)
    : host_(host), directory_(std::move(directory)), shared_{host, std::move(options), directory_.settings}, everything_(all_documents()) {
  for (uint16_t k = 0; k < host.cores.count(); ++k) shared_.cores.push_back(std::make_unique<EngineCore>(shared_, CoreId(k)));
  shared_.fail = [this](CoreId from, Error error) {
    host_.cores.send(from, CoreId(0), [this, error = std::move(error)]() mutable { fail_on_core_0(std::move(error)); });
  };
}

// ---- Opening ----

bool is_drop(const Effect& effect, CatalogChange::Kind kind) {
  Result<CatalogChange> change = effect.kind == EffectKind::kCatalog ? decode_catalog_change(effect.body) : CatalogChange();
  return change && change->kind == kind;
}

/// Applies the journal's entries while nothing else runs: all shards are used from core 0 here, and handed to their cores by start().
class Replay final : public ReplaySink {
 public:
  explicit Replay(EngineShared& shared) : shared_(shared) {}
  io::Task<Result<>> replay(EntryRef entry) override {
    EffectReader effects(entry->effects);
    while (std::optional<Effect> effect = effects.next()) {
      if (MUTANT("drop-not-replayed") && is_drop(*effect, CatalogChange::Kind::kDropCollection)) continue;
      if (MUTANT("index-drop-not-replayed") && is_drop(*effect, CatalogChange::Kind::kDropIndex)) continue;
      if (effect->kind != EffectKind::kCatalog && effect->shard.value >= shared_.settings.shard_count)
        co_return fail(Code::kCorrupt, fmt::format("entry {} names shard {}, which there is not", entry->lsn.value, effect->shard.value));
      for (auto& core : shared_.cores) HF_CO_CHECK_OK(co_await core->replay_effect(entry->lsn, *effect));
    }
    if (!effects.ok()) co_return fail(Code::kCorrupt, fmt::format("entry {} holds malformed effects", entry->lsn.value));
    for (auto& core : shared_.cores) core->adopt_applied(entry->lsn);
    co_return Result<>();
  }

  io::Task<Result<>> condemned(EntryRef entry) override {
    for (const Touched& t : entry->touched) {
      if (t.collection == CollectionId(0) && t.id_hash != 0 && t.shard.value < shared_.settings.shard_count) {
        SOMETIMES(true, "outcome-of-a-request-is-damaged");
        shared_.cores[shared_.core_of(t.shard).value]->sessions().damage(t.id_hash);
        continue;
      }
      if (t.id_hash == 0 || t.shard.value >= shared_.settings.shard_count)
        co_return fail(Code::kCorrupt, fmt::format("entry {} changed the catalog and is damaged: restore the journal from a backup", entry->lsn.value));
      shared_.cores[shared_.core_of(t.shard).value]->adopt_quarantined({t, entry->lsn});
    }
    for (auto& core : shared_.cores) core->adopt_applied(entry->lsn);
    co_return Result<>();
  }

 private:
  EngineShared& shared_;
};

io::Task<Result<>> EngineImpl::recover() {
  const Manifest& newest = directory_.newest;
  Catalog catalog(newest);
  for (auto& core : shared_.cores) {
    core->adopt_catalog(catalog);
    core->adopt_applied(newest.position.lsn);
  }
  for (const ShardCheckpoint& s : newest.shards) shared_.cores[shared_.core_of(s.shard).value]->adopt_shard(s);
  for (const ManifestCollection& c : newest.collections) shared_.cores[0]->adopt_count(c.id, static_cast<int64_t>(c.documents));

  for (const SessionState& s : newest.sessions) {
    ShardId shard = session_shard(s.id, shared_.settings.shard_count);
    shared_.cores[shared_.core_of(shard).value]->sessions().adopt(s);
  }
  directory_.newest.sessions = directory_.previous.sessions = {};  // they may be large, and change from now on
  for (const QuarantinedDocument& q : newest.quarantined) shared_.cores[shared_.core_of(q.touched.shard).value]->adopt_quarantined(q);

  Replay replay(shared_);
  JournalOptions options = shared_.options.journal;
  options.mode = shared_.options.mode.value_or(shared_.settings.mode);
  options.accept_loss = shared_.options.accept_loss;
  HF_CO_TRY(opened, co_await Journal::open(host_, shared_.options.data_path + "/journal",
                                           {shared_.settings.cluster_id, shared_.settings.server_id}, options, newest.position, replay));
  if (!shared_.settings.initialized) HF_CO_CHECK_OK(co_await finish_first_start(host_, shared_.options.data_path, shared_.settings));
  if (directory_.identity != shared_.settings.identity) HF_CO_CHECK_OK(co_await adopt_copy(opened.clean));
  for (const std::string& note : directory_.notes) host_.log.log(io::Level::kWarning, note);
  for (const std::string& note : opened.notes) host_.log.log(io::Level::kWarning, note);
  if (shared_.damage) host_.log.log(io::Level::kError, "read-only, because the log cannot be applied to a damaged shard: " + shared_.damage->text());
  shared_.journal = std::move(opened.journal);
  shared_.committed.store(opened.last.value);
  shared_.durable.store(opened.last.value);
  checkpointer_ = std::make_unique<Checkpointer>(shared_, newest, directory_.previous, directory_.highest_manifest_number);
  transactions_ = std::make_unique<Transactions>(*this, shared_);
  cursors_ = std::make_unique<Cursors>(shared_, host_.random.entropy64());

  // Everything replayed is durable now, whatever the mode was: this is when changing it is safe.
  if (options.mode != shared_.settings.mode) {
    shared_.settings.mode = options.mode;
    HF_CO_CHECK_OK(co_await change_settings(host_, shared_.options.data_path, shared_.settings));
  }
  co_return Result<>();
}

/// A copy of a stopped server's directory is whole, and becomes a directory of its own. One of a running server may not be.
io::Task<Result<>> EngineImpl::adopt_copy(bool clean) {
  const std::string& path = shared_.options.data_path;
  if (!clean)
    co_return fail(Code::kUnsupported, path + " is a copy of a directory whose server was running (its device and inode are not those it was made with, and "
                                              "its log has no clean end): such copies cannot be opened yet; stop the server and copy again");
  shared_.settings.identity = directory_.identity;
  HF_CO_CHECK_OK(co_await change_settings(host_, path, shared_.settings));
  host_.log.log(io::Level::kInfo, path + " is a copy of another directory, made while its server was stopped: it is a directory of its own from now on");
  co_return Result<>();
}

void EngineImpl::start() {
  shared_.journal->start(*this);
  for (uint16_t k = 0; k < shared_.cores.size(); ++k) {
    ++running_;
    host_.cores.send(CoreId(0), CoreId(k), [this, k] {
      io::Message ended = [this, k] {
        host_.cores.send(CoreId(k), CoreId(0), [this] {
          --running_;
          ended_.notify_all();
        });
      };
      host_.cores.executor(CoreId(k)).spawn(run_core(*shared_.cores[k], std::move(ended)));
    });
  }
  ++running_;
  host_.cores.executor(CoreId(0)).spawn(run_checkpointer());
  ++running_;
  host_.cores.executor(CoreId(0)).spawn(housekeeping());
  ++running_;
  host_.cores.executor(CoreId(0)).spawn(watch_disk());
}

io::Task<void> EngineImpl::run_core(EngineCore& core, io::Message ended) {
  co_await core.run();
  ended();
}

io::Task<void> EngineImpl::run_checkpointer() {
  co_await checkpointer_->run();
  --running_;
  ended_.notify_all();
}

io::Task<void> EngineImpl::housekeeping() {
  while (!co_await stopping_.wait(host_.clock.now() + kHousekeeping)) {
    co_await cursors_->tidy();
    co_await transactions_->tidy();
    co_await close_unused_sessions();
  }
  --running_;
  ended_.notify_all();
}

/// Looks are counted, not time: a process that stood still itself has seen none. What was admitted before keeps waiting, within the bounds of admission.
io::Task<void> EngineImpl::watch_disk() {
  Lsn seen;
  int looks = 0;
  while (!co_await stopping_.wait(host_.clock.now() + Duration{shared_.options.stall_after.ns / kLooks})) {
    Lsn committed = shared_.committed_lsn();
    bool waiting = shared_.journal->last_lsn() > committed;
    looks = waiting && committed == seen ? looks + 1 : 0;
    seen = committed;
    if (looks < kLooks || shared_.stalled.load() || MUTANT("hung-disk-unnoticed")) continue;
    SOMETIMES(true, "disk-stalled");
    shared_.stalled.store(true, std::memory_order_release);
    host_.log.log(io::Level::kWarning, "the disk does not answer: writes are refused until it does");
  }
  --running_;
  ended_.notify_all();
}

io::Task<Result<>> EngineImpl::stop() {
  if (failure_) co_return fail(failure_->code, failure_->message);
  checkpointer_->stop();
  stopping_.set();
  while (running_ > shared_.cores.size()) co_await ended_.wait();
  // A last checkpoint makes the next start instant; a full disk does not make the stop unclean.
  Result<> last = co_await checkpointer_->checkpoint();
  if (!last && last.error().code != Code::kDiskFull) co_return fail(last);
  HF_CO_CHECK_OK(co_await shared_.journal->stop());
  for (uint16_t k = 0; k < shared_.cores.size(); ++k)
    host_.cores.send(CoreId(0), CoreId(k), [&core = *shared_.cores[k]] { core.close(); });
  while (running_ > 0) co_await ended_.wait();
  failure_ = Error{Code::kShuttingDown, "the engine was stopped"};
  failure_changed_.notify_all();
  co_return Result<>();
}

io::Task<Error> EngineImpl::failed() {
  while (!failure_) co_await failure_changed_.wait();
  co_return *failure_;
}

io::Task<Result<>> EngineImpl::settle_loss() {
  HF_ASSERT(shared_.options.accept_loss, "only a repair gives up anything");
  co_await gather<bool>(shared_, [](EngineCore& core) {
    core.end_quarantine();
    return true;
  });
  // Two checkpoints, each after an entry without effects: then both MANIFESTs that may be started from begin in segments of this life, and the damaged ones
  // before them go.
  for (int i = 0; i < 2; ++i) {
    auto entry = std::make_shared<Submission>(CoreId(0));
    shared_.journal->append(entry);
    co_await entry->applied.wait();
    HF_CO_CHECK_OK(co_await checkpointer_->checkpoint());
  }
  co_return Result<>();
}

// ---- The journal's reports, on core 0 ----

void EngineImpl::committed(std::span<const EntryRef> entries, Lsn durable) {
  auto batch = std::make_shared<CommitBatch>();
  batch->entries.assign(entries.begin(), entries.end());
  batch->through = entries.empty() ? shared_.committed_lsn() : entries.back()->lsn;
  // Published before any reply that it releases: those come from the cores, after this.
  if (!MUTANT("committed-published-late")) shared_.committed.store(batch->through.value, std::memory_order_release);
  shared_.durable.store(durable.value, std::memory_order_release);
  if (shared_.stalled.exchange(false)) {
    SOMETIMES(true, "disk-answers-again");
    host_.log.log(io::Level::kWarning, "the disk answers again: taking writes");
  }
  for (uint16_t k = 1; k < shared_.cores.size(); ++k)
    host_.cores.send(CoreId(0), CoreId(k), [&core = *shared_.cores[k], batch] { core.deliver(batch); });
  shared_.cores[0]->deliver(batch);
  if (MUTANT("committed-published-late"))
    host_.cores.send(CoreId(0), CoreId(0), [this, batch] { shared_.committed.store(batch->through.value, std::memory_order_release); });
  checkpointer_->consider();
}

void EngineImpl::durable(Lsn durable) { shared_.durable.store(durable.value, std::memory_order_release); }

void EngineImpl::failed(Error error) { fail_on_core_0(std::move(error)); }

void EngineImpl::disk_full(bool full) {
  if (!full && MUTANT("read-only-never-lifted")) return;
  shared_.disk_full.store(full, std::memory_order_release);
  host_.log.log(io::Level::kWarning, full ? "the disk is full: read-only until there is room" : "there is room again: taking writes");
}

void EngineImpl::fail_on_core_0(Error error) {
  if (failure_) return;
  host_.log.log(io::Level::kError, "stopping for good: " + error.text());
  failure_ = std::move(error);
  checkpointer_->stop();
  failure_changed_.notify_all();
}

// ---- The way in ----

io::Task<Result<std::unique_ptr<Engine>>> Engine::open(io::Host& host, EngineOptions options) {
  HF_CO_TRY(directory, co_await open_directory(host, options));
  auto engine = std::make_unique<EngineImpl>(host, std::move(options), std::move(directory));
  HF_CO_CHECK_OK(co_await engine->recover());
  engine->start();
  co_return engine;
}

}  // namespace holdfast::core
