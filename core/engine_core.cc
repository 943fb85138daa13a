#include "core/engine_core.h"

#include "io/base/probe.h"

namespace holdfast::core {

EngineCore::EngineCore(EngineShared& shared, CoreId core)
    : shared_(shared),
      core_(core),
      overlay_(IdHasher(shared.settings.cluster_id)),
      sessions_(session_limits(shared.options.max_sessions, shared.options.session_bytes, shared.settings.shard_count), shared.settings.shard_count) {}

EngineCore::Slot& EngineCore::slot(DatabaseId database, ShardId shard) {
  HF_ASSERT(shared_.core_of(shard) == core_, "a shard is used on its own core");
  auto& slots = slots_[database];
  size_t i = shard.value / shared_.cores.size();
  if (slots.size() <= i) slots.resize(i + 1);
  if (!slots[i]) {
    adopt_shard({database, shard, Generation(1), 0, Ordinal(0), Lsn(0)});
    return *slots_[database][i];
  }
  return *slots[i];
}

std::vector<EngineCore::Slot*> EngineCore::slots_of(DatabaseId database) {
  std::vector<Slot*> out;
  auto at = slots_.find(database);
  if (at != slots_.end())
    for (auto& s : at->second)
      if (s) out.push_back(s.get());
  return out;
}

void EngineCore::adopt_shard(const ShardCheckpoint& checkpoint) {
  auto& slots = slots_[checkpoint.database];
  size_t i = checkpoint.shard.value / shared_.cores.size();
  if (slots.size() <= i) slots.resize(i + 1);
  HF_ASSERT(!slots[i], "a shard is made known once");
  const EngineOptions& o = shared_.options;
  ShardOptions options{.directory = o.data_path + "/db/" + catalog_.database_name(checkpoint.database),
                       .cluster_id = shared_.settings.cluster_id,
                       .index_tail_min = o.index_tail_min,
                       .scan_chunk_bytes = o.scan_chunk_bytes,
                       .id_hash_bits = o.id_hash_bits};
  slots[i].reset(new Slot{Shard::make(shared_.host, std::move(options), checkpoint), io::Semaphore(o.requests_per_shard), checkpoint});
}

// ---- Deliveries and applying ----

void EngineCore::deliver(std::shared_ptr<const CommitBatch> batch) { deliveries_.push({std::move(batch), {}}); }
void EngineCore::deliver(io::Message marker) { deliveries_.push({nullptr, std::move(marker)}); }

io::Task<void> EngineCore::run() {
  while (std::optional<Delivery> d = co_await deliveries_.pop()) {
    if (!d->batch) {
      d->marker();
      continue;
    }
    applying_ = d->batch->through;
    for (const EntryRef& entry : d->batch->entries) {
      // Whatever reads records from the disk to apply an entry lets others run in the midst of a batch.
      if (MAY_MISBEHAVE("apply-pauses-in-a-batch")) co_await io::sleep_for(milliseconds(5));
      Result<> done = co_await apply_entry(*entry);
      if (!done) {
        // What is committed must be applied; there is no going on without it.
        shared_.fail(core_, std::move(done.error()));
        co_return;
      }
    }
    applied_ = d->batch->through;
    note_progress();
    applied_changed_.notify_all();
    for (const EntryRef& entry : d->batch->entries) {
      const auto& submission = static_cast<const Submission&>(*entry);
      if (submission.origin == core_) submission.applied.set();
    }
  }
}

std::optional<int> EngineCore::try_apply(Lsn lsn, const Effect& effect) {
  Shard& shard = *slot(effect.database, effect.shard).shard;
  shard.set_horizon(horizon());
  return shard.try_apply(lsn, effect);
}

io::Task<Result<>> EngineCore::apply_effect(Lsn lsn, const Effect& effect) {
  if (effect.kind == EffectKind::kCatalog) co_return apply_catalog(lsn, effect);
  if (!mine(effect)) co_return Result<>();
  if (effect.kind == EffectKind::kSession) co_return sessions_.apply(lsn, effect.body);
  std::optional<int> change = try_apply(lsn, effect);
  if (!change) {
    Shard& shard = *slot(effect.database, effect.shard).shard;
    HF_CO_TRY(slow, co_await shard.apply(lsn, effect));
    change = slow;
  }
  add_to_count(effect.collection, *change);
  co_return Result<>();
}

io::Task<Result<>> EngineCore::replay_effect(Lsn lsn, const Effect& effect) {
  if (!is_of_document(effect) || !mine(effect)) co_return co_await apply_effect(lsn, effect);
  quarantine_.superseded(effect.collection, effect.key);
  Slot& s = slot(effect.database, effect.shard);
  if (s.damage) co_return Result<>();
  Result<> done = co_await apply_effect(lsn, effect);
  if (done || done.error().code != Code::kCorrupt) co_return done;
  SOMETIMES(true, "replay-met-a-damaged-shard");
  s.damage = done.error();
  if (!shared_.damage) shared_.damage = done.error();
  co_return Result<>();
}

Result<> EngineCore::intact(const Slot& slot, CollectionId collection, Bytes key) const {
  if (slot.damage) return std::unexpected(*slot.damage);
  return quarantine_.check(collection, key);
}

Result<> EngineCore::intact(CollectionRef c) {
  HF_CHECK_OK(quarantine_.check(c.collection));
  if (shared_.damage)
    for (const Slot* s : slots_of(c.database))
      if (s->damage) return std::unexpected(*s->damage);
  return {};
}

io::Task<Result<>> EngineCore::apply_entry(const Entry& entry) {
  EffectReader effects(entry.effects);
  uint32_t done = 0;
  while (std::optional<Effect> effect = effects.next()) {
    if (rest_is_due(done)) co_await io::yield();
    if (is_of_document(*effect)) {
      if (!mine(*effect)) continue;
      if (std::optional<int> change = try_apply(entry.lsn, *effect)) {
        add_to_count(effect->collection, *change);
        overlay_.applied(effect->collection, effect->key, entry);
        continue;
      }
    }
    HF_CO_CHECK_OK(co_await apply_effect(entry.lsn, *effect));
    if (is_of_document(*effect)) overlay_.applied(effect->collection, effect->key, entry);
  }
  HF_ASSERT(effects.ok(), "entries are made by add() and checked when read from disk");
  co_return Result<>();
}

Result<> EngineCore::apply_catalog(Lsn lsn, const Effect& effect) {
  HF_TRY(change, decode_catalog_change(effect.body));
  HF_CHECK_OK(catalog_.apply(change));
  shared_catalog_.reset();
  if (change.kind != CatalogChange::Kind::kDropCollection) return {};
  counts_.erase(change.collection);
  quarantine_.drop(change.collection);
  for (Slot* s : slots_of(change.database)) s->shard->drop_collection(lsn, change.collection);
  auto gate = gates_.find(change.collection);
  if (gate != gates_.end()) {
    gate->second.changed.notify_all();
    gates_.erase(gate);
  }
  return {};
}

std::shared_ptr<const Catalog> EngineCore::shared_catalog() {
  if (!shared_catalog_) shared_catalog_ = std::make_shared<const Catalog>(catalog_);
  return shared_catalog_;
}

io::Task<void> EngineCore::applied_through(Lsn lsn) {
  SOMETIMES(applied_ < lsn, "read-waits-for-apply");
  if (MUTANT("read-before-applied")) co_return;
  while (applied_ < lsn) co_await applied_changed_.wait();
}

int64_t EngineCore::count(CollectionId collection) const {
  auto c = counts_.find(collection);
  return c == counts_.end() ? 0 : c->second;
}

uint64_t EngineCore::tail_bytes() const {
  uint64_t sum = 0;
  for (const auto& [database, slots] : slots_)
    for (const auto& s : slots)
      if (s) sum += s->shard->tail_bytes();
  return sum;
}

void EngineCore::note_progress() {
  Time now = shared_.host.clock.now();
  if (progress_.empty() || now - progress_.back().first >= seconds(1)) progress_.emplace_back(now, applied_);
  // The oldest sample kept is the newest that is older than the window.
  while (progress_.size() > 1 && now - progress_[1].first > shared_.options.repeat_window) progress_.pop_front();
}

// ---- Admission to a collection ----

io::Task<bool> EngineCore::enter(CollectionRef c, Lsn after) {
  if (applied_ < after) co_await applied_through(after);
  while (catalog_.has(c.collection)) {
    Gate& gate = gates_[c.collection];
    if (!gate.closing) {
      ++gate.evaluating;
      co_return true;
    }
    SOMETIMES(true, "write-waits-at-closed-gate");
    co_await gate.changed.wait();
  }
  co_return false;
}

void EngineCore::leave(CollectionRef c) {
  auto gate = gates_.find(c.collection);
  HF_ASSERT(gate != gates_.end() && gate->second.evaluating > 0, "a gate stays while somebody is inside");
  if (--gate->second.evaluating == 0 && gate->second.closing) gate->second.changed.notify_all();
}

io::Task<bool> EngineCore::close_gate(CollectionId collection) {
  Gate& gate = gates_[collection];
  gate.closing = true;
  while (gate.evaluating > 0) {
    SOMETIMES(true, "drop-waits-for-writers");
    co_await gate.changed.wait();
  }
  co_return true;
}

// ---- Checkpoints ----

io::Task<Result<EngineCore::FlushedShards>> EngineCore::flush_shards(Lsn cut) {
  FlushedShards out;
  std::vector<Slot*> slots;
  for (auto& [database, of_database] : slots_)
    for (auto& s : of_database)
      if (s) slots.push_back(s.get());
  // The order of the map is not to be seen.
  std::sort(slots.begin(), slots.end(), [](const Slot* a, const Slot* b) {
    return std::pair(a->checkpoint.database, a->checkpoint.shard) < std::pair(b->checkpoint.database, b->checkpoint.shard);
  });
  for (Slot* s : slots) {
    ShardCheckpoint checkpoint = s->checkpoint;
    if (s->shard->dirty()) {
      HF_CO_TRY(flushed, co_await s->shard->flush(cut));
      checkpoint = flushed.checkpoint;
      if (flushed.created && (out.directories.empty() || out.directories.back() != checkpoint.database))
        out.directories.push_back(checkpoint.database);
    }
    if (checkpoint.db_length > 0) out.shards.push_back(checkpoint);
  }
  co_return out;
}

io::Task<Result<bool>> EngineCore::shards_flushed(std::vector<ShardCheckpoint> checkpoints) {
  for (const ShardCheckpoint& c : checkpoints) {
    Slot& s = slot(c.database, c.shard);
    if (s.checkpoint == c) continue;
    s.checkpoint = c;
    HF_CO_CHECK_OK(co_await s.shard->flushed(c));
  }
  co_return true;
}

}  // namespace holdfast::core
