#include "chaos/suite/full_disk.h"

#include <fmt/core.h>

namespace holdfast::chaos {
namespace {

constexpr Duration kTakeAgain = milliseconds(20);

}  // namespace

void FullDisk::come_and_go(uint64_t most, std::function<bool()> over) {
  Duration pause = milliseconds(static_cast<int64_t>(random_.between(50, 3000)));
  world_.after(pause, [this, most, over = std::move(over)]() mutable {
    if (over()) return;
    take(random_.decide(3) == 0 ? 0 : random_.decide(most + 1));
    Duration while_full = milliseconds(static_cast<int64_t>(random_.between(50, 4000)));
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
