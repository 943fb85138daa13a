#include "chaos/oracle/move_history.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "io/base/assert.h"

namespace holdfast::chaos {

// ---- What was asked and answered ----

MoveHistory::MoveId MoveHistory::ask(const Move& move, Lsn after) {
  asked_[++last_id_] = {.move = move, .after = after, .low = after};
  return last_id_;
}

void MoveHistory::moved(MoveId id, Lsn lsn, uint64_t documents) {
  Asked& a = asked_.at(id);
  a.fate = Fate::kMoved;
  a.count = documents;
  a.low = std::max(a.low, Lsn(lsn.value - 1));
  a.high = std::min(a.high, lsn);
}

void MoveHistory::none_there(MoveId id, Lsn at) {
  asked_.at(id).fate = Fate::kNoneThere;
  asked_.at(id).at = at;
}

void MoveHistory::not_allowed(MoveId id) { asked_.at(id).fate = Fate::kNotAllowed; }

void MoveHistory::refused(MoveId id) { asked_.at(id).fate = Fate::kRefused; }

void MoveHistory::unknown(MoveId id) { asked_.at(id).fate = Fate::kUnknown; }

void MoveHistory::restarted(Lsn survived, bool lossy) {
  if (!lossy) return;
  if (made_by_ > survived) made_by_ = Lsn::max();
  for (auto& [id, a] : asked_) {
    if (a.fate == Fate::kMoved && a.high <= survived) continue;
    a.comparable = a.comparable && a.fate == Fate::kNoneThere && a.at <= survived;
    if (a.fate == Fate::kMoved) a.fate = Fate::kLost;
    if (a.seen_at > survived) a.seen.clear();
    if (!a.seen.empty() || (a.fate != Fate::kUnderWay && a.fate != Fate::kUnknown)) continue;
    a.after = std::min(a.after, survived);  // the one that came back may execute it, too
    a.low = Lsn();
    a.high = Lsn::max();
  }
  last_.clear();
  last_at_ = Lsn();
}

// ---- What is seen ----

/// Whether the log leads from how the document was made to what it is.
MoveHistory::Sentence MoveHistory::replay(Document d, const Shown& shown) const {
  uint64_t group = first_group(d);
  std::set<MoveId> once;
  for (MoveId id : shown.log) {
    auto a = asked_.find(id);
    if (a == asked_.end()) return fmt::format("document {} was moved by {}, which nobody asked for", d, id);
    const Move& m = a->second.move;
    if (!once.insert(id).second) return fmt::format("document {} was moved twice by {}", d, id);
    if (m.only && *m.only != d) return fmt::format("document {} was moved by {}, which was to move document {} alone", d, id, *m.only);
    if (m.refused_by_stubborn && is_stubborn(d)) return fmt::format("document {} was moved by {}, which it does not allow", d, id);
    if (m.from != group) return fmt::format("document {} was in group {} when {} moved it from {} to {}; its moves: {}", d, group, id, m.from, m.to, shown.log);
    group = m.to;
  }
  if (group != shown.group) return fmt::format("document {} is in group {}, but its moves {} lead to {}", d, shown.group, shown.log, group);
  return {};
}

MoveHistory::Sentence MoveHistory::present(MoveId id, Asked& a, const std::set<Document>& in, Lsn snapshot) {
  if (a.fate == Fate::kRefused || a.fate == Fate::kNoneThere || a.fate == Fate::kNotAllowed || a.fate == Fate::kLost)
    return fmt::format("move {} did not happen, by what was answered or lost, but documents {} show it", id, in);
  if (a.fate == Fate::kMoved && in.size() != a.count)
    return fmt::format("move {} moved {} documents, as was answered, but at LSN {} {} show it", id, a.count, snapshot.value, in);
  if (a.move.first && in.size() != 1) return fmt::format("move {} was to move one document, but documents {} show it", id, in);
  if (!a.seen.empty() && a.seen != in)
    return fmt::format("move {} was seen of documents {} at LSN {}, and at LSN {} of {}", id, a.seen, a.seen_at.value, snapshot.value, in);
  if (a.seen.empty() || snapshot < a.seen_at) a.seen_at = snapshot;
  a.seen = in;
  if (snapshot <= a.low)
    return fmt::format("move {} stands after LSN {}, but a snapshot at LSN {} shows it of {}", id, a.low.value, snapshot.value, in);
  a.high = std::min(a.high, snapshot);
  return {};
}

MoveHistory::Sentence MoveHistory::absent(MoveId id, Asked& a, Lsn snapshot) {
  bool happened = a.fate == Fate::kMoved || !a.seen.empty();
  if (happened && a.high <= snapshot)
    return fmt::format("move {} stands at or before LSN {}, but no document shows it at LSN {}", id, a.high.value, snapshot.value);
  a.low = std::max(a.low, snapshot);
  return {};
}

MoveHistory::Sentence MoveHistory::saw(const std::map<Document, Shown>& all, Lsn snapshot) {
  if (all.empty() && snapshot < made_by_) return {};
  if (all.size() != documents_) return fmt::format("{} of {} documents are there at LSN {}", all.size(), documents_, snapshot.value);
  std::map<MoveId, std::set<Document>> in;
  for (const auto& [d, shown] : all) {
    if (Sentence wrong = replay(d, shown); !wrong.empty()) return wrong;
    for (MoveId id : shown.log) in[id].insert(d);
  }
  for (auto& [id, a] : asked_) {
    auto shown = in.find(id);
    Sentence wrong = shown == in.end() ? absent(id, a, snapshot) : present(id, a, shown->second, snapshot);
    if (!wrong.empty()) return wrong;
  }
  if (snapshot >= last_at_) {
    last_ = all;
    last_at_ = snapshot;
  }
  return {};
}

// ---- At the end ----

/// Of two moves of one document the first stands before the second.
void MoveHistory::narrow() {
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [d, shown] : last_)
      for (size_t i = 1; i < shown.log.size(); ++i) {
        Asked& first = asked_.at(shown.log[i - 1]);
        Asked& second = asked_.at(shown.log[i]);
        if (second.low <= first.low) {
          second.low = Lsn(first.low.value + 1);
          changed = true;
        }
        if (first.high >= second.high && second.high < Lsn::max()) {
          first.high = Lsn(second.high.value - 1);
          changed = true;
        }
        if (first.low >= first.high || second.low >= second.high) return;
      }
  }
}

uint64_t MoveHistory::group_after(Document d, size_t moves) const {
  return moves == 0 ? first_group(d) : asked_.at(last_.at(d).log[moves - 1]).move.to;
}

/// Whether the document may have had exactly that many of its moves behind it.
bool MoveHistory::may_stand(Document d, size_t moves, Lsn at) const {
  const std::vector<MoveId>& log = last_.at(d).log;
  if (moves > 0 && asked_.at(log[moves - 1]).low >= at) return false;
  return moves == log.size() || asked_.at(log[moves]).high > at;
}

bool MoveHistory::could_be_in(Document d, uint64_t group, Lsn at) const {
  for (size_t n = 0; n <= last_.at(d).log.size(); ++n)
    if (group_after(d, n) == group && may_stand(d, n, at)) return true;
  return false;
}

bool MoveHistory::could_be_elsewhere(Document d, uint64_t group, Lsn at) const {
  for (size_t n = 0; n <= last_.at(d).log.size(); ++n)
    if (group_after(d, n) != group && may_stand(d, n, at)) return true;
  return false;
}

/// Whether the document may have been elsewhere, or behind `first` in the order of moves and numbers.
bool MoveHistory::could_come_after(Document d, uint64_t group, std::pair<size_t, Document> first, Lsn at) const {
  for (size_t n = 0; n <= last_.at(d).log.size(); ++n)
    if (may_stand(d, n, at) && (group_after(d, n) != group || std::pair(n, d) > first)) return true;
  return false;
}

/// Whether what the move did is what it had to do of what was there at that moment.
bool MoveHistory::fits(MoveId id, const Asked& a, Lsn at) const {
  bool allowed = true;
  // Of a move of the first one, that one: how often it had been moved, and its number.
  std::optional<std::pair<size_t, Document>> first;
  if (a.move.first && !a.seen.empty()) {
    const std::vector<MoveId>& log = last_.at(*a.seen.begin()).log;
    first = {static_cast<size_t>(std::ranges::find(log, id) - log.begin()), *a.seen.begin()};
  }
  for (const auto& [d, shown] : last_) {
    if (a.move.only && *a.move.only != d) continue;
    if (first && d != first->second) {
      if (!could_come_after(d, a.move.from, *first, at)) return false;
      continue;
    }
    auto place = std::ranges::find(shown.log, id);
    if (place != shown.log.end()) {
      if (!may_stand(d, static_cast<size_t>(place - shown.log.begin()), at)) return false;
    } else if (a.fate == Fate::kNotAllowed) {
      allowed = allowed && !(is_stubborn(d) && could_be_in(d, a.move.from, at));
    } else if (!could_be_elsewhere(d, a.move.from, at)) {
      return false;
    }
  }
  return a.fate != Fate::kNotAllowed || !allowed;
}

/// Where something may change, and the first.
std::set<Lsn> MoveHistory::moments(const Asked& a, Lsn last) const {
  std::set<Lsn> out = {a.after};
  for (const auto& [d, shown] : last_)
    for (MoveId id : shown.log)
      for (Lsn at : {asked_.at(id).high, Lsn(asked_.at(id).low.value + 1)})
        if (at > a.after && at <= last) out.insert(at);
  return out;
}

std::vector<MoveHistory::Sentence> MoveHistory::judge() {
  std::vector<Sentence> out;
  if (last_.empty()) return out;
  narrow();
  for (const auto& [id, a] : asked_) {
    bool happened = !a.seen.empty() && a.high <= last_at_;
    if (happened && a.low >= a.high) out.push_back(fmt::format("move {} has no place in the log that fits the moves before and after it", id));
    bool said = a.fate == Fate::kNoneThere || a.fate == Fate::kNotAllowed;
    if (!happened && !(said && a.comparable && a.at <= last_at_)) continue;
    // Errors do not say what they rest on: something before now.
    Lsn end = happened ? Lsn(a.high.value - 1) : a.fate == Fate::kNotAllowed ? last_at_ : a.at;
    if (std::ranges::any_of(moments(a, end), [&, id = id](Lsn at) { return fits(id, a, at); })) continue;
    out.push_back(fmt::format("move {} from group {} to {} was asked for after LSN {} and {}, but that is right at no moment from there to LSN {}", id, a.move.from,
                              a.move.to, a.after.value,
                              happened                       ? fmt::format("moved documents {}", a.seen)
                              : a.fate == Fate::kNoneThere ? "found none there"
                                                             : "was not allowed",
                              end.value));
  }
  return out;
}

}  // namespace holdfast::chaos
