// A small data directory at rest, and how it comes to be: a few lives of an engine by itself, on a disk of its own.
//
// Place in the system: the suites of damaged media spoil such directories (flips.h, wrong_disks.h), real-flips as
// files.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/engine.h"
#include "sim/disk_model.h"
#include "sim/world.h"

namespace holdfast::chaos {

inline constexpr const char* kSmallData = "/data";
inline constexpr const char* kSmallDatabase = "db";
inline constexpr const char* kSmallCollection = "things";

/// What a directory holds.
struct SmallTruth {
  std::map<std::string, Buffer> documents;  ///< by id
  std::vector<std::string> absent;          ///< ids that were deleted
  uint64_t values_after = 0;                ///< each write has a value of its own, above this
  uint64_t last_value = 0;
};

/// How one comes to be. The same number makes the same directory.
struct SmallShape {
  uint64_t number = 0;
  uint64_t twin = 0;  ///< others are of another cluster and hold other documents under the same ids, by the same draws
  uint64_t shards = 2;
  uint64_t segment_blocks = 2;
  uint64_t checkpoint_bytes = uint64_t{64} << 20;
  int lives = 3;
  bool killed = false;  ///< the last life is, once it has sealed its log: that still holds something then
  bool rests = false;   ///< in the midst of its last life it does, long enough for the log to be sealed

  core::EngineOptions options() const;
};

struct SmallDirectory {
  std::unique_ptr<sim::DiskModel> disk;
  SmallTruth truth;
  /// As it was when earlier lives had ended, and at the rest; oldest first.
  std::vector<std::unique_ptr<sim::DiskModel>> earlier;
};
SmallDirectory make_small_directory(const SmallShape& shape, const std::vector<std::string>& mutants);

/// One life of a process on a disk of its own.
class Life {
 public:
  Life(std::unique_ptr<sim::DiskModel> disk, uint64_t seed, const std::vector<std::string>& mutants);

  /// False: it neither ended nor can go on.
  bool run(const sim::Main& main) { return run(main, std::nullopt); }
  /// Cut off there, unless it ends before.
  bool run(const sim::Main& main, std::optional<sim::CrashPlan> crash);

  sim::World& world() { return world_; }
  sim::Node& node() { return node_; }
  uint64_t hash() const { return hash_; }

 private:
  sim::World world_;
  sim::Node& node_;
  uint64_t hash_ = 0;
};

/// A string as an `_id` is given to the engine.
Buffer string_id(std::string_view s);

}  // namespace holdfast::chaos
