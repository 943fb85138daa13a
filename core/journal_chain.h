// What recovery decides: which groups are the log, where it ends, and whether what is missing was torn or is corrupt.
//
// Place in the system: the brain between the scan of the segments (journal_scan.h) and the body that copies and replays (journal_recovery.h). Pure.
//
// The log is a chain. It starts at the base (a checkpoint's position, or the log's start) and follows the hash of the group before. Segments are looked
// at in the order of their numbers: one whose first group is sound and links to an earlier point of the chain supersedes everything after that
// point; one that links to its end continues it; any other has no part in it.
//
// Proof. LSN n was durable if a valid group header anywhere says so (`durable` >= n), or the base covers it. Nothing else proves anything: disks reorder.
// A chain that ends before the proof is corrupt; one that ends after it, at bad bytes, was torn there and is cut.
//
// Damage that is known by name. When bytes that were durable are not what they were, the chain is looked for once more, and now also goes on
//   - over a group whose header and entries' headers are good (legible): its damaged entries are condemned, by what their headers say they touch;
//   - over one damaged block where a seal stood: no LSN is missing behind it.
// Only where a later group of the same chain proves that these bytes were durable as they were written: what a crash tore and a later
// life superseded stays cut. If that leads past the proof, the log is whole but for what is condemned. Otherwise it is damaged.
//
// A segment that is gone, or is as it was earlier, takes its groups along with what they prove. What is left tells:
// each segment names the one that the log was in when it was made, so from the newest one back to the base all of these
// must be there; and where nothing follows the base, the group that ends there must be.
//
// The unproven end of the chain is sound as read, but may have been read from a page cache that the disk never saw: recovery writes it again into
// a new segment. So may seals at its end: the log goes on from the last proven entry group, not from them.
#pragma once

#include "core/journal_scan.h"

namespace holdfast::core {

/// A group of the chain, by its place in what was scanned.
struct ChainLink {
  size_t segment = 0;
  size_t group = 0;
  bool operator==(const ChainLink&) const = default;
};

/// Bytes after the end of the chain that are no part of it.
struct CutRange {
  size_t segment = 0;
  uint64_t from = 0;
  uint64_t to = 0;
  bool operator==(const CutRange&) const = default;
};

/// Bytes that were durable and are not what they were.
struct JournalDamage {
  JournalPlace place;   ///< of the group that should be there
  bool header = false;  ///< its header is good: only entries are damaged
  Lsn first_lost;
  Lsn proven;  ///< durable through here at least
  bool operator==(const JournalDamage&) const = default;
};

/// A segment that held the log and does not any more.
struct LostSegment {
  SegmentSeq segment;
  SegmentSeq named_by;  ///< the segment that names it; 0: the base
  bool operator==(const LostSegment&) const = default;
};

struct ChainDecision {
  std::vector<ChainLink> chain;
  size_t proven = 0;  ///< chain[0 .. proven) are on the disk for sure; the rest is to be copied
  Lsn last;           ///< newest LSN of the chain
  Lsn proof;          ///< newest LSN known to have been durable
  bool clean = false;  ///< the chain ends in a clean-shutdown seal and nothing follows
  std::vector<CutRange> cuts;
  std::vector<ChainLink> condemned;  ///< groups of the chain that are not sound
  std::vector<JournalPlace> lost_seals;  ///< damaged blocks that the chain goes on behind
  std::vector<size_t> unused;  ///< segments above the chain that hold nothing at all: spares of an earlier life
  std::optional<LostSegment> lost;
  std::optional<JournalDamage> damage;
};

/// `segments` are sorted by number; none is below base.segment, and when base.segment is not 0 it is the first, scanned from base.offset.
ChainDecision decide_chain(const JournalPosition& base, const std::vector<ScannedSegment>& segments);

}  // namespace holdfast::core
