#include "sim/disk.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/base/hash.h"
#include "sim/incarnation.h"
#include "sim/world.h"

namespace holdfast::sim {
namespace {

constexpr std::string_view kCallNames[] = {"open",     "make-dir", "rename",   "remove",      "list",
                                           "sync-dir", "lock",     "identity", "free-bytes",  "read",
                                           "write",    "sync",     "truncate", "preallocate", "size"};
static_assert(std::size(kCallNames) == static_cast<size_t>(DiskCall::kSize) + 1);

constexpr uint64_t kDiskNsMin = 200;
constexpr uint64_t kSyncNsMin = 5'000;

template <class T>
uint64_t digest(const Result<T>& r) {
  if (!r) return 0x100 + static_cast<uint64_t>(r.error().code);
  if constexpr (std::is_convertible_v<T, uint64_t>) return static_cast<uint64_t>(*r);
  return 0;
}

// An operation made of the function that carries it out.
template <class Effect>
class Call final : public DiskOperation {
 public:
  Call(SimDisk& disk, DiskCall call, uint64_t inode, Effect effect)
      : DiskOperation(disk, call, inode), effect_(std::move(effect)) {}

 private:
  uint64_t apply(HowMuch how_much) override { return effect_(how_much); }
  Effect effect_;
};

// Most operations happen or do not: `make` gives the result.
template <class T, class Make>
io::Task<Result<T>> whole(SimDisk& disk, DiskCall call, uint64_t inode, Make make) {
  std::optional<Result<T>> result;
  co_await Call(disk, call, inode, [&](HowMuch how_much) -> uint64_t {
    if (how_much != HowMuch::kWhole) return 0;
    result.emplace(make());
    return digest(*result);
  });
  co_return std::move(*result);
}

std::unexpected<Error> io_error(std::string_view what, uint64_t inode) {
  return fail(Code::kIo, fmt::format("{} file {}: input/output error", what, inode));
}

class SimLock final : public io::FileLock {
 public:
  SimLock(Incarnation& host, InodePtr inode) : host_(host), inode_(std::move(inode)) {}
  ~SimLock() override {
    if (host_.live()) inode_->locked = false;
  }

 private:
  Incarnation& host_;
  InodePtr inode_;
};

}  // namespace

class SimFile final : public io::File {
 public:
  SimFile(SimDisk& disk, InodePtr inode, io::Open mode) : disk_(disk), inode_(std::move(inode)), mode_(mode) {}

  io::Task<Result<size_t>> read_at(uint64_t offset, MutableBytes out) override {
    InodePtr file = inode_;
    co_return co_await whole<size_t>(disk_, DiskCall::kRead, file->number,
                                     [&, &disk = disk_] { return disk.read(file, offset, out); });
  }

  io::Task<Result<size_t>> write_at(uint64_t offset, Bytes data) override {
    if (mode_ == io::Open::kRead) co_return io_error("cannot write read-only", inode_->number);
    InodePtr file = inode_;
    SimDisk& disk = disk_;
    Result<size_t> result;
    co_await Call(disk, DiskCall::kWrite, file->number, [&](HowMuch how_much) {
      result = disk.write(file, offset, data, how_much);
      return xxh3_64(data, offset) ^ digest(result);
    });
    co_return result;
  }

  io::Task<Result<>> sync() override {
    InodePtr file = inode_;
    uint64_t mark = disk_.model().mark();
    co_return co_await whole<void>(disk_, DiskCall::kSync, file->number,
                                   [&, &disk = disk_] { return disk.sync_inode(file, mark); });
  }

  io::Task<Result<>> truncate(uint64_t size) override {
    if (mode_ == io::Open::kRead) co_return io_error("cannot truncate read-only", inode_->number);
    InodePtr file = inode_;
    co_return co_await whole<void>(disk_, DiskCall::kTruncate, file->number, [&, &disk = disk_]() -> Result<> {
      disk.model().resize(file, size);
      return {};
    });
  }

  io::Task<Result<>> preallocate(uint64_t offset, uint64_t length) override {
    if (mode_ == io::Open::kRead) co_return io_error("cannot preallocate in read-only", inode_->number);
    InodePtr file = inode_;
    co_return co_await whole<void>(disk_, DiskCall::kPreallocate, file->number, [&, &disk = disk_]() -> Result<> {
      if (length == 0) return {};
      auto r = disk.model().zero(file, offset, length);
      if (!r) disk.host().world().counts().hit(Fault::kDiskFull);
      return r;
    });
  }

  io::Task<Result<uint64_t>> size() override {
    InodePtr file = inode_;
    co_return co_await whole<uint64_t>(disk_, DiskCall::kSize, file->number,
                                       [&]() -> Result<uint64_t> { return file->cache.size(); });
  }

 private:
  SimDisk& disk_;
  InodePtr inode_;
  io::Open mode_;
};

std::string_view name(DiskCall call) { return kCallNames[static_cast<size_t>(call)]; }

void DiskOperation::begin() {
  Incarnation& host = disk_.host_;
  if (!host.live()) return;
  disk_.tell(name(call_), {}, inode_);
  World& world = host.world();
  world.trace().event(world.now(), host.node().id(), executor().core().value, EventKind::kDiskBegin,
                      static_cast<uint64_t>(call_), inode_);
  crash_ = host.node().reach(call_ == DiskCall::kSync || call_ == DiskCall::kSyncDir ? IoKind::kSync : IoKind::kDisk);
  if (crash_ == Moment::kBefore) return;
  disk_.under_way_.push_back(*this);
  if (disk_.hangs()) return;
  world.events().schedule(*this, world.now() + disk_.time_of(call_));
}

void DiskOperation::happen() {
  if (disk_.hung_) return;
  unlink();
  Incarnation& host = disk_.host_;
  World& world = host.world();
  uint64_t result = apply(crash_ == Moment::kMiddle ? HowMuch::kPart : HowMuch::kWhole);
  world.trace().event(world.now(), host.node().id(), executor().core().value, EventKind::kDiskEffect,
                      static_cast<uint64_t>(call_), result);
  if (crash_)
    host.node().strike();
  else
    complete();
}

// For a reader of the trace: which operation, which file.
void SimDisk::tell(std::string_view what, std::string_view path, uint64_t inode) {
  Trace& trace = host_.world().trace();
  if (trace.on()) trace.note(fmt::format("{:>15} {} {} {} inode {}", "disk", node_.name(), what, path, inode));
}

void SimDisk::settle() {
  Stream& s = node_.streams().settle;
  World& world = host_.world();
  while (io::ListNode* n = under_way_.pop_front()) {
    auto& op = static_cast<DiskOperation&>(*n);
    op.cancel();
    SettleChooser* chooser = node_.settle_chooser;
    auto how_much = chooser ? chooser->under_way(op.call_) : static_cast<HowMuch>(s.harm(3));
    if (how_much == HowMuch::kWhole) world.counts().hit(Fault::kInFlightWhole);
    if (how_much == HowMuch::kPart) world.counts().hit(Fault::kInFlightPart);
    if (how_much != HowMuch::kNothing) op.apply(how_much);
    world.trace().event(world.now(), node_.id(), kNobody, EventKind::kDiskSettled, static_cast<uint64_t>(op.call_),
                        static_cast<uint64_t>(how_much));
  }
}

Duration SimDisk::time_of(DiskCall call) {
  const FaultPlan& plan = host_.world().plan();
  Node::Streams& s = node_.streams();
  if (s.disk_slow.strikes(plan.disk_slow)) {
    host_.world().counts().hit(Fault::kSlowDisk);
    return s.disk_slow.between(milliseconds(1),
                               milliseconds(static_cast<int64_t>(std::max<uint64_t>(1, plan.disk_slow_ms_max))),
                               Draw::kSame);
  }
  bool sync = call == DiskCall::kSync || call == DiskCall::kSyncDir;
  uint64_t low = sync ? kSyncNsMin : kDiskNsMin;
  uint64_t high = std::max(low, sync ? plan.sync_ns_max : plan.disk_ns_max);
  return nanoseconds(static_cast<int64_t>(s.disk_time.between(low, high)));
}

bool SimDisk::hangs() {
  World& world = host_.world();
  Stream& s = node_.streams().disk_hang;
  if (hung_ || !s.strikes(world.plan().disk_hang)) return hung_;
  world.counts().hit(Fault::kHungDisk);
  hung_ = s.decide(2, Draw::kSame) == 1;
  tell("hangs", hung_ ? "for good" : "in this operation", 0);
  if (node_.on_hang) node_.on_hang();
  return true;
}

void SimDisk::wake() {
  hung_ = false;
  World& world = host_.world();
  for (size_t n = under_way_.size(); n > 0; --n) {
    auto& op = static_cast<DiskOperation&>(*under_way_.pop_front());
    under_way_.push_back(op);
    if (!op.scheduled()) world.events().schedule(op, world.now() + time_of(op.call_));
  }
}

Result<size_t> SimDisk::read(const InodePtr& file, uint64_t offset, MutableBytes out) {
  World& world = host_.world();
  Node::Streams& s = node_.streams();
  if (s.read_error.strikes(world.plan().read_error)) {
    world.counts().hit(Fault::kReadError);
    return io_error("cannot read", file->number);
  }
  if (!model().readable(*file, offset, out.size())) return io_error("unreadable sector", file->number);
  size_t n = model().read(file, offset, out);
  if (s.short_read.strikes(world.plan().short_read) && n > 1) {
    world.counts().hit(Fault::kShortRead);
    n = n - 1 - s.short_read.decide(n - 1, Draw::kSame);
  }
  return n;
}

Result<size_t> SimDisk::write(const InodePtr& file, uint64_t offset, Bytes data, HowMuch how_much) {
  World& world = host_.world();
  Node::Streams& s = node_.streams();
  if (data.empty()) return size_t{0};
  bool failed = how_much == HowMuch::kWhole && s.write_error.strikes(world.plan().write_error);
  size_t n = data.size();
  if (how_much == HowMuch::kPart)
    n = node_.settle_chooser ? node_.settle_chooser->written(n) : s.settle.decide(n + 1, Draw::kSame);
  if (failed) n = s.write_error.decide(n + 1, Draw::kSame);
  if (!failed && how_much == HowMuch::kWhole && s.short_write.strikes(world.plan().short_write) && n > 1) {
    world.counts().hit(Fault::kShortWrite);
    n = n - 1 - s.short_write.decide(n - 1, Draw::kSame);
  }
  if (n > 0) {
    auto written = model().write(file, offset, data.substr(0, n));
    if (!written) {
      world.counts().hit(Fault::kDiskFull);
      return fail(written);
    }
  }
  if (!failed) return n;
  world.counts().hit(Fault::kWriteError);
  return io_error("cannot write", file->number);
}

Result<> SimDisk::sync_inode(const InodePtr& inode, uint64_t mark) {
  World& world = host_.world();
  Stream& s = node_.streams().sync_error;
  LossProfile profile = node_.loss_profile();
  if (!s.strikes(world.plan().sync_error)) {
    model().sync(inode, mark, profile);
    return {};
  }
  auto effect = s.chance(world.plan().sync_error_clean, Draw::kSame) ? DiskModel::AfterError::kMarkedClean
                                                        : DiskModel::AfterError::kStillDirty;
  Stream partial = s.about();
  model().sync_failed(inode, mark, effect, profile, partial, world.counts());
  return io_error("cannot sync", inode->number);
}

io::Task<Result<std::unique_ptr<io::File>>> SimDisk::open(std::string path, io::Open mode) {
  co_return co_await whole<std::unique_ptr<io::File>>(
      *this, DiskCall::kOpen, 0, [&]() -> Result<std::unique_ptr<io::File>> {
        bool creates = mode == io::Open::kCreate || mode == io::Open::kCreatePrivate;
        auto inode = creates ? model().create(path, false) : model().find(path);
        if (!inode) return fail(inode);
        if ((*inode)->directory) return fail(Code::kIo, path + " is not a regular file");
        tell(creates ? "created" : "opened", path, (*inode)->number);
        return std::make_unique<SimFile>(*this, *inode, mode);
      });
}

io::Task<Result<>> SimDisk::make_dir(std::string path) {
  co_return co_await whole<void>(*this, DiskCall::kMakeDir, 0, [&]() -> Result<> {
    auto made = model().create(path, true);
    if (!made) return fail(made);
    return {};
  });
}

io::Task<Result<>> SimDisk::rename(std::string from, std::string to) {
  co_return co_await whole<void>(*this, DiskCall::kRename, 0, [&] {
    tell("renames " + from + " to", to, 0);
    return model().rename(from, to);
  });
}

io::Task<Result<>> SimDisk::remove(std::string path) {
  co_return co_await whole<void>(*this, DiskCall::kRemove, 0, [&] {
    tell("removes", path, 0);
    return model().remove(path);
  });
}

io::Task<Result<std::vector<io::DirEntry>>> SimDisk::list(std::string path) {
  co_return co_await whole<std::vector<io::DirEntry>>(*this, DiskCall::kList, 0, [&] { return model().list(path); });
}

io::Task<Result<>> SimDisk::sync_dir(std::string path) {
  uint64_t mark = model().mark();
  co_return co_await whole<void>(*this, DiskCall::kSyncDir, 0, [&]() -> Result<> {
    auto dir = model().find(path);
    if (!dir) return fail(dir);
    if (!(*dir)->directory) return fail(Code::kIo, path + " is not a directory");
    tell("syncs", path, (*dir)->number);
    return sync_inode(*dir, mark);
  });
}

io::Task<Result<std::unique_ptr<io::FileLock>>> SimDisk::lock(std::string path) {
  co_return co_await whole<std::unique_ptr<io::FileLock>>(
      *this, DiskCall::kLock, 0, [&]() -> Result<std::unique_ptr<io::FileLock>> {
        auto inode = model().find(path);
        if (!inode) inode = model().create(path, false);
        if (!inode) return fail(inode);
        if ((*inode)->locked) return fail(Code::kLocked, path + " is locked by another process");
        (*inode)->locked = true;
        return std::make_unique<SimLock>(host_, *inode);
      });
}

io::Task<Result<io::FileIdentity>> SimDisk::identity(std::string path) {
  co_return co_await whole<io::FileIdentity>(*this, DiskCall::kIdentity, 0, [&]() -> Result<io::FileIdentity> {
    auto inode = model().find(path);
    if (!inode) return fail(inode);
    return io::FileIdentity{node_.id() + uint64_t{1}, (*inode)->number};
  });
}

io::Task<Result<uint64_t>> SimDisk::free_bytes(std::string path) {
  co_return co_await whole<uint64_t>(*this, DiskCall::kFreeBytes, 0, [&]() -> Result<uint64_t> {
    auto inode = model().find(path);
    if (!inode) return fail(inode);
    return model().free_bytes();
  });
}

}  // namespace holdfast::sim
