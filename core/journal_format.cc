#include "core/journal_format.h"

#include "io/base/crc32c.h"
#include "io/base/probe.h"

namespace holdfast::core {

namespace {

constexpr char kSegmentMagic[8] = {'H', 'F', 'S', 'E', 'G', 'M', 'N', 'T'};
constexpr char kGroupMagic[8] = {'H', 'F', 'G', 'R', 'O', 'U', 'P', '\n'};
constexpr uint32_t kSegmentVersion = 2;
constexpr uint16_t kGroupVersion = 3;
constexpr uint16_t kOldestGroupVersion = 2;  // has no changes of sessions
constexpr uint16_t kFlagClean = 1;
constexpr size_t kSegmentHeaderBytes = 64;  // the rest of its block is zeros

// The seed of an entry's checksums: which log, which place.
uint32_t place_seed(LogKey key, JournalPlace place) {
  if (MUTANT("checksum-without-place")) return key.seed();
  char b[16];
  store_le(b, place.segment.value);
  store_le(b + 8, place.offset);
  return crc32c({b, sizeof b}, key.seed());
}

uint32_t group_header_crc(const char* header, LogKey key) {
  return crc32c({header + 12, kGroupHeaderBytes - 12}, key.seed());
}

Hash128 load_hash(ByteReader& in) {
  Hash128 h;
  h.low = in.le<uint64_t>();
  h.high = in.le<uint64_t>();
  return h;
}

void store_hash(char* p, Hash128 h) {
  store_le(p, h.low);
  store_le(p + 8, h.high);
}

}  // namespace

bool all_zero(Bytes b) {
  // A run of bytes is all zeros when the first is, and each equals the next.
  return b.empty() || (b[0] == 0 && std::memcmp(b.data(), b.data() + 1, b.size() - 1) == 0);
}

LogKey::LogKey(JournalIdentity identity) {
  char b[16];
  store_le(b, identity.cluster_id);
  store_le(b + 8, identity.server_id);
  seed_ = crc32c({b, sizeof b});
}

// --- Segment header: magic 8, crc u32, version u32, cluster u64, server u64, seq u64, bytes u64, previous u64, zeros.

Buffer encode_segment_header(const SegmentHeader& header) {
  Buffer block(kJournalBlock, '\0');
  char* p = block.data();
  std::memcpy(p, kSegmentMagic, 8);
  store_le(p + 12, kSegmentVersion);
  store_le(p + 16, header.identity.cluster_id);
  store_le(p + 24, header.identity.server_id);
  store_le(p + 32, header.seq.value);
  store_le(p + 40, header.bytes);
  store_le(p + 48, header.previous.value);
  store_le(p + 8, crc32c({p + 12, kSegmentHeaderBytes - 12}));
  return block;
}

Found parse_segment_header(Bytes block, JournalIdentity identity, SegmentSeq seq, SegmentHeader& out) {
  if (block.size() < kJournalBlock || std::memcmp(block.data(), kSegmentMagic, 8) != 0) return Found::kBad;
  if (load_le<uint32_t>(block.data() + 8) != crc32c(block.substr(12, kSegmentHeaderBytes - 12))) return Found::kBad;
  ByteReader in(block.substr(12));
  auto version = in.le<uint32_t>();
  if (version > kSegmentVersion) return Found::kNewer;
  out.identity.cluster_id = in.le<uint64_t>();
  out.identity.server_id = in.le<uint64_t>();
  out.seq = SegmentSeq(in.le<uint64_t>());
  out.bytes = in.le<uint64_t>();
  out.previous = SegmentSeq(in.le<uint64_t>());
  bool known = version == kSegmentVersion || (version == 1 && out.previous == SegmentSeq(0));
  if (!known || !all_zero(block.substr(56)) || (out.previous >= out.seq && out.previous != SegmentSeq(0)))
    return Found::kBad;
  bool ours = out.identity.cluster_id == identity.cluster_id && out.identity.server_id == identity.server_id;
  return ours && out.seq == seq ? Found::kGood : Found::kForeign;
}

// --- Group header, 128 bytes.

uint64_t group_alignment() { return MUTANT("group-shares-block") ? 64 : kJournalBlock; }

uint64_t group_extent(uint64_t payload_bytes) {
  uint64_t to = group_alignment();
  return (kGroupHeaderBytes + payload_bytes + to - 1) / to * to;
}

uint64_t GroupHeader::extent() const { return group_extent(payload_bytes); }

Hash128 chain_hash(Bytes encoded_header) { return xxh3_128(encoded_header); }

void GroupEncoder::begin(JournalPlace place) {
  place_ = place;
  count_ = 0;
  buffer_.clear();
  grow(buffer_, kGroupHeaderBytes);
}

void GroupEncoder::add(const Entry& entry) {
  size_t at = buffer_.size();
  size_t touched_bytes = entry.touched.size() * kTouchedBytes;
  char* p = grow(buffer_, entry.encoded_size());
  uint32_t seed = place_seed(key_, {place_.segment, place_.offset + at});
  store_le(p + 8, entry.lsn.value);
  store_le(p + 16, entry.term.value);
  store_le(p + 24, static_cast<uint32_t>(entry.effects.size()));
  store_le(p + 28, static_cast<uint32_t>(entry.touched.size()));
  char* t = p + kEntryHeaderBytes;
  for (const Touched& touched : entry.touched) {
    store_le(t, touched.database.value);
    store_le(t + 4, touched.collection.value);
    store_le(t + 8, touched.shard.value);
    store_le(t + 10, uint16_t{0});
    store_le(t + 12, uint32_t{0});
    store_le(t + 16, touched.id_hash);
    t += kTouchedBytes;
  }
  if (!entry.effects.empty()) std::memcpy(t, entry.effects.data(), entry.effects.size());
  // The LSN is under both: effects that belong to another entry are damaged.
  store_le(p + 4, crc32c(entry.effects, crc32c({p + 8, 8}, seed)));
  store_le(p, crc32c({p + 4, kEntryHeaderBytes - 4 + touched_bytes}, seed));
  ++count_;
}

Bytes GroupEncoder::finish(GroupHeader& header) {
  header.place = place_;
  header.entry_count = count_;
  header.payload_bytes = payload_bytes();
  header.payload_hash = xxh3_128(Bytes(buffer_).substr(kGroupHeaderBytes));
  buffer_.resize(header.extent(), '\0');
  char* p = buffer_.data();
  std::memcpy(p, kGroupMagic, 8);
  store_le(p + 12, kGroupVersion);
  store_le(p + 14, static_cast<uint16_t>(header.clean ? kFlagClean : 0));
  store_le(p + 16, header.place.segment.value);
  store_le(p + 24, header.place.offset);
  store_le(p + 32, header.entry_count);
  store_le(p + 36, uint32_t{0});
  store_le(p + 40, header.payload_bytes);
  store_le(p + 48, header.first.value);
  store_le(p + 56, header.term.value);
  store_le(p + 64, header.durable.value);
  store_le(p + 72, header.incarnation);
  store_hash(p + 80, header.previous);
  store_hash(p + 96, header.payload_hash);
  store_le(p + 112, static_cast<uint64_t>(header.wall.ns));
  store_le(p + 120, uint64_t{0});
  store_le(p + 8, group_header_crc(p, key_));
  return buffer_;
}

void GroupEncoder::trim(size_t keep_bytes) {
  if (buffer_.capacity() > 2 * keep_bytes) Buffer().swap(buffer_);
}

Found parse_group_header(Bytes at, JournalPlace place, LogKey key, GroupHeader& out) {
  if (at.size() < kGroupHeaderBytes || std::memcmp(at.data(), kGroupMagic, 8) != 0) return Found::kBad;
  if (load_le<uint32_t>(at.data() + 8) != group_header_crc(at.data(), key)) return Found::kBad;
  ByteReader in(at.substr(12, kGroupHeaderBytes - 12));
  auto version = in.le<uint16_t>();
  auto flags = in.le<uint16_t>();
  if (version > kGroupVersion || (flags & ~kFlagClean) != 0) return Found::kNewer;
  out.clean = (flags & kFlagClean) != 0;
  out.place.segment = SegmentSeq(in.le<uint64_t>());
  out.place.offset = in.le<uint64_t>();
  out.entry_count = in.le<uint32_t>();
  auto reserved = in.le<uint32_t>();
  out.payload_bytes = in.le<uint64_t>();
  out.first = Lsn(in.le<uint64_t>());
  out.term = Term(in.le<uint64_t>());
  out.durable = Lsn(in.le<uint64_t>());
  out.incarnation = in.le<uint64_t>();
  out.previous = load_hash(in);
  out.payload_hash = load_hash(in);
  out.wall.ns = static_cast<int64_t>(in.le<uint64_t>());
  auto reserved_too = in.le<uint64_t>();
  bool placed = out.place == place || MUTANT("checksum-without-place");
  bool empty_agrees = (out.entry_count == 0) == (out.payload_bytes == 0);
  bool ranges = out.first.value >= 1 && out.first.value <= UINT64_MAX - out.entry_count &&
                out.payload_bytes <= (uint64_t{1} << 48) && (!out.clean || out.entry_count == 0);
  bool known = version >= kOldestGroupVersion && reserved == 0 && reserved_too == 0;
  return placed && empty_agrees && ranges && known ? Found::kGood : Found::kBad;
}

bool group_is_sound(const GroupHeader& header, Bytes group) {
  if (MUTANT("checksum-misses-payload")) return true;
  if (group.size() != header.extent()) return false;
  return xxh3_128(group.substr(kGroupHeaderBytes, header.payload_bytes)) == header.payload_hash &&
         all_zero(group.substr(kGroupHeaderBytes + header.payload_bytes));
}

bool group_is_legible(const GroupHeader& header, Bytes group, LogKey key) {
  if (group.size() != header.extent() || header.entry_count == 0) return false;
  JournalPlace place{header.place.segment, header.place.offset + kGroupHeaderBytes};
  EntryReader entries(group.substr(kGroupHeaderBytes, header.payload_bytes), place, key);
  std::shared_ptr<Entry> entry;
  Lsn next = header.first;
  for (auto state = entries.next(entry); state != EntryReader::State::kEnd; state = entries.next(entry)) {
    if (state == EntryReader::State::kLost || entry->lsn != next) return false;
    ++next;
  }
  return next == header.last().next();
}

// --- Entries: header crc u32, effects crc u32, LSN u64, term u64, effects' length u32, touched count u32, touched, effects.

EntryReader::State EntryReader::next(std::shared_ptr<Entry>& entry) {
  if (rest_.empty()) return State::kEnd;
  if (rest_.size() < kEntryHeaderBytes) return State::kLost;
  const char* p = rest_.data();
  uint64_t effects_bytes = load_le<uint32_t>(p + 24);
  uint64_t head_bytes = kEntryHeaderBytes + uint64_t{load_le<uint32_t>(p + 28)} * kTouchedBytes;
  if (head_bytes > rest_.size()) return State::kLost;
  uint32_t seed = place_seed(key_, place_);
  if (load_le<uint32_t>(p) != crc32c(rest_.substr(4, head_bytes - 4), seed)) return State::kLost;

  entry = std::make_shared<Entry>();
  entry->lsn = Lsn(load_le<uint64_t>(p + 8));
  entry->term = Term(load_le<uint64_t>(p + 16));
  entry->touched.reserve((head_bytes - kEntryHeaderBytes) / kTouchedBytes);
  for (const char* t = p + kEntryHeaderBytes; t != p + head_bytes; t += kTouchedBytes)
    entry->touched.push_back({DatabaseId(load_le<uint32_t>(t)), CollectionId(load_le<uint32_t>(t + 4)),
                              ShardId(load_le<uint16_t>(t + 8)), load_le<uint64_t>(t + 16)});

  bool complete = head_bytes + effects_bytes <= rest_.size();
  Bytes effects = complete ? rest_.substr(head_bytes, effects_bytes) : Bytes();
  bool whole = complete && (load_le<uint32_t>(p + 4) == crc32c(effects, crc32c({p + 8, 8}, seed)) ||
                            MUTANT("checksum-misses-payload"));
  if (whole) entry->effects = effects;
  uint64_t step = std::min<uint64_t>(head_bytes + effects_bytes, rest_.size());
  rest_.remove_prefix(step);
  place_.offset += step;
  return whole ? State::kWhole : State::kDamaged;
}

}  // namespace holdfast::core
