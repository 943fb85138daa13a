// DiskModel: a file system, its page cache and its medium, as pure bookkeeping without time.
//
// Every file has two images: what processes see (`cache`) and what the medium holds for sure (`durable`), and between
// them the changes since the last completed sync, in order. Directories likewise: names as seen, names as durable, and
// one list of name changes for the whole disk. A process death leaves all of it; `power_loss` draws one legal durable
// state and forgets the rest.
//
// What a power loss may do (weak POSIX):
//   - of every 512-byte sector with unsynced changes any version may be there: the durable one, the newest, or one
//   between; or it is torn:
//     left part of a newer version, right part of an older one or garbage; a lost sector that the file had never had
//     may hold garbage;
//   - the size may be any that the file had since;
//   - of unsynced name changes any subset survives that keeps the order per name and per file. A rename is atomic.
// The ordered profile (ext4-like): name changes survive as a prefix, a size survives only together with the data below
// it, and any sync makes all earlier name changes durable.
//
// Failed syncs (Rebello et al., ATC 2020): `sync_failed` either leaves everything dirty, or marks it clean with the new
// content still in the cache; then a later sync has nothing to do and succeeds, and the old content comes back when the
// cache is dropped.
//
// Invariants: 1. without bit flips, a byte that a completed sync covered is read back for good, until changed again; 2.
// the cache is the durable image with all pending changes applied, but for what a failed sync marked clean
// (`diverged`).
//
// Ownership: inodes are shared by names, pending name changes and open files; an inode takes room until the last of
// them is gone.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/base/error.h"
#include "io/disk.h"
#include "sim/faults.h"
#include "sim/image.h"

namespace holdfast::sim {

class DiskModel;
class LossChooser;

/// One change of a file that no completed sync covers yet.
struct Change {
  enum class Kind : uint8_t { kWrite, kZero, kSize };
  uint64_t sequence;
  Kind kind;
  uint64_t offset;      ///< kSize: the new size
  uint64_t length;      ///< kSize: 0
  uint64_t size_after;  ///< size of the file once applied
  Buffer data;          ///< kWrite
};

struct Inode {
  Inode(DiskModel* on, uint64_t n, bool dir) : disk(on), number(n), directory(dir) {}
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;
  ~Inode();

  DiskModel* disk;
  uint64_t number;
  bool directory;
  bool locked = false;
  // Files.
  Image durable;
  Image cache;
  std::deque<Change> pending;
  /// Ranges that the medium cannot read back; a write there mends it, as a drive does by using another sector.
  std::vector<std::pair<uint64_t, uint64_t>> unreadable;
  bool diverged = false;  ///< the cache shows content, marked clean, that the medium does not have
  // Directories.
  std::map<std::string, std::shared_ptr<Inode>> names;
  std::map<std::string, std::shared_ptr<Inode>> durable_names;
};
using InodePtr = std::shared_ptr<Inode>;

/// Which legal state a power loss leaves.
struct LossProfile {
  enum class Mood : uint8_t { kDrawn, kKeepAll, kLoseAll };
  Mood mood = Mood::kDrawn;
  Rate torn = 300'000;
  Rate garbage = 300'000;
  bool ordered = false;
};

/// What was damaged, and where: the record by which an oracle excuses what it must.
struct Damage {
  std::string path;
  uint64_t inode;
  uint64_t offset;
  uint64_t length;
  Fault kind;
};

/// The names that a path is made of; empty parts and "." left out.
std::vector<std::string_view> path_parts(std::string_view path);

class DiskModel {
 public:
  explicit DiskModel(uint64_t quota_bytes);
  DiskModel(const DiskModel&) = delete;
  DiskModel& operator=(const DiskModel&) = delete;
  ~DiskModel();

  // Names. Paths are separated by '/'; empty parts and "." mean nothing; "" is the root, which always exists.
  Result<InodePtr> find(std::string_view path) const;
  Result<InodePtr> create(std::string_view path, bool directory);
  Result<> rename(std::string_view from, std::string_view to);
  Result<> remove(std::string_view path);
  Result<std::vector<io::DirEntry>> list(std::string_view path) const;

  // Content. The caller checked that the inode is a file.
  Result<> write(const InodePtr& file, uint64_t offset, Bytes data);
  Result<> zero(const InodePtr& file, uint64_t offset, uint64_t length);
  void resize(const InodePtr& file, uint64_t size);
  size_t read(const InodePtr& file, uint64_t offset, MutableBytes out) const;

  // Durability. A sync covers what was changed before it began: `mark` then, the rest when it completes.
  uint64_t mark() const { return sequence_; }
  void sync(const InodePtr& inode, uint64_t mark, const LossProfile& profile);
  enum class AfterError : uint8_t { kStillDirty, kMarkedClean };
  /// A part of what the sync would have covered may have reached the medium.
  void sync_failed(const InodePtr& inode, uint64_t mark, AfterError effect, const LossProfile& profile, Stream& s,
                   FaultCounts& counts);

  /// Drops clean pages: what a failed sync marked clean shows its old content.
  void evict(FaultCounts& counts);
  /// Draws what survives; or asks `chooser` (loss.h).
  void power_loss(const LossProfile& profile, Stream& s, FaultCounts& counts);
  void power_loss(const LossProfile& profile, LossChooser& chooser, FaultCounts& counts);
  void release_locks();

  /// Flips one bit of the durable content; also of the cached one unless that place waits for a sync. kNotFound when no
  /// durable file has that place.
  Result<> flip_bit(std::string_view path, uint64_t offset, uint8_t bit, FaultCounts& counts);
  /// The durable bytes there become `content`, and what processes see likewise: rot, a write that was lost or went elsewhere, an old block that came back,
  /// as `kind` says. kNotFound when no durable file has all of that range.
  Result<> overwrite(std::string_view path, uint64_t offset, Bytes content, Fault kind, FaultCounts& counts);
  /// Reads of any byte of that range fail with kIo until it is written again.
  Result<> make_unreadable(std::string_view path, uint64_t offset, uint64_t length, FaultCounts& counts);
  /// Everything written so far becomes durable, as by a sync of every file and directory; what a failed sync marked
  /// clean is dropped.
  void settle();
  /// A file, or a directory with all that is in it, is gone. The disk was settled, and nothing is open.
  Result<> take_away(std::string_view path, Fault kind, FaultCounts& counts);
  /// A file with this content stands there, in place of what was; directories above it are made. As above.
  Result<> put(std::string_view path, Bytes content, Fault kind, FaultCounts& counts);
  bool readable(const Inode& file, uint64_t offset, uint64_t length) const;
  const std::vector<Damage>& damage() const { return damage_; }

  /// The same disk again, sharing pages; open files and locks stay behind.
  std::unique_ptr<DiskModel> clone() const;

  uint64_t free_bytes() const;
  void set_quota(uint64_t bytes) { quota_bytes_ = bytes; }
  /// Of everything that is durable: names and contents.
  uint64_t durable_digest() const;
  /// Of everything that a later crash can depend on: what is seen, what is durable, and the changes in between.
  uint64_t state_digest() const;
  const Inode& root() const { return *root_; }

 private:
  Result<Inode*> durable_file(std::string_view path, uint64_t offset, uint64_t length);
  friend struct Inode;

  /// One change of names that is not durable yet.
  struct NameChange {
    enum class Kind : uint8_t { kLink, kUnlink, kRename };
    uint64_t sequence;
    Kind kind;
    InodePtr dir;
    std::string name;
    InodePtr to_dir;  ///< kRename
    std::string to;   ///< kRename
    InodePtr inode;

    bool depends_on(const NameChange& earlier) const;
    void apply() const;
    std::string text() const;  ///< for people
  };
  struct Place {
    InodePtr dir;
    std::string name;
  };

  Result<Place> place(std::string_view path) const;
  InodePtr new_inode(bool directory);
  void record(NameChange change);
  void make_data_durable(Inode& file, uint64_t mark);
  void make_names_durable(const Inode* dir, uint64_t mark);
  Result<> need_room(const Inode& file, uint64_t offset, uint64_t length);
  void drop_cache(Inode& file);
  void make_tree(std::string_view path);

  std::map<uint64_t, Inode*> inodes_;  ///< all that take room
  uint64_t quota_bytes_;
  uint64_t used_pages_ = 0;
  uint64_t next_inode_ = 1;
  uint64_t sequence_ = 0;
  InodePtr root_;
  std::vector<NameChange> name_changes_;
  std::vector<Damage> damage_;
};

/// What would surely survive, read-only: for oracles that ask at the moment of an acknowledgement. Valid until the disk
/// changes.
class DurableView {
 public:
  explicit DurableView(const DiskModel& disk) : disk_(&disk) {}
  /// Sorted; nothing when there is no such directory.
  std::vector<io::DirEntry> list(std::string_view path) const;
  /// Files below `path`, with their paths, sorted.
  std::vector<std::string> files(std::string_view path = {}) const;
  /// Nothing when the file would not be there.
  std::optional<uint64_t> size(std::string_view path) const;
  /// Fewer bytes than asked only at the end of the file.
  std::optional<Buffer> read(std::string_view path, uint64_t offset = 0, uint64_t length = UINT64_MAX) const;

 private:
  const Inode* find(std::string_view path) const;
  const DiskModel* disk_;
};

}  // namespace holdfast::sim
