#include "chaos/oracle/append_order.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "io/base/assert.h"

namespace holdfast::chaos {

std::string show(const AppendOrder::List& list) {
  constexpr size_t kShown = 8;
  if (list.size() <= kShown) return fmt::format("{}", list);
  return fmt::format("[… {}] ({} values)", fmt::join(list.end() - kShown, list.end(), ", "), list.size());
}

std::string AppendOrder::tell(size_t run) const {
  List values(values_.begin() + static_cast<ptrdiff_t>(begin_of(run)),
              values_.begin() + static_cast<ptrdiff_t>(runs_[run].end));
  return fmt::format("{} of transaction {}", show(values), runs_[run].by);
}

size_t AppendOrder::runs_within(size_t length) const {
  return static_cast<size_t>(std::ranges::upper_bound(runs_, length, {}, &Run::end) - runs_.begin());
}

std::optional<size_t> AppendOrder::run_of(Writer by) const {
  auto at = run_of_.find(by);
  return at == run_of_.end() ? std::nullopt : std::optional(at->second);
}

Lsn AppendOrder::hidden_at(std::optional<size_t> run) const {
  if (!run) return looks_.empty() ? Lsn() : looks_.back().at;
  auto first = std::ranges::lower_bound(looks_, runs_[*run].end, {}, &Look::length);
  return first == looks_.begin() ? Lsn() : std::prev(first)->at;
}

Lsn AppendOrder::shown_at(size_t run) const {
  auto first = std::ranges::lower_bound(looks_, runs_[run].end, {}, &Look::length);
  return first == looks_.end() ? Lsn::max() : first->at;
}

// ---- What is told ----

/// Whether that run may stand at that LSN, by the runs around it and by what was seen.
AppendOrder::Sentence AppendOrder::fits_acknowledged(size_t run, Lsn lsn) const {
  auto after = placed_.lower_bound(lsn);
  if (after != placed_.end() && after->second < run)
    return fmt::format("{} stands behind {}, but its LSN {} is lower than {}", tell(run), tell(after->second),
                       lsn.value, after->first.value);
  if (after != placed_.begin() && std::prev(after)->second > run)
    return fmt::format("{} stands before {}, but its LSN {} is higher than {}", tell(run),
                       tell(std::prev(after)->second), lsn.value, std::prev(after)->first.value);

  if (Lsn hidden = hidden_at(run); hidden >= lsn)
    return fmt::format("{} stands at LSN {}, but a snapshot at LSN {} does not show it", tell(run), lsn.value,
                       hidden.value);
  if (Lsn shown = shown_at(run); shown < lsn)
    return fmt::format("{} stands at LSN {}, but a snapshot at LSN {} shows it", tell(run), lsn.value, shown.value);
  return {};
}

AppendOrder::Sentence AppendOrder::place(Writer by, const List& run) {
  HF_ASSERT(!run_of_.contains(by), "the caller has looked whether a run is there already");
  values_.insert(values_.end(), run.begin(), run.end());
  run_of_[by] = runs_.size();
  runs_.push_back({by, values_.size()});
  auto lsn = lsn_of_.find(by);
  if (lsn == lsn_of_.end()) return {};
  unplaced_.erase(lsn->second);
  Sentence wrong = fits_acknowledged(runs_.size() - 1, lsn->second);
  placed_.emplace(lsn->second, runs_.size() - 1);
  return wrong;
}

AppendOrder::Sentence AppendOrder::saw(size_t length, Lsn snapshot) {
  auto next = std::ranges::lower_bound(looks_, snapshot, {}, &Look::at);
  bool again = next != looks_.end() && next->at == snapshot;
  if (again && next->length != length)
    return fmt::format("one snapshot at LSN {} shows {} values, another {}", snapshot.value, length, next->length);
  if (next != looks_.end() && next->length < length)
    return fmt::format("a snapshot at LSN {} shows {} values, but one at LSN {} shows {}", snapshot.value, length,
                       next->at.value, next->length);
  if (next != looks_.begin() && std::prev(next)->length > length)
    return fmt::format("a snapshot at LSN {} shows {} values, but one at LSN {} shows {}", snapshot.value, length,
                       std::prev(next)->at.value, std::prev(next)->length);
  if (!again) looks_.insert(next, {snapshot, length});
  auto above = placed_.upper_bound(snapshot);
  if (above != placed_.end() && runs_[above->second].end <= length)
    return fmt::format("a snapshot at LSN {} shows {}, which stands at LSN {}", snapshot.value, tell(above->second),
                       above->first.value);
  if (above != placed_.begin() && runs_[std::prev(above)->second].end > length)
    return fmt::format("a snapshot at LSN {} does not show {}, which was acknowledged at LSN {}", snapshot.value,
                       tell(std::prev(above)->second), std::prev(above)->first.value);
  if (!unplaced_.empty() && unplaced_.begin()->first <= snapshot)
    return fmt::format(
        "a snapshot at LSN {} does not show what transaction {} appended, which was acknowledged at LSN {}",
        snapshot.value, unplaced_.begin()->second, unplaced_.begin()->first.value);
  return {};
}

AppendOrder::Sentence AppendOrder::acknowledge(Writer by, Lsn lsn) {
  if (!acknowledged_.emplace(lsn, by).second)
    return fmt::format("transactions {} and {} both stand at LSN {}", acknowledged_.at(lsn), by, lsn.value);
  lsn_of_[by] = lsn;
  if (auto run = run_of(by)) {
    Sentence wrong = fits_acknowledged(*run, lsn);
    placed_.emplace(lsn, *run);
    return wrong;
  }
  unplaced_.emplace(lsn, by);
  if (Lsn hidden = hidden_at({}); hidden >= lsn)
    return fmt::format("a snapshot at LSN {} does not show what transaction {} appended at LSN {}", hidden.value, by,
                       lsn.value);

  return {};
}

void AppendOrder::lose_after(Lsn survived, size_t runs) {
  while (runs_.size() > runs) {
    run_of_.erase(runs_.back().by);
    runs_.pop_back();
  }
  values_.resize(runs_.empty() ? 0 : runs_.back().end);
  std::erase_if(looks_, [&](const Look& look) { return look.at > survived; });
  for (auto lost = acknowledged_.upper_bound(survived); lost != acknowledged_.end(); lost = acknowledged_.erase(lost))
    lsn_of_.erase(lost->second);
  placed_.erase(placed_.upper_bound(survived), placed_.end());
  unplaced_.erase(unplaced_.upper_bound(survived), unplaced_.end());
}

}  // namespace holdfast::chaos
