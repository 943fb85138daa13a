#include "chaos/oracle/dependency_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>

#include "chaos/oracle/moment_graph.h"

namespace holdfast::chaos {

namespace {

using Arc = MomentGraph::Arc;
using Moment = MomentGraph::Moment;
using Node = DependencyGraph::Node;
using Edge = DependencyGraph::Edge;
using Kind = DependencyGraph::Kind;

constexpr uint32_t kNoEdge = std::numeric_limits<uint32_t>::max();

Moment snapshot_of(Node n) { return 2 * n; }
Moment commit_of(Node n) { return 2 * n + 1; }
bool is_commit(Moment m) { return m % 2 == 1; }

}  // namespace

DependencyGraph::Node DependencyGraph::add() {
  nodes_.emplace_back();
  return static_cast<Node>(nodes_.size() - 1);
}

void DependencyGraph::add(const Edge& edge) {
  if (edge.from != edge.to) edges_.push_back(edge);
}

namespace {

/// The edges of the data, and within each transaction.
template <class Transactions>
std::vector<Arc> data_arcs(const Transactions& nodes, const std::vector<Edge>& edges) {
  std::vector<Arc> arcs;
  arcs.reserve(nodes.size() + edges.size());
  for (Node n = 0; n < nodes.size(); ++n) arcs.push_back({snapshot_of(n), commit_of(n), 0, kNoEdge});
  for (uint32_t i = 0; i < edges.size(); ++i) {
    const Edge& e = edges[i];
    if (e.kind != Kind::kReadWrite)
      arcs.push_back({commit_of(e.from), snapshot_of(e.to), 1, i});
    else
      arcs.push_back({nodes[e.from].validated ? commit_of(e.from) : snapshot_of(e.from), commit_of(e.to), 1, i});
  }
  return arcs;
}

/// A chain of all answers in their order: a commit leads to its answer, and the last answer before something was asked
/// for to its snapshot.
template <class Transactions>
size_t add_real_time(const Transactions& nodes, std::vector<Arc>& arcs) {
  std::vector<std::pair<uint64_t, Node>> answers;
  for (Node n = 0; n < nodes.size(); ++n)
    if (nodes[n].answered != 0) answers.emplace_back(nodes[n].answered, n);
  std::ranges::sort(answers);
  auto link = [&](size_t i) { return static_cast<Moment>(2 * nodes.size() + i); };
  for (size_t i = 0; i < answers.size(); ++i) {
    arcs.push_back({commit_of(answers[i].second), link(i), 0, kNoEdge});
    if (i > 0) arcs.push_back({link(i - 1), link(i), 0, kNoEdge});
  }
  for (Node n = 0; n < nodes.size(); ++n) {
    if (nodes[n].asked == 0) continue;
    auto after = std::ranges::lower_bound(answers, std::pair(nodes[n].asked, Node(0)));
    if (after != answers.begin())
      arcs.push_back({link(static_cast<size_t>(after - answers.begin()) - 1), snapshot_of(n), 1, kNoEdge});
  }
  return answers.size();
}

/// As edges again: arcs within a transaction go, those over the chain of answers become one.
std::vector<Edge> as_edges(const std::vector<Arc>& cycle, size_t nodes, const std::vector<Edge>& edges) {
  std::vector<Edge> out;
  Node answered = 0;
  for (const Arc& a : cycle) {
    bool from_chain = a.from >= 2 * nodes, to_chain = a.to >= 2 * nodes;
    if (to_chain && !from_chain) answered = a.from / 2;
    if (from_chain && !to_chain) out.push_back({answered, a.to / 2, Kind::kRealTime, 0});
    if (a.label != kNoEdge) out.push_back(edges[a.label]);
  }
  return out;
}

/// A cheapest cycle of all components. Every cycle has a commit.
std::vector<Arc> cheapest(const MomentGraph& graph, size_t nodes, uint64_t& arcs_left) {
  std::vector<Arc> best;
  size_t limit = std::numeric_limits<uint32_t>::max();
  for (const auto& knot : graph.knots()) {
    std::vector<Moment> starts;
    std::ranges::copy_if(knot, std::back_inserter(starts), [&](Moment m) { return m < 2 * nodes && is_commit(m); });
    std::vector<Arc> cycle = graph.cheapest_cycle(starts, limit, arcs_left);
    if (cycle.empty()) continue;
    limit = 0;
    for (const Arc& a : cycle) limit += a.cost;
    best = std::move(cycle);
  }
  return best;
}

}  // namespace

DependencyGraph::Cycle DependencyGraph::forbidden(uint64_t arcs_max) const {
  std::vector<Arc> arcs = data_arcs(nodes_, edges_);
  uint64_t left = std::max<uint64_t>(arcs_max, arcs.size());  // enough to find one
  std::vector<Arc> cycle = cheapest(MomentGraph(2 * nodes_.size(), arcs), nodes_.size(), left);
  if (!cycle.empty()) return as_edges(cycle, nodes_.size(), edges_);
  size_t answers = add_real_time(nodes_, arcs);
  left = std::max<uint64_t>(arcs_max, arcs.size());
  return as_edges(cheapest(MomentGraph(2 * nodes_.size() + answers, arcs), nodes_.size(), left), nodes_.size(), edges_);
}

std::string_view DependencyGraph::name(Kind kind) {
  switch (kind) {
    case Kind::kWriteWrite:
      return "ww";
    case Kind::kWriteRead:
      return "wr";
    case Kind::kReadWrite:
      return "rw";
    case Kind::kRealTime:
      return "rt";
  }
  return "?";
}

std::string DependencyGraph::name(const Cycle& cycle) {
  auto is = [](Kind kind) { return [kind](const Edge& e) { return e.kind == kind; }; };
  size_t read_write = static_cast<size_t>(std::ranges::count_if(cycle, is(Kind::kReadWrite)));
  bool adjacent = false;
  for (size_t i = 0; i < cycle.size(); ++i)
    adjacent =
        adjacent || (cycle[i].kind == Kind::kReadWrite && cycle[(i + 1) % cycle.size()].kind == Kind::kReadWrite);
  std::string name = adjacent                                           ? "G2 (write skew among validated transactions)"
                     : read_write > 1                                   ? "G-nonadjacent (skewed snapshots)"
                     : read_write == 1                                  ? "G-single (read skew or lost update)"
                     : std::ranges::any_of(cycle, is(Kind::kWriteRead)) ? "G1c (circular information flow)"
                                                                        : "G0 (circular writes)";
  if (std::ranges::any_of(cycle, is(Kind::kRealTime))) name += ", against real time";
  return name;
}

}  // namespace holdfast::chaos
