// AppendHistory: whether every transaction that happened has a place in the log, by LSNs as they were told and seen.
//
// Those without an answer have a range of places. What is known of others narrows it: the runs before and after its
// own, the snapshots that show it or not, and that nobody commits over what its snapshot does not have. A range that
// becomes empty is a violation: of a transaction that was seen in part, for example.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/oracle/append_history.h"

namespace holdfast::chaos {

class AppendPlaces {
 public:
  using Id = AppendHistory::TransactionId;
  using Key = AppendHistory::Key;
  using Transaction = AppendHistory::Transaction;
  using Sentences = std::vector<AppendHistory::Sentence>;

  explicit AppendPlaces(const AppendHistory& history) : h_(history) {}

  Sentences judge() {
    for (const auto& [id, t] : h_.transactions_) {
      if (h_.happened(t)) place(id, t);
      if (t.validated && t.lsn) check_validated(id, t, *t.lsn);
      // One that only read was looked at after what had been told when that was asked for.
      if (t.validated && !t.lsn && t.fate == AppendHistory::Fate::kCommitted && t.epoch == h_.epoch_) check_validated(id, t, t.commit_after.next());
    }
    for (const auto& [key, order] : h_.orders_) check_order(key, order);
    if (out_.empty()) narrow();
    return std::move(out_);
  }

 private:
  struct Place {  // in (low, high]
    Lsn low, high = Lsn::max();
    bool empty() const { return low >= high; }
  };

  /// By what was told and seen of it alone.
  void place(Id id, const Transaction& t) {
    Place& p = places_[id];
    if (t.lsn) {
      p = {Lsn(t.lsn->value - 1), *t.lsn};
      return;
    }
    p = {std::max({t.after, t.commit_after, t.snapshot.value_or(Lsn())}), t.high};
    std::string hidden = fmt::format("it was asked for after LSN {}", p.low.value), shown = "the server ended";
    for (const auto& [key, run] : t.appends) {
      if (!h_.orders_.contains(key)) continue;  // nobody has looked
      const AppendOrder& order = h_.orders_.at(key);
      auto at = order.run_of(id);
      if (Lsn low = order.hidden_at(at); low > p.low) {
        p.low = low;
        hidden = fmt::format("{} does not show it at LSN {}", h_.name(key), low.value);
      }
      if (Lsn high = at ? order.shown_at(*at) : Lsn::max(); high < p.high) {
        p.high = high;
        shown = fmt::format("{} shows it at LSN {}", h_.name(key), high.value);
      }
    }
    if (p.empty()) out_.push_back(fmt::format("{} has no place in the log: {}, but {}", h_.tell(id), hidden, shown));
  }

  void check_validated(Id id, const Transaction& t, Lsn before) {
    for (const auto& [key, length] : t.reads) {
      auto order = h_.orders_.find(key);
      if (order == h_.orders_.end()) continue;
      const auto& commits = order->second.acknowledged();
      auto next = commits.upper_bound(*t.snapshot);
      if (next != commits.end() && next->first < before)
        out_.push_back(fmt::format("{}: {} has changed it since {} read it, which was to be validated", h_.name(key),
                                   h_.tell(next->second), h_.tell(id)));
    }
  }

  /// What stands before a transaction's own run was in its snapshot.
  void check_order(Key key, const AppendOrder& order) {
    for (size_t i = 1; i < order.runs().size(); ++i) {
      Id early = order.runs()[i - 1].by, late = order.runs()[i].by;
      const Transaction& l = h_.at(late);
      if (l.snapshot && places_.at(early).low >= *l.snapshot)
        out_.push_back(
            fmt::format("{}: lost update: {} stands before {}, but after its snapshot, as LSN {} does not show it",
                        h_.name(key), h_.tell(early), h_.tell(late), places_.at(early).low.value));
    }
  }

  bool before(Id early, Id late) {
    Place &e = places_.at(early), &l = places_.at(late);
    bool changed = false;
    if (l.low <= e.low) changed = true, l.low = e.low.next();
    if (e.high >= l.high) changed = true, e.high = Lsn(l.high.value == 0 ? 0 : l.high.value - 1);
    for (Id id : {early, late})
      if (places_.at(id).empty() && out_.empty())
        out_.push_back(fmt::format("{} has no place in the log that fits those of {}", h_.tell(id),
                                   h_.tell(id == early ? late : early)));
    return changed;
  }

  bool narrow_order(const AppendOrder& order) {
    bool changed = false;
    for (size_t i = 1; i < order.runs().size() && out_.empty(); ++i) {
      Id early = order.runs()[i - 1].by, late = order.runs()[i].by;
      const Transaction& l = h_.at(late);
      if (l.snapshot && places_.at(early).high > *l.snapshot) changed = true, places_.at(early).high = *l.snapshot;
      changed = before(early, late) || changed;
    }
    return changed;
  }

  /// Who changed what a validated transaction has read comes after it.
  bool narrow_validated(Id id, const Transaction& t) {
    bool changed = false;
    for (const auto& [key, length] : t.reads) {
      const AppendOrder& order = h_.orders_.at(key);
      size_t next = order.runs_within(length);
      if (next < order.runs().size() && order.runs()[next].by != id && out_.empty())
        changed = before(id, order.runs()[next].by) || changed;
    }
    return changed;
  }

  void narrow() {
    // A few rounds are enough for what has an order. What still moves then goes in a circle, which the other judge
    // finds.
    size_t rounds = 50;
    for (bool changed = true; changed && out_.empty() && rounds > 0; --rounds) {
      changed = false;
      for (const auto& [key, order] : h_.orders_) changed = narrow_order(order) || changed;
      for (const auto& [id, place] : places_) {
        const Transaction& t = h_.at(id);
        if (t.validated) changed = narrow_validated(id, t) || changed;
      }
    }
  }

  const AppendHistory& h_;
  std::map<Id, Place> places_;
  Sentences out_;
};

std::vector<AppendHistory::Sentence> AppendHistory::judge_places() const { return AppendPlaces(*this).judge(); }

}  // namespace holdfast::chaos
