// Records: one version of one document (or its deletion) as it stands in a shard's .db file, and the first block of
// that file.
//
// Pure: bytes in, views out. The byte map is in FORMAT.md. Two checksums: one over the header and the key, so that a
// record whose body is damaged still tells which document it is; one over the body and the padding. Both are seeded
// with the record's place (cluster, database, shard, generation, ordinal, LSN), so that sound bytes in the wrong place
// do not pass.
#pragma once

#include <expected>

#include "core/entry.h"
#include "core/sealed.h"

namespace holdfast::core {

inline constexpr size_t kRecordHeaderBytes = 48;
/// Records start at multiples of this; offsets are counted in it.
inline constexpr uint64_t kRecordUnit = 8;
/// Ordinals stay below this: the top bit marks tombstones in the index, and two values are reserved.
inline constexpr uint32_t kMaxRecords = (uint32_t{1} << 31) - 2;
/// Offsets are 32 bits of units.
inline constexpr uint64_t kMaxShardFileBytes = (uint64_t{1} << 32) * kRecordUnit;
inline constexpr size_t kMaxRecordKey = 4096;
inline constexpr size_t kMaxRecordBody = kMaxEntryEffects;

/// Which file of which shard: what every checksum of its records starts from.
struct ShardIdentity {
  uint64_t cluster_id = 0;
  DatabaseId database;
  ShardId shard;
  Generation generation;
  bool operator==(const ShardIdentity&) const = default;

  /// The seed of the checksums of all records of that file.
  uint32_t seed() const;
};

struct RecordHeader {
  Lsn lsn;
  Ordinal ordinal;
  Ordinal predecessor = kNoOrdinal;  ///< newest earlier record of the same id, deletions included
  CollectionId collection;
  uint16_t key_len = 0;
  bool tombstone = false;
  uint32_t body_len = 0;
  uint32_t crc = 0;  ///< of header and key
  uint32_t body_crc = 0;

  /// Bytes of the whole record, padding included; a multiple of kRecordUnit.
  size_t size() const { return round_up(kRecordHeaderBytes + key_len + body_len, kRecordUnit); }
};

/// A record's parts; the views borrow from the bytes it was read from.
struct RecordView {
  RecordHeader header;
  Bytes key;
  Bytes body;
};

/// Why bytes are no record: the middle of a sentence, for the message of whoever knows the file.
struct RecordFault {
  const char* what;
};
template <class T>
using RecordResult = std::expected<T, RecordFault>;

/// `lsn`, `ordinal`, `predecessor`, `collection` and `tombstone` of `header` are used; lengths and checksums are made.
/// Requires: key and body within the limits above, no body for a tombstone.
Buffer encode_record(uint32_t seed, const RecordHeader& header, Bytes key, Bytes body);

/// Whether a record seems to begin here: its magic does.
bool starts_record(Bytes bytes);

/// How many bytes parse_record_head() needs, from the first kRecordHeaderBytes of a record; believes nothing, bounded
/// by 64 KiB.
size_t record_head_bytes(Bytes start);

/// Reads and checks header and key at the front of `bytes`; `body` stays empty. That the ordinal is the expected one is
/// for the caller to see.
RecordResult<RecordView> parse_record_head(uint32_t seed, Bytes bytes);

/// Reads and checks a whole record at the front of `bytes`, which may be longer.
RecordResult<RecordView> parse_record(uint32_t seed, Bytes bytes);

/// The parts of a record that this process encoded itself; nothing is checked.
RecordView view_record(Bytes bytes);

/// The chain over the places and headers of a file's records: what a MANIFEST remembers of them
/// (ShardCheckpoint::digest).
uint64_t chain_record(uint64_t digest, uint64_t offset, const RecordHeader& header);

/// Block 0 of a .db file, kBlockBytes long.
Buffer encode_shard_file_header(const ShardIdentity& identity);
/// kCorrupt, kUnsupported, without naming the file.
Result<> check_shard_file_header(Bytes block, const ShardIdentity& identity);

}  // namespace holdfast::core
