#include "chaos/oracle/document_history.h"

#include <algorithm>

#include "io/base/assert.h"

namespace holdfast::chaos {
namespace {

template <class T>
void sort_distinct(std::vector<T>& v) {
  std::sort(v.begin(), v.end());
  v.erase(std::unique(v.begin(), v.end()), v.end());
}

/// How many answered changes are kept per document: older snapshots cannot be judged.
constexpr size_t kChangesKept = 64;

}  // namespace

std::string text(const DocumentState& s) {
  if (!s.exists) return "absent";
  return "value " + std::to_string(s.value) + " counter " + std::to_string(s.counter);
}

DocumentHistory::DocumentHistory() : configurations_{Configuration{}}, base_{Configuration{}} {}

Answer DocumentHistory::apply(DocumentState& state, const Operation& operation) {
  using Kind = Operation::Kind;
  switch (operation.kind) {
    case Kind::kInsert: {
      DocumentState fresh{true, operation.value, 0};
      if (!state.exists) {
        state = fresh;
        return {true, {}};
      }
      return {operation.repeatable && state == fresh, {}};
    }
    case Kind::kUpdate:
      if (!state.exists) return {false, {}};
      state.value = operation.value;
      ++state.counter;
      return {true, {}};
    case Kind::kDelete: {
      bool existed = state.exists;
      state = {};
      return {existed, {}};
    }
    case Kind::kRead:
      return {false, state};
  }
  return {};
}

/// Everything reachable by letting operations under way take effect, in any order.
DocumentHistory::Configurations DocumentHistory::closure(Configurations from, const std::vector<Pending>& pending) {
  Configurations all = from;
  for (size_t next = 0; next < all.size(); ++next) {
    for (const Pending& p : pending) {
      Configuration c = all[next];
      auto at = std::lower_bound(c.effective.begin(), c.effective.end(), p.id, [](const Effective& e, OperationId id) { return e.id < id; });
      if (at != c.effective.end() && at->id == p.id) continue;
      Answer answer = apply(c.state, p.operation);
      c.effective.insert(at, {p.id, answer});
      if (std::find(all.begin(), all.end(), c) == all.end()) all.push_back(std::move(c));
    }
  }
  sort_distinct(all);
  return all;
}

std::vector<DocumentState> DocumentHistory::states_of(const Configurations& configurations) {
  std::vector<DocumentState> out;
  for (const Configuration& c : configurations) out.push_back(c.state);
  sort_distinct(out);
  return out;
}

void DocumentHistory::invoke(OperationId id, const Operation& operation) { pending_.push_back({id, operation, false}); }

bool DocumentHistory::answer(OperationId id, const Answer& answer, std::optional<Place> place) {
  auto mine = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.id == id; });
  HF_ASSERT(mine != pending_.end(), "an operation is answered once, after it was invoked");
  Operation operation = mine->operation;
  std::vector<Pending> others = pending_;
  std::erase_if(others, [&](const Pending& p) { return p.id == id; });

  // Either it took effect already in a configuration, or it does so last, after some of the others.
  Configurations next;
  for (Configuration c : closure(configurations_, others)) {
    auto at = std::find_if(c.effective.begin(), c.effective.end(), [&](const Effective& e) { return e.id == id; });
    if (at != c.effective.end()) {
      bool fits = at->answer == answer;
      c.effective.erase(at);
      if (fits) next.push_back(std::move(c));
      continue;
    }
    if (apply(c.state, operation) == answer) next.push_back(std::move(c));
  }
  sort_distinct(next);
  std::erase_if(pending_, [&](const Pending& p) { return p.id == id; });
  bool possible = !next.empty();
  if (possible) {
    configurations_ = std::move(next);
  } else {
    // Go on from what was answered, so that one failure is reported once.
    Configuration c;
    if (operation.kind == Operation::Kind::kRead) c.state = answer.state;
    if (operation.kind == Operation::Kind::kInsert) c.state = {true, operation.value, 0};
    configurations_ = {c};
  }
  if (place && place->lsn <= base_lsn_) {
    // Told late: it happened before the story by LSN begins, and where it did not, that is no story.
    std::erase_if(base_, [&](const Configuration& c) {
      return std::none_of(c.effective.begin(), c.effective.end(), [&](const Effective& e) { return e.id == id && e.answer == answer; });
    });
    for (Configuration& c : base_) std::erase_if(c.effective, [&](const Effective& e) { return e.id == id; });
    sort_distinct(base_);
  } else if (place) {
    auto at = std::upper_bound(changes_.begin(), changes_.end(), place->lsn, [](Lsn l, const Change& c) { return l < c.place.lsn; });
    changes_.insert(at, {id, *place, operation, answer});
    if (changes_.size() > kChangesKept) {
      base_ = after(base_, pending_, changes_.front());
      base_lsn_ = changes_.front().place.lsn;
      changes_.erase(changes_.begin());
    }
  }
  return possible;
}

void DocumentHistory::forget(OperationId id) {
  std::erase_if(pending_, [&](const Pending& p) { return p.id == id; });
  std::erase_if(configurations_, [&](const Configuration& c) {
    return std::any_of(c.effective.begin(), c.effective.end(), [&](const Effective& e) { return e.id == id; });
  });
}

void DocumentHistory::abandon(OperationId id) {
  for (Pending& p : pending_)
    if (p.id == id) p.abandoned = true;
}

void DocumentHistory::restart(Configurations configurations, Lsn survived) {
  std::erase_if(pending_, [](const Pending& p) { return p.abandoned; });
  auto gone = [&](const Effective& e) { return std::none_of(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.id == e.id; }); };
  for (Configuration& c : configurations) std::erase_if(c.effective, gone);
  sort_distinct(configurations);
  configurations_ = std::move(configurations);
  base_ = configurations_;
  base_lsn_ = survived;
  changes_.clear();
}

void DocumentHistory::crash(Lsn survived) { restart(closure(configurations_, pending_), survived); }

/// What may be after a change whose answer is known, if any of `pending` may have come before it.
DocumentHistory::Configurations DocumentHistory::after(const Configurations& from, const std::vector<Pending>& pending, const Change& change) {
  Configurations next;
  for (Configuration c : closure(from, pending)) {
    // What was under way when the story by LSN began may be in it already.
    auto at = std::find_if(c.effective.begin(), c.effective.end(), [&](const Effective& e) { return e.id == change.id; });
    bool fits = at != c.effective.end() ? at->answer == change.answer : apply(c.state, change.operation) == change.answer;
    if (at != c.effective.end()) c.effective.erase(at);
    if (fits) next.push_back(std::move(c));
  }
  sort_distinct(next);
  return next;
}

std::optional<DocumentHistory::Configurations> DocumentHistory::as_of(Lsn lsn) const {
  if (lsn < base_lsn_) return std::nullopt;
  std::vector<Pending> may = pending_;
  for (const Change& c : changes_)
    if (c.place.lsn > lsn && c.place.precision == Place::Precision::kAtMost) may.push_back({c.id, c.operation, false});
  Configurations now = base_;
  for (const Change& change : changes_) {
    if (change.place.lsn > lsn) break;
    now = after(now, may, change);
  }
  return closure(std::move(now), may);
}

bool DocumentHistory::crash_and_lose_after(Lsn survived) {
  std::optional<Configurations> left = as_of(survived);
  bool possible = left && !left->empty();
  std::erase_if(changes_, [&](const Change& c) { return c.place.lsn > survived; });
  restart(possible ? std::move(*left) : closure(configurations_, pending_), survived);
  return possible;
}

std::optional<std::vector<DocumentState>> DocumentHistory::states_at(Lsn snapshot) const {
  std::optional<Configurations> then = as_of(snapshot);
  if (!then) return std::nullopt;
  return states_of(*then);
}

std::vector<DocumentState> DocumentHistory::states() const { return states_of(closure(configurations_, pending_)); }

}  // namespace holdfast::chaos
