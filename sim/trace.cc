#include "sim/trace.h"

#include <fmt/format.h>

namespace holdfast::sim {
namespace {

constexpr std::string_view kNames[] = {"step",       "timers",      "message",      "start",   "end",    "power-loss",
                                       "disk-begin", "disk-effect", "disk-settled", "connect", "arrive", "read",
                                       "write",      "close",       "log",          "control", "durable"};
static_assert(std::size(kNames) == static_cast<size_t>(EventKind::kDurable) + 1);

}  // namespace

void Trace::set_sink(Sink sink, Draws draws) {
  sink_ = std::move(sink);
  print_draws_ = draws == Draws::kPrinted;
}

void Trace::name_node(uint16_t node, std::string name) {
  if (node_names_.size() <= node) node_names_.resize(node + size_t{1});
  node_names_[node] = std::move(name);
}

void Trace::print_event(Time at, uint16_t node, uint16_t core, EventKind kind, uint64_t a, uint64_t b) {
  std::string_view name = node < node_names_.size() ? std::string_view(node_names_[node]) : "world";
  std::string where = core == kNobody ? std::string(name) : fmt::format("{}/{}", name, core);
  sink_(fmt::format("{:>15} {:<12} {} {:x} {:x}", at.ns, where, kNames[static_cast<size_t>(kind)], a, b));
}

void Trace::print_draw(std::string_view stream, uint64_t index, uint64_t n, uint64_t value) {
  sink_(fmt::format("{:>15} {} [{}.{}] {} of {}", "draw", stream, index & UINT32_MAX, index >> 32, value, n));
}

}  // namespace holdfast::sim
