// Fuzzes what recovery reads and decides: any bytes as segments, and small changes to a good journal, their checksums put right or not.
//
// Input: a byte that says how (bit 0: changes, bit 1: with checksums put right, bits 2-3: how many segments), a byte that says where the base is, then
// either the segments' bytes or changes of 4 bytes each: block, offset in it (2), new byte.
#include <algorithm>

#include "core/journal_chain.h"
#include "io/base/crc32c.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/journal_image.h"

namespace holdfast {
namespace {

using namespace core;

constexpr std::string_view kDrawing =
    "1: [1-3] [4-5 d3] [6-6 d5]\n"
    "3 after 1: <5 [6-6 d5] [7-9 d6 wide] [seal d9]\n"
    "4 after 3: [10-10 d9]";

std::vector<Buffer> seeds() {
  std::vector<Buffer> out;
  Buffer changes("\x01\x00", 2);
  changes.append("\x01\x20\x00\x55\x02\x90\x00\x00\x13\x50\x00\x01", 12);
  out.push_back(changes);
  changes[0] = 3;
  out.push_back(changes);
  Buffer whole("\x00\x00", 2);
  whole += test::JournalImage("1: [1-2] [3-3 d2]").files()[SegmentSeq(1)].substr(0, 4 * kJournalBlock);
  out.push_back(whole);
  whole[0] = 4;  // two segments, the second names the first
  for (std::string_view drawing : {"1: [1-2]", "2 after 1: [3-3 d2]"})
    whole += test::JournalImage(drawing).files().begin()->second.substr(0, 2 * kJournalBlock);
  out.push_back(whole);
  return out;
}

using Files = std::map<SegmentSeq, Buffer>;

void change(Files& files, Bytes changes) {
  for (; changes.size() >= 4; changes.remove_prefix(4)) {
    auto at = static_cast<uint8_t>(changes[0]);
    auto file = std::next(files.begin(), at / 16 % static_cast<ptrdiff_t>(files.size()));
    uint64_t offset = at % 16 * kJournalBlock + load_le<uint16_t>(changes.data() + 1) % kJournalBlock;
    file->second[offset] = changes[3];
  }
}

// Makes every group header's own checksum right, whatever else it says.
void put_right(Files& files) {
  for (auto& [seq, file] : files)
    for (uint64_t at = kJournalBlock; at + kGroupHeaderBytes <= file.size(); at += kJournalBlock)
      if (file.compare(at, 7, "HFGROUP") == 0)
        store_le(file.data() + at + 8, crc32c({file.data() + at + 12, kGroupHeaderBytes - 12}, LogKey(test::kImageIdentity).seed()));
}

void check_group(const ScannedGroup& g, const Buffer& file, SegmentSeq seq) {
  const GroupHeader& h = g.header;
  FUZZ_CHECK(h.place.segment == seq && h.place.offset % kJournalBlock == 0);
  if (!g.sound) return;
  FUZZ_CHECK(g.end() <= file.size());
  Bytes group = Bytes(file).substr(h.place.offset, h.extent());
  Bytes payload = group.substr(kGroupHeaderBytes, h.payload_bytes);
  FUZZ_CHECK(xxh3_128(payload) == h.payload_hash);
  FUZZ_CHECK(g.hash == xxh3_128(group.substr(0, kGroupHeaderBytes)));
  FUZZ_CHECK(group.substr(kGroupHeaderBytes + h.payload_bytes).find_first_not_of('\0') == Bytes::npos);
}

void read_entries(const ScannedGroup& g, const Buffer& file) {
  JournalPlace place{g.header.place.segment, g.header.place.offset + kGroupHeaderBytes};
  EntryReader entries(Bytes(file).substr(place.offset), place, LogKey(test::kImageIdentity));
  std::shared_ptr<Entry> entry;
  for (EntryReader::State s = entries.next(entry);
       s == EntryReader::State::kWhole || s == EntryReader::State::kDamaged; s = entries.next(entry)) {
    EffectReader effects(entry->effects);
    while (effects.next()) {
    }
  }
}

void check_decision(const ChainDecision& d, const JournalPosition& base, const std::vector<ScannedSegment>& segments) {
  Lsn last = base.lsn;
  Hash128 hash = base.chain;
  size_t condemned = 0, unlinked = 0;
  for (ChainLink l : d.chain) {
    const ScannedGroup& g = segments[l.segment].groups[l.group];
    FUZZ_CHECK((g.sound || g.legible) && g.header.first == last.next());
    if (!g.sound) FUZZ_CHECK(condemned < d.condemned.size() && d.condemned[condemned] == l);
    condemned += !g.sound;
    unlinked += g.header.previous != hash;
    last = g.header.last();
    hash = g.hash;
  }
  FUZZ_CHECK(condemned == d.condemned.size() && unlinked <= d.lost_seals.size());
  FUZZ_CHECK(d.last == last && d.proven <= d.chain.size());
  FUZZ_CHECK(d.damage.has_value() == (d.proof > d.last));
  if (d.lost && d.lost->named_by != SegmentSeq(0))
    FUZZ_CHECK(d.lost->segment >= base.segment && d.lost->segment < d.lost->named_by &&
               std::ranges::none_of(segments, [&](const ScannedSegment& s) { return s.seq == d.lost->segment; }));
  for (const CutRange& c : d.cuts) FUZZ_CHECK(c.from < c.to && c.to <= segments[c.segment].bytes);
}

HOLDFAST_FUZZER(journal, seeds) {
  if (input.size() < 2) return;
  auto how = static_cast<uint8_t>(input[0]);
  auto base_at = static_cast<uint8_t>(input[1]);
  input.remove_prefix(2);
  test::JournalImage drawn(kDrawing);
  Files good = drawn.files(), files;
  if ((how & 1) != 0) {
    files = good;
    change(files, input);
  } else {
    uint64_t count = (how >> 2 & 3) + 1, each = input.size() / count;
    for (uint64_t i = 0; i < count; ++i) files[SegmentSeq(i + 1)] = input.substr(i * each, each);
  }
  if ((how & 2) != 0) put_right(files);

  drawn.set_base(Lsn(base_at % 7));
  JournalPosition base = drawn.base();
  std::vector<ScannedSegment> segments;
  for (const auto& [seq, file] : files) {
    if (seq < base.segment) continue;
    segments.push_back(scan_segment(file, seq, seq == base.segment ? base.offset : kJournalBlock, test::kImageIdentity));
    segments.back().outdated = seq == base.segment && is_outdated(file, base, test::kImageIdentity);
    for (const ScannedGroup& g : segments.back().groups) {
      check_group(g, file, seq);
      read_entries(g, file);
      // Changes whose checksums were not put right are noticed: what is accepted is what was written.
      if ((how & 3) == 1 && g.sound)
        FUZZ_CHECK(file.compare(g.header.place.offset, g.header.extent(), good[seq], g.header.place.offset, g.header.extent()) == 0);
    }
  }
  check_decision(decide_chain(base, segments), base, segments);
}

}  // namespace
}  // namespace holdfast
