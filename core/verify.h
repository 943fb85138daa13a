// Verification of a data directory while no server runs: every checksum, chain and place, every index entry against its record, every live set and
// count against the truth. Changes nothing.
//
// Place in the system: `holdfastd verify` and the suites call it; it shares the formats' code with the engine, and none of its decisions.
//
// What counts as damage: bytes that were durable and are not what they were, or contradict each other. What a crash may leave (a torn end of the log, an index
// file that was never synced, an unfinished segment) is a note: opening deals with it, and nothing is lost.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/manifest.h"

namespace holdfast::core {

struct VerifyOptions {
  std::string data_path;
  int id_hash_bits = 64;  ///< as in EngineOptions
  /// Told the name of each file before it is read; may be empty.
  std::function<void(const std::string& path)> reading;
};

struct VerifyReport {
  /// One sentence for each thing that is damaged: file, offset, LSN, document as far as they are known. The first kListedMax; `damaged` counts all.
  std::vector<std::string> damage;
  std::vector<std::string> notes;
  uint64_t damaged = 0;
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t entries = 0;  ///< of the log, from the older checkpoint on
  uint64_t records = 0;
  uint64_t documents = 0;

  static constexpr size_t kListedMax = 1000;
  bool sound() const { return damaged == 0; }
  void add_damage(std::string sentence);
};

/// Errors: kLocked (a server runs there), kNotFound (nothing there), kUnsupported (a newer or older format), kIo, kCorrupt (HOLDFAST is damaged
/// so that nothing else can be judged).
io::Task<Result<VerifyReport>> verify_directory(io::Host& host, VerifyOptions options);

// ---- Parts, each for one kind of file.

/// The newest sound record of an id.
struct SoundRecord {
  Lsn lsn;
  uint64_t offset = 0;
  uint64_t size = 0;
  bool tombstone = false;
};

struct ShardTruth {
  std::map<CollectionId, uint64_t> documents;  ///< how many each collection has, going by the heads of the records
  std::vector<SoundRecord> sound;              ///< by offset
};

/// Reads the records of one shard as `checkpoint` counts them, and its index files.
io::Task<Result<ShardTruth>> verify_shard(io::Host& host, const VerifyOptions& options, std::string directory, uint64_t cluster_id,
                                          ShardCheckpoint checkpoint, VerifyReport& report);

}  // namespace holdfast::core
