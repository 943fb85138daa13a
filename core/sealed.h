// Sealed blocks: the first 16 bytes that every file of ours starts with, and the checksum over the rest.
//
//     0         8       12      16
//     | magic   | version| crc  | ...
//
// `crc` is CRC32C over everything sealed but itself. Magic, version and crc keep their places and meaning in every
// version, so that an older program can tell "newer" from "damaged". Pure.
#pragma once

#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::core {

inline constexpr size_t kSealBytes = 16;
inline constexpr uint64_t kBlockBytes = 4096;

constexpr uint64_t round_up(uint64_t n, uint64_t unit) { return (n + unit - 1) / unit * unit; }

/// The eight letters of a magic as stored.
consteval uint64_t magic(const char (&letters)[9]) {
  uint64_t v = 0;
  for (int i = 7; i >= 0; --i) v = v << 8 | static_cast<unsigned char>(letters[i]);
  return v;
}

/// Fills in the first 16 bytes of `block`. Requires block.size() >= 16.
void seal(MutableBytes block, uint64_t magic, uint32_t version);

/// The versions of a kind of file that this program reads; it writes the newest.
struct Versions {
  uint32_t oldest = 1;
  uint32_t newest = 1;
};

/// Checks a sealed block and its version. Errors, without naming the file: kCorrupt (too short, other magic, checksum),
/// kUnsupported (intact, but of a version outside `read`).
Result<> check_seal(Bytes block, uint64_t magic, Versions read);

/// The version of a block that check_seal() accepted.
inline uint32_t sealed_version(Bytes block) { return load_le<uint32_t>(block.data() + 8); }

}  // namespace holdfast::core
