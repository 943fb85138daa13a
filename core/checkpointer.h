// Checkpointer: decides when a checkpoint is due, and takes it in the one safe order.
//
// Place in the system: a task of core 0. The order, each step durable before the next: (1) the journal through the cut, (2) the shards' files and the
// directories that name them, (3) the MANIFEST; then (4) segments and MANIFESTs go that the *older* of the last two no longer needs.
//
// Crash behaviour: before (3) is durable the checkpoint never happened, and what it appended to the data files is overwritten by the next; after it,
// recovery starts from it.
#pragma once

#include "core/engine_core.h"

namespace holdfast::core {

class Checkpointer {
 public:
  Checkpointer(EngineShared& shared, Manifest newest, Manifest previous, uint64_t highest_number);

  /// Takes checkpoints when due, until stop(). Ends the engine when one fails for another reason than a full disk.
  io::Task<void> run();
  /// Called after commits: wakes the task when enough journal has gathered, and sets how much writers are slowed.
  void consider();
  /// No checkpoint begins after this; one that is under way ends first.
  void stop();
  /// One checkpoint now, through everything committed. Not while run() may take one. None while a shard is damaged (EngineShared::damage): the log
  /// must keep what could not be applied.
  io::Task<Result<>> checkpoint();

  Lsn newest_lsn() const { return newest_.position.lsn; }
  uint64_t taken() const { return taken_; }
  uint64_t journal_bytes() const { return shared_.journal->bytes_since(newest_.position); }

 private:
  io::Task<Result<Manifest>> cut();
  io::Task<Result<std::vector<ShardCheckpoint>>> flush(Lsn cut);
  io::Task<Result<>> make_directories(const Manifest& manifest);

  EngineShared& shared_;
  Manifest newest_;
  Manifest previous_;
  uint64_t next_number_;
  std::set<DatabaseId> made_directories_;
  bool stopping_ = false;
  uint64_t taken_ = 0;
  io::WaitList wake_;
};

}  // namespace holdfast::core
