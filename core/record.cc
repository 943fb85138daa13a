#include "core/record.h"

#include <fmt/format.h>

#include "io/base/assert.h"
#include "io/base/crc32c.h"
#include "io/base/hash.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

constexpr uint32_t kRecordMagic = 0x43524648;  // "HFRC"
constexpr uint64_t kFileMagic = magic("HFSHARD\n");
constexpr uint32_t kFileVersion = 1;
constexpr uint16_t kFlagTombstone = 1;
constexpr uint16_t kFlagCompressed = 2;  // reserved: LZ4, with body_raw_len the length before

// Where the fields of a header stand.
constexpr size_t kAtCrc = 4, kAtLsn = 8, kAtOrdinal = 16, kAtPredecessor = 20, kAtCollection = 24, kAtKeyLen = 28,
                 kAtFlags = 30, kAtBodyLen = 32, kAtBodyRawLen = 36, kAtReserved = 40, kAtBodyCrc = 44;

/// The checksum of everything in header and key but the two checksums; the body's starts from it, and the header's adds
/// the body's.
uint32_t place_crc(uint32_t seed, const char* header, Bytes key) {
  return crc32c(key, crc32c(Bytes(header + kAtLsn, kAtBodyCrc - kAtLsn), seed));
}

uint32_t header_crc(uint32_t place, const char* header) { return crc32c(Bytes(header + kAtBodyCrc, 4), place); }

RecordHeader decode_header(const char* p) {
  RecordHeader h;
  h.crc = load_le<uint32_t>(p + kAtCrc);
  h.lsn = Lsn(load_le<uint64_t>(p + kAtLsn));
  h.ordinal = Ordinal(load_le<uint32_t>(p + kAtOrdinal));
  h.predecessor = Ordinal(load_le<uint32_t>(p + kAtPredecessor));
  h.collection = CollectionId(load_le<uint32_t>(p + kAtCollection));
  h.key_len = load_le<uint16_t>(p + kAtKeyLen);
  h.tombstone = (load_le<uint16_t>(p + kAtFlags) & kFlagTombstone) != 0;
  h.body_len = load_le<uint32_t>(p + kAtBodyLen);
  h.body_crc = load_le<uint32_t>(p + kAtBodyCrc);
  return h;
}

std::unexpected<RecordFault> fault(const char* what) { return std::unexpected(RecordFault{what}); }

}  // namespace

uint32_t ShardIdentity::seed() const {
  if (MUTANT("record-checksum-without-place")) return 0;
  char b[18];
  store_le(b, cluster_id);
  store_le(b + 8, database.value);
  store_le(b + 12, shard.value);
  store_le(b + 14, generation.value);
  return crc32c(Bytes(b, sizeof b), kRecordMagic);
}

Buffer encode_record(uint32_t seed, const RecordHeader& header, Bytes key, Bytes body) {
  HF_ASSERT(!key.empty() && key.size() <= kMaxRecordKey, "keys are checked at admission");
  HF_ASSERT(body.size() <= kMaxRecordBody && !(header.tombstone && !body.empty()), "bodies are checked at admission");
  size_t used = kRecordHeaderBytes + key.size() + body.size();
  Buffer out;
  out.resize_and_overwrite(round_up(used, kRecordUnit), [](char*, size_t n) { return n; });
  char* p = out.data();
  store_le(p, kRecordMagic);
  store_le(p + kAtLsn, header.lsn.value);
  store_le(p + kAtOrdinal, header.ordinal.value);
  store_le(p + kAtPredecessor, header.predecessor.value);
  store_le(p + kAtCollection, header.collection.value);
  store_le(p + kAtKeyLen, static_cast<uint16_t>(key.size()));
  store_le(p + kAtFlags, static_cast<uint16_t>(header.tombstone ? kFlagTombstone : 0));
  store_le(p + kAtBodyLen, static_cast<uint32_t>(body.size()));
  store_le(p + kAtBodyRawLen, static_cast<uint32_t>(body.size()));
  store_le(p + kAtReserved, uint32_t{0});
  std::memcpy(p + kRecordHeaderBytes, key.data(), key.size());
  char* at_body = p + kRecordHeaderBytes + key.size();
  if (!body.empty()) std::memcpy(at_body, body.data(), body.size());
  std::memset(p + used, 0, out.size() - used);
  uint32_t place = place_crc(seed, p, key);
  store_le(p + kAtBodyCrc, crc32c(Bytes(at_body, static_cast<size_t>(p + out.size() - at_body)), place));
  store_le(p + kAtCrc, header_crc(place, p));
  return out;
}

bool starts_record(Bytes bytes) { return bytes.size() >= 4 && load_le<uint32_t>(bytes.data()) == kRecordMagic; }

size_t record_head_bytes(Bytes start) {
  HF_ASSERT(start.size() >= kRecordHeaderBytes, "the caller has the header's bytes");
  return kRecordHeaderBytes + load_le<uint16_t>(start.data() + kAtKeyLen);
}

RecordResult<RecordView> parse_record_head(uint32_t seed, Bytes bytes) {
  if (bytes.size() < kRecordHeaderBytes) return fault("the file ends inside a record's header");
  const char* p = bytes.data();
  if (load_le<uint32_t>(p) != kRecordMagic) return fault("there is no record");
  RecordView r{.header = decode_header(p)};
  if (bytes.size() < kRecordHeaderBytes + r.header.key_len) return fault("the file ends inside a record's key");
  r.key = bytes.substr(kRecordHeaderBytes, r.header.key_len);
  if (header_crc(place_crc(seed, p, r.key), p) != r.header.crc)
    return fault("the checksum of the record's header does not fit (it is damaged, or belongs elsewhere)");
  // What follows holds for whatever this program wrote. Checked all the same: the bytes came from outside.
  const RecordHeader& h = r.header;
  if (load_le<uint16_t>(p + kAtFlags) & kFlagCompressed)
    return fault("the record is compressed, which this version does not read");
  if ((load_le<uint16_t>(p + kAtFlags) & ~kFlagTombstone) != 0 || load_le<uint32_t>(p + kAtReserved) != 0)
    return fault("the record has flags that this version does not know");
  if (h.key_len == 0 || h.key_len > kMaxRecordKey || h.body_len > kMaxRecordBody ||
      load_le<uint32_t>(p + kAtBodyRawLen) != h.body_len || (h.tombstone && h.body_len != 0))
    return fault("the record's lengths are impossible");
  if (h.ordinal.value >= kMaxRecords || (h.predecessor != kNoOrdinal && h.predecessor >= h.ordinal))
    return fault("the record's ordinals are impossible");
  return r;
}

RecordResult<RecordView> parse_record(uint32_t seed, Bytes bytes) {
  auto r = parse_record_head(seed, bytes);
  if (!r) return r;
  const RecordHeader& h = r->header;
  if (bytes.size() < h.size()) return fault("the file ends inside a record's body");
  Bytes body_and_padding = bytes.substr(kRecordHeaderBytes + h.key_len, h.size() - kRecordHeaderBytes - h.key_len);
  if (crc32c(body_and_padding, place_crc(seed, bytes.data(), r->key)) != h.body_crc)
    return fault("the checksum of the record's body does not fit");
  r->body = body_and_padding.substr(0, h.body_len);
  if (body_and_padding.find_first_not_of('\0', h.body_len) != Bytes::npos)
    return fault("the record's padding is not zero");
  return r;
}

RecordView view_record(Bytes bytes) {
  RecordView r{.header = decode_header(bytes.data())};
  r.key = bytes.substr(kRecordHeaderBytes, r.header.key_len);
  r.body = bytes.substr(kRecordHeaderBytes + r.header.key_len, r.header.body_len);
  return r;
}

uint64_t chain_record(uint64_t digest, uint64_t offset, const RecordHeader& header) {
  char b[12];
  store_le(b, offset);
  store_le(b + 8, header.crc);
  return xxh3_64(Bytes(b, sizeof b), digest);
}

Buffer encode_shard_file_header(const ShardIdentity& identity) {
  Buffer block(kBlockBytes, '\0');
  char* p = block.data() + kSealBytes;
  store_le(p, identity.cluster_id);
  store_le(p + 8, identity.database.value);
  store_le(p + 12, identity.generation.value);
  store_le(p + 16, identity.shard.value);
  seal(block, kFileMagic, kFileVersion);
  return block;
}

Result<> check_shard_file_header(Bytes block, const ShardIdentity& identity) {
  if (block.size() != kBlockBytes) return fail(Code::kCorrupt, "shorter than its header");
  HF_CHECK_OK(check_seal(block, kFileMagic, {.newest = kFileVersion}));
  ByteReader in(block.substr(kSealBytes));
  ShardIdentity found;
  found.cluster_id = in.le<uint64_t>();
  found.database = DatabaseId(in.le<uint32_t>());
  found.generation = Generation(in.le<uint32_t>());
  found.shard = ShardId(in.le<uint16_t>());
  if (found != identity)
    return fail(
        Code::kCorrupt,
        fmt::format("belongs to cluster {:016x}, database {}, shard {}, generation {}, and stands in the place of "
                    "cluster {:016x}, database {}, shard {}, generation {}",
                    found.cluster_id, found.database.value, found.shard.value, found.generation.value,
                    identity.cluster_id, identity.database.value, identity.shard.value, identity.generation.value));
  return {};
}

}  // namespace holdfast::core
