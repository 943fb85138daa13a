#include "core/journal_chain.h"

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
  ChainBuilder(const JournalPosition& base, const std::vector<ScannedSegment>& segments) : segments_(segments) {
    boundaries_.push_back({base.lsn, base.chain});
    out_.proof = base.lsn;
    end_segment_ = base.segment.value != 0 ? std::optional<size_t>(0) : std::nullopt;
    end_offset_ = base.offset;
  }

  ChainDecision build() {
    for (size_t s = 0; s < segments_.size(); ++s) add_segment(s);
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
    if (!first.sound) return;
    auto point = link_point(first.header);
    if (!point) return;
    if (*point + 1 < boundaries_.size()) {
      SOMETIMES(true, "journal-superseded");
      boundaries_.resize(*point + 1);
      out_.chain.resize(*point);
    }
    uint64_t offset = segment.start;
    for (size_t g = 0; g < segment.groups.size(); ++g) {
      const ScannedGroup& next = segment.groups[g];
      bool bad = !next.sound || next.header.place.offset != offset;
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
    // A header, the newest, of a group that held the first lost LSN leads to the place.
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
    if (!out_.cuts.empty()) d.place = {segments_[out_.cuts.front().segment].seq, out_.cuts.front().from};
    return d;
  }

  // The group itself is sound: what went before it in its segment is not, and that is where the chain broke.
  static std::optional<uint64_t> hole_before(const ScannedSegment& segment, size_t g) {
    for (;; --g) {
      uint64_t expected = g == 0 ? segment.start : segment.groups[g - 1].end();
      if (segment.groups[g].header.place.offset != expected) return expected;
      if (g == 0) return std::nullopt;
      if (!segment.groups[g - 1].sound) return segment.groups[g - 1].header.place.offset;
    }
  }

  const std::vector<ScannedSegment>& segments_;
  ChainDecision out_;
  std::vector<Boundary> boundaries_;  // boundaries_[i] is before chain[i]
  std::optional<size_t> end_segment_;  // where the chain ends
  uint64_t end_offset_ = 0;
};

}  // namespace

ChainDecision decide_chain(const JournalPosition& base, const std::vector<ScannedSegment>& segments) {
  return ChainBuilder(base, segments).build();
}

}  // namespace holdfast::core
