// ShardRun: one shard alone on a simulated disk, with the rest of the engine played by the test: the log, the MANIFEST
// (as two remembered checkpoints), the durable LSN. Writers, readers, scans and flushes run side by side through
// crashes; every answer is compared with the log.
//
// A life replays the log from a checkpoint, works, and ends by itself, by a failed operation or by a crash; then what
// of the log lay above the durable LSN may be lost (async mode), and sometimes the newest MANIFEST is, too.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "core/shard.h"
#include "sim/world.h"

namespace holdfast::sim {

struct ShardRunOptions {
  uint64_t seed = 1;
  FaultPlan plan;
  std::vector<std::string> mutants;
  int lives = 6;
  int entries = 40;  ///< per life
};

class ShardRun {
 public:
  explicit ShardRun(ShardRunOptions options);

  /// Empty: every answer was right. Else what went wrong first.
  std::string run();
  World& world() { return world_; }

 private:
  struct Op {
    Lsn lsn;
    core::EffectKind kind;  ///< kCatalog: the collection is dropped
    CollectionId collection;
    std::string key;
    std::string body;
  };
  using Key = std::pair<uint32_t, std::string>;
  struct Life;

  io::Task<int> live(io::Host& host);
  io::Task<Result<>> live_through(Life& life);
  io::Task<Result<>> replay(Life& life);
  io::Task<Result<>> write(Life& life);
  io::Task<Result<>> read(Life& life);
  io::Task<Result<>> scan(Life& life);
  io::Task<Result<>> flush(Life& life);
  io::Task<Result<>> check_all(Life& life);
  io::Task<Result<>> find_one(Life& life, CollectionId collection, std::string key);
  io::Task<Result<>> find_one_at(Life& life, CollectionId collection, std::string key, Lsn snapshot);
  io::Task<Result<>> scan_one(Life& life, CollectionId collection, Lsn snapshot);
  io::Task<Result<>> apply(Life& life, const Op& op);
  io::Task<void> worker(Life& life, io::Task<Result<>> task);
  void make_entry();
  bool was_document(const Op& op) const;
  void next_life(End how);
  void wrong(std::string what);

  /// The documents of a collection at a snapshot, from the log alone.
  std::map<std::string, const Op*> at(CollectionId collection, Lsn snapshot) const;
  Lsn last() const { return log_.empty() ? Lsn(0) : log_.back().lsn; }

  ShardRunOptions options_;
  World world_;
  Node& node_;
  Rng rng_;
  Rng at_rng_;  ///< draws ids to look for at snapshots
  core::ShardOptions shard_options_;
  std::string failure_;
  int lives_ = 0;

  std::deque<Op> log_;
  Lsn durable_;
  core::ShardCheckpoint newest_, previous_;
  uint32_t next_collection_ = 3;
  std::vector<CollectionId> collections_{CollectionId(1), CollectionId(2)};
};

}  // namespace holdfast::sim
