#include "chaos/suite/enumerate/life.h"

#include "io/base/hash.h"

namespace holdfast::chaos {
namespace {

using sim::DiskCall;
using sim::HowMuch;

/// No life of a script takes nearly as long.
constexpr Duration kTimeLimit = seconds(600);
constexpr uint64_t kEventLimit = 2'000'000;

/// A write that was cut short kept half of its bytes, an eighth or a thirty-second: of a block that is four sectors,
/// one, or a group's header alone.
constexpr int kParts[] = {1, 3, 5};

bool changes_the_disk(DiskCall call) {
  switch (call) {
    case DiskCall::kList:
    case DiskCall::kIdentity:
    case DiskCall::kFreeBytes:
    case DiskCall::kRead:
    case DiskCall::kSize:
      return false;
    default:
      return true;
  }
}

struct Living {
  std::unique_ptr<core::Engine> engine;  // not in a frame: at a crash frames die in any order
  std::optional<Error> refused;
  bool finished = false;

  static io::Task<int> main(Living& self, io::Host& host, const core::EngineOptions& options, const Work& work) {
    auto opened = co_await core::Engine::open(host, options);
    if (!opened) {
      self.refused = std::move(opened.error());
      co_return 1;
    }
    self.engine = std::move(*opened);
    co_await work(*self.engine);
    self.finished = true;
    co_return 0;
  }
};

}  // namespace

uint64_t Settlement::choose(uint64_t options) {
  if (asked_ == digits_.size()) digits_.push_back('0');
  if (options_.size() <= asked_) options_.resize(asked_ + 1);
  options_[asked_] = options;
  return static_cast<uint64_t>(digits_[asked_++] - '0') % options;
}

HowMuch Settlement::under_way(DiskCall call) {
  part_.reset();
  if (!changes_the_disk(call)) return HowMuch::kNothing;
  uint64_t choice = choose(call == DiskCall::kWrite ? 2 + std::size(kParts) : 2);
  if (choice >= 2) part_ = choice - 2;
  return choice == 0 ? HowMuch::kNothing : choice == 1 ? HowMuch::kWhole : HowMuch::kPart;
}

uint64_t Settlement::written(uint64_t n) {
  uint64_t part = part_ ? *part_ : choose(std::size(kParts));
  part_.reset();
  return n >> kParts[part];
}

bool Settlement::advance() {
  digits_.resize(asked_);
  while (!digits_.empty()) {
    uint64_t next = static_cast<uint64_t>(digits_.back() - '0') + 1;
    if (next < options_[digits_.size() - 1]) {
      ++digits_.back();
      return true;
    }
    digits_.pop_back();
  }
  return false;
}

LifeEnd live(const LifeOptions& options, std::unique_ptr<sim::DiskModel> disk, const Work& work) {
  Living living;
  sim::WorldOptions world_options{.seed = xxh3_64(options.seed, options.number), .plan = {.shuffle = 0}};
  if (options.mutants) world_options.mutants = *options.mutants;
  world_options.trace = options.trace;
  sim::World world(std::move(world_options));
  sim::Node& node = world.add_node("server");
  (void)node.replace_disk(std::move(disk));
  node.settle_chooser = options.settlement;
  if (options.crash) node.crash_at(*options.crash);
  if (options.room_bytes > 0) world.after(options.room_after, [&] { node.disk().set_quota(options.room_bytes); });
  node.on_end = [&](sim::End, int) { world.stop(); };
  node.start([&](io::Host& host) { return Living::main(living, host, options.engine, work); }, {.cores = 1});
  world.run({.until = kTimeLimit, .events = kEventLimit});

  LifeEnd end;
  end.stuck = node.running();
  node.on_end = nullptr;
  if (end.stuck) node.kill(sim::End::kProcessDeath);
  living.engine.reset();
  end.refused = std::move(living.refused);
  end.finished = living.finished;
  end.operations = node.operations(sim::IoKind::kDisk);
  end.log.assign(node.log().begin(), node.log().end());
  end.disk = node.replace_disk(std::make_unique<sim::DiskModel>(0));
  return end;
}

}  // namespace holdfast::chaos
