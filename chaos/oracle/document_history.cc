#include "chaos/oracle/document_history.h"

#include <algorithm>
#include <set>

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
/// When the story by LSN can have gone in more ways than this, it is not told until the next crash.
constexpr size_t kStoriesMax = 256;

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

/// Reads under way may have seen where it is now.
void DocumentHistory::pass_through(Configuration& c) {
  for (Seen& s : c.seen) {
    auto at = std::lower_bound(s.states.begin(), s.states.end(), c.state);
    if (at == s.states.end() || *at != c.state) s.states.insert(at, c.state);
  }
}

/// Everything reachable by letting writes under way take effect, in any order.
DocumentHistory::Configurations DocumentHistory::closure(Configurations from, const std::vector<Pending>& pending) {
  Configurations all = from;
  std::set<Configuration> known(from.begin(), from.end());
  for (size_t next = 0; next < all.size(); ++next) {
    for (const Pending& p : pending) {
      if (p.operation.kind == Operation::Kind::kRead) continue;  // changes nothing; see Seen
      Configuration c = all[next];
      auto at = std::lower_bound(c.effective.begin(), c.effective.end(), p.id, [](const Effective& e, OperationId id) { return e.id < id; });
      if (at != c.effective.end() && at->id == p.id) continue;
      Answer answer = apply(c.state, p.operation);
      c.effective.insert(at, {p.id, answer});
      pass_through(c);
      if (known.insert(c).second) all.push_back(std::move(c));
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

void DocumentHistory::invoke(OperationId id, const Operation& operation) {
  bool alone = pending_.empty() && operation.kind == Operation::Kind::kRead;
  alone_ = alone ? std::optional(id) : std::nullopt;
  pending_.push_back({id, operation, false});
  if (operation.kind == Operation::Kind::kRead && !lost_track_)
    for (Configuration& c : configurations_) c.seen.push_back({id, {c.state}});
}

bool DocumentHistory::answer(OperationId id, const Answer& answer, std::optional<Place> place) {
  auto mine = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.id == id; });
  HF_ASSERT(mine != pending_.end(), "an operation is answered once, after it was invoked");
  Operation operation = mine->operation;
  pending_.erase(mine);
  bool read = operation.kind == Operation::Kind::kRead;
  if (lost_track_) {
    if (alone_ == id) find_track_again(answer.state);
    return true;
  }
  bool possible = read ? answer_read(id, answer.state) : answer_write(id, operation, answer);
  if (!possible) go_on_from(read ? answer.state : operation.kind == Operation::Kind::kInsert ? DocumentState{true, operation.value, 0} : DocumentState{});
  if (place) keep(id, operation, answer, *place);
  return possible;
}

/// The configurations stay that went through that state while the read was under way.
bool DocumentHistory::answer_read(OperationId id, const DocumentState& state) {
  Configurations next;
  Configurations all = closure(configurations_, pending_);
  for (Configuration c : all) {
    auto at = std::find_if(c.seen.begin(), c.seen.end(), [&](const Seen& s) { return s.read == id; });
    if (at == c.seen.end() || !std::binary_search(at->states.begin(), at->states.end(), state)) continue;
    c.seen.erase(at);
    next.push_back(std::move(c));
  }
  return go_on_with(std::move(next), all);
}

/// Either it took effect already in a configuration, or it does so last, after some of the others.
bool DocumentHistory::answer_write(OperationId id, const Operation& operation, const Answer& answer) {
  Configurations next;
  Configurations all = closure(configurations_, pending_);
  for (Configuration c : all) {
    auto at = std::find_if(c.effective.begin(), c.effective.end(), [&](const Effective& e) { return e.id == id; });
    if (at != c.effective.end()) {
      bool fits = at->answer == answer;
      c.effective.erase(at);
      if (fits) next.push_back(std::move(c));
    } else if (apply(c.state, operation) == answer) {
      pass_through(c);
      next.push_back(std::move(c));
    }
  }
  return go_on_with(std::move(next), all);
}

bool DocumentHistory::go_on_with(Configurations next, const Configurations& out_of) {
  if (next.empty()) {
    states_at_failure_ = states_of(out_of);
    return false;
  }
  sort_distinct(next);
  configurations_ = std::move(next);
  return true;
}

/// After an answer that cannot be, so that one failure is reported once.
void DocumentHistory::go_on_from(const DocumentState& state) {
  Configuration c{.state = state};
  for (const Pending& p : pending_)
    if (p.operation.kind == Operation::Kind::kRead) c.seen.push_back({p.id, {state}});
  configurations_ = {std::move(c)};
}

/// The story begins anew where a read without company found the document.
void DocumentHistory::find_track_again(const DocumentState& state) {
  lost_track_ = false;
  configurations_ = base_ = {Configuration{.state = state}};
  base_lsn_ = Lsn::max();
}

/// Remembers an answered change by its place, and the oldest no longer.
void DocumentHistory::keep(OperationId id, const Operation& operation, const Answer& answer, Place place) {
  if (base_lsn_ == Lsn::max()) return;  // the story is not told at present
  if (place.lsn <= base_lsn_) {
    // Told late: it happened before the story by LSN begins, and where it did not, that is no story.
    auto told = [&](const Effective& e) { return e.id == id && e.answer == answer; };
    std::erase_if(base_, [&](const Configuration& c) { return std::none_of(c.effective.begin(), c.effective.end(), told); });
    for (Configuration& c : base_) std::erase_if(c.effective, [&](const Effective& e) { return e.id == id; });
    sort_distinct(base_);
    return;
  }
  auto at = std::upper_bound(changes_.begin(), changes_.end(), place.lsn, [](Lsn l, const Change& c) { return l < c.place.lsn; });
  changes_.insert(at, {id, place, operation, answer});
  if (changes_.size() <= kChangesKept) return;
  base_ = after(base_, pending_, changes_.front());
  base_lsn_ = base_.size() > kStoriesMax ? Lsn::max() : changes_.front().place.lsn;
  changes_.erase(changes_.begin());
}

bool DocumentHistory::forget(OperationId id) {
  std::erase_if(pending_, [&](const Pending& p) { return p.id == id; });
  auto is = [id](const Effective& e) { return e.id == id; };
  for (Configuration& c : configurations_) std::erase_if(c.seen, [id](const Seen& s) { return s.read == id; });
  Configurations without = configurations_;
  std::erase_if(without, [&](const Configuration& c) { return std::any_of(c.effective.begin(), c.effective.end(), is); });
  bool unseen = !without.empty();
  if (unseen) configurations_ = std::move(without);
  for (Configuration& c : configurations_) std::erase_if(c.effective, is);
  sort_distinct(configurations_);
  return unseen;
}

void DocumentHistory::abandon(OperationId id) {
  for (Pending& p : pending_)
    if (p.id == id) p.abandoned = true;
}

void DocumentHistory::restart(Configurations configurations, Lsn survived) {
  std::erase_if(pending_, [](const Pending& p) { return p.abandoned; });
  auto gone = [&](const Effective& e) { return std::none_of(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.id == e.id; }); };
  for (Configuration& c : configurations) {
    std::erase_if(c.effective, gone);
    // An answer of the old server may still be on its way; or the read is sent to the new one.
    for (const Pending& p : pending_) {
      if (p.operation.kind != Operation::Kind::kRead) continue;
      bool known = std::any_of(c.seen.begin(), c.seen.end(), [&](const Seen& seen) { return seen.read == p.id; });
      if (!known) c.seen.push_back({p.id, {}});
    }
    pass_through(c);
  }
  sort_distinct(configurations);
  base_ = configurations;
  base_lsn_ = survived;
  for (Configuration& c : base_) c.seen.clear();
  sort_distinct(base_);
  configurations_ = std::move(configurations);
  changes_.clear();
}

void DocumentHistory::crash(Lsn survived) { restart(lost_track_ ? Configurations{Configuration{}} : closure(configurations_, pending_), survived); }

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
  if (lost_track_ || lsn < base_lsn_) return std::nullopt;
  std::vector<Pending> may = pending_;
  for (const Change& c : changes_)
    if (c.place.lsn > lsn && c.place.precision == Place::Precision::kAtMost) may.push_back({c.id, c.operation, false});
  Configurations now = base_;
  for (const Change& change : changes_) {
    if (change.place.lsn > lsn) break;
    now = after(now, may, change);
    if (now.size() > kStoriesMax) return std::nullopt;
  }
  return closure(std::move(now), may);
}

bool DocumentHistory::crash_and_lose_after(Lsn survived) {
  std::optional<Configurations> left = as_of(survived);
  lost_track_ = !left;
  bool possible = !left || !left->empty();
  std::erase_if(changes_, [&](const Change& c) { return c.place.lsn > survived; });
  if (lost_track_)
    restart({Configuration{}}, survived);
  else
    restart(possible ? std::move(*left) : closure(configurations_, pending_), survived);
  return possible;
}

std::optional<std::vector<DocumentState>> DocumentHistory::states_at(Lsn snapshot) const {
  std::optional<Configurations> then = as_of(snapshot);
  if (!then) return std::nullopt;
  return states_of(*then);
}

std::optional<std::vector<DocumentState>> DocumentHistory::states() const {
  if (lost_track_) return std::nullopt;
  return states_of(closure(configurations_, pending_));
}

}  // namespace holdfast::chaos
