// The boundaries between groups that checkpoints may name, in order.
//
// Only ends of groups with entries are kept, never of seals: a new life goes on from the last such end and drops the seals behind it, so a checkpoint
// that named a seal's end would not be part of the chain any more.
//
// Pure; belongs to the journal. Bounded by the bytes between two checkpoints: one mark of 64 bytes per group, and a group takes at least a block.
#pragma once

#include <deque>

#include "core/journal.h"

namespace holdfast::core {

class JournalMarks {
 public:
  /// Begins with the position that recovery started from.
  explicit JournalMarks(const JournalPosition& base) { marks_.push_back({base, 0}); }

  /// A group with entries ends there, `bytes` after the one before it, seals included.
  void add(const JournalPosition& end, uint64_t bytes) { marks_.push_back({end, marks_.back().total + bytes}); }

  /// The newest mark with an LSN of at most `limit`; the oldest of all when there is none.
  JournalPosition at(Lsn limit) const {
    auto after = std::upper_bound(marks_.begin(), marks_.end(), limit, [](Lsn l, const Mark& m) { return l < m.position.lsn; });
    return (after == marks_.begin() ? after : after - 1)->position;
  }

  /// Bytes of groups after `position`.
  uint64_t bytes_since(const JournalPosition& position) const { return marks_.back().total - find(position)->total; }

  /// Forgets what lies before `position`.
  void drop_before(const JournalPosition& position) {
    marks_.erase(marks_.begin(), find(position));
  }

 private:
  struct Mark {
    JournalPosition position;
    uint64_t total;  ///< bytes of groups since the base
  };

  // That mark; of an unknown position the newest one before it, or the oldest.
  std::deque<Mark>::const_iterator find(const JournalPosition& p) const {
    auto after = std::upper_bound(marks_.begin(), marks_.end(), p.lsn, [](Lsn l, const Mark& m) { return l < m.position.lsn; });
    return after == marks_.begin() ? after : after - 1;
  }

  std::deque<Mark> marks_;  // never empty
};

}  // namespace holdfast::core
