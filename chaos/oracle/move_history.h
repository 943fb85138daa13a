// MoveHistory: judges a fixed set of documents, each in a group, that requests move from one group to another, many at once.
//
// Place in the system: pure; beside CollectionHistory and DocumentHistory. Each document keeps a log of the moves that it took part in, so what is
// seen at one moment tells what happened to it, and in which order.
//
// What it holds a server to:
//   1. A move takes all documents or none: whenever all documents are seen, it is in the logs of the very same ones, and of as many as was answered.
//   2. It is seen from its LSN on, and never before it was asked for, nor when it was refused.
//   3. Snapshot isolation (Berenson et al., 1995): there is one moment, after what was acknowledged when it was asked for, at which exactly the documents that it
//      moved were in its group, and from which to its own LSN nobody else moved any of them. So no move is lost, and none acts on what it has not seen.
//   4. What was answered as "none there" or "one does not allow it" was so at some such moment.
//
// Method: everything has a place in the log, or a range of places when no answer came; what is seen narrows the range. Sentences: empty when all fits.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/base/ids.h"

namespace holdfast::chaos {

class MoveHistory {
 public:
  using Document = uint64_t;  ///< 0 … documents - 1
  using MoveId = uint64_t;
  using Sentence = std::string;

  MoveHistory(uint64_t documents, uint64_t groups) : documents_(documents), groups_(groups) {}

  uint64_t documents() const { return documents_; }
  uint64_t groups() const { return groups_; }
  /// How documents are made.
  uint64_t first_group(Document d) const { return d % groups_; }
  static bool is_stubborn(Document d) { return d % 4 == 3; }

  struct Move {
    uint64_t from = 0;
    uint64_t to = 0;
    std::optional<Document> only;       ///< of all in the group this one alone
    bool first = false;                 ///< of all in the group the one that was moved least often, of those the one with the least number
    bool refused_by_stubborn = false;   ///< stubborn documents do not allow it
  };
  MoveId ask(const Move& move, Lsn after);
  void moved(MoveId id, Lsn lsn, uint64_t documents);
  void none_there(MoveId id, Lsn at);
  void not_allowed(MoveId id);
  void refused(MoveId id);
  void unknown(MoveId id);

  /// The documents have been made, at or before that LSN.
  void made(Lsn by) { made_by_ = std::min(made_by_, by); }
  Lsn made_by() const { return made_by_; }  ///< LSN's maximum while that is not known
  /// The server came back with everything up to `survived` and nothing after it. `lossy`: that may be less than was acknowledged.
  void restarted(Lsn survived, bool lossy);

  struct Shown {
    uint64_t group = 0;
    std::vector<MoveId> log;
  };
  /// All documents at one snapshot.
  Sentence saw(const std::map<Document, Shown>& all, Lsn snapshot);
  /// What of all that was asked cannot have been, by what was seen last.
  std::vector<Sentence> judge();

 private:
  enum class Fate : uint8_t { kUnderWay, kMoved, kNoneThere, kNotAllowed, kRefused, kUnknown, kLost };
  struct Asked {
    Move move;
    Lsn after;
    Fate fate = Fate::kUnderWay;
    Lsn low, high = Lsn::max();  ///< its entry, if there is one, stands in (low, high]
    Lsn at;                      ///< what an answer without an entry rests on
    uint64_t count = 0;          ///< as answered
    std::set<Document> seen;     ///< who took part, as was seen
    Lsn seen_at;
    bool comparable = true;      ///< false: asked of a server that has lost something since
  };
  Sentence replay(Document d, const Shown& shown) const;
  Sentence present(MoveId id, Asked& asked, const std::set<Document>& in, Lsn snapshot);
  Sentence absent(MoveId id, Asked& asked, Lsn snapshot);
  void narrow();
  uint64_t group_after(Document d, size_t moves) const;
  bool may_stand(Document d, size_t moves, Lsn at) const;
  bool could_be_in(Document d, uint64_t group, Lsn at) const;
  bool could_be_elsewhere(Document d, uint64_t group, Lsn at) const;
  bool could_come_after(Document d, uint64_t group, std::pair<size_t, Document> first, Lsn at) const;
  bool fits(MoveId id, const Asked& asked, Lsn at) const;
  std::set<Lsn> moments(const Asked& asked, Lsn last) const;

  uint64_t documents_;
  uint64_t groups_;
  Lsn made_by_ = Lsn::max();
  std::map<MoveId, Asked> asked_;
  MoveId last_id_ = 0;
  std::map<Document, Shown> last_;  // as seen at the newest snapshot
  Lsn last_at_;
};

}  // namespace holdfast::chaos
