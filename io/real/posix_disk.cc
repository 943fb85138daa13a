#include "io/real/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "io/real/posix_file.h"

namespace holdfast::real {
namespace {

std::unexpected<Error> failed(std::string_view what, const std::string& path) {
  return std::unexpected(disk_error(errno, what, path));
}

int flags_of(io::Open mode) {
  switch (mode) {
    case io::Open::kRead:
      return O_RDONLY | O_CLOEXEC;
    case io::Open::kReadWrite:
      return O_RDWR | O_CLOEXEC;
    case io::Open::kCreate:
    case io::Open::kCreatePrivate:
      return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  }
  std::unreachable();
}

constexpr mode_t kForAll = 0644;
constexpr mode_t kForOwner = 0600;

FileDescriptor open_path(const std::string& path, int flags, mode_t access = kForAll) {
  return FileDescriptor(retry_interrupted([&] { return ::open(path.c_str(), flags, access); }));
}

Result<FileDescriptor> open_file(const std::string& path, io::Open mode) {
  FileDescriptor fd = open_path(path, flags_of(mode), mode == io::Open::kCreatePrivate ? kForOwner : kForAll);
  bool creates = mode == io::Open::kCreate || mode == io::Open::kCreatePrivate;
  if (!fd) return failed(creates ? "cannot create" : "cannot open", path);
  struct stat st;
  if (::fstat(fd.get(), &st) != 0) return failed("cannot stat", path);
  if (!S_ISREG(st.st_mode)) return fail(Code::kIo, "cannot open " + path + ": it is not a regular file");
  return fd;
}

// For file systems without RENAME_NOREPLACE. A file takes its new name by a link, which refuses to replace. A
// directory cannot be linked; there the look and the rename are two steps, which is sound while the data directory's
// lock keeps others out.
int rename_in_two_steps(const char* from, const char* to) {
  struct stat st;
  if (::lstat(from, &st) != 0) return -1;
  if (!S_ISDIR(st.st_mode)) return ::link(from, to) == 0 ? ::unlink(from) : -1;
  if (::lstat(to, &st) == 0) {
    errno = EEXIST;
    return -1;
  }
  return errno == ENOENT ? ::rename(from, to) : -1;
}

Result<> rename_path(const std::string& from, const std::string& to) {
  int r = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  if (r != 0 && (errno == EINVAL || errno == ENOSYS)) r = rename_in_two_steps(from.c_str(), to.c_str());
  if (r != 0) return failed("cannot rename " + from + " to", to);
  return {};
}

Result<> remove_path(const std::string& path) {
  int r = ::unlink(path.c_str());
  if (r != 0 && (errno == EISDIR || errno == EPERM)) r = ::rmdir(path.c_str());
  if (r != 0) return failed("cannot remove", path);
  return {};
}

Result<std::vector<io::DirEntry>> list_path(const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  if (!dir) return failed("cannot list", path);
  std::vector<io::DirEntry> entries;
  while (true) {
    errno = 0;
    const dirent* d = ::readdir(dir.get());
    if (!d) break;
    std::string name = d->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = d->d_type == DT_DIR;
    if (d->d_type == DT_UNKNOWN) {
      struct stat st;
      if (::fstatat(::dirfd(dir.get()), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;  // removed meanwhile
        return failed("cannot stat", path + "/" + name);
      }
      is_directory = S_ISDIR(st.st_mode);
    }
    entries.push_back({std::move(name), is_directory});
  }
  if (errno != 0) return failed("cannot list", path);
  std::ranges::sort(entries, {}, &io::DirEntry::name);
  return entries;
}

Result<> sync_path(const std::string& path) {
  FileDescriptor fd = open_path(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!fd) return failed("cannot open directory", path);
  if (::fsync(fd.get()) != 0) return failed("cannot sync directory", path);
  return {};
}

// The lock belongs to this open file and goes with it: also when the process dies, and also against this very process.
class PosixLock final : public io::FileLock {
 public:
  explicit PosixLock(FileDescriptor fd) : fd_(std::move(fd)) {}

 private:
  FileDescriptor fd_;
};

Result<FileDescriptor> lock_path(const std::string& path) {
  FileDescriptor fd = open_path(path, O_RDWR | O_CREAT | O_CLOEXEC);
  if (!fd) return failed("cannot open", path);
  if (retry_interrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) == 0) return fd;
  if (errno == EWOULDBLOCK) return fail(Code::kLocked, path + " is locked by another process");
  return failed("cannot lock", path);
}

Result<io::FileIdentity> identity_of(const std::string& path) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) return failed("cannot stat", path);
  return io::FileIdentity{st.st_dev, st.st_ino};
}

Result<uint64_t> free_bytes_of(const std::string& path) {
  struct statvfs st;
  if (::statvfs(path.c_str(), &st) != 0) return failed("cannot stat the file system of", path);
  return uint64_t{st.f_bavail} * st.f_frsize;
}

}  // namespace

io::Task<Result<std::unique_ptr<io::File>>> PosixDisk::open(std::string path, io::Open mode) {
  HF_CO_TRY(fd, co_await off_core(threads_, [&] { return open_file(path, mode); }));
  co_return std::make_unique<PosixFile>(std::move(fd), std::move(path), threads_, sync_threads_);
}

io::Task<Result<>> PosixDisk::make_dir(std::string path) {
  co_return co_await off_core(threads_, [&]() -> Result<> {
    if (::mkdir(path.c_str(), 0755) != 0) return failed("cannot make directory", path);
    return {};
  });
}

io::Task<Result<>> PosixDisk::rename(std::string from, std::string to) {
  co_return co_await off_core(threads_, [&] { return rename_path(from, to); });
}

io::Task<Result<>> PosixDisk::remove(std::string path) {
  co_return co_await off_core(threads_, [&] { return remove_path(path); });
}

io::Task<Result<std::vector<io::DirEntry>>> PosixDisk::list(std::string path) {
  co_return co_await off_core(threads_, [&] { return list_path(path); });
}

io::Task<Result<>> PosixDisk::sync_dir(std::string path) {
  co_return co_await off_core(sync_threads_, [&] { return sync_path(path); });
}

io::Task<Result<std::unique_ptr<io::FileLock>>> PosixDisk::lock(std::string path) {
  HF_CO_TRY(fd, co_await off_core(threads_, [&] { return lock_path(path); }));
  co_return std::make_unique<PosixLock>(std::move(fd));
}

io::Task<Result<io::FileIdentity>> PosixDisk::identity(std::string path) {
  co_return co_await off_core(threads_, [&] { return identity_of(path); });
}

io::Task<Result<uint64_t>> PosixDisk::free_bytes(std::string path) {
  co_return co_await off_core(threads_, [&] { return free_bytes_of(path); });
}

}  // namespace holdfast::real
