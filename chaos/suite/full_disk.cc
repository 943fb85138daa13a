#include "chaos/suite/full_disk.h"

#include <fmt/core.h>

namespace holdfast::chaos {
namespace {

constexpr Duration kTakeAgain = milliseconds(20);

}  // namespace

void FullDisk::come_and_go(uint64_t most, std::function<bool()> over) {
  std::string name = fmt::format("full-{}", ++begun_);
  auto pause = [&](const char* what, uint64_t low, uint64_t high) {
    return milliseconds(static_cast<int64_t>(settings_.between(name + what, low, high)));
  };
  bool none = settings_.one_in(name + "/none", 3);
  uint64_t room = none ? 0 : most * settings_.between(name + "/room-permille", 0, 1000, 1000) / 1000;
  bool happens = settings_.given(name, 1, 0, 1, 0) == 1;
  Duration before = pause("/pause-ms", 50, 3000), while_full = pause("/full-ms", 50, 4000);
  world_.after(before, [this, most, room, happens, while_full, over = std::move(over)]() mutable {
    if (over()) return;
    if (happens) take(room);
    world_.after(while_full, [this, most, over = std::move(over)]() mutable {
      if (over()) return;
      give_back();
      come_and_go(most, std::move(over));
    });
  });
}

void FullDisk::take(uint64_t room) {
  uint64_t quota = world_.plan().quota_bytes;
  server_.disk().set_quota(quota);
  uint64_t used = quota - server_.disk().free_bytes();
  server_.disk().set_quota(used + room);
  if (!tight_) world_.trace().note(fmt::format("suite: the disk has {} bytes left", room));
  if (!std::exchange(tight_, true)) ++times_;
  met_ = true;
}

void FullDisk::take_all() {
  if (!std::exchange(keep_taking_, true)) take(0);
  world_.after(kTakeAgain, [this] {
    if (!keep_taking_) return;
    take(0);
    take_all();
  });
}

void FullDisk::give_back() {
  keep_taking_ = false;
  if (std::exchange(tight_, false)) world_.trace().note("suite: the disk has room again");
  server_.disk().set_quota(world_.plan().quota_bytes);
}

}  // namespace holdfast::chaos
