#include "sim/incarnation.h"

#include <fmt/format.h>

#include "io/base/hash.h"
#include "sim/world.h"

namespace holdfast::sim {
namespace {

// 2026-01-01: any date will do, as long as it is the same in every run.
constexpr int64_t kWallStartNs = 1'767'225'600'000'000'000;

}  // namespace

Node::Streams::Streams(World& world, const std::string& node)
    : start(world.stream(node + "/start")),
      order(world.stream(node + "/order")),
      step(world.stream(node + "/step")),
      mailbox(world.stream(node + "/mailbox")),
      entropy(world.stream(node + "/entropy")),
      disk_time(world.stream(node + "/disk/time")),
      disk_slow(world.stream(node + "/disk/slow")),
      read_error(world.stream(node + "/disk/read-error")),
      short_read(world.stream(node + "/disk/short-read")),
      write_error(world.stream(node + "/disk/write-error")),
      short_write(world.stream(node + "/disk/short-write")),
      sync_error(world.stream(node + "/disk/sync-error")),
      settle(world.stream(node + "/disk/settle")),
      power_loss(world.stream(node + "/disk/power-loss")),
      evict(world.stream(node + "/disk/evict")),
      accept(world.stream(node + "/net/accept")),
      close(world.stream(node + "/net/close")) {}

Time SimClock::now() const { return world_.now(); }
WallTime SimClock::wall() const { return {kWallStartNs + world_.now().ns}; }

void SimRandom::entropy(MutableBytes out) {
  while (!out.empty()) {
    char word[8];
    store_le(word, stream_.bits());
    size_t n = std::min(out.size(), sizeof word);
    std::memcpy(out.data(), word, n);
    out = out.subspan(n);
  }
}

void SimLog::log(io::Level level, std::string_view line) {
  constexpr std::string_view kLevels[] = {"debug", "info", "warning", "error"};
  World& world = node_.world();
  world.trace().event(world.now(), node_.id(), kNobody, EventKind::kLog, static_cast<uint64_t>(level), xxh3_64(line));
  node_.add_log(fmt::format("{:.6f} {} {}", static_cast<double>(world.now().ns) * 1e-9,
                            kLevels[static_cast<size_t>(level)], line));
}

Incarnation::Incarnation(Node& node, uint64_t number, uint16_t cores)
    : node_(node),
      number_(number),
      clock_(node.world()),
      random_(node.streams().entropy),
      log_(node),
      disk_(*this, node),
      network_(*this),
      cores_(*this, cores),
      host_{clock_, disk_, network_, random_, cores_, log_} {}

void Incarnation::run(Main main) {
  main_ = std::move(main);
  cores_.executor(CoreId(0)).spawn(run_main(*this));
}

io::Task<void> Incarnation::run_main(Incarnation& self) {
  int code = co_await self.main_(self.host_);
  self.node_.doom(End::kExit, code);
}

void Incarnation::destroy(End how) {
  live_ = false;
  disk_.settle();
  world().network().end(*this, how);
  cores_.destroy();
  main_ = nullptr;
}

}  // namespace holdfast::sim
