#include "chaos/oracle/object_history.h"

#include <algorithm>
#include <set>

#include "chaos/oracle/declaration_history.h"
#include "chaos/oracle/document_history.h"
#include "chaos/oracle/user_ledger.h"
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

template <class Model>
ObjectHistory<Model>::ObjectHistory() : configurations_{Configuration{}}, base_{Configuration{}} {}

/// Reads under way may have seen where it is now.
template <class Model>
void ObjectHistory<Model>::pass_through(Configuration& c) {
  for (Seen& s : c.seen) {
    auto at = std::lower_bound(s.states.begin(), s.states.end(), c.state);
    if (at == s.states.end() || *at != c.state) s.states.insert(at, c.state);
  }
}

/// Everything reachable by letting writes under way take effect, in any order.
template <class Model>
typename ObjectHistory<Model>::Configurations ObjectHistory<Model>::closure(Configurations from,
                                                                            const std::vector<Pending>& pending) {
  Configurations all = from;
  std::set<Configuration> known(from.begin(), from.end());
  for (size_t next = 0; next < all.size(); ++next) {
    for (const Pending& p : pending) {
      if (Model::is_read(p.operation)) continue;  // changes nothing; see Seen
      Configuration c = all[next];
      auto at = std::lower_bound(c.effective.begin(), c.effective.end(), p.id,
                                 [](const Effective& e, OperationId id) { return e.id < id; });
      if (at != c.effective.end() && at->id == p.id) continue;
      Answer answer = Model::apply(c.state, p.operation);
      c.effective.insert(at, {p.id, answer});
      pass_through(c);
      if (known.insert(c).second) all.push_back(std::move(c));
    }
  }
  sort_distinct(all);
  return all;
}

template <class Model>
std::vector<typename Model::State> ObjectHistory<Model>::states_of(const Configurations& configurations) {
  std::vector<State> out;
  for (const Configuration& c : configurations) out.push_back(c.state);
  sort_distinct(out);
  return out;
}

template <class Model>
void ObjectHistory<Model>::invoke(OperationId id, const Operation& operation) {
  bool alone = pending_.empty() && Model::is_read(operation);
  alone_ = alone ? std::optional(id) : std::nullopt;
  pending_.push_back({id, operation, false});
  if (Model::is_read(operation) && !lost_track_)
    for (Configuration& c : configurations_) c.seen.push_back({id, {c.state}});
}

template <class Model>
bool ObjectHistory<Model>::answer(OperationId id, const Answer& answer, std::optional<Place> place) {
  auto mine = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.id == id; });
  HF_ASSERT(mine != pending_.end(), "an operation is answered once, after it was invoked");
  Operation operation = mine->operation;
  pending_.erase(mine);
  bool read = Model::is_read(operation);
  if (lost_track_) {
    if (alone_ == id) find_track_again(answer.state);
    return true;
  }
  bool possible = read ? answer_read(id, answer.state) : answer_write(id, operation, answer);
  if (!possible) go_on_from(read ? answer.state : Model::assumed(operation));
  if (place) keep(id, operation, answer, *place);
  return possible;
}

/// The configurations stay that went through that state while the read was under way.
template <class Model>
bool ObjectHistory<Model>::answer_read(OperationId id, const State& state) {
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
template <class Model>
bool ObjectHistory<Model>::answer_write(OperationId id, const Operation& operation, const Answer& answer) {
  Configurations next;
  Configurations all = closure(configurations_, pending_);
  for (Configuration c : all) {
    auto at = std::find_if(c.effective.begin(), c.effective.end(), [&](const Effective& e) { return e.id == id; });
    if (at != c.effective.end()) {
      bool fits = at->answer == answer;
      c.effective.erase(at);
      if (fits) next.push_back(std::move(c));
    } else if (Model::apply(c.state, operation) == answer) {
      pass_through(c);
      next.push_back(std::move(c));
    }
  }
  return go_on_with(std::move(next), all);
}

template <class Model>
bool ObjectHistory<Model>::go_on_with(Configurations next, const Configurations& out_of) {
  if (next.empty()) {
    states_at_failure_ = states_of(out_of);
    return false;
  }
  sort_distinct(next);
  configurations_ = std::move(next);
  return true;
}

/// After an answer that cannot be, so that one failure is reported once.
template <class Model>
void ObjectHistory<Model>::go_on_from(const State& state) {
  Configuration c{.state = state};
  for (const Pending& p : pending_)
    if (Model::is_read(p.operation)) c.seen.push_back({p.id, {state}});
  configurations_ = {std::move(c)};
}

/// The story begins anew where a read without company found the document.
template <class Model>
void ObjectHistory<Model>::find_track_again(const State& state) {
  lost_track_ = false;
  configurations_ = base_ = {Configuration{.state = state}};
  base_lsn_ = Lsn::max();
}

/// Remembers an answered change by its place, and the oldest no longer.
template <class Model>
void ObjectHistory<Model>::keep(OperationId id, const Operation& operation, const Answer& answer, Place place) {
  if (base_lsn_ == Lsn::max()) return;  // the story is not told at present
  if (place.lsn <= base_lsn_) {
    // Told late: it happened before the story by LSN begins, and where it did not, that is no story.
    auto told = [&](const Effective& e) { return e.id == id && e.answer == answer; };
    std::erase_if(base_,
                  [&](const Configuration& c) { return std::none_of(c.effective.begin(), c.effective.end(), told); });
    for (Configuration& c : base_) std::erase_if(c.effective, [&](const Effective& e) { return e.id == id; });
    sort_distinct(base_);
    return;
  }
  auto at = std::upper_bound(changes_.begin(), changes_.end(), place.lsn,
                             [](Lsn l, const Change& c) { return l < c.place.lsn; });
  changes_.insert(at, {id, place, operation, answer});
  if (changes_.size() <= kChangesKept) return;
  base_ = after(base_, may_precede(1, changes_.front().place.lsn), changes_.front());
  base_lsn_ = base_.size() > kStoriesMax ? Lsn::max() : changes_.front().place.lsn;
  changes_.erase(changes_.begin());
}

template <class Model>
bool ObjectHistory<Model>::forget(OperationId id) {
  std::erase_if(pending_, [&](const Pending& p) { return p.id == id; });
  auto is = [id](const Effective& e) { return e.id == id; };
  for (Configuration& c : configurations_) std::erase_if(c.seen, [id](const Seen& s) { return s.read == id; });
  Configurations without = configurations_;
  std::erase_if(without,
                [&](const Configuration& c) { return std::any_of(c.effective.begin(), c.effective.end(), is); });
  bool unseen = !without.empty();
  if (unseen) configurations_ = std::move(without);
  for (Configuration& c : configurations_) std::erase_if(c.effective, is);
  sort_distinct(configurations_);
  return unseen;
}

template <class Model>
void ObjectHistory<Model>::abandon(OperationId id) {
  for (Pending& p : pending_)
    if (p.id == id) p.abandoned = true;
}

template <class Model>
void ObjectHistory<Model>::restart(Configurations configurations, Lsn survived) {
  std::erase_if(pending_, [](const Pending& p) { return p.abandoned; });
  auto gone = [&](const Effective& e) {
    return std::none_of(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.id == e.id; });
  };
  for (Configuration& c : configurations) {
    std::erase_if(c.effective, gone);
    // An answer of the old server may still be on its way; or the read is sent to the new one.
    for (const Pending& p : pending_) {
      if (!Model::is_read(p.operation)) continue;
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

template <class Model>
void ObjectHistory<Model>::crash(Lsn survived) {
  restart(lost_track_ ? Configurations{Configuration{}} : closure(configurations_, pending_), survived);
}

/// What may be after a change whose answer is known, if any of `pending` may have come before it.
template <class Model>
typename ObjectHistory<Model>::Configurations ObjectHistory<Model>::after(const Configurations& from,
                                                                          const std::vector<Pending>& pending,
                                                                          const Change& change) {
  Configurations next;
  for (Configuration c : closure(from, pending)) {
    // What was under way when the story by LSN began may be in it already.
    auto at =
        std::find_if(c.effective.begin(), c.effective.end(), [&](const Effective& e) { return e.id == change.id; });
    bool fits = at != c.effective.end() ? at->answer == change.answer
                                        : Model::apply(c.state, change.operation) == change.answer;
    if (at != c.effective.end()) c.effective.erase(at);
    if (fits) next.push_back(std::move(c));
  }
  sort_distinct(next);
  return next;
}

/// What may stand before that LSN, of what is under way and of the changes from `first` on, whose places are only
/// bounded.
template <class Model>
std::vector<typename ObjectHistory<Model>::Pending> ObjectHistory<Model>::may_precede(size_t first, Lsn lsn) const {
  std::vector<Pending> may = pending_;
  for (size_t i = first; i < changes_.size(); ++i) {
    const Place& place = changes_[i].place;
    if (place.precision == Place::Precision::kAtMost && place.after < lsn)
      may.push_back({changes_[i].id, changes_[i].operation, false});
  }
  return may;
}

template <class Model>
std::optional<typename ObjectHistory<Model>::Configurations> ObjectHistory<Model>::as_of(Lsn lsn) const {
  if (lost_track_ || lsn < base_lsn_) return std::nullopt;
  Configurations now = base_;
  size_t i = 0;
  for (; i < changes_.size() && changes_[i].place.lsn <= lsn; ++i) {
    now = after(now, may_precede(i + 1, changes_[i].place.lsn), changes_[i]);
    if (now.size() > kStoriesMax) return std::nullopt;
  }
  return closure(std::move(now), may_precede(i, lsn));
}

template <class Model>
bool ObjectHistory<Model>::crash_and_lose_after(Lsn survived) {
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

template <class Model>
std::optional<std::vector<typename Model::State>> ObjectHistory<Model>::states_at(Lsn snapshot) const {
  std::optional<Configurations> then = as_of(snapshot);
  if (!then) return std::nullopt;
  return states_of(*then);
}

template <class Model>
std::optional<std::vector<typename Model::State>> ObjectHistory<Model>::states() const {
  if (lost_track_) return std::nullopt;
  return states_of(closure(configurations_, pending_));
}

template class ObjectHistory<DocumentModel>;
template class ObjectHistory<DeclarationModel>;
template class ObjectHistory<UserModel>;

}  // namespace holdfast::chaos
