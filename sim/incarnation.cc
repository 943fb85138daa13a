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
      pause(world.stream(node + "/pause")),
      mailbox(world.stream(node + "/mailbox")),
      entropy(world.stream(node + "/entropy")),
      clock_drift(world.stream(node + "/clock/drift")),
      clock_skew(world.stream(node + "/clock/skew")),
      clock_jump(world.stream(node + "/clock/jump")),
      disk_time(world.stream(node + "/disk/time")),
      disk_slow(world.stream(node + "/disk/slow")),
      disk_hang(world.stream(node + "/disk/hang")),
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

namespace {

constexpr int64_t kMillion = 1'000'000;
__extension__ using Wide = __int128;  // nanoseconds times parts per million

/// In [-most, most], 0 for a draw of 0.
int64_t either_way(Stream& s, uint64_t most, Draw draw = Draw::kNext) {
  uint64_t drawn = s.between(0, 2 * most, draw);
  auto half = static_cast<int64_t>((drawn + 1) / 2);
  return drawn % 2 == 1 ? half : -half;
}

}  // namespace

SimClock::SimClock(Node& node) : node_(node), start_(node.world().now()), wall_ns_(kWallStartNs) {
  World& world = node.world();
  drift_ppm_ = either_way(node.streams().clock_drift, world.plan().clock_drift_ppm_max);
  if (drift_ppm_ != 0) world.counts().hit(Fault::kClockDrift);
  int64_t skew = milliseconds(either_way(node.streams().clock_skew, world.plan().clock_skew_ms_max)).ns;
  if (skew != 0) world.counts().hit(Fault::kClockSkew);
  wall_ns_ += skew;
}

Time SimClock::now() const {
  Time world = node_.world().now();
  if (drift_ppm_ == 0) return world;
  Wide passed = (world - start_).ns;
  return {start_.ns + static_cast<int64_t>(passed * (kMillion + drift_ppm_) / kMillion)};
}

Time SimClock::in_world(Time local) const {
  if (drift_ppm_ == 0 || local == Time::never() || local <= start_) return local;
  Wide passed = Wide{(local - start_).ns} * kMillion;
  int64_t rate = kMillion + drift_ppm_;
  Wide world = start_.ns + (passed + rate - 1) / rate;
  return world < Time::never().ns ? Time{static_cast<int64_t>(world)} : Time::never();
}

WallTime SimClock::wall() const {
  World& world = node_.world();
  Stream& s = node_.streams().clock_jump;
  if (s.strikes(world.plan().clock_jump)) {
    world.counts().hit(Fault::kClockJump);
    wall_ns_ += milliseconds(either_way(s, world.plan().clock_jump_ms_max, Draw::kSame)).ns;
  }
  return {wall_ns_ + world.now().ns};
}

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
      clock_(node),
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
