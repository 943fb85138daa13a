// Chronicle: who asked for which change when, and was told what when; and, from that, what a server may hold that was cut off at some moment.
//
// Place in the system: pure. The Ledger judges a run while it goes on; the chronicle judges it afterwards, at as many moments as wanted. It is for runs
// whose crashes are made up later, from a record.
//
// Why it is simple: each document has one writer, who asks for its next change after the answer to the last, and leaves the document alone when no answer
// came. So a document's possible states need no search. LSNs must name entries for good: the recorded run may lose unacknowledged entries at most (its
// processes may die, its power stays on).
//
// What it holds a server to that was cut off at T and came back with everything up to LSN R:
//   1. R covers every `durable_lsn` that was heard of before T and, in sync mode, every LSN that was.
//   2. An acknowledged change, whenever it was acknowledged, is there if and only if its LSN is at most R: what survives is a prefix.
//   3. A change that was asked for before T and never answered is there or not; those of one batch are, or are not, together.
//   4. Nothing is there that nobody had asked for before T.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "chaos/oracle/ledger.h"
#include "io/base/time.h"

namespace holdfast::chaos {

class Chronicle {
 public:
  explicit Chronicle(LedgerMode mode) : mode_(mode) {}

  using ChangeId = size_t;
  /// `after` is what the document is once the change has happened. Changes of one batch are asked for at once, with the same number; 0: none.
  ChangeId asked(Time at, const DocumentName& document, const DocumentState& after, uint64_t batch = 0);
  void done(ChangeId id, Time at, Lsn lsn, Lsn durable);
  /// It is known not to have happened.
  void refused(ChangeId id);

  /// What a server that was cut off at `cut` and recovered through `recovered` cannot be, one sentence each; `there` is all that it shows.
  std::vector<std::string> judge(Time cut, Lsn recovered, const std::map<DocumentName, DocumentState>& there) const;

  /// Something that is wrong already while the run goes on.
  void violation(std::string sentence) { violations_.push_back(std::move(sentence)); }
  const std::vector<std::string>& violations() const { return violations_; }
  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t documents() const { return documents_.size(); }
  /// Acknowledged before that moment.
  uint64_t acknowledged_before(Time cut) const;

 private:
  enum class Fate : uint8_t { kUnknown, kDone, kRefused };
  struct Change {
    Time asked;
    DocumentState after;
    uint64_t batch = 0;
    Fate fate = Fate::kUnknown;
    Time told = Time::never();
    Lsn lsn;
    Lsn durable;
  };
  struct Floor {
    Lsn lsn;
    std::string why;
  };
  Floor floor_of(Time cut) const;

  LedgerMode mode_;
  std::vector<Change> changes_;
  std::map<DocumentName, std::vector<ChangeId>> documents_;
  uint64_t acknowledged_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace holdfast::chaos
