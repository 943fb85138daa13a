// Sorting what is too much for one turn of a core.
#pragma once

#include <algorithm>
#include <vector>

#include "io/executor.h"
#include "io/task.h"

namespace holdfast::core {

/// As many elements, compared by keys of some ten bytes, are sorted within about a millisecond.
inline constexpr size_t kSortedPerTurn = 1024;

/// Sorts by `less`, a strict weak order that stays valid meanwhile; others run on this core after every `per_turn` elements. Takes as much memory again for the
/// elements themselves.
template <class T, class Less>
io::Task<void> sort_in_turns(std::vector<T>& elements, Less less, size_t per_turn = kSortedPerTurn) {
  const size_t n = elements.size();
  auto at = [](std::vector<T>& v, size_t i) { return v.begin() + static_cast<ptrdiff_t>(i); };
  for (size_t begin = 0; begin < n; begin += per_turn) {
    std::sort(at(elements, begin), at(elements, std::min(n, begin + per_turn)), less);
    if (n > per_turn) co_await io::yield();
  }
  if (n <= per_turn) co_return;
  std::vector<T> merged(n);
  size_t since_yield = 0;
  for (size_t width = per_turn; width < n; width *= 2) {
    for (size_t begin = 0; begin < n; begin += 2 * width) {
      size_t middle = std::min(n, begin + width), end = std::min(n, begin + 2 * width);
      for (size_t a = begin, b = middle, to = begin; to < end; ++to) {
        bool second = a == middle || (b < end && less(elements[b], elements[a]));
        merged[to] = std::move(elements[second ? b++ : a++]);
        if (++since_yield % per_turn == 0) co_await io::yield();
      }
    }
    elements.swap(merged);
  }
}

}  // namespace holdfast::core
