// MomentGraph: numbered moments with arcs between them; its strongly connected components, and a shortest cycle within
// them.
//
// Place in the system: pure; the searches of DependencyGraph, which says what moments and arcs mean. No recursion:
// chains may be as long as a run.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace holdfast::chaos {

class MomentGraph {
 public:
  using Moment = uint32_t;
  struct Arc {
    Moment from = 0;
    Moment to = 0;
    uint32_t cost = 0;   ///< 0 or 1
    uint32_t label = 0;  ///< the caller's
  };

  MomentGraph(size_t moments, const std::vector<Arc>& arcs);

  /// Moments that reach each other, two or more, the smallest components first. Linear.
  const std::vector<std::vector<Moment>>& knots() const { return knots_; }
  /// A cycle of least cost through one of `starts`, all in one component; `arcs_left` is what may still be followed.
  /// Empty: none cheaper than `limit`.
  std::vector<Arc> cheapest_cycle(const std::vector<Moment>& starts, size_t limit, uint64_t& arcs_left) const;

 private:
  struct Arcs {
    const Arc* first;
    const Arc* last;
    const Arc* begin() const { return first; }
    const Arc* end() const { return last; }
  };
  Arcs from(Moment m) const { return {arcs_.data() + first_[m], arcs_.data() + first_[m + 1]}; }
  void find_components();
  void close(Moment root, std::vector<Moment>& open);
  std::vector<Arc> cycle_through(Moment start, size_t limit, uint64_t& arcs_left, std::vector<uint32_t>& cost,
                                 std::vector<const Arc*>& by) const;

  std::vector<Arc> arcs_;        // in the order of where they start
  std::vector<uint32_t> first_;  // the first of each moment's
  std::vector<uint32_t> component_;
  uint32_t components_ = 0;
  std::vector<std::vector<Moment>> knots_;
};

}  // namespace holdfast::chaos
