// SimDisk: io::Disk over a DiskModel: the part that takes time, fails by draw, and is where crashes at operations
// happen.
//
// Every operation begins (it is counted; a crash planned before it strikes), takes a drawn time, and then takes effect
// and completes in one event. Operations overlap freely. At a crash those under way are settled in the order in which
// they began: each took effect not at all, wholly, or (writes) in part.
#pragma once

#include "io/disk.h"
#include "io/intrusive_list.h"
#include "sim/node.h"
#include "sim/operation.h"

namespace holdfast::sim {

/// The order is part of every trace hash: add at the end.
enum class DiskCall : uint8_t {
  kOpen,
  kMakeDir,
  kRename,
  kRemove,
  kList,
  kSyncDir,
  kLock,
  kIdentity,
  kFreeBytes,
  kRead,
  kWrite,
  kSync,
  kTruncate,
  kPreallocate,
  kSize,
};

std::string_view name(DiskCall call);

enum class HowMuch : uint8_t { kNothing, kWhole, kPart };

/// Decides, in place of a stream, what became of disk operations under way at a crash.
class SettleChooser {
 public:
  virtual ~SettleChooser() = default;
  /// kPart: of a write, so many bytes as `written` says; other operations are atomic, and then did not happen.
  virtual HowMuch under_way(DiskCall call) = 0;
  /// How many of the `n` bytes of a write that was cut short.
  virtual uint64_t written(uint64_t n) = 0;
};

class SimDisk;

class DiskOperation : public Operation, public io::ListNode {
 public:
  DiskOperation(SimDisk& disk, DiskCall call, uint64_t inode) : disk_(disk), call_(call), inode_(inode) {}

 protected:
  /// Takes effect that far and returns a digest of the result.
  virtual uint64_t apply(HowMuch how_much) = 0;

 private:
  friend class SimDisk;
  void begin() override;
  void happen() override;

  SimDisk& disk_;
  DiskCall call_;
  uint64_t inode_;
  std::optional<Moment> crash_;
};

class SimDisk final : public io::Disk {
 public:
  SimDisk(Incarnation& host, Node& node) : host_(host), node_(node) {}

  io::Task<Result<std::unique_ptr<io::File>>> open(std::string path, io::Open mode) override;
  io::Task<Result<>> make_dir(std::string path) override;
  io::Task<Result<>> rename(std::string from, std::string to) override;
  io::Task<Result<>> remove(std::string path) override;
  io::Task<Result<std::vector<io::DirEntry>>> list(std::string path) override;
  io::Task<Result<>> sync_dir(std::string path) override;
  io::Task<Result<std::unique_ptr<io::FileLock>>> lock(std::string path) override;
  io::Task<Result<io::FileIdentity>> identity(std::string path) override;
  io::Task<Result<uint64_t>> free_bytes(std::string path) override;

  /// No operation that has not ended does from now on.
  void hang() { hung_ = true; }
  /// All that never ended take their time from now.
  void wake();

  /// Decides what became of the operations under way at a crash.
  void settle();

  Incarnation& host() { return host_; }

 private:
  friend class DiskOperation;
  friend class SimFile;
  DiskModel& model() { return node_.disk(); }
  Duration time_of(DiskCall call);
  /// Whether the operation that begins now never ends.
  bool hangs();
  void tell(std::string_view what, std::string_view path, uint64_t inode);
  Result<> sync_inode(const InodePtr& inode, uint64_t mark);
  Result<size_t> write(const InodePtr& file, uint64_t offset, Bytes data, HowMuch how_much);
  Result<size_t> read(const InodePtr& file, uint64_t offset, MutableBytes out);

  Incarnation& host_;
  Node& node_;
  io::IntrusiveList under_way_;
  bool hung_ = false;  // no operation ends any more
};

}  // namespace holdfast::sim
