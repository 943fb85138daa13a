#include "core/primary_index.h"

#include <algorithm>

#include "io/base/assert.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

/// Stands in an overlay for "see `several`". No entry has this value: ordinals stay below kMaxRecords.
const IndexEntry kSeveral = IndexEntry::from_raw((uint32_t{1} << 31) - 2);
static_assert(kMaxRecords <= (uint32_t{1} << 31) - 2);

/// The first index whose hash is at least `hash`. Hashes are spread evenly unless somebody chose the ids, so a few
/// steps of interpolation come close; bisection bounds what is left.
size_t lower_bound(const std::vector<uint64_t>& hashes, uint64_t hash) {
  size_t low = 0, high = hashes.size();  // everything before `low` is smaller, everything from `high` on is not
  for (int step = 0; step < 3 && high - low > 32; ++step) {
    uint64_t first = hashes[low], last = hashes[high - 1];
    if (hash <= first) return low;
    if (hash > last) return high;
    double part = static_cast<double>(hash - first) / static_cast<double>(last - first);
    size_t guess = low + static_cast<size_t>(part * static_cast<double>(high - 1 - low));
    // Close in around the guess by a margin that the spread of random hashes rarely leaves: the root of the length,
    // twice.
    size_t margin = 16;
    while (margin * margin < 4 * (high - low)) margin *= 2;
    size_t from = guess > low + margin ? guess - margin : low;
    size_t to = guess + margin < high ? guess + margin : high;
    if (from > low && hashes[from - 1] < hash)
      low = from;
    else if (from > low)
      high = from;
    if (to < high && to > low) {
      if (hashes[to - 1] >= hash)
        high = to;
      else
        low = to;
    }
  }
  auto begin = hashes.begin();
  return static_cast<size_t>(
      std::lower_bound(begin + static_cast<ptrdiff_t>(low), begin + static_cast<ptrdiff_t>(high), hash) - begin);
}

}  // namespace

std::span<const IndexEntry> IndexRun::find(uint64_t hash) const {
  size_t first = lower_bound(hashes, hash);
  size_t end = first;
  while (end < hashes.size() && hashes[end] == hash) ++end;
  return {entries.data() + first, end - first};
}

std::span<const IndexEntry> PrimaryIndex::Overlay::find(uint64_t hash) const {
  auto it = entries.find(hash);
  if (it == entries.end()) return {};
  if (it->second != kSeveral) return {&it->second, 1};
  return several.find(hash)->second;
}

std::span<const IndexEntry> PrimaryIndex::lookup(uint64_t hash) const {
  if (auto found = overlay_.find(hash); !found.empty()) return found;
  if (auto found = frozen_.find(hash); !found.empty()) return found;
  return run_->find(hash);
}

void PrimaryIndex::replace(uint64_t hash, IndexEntry old, IndexEntry now) {
  auto before = lookup(hash);
  if (before.empty() || (before.size() == 1 && before[0] == old)) {
    overlay_.entries[hash] = now;
    return;
  }
  SOMETIMES(true, "index-hash-collision");
  std::vector<IndexEntry> list;
  list.reserve(before.size() + 1);
  list.push_back(now);
  for (IndexEntry e : before)
    if (e != old && !MUTANT("index-forgets-collisions")) list.push_back(e);
  auto [it, added] = overlay_.entries.try_emplace(hash, kSeveral);
  if (list.size() == 1) {
    it->second = now;
    overlay_.several.erase(hash);
  } else {
    it->second = kSeveral;
    overlay_.several[hash] = std::move(list);
  }
}

/// A merge under way: the frozen hashes in order, and how far the two inputs are read.
struct PrimaryIndex::Merge {
  std::vector<uint64_t> changed;
  size_t next_changed = 0;
  size_t next_old = 0;
  Ordinal forget_below;
  IndexRun out;

  void take(uint64_t hash, std::span<const IndexEntry> list) {
    for (IndexEntry e : list) {
      if (e.tombstone() && e.ordinal() < forget_below) continue;
      out.hashes.push_back(hash);
      out.entries.push_back(e);
    }
  }
};
void PrimaryIndex::MergeDeleter::operator()(Merge* merge) const { delete merge; }

void PrimaryIndex::begin_merge(Ordinal forget_below) {
  HF_ASSERT(!merging(), "one merge at a time");
  merge_.reset(new Merge);
  merge_->forget_below = forget_below;
  merge_->changed.reserve(overlay_.size());
  for (const auto& [hash, entry] : overlay_.entries) merge_->changed.push_back(hash);  // in no order: sorted next
  std::sort(merge_->changed.begin(), merge_->changed.end());
  size_t most = run_->hashes.size() + overlay_.size() + 2 * overlay_.several.size();
  merge_->out.hashes.reserve(most);
  merge_->out.entries.reserve(most);
  frozen_ = std::exchange(overlay_, Overlay());
}

bool PrimaryIndex::merge_step(size_t units) {
  HF_ASSERT(merging(), "a merge has begun");
  Merge& m = *merge_;
  const IndexRun& old = *run_;
  while (units-- > 0) {
    bool have_old = m.next_old < old.hashes.size(), have_new = m.next_changed < m.changed.size();
    if (!have_old && !have_new) {
      run_ = std::make_shared<const IndexRun>(std::move(m.out));
      frozen_ = Overlay();
      merge_.reset();
      return true;
    }
    if (have_old && (!have_new || old.hashes[m.next_old] < m.changed[m.next_changed])) {
      m.take(old.hashes[m.next_old], {&old.entries[m.next_old], 1});
      ++m.next_old;
      continue;
    }
    uint64_t hash = m.changed[m.next_changed++];
    auto list = frozen_.find(hash);
    size_t written = m.out.hashes.size();
    m.take(hash, list);
    SOMETIMES(m.out.hashes.size() < written + list.size(), "merge-forgot-tombstone");
    // The frozen list is complete: the old run's entries of this hash are hidden by it.
    while (m.next_old < old.hashes.size() && old.hashes[m.next_old] == hash) {
      if (MUTANT("merge-brings-back-deleted") && m.out.hashes.size() == written)
        m.take(hash, {&old.entries[m.next_old], 1});
      ++m.next_old;
    }
  }
  return false;
}

}  // namespace holdfast::core
