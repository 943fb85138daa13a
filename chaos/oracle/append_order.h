// AppendOrder: what is known of one list that transactions append to: its order, and through which LSN how much of it
// was seen.
//
// Place in the system: pure; AppendHistory has one per key. A *run* is what one transaction appended to this key,
// whole.
//
// Invariants:
//   1. Every list seen is a beginning of `values()`, and ends where a run ends.
//   2. The higher the LSN of a snapshot, the longer the list; one LSN, one length.
//   3. A run whose LSN is known is in exactly the snapshots from that LSN on, and runs stand in the order of their
//   LSNs.
// Functions that are told something return what contradicts these, as a sentence; empty when all fits.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "io/base/ids.h"

namespace holdfast::chaos {

class AppendOrder {
 public:
  using Value = uint64_t;
  using List = std::vector<Value>;
  using Writer = uint64_t;  ///< a transaction's number
  using Sentence = std::string;
  struct Run {
    Writer by = 0;
    size_t end = 0;  ///< it ends in front of that value
  };

  const List& values() const { return values_; }
  const std::vector<Run>& runs() const { return runs_; }
  size_t begin_of(size_t run) const { return run == 0 ? 0 : runs_[run - 1].end; }
  /// How many runs end within that many values; the length must be one where a run ends for the runs to be all of it.
  size_t runs_within(size_t length) const;
  std::optional<size_t> run_of(Writer by) const;

  /// The next run in the order.
  Sentence place(Writer by, const List& run);
  /// A snapshot at that LSN shows so many values. Requires that the order knows them.
  Sentence saw(size_t length, Lsn snapshot);
  /// The server says that this writer's run stands at that LSN.
  Sentence acknowledge(Writer by, Lsn lsn);

  /// The highest snapshot that does not show the run, or what was appended by whoever is not in the order yet.
  Lsn hidden_at(std::optional<size_t> run) const;
  /// The lowest that shows it; the maximum when none does.
  Lsn shown_at(size_t run) const;
  /// LSNs that were acknowledged, and by whom the entry is.
  const std::map<Lsn, Writer>& acknowledged() const { return acknowledged_; }

  /// The server has lost everything after that LSN: of the order so many runs are still certain.
  void lose_after(Lsn survived, size_t runs);

 private:
  struct Look {
    Lsn at;
    size_t length = 0;
  };
  Sentence fits_acknowledged(size_t run, Lsn lsn) const;
  std::string tell(size_t run) const;

  List values_;
  std::vector<Run> runs_;
  std::unordered_map<Writer, size_t> run_of_;  // never iterated
  std::vector<Look> looks_;                    // by LSN, and so by length
  std::map<Lsn, Writer> acknowledged_;
  std::unordered_map<Writer, Lsn> lsn_of_;  // the same the other way round
  std::map<Lsn, size_t> placed_;            // acknowledged and in the order: which run
  std::map<Lsn, Writer> unplaced_;          // acknowledged, and nobody has seen it
};

/// For sentences: the end of a long list.
std::string show(const AppendOrder::List& list);

}  // namespace holdfast::chaos
