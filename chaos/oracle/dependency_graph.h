// DependencyGraph: what depends on what among transactions, and whether any database with snapshot isolation can have
// done it so.
//
// Place in the system: pure; AppendHistory builds one from the lists that were seen. It knows no LSNs: it is right or
// wrong by what clients saw and when.
//
// Edges (Adya, 1999; Kingsbury & Alvaro, "Elle", VLDB 2020), T before U in each:
//   ww  U appended behind what T appended            wr  U saw what T appended
//   rw  T did not see what U appended                rt  T was answered before U was asked for
// Forbidden by snapshot isolation is every cycle in which no two rw edges follow each other (Fekete et al., 2005; G0,
// G1c, G-single and its kin), by validated reads also every cycle of validated transactions alone.
//
// Method: a transaction is two moments, its snapshot and its commit, the first not after the second. ww, wr and rt lead
// from a commit to a snapshot, rw from a snapshot to a commit, and rw of a validated transaction from its commit to a
// commit: what it read was still so then. The forbidden cycles are exactly the cycles of that graph, so strongly
// connected components (Tarjan, 1972) find them in linear time. Real time is a chain of answers with one arc to it for
// each transaction and one from it: linear, too. Cycles that need no real time are looked for first, as they say more.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::chaos {

class DependencyGraph {
 public:
  using Node = uint32_t;  ///< a transaction: 0, 1, 2 …
  enum class Kind : uint8_t { kWriteWrite, kWriteRead, kReadWrite, kRealTime };
  struct Edge {
    Node from = 0;
    Node to = 0;
    Kind kind = Kind::kRealTime;
    uint64_t key = 0;  ///< what it is about, for whoever tells it; real time has none
    bool operator==(const Edge&) const = default;
  };
  using Cycle = std::vector<Edge>;  ///< each leads to where the next one starts, the last to the first

  Node add();
  /// What it read had not changed when it committed.
  void validate(Node node) { nodes_[node].validated = true; }
  /// When it was asked for, and when the last answer came; times count events, and no two are the same. Without an
  /// answer it holds nobody up.
  void asked(Node node, uint64_t time) { nodes_[node].asked = time; }
  void answered(Node node, uint64_t time) { nodes_[node].answered = time; }
  /// ww, wr or rw. One from a transaction to itself says nothing and is left out.
  void add(const Edge& edge);

  size_t nodes() const { return nodes_.size(); }
  size_t edges() const { return edges_.size(); }

  /// Empty when there is none. The search for a smallest one ends after following `arcs_max` arcs, with the smallest
  /// found so far.
  Cycle forbidden(uint64_t arcs_max = 30'000'000) const;
  /// What such a cycle is called.
  static std::string name(const Cycle& cycle);
  static std::string_view name(Kind kind);

 private:
  struct Transaction {
    bool validated = false;
    uint64_t asked = 0;     // 0: nobody knows
    uint64_t answered = 0;  // 0: not
  };
  std::vector<Transaction> nodes_;
  std::vector<Edge> edges_;
};

}  // namespace holdfast::chaos
