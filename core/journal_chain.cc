#include "core/journal_chain.h"

#include <algorithm>

#include "io/base/probe.h"

namespace holdfast::core {

namespace {

// A point between two groups of the chain.
struct Boundary {
  Lsn lsn;
  Hash128 hash;
};

bool follows(const GroupHeader& group, const Boundary& at) {
  if (MUTANT("continue-after-bad-group")) return group.first > at.lsn;
  return group.first == at.lsn.next() && group.previous == at.hash;
}

class ChainBuilder {
 public:
  enum class Over : uint8_t { kSound, kNamedDamage };

  ChainBuilder(const JournalPosition& base, const std::vector<ScannedSegment>& segments, Over over)
      : segments_(segments), lenient_(over == Over::kNamedDamage) {
    boundaries_.push_back({base.lsn, base.chain});
    out_.proof = base.lsn;
    end_segment_ = base.segment.value != 0 ? std::optional<size_t>(0) : std::nullopt;
    end_offset_ = base.offset;
  }

  ChainDecision build() {
    for (size_t s = 0; s < segments_.size(); ++s) add_segment(s);
    if (lenient_) keep_confirmed();
    if (MUTANT("cut-tail-comes-back")) add_anything_that_counts_on();
    out_.last = boundaries_.back().lsn;
    for (const ScannedSegment& s : segments_)
      for (const ScannedGroup& g : s.groups) {
        out_.proof = std::max(out_.proof, g.header.durable);
        if (MUTANT("valid-group-is-proof")) out_.proof = std::max(out_.proof, Lsn(g.header.first.value - 1));
      }
    count_proven();
    find_leftovers();
    const ScannedGroup* end = out_.chain.empty() ? nullptr : &group(out_.chain.back());
    out_.clean = end && end->header.clean && out_.cuts.empty();
    if (out_.proof > out_.last && !MUTANT("corrupt-cut-as-torn")) out_.damage = find_damage();
    return std::move(out_);
  }

 private:
  const ScannedGroup& group(ChainLink l) const { return segments_[l.segment].groups[l.group]; }

  // The point of the chain that a group links to; the newest such point, as a seal's has the same LSN as the one before it.
  std::optional<size_t> link_point(const GroupHeader& first) const {
    for (size_t b = boundaries_.size(); b-- > 0;) {
      if (follows(first, boundaries_[b])) return b;
      if (boundaries_[b].lsn.value + 1 < first.first.value) break;
    }
    return std::nullopt;
  }

  void add_segment(size_t s) {
    const ScannedSegment& segment = segments_[s];
    if (segment.groups.empty()) return;
    const ScannedGroup& first = segment.groups.front();
    if (first.header.place.offset != segment.start && !MUTANT("continue-after-bad-group")) return;
    if (!usable(first)) return;
    auto point = link_point(first.header);
    if (!point) return;
    if (*point + 1 < boundaries_.size()) {
      SOMETIMES(true, "journal-superseded");
      cut_chain(*point);
    }
    uint64_t offset = segment.start;
    for (size_t g = 0; g < segment.groups.size(); ++g) {
      const ScannedGroup& next = segment.groups[g];
      if (lenient_ && usable(next) && lost_seal_before(segment, g, offset)) {
        lost_seals_.push_back({out_.chain.size(), {segment.seq, offset}, boundaries_.back().hash});
        boundaries_.back().hash = next.header.previous;
        offset = next.header.place.offset;
      }
      bool bad = !usable(next) || next.header.place.offset != offset;
      if (bad && MUTANT("continue-after-bad-group") && next.sound) bad = false;
      if (bad || !follows(next.header, boundaries_.back())) {
        if (MUTANT("continue-after-bad-group")) continue;
        break;
      }
      out_.chain.push_back({s, g});
      boundaries_.push_back({next.header.last(), next.hash});
      offset = next.end();
    }
    end_segment_ = s;
    end_offset_ = offset;
  }

  bool usable(const ScannedGroup& g) const { return g.sound || (lenient_ && g.legible); }

  void cut_chain(size_t length) {
    boundaries_.resize(length + 1);
    out_.chain.resize(length);
    while (!lost_seals_.empty() && lost_seals_.back().before >= length) {
      if (lost_seals_.back().before == length) boundaries_.back().hash = lost_seals_.back().hash_before;
      lost_seals_.pop_back();
    }
  }

  // Whether all that is missing between the end of the chain, at `offset` of this segment, and group `g` is one block where the same life of the
  // journal wrote no entries: a seal.
  bool lost_seal_before(const ScannedSegment& segment, size_t g, uint64_t offset) const {
    if (g == 0) return false;
    const GroupHeader& before = segment.groups[g - 1].header;
    const GroupHeader& next = segment.groups[g].header;
    return segment.groups[g - 1].end() == offset && next.place.offset == offset + kJournalBlock &&
           next.incarnation == before.incarnation && next.first == boundaries_.back().lsn.next();
  }

  // A group that is not sound, and one behind a lost seal, stay in the chain when a later group of it says that they were durable.
  void keep_confirmed() {
    size_t keep = out_.chain.size();
    Lsn durable;
    for (size_t i = out_.chain.size(); i-- > 0;) {
      const ScannedGroup& g = group(out_.chain[i]);
      bool doubtful = !g.sound || std::any_of(lost_seals_.begin(), lost_seals_.end(), [&](const LostSeal& x) { return x.before == i; });
      if (doubtful && durable < g.header.last()) {
        keep = i;
        durable = Lsn();  // what came after says nothing any more
      }
      durable = std::max(durable, g.header.durable);
    }
    if (keep < out_.chain.size()) {
      const JournalPlace end = group(out_.chain[keep]).header.place;
      end_segment_ = out_.chain[keep].segment;
      end_offset_ = end.offset;
      cut_chain(keep);
    }
    for (ChainLink l : out_.chain)
      if (!group(l).sound) out_.condemned.push_back(l);
    for (const LostSeal& x : lost_seals_) out_.lost_seals.push_back(x.place);
  }

  // Only for a planted bug: what follows is told by its LSN instead of by the chain's hash.
  void add_anything_that_counts_on() {
    for (size_t s = 0; s < segments_.size(); ++s)
      for (size_t g = 0; g < segments_[s].groups.size(); ++g) {
        const ScannedGroup& next = segments_[s].groups[g];
        if (!next.sound || next.header.entry_count == 0 || next.header.first != boundaries_.back().lsn.next()) continue;
        out_.chain.push_back({s, g});
        boundaries_.push_back({next.header.last(), next.hash});
      }
  }

  // Proven: through the last group with entries that the proof reaches. A seal behind it proves, but is itself unproven.
  void count_proven() {
    for (size_t i = 0; i < out_.chain.size(); ++i) {
      const GroupHeader& h = group(out_.chain[i]).header;
      if (h.entry_count > 0 && h.first <= out_.proof) out_.proven = i + 1;
    }
  }

  void find_leftovers() {
    for (size_t s = end_segment_.value_or(0); s < segments_.size(); ++s) {
      const ScannedSegment& segment = segments_[s];
      bool at_end = end_segment_ == s;
      uint64_t from = at_end ? end_offset_ : kJournalBlock;
      if (segment.used_end > from) {
        out_.cuts.push_back({s, from, segment.used_end});
      } else if (!at_end) {
        out_.unused.push_back(s);
      }
    }
  }

  JournalDamage find_damage() const {
    JournalDamage d;
    d.first_lost = out_.last.next();
    d.proven = out_.proof;
    // Where the segment breaks off that goes on to the newest proof.
    for (size_t s = segments_.size(); s-- > 0;) {
      const std::vector<ScannedGroup>& groups = segments_[s].groups;
      for (size_t g = groups.size(); g-- > 0;) {
        if (groups[g].header.durable < out_.proof) continue;
        auto hole = hole_before(segments_[s], g);
        if (!hole) continue;
        d.place = {segments_[s].seq, *hole};
        d.header = std::any_of(groups.begin(), groups.end(), [&](const ScannedGroup& x) { return x.header.place == d.place; });
        return d;
      }
    }
    // Or a header, the newest, of a group that held the first lost LSN leads to the place.
    for (size_t s = segments_.size(); s-- > 0;) {
      const std::vector<ScannedGroup>& groups = segments_[s].groups;
      for (size_t g = 0; g < groups.size(); ++g) {
        const GroupHeader& h = groups[g].header;
        if (h.entry_count == 0 || h.first > d.first_lost || h.last() < d.first_lost) continue;
        if (!groups[g].sound) {
          d.place = h.place;
          d.header = true;
          return d;
        }
        if (auto hole = hole_before(segments_[s], g)) {
          d.place = {segments_[s].seq, *hole};
          return d;
        }
      }
    }
    // Otherwise it stood where the chain ends, or at the start of the next segment when nothing was ever written there.
    if (end_segment_) d.place = {segments_[*end_segment_].seq, end_offset_};
    if (out_.cuts.empty()) return d;
    d.place = {segments_[out_.cuts.front().segment].seq, out_.cuts.front().from};
    if (auto place = end_of_segment_before(out_.cuts.front())) d.place = *place;
    return d;
  }

  // When what was cut is a whole segment that begins with a sound group: the hole is in the segment that it names,
  // behind what is there.
  std::optional<JournalPlace> end_of_segment_before(const CutRange& cut) const {
    const ScannedSegment& segment = segments_[cut.segment];
    if (segment.groups.empty() || segment.groups.front().header.place.offset != cut.from ||
        !segment.groups.front().sound)
      return std::nullopt;
    auto before = std::ranges::find(segments_, segment.previous, &ScannedSegment::seq);
    if (before == segments_.end()) return std::nullopt;
    return JournalPlace{before->seq, before->groups.empty() ? before->start : before->groups.back().end()};
  }

  // Where, before that group, its segment is not what was written: the chain broke there.
  static std::optional<uint64_t> hole_before(const ScannedSegment& segment, size_t g) {
    for (;; --g) {
      uint64_t expected = g == 0 ? segment.start : segment.groups[g - 1].end();
      if (segment.groups[g].header.place.offset != expected) return expected;
      if (g == 0) return std::nullopt;
      if (!segment.groups[g - 1].sound) return segment.groups[g - 1].header.place.offset;
    }
  }

  struct LostSeal {
    size_t before;  // in the chain
    JournalPlace place;
    Hash128 hash_before;  // what the chain links to where the seal is not gone over
  };

  const std::vector<ScannedSegment>& segments_;
  const bool lenient_;
  std::vector<LostSeal> lost_seals_;
  ChainDecision out_;
  std::vector<Boundary> boundaries_;  // boundaries_[i] is before chain[i]
  std::optional<size_t> end_segment_;  // where the chain ends
  uint64_t end_offset_ = 0;
};

}  // namespace

namespace {

/// The newest that is named and not there. Segments that were removed unused, or superseded before they were, are named
/// by none that came after.
std::optional<LostSegment> find_missing(const JournalPosition& base, const std::vector<ScannedSegment>& segments) {
  if (segments.empty() || MUTANT("missing-segment-unnoticed")) return std::nullopt;
  const ScannedSegment* at = &segments.back();
  while (at->previous != SegmentSeq(0) && at->previous >= base.segment) {
    auto before = std::ranges::lower_bound(segments, at->previous, {}, &ScannedSegment::seq);
    if (before->seq != at->previous) return LostSegment{at->previous, at->seq};
    at = &*before;
  }
  return std::nullopt;
}

ChainDecision decide(const JournalPosition& base, const std::vector<ScannedSegment>& segments) {
  ChainDecision strict = ChainBuilder(base, segments, ChainBuilder::Over::kSound).build();
  if (!strict.damage) return strict;
  ChainDecision lenient = ChainBuilder(base, segments, ChainBuilder::Over::kNamedDamage).build();
  return lenient.damage ? strict : lenient;
}

}  // namespace

ChainDecision decide_chain(const JournalPosition& base, const std::vector<ScannedSegment>& segments) {
  ChainDecision decision = decide(base, segments);
  decision.lost = find_missing(base, segments);
  bool outdated = !segments.empty() && segments.front().outdated && decision.chain.empty();
  if (!decision.lost && outdated && !MUTANT("older-segment-accepted"))
    decision.lost = LostSegment{base.segment, SegmentSeq(0)};
  return decision;
}

}  // namespace holdfast::core
