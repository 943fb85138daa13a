#include "tests/support/journal_image.h"

#include <fmt/format.h>

#include <charconv>

namespace holdfast::test {

using namespace core;

namespace {

uint64_t number(std::string_view text) {
  uint64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    size_t end = std::min(text.find(' '), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

std::shared_ptr<Entry> image_entry(Lsn lsn, size_t body_bytes) {
  auto e = std::make_shared<Entry>();
  e->lsn = lsn;
  e->term = Term(1);
  std::string key = fmt::format("key-{}", lsn.value);
  std::string body(body_bytes, static_cast<char>('a' + lsn.value % 26));
  e->add({EffectKind::kPut, DatabaseId(1), ShardId(static_cast<uint16_t>(lsn.value % 4)), CollectionId(7), key, body});
  return e;
}

JournalImage::JournalImage(std::string_view drawing) : encoder_(LogKey(kImageIdentity)) {
  while (!drawing.empty()) {
    size_t end = std::min(drawing.find('\n'), drawing.size());
    draw_segment(drawing.substr(0, end));
    drawing.remove_prefix(std::min(end + 1, drawing.size()));
  }
}

void JournalImage::draw_segment(std::string_view line) {
  size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  SegmentSeq seq(number(line.substr(line.find_first_not_of(' '))));
  constexpr std::string_view kAfter = " after ";
  size_t after = std::min(line.find(kAfter), colon);
  SegmentSeq previous(after < colon ? number(line.substr(after + kAfter.size())) : 0);
  Buffer& file = files_[seq];
  file = encode_segment_header({kImageIdentity, seq, kImageSegmentBytes, previous});
  file.resize(kImageSegmentBytes, '\0');
  uint64_t offset = kJournalBlock;
  line.remove_prefix(colon + 1);
  while (!line.empty()) {
    size_t end = std::min(line.find(line[0] == '[' ? ']' : ' '), line.size());
    if (line[0] == '[') draw_group(seq, offset, line.substr(1, end - 1));
    if (line[0] == '<') go_back_to(Lsn(number(line.substr(1))));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
}

void JournalImage::draw_group(SegmentSeq seq, uint64_t& offset, std::string_view what) {
  std::vector<std::string_view> parts = words(what);
  GroupHeader header;
  header.first = at_.lsn.next();
  header.term = Term(1);
  header.previous = at_.chain;
  header.incarnation = 5;
  encoder_.begin({seq, offset});
  size_t body_bytes = 60;
  std::string_view harm;
  for (std::string_view p : parts) {
    if (p == "clean") header.clean = true;
    if (p == "wide") body_bytes = 5000;
    if (p[0] == 'd') header.durable = Lsn(number(p.substr(1)));
    if (p[0] == '!') harm = p.substr(1);
  }
  if (parts[0] != "seal") {
    Lsn last(number(parts[0].substr(parts[0].find('-') + 1)));
    header.first = Lsn(number(parts[0]));
    for (Lsn l = header.first; l <= last; ++l) encoder_.add(*image_entry(l, body_bytes));
  }
  Buffer bytes(encoder_.finish(header));
  at_ = {header.last(), encoder_.hash(), seq, offset + bytes.size()};
  ends_.push_back(at_);
  if (harm == "zero") bytes.assign(bytes.size(), '\0');
  if (harm == "header") bytes[70] ^= 1;
  if (harm == "payload") bytes[kGroupHeaderBytes + header.payload_bytes - 3] ^= 1;
  if (harm == "entry-header") bytes[kGroupHeaderBytes + 9] ^= 1;
  if (harm == "padding") bytes[bytes.size() - 1] = 1;
  files_[seq].replace(offset, bytes.size(), bytes);
  offset += bytes.size();
}

void JournalImage::go_back_to(Lsn lsn) {
  at_ = {};
  for (const JournalPosition& p : ends_) {
    if (p.lsn != lsn) continue;
    at_ = p;
    return;
  }
}

void JournalImage::set_base(Lsn lsn) {
  for (const JournalPosition& p : ends_)
    if (p.lsn == lsn) base_ = p;
}

std::vector<ScannedSegment> JournalImage::scan() const {
  std::vector<ScannedSegment> out;
  for (const auto& [seq, file] : files_) {
    if (seq < base_.segment) continue;
    out.push_back(scan_segment(file, seq, seq == base_.segment ? base_.offset : kJournalBlock, kImageIdentity));
    out.back().outdated = seq == base_.segment && is_outdated(file, base_, kImageIdentity);
  }
  return out;
}

ChainDecision JournalImage::decide() const { return decide_chain(base_, scan()); }

std::string JournalImage::decision() const {
  std::vector<ScannedSegment> segments = scan();
  ChainDecision d = decide_chain(base_, segments);
  std::string out = "log";
  for (size_t i = 0; i < d.chain.size(); ++i) {
    if (i == d.proven) out += " |";
    const GroupHeader& h = segments[d.chain[i].segment].groups[d.chain[i].group].header;
    out += h.entry_count == 0 ? " seal" : fmt::format(" {}-{}", h.first.value, h.last().value);
  }
  out += fmt::format("; last {}, proof {}", d.last.value, d.proof.value);
  if (d.clean) out += "; clean";
  for (ChainLink l : d.condemned) {
    const GroupHeader& h = segments[l.segment].groups[l.group].header;
    out += fmt::format("; condemned {}-{}", h.first.value, h.last().value);
  }
  for (JournalPlace p : d.lost_seals) out += fmt::format("; lost seal {}@{}", p.segment.value, p.offset);
  for (const CutRange& c : d.cuts) out += fmt::format("; cut {}@{}", segments[c.segment].seq.value, c.from);
  for (size_t s : d.unused) out += fmt::format("; unused {}", segments[s].seq.value);
  if (d.lost) out += fmt::format("; segment {} is lost, named by {}", d.lost->segment.value, d.lost->named_by.value);
  if (d.damage)
    out += fmt::format("; damaged {}@{}{} lost {}-{}", d.damage->place.segment.value, d.damage->place.offset,
                       d.damage->header ? " below its header" : "", d.damage->first_lost.value, d.damage->proven.value);
  return out;
}

}  // namespace holdfast::test
