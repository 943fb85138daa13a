// CollectionHistory: judges one collection whose documents are written once and never changed, but die together whenever it is dropped.
//
// Place in the system: pure; one per collection in CollectionLedger.
//
// Method: everything is told by its place in the log. An acknowledged insert or drop has an LSN; one without an answer has a range of LSNs in which it may
// stand, or stands nowhere. A document is there at LSN s exactly if its insert stands at or before s and no drop stands between the two. Whatever is
// seen narrows the ranges, and a range that becomes empty is a violation: so a drop without an answer that some documents show as done and others as not done is
// found, as are documents that outlive a drop, come back, or go without one.
//
// Sentences: what is returned is empty when everything fits, else says what does not.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "chaos/oracle/bounds.h"
#include "io/base/ids.h"

namespace holdfast::chaos {

using OperationId = uint64_t;

/// When something was looked at: at some LSN from `from` (acknowledged before it was asked) to `to` (what the answer rests on).
struct Span {
  Lsn from;
  Lsn to;
};

class CollectionHistory {
 public:
  using Key = std::string;
  using Sentence = std::string;

  // What is asked; `after`: the highest LSN that had been acknowledged then, to anyone. An insert of several is one entry.
  void insert(OperationId id, std::vector<Key> keys, Lsn after);
  void create(OperationId id, Lsn after) { insert(id, {}, after); }
  void drop(OperationId id, Lsn after);

  // How it ended. Of what was done, `lsn` is its own entry, or, when there was nothing to make or to drop, what the answer rests on.
  Sentence done(OperationId id, Lsn lsn);
  Sentence refused(OperationId id);
  void abandoned(OperationId id);

  /// The server has ended and came back with everything up to `survived`, and nothing after it. `lossy`: that may be less than was acknowledged.
  void restarted(Lsn survived, bool lossy);

  // What is seen.
  Sentence saw(const Key& key, bool there, Span span);
  Sentence saw_all(const std::set<Key>& keys, Lsn snapshot);
  Sentence saw_exists(bool there, Span span);
  Bounds count(Lsn snapshot) const;
  /// Whether it has surely been made at or before that LSN, or may have been; dropped since or not.
  bool made_by(Lsn lsn) const;
  bool may_be_made_by(Lsn lsn) const;

  /// Drops whose outcome is open.
  size_t drops_open() const;

 private:
  enum class Stage : uint8_t { kUnderWay, kAbandoned, kSettled };
  struct Insert {
    Lsn low, high = Lsn::max();  ///< its entry, if there is one, stands in (low, high]
    Lsn asked;                   ///< it may have made the collection after this, also if it is lost itself
    std::vector<Key> keys;       ///< none: it only makes the collection
    Stage stage = Stage::kUnderWay;
    bool certain = false;        ///< there is an entry
    bool never = false;          ///< there is none
    size_t drops_before_end = SIZE_MAX;  ///< how many drops had been asked for when it ended
    std::optional<Span> missed;  ///< when it was last seen to be absent
  };
  struct Range {
    Lsn low, high;  ///< (low, high]
  };
  struct Drop {
    std::vector<Range> ranges;  ///< where its entry may stand
    Lsn asked;                  ///< it may rest on this, if there is nothing to drop
    Stage stage = Stage::kUnderWay;
    bool certain = false;
    bool lies_in(Range r) const;
    bool meets(Range r) const;
    void exclude(Range r);
    void narrow(Range r);
  };
  enum class Alive : uint8_t { kNo, kMaybe, kYes };

  Sentence saw_present(Insert& i, Span span);
  Sentence saw_absent(Insert& i, Span span);
  Alive alive(const Insert& i, Lsn at) const;
  bool may_have_made(const Insert& i, Span span) const;

  std::map<OperationId, Insert> inserts_;
  std::map<OperationId, Drop> drops_;
  std::map<Key, OperationId> keys_;
};

}  // namespace holdfast::chaos
