#include "chaos/suite/minimize.h"

#include <algorithm>
#include <numeric>

namespace holdfast::chaos {
namespace {

Candidate without(const Candidate& all, size_t from, size_t count) {
  Candidate out = all;
  auto begin = out.begin() + static_cast<std::ptrdiff_t>(from);
  out.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(count, all.size() - from)));
  return out;
}

/// Leaves out pieces of that size, from the first on, as long as it happens; true when any went.
bool leave_out(Candidate& kept, size_t size, const FirstThatHappens& first) {
  bool any = false;
  for (size_t from = 0; from < kept.size();) {
    std::vector<Candidate> candidates;
    for (size_t at = from; at < kept.size(); at += size) candidates.push_back(without(kept, at, size));
    std::optional<size_t> chosen = first(candidates);
    if (!chosen) break;
    kept = std::move(candidates[*chosen]);
    from += *chosen * size;
    any = true;
  }
  return any;
}

}  // namespace

Candidate minimize(size_t count, const FirstThatHappens& first) {
  Candidate kept(count);
  std::iota(kept.begin(), kept.end(), size_t{0});
  if (count == 0 || first({Candidate{}})) return {};
  for (size_t size = (count + 1) / 2;;) {
    bool any = kept.size() > size && leave_out(kept, size, first);
    if (size > 1)
      size = std::min((size + 1) / 2, std::max<size_t>(1, (kept.size() + 1) / 2));
    else if (!any)
      return kept;
  }
}

std::vector<uint64_t> towards(uint64_t value, uint64_t simple) {
  std::vector<uint64_t> out;
  uint64_t low = std::min(value, simple), high = std::max(value, simple);
  for (uint64_t away = 0; low + away < high; away = away == 0 ? std::max<uint64_t>(1, (high - low) / 2) : away + std::max<uint64_t>(1, (high - low - away) / 2))
    out.push_back(value > simple ? simple + away : simple - away);
  return out;
}

}  // namespace holdfast::chaos
