#include "tests/sim/shard_run.h"

#include <fmt/format.h>

#include "io/base/probe.h"

namespace holdfast::sim {

using core::EffectKind;

/// What dies with the process.
struct ShardRun::Life {
  Life(io::Host& h, io::Executor& e) : host(h), group(e) {}
  io::Host& host;
  std::unique_ptr<core::Shard> shard;
  io::TaskGroup group;
  Lsn applied;  ///< whole entries
  Lsn made_with;
  Lsn first;  ///< nothing older was ever served by this process
  Lsn horizon;
  std::multiset<Lsn> snapshots;
  bool writing = true;
  std::optional<Error> error;
};

ShardRun::ShardRun(ShardRunOptions options)
    : options_(std::move(options)),
      world_({.seed = options_.seed, .plan = options_.plan, .mutants = options_.mutants}),
      node_(world_.add_node("server")),
      rng_(options_.seed, "shard-run"),
      at_rng_(options_.seed, "shard-run-at") {
  constexpr int kBits[] = {1, 3, 5, 64};
  constexpr uint32_t kTails[] = {1, 4, 20, 100000};
  constexpr uint64_t kChunks[] = {1, 3000, 20000, 256 << 10};
  shard_options_.directory = "db";
  shard_options_.cluster_id = 0x1234;
  shard_options_.id_hash_bits = kBits[rng_.below(4)];
  shard_options_.index_tail_min = kTails[rng_.below(4)];
  shard_options_.scan_chunk_bytes = kChunks[rng_.below(4)];
  newest_ = {DatabaseId(1), ShardId(7), Generation(1), 0, Ordinal(0), Lsn(0)};
  previous_ = newest_;
  if (auto directory = node_.disk().create("db", true); !directory) wrong("no directory");
  node_.disk().sync(*node_.disk().find(""), node_.disk().mark(), {});
}

void ShardRun::wrong(std::string what) {
  if (failure_.empty()) failure_ = fmt::format("seed {}, life {}: {}", options_.seed, lives_, what);
  world_.stop();
}

std::string ShardRun::run() {
  node_.end_hangs(seconds(1), End::kPowerLoss);
  node_.on_end = [this](End how, int) { next_life(how); };
  next_life(End::kExit);
  World::Stop why = world_.run({.until = seconds(3600), .events = 20'000'000});
  if (failure_.empty() && why != World::Stop::kAsked) wrong("it did not come to an end");
  return failure_;
}

void ShardRun::next_life(End how) {
  if (!failure_.empty() || lives_ == options_.lives) return world_.stop();
  ++lives_;
  // Entries that were not durable may be lost, as a suffix; others take their LSNs then.
  if (how != End::kExit && rng_.chance(1, 2)) {
    Lsn kept(rng_.between(durable_.value, std::max(durable_.value, last().value)));
    while (last() > kept) log_.pop_back();
  }
  // The newest MANIFEST may be lost to damage; the log reaches back to the one before.
  if (rng_.chance(1, 5)) newest_ = previous_;
  node_.cancel_crash();
  // Sometimes the disk is small; what is there already stays.
  node_.disk().set_quota(rng_.chance(1, 5) ? 64 << 10 : 1 << 30);
  if (lives_ < options_.lives && rng_.chance(3, 4)) {
    constexpr Moment kMoments[] = {Moment::kBefore, Moment::kAfter, Moment::kMiddle};
    node_.crash_at({.operation = 1 + rng_.below(120),
                    .kind = IoKind::kDisk,
                    .moment = kMoments[rng_.below(3)],
                    .how = rng_.chance(1, 2) ? End::kPowerLoss : End::kProcessDeath});
  }
  node_.start([this](io::Host& host) { return live(host); }, {.cores = 1});
}

// ---- One life ----

io::Task<int> ShardRun::live(io::Host& host) {
  Life life(host, co_await io::this_executor());
  Result<> lived = co_await live_through(life);
  if (lived) co_return 0;
  // Faults of the disk end a process; damage there is none.
  if (lived.error().code != Code::kIo) wrong("unexpected error: " + lived.error().text());
  co_return 4;
}

io::Task<Result<>> ShardRun::live_through(Life& life) {
  life.made_with = newest_.lsn;
  life.shard = core::Shard::make(life.host, shard_options_, newest_);
  HF_CO_CHECK_OK(co_await replay(life));
  life.group.spawn(worker(life, write(life)));
  life.group.spawn(worker(life, read(life)));
  life.group.spawn(worker(life, scan(life)));
  life.group.spawn(worker(life, scan(life)));
  life.group.spawn(worker(life, flush(life)));
  co_await life.group.drained();
  if (life.error) co_return std::unexpected(*life.error);
  co_return co_await check_all(life);
}

io::Task<void> ShardRun::worker(Life& life, io::Task<Result<>> task) {
  Result<> done = co_await std::move(task);
  if (done) co_return;
  life.writing = false;
  if (!life.error) life.error = done.error();
}

io::Task<Result<>> ShardRun::replay(Life& life) {
  // From the MANIFEST's position; that may lie before what this shard has in its file.
  Lsn from = rng_.chance(1, 3) ? Lsn(rng_.below(newest_.lsn.value + 1)) : newest_.lsn;
  for (size_t i = 0; i < log_.size(); ++i)
    if (log_[i].lsn > from) HF_CO_CHECK_OK(co_await apply(life, log_[i]));
  life.applied = life.first = std::max(last(), newest_.lsn);
  // Recovery made the log durable before it was replayed.
  durable_ = life.applied;
  co_return Result<>();
}

io::Task<Result<>> ShardRun::apply(Life& life, const Op& op) {
  if (op.kind == EffectKind::kCatalog) {
    life.shard->drop_collection(op.lsn, op.collection);
    co_return Result<>();
  }
  core::Effect effect{op.kind, DatabaseId(1), ShardId(7), op.collection, op.key, op.body};
  std::optional<int> change = life.shard->try_apply(op.lsn, effect);
  if (!change) {
    HF_CO_TRY(slow, co_await life.shard->apply(op.lsn, effect));
    change = slow;
  }
  int wanted = int{op.kind == EffectKind::kPut} - int{was_document(op)};
  // What the file has already changes nothing.
  if (op.lsn <= life.made_with) wanted = 0;
  if (*change != wanted) wrong(fmt::format("LSN {}: the count changed by {}, not {}", op.lsn.value, *change, wanted));
  co_return Result<>();
}

/// Whether the effect before `op` on the same id left a document.
bool ShardRun::was_document(const Op& op) const {
  bool was = false;
  for (const Op& earlier : log_) {
    if (&earlier == &op) break;
    if (earlier.collection == op.collection && earlier.key == op.key) was = earlier.kind == EffectKind::kPut;
  }
  return was;
}

void ShardRun::make_entry() {
  Lsn lsn = std::max(last(), newest_.lsn).next();
  if (rng_.chance(1, 25)) {
    size_t i = rng_.below(collections_.size());
    log_.push_back({lsn, EffectKind::kCatalog, collections_[i], {}, {}});
    collections_[i] = CollectionId(next_collection_++);
    return;
  }
  for (uint64_t n = rng_.chance(1, 4) ? 1 + rng_.below(5) : 1; n > 0; --n) {
    CollectionId c = collections_[rng_.below(collections_.size())];
    std::string key = fmt::format("id-{}", rng_.below(14));
    if (rng_.chance(1, 3)) {
      log_.push_back({lsn, EffectKind::kDelete, c, key, {}});
    } else {
      size_t size = rng_.chance(1, 8) ? rng_.below(9000) : rng_.below(120);
      log_.push_back({lsn, EffectKind::kPut, c, key, fmt::format("{}/{}/{}", lsn.value, n, std::string(size, 'x'))});
    }
  }
}

io::Task<Result<>> ShardRun::write(Life& life) {
  for (int i = 0; i < options_.entries && life.writing; ++i) {
    size_t begin = log_.size();
    make_entry();
    size_t end = log_.size();
    for (size_t k = begin; k < end; ++k) HF_CO_CHECK_OK(co_await apply(life, log_[k]));
    life.applied = last();
    Lsn oldest = life.snapshots.empty() ? life.applied : *life.snapshots.begin();
    if (rng_.chance(1, 2)) {
      life.horizon = std::max(life.horizon, Lsn(rng_.between(std::min(life.horizon, oldest).value, oldest.value)));
      life.shard->set_horizon(life.horizon);
    }
    if (rng_.chance(1, 3)) co_await io::sleep_for(microseconds(static_cast<int64_t>(rng_.below(300))));
  }
  life.writing = false;
  co_return Result<>();
}

io::Task<Result<>> ShardRun::read(Life& life) {
  do {
    HF_CO_CHECK_OK(
        co_await find_one(life, collections_[rng_.below(collections_.size())], fmt::format("id-{}", rng_.below(15))));
    co_await io::sleep_for(microseconds(static_cast<int64_t>(rng_.below(100))));
  } while (life.writing);
  co_return Result<>();
}

io::Task<Result<>> ShardRun::scan(Life& life) {
  do {
    Lsn low = std::max(life.first, life.horizon);
    CollectionId c(1 + static_cast<uint32_t>(rng_.below(next_collection_)));
    // Nobody asks for what the catalog had dropped before this life.
    bool gone = std::any_of(log_.begin(), log_.end(), [&](const Op& op) {
      return op.kind == EffectKind::kCatalog && op.collection == c && op.lsn <= life.first;
    });
    if (low <= life.applied && !gone) {
      Lsn snapshot(rng_.between(low.value, life.applied.value));
      HF_CO_CHECK_OK(co_await scan_one(life, c, snapshot));
      // Not in every run: what is read besides leaves fewer moments at which a crash would matter.
      if (options_.seed % 4 == 0)
        HF_CO_CHECK_OK(co_await find_one_at(life, c, fmt::format("id-{}", at_rng_.below(15)), std::max(snapshot, life.horizon)));
    }
    co_await io::sleep_for(microseconds(static_cast<int64_t>(rng_.below(200))));
  } while (life.writing);
  co_return Result<>();
}

io::Task<Result<>> ShardRun::flush(Life& life) {
  do {
    co_await io::sleep_for(microseconds(static_cast<int64_t>(rng_.below(2000))));
    if (!life.shard->dirty()) continue;
    Lsn cut(rng_.between(std::min(newest_.lsn, life.applied).value, life.applied.value));
    durable_ = std::max(durable_, cut);
    Result<core::Shard::Flushed> flushed = co_await life.shard->flush(cut);
    SOMETIMES(!flushed && flushed.error().code == Code::kDiskFull, "shard-flush-met-full-disk");
    if (!flushed && flushed.error().code == Code::kDiskFull) continue;
    if (!flushed) co_return fail(std::move(flushed));
    if (flushed->created) HF_CO_CHECK_OK(co_await life.host.disk.sync_dir("db"));
    if (rng_.chance(1, 5)) continue;  // its MANIFEST was not written
    previous_ = std::exchange(newest_, flushed->checkpoint);
    HF_CO_CHECK_OK(co_await life.shard->flushed(flushed->checkpoint));
  } while (life.writing);
  co_return Result<>();
}

// ---- Checks ----

std::map<std::string, const ShardRun::Op*> ShardRun::at(CollectionId collection, Lsn snapshot) const {
  std::map<std::string, const Op*> out;
  for (const Op& op : log_) {
    if (op.lsn > snapshot) break;
    if (op.collection != collection) continue;
    switch (op.kind) {
      case EffectKind::kPut:
        out[op.key] = &op;
        break;
      case EffectKind::kDelete:
        out.erase(op.key);
        break;
      case EffectKind::kSession:
        break;
      case EffectKind::kCatalog:
        out.clear();
        break;
    }
  }
  return out;
}

io::Task<Result<>> ShardRun::find_one(Life& life, CollectionId collection, std::string key) {
  Lsn from = life.applied;
  std::optional<std::string> found;
  if (auto answer = life.shard->try_find(collection, key)) {
    if (answer->exists) found = answer->body;
  } else {
    HF_CO_TRY(document, co_await life.shard->find(collection, key));
    if (document) found = document->body;
  }
  // Any state between the call and the answer will do. The log may hold an entry that is not applied in full.
  for (Lsn s = from;; ++s) {
    auto documents = at(collection, s);
    auto it = documents.find(key);
    bool dropped = std::any_of(log_.begin(), log_.end(), [&](const Op& op) {
      return op.kind == EffectKind::kCatalog && op.collection == collection;
    });
    if (dropped || (it == documents.end() ? !found : found == it->second->body)) co_return Result<>();
    // Within an entry, the version that a later effect of the same entry replaced.
    for (const Op& op : log_)
      if (op.lsn == s && s > from && op.collection == collection && op.key == key &&
          (op.kind == EffectKind::kPut ? found == op.body : !found))
        co_return Result<>();
    if (s >= last()) break;
  }
  wrong(fmt::format("find {} in {}, LSN {} to {}: got {}", key, collection.value, from.value, last().value,
                    found ? found->substr(0, 20) : "nothing"));
  co_return Result<>();
}

io::Task<Result<>> ShardRun::scan_one(Life& life, CollectionId collection, Lsn snapshot) {
  auto pin = life.snapshots.insert(snapshot);
  std::map<std::string, const Op*> wanted = at(collection, snapshot);
  std::multiset<std::string> bodies, found;
  for (const auto& [key, op] : wanted) bodies.insert(op->body);
  HF_CO_TRY(scan, co_await life.shard->scan(collection, snapshot));
  std::optional<Ordinal> newest;
  while (true) {
    HF_CO_TRY(documents, co_await scan->next(1 + rng_.below(5000)));
    if (documents.empty()) break;
    for (const core::Document& d : documents) {
      if (newest && d.ordinal <= *newest) wrong("a scan went back");
      newest = d.ordinal;
      found.insert(d.body);
    }
    if (rng_.chance(1, 3)) co_await io::sleep_for(microseconds(static_cast<int64_t>(rng_.below(300))));
  }
  if (found != bodies) {
    std::string text = fmt::format("scan of {} at LSN {} (first {}, applied {}):", collection.value, snapshot.value,
                                   life.first.value, life.applied.value);
    for (const std::string& b : bodies)
      if (!found.contains(b)) text += " missing " + b.substr(0, 20);
    for (const std::string& b : found)
      if (!bodies.contains(b)) text += " too many " + b.substr(0, 20);
    wrong(text);
  }
  scan.reset();
  life.snapshots.erase(pin);
  co_return Result<>();
}

/// A document as a snapshot sees it, and whether it has changed since: exact, while others write.
io::Task<Result<>> ShardRun::find_one_at(Life& life, CollectionId collection, std::string key, Lsn snapshot) {
  bool dropped = std::any_of(log_.begin(), log_.end(), [&](const Op& op) {
    return op.kind == EffectKind::kCatalog && op.collection == collection && op.lsn <= snapshot;
  });
  if (dropped) co_return Result<>();
  auto pin = life.snapshots.insert(snapshot);
  std::map<std::string, const Op*> wanted = at(collection, snapshot);
  auto it = wanted.find(key);
  std::optional<std::string> body;
  if (it != wanted.end()) body = it->second->body;
  auto changes_through = [&](Lsn last) {
    return std::any_of(log_.begin(), log_.end(), [&](const Op& op) {
      return op.kind != EffectKind::kCatalog && op.collection == collection && op.key == key && op.lsn > snapshot && op.lsn <= last;
    });
  };
  bool surely = changes_through(life.applied);
  HF_CO_TRY(changed, co_await life.shard->changed_since(collection, key, snapshot));
  if (changed ? !changes_through(last()) : surely)
    wrong(fmt::format("{} in {} has {}changed since LSN {}", key, collection.value, changed ? "" : "not ", snapshot.value));
  HF_CO_TRY(found, co_await life.shard->find_at(collection, key, snapshot));
  if (found ? found->body != body : body.has_value())
    wrong(fmt::format("find {} in {} at LSN {}: got {}, wanted {}", key, collection.value, snapshot.value,
                      found ? found->body.substr(0, 20) : "nothing", body ? body->substr(0, 20) : "nothing"));
  life.snapshots.erase(pin);
  co_return Result<>();
}

io::Task<Result<>> ShardRun::check_all(Life& life) {
  for (CollectionId c : collections_) {
    HF_CO_CHECK_OK(co_await scan_one(life, c, life.applied));
    for (int i = 0; i < 15; ++i) HF_CO_CHECK_OK(co_await find_one(life, c, fmt::format("id-{}", i)));
  }
  co_return Result<>();
}

}  // namespace holdfast::sim
