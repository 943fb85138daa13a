// The boundaries between groups that checkpoints may name, in order.
//
// Pure; belongs to the journal. Bounded by the bytes between two checkpoints: one mark of 64 bytes per group, and a group takes at least a block.
//
// A mark counts only once it is durable: a checkpoint that named a seal which a power cut takes away would break the chain for
// whoever recovers from the checkpoint before.
#pragma once

#include <deque>

#include "core/journal.h"

namespace holdfast::core {

class JournalMarks {
 public:
  /// Begins with the position that recovery started from.
  explicit JournalMarks(const JournalPosition& base) { marks_.push_back({base, 0}); }

  /// A group of `bytes` ends there.
  void add(const JournalPosition& end, uint64_t bytes) { marks_.push_back({end, marks_.back().total + bytes}); }
  /// How many groups there are; pass it to durable() when a sync that began after covers them.
  uint64_t count() const { return dropped_ + marks_.size(); }
  void durable(uint64_t count) { durable_ = std::max(durable_, count); }

  /// The newest durable mark with an LSN of at most `limit`; the oldest of all when there is none.
  JournalPosition at(Lsn limit) const {
    auto end = marks_.begin() + static_cast<ptrdiff_t>(durable_ - dropped_);
    auto after = std::upper_bound(marks_.begin(), end, limit, [](Lsn l, const Mark& m) { return l < m.position.lsn; });
    return (after == marks_.begin() ? after : after - 1)->position;
  }

  /// Bytes of groups after `position`.
  uint64_t bytes_since(const JournalPosition& position) const { return marks_.back().total - find(position)->total; }

  /// Forgets what lies before `position`.
  void drop_before(const JournalPosition& position) {
    for (auto n = find(position) - marks_.begin(); n > 0; --n) {
      marks_.pop_front();
      ++dropped_;
    }
    durable_ = std::max(durable_, dropped_ + 1);
  }

 private:
  struct Mark {
    JournalPosition position;
    uint64_t total;  ///< bytes of groups since the base
  };

  // That mark; of an unknown position the newest one before it, or the oldest.
  std::deque<Mark>::const_iterator find(const JournalPosition& p) const {
    auto earlier = [](const JournalPosition& a, const JournalPosition& b) {
      return std::tie(a.lsn, a.segment, a.offset) < std::tie(b.lsn, b.segment, b.offset);
    };
    auto after = std::upper_bound(marks_.begin(), marks_.end(), p,
                                  [&](const JournalPosition& x, const Mark& m) { return earlier(x, m.position); });
    return after == marks_.begin() ? after : after - 1;
  }

  std::deque<Mark> marks_;  // never empty
  uint64_t dropped_ = 0;
  uint64_t durable_ = 1;  // this many, counted from the first ever, are durable
};

}  // namespace holdfast::core
