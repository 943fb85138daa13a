// The suites of damaged media: a small directory at rest, and one thing at a time that is wrong with the disk.
//
// `bit-flips`: a seed makes a directory (every other two end by a kill after the seal instead of a clean shutdown; two shards, small segments, at most 64 KiB of bytes that are not zeros; the same one for kFlipSeedsPerDirectory seeds in a row) and
// flips, one after the other, a random bit of every byte whose number is its own modulo that many. So that many seeds flip one bit of every byte. Each
// flip is judged by itself: the engine opens and everything is read. What it tells is what was written, or `corrupt`; or it refuses, naming the
// damage. Verification finds whatever the engine complains of; and after a repair everything is served again, but for what the repair said it gave up.
//
// `bad-sectors`: a seed makes a directory of its own, and to every sector of it that holds something happens, one after the other, all that a drive does to sectors: a write
// was lost (zeros), went elsewhere (another sector's content), an old block comes back, the sector cannot be read any more. Judged alike.
#pragma once

#include <memory>

#include "chaos/suite/suite.h"
#include "sim/disk_model.h"

namespace holdfast::chaos {

inline constexpr uint64_t kFlipSeedsPerDirectory = 64;

SeedResult run_bit_flips(const SeedOptions& options);
SeedResult run_bad_sectors(const SeedOptions& options);

/// What a directory of this suite holds.
struct FlipTruth {
  std::map<std::string, Buffer> documents;  ///< by id
  std::vector<std::string> absent;          ///< ids that were deleted
};
inline constexpr const char* kFlipDatabase = "db";
inline constexpr const char* kFlipCollection = "things";

/// The disk of seed `number` of directories, and what is on it under /data.
struct FlipDirectory {
  std::unique_ptr<sim::DiskModel> disk;
  std::unique_ptr<sim::DiskModel> before;  ///< one life earlier
  FlipTruth truth;
};
FlipDirectory make_flip_directory(uint64_t number, const std::vector<std::string>& mutants);

}  // namespace holdfast::chaos
