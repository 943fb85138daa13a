#include "chaos/oracle/collection_history.h"

#include <fmt/core.h>

#include <algorithm>

#include "io/base/assert.h"

namespace holdfast::chaos {
namespace {

Lsn before(Lsn lsn) { return lsn == Lsn() ? lsn : Lsn(lsn.value - 1); }

}  // namespace

// ---- Ranges ----

bool CollectionHistory::Drop::lies_in(Range r) const {
  return certain && !ranges.empty() && std::all_of(ranges.begin(), ranges.end(), [&](Range x) { return r.low <= x.low && x.high <= r.high; });
}

bool CollectionHistory::Drop::meets(Range r) const {
  return std::any_of(ranges.begin(), ranges.end(), [&](Range x) { return std::max(x.low, r.low) < std::min(x.high, r.high); });
}

void CollectionHistory::Drop::exclude(Range r) {
  if (r.low >= r.high) return;
  std::vector<Range> left;
  for (Range x : ranges) {
    if (x.low < std::min(x.high, r.low)) left.push_back({x.low, std::min(x.high, r.low)});
    if (std::max(x.low, r.high) < x.high) left.push_back({std::max(x.low, r.high), x.high});
  }
  ranges = std::move(left);
}

void CollectionHistory::Drop::narrow(Range r) {
  exclude({Lsn(), r.low});
  exclude({r.high, Lsn::max()});
}

// ---- Asked ----

void CollectionHistory::insert(OperationId id, std::vector<Key> keys, Lsn after) {
  for (const Key& key : keys) {
    bool fresh = keys_.emplace(key, id).second;
    HF_ASSERT(fresh, "every key is written once");
  }
  inserts_[id] = {.low = after, .asked = after, .keys = std::move(keys)};
}

void CollectionHistory::drop(OperationId id, Lsn after) {
  drops_[id].ranges = {{after, Lsn::max()}};
  drops_[id].asked = after;
}

size_t CollectionHistory::drops_open() const {
  return static_cast<size_t>(std::count_if(drops_.begin(), drops_.end(), [](const auto& d) { return d.second.stage != Stage::kSettled; }));
}

// ---- Ended ----

CollectionHistory::Sentence CollectionHistory::done(OperationId id, Lsn lsn) {
  if (auto d = drops_.find(id); d != drops_.end()) {
    Drop& drop = d->second;
    if (lsn == Lsn()) {  // before anything there was
      drop = {.ranges = {}, .stage = Stage::kSettled};
      return "";
    }
    // One that finds nothing to drop rests on what is committed, which may be no more than what was; it is as good as a drop there.
    bool fits = drop.meets({before(lsn), lsn}) || lsn == drop.asked;
    drop = {.ranges = {{before(lsn), lsn}}, .asked = drop.asked, .stage = Stage::kSettled, .certain = true};
    return fits ? "" : fmt::format("was dropped at LSN {}, but what was seen says that it was not dropped there", lsn.value);
  }
  Insert& i = inserts_.at(id);
  i.stage = Stage::kSettled;
  i.drops_before_end = drops_.size();
  if (i.never || lsn < i.low || (!i.keys.empty() && (lsn == i.low || lsn > i.high)))
    return fmt::format("acknowledged at LSN {} what stands in ({}, {}] if anywhere", lsn.value, i.low.value, i.high.value);
  i.certain = true;
  i.high = lsn;
  if (!i.keys.empty()) i.low = before(lsn);
  return i.missed && i.high <= i.missed->from ? saw_absent(i, *i.missed) : "";
}

CollectionHistory::Sentence CollectionHistory::refused(OperationId id) {
  if (auto d = drops_.find(id); d != drops_.end()) {
    bool seen = d->second.certain;
    d->second = {.ranges = {}, .stage = Stage::kSettled};
    return seen ? "refused to be dropped, but was dropped" : "";
  }
  Insert& i = inserts_.at(id);
  bool seen = i.certain && !i.keys.empty();
  i.stage = Stage::kSettled;
  i.drops_before_end = drops_.size();
  i.never = true;  // it may have made the collection before it was refused, though
  return seen ? fmt::format("refused the insert of {}, but it was seen", i.keys.front()) : "";
}

void CollectionHistory::abandoned(OperationId id) {
  if (auto d = drops_.find(id); d != drops_.end())
    d->second.stage = Stage::kAbandoned;
  else
    inserts_.at(id).stage = Stage::kAbandoned;
}

void CollectionHistory::restarted(Lsn survived, bool lossy) {
  for (auto& [id, i] : inserts_) {
    if (lossy) {
      i.missed.reset();
      if (i.high > survived) i.certain = false;
      if (i.stage == Stage::kUnderWay) i.high = Lsn::max();
      if (i.stage == Stage::kUnderWay) i.low = std::min(i.low, survived);
      i.asked = std::min(i.asked, i.low);
    }
    if (i.stage == Stage::kUnderWay) continue;
    if (i.low >= survived && i.high > survived) i.never = true;
    i.high = std::min(i.high, survived);
    if (i.stage == Stage::kAbandoned) i.drops_before_end = drops_.size();
    i.stage = Stage::kSettled;
  }
  for (auto& [id, d] : drops_) {
    bool may_be_lost = d.meets({survived, Lsn::max()});
    if (lossy && may_be_lost) d.certain = false;
    if (d.stage == Stage::kUnderWay) {
      if (lossy) {
        d.asked = std::min(d.asked, survived);
        d.exclude({survived, Lsn::max()});
        d.ranges.push_back({survived, Lsn::max()});
      }
      continue;
    }
    d.exclude({survived, Lsn::max()});
    d.stage = Stage::kSettled;
  }
}

// ---- Seen ----

CollectionHistory::Sentence CollectionHistory::saw(const Key& key, bool there, Span span) {
  auto at = keys_.find(key);
  if (at == keys_.end()) return there ? fmt::format("shows {}, which nobody wrote", key) : "";
  Insert& i = inserts_.at(at->second);
  Sentence wrong = there ? saw_present(i, span) : saw_absent(i, span);
  return wrong.empty() ? "" : fmt::format("{} {} {}", there ? "shows" : "does not show", key, wrong);
}

CollectionHistory::Sentence CollectionHistory::saw_present(Insert& i, Span span) {
  if (i.never) return "though its insert was refused, or was lost";
  if (i.low >= span.to) return fmt::format("at LSN {}, but it was inserted after LSN {}", span.to.value, i.low.value);
  i.certain = true;
  i.high = std::min(i.high, span.to);
  for (auto& [id, d] : drops_) {
    Drop was = d;
    d.exclude({i.high, span.from});
    if (!d.certain || !d.ranges.empty() || was.ranges.empty()) continue;
    d = was;
    return fmt::format("at LSN {}, but it was inserted at LSN {} at most, and the collection dropped at LSN {} at most", span.to.value, i.high.value,
                       d.ranges.back().high.value);
  }
  return "";
}

CollectionHistory::Sentence CollectionHistory::saw_absent(Insert& i, Span span) {
  if (!i.missed || i.missed->from < span.from) i.missed = span;
  if (!i.certain || i.high > span.from) return "";
  Range since{i.low, span.to};
  Drop* only = nullptr;
  size_t candidates = 0;
  for (auto& [id, d] : drops_) {
    if (d.lies_in(since)) return "";
    if (!d.meets(since)) continue;
    only = &d;
    ++candidates;
  }
  if (candidates == 0)
    return fmt::format("at LSN {}, but it was inserted at LSN {} at most, and nothing has dropped the collection since", span.from.value, i.high.value);
  if (candidates == 1) {
    only->narrow(since);
    only->certain = true;
  }
  return "";
}

CollectionHistory::Sentence CollectionHistory::saw_all(const std::set<Key>& keys, Lsn snapshot) {
  Span span{snapshot, snapshot};
  for (const Key& key : keys)
    if (Sentence wrong = saw(key, true, span); !wrong.empty()) return wrong;
  for (const auto& [key, id] : keys_)
    if (!keys.contains(key))
      if (Sentence wrong = saw(key, false, span); !wrong.empty()) return wrong;
  for (const auto& [id, i] : inserts_) {
    auto shown = static_cast<size_t>(std::count_if(i.keys.begin(), i.keys.end(), [&](const Key& key) { return keys.contains(key); }));
    if (shown != 0 && shown != i.keys.size()) return fmt::format("shows {} of the {} documents of one insert", shown, i.keys.size());
  }
  return "";
}

CollectionHistory::Sentence CollectionHistory::saw_exists(bool there, Span span) {
  auto may_have = [&](const auto& i) { return may_have_made(i.second, span); };
  if (there && std::any_of(inserts_.begin(), inserts_.end(), may_have)) return "";
  if (there) return fmt::format("exists at LSN {}, though it was dropped and nobody can have made it again", span.to.value);
  for (auto& [id, i] : inserts_) {
    if (i.never) continue;
    if (Sentence wrong = saw_absent(i, span); !wrong.empty()) return "does not exist, " + wrong;
  }
  return "";
}

/// Whether a collection that it made may have been there in that span.
bool CollectionHistory::may_have_made(const Insert& i, Span span) const {
  if (i.asked > span.to || (i.asked == span.to && !i.keys.empty())) return false;
  Lsn latest = std::min(i.high, span.to);
  size_t n = 0;
  for (const auto& [id, d] : drops_) {
    bool asked_later = n++ >= i.drops_before_end;
    if (d.lies_in({asked_later ? Lsn() : latest, span.from})) return false;
  }
  return true;
}

bool CollectionHistory::made_by(Lsn lsn) const {
  return std::any_of(inserts_.begin(), inserts_.end(), [&](const auto& i) { return !i.second.never && i.second.certain && i.second.high <= lsn; });
}

bool CollectionHistory::may_be_made_by(Lsn lsn) const {
  return std::any_of(inserts_.begin(), inserts_.end(), [&](const auto& i) { return i.second.asked <= lsn; });
}

CollectionHistory::Alive CollectionHistory::alive(const Insert& i, Lsn at) const {
  if (i.never || i.low >= at) return Alive::kNo;
  bool sure = i.certain && i.high <= at;
  for (const auto& [id, d] : drops_) {
    if (d.lies_in({i.high, at})) return Alive::kNo;
    if (d.meets({i.low, at})) sure = false;
  }
  return sure ? Alive::kYes : Alive::kMaybe;
}

Bounds CollectionHistory::count(Lsn snapshot) const {
  Bounds out;
  for (const auto& [id, i] : inserts_) {
    Alive is = alive(i, snapshot);
    if (is == Alive::kYes) out.least += i.keys.size();
    if (is != Alive::kNo) out.most += i.keys.size();
  }
  return out;
}

}  // namespace holdfast::chaos
