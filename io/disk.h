// Disk and File: the part of a file system that a database may lean on, and no more.
//
// What is durable: bytes written are durable when a later `sync` of that file returned; a name made, changed or removed
// is durable when a later `sync_dir` of its directory returned. Nothing else is, and unsynced changes may survive a
// power cut in any subset and any order, torn at any byte. A process that dies loses nothing that a completed write
// handed over.
//
// Errors: kNotFound, kExists, kLocked, kDiskFull, kIo. After a failed `sync` the file's contents are unknown, cached or
// not, and a second `sync` proves nothing: the caller stops (fail-stop).
//
// An open file is independent of its name: it stays usable when the name is renamed or removed.
//
// Threads: a File may be used from any one core at a time per operation; operations on one file may overlap, and
// overlapping writes to the same range are the caller's mistake. A buffer must live until the task has ended.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/base/bytes.h"
#include "io/base/error.h"
#include "io/task.h"

namespace holdfast::io {

/// What tells one directory or file from its copy.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

class File {
 public:
  virtual ~File() = default;  ///< closes; never syncs

  /// Reads at `offset`; returns how many bytes came: fewer than asked only at the end of the file or (a short read) by
  /// the host's whim; 0 only at or past the end.
  virtual Task<Result<size_t>> read_at(uint64_t offset, MutableBytes out) = 0;
  /// Writes at `offset`, growing the file as needed; returns how many bytes went: maybe fewer than given, never 0 for a
  /// non-empty `data`.
  virtual Task<Result<size_t>> write_at(uint64_t offset, Bytes data) = 0;
  /// Durable: all bytes and the size that completed writes left, when this returns without error.
  virtual Task<Result<>> sync() = 0;
  virtual Task<Result<>> truncate(uint64_t size) = 0;
  /// Fills [offset, offset + length) with zeros that take room on the disk, so that later writes there allocate
  /// nothing. Off the caller's core; not durable until synced. kDiskFull when there is no room.
  virtual Task<Result<>> preallocate(uint64_t offset, uint64_t length) = 0;
  virtual Task<Result<uint64_t>> size() = 0;
};

/// Held while the object lives. A process that dies releases it.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class Open : uint8_t {
  kRead,           ///< must exist; read only
  kReadWrite,      ///< must exist
  kCreate,         ///< must not exist (kExists); read and write
  kCreatePrivate,  ///< the same, for the eyes of the process's user alone
};

struct DirEntry {
  std::string name;
  bool is_directory = false;
  bool operator==(const DirEntry&) const = default;
};

class Disk {
 public:
  virtual ~Disk() = default;

  virtual Task<Result<std::unique_ptr<File>>> open(std::string path, Open mode) = 0;
  /// kExists when something of that name is there. The parent must exist.
  virtual Task<Result<>> make_dir(std::string path) = 0;
  /// Atomic. Refuses to replace: kExists when `to` is there.
  virtual Task<Result<>> rename(std::string from, std::string to) = 0;
  /// Removes a file or an empty directory.
  virtual Task<Result<>> remove(std::string path) = 0;
  /// Sorted by name; without "." and "..".
  virtual Task<Result<std::vector<DirEntry>>> list(std::string path) = 0;
  /// Durable: the names in that directory, when this returns without error.
  virtual Task<Result<>> sync_dir(std::string path) = 0;
  /// Takes the exclusive lock on a file, making the file when it is missing. kLocked when it is held already, by
  /// another process or by this one.
  virtual Task<Result<std::unique_ptr<FileLock>>> lock(std::string path) = 0;
  virtual Task<Result<FileIdentity>> identity(std::string path) = 0;
  /// Bytes that can still be written on that file system.
  virtual Task<Result<uint64_t>> free_bytes(std::string path) = 0;
};

/// Reads exactly out.size() bytes; kCorrupt naming nothing when the file ends before (the caller adds file and offset).
Task<Result<>> read_exactly(File& file, uint64_t offset, MutableBytes out);
/// Writes all of `data`, going on after short writes.
Task<Result<>> write_fully(File& file, uint64_t offset, Bytes data);
/// The whole file, or kTooLarge when it has more than `limit` bytes.
Task<Result<Buffer>> read_whole(Disk& disk, std::string path, uint64_t limit);

}  // namespace holdfast::io
