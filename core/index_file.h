// Index files (.sidx): what a shard would otherwise have to learn by reading its whole .db file.
//
// A cache, nothing more: written whole, never synced, never changed, and believed only when every checksum fits, it
// covers no more than the MANIFEST's length, and catching up from it ends in the MANIFEST's digest. Pure: the shard
// does the reading and writing. The byte map is in FORMAT.md.
#pragma once

#include <optional>

#include "core/bitmap.h"
#include "core/primary_index.h"

namespace holdfast::core {

/// How far the records of a .db file are covered.
struct Coverage {
  uint64_t db_length = 0;
  Ordinal next_ordinal;
  Lsn lsn;
  uint64_t digest = 0;
  bool operator==(const Coverage&) const = default;
};

/// What an index file says, checked.
struct LoadedIndex {
  Coverage covers;
  IndexRun run;
  std::vector<uint32_t> offsets;  ///< by ordinal, in units of kRecordUnit
  std::vector<std::pair<CollectionId, Bitmap>> live;
};

/// Everything an index file is made of, frozen: the shard goes on meanwhile.
struct IndexImage {
  Coverage covers;
  std::shared_ptr<const IndexRun> run;
  /// For record `covers.next_ordinal + i`, which the run may name already: the entry that it replaced.
  std::vector<IndexEntry> replaced;
  std::vector<uint32_t> offsets;
  std::vector<std::pair<CollectionId, Bitmap>> live;

  /// The newest covered record behind `e`; none when its id has no covered record.
  IndexEntry covered(IndexEntry e) const;
};

/// Encodes an image in steps, so that a large one does not hold its core for long.
class IndexEncoder {
 public:
  IndexEncoder(const ShardIdentity& identity, int id_hash_bits, IndexImage image);
  /// Goes on by about `units` entries. True: done, the file's bytes can be taken.
  bool step(size_t units);
  Buffer take() { return std::move(out_); }

 private:
  enum class Part : uint8_t { kHashes, kEntries, kOffsets, kLive, kDone };
  bool part_step(size_t units);
  bool live_step(size_t units);
  void end_part();

  ShardIdentity identity_;
  int id_hash_bits_;
  IndexImage image_;
  Buffer out_;
  Part part_ = Part::kHashes;
  size_t at_ = 0;          // within the part
  uint64_t entries_ = 0;   // written
  size_t part_begin_ = 0;  // in out_
  uint64_t lengths_[4] = {};
  uint32_t crcs_[4] = {};
  // kLive: the run of ordinals that is open, and where its set's run count stands.
  Ordinal live_from_;
  std::optional<std::pair<uint32_t, uint32_t>> open_run_;
  size_t runs_at_ = 0;
  uint32_t runs_ = 0;
};

/// Errors: kCorrupt, kUnsupported (newer), without naming the file. Nothing in `bytes` is believed before its checksum
/// was seen, and nothing is allocated beyond a small multiple of bytes.size().
Result<LoadedIndex> decode_index(Bytes bytes, const ShardIdentity& identity, int id_hash_bits);

}  // namespace holdfast::core
