// Course: what a script asked for and was told, in one life of a database; and History: what the database was at each
// LSN.
//
// A scenario is run once without a crash: the rehearsal. Its course says which LSN every step got, and so what the
// database is at every LSN. Runs that crash do the same things up to the crash: whatever they leave must be the history
// at some LSN, at least the highest that was acknowledged (or reported durable), at most that of the last step begun.
#pragma once

#include <algorithm>
#include <optional>

#include "chaos/suite/enumerate/contents.h"

namespace holdfast::chaos {

struct Step {
  enum class Kind : uint8_t { kPut, kUpdate, kDelete, kCreate, kDrop };
  Kind kind = Kind::kPut;
  std::string database;
  std::string collection;
  std::vector<std::pair<std::string, uint64_t>> documents;  ///< key and value; one entry for all of them
  std::vector<Step> together;  ///< changes that are in the same entry, of any collections that are there
};

class Course {
 public:
  struct Asked {
    Step step;
    std::optional<Lsn> lsn;  ///< of its entry; nothing: not answered
    bool changed = false;
  };

  void opened(Lsn at) { opened_ = at; }
  size_t ask(Step step);
  void told(size_t index, bool changed, Lsn lsn, Lsn durable);
  /// Somebody was told that everything through there is durable.
  void reported(Lsn durable) { durable_ = std::max(durable_, durable); }
  /// That step was refused, and nothing of it was done.
  void refused(size_t index) { told(index, false, Lsn(), Lsn()); }

  const std::vector<Asked>& asked() const { return asked_; }
  /// The LSN that the database opened with; nothing while it opens.
  std::optional<Lsn> opened() const { return opened_; }
  Lsn acknowledged() const { return acknowledged_; }
  Lsn durable() const { return durable_; }
  /// Two courses with the same digest leave the same promises.
  uint64_t digest() const;

 private:
  std::vector<Asked> asked_;
  std::optional<Lsn> opened_;
  Lsn acknowledged_;
  Lsn durable_;
};

class History {
 public:
  /// Continues with what the course did, from the LSN it opened at; what was above that LSN is no more.
  /// Errors: kInternal when its LSNs do not fit together.
  Result<> extend(const Course& course);
  /// Null when there is no such LSN.
  const Contents* at(Lsn lsn) const;
  Lsn last() const { return Lsn(states_.size() - 1); }
  /// All keys that ever were.
  std::vector<std::string> keys() const;

 private:
  static Result<> apply(const Step& step, Contents& contents);
  std::vector<Contents> states_{Contents()};  // by LSN
};

}  // namespace holdfast::chaos
