#include "core/live_sets.h"

#include <algorithm>

#include "io/base/assert.h"
#include "io/base/probe.h"

namespace holdfast::core {

LiveSets::Set& LiveSets::set_of(CollectionId collection) {
  if (last_ == nullptr || last_collection_ != collection) {
    last_ = &sets_[collection];
    last_collection_ = collection;
  }
  return *last_;
}

void LiveSets::record(Lsn lsn, CollectionId collection, IndexEntry old, IndexEntry now) {
  if (lsn > horizon_ && (begins_.empty() || begins_.back().lsn < lsn)) begins_.push_back({lsn, now.ordinal()});
  Set& set = set_of(collection);
  if (old.is_document() && !MUTANT("predecessor-not-killed")) {
    set.live.remove(old.ordinal());
    if (lsn > horizon_) deaths_.push_back({lsn, old.ordinal(), collection});
  }
  if (now.is_document()) set.live.add(now.ordinal());
}

void LiveSets::load(CollectionId collection, IndexEntry now, Ordinal predecessor) {
  Set& set = set_of(collection);
  if (predecessor != kNoOrdinal) set.live.remove(predecessor);
  if (now.is_document()) set.live.add(now.ordinal());
}

void LiveSets::load(CollectionId collection, Bitmap live) { set_of(collection).live = std::move(live); }

void LiveSets::drop(Lsn lsn, CollectionId collection) {
  auto it = sets_.find(collection);
  if (it == sets_.end()) return;
  it->second.dropped = std::min(it->second.dropped, lsn);
  forget_dropped();
}

void LiveSets::forget_dropped() {
  Lsn below = MUTANT("dropped-set-forgotten-early") ? horizon_ : std::min(horizon_, checkpoint_);
  if (std::erase_if(sets_, [&](const auto& s) { return s.second.dropped <= below; }) > 0) last_ = nullptr;
}

void LiveSets::set_horizon(Lsn horizon) {
  if (horizon <= horizon_) return;
  horizon_ = horizon;
  while (!deaths_.empty() && deaths_.front().lsn <= horizon) deaths_.pop_front();
  while (!begins_.empty() && begins_.front().lsn <= horizon) begins_.pop_front();
  forget_dropped();
}

void LiveSets::set_checkpoint(Lsn checkpoint) {
  checkpoint_ = checkpoint;
  forget_dropped();
}

Ordinal LiveSets::bound(Lsn snapshot, Ordinal next) const {
  HF_ASSERT(snapshot >= horizon_, "history below the horizon is gone");
  if (MUTANT("snapshot-sees-one-lsn-more")) ++snapshot;
  auto it = std::upper_bound(begins_.begin(), begins_.end(), snapshot, [](Lsn s, const Begin& b) { return s < b.lsn; });
  return it == begins_.end() ? next : it->first;
}

Bitmap LiveSets::at(CollectionId collection, Lsn snapshot, Ordinal next) const {
  Ordinal end = bound(snapshot, next);
  auto it = sets_.find(collection);
  if (it == sets_.end() || it->second.dropped <= snapshot) return Bitmap();
  if (MUTANT("drop-hides-from-older-snapshots") && it->second.dropped != Lsn::max()) return Bitmap();
  SOMETIMES(it->second.dropped != Lsn::max(), "dropped-collection-seen-by-older-snapshot");
  Bitmap live = it->second.live;
  if (end != next) live.remove_from(end);
  for (auto d = deaths_.rbegin(); d != deaths_.rend() && d->lsn > snapshot; ++d) {
    if (d->collection != collection || d->ordinal >= end) continue;
    if (!MUTANT("snapshot-misses-the-dead")) live.add(d->ordinal);
    SOMETIMES(true, "snapshot-sees-the-dead");
  }
  return live;
}

std::vector<std::pair<CollectionId, Bitmap>> LiveSets::copy(Lsn lsn) const {
  std::vector<std::pair<CollectionId, Bitmap>> out;
  for (const auto& [id, set] : sets_)
    if (set.dropped > lsn) out.emplace_back(id, set.live);
  return out;
}

uint64_t LiveSets::count(CollectionId collection) const {
  auto it = sets_.find(collection);
  return it == sets_.end() || it->second.dropped != Lsn::max() ? 0 : it->second.live.count();
}

bool LiveSets::has(CollectionId collection) const {
  auto it = sets_.find(collection);
  return it != sets_.end() && it->second.dropped == Lsn::max();
}

bool LiveSets::contains(CollectionId collection, Ordinal ordinal) const {
  auto it = sets_.find(collection);
  return it != sets_.end() && it->second.dropped == Lsn::max() && it->second.live.contains(ordinal);
}

}  // namespace holdfast::core
