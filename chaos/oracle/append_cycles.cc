// AppendHistory: what depends on what, by the lists alone, and whether that is an order which snapshot isolation
// allows.
#include <fmt/format.h>

#include "chaos/oracle/append_history.h"
#include "chaos/oracle/dependency_graph.h"

namespace holdfast::chaos {

class AppendCycles {
 public:
  using Id = AppendHistory::TransactionId;
  using Key = AppendHistory::Key;
  using Transaction = AppendHistory::Transaction;
  using Edge = DependencyGraph::Edge;
  using Kind = DependencyGraph::Kind;

  explicit AppendCycles(const AppendHistory& history) : h_(history) {
    for (const auto& [id, t] : h_.transactions_)
      if (h_.happened(t) || !t.reads.empty()) add(id, t);
    for (const auto& [key, order] : h_.orders_)
      for (size_t i = 1; i < order.runs().size(); ++i)
        graph_.add({nodes_.at(order.runs()[i - 1].by), nodes_.at(order.runs()[i].by), Kind::kWriteWrite, key});
    for (const auto& [id, node] : nodes_)
      for (const auto& [key, length] : h_.at(id).reads) add_read(node, key, length);
  }

  std::vector<AppendHistory::Sentence> judge() const {
    DependencyGraph::Cycle cycle = graph_.forbidden();
    if (cycle.empty()) return {};
    std::string out = fmt::format("no order of transactions fits, {}:", DependencyGraph::name(cycle));
    for (const Edge& e : cycle) out += fmt::format("\n  {}: {}", DependencyGraph::name(e.kind), tell(e));
    return {out};
  }

 private:
  void add(Id id, const Transaction& t) {
    DependencyGraph::Node node = graph_.add();
    nodes_[id] = node;
    ids_.push_back(id);
    graph_.asked(node, t.asked_at);
    // Of one that only read the last read is enough, whatever came of it. One that changed something and has no answer
    // may have been done at any time.
    if (!h_.happened(t) || t.lsn) graph_.answered(node, t.answered_at);
    if (t.validated && (h_.happened(t) || t.fate == AppendHistory::Fate::kCommitted)) graph_.validate(node);
  }

  void add_read(DependencyGraph::Node node, Key key, size_t length) {
    const AppendOrder& order = h_.orders_.at(key);
    size_t next = order.runs_within(length);
    if (next > 0) graph_.add({nodes_.at(order.runs()[next - 1].by), node, Kind::kWriteRead, key});
    if (next < order.runs().size()) graph_.add({node, nodes_.at(order.runs()[next].by), Kind::kReadWrite, key});
  }

  std::string run(Id id, Key key) const { return show(h_.at(id).appends.at(key)); }

  std::string tell(const Edge& e) const {
    Id from = ids_[e.from], to = ids_[e.to];
    std::string key = h_.name(e.key), t = h_.tell(from), u = h_.tell(to);
    switch (e.kind) {
      case Kind::kWriteWrite:
        return fmt::format("{} appended {} to {}, and behind it {} appended {}", t, run(from, e.key), key, u,
                           run(to, e.key));
      case Kind::kWriteRead:
        return fmt::format("{} appended {} to {}, which {} saw", t, run(from, e.key), key, u);
      case Kind::kReadWrite:
        return fmt::format("{} saw {} in {}, without {} that {} appended", t, shown(from, e.key), key, run(to, e.key),
                           u);
      case Kind::kRealTime:
        return fmt::format("{} was answered before {} was asked for", t, u);
    }
    return {};
  }

  std::string shown(Id id, Key key) const {
    const auto& values = h_.orders_.at(key).values();
    return show({values.begin(), values.begin() + static_cast<ptrdiff_t>(h_.at(id).reads.at(key))});
  }

  const AppendHistory& h_;
  DependencyGraph graph_;
  std::map<Id, DependencyGraph::Node> nodes_;
  std::vector<Id> ids_;
};

std::vector<AppendHistory::Sentence> AppendHistory::judge_cycles() const { return AppendCycles(*this).judge(); }

std::vector<AppendHistory::Sentence> AppendHistory::judge() const {
  std::vector<Sentence> out = judge_places();
  for (Sentence& wrong : judge_cycles()) out.push_back(std::move(wrong));
  return out;
}

}  // namespace holdfast::chaos
