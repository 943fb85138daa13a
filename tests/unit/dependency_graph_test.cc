// The search for orders that snapshot isolation forbids: all of them, nothing else, and the smallest first.
#include "chaos/oracle/dependency_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "io/base/random.h"

namespace holdfast::chaos {
namespace {

using Graph = DependencyGraph;
using Kind = Graph::Kind;
using Edge = Graph::Edge;
constexpr Kind ww = Kind::kWriteWrite, wr = Kind::kWriteRead, rw = Kind::kReadWrite, rt = Kind::kRealTime;

Graph graph(size_t nodes, const std::vector<Edge>& edges) {
  Graph g;
  for (size_t i = 0; i < nodes; ++i) g.add();
  for (const Edge& e : edges) g.add(e);
  return g;
}

std::string forbidden(const Graph& g) {
  auto cycle = g.forbidden();
  return cycle.empty() ? "" : Graph::name(cycle).substr(0, Graph::name(cycle).find(' '));
}

TEST(DependencyGraph, NamesWhatIsForbidden) {
  EXPECT_EQ(forbidden(graph(2, {{0, 1, ww}, {1, 0, ww}})), "G0");
  EXPECT_EQ(forbidden(graph(2, {{0, 1, ww}, {1, 0, wr}})), "G1c");
  EXPECT_EQ(forbidden(graph(2, {{0, 1, ww}, {1, 0, rw}})), "G-single") << "a lost update";
  EXPECT_EQ(forbidden(graph(3, {{0, 1, wr}, {1, 2, wr}, {2, 0, rw}})), "G-single");
  EXPECT_EQ(forbidden(graph(4, {{0, 1, rw}, {1, 2, wr}, {2, 3, rw}, {3, 0, wr}})), "G-nonadjacent")
      << "two readers see two writers in two orders";
}

TEST(DependencyGraph, AllowsWhatSnapshotIsolationAllows) {
  EXPECT_EQ(forbidden(graph(0, {})), "");
  EXPECT_EQ(forbidden(graph(3, {{0, 1, ww}, {1, 2, wr}, {0, 2, rw}})), "");
  EXPECT_EQ(forbidden(graph(2, {{0, 1, rw}, {1, 0, rw}})), "") << "write skew";
  EXPECT_EQ(forbidden(graph(3, {{0, 1, rw}, {1, 2, rw}, {2, 0, wr}})), "") << "the read-only anomaly";
  EXPECT_EQ(forbidden(graph(1, {{0, 0, ww}})), "") << "a transaction does not wait for itself";
}

TEST(DependencyGraph, ValidatedTransactionsAreSerializableAmongThemselves) {
  Graph skew = graph(2, {{0, 1, rw}, {1, 0, rw}});
  skew.validate(0);
  EXPECT_EQ(forbidden(skew), "") << "the other one did not ask for it";
  skew.validate(1);
  EXPECT_EQ(forbidden(skew), "G2");
}

TEST(DependencyGraph, KnowsRealTime) {
  Graph g = graph(2, {{1, 0, wr}});
  g.asked(0, 1), g.answered(0, 2), g.asked(1, 3), g.answered(1, 4);
  EXPECT_EQ(g.forbidden(), (Graph::Cycle{{0, 1, rt, 0}, {1, 0, wr, 0}}));
  EXPECT_EQ(Graph::name(g.forbidden()), "G1c (circular information flow), against real time");
  Graph stale = graph(2, {{1, 0, rw}});
  stale.asked(0, 1), stale.answered(0, 2), stale.asked(1, 3);
  EXPECT_EQ(forbidden(stale), "G-single") << "it did not see what had been acknowledged";
  Graph at_once = graph(2, {{1, 0, rw}});
  at_once.asked(0, 1), at_once.answered(0, 4), at_once.asked(1, 3);
  EXPECT_EQ(forbidden(at_once), "");
  Graph silent = graph(2, {{1, 0, rw}});
  silent.asked(0, 1), silent.asked(1, 3);
  EXPECT_EQ(forbidden(silent), "") << "without an answer";
}

TEST(DependencyGraph, FindsASmallestOneOfSeveral) {
  // A ring of five, one of three in another part, and a long way round it.
  Graph g = graph(12, {{0, 1, ww},
                       {1, 2, ww},
                       {2, 3, ww},
                       {3, 4, ww},
                       {4, 0, ww},
                       {5, 6, ww},
                       {6, 7, wr, 9},
                       {7, 5, rw},
                       {7, 8, ww},
                       {8, 9, ww},
                       {9, 10, ww},
                       {10, 11, ww},
                       {11, 5, ww}});
  auto cycle = g.forbidden();
  ASSERT_EQ(cycle.size(), 3u);
  EXPECT_TRUE(std::ranges::find(cycle, Edge{6, 7, wr, 9}) != cycle.end());
  for (size_t i = 0; i < cycle.size(); ++i) EXPECT_EQ(cycle[i].to, cycle[(i + 1) % cycle.size()].from);
  EXPECT_FALSE(g.forbidden(1).empty()) << "however little may be searched, one is found";
}

/// The least number of edges of a forbidden closed walk, by trying all walks: the state is where one is, and how one
/// came there.
size_t smallest_by_trying(size_t nodes, const std::vector<Edge>& edges, const std::vector<bool>& validated) {
  // From a transaction's snapshot one may go on by rw, from its commit by anything else; a validated one's rw leaves
  // from its commit.
  size_t best = 0;
  for (size_t start = 0; start < nodes; ++start) {
    std::vector<size_t> reached(2 * nodes, 0);  // 2 n: came to its snapshot; 2 n + 1: to its commit
    std::vector<size_t> states = {2 * start + 1};
    for (size_t length = 1; !states.empty() && reached[2 * start + 1] == 0; ++length) {
      std::vector<size_t> next;
      for (size_t state : states)
        for (const Edge& e : edges) {
          bool from_commit = e.kind != rw || validated[e.from];
          if (e.from != state / 2 || e.from == e.to || (!from_commit && state % 2 == 1)) continue;
          size_t to = 2 * e.to + (e.kind == rw ? 1 : 0);
          if (reached[to] == 0) reached[to] = length, next.push_back(to);
        }
      states = std::move(next);
    }
    for (size_t end : {2 * start, 2 * start + 1})
      if (reached[end] != 0 && (best == 0 || reached[end] < best)) best = reached[end];
  }
  return best;
}

TEST(DependencyGraph, AgreesWithTryingAllWalks) {
  Rng random(11, "graphs");
  size_t found = 0;
  for (int round = 0; round < 3000; ++round) {
    size_t nodes = random.between(2, 8), count = random.between(1, 2 * nodes);
    Graph g = graph(nodes, {});
    std::vector<bool> validated(nodes);
    for (size_t n = 0; n < nodes; ++n)
      if ((validated[n] = random.chance(1, 3))) g.validate(static_cast<Graph::Node>(n));
    std::vector<Edge> edges;
    for (size_t i = 0; i < count; ++i) {
      edges.push_back({static_cast<Graph::Node>(random.below(nodes)), static_cast<Graph::Node>(random.below(nodes)),
                       std::array{ww, wr, rw}[random.below(3)], i});
      g.add(edges.back());
    }
    size_t expected = smallest_by_trying(nodes, edges, validated);
    ASSERT_EQ(g.forbidden().size(), expected) << "round " << round;
    found += expected != 0;
  }
  EXPECT_GT(found, 500u);
  EXPECT_LT(found, 2500u);
}

TEST(DependencyGraph, RealTimeOfManyTransactionsIsAChain) {
  // Ten thousand, one after the other, each reading the one before; then the first claims to have read the last.
  constexpr Graph::Node kMany = 10'000;
  Graph g = graph(kMany, {});
  for (Graph::Node n = 0; n < kMany; ++n) {
    g.asked(n, 2 * n + 1), g.answered(n, 2 * n + 2);
    if (n > 0) g.add({n - 1, n, wr, n});
  }
  EXPECT_TRUE(g.forbidden().empty());
  g.add({kMany - 1, 0, rw, 0});
  EXPECT_EQ(g.forbidden().size(), kMany) << "without real time";
  Graph by_time = graph(kMany, {{kMany - 1, 0, rw}});
  for (Graph::Node n = 0; n < kMany; ++n) by_time.asked(n, 2 * n + 1), by_time.answered(n, 2 * n + 2);
  EXPECT_EQ(by_time.forbidden(), (Graph::Cycle{{0, kMany - 1, rt, 0}, {kMany - 1, 0, rw, 0}}));
}

}  // namespace
}  // namespace holdfast::chaos
