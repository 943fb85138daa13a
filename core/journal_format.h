// The journal's bytes: segment headers, group headers and entries, encoded and checked. Specified in FORMAT.md.
//
// Place in the system: the writer encodes with it, the scan (journal_scan.h) and recovery decode. Pure; any core.
//
// Invariants
//  1. Whatever is accepted here was written by this log at this place: every checksum is seeded with the log's identity, and covers the segment and
//     offset as well as the content.
//  2. Bytes are never asserted on: anything may come in, and comes out as bad, as newer, or as what was written.
#pragma once

#include <span>

#include "core/entry.h"
#include "core/journal.h"

namespace holdfast::core {

inline constexpr uint64_t kJournalBlock = 4096;       ///< groups start on its multiples
inline constexpr size_t kGroupHeaderBytes = 128;
inline constexpr size_t kEntryHeaderBytes = 32;  ///< before the list of what is touched
inline constexpr size_t kTouchedBytes = 24;

/// What makes checksums of one log differ from those of any other.
class LogKey {
 public:
  explicit LogKey(JournalIdentity identity);
  uint32_t seed() const { return seed_; }

 private:
  uint32_t seed_;
};

/// Whether every byte is zero.
bool all_zero(Bytes b);

/// Where bytes are: under their checksum, so that a write that went elsewhere is noticed.
struct JournalPlace {
  SegmentSeq segment;
  uint64_t offset = 0;
  bool operator==(const JournalPlace&) const = default;
};

/// What a checked piece of the journal turned out to be.
enum class Found : uint8_t {
  kGood,
  kBad,      ///< not this, or damaged
  kNewer,    ///< whole, but of a version or with flags that this program does not know
  kForeign,  ///< whole, but of another log (segment headers only: they alone are readable without the identity)
};

struct SegmentHeader {
  JournalIdentity identity;
  SegmentSeq seq;
  uint64_t bytes = 0;  ///< size of the file
  SegmentSeq previous;  ///< that the log was in when this one was made; 0: none, or made by a version that did not say
};

/// One block.
Buffer encode_segment_header(const SegmentHeader& header);
/// `block` is the file's first block or what there is of it.
Found parse_segment_header(Bytes block, JournalIdentity identity, SegmentSeq seq, SegmentHeader& out);

struct GroupHeader {
  bool clean = false;        ///< the clean-shutdown seal: the last group of a life
  uint32_t entry_count = 0;  ///< 0: a seal
  JournalPlace place;
  uint64_t payload_bytes = 0;  ///< of the entries; zeros follow up to the end of the block
  Lsn first;                   ///< of its first entry; of a seal: that the next entry will have
  Term term;
  Lsn durable;  ///< survived a power cut through here when this was written: the proof that recovery relies on
  uint64_t incarnation = 0;  ///< one number per opening of the journal
  Hash128 previous;          ///< chain hash of the group before, in the log's order
  Hash128 payload_hash;
  WallTime wall;
  bool operator==(const GroupHeader&) const = default;

  /// The newest LSN once this group is read.
  Lsn last() const { return Lsn(first.value + entry_count - 1); }
  /// Bytes that it takes in its segment.
  uint64_t extent() const;
};

/// Bytes of whole blocks that a group with so many bytes of entries takes.
uint64_t group_extent(uint64_t payload_bytes);
/// The start of the step by which groups follow each other: a block.
uint64_t group_alignment();

/// The chain hash of a group: of its header, which covers the entries by their hash.
Hash128 chain_hash(Bytes encoded_header);

/// A group built in one buffer, written with one write.
class GroupEncoder {
 public:
  explicit GroupEncoder(LogKey key) : key_(key) {}

  /// Starts a group there, forgetting the one before.
  void begin(JournalPlace place);
  /// Adds an entry, whose LSN follows the one before.
  void add(const Entry& entry);
  /// Bytes of entries so far.
  uint64_t payload_bytes() const { return buffer_.size() - kGroupHeaderBytes; }
  /// Fills in the header and the padding. The caller set clean, first, term, durable, incarnation, previous and wall; the rest is set here. Returns
  /// the whole group, valid until the next begin().
  Bytes finish(GroupHeader& header);
  /// The chain hash of what finish() returned.
  Hash128 hash() const { return chain_hash(Bytes(buffer_).substr(0, kGroupHeaderBytes)); }
  /// Gives memory back when one group was far larger than usual.
  void trim(size_t keep_bytes);

 private:
  LogKey key_;
  JournalPlace place_;
  uint32_t count_ = 0;
  Buffer buffer_;
};

/// `at` begins where the header should be. Good: the header's own checksum, place and ranges hold; the entries are not looked at.
Found parse_group_header(Bytes at, JournalPlace place, LogKey key, GroupHeader& out);
/// Whether entries and padding are what the header says. `group` is the group's whole extent.
bool group_is_sound(const GroupHeader& header, Bytes group);

/// Of a group that is not sound: whether every entry's header is good and their LSNs are those that the group's header says, so that
/// what is damaged is known by name: the effects of some of them, or the padding.
bool group_is_legible(const GroupHeader& header, Bytes group, LogKey key);

/// Reads the entries of a group one by one.
class EntryReader {
 public:
  /// `payload` starts at `place` (behind the group's header). It may be damaged, or be more than the group's.
  EntryReader(Bytes payload, JournalPlace place, LogKey key) : rest_(payload), place_(place), key_(key) {}

  /// What could be told of the next entry.
  enum class State : uint8_t {
    kWhole,    ///< `entry` is complete
    kDamaged,  ///< its header is good, its effects are not: `entry` has LSN, term and what it touches
    kLost,     ///< no header here: where the next entry starts is unknown
    kEnd,
  };
  State next(std::shared_ptr<Entry>& entry);

 private:
  Bytes rest_;
  JournalPlace place_;
  LogKey key_;
};

}  // namespace holdfast::core
