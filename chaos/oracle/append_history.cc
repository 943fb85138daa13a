#include "chaos/oracle/append_history.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/base/assert.h"

namespace holdfast::chaos {

// ---- Sentences ----

std::string AppendHistory::tell(TransactionId id) const {
  const Transaction& t = at(id);
  std::string out = fmt::format("transaction {} (", id);
  if (t.snapshot) out += fmt::format("snapshot LSN {}, ", t.snapshot->value);
  if (t.validated) out += "validated, ";
  if (t.lsn) return out + fmt::format("committed at LSN {})", t.lsn->value);
  switch (t.fate) {
    case Fate::kOpen:
      return out + "open)";
    case Fate::kAsked:
      return out + "without an answer)";
    case Fate::kCommitted:
      return out + "read only)";
    case Fate::kRefused:
      return out + "refused)";
    case Fate::kRolledBack:
      return out + "rolled back)";
    case Fate::kLost:
      return out + "lost)";
  }
  return out + ")";
}

AppendHistory::Sentence AppendHistory::about(Key key, Sentence wrong) const {
  return wrong.empty() ? wrong : fmt::format("{}: {}", name(key), wrong);
}

// ---- What is asked ----

AppendHistory::TransactionId AppendHistory::ask(Lsn after) {
  Transaction& t = transactions_[++last_id_];
  t.after = after;
  t.epoch = epoch_;
  t.asked_at = ++now_;
  return last_id_;
}

AppendHistory::TransactionId AppendHistory::begin(Reads reads, Lsn after) {
  TransactionId id = ask(after);
  at(id).validated = reads == Reads::kValidated;
  return id;
}

void AppendHistory::add_append(TransactionId id, Key key, Value value) {
  bool first = sources_.emplace(value, Source{id, key}).second;
  HF_ASSERT(first, "whoever appends draws numbers that nobody else has");
  Transaction& t = at(id);
  if (!t.appends.contains(key)) touched_[key].push_back(id);
  t.appends[key].push_back(value);
}

void AppendHistory::append(TransactionId id, Key key, Value value) {
  HF_ASSERT(at(id).fate == Fate::kOpen, "nobody appends to a transaction that is over");
  ++now_;
  add_append(id, key, value);
}

void AppendHistory::commit(TransactionId id, Lsn after) {
  Transaction& t = at(id);
  ++now_;
  if (t.fate != Fate::kOpen) return;
  t.fate = Fate::kAsked;
  t.commit_after = after;
  t.late = t.ended;
  if (t.late) t.high = Lsn();
}

AppendHistory::TransactionId AppendHistory::append_at_once(const std::map<Key, Value>& values, Lsn after) {
  TransactionId id = ask(after);
  at(id).single = true;
  for (auto [key, value] : values) add_append(id, key, value);
  at(id).fate = Fate::kAsked;
  at(id).commit_after = after;
  return id;
}

// ---- What is answered ----

AppendHistory::Sentence AppendHistory::begun(TransactionId id, Lsn snapshot) {
  Transaction& t = at(id);
  t.answered_at = ++now_;
  t.epoch = epoch_;
  t.snapshot = snapshot;
  if (snapshot >= t.after) return {};
  return fmt::format("transaction {} has its snapshot at LSN {}, but LSN {} had been told when it was asked for", id,
                     snapshot.value, t.after.value);
}

AppendHistory::Sentence AppendHistory::read(TransactionId id, Key key, const List& list) {
  Transaction& t = at(id);
  t.answered_at = ++now_;
  auto mine = t.appends.find(key);
  size_t own = mine == t.appends.end() ? 0 : mine->second.size();
  if (own > list.size() ||
      (own > 0 && !std::equal(mine->second.begin(), mine->second.end(), list.end() - static_cast<ptrdiff_t>(own))))
    return about(key, fmt::format("{} has appended {}, but reads {}", tell(id), show(mine->second), show(list)));
  if (t.epoch != epoch_ || !t.snapshot) return {};
  List shown(list.begin(), list.end() - static_cast<ptrdiff_t>(own));
  Sentence wrong = learn(key, shown);
  if (wrong.empty()) {
    if (t.validated && !t.reads.contains(key)) touched_[key].push_back(id);
    t.reads.emplace(key, shown.size());
    wrong = orders_[key].saw(shown.size(), *t.snapshot);  // also when two reads of a transaction do not agree
  }
  return wrong.empty() ? wrong : about(key, fmt::format("{} reads {}: {}", tell(id), show(list), wrong));
}

AppendHistory::Sentence AppendHistory::saw(const Look& look, const std::map<Key, List>& lists, Lsn snapshot) {
  if (look.epoch != epoch_) return {};
  TransactionId id = ask(look.after);
  Transaction& t = at(id);
  t.asked_at = look.asked_at;
  t.single = true;
  t.fate = Fate::kCommitted;
  t.over_at = now_;
  if (Sentence wrong = begun(id, snapshot); !wrong.empty()) return wrong;
  for (const auto& [key, list] : lists)
    if (Sentence wrong = read(id, key, list); !wrong.empty()) return wrong;
  return {};
}

AppendHistory::Sentence AppendHistory::saw_one(const Look& look, Key key, const List& list, Lsn rests_on) {
  if (look.epoch != epoch_) return {};
  Transaction& t = at(ask(look.after));
  t.asked_at = look.asked_at;
  t.single = true;
  t.fate = Fate::kCommitted;
  t.answered_at = t.over_at = ++now_;
  if (Sentence wrong = learn(key, list); !wrong.empty()) return about(key, wrong);
  t.reads.emplace(key, list.size());
  if (list.empty()) return {};
  const Transaction& last = at(sources_.at(list.back()).by);
  if (!last.lsn || *last.lsn <= rests_on) return {};
  return about(key, fmt::format("an answer shows what stands at LSN {}, but rests on LSN {}", last.lsn->value, rests_on.value));
}

/// Why it cannot be told now that it commits.
AppendHistory::Sentence AppendHistory::commit_is_possible(TransactionId id) const {
  const Transaction& t = at(id);
  HF_ASSERT(t.fate != Fate::kOpen, "nobody is told of a commit that was not asked for");
  if (t.fate == Fate::kRefused || t.fate == Fate::kRolledBack || t.fate == Fate::kLost)
    return fmt::format("{} commits all the same", tell(id));
  if (t.fate == Fate::kAsked && t.not_known)
    return fmt::format("{} commits, but the server had no longer known it", tell(id));
  return {};
}

AppendHistory::Sentence AppendHistory::committed(TransactionId id, Lsn lsn) {
  if (Sentence wrong = commit_is_possible(id); !wrong.empty()) return wrong;
  Transaction& t = at(id);
  ++now_;
  if (t.lsn && *t.lsn == lsn) return {};
  if (t.fate == Fate::kCommitted)
    return fmt::format("{} is told to stand at LSN {} when asked again", tell(id), lsn.value);
  if (t.appends.empty()) return fmt::format("{} changes nothing, but commits at LSN {}", tell(id), lsn.value);
  if (lsn > t.high) return fmt::format("{} was open when the server ended, but commits at LSN {}", tell(id), lsn.value);
  if (t.snapshot && lsn <= *t.snapshot)
    return fmt::format("{} commits at LSN {}, which is not above its snapshot", tell(id), lsn.value);
  if (lsn <= t.commit_after)
    return fmt::format("{} commits at LSN {}, but LSN {} had been told when that was asked for", tell(id), lsn.value,
                       t.commit_after.value);
  t.fate = Fate::kCommitted;
  t.lsn = lsn;
  t.answered_at = now_;
  if (t.over_at == 0) t.over_at = now_;
  for (const auto& [key, run] : t.appends) {
    if (Sentence wrong = orders_[key].acknowledge(id, lsn); !wrong.empty()) return about(key, wrong);
    if (Sentence wrong = wins(id, key, lsn); !wrong.empty()) return about(key, wrong);
  }
  return {};
}

AppendHistory::Sentence AppendHistory::committed_without_entry(TransactionId id) {
  if (Sentence wrong = commit_is_possible(id); !wrong.empty()) return wrong;
  Transaction& t = at(id);
  ++now_;
  if (!t.appends.empty())
    return fmt::format("{} commits without an entry, but has appended to {}", tell(id), name(t.appends.begin()->first));
  if (t.fate == Fate::kCommitted) return {};
  if (t.late) return fmt::format("{} was open when the server ended, but commits", tell(id));
  t.fate = Fate::kCommitted;
  t.answered_at = t.over_at = now_;
  return {};
}

/// Whoever commits has the commits before it in its snapshot, as far as they changed the key.
AppendHistory::Sentence AppendHistory::wins(TransactionId id, Key key, Lsn lsn) const {
  const auto& commits = orders_.at(key).acknowledged();
  auto fits = [&](TransactionId early, TransactionId late) -> Sentence {
    const Transaction& l = at(late);
    if (!l.snapshot || *at(early).lsn <= *l.snapshot) return {};
    return fmt::format("lost update: {} changed it, too, which {} has not seen", tell(early), tell(late));
  };
  auto me = commits.find(lsn);
  if (me != commits.begin())
    if (Sentence wrong = fits(std::prev(me)->second, id); !wrong.empty()) return wrong;
  return std::next(me) == commits.end() ? Sentence() : fits(id, std::next(me)->second);
}

AppendHistory::Sentence AppendHistory::fail(TransactionId id, Fate fate) {
  Transaction& t = at(id);
  if (t.fate == Fate::kLost) return {};
  if (t.fate == Fate::kCommitted) return fmt::format("{} is told to have failed when asked again", tell(id));
  t.fate = fate;
  if (t.over_at == 0) t.over_at = now_;
  return t.seen ? fmt::format("{} has failed, but was seen", tell(id)) : Sentence();
}

AppendHistory::Sentence AppendHistory::conflicted(TransactionId id, Key named) {
  ++now_;
  const Transaction& t = at(id);
  bool repeated = t.fate == Fate::kRefused;
  if (Sentence wrong = fail(id, Fate::kRefused); !wrong.empty() || repeated) return wrong;
  if (!t.appends.contains(named) && !(t.validated && t.reads.contains(named)))
    return about(named, fmt::format("{} is refused for it, but has nothing to do with it", tell(id)));
  if (justified(id, named)) return {};
  return about(named, fmt::format("{} is refused for it, but nobody else changed it since or was about to", tell(id)));
}

/// Whether another may have changed the key after the snapshot, or was about to while this one was open.
bool AppendHistory::justified(TransactionId id, Key key) const {
  const Transaction& t = at(id);
  Lsn snapshot = t.snapshot.value_or(t.after);
  const std::vector<TransactionId>& touched = touched_.at(key);
  const AppendOrder* order = orders_.contains(key) ? &orders_.at(key) : nullptr;
  return std::any_of(touched.rbegin(), touched.rend(), [&](TransactionId other) {
    const Transaction& o = at(other);
    if (other == id) return false;
    bool changes = o.appends.contains(key);
    if (changes && o.lsn) return *o.lsn > snapshot;
    if (o.over_at != 0 && o.over_at < t.asked_at) return false;
    std::optional<size_t> run = changes && order ? order->run_of(other) : std::nullopt;
    return !run || order->shown_at(*run) > snapshot;
  });
}

AppendHistory::Sentence AppendHistory::rolled_back(TransactionId id) {
  ++now_;
  return at(id).fate == Fate::kRefused ? Sentence() : fail(id, Fate::kRolledBack);
}

void AppendHistory::not_known(TransactionId id) {
  Transaction& t = at(id);
  ++now_;
  t.not_known = true;
  if (t.over_at == 0) t.over_at = now_;
  if (t.fate == Fate::kOpen) t.fate = Fate::kRolledBack;
}

void AppendHistory::given_up(TransactionId id) {
  ++now_;
  at(id).given_up = true;
}

}  // namespace holdfast::chaos
