#include "core/journal_scan.h"

namespace holdfast::core {

namespace {

// The offset behind the last byte that is not zero, looking no further back than `from`. Most of a segment may be zeros: whole blocks of them
// are skipped first.
uint64_t used_end(Bytes file, uint64_t from) {
  uint64_t end = file.size();
  while (end >= from + kJournalBlock && all_zero(file.substr(end - kJournalBlock, kJournalBlock))) end -= kJournalBlock;
  while (end > from && file[end - 1] == 0) --end;
  return std::max(end, from);
}

}  // namespace

ScannedSegment scan_segment(Bytes file, SegmentSeq seq, uint64_t start, JournalIdentity identity) {
  ScannedSegment out;
  out.seq = seq;
  out.bytes = file.size();
  out.start = start;
  SegmentHeader header;
  out.header = parse_segment_header(file.substr(0, kJournalBlock), identity, seq, header);
  if (out.header == Found::kGood) {
    out.expected_bytes = header.bytes;
    out.previous = header.previous;
  }
  out.used_end = used_end(file, start);

  LogKey key(identity);
  for (uint64_t offset = start; offset < out.used_end;) {
    ScannedGroup group;
    Found found = parse_group_header(file.substr(offset), {seq, offset}, key, group.header);
    if (found == Found::kNewer) out.newer = true;
    if (found != Found::kGood) {
      offset += group_alignment();
      continue;
    }
    uint64_t extent = std::min<uint64_t>(group.header.extent(), file.size() - offset);
    group.hash = chain_hash(file.substr(offset, kGroupHeaderBytes));
    group.sound = group_is_sound(group.header, file.substr(offset, extent));
    group.legible = !group.sound && group_is_legible(group.header, file.substr(offset, extent), key);
    offset += extent;
    out.groups.push_back(group);
  }
  return out;
}

bool is_outdated(Bytes file, const JournalPosition& base, JournalIdentity identity) {
  if (base.offset < 2 * kJournalBlock || base.offset > file.size()) return false;
  if (!all_zero(file.substr(base.offset - kJournalBlock, kJournalBlock))) return false;
  LogKey key(identity);
  GroupHeader group;
  for (uint64_t offset = kJournalBlock; offset < base.offset; offset += group_alignment()) {
    if (parse_group_header(file.substr(offset), {base.segment, offset}, key, group) != Found::kGood) continue;
    bool ends_there = offset + group.extent() == base.offset;
    if (ends_there && chain_hash(file.substr(offset, kGroupHeaderBytes)) == base.chain) return false;
  }
  return true;
}

}  // namespace holdfast::core
