// AppendHistory: what lists tell, and what a restart does to it.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/oracle/append_history.h"

namespace holdfast::chaos {

// ---- Lists ----

/// Why nobody may see what it appended.
AppendHistory::Sentence AppendHistory::may_be_seen(TransactionId id) const {
  const Transaction& t = at(id);
  switch (t.fate) {
    case Fate::kOpen:
      return fmt::format("it was appended by {}, which has not asked to commit", tell(id));
    case Fate::kRefused:
    case Fate::kRolledBack:
    case Fate::kLost:
      return fmt::format("it was appended by {}", tell(id));
    case Fate::kAsked:
    case Fate::kCommitted:
      return {};
  }
  return {};
}

/// The order goes on as that list does, run by run.
AppendHistory::Sentence AppendHistory::extend(Key key, AppendOrder& order, const List& list) {
  while (order.values().size() < list.size()) {
    size_t begin = order.values().size();
    Value value = list[begin];
    auto source = sources_.find(value);
    if (source == sources_.end()) return fmt::format("nobody has appended {}", value);
    TransactionId id = source->second.by;
    if (source->second.key != key)
      return fmt::format("{} was appended to {} by {}", value, name(source->second.key), tell(id));
    if (order.run_of(id)) return fmt::format("{} is there twice, or apart from what else {} appended", value, tell(id));
    if (Sentence wrong = may_be_seen(id); !wrong.empty())
      return fmt::format("{} should not be there: {}", value, wrong);
    Transaction& t = at(id);
    const List& run = t.appends.at(key);
    if (run.size() > list.size() - begin ||
        !std::equal(run.begin(), run.end(), list.begin() + static_cast<ptrdiff_t>(begin)))
      return fmt::format("{} appended {} at once, but that is not what stands there", tell(id), show(run));
    if (auto was = t.was_at.find(key); was != t.was_at.end() && was->second != begin)
      return fmt::format("what {} appended was behind {} values before the server ended, and is behind {} now",
                         tell(id), was->second, begin);
    t.seen = true;
    if (Sentence wrong = order.place(id, run); !wrong.empty()) return wrong;
  }
  return {};
}

/// That list, without anybody's own appends, is what some snapshot shows: a beginning of the order, run by run.
AppendHistory::Sentence AppendHistory::learn(Key key, const List& list) {
  AppendOrder& order = orders_[key];
  auto [known, shown] = std::ranges::mismatch(order.values(), list);
  if (known != order.values().end() && shown != list.end())
    return fmt::format("value {} is {}, but others have seen {} there", shown - list.begin() + 1, *shown, *known);
  if (Sentence wrong = extend(key, order, list); !wrong.empty()) return wrong;
  size_t whole = order.runs_within(list.size());
  if (order.begin_of(whole) != list.size())
    return fmt::format("it ends within what {} appended at once, which is {}", tell(order.runs()[whole].by),
                       show(at(order.runs()[whole].by).appends.at(key)));
  return {};
}

// ---- Restarts ----

/// The server ended while this one was under way.
void AppendHistory::end(TransactionId id, Lsn survived) {
  Transaction& t = at(id);
  if (t.fate != Fate::kOpen && t.fate != Fate::kAsked) return;
  t.after = std::min(t.after, survived);  // whoever has no answer may ask again
  if (t.single && !t.given_up) return;
  if (!t.single && !t.snapshot && t.fate == Fate::kOpen && !t.given_up) return;
  t.high = std::min(t.high, survived);
  t.ended = true;
  if (t.over_at == 0) t.over_at = now_;
  if (t.fate == Fate::kOpen && t.given_up) t.fate = Fate::kRolledBack;
}

std::vector<AppendHistory::Sentence> AppendHistory::restarted(Lsn survived, bool lossy) {
  ++now_;
  std::vector<Sentence> wrong;
  if (lossy) wrong = judge();
  for (const auto& [id, t] : transactions_) {
    end(id, survived);
    if (!lossy && t.lsn && *t.lsn > survived)
      wrong.push_back(
          fmt::format("{} was acknowledged, but the server came back with LSN {}", tell(id), survived.value));
  }
  if (lossy) lose(survived);
  return wrong;
}

/// Runs that stand at or before that LSN without doubt: they are the first of all, as runs stand in the order of LSNs.
size_t AppendHistory::certain_runs(const AppendOrder& order, Lsn survived) const {
  for (size_t i = order.runs().size(); i > 0; --i) {
    const Transaction& t = at(order.runs()[i - 1].by);
    if (t.lsn ? *t.lsn <= survived : order.shown_at(i - 1) <= survived) return i;
  }
  return 0;
}

void AppendHistory::lose_order(Key key, AppendOrder& order, Lsn survived) {
  size_t certain = certain_runs(order, survived);
  for (size_t i = certain; i < order.runs().size(); ++i) {
    Transaction& t = at(order.runs()[i].by);
    if (!t.lsn && t.ended && order.hidden_at(i) < survived)
      t.was_at[key] = order.begin_of(i);
    else if (!t.lsn && t.ended)
      t.fate = Fate::kLost;
  }
  order.lose_after(survived, certain);
}

void AppendHistory::lose(Lsn survived) {
  ++epoch_;
  for (auto& [key, order] : orders_) lose_order(key, order, survived);
  for (auto& [id, t] : transactions_) {
    if (t.lsn && *t.lsn > survived) {
      t.fate = Fate::kLost;
      t.lsn.reset();
    }
    if (!t.snapshot || *t.snapshot > survived) t.reads.clear();
    if (t.fate == Fate::kCommitted) continue;
    t.commit_after = std::min(t.commit_after, survived);
    t.seen = std::ranges::any_of(t.appends,
                                 [&, id = id](const auto& run) { return orders_[run.first].run_of(id).has_value(); });
  }
}

}  // namespace holdfast::chaos
