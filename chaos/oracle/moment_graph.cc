#include "chaos/oracle/moment_graph.h"

#include <algorithm>
#include <deque>
#include <limits>

namespace holdfast::chaos {

namespace {
constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
}  // namespace

MomentGraph::MomentGraph(size_t moments, const std::vector<Arc>& arcs)
    : arcs_(arcs.size()), first_(moments + 1), component_(moments, kNone) {
  for (const Arc& a : arcs) ++first_[a.from + 1];
  for (size_t m = 0; m < moments; ++m) first_[m + 1] += first_[m];
  std::vector<uint32_t> next = first_;
  for (const Arc& a : arcs) arcs_[next[a.from]++] = a;
  find_components();
  std::ranges::sort(knots_, {}, [](const auto& knot) { return std::pair(knot.size(), knot.front()); });
}

// ---- Components: Tarjan's, with a stack of its own ----

void MomentGraph::close(Moment root, std::vector<Moment>& open) {
  auto at = std::ranges::find(open.rbegin(), open.rend(), root).base() - 1;
  for (auto m = at; m != open.end(); ++m) component_[*m] = components_;
  ++components_;
  if (open.end() - at > 1) knots_.emplace_back(at, open.end());
  open.erase(at, open.end());
}

void MomentGraph::find_components() {
  size_t moments = component_.size();
  std::vector<uint32_t> met(moments, kNone);  // when it was met
  std::vector<uint32_t> low(moments, kNone);  // the earliest that it leads back to
  std::vector<uint32_t> next(first_.begin(), first_.end() - 1);
  std::vector<Moment> path, open;
  uint32_t count = 0;
  auto meet = [&](Moment m) {
    met[m] = low[m] = count++;
    path.push_back(m);
    open.push_back(m);
  };
  for (Moment root = 0; root < moments; ++root) {
    if (met[root] != kNone) continue;
    meet(root);
    while (!path.empty()) {
      Moment m = path.back();
      if (next[m] < first_[m + 1]) {
        Moment to = arcs_[next[m]++].to;
        if (met[to] == kNone)
          meet(to);
        else if (component_[to] == kNone)
          low[m] = std::min(low[m], met[to]);
        continue;
      }
      path.pop_back();
      if (low[m] == met[m]) close(m, open);
      if (!path.empty()) low[path.back()] = std::min(low[path.back()], low[m]);
    }
  }
}

// ---- Shortest cycles: breadth first, arcs of no cost at once ----

std::vector<MomentGraph::Arc> MomentGraph::cycle_through(Moment start, size_t limit, uint64_t& arcs_left,
                                                         std::vector<uint32_t>& cost,
                                                         std::vector<const Arc*>& by) const {
  std::vector<Moment> met = {start};
  std::deque<Moment> next = {start};
  std::vector<Arc> cycle;
  cost[start] = 0;
  size_t best = limit;
  const Arc* last = nullptr;
  while (!next.empty() && cost[next.front()] < best) {
    Moment m = next.front();
    next.pop_front();
    for (const Arc& a : from(m)) {
      if (arcs_left == 0) break;
      --arcs_left;
      uint32_t there = cost[m] + a.cost;
      if (component_[a.to] != component_[start] || there >= best) continue;
      if (a.to == start) {
        best = there;
        last = &a;
      } else if (there < cost[a.to]) {
        if (cost[a.to] == kNone) met.push_back(a.to);
        cost[a.to] = there;
        by[a.to] = &a;
        a.cost == 0 ? next.push_front(a.to) : next.push_back(a.to);
      }
    }
  }
  for (const Arc* a = last; a != nullptr; a = a->from == start ? nullptr : by[a->from]) cycle.push_back(*a);
  std::ranges::reverse(cycle);
  for (Moment m : met) cost[m] = kNone;
  return cycle;
}

std::vector<MomentGraph::Arc> MomentGraph::cheapest_cycle(const std::vector<Moment>& starts, size_t limit,
                                                          uint64_t& arcs_left) const {
  std::vector<uint32_t> cost(component_.size(), kNone);
  std::vector<const Arc*> by(component_.size());
  std::vector<Arc> cheapest;
  for (Moment start : starts) {
    if (arcs_left == 0) break;
    std::vector<Arc> cycle = cycle_through(start, limit, arcs_left, cost, by);
    if (cycle.empty()) continue;
    limit = 0;
    for (const Arc& a : cycle) limit += a.cost;
    cheapest = std::move(cycle);
  }
  return cheapest;
}

}  // namespace holdfast::chaos
