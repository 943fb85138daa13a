// Scanning a segment: which valid groups are in it, whatever the state of the rest.
//
// Place in the system: first step of recovery; what it finds goes to journal_chain.h, which decides. Pure; any core.
//
// Every block boundary is looked at, also beyond damage: a valid header there may prove that something before it was durable.
#pragma once

#include "core/journal_format.h"

namespace holdfast::core {

struct ScannedGroup {
  GroupHeader header;
  Hash128 hash;        ///< its chain hash
  bool sound = false;  ///< entries and padding are as the header says
  bool legible = false;  ///< not sound, but what is damaged is known by name (group_is_legible)
  uint64_t end() const { return header.place.offset + header.extent(); }
};

struct ScannedSegment {
  SegmentSeq seq;
  Found header = Found::kBad;
  uint64_t bytes = 0;           ///< size of the file
  uint64_t expected_bytes = 0;  ///< what its header says; 0 when the header is bad
  SegmentSeq previous;          ///< likewise
  uint64_t start = kJournalBlock;  ///< where its first group of interest should be
  bool newer = false;              ///< a group in it is of a newer format
  bool outdated = false;           ///< of the base's segment: is_outdated()
  uint64_t used_end = 0;           ///< no byte at or after this offset is other than zero
  std::vector<ScannedGroup> groups;  ///< by offset: every valid header from `start` on, sound or not
};

/// Scans a whole segment file from `start` (a group boundary, at least kJournalBlock).
ScannedSegment scan_segment(Bytes file, SegmentSeq seq, uint64_t start, JournalIdentity identity);

/// Whether the base's segment is as it was before the base: the group that ends there was never written in it. (One
/// that is damaged was.)
bool is_outdated(Bytes file, const JournalPosition& base, JournalIdentity identity);

}  // namespace holdfast::core
