// The suites of damaged media: a small directory at rest (small_directory.h), and one thing at a time that is wrong
// with the disk.
//
// `bit-flips`: a seed makes a directory (every other two end by a kill after the seal instead of a clean shutdown; two
// shards, small segments, at most 64 KiB of bytes that are not zeros; the same one for kFlipSeedsPerDirectory seeds in
// a row) and flips, one after the other, a random bit of every byte whose number is its own modulo that many. So that
// many seeds flip one bit of every byte. Each flip is judged by itself (media_exam.h).
//
// `bad-sectors`: a seed makes a directory of its own, and to every sector of it that holds something happens, one after
// the other, all that a drive does to sectors: a write was lost (zeros), went elsewhere (another sector's content), an
// old block comes back, the sector cannot be read any more. Judged alike.
#pragma once

#include "chaos/suite/small_directory.h"
#include "chaos/suite/suite.h"

namespace holdfast::chaos {

inline constexpr uint64_t kFlipSeedsPerDirectory = 64;

SeedResult run_bit_flips(const SeedOptions& options);
SeedResult run_bad_sectors(const SeedOptions& options);

/// Of the directory of that number.
SmallShape flip_shape(uint64_t number);

}  // namespace holdfast::chaos
