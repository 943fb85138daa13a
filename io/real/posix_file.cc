#include "io/real/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace holdfast::real {
namespace {

constexpr size_t kZeroChunk = 256 << 10;
// Copying more than this takes long enough to be worth a hop, even when it does not wait for the device.
constexpr size_t kLargestOnCore = 512 << 10;

// What a read or write returned, with the errno of the thread that called it.
struct Outcome {
  ssize_t n;
  int error;
};
template <class F>
Outcome outcome_of(F f) {
  ssize_t n = retry_interrupted(f);
  return {n, n < 0 ? errno : 0};
}

}  // namespace

Result<> PosixFile::checked(int returned, std::string_view what) const {
  if (returned == 0) return {};
  return std::unexpected(disk_error(errno, what, path_));
}

io::Task<Result<size_t>> PosixFile::read_at(uint64_t offset, MutableBytes out) {
  auto at = static_cast<off_t>(offset);
  auto read_cached = [&] {
    iovec to{out.data(), out.size()};
    return outcome_of([&] { return ::preadv2(fd_.get(), &to, 1, at, RWF_NOWAIT); });
  };
  auto read = [&] { return outcome_of([&] { return ::pread(fd_.get(), out.data(), out.size(), at); }); };
  // A file system that cannot tell whether it would wait keeps its files in memory (tmpfs, and little else).
  Outcome r{-1, EAGAIN};
  if (out.size() <= kLargestOnCore) {
    if (asks_cache_first_.load(std::memory_order_relaxed)) r = read_cached();
    if (r.error == EOPNOTSUPP || r.error == EINVAL || r.error == ENOSYS)
      asks_cache_first_.store(false, std::memory_order_relaxed);
    if (!asks_cache_first_.load(std::memory_order_relaxed)) r = read();
  }
  if (r.error == EAGAIN) r = co_await off_core(threads_, read);
  if (r.error != 0) co_return std::unexpected(disk_error(r.error, "cannot read", path_));
  co_return static_cast<size_t>(r.n);
}

io::Task<Result<size_t>> PosixFile::write_at(uint64_t offset, Bytes data) {
  if (data.empty()) co_return 0;
  auto write = [&, at = static_cast<off_t>(offset)] {
    return outcome_of([&] { return ::pwrite(fd_.get(), data.data(), data.size(), at); });
  };
  Outcome r = data.size() <= kLargestOnCore ? write() : co_await off_core(threads_, write);
  if (r.error != 0) co_return std::unexpected(disk_error(r.error, "cannot write", path_));
  HF_ASSERT(r.n > 0, "a regular file takes at least a byte or says why not");
  co_return static_cast<size_t>(r.n);
}

io::Task<Result<>> PosixFile::sync() {
  // Not retried, whatever the error: after a failed sync the kernel has already forgotten what it could not write.
  co_return co_await off_core(sync_threads_, [this] { return checked(::fdatasync(fd_.get()), "cannot sync"); });
}

io::Task<Result<>> PosixFile::truncate(uint64_t size) {
  co_return co_await off_core(threads_, [this, size] {
    return checked(retry_interrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }),
                   "cannot truncate");
  });
}

io::Task<Result<>> PosixFile::preallocate(uint64_t offset, uint64_t length) {
  co_return co_await off_core(threads_, [this, offset, length] {
    return checked(fill_with_zeros(offset, length), "cannot preallocate");
  });
}

int PosixFile::fill_with_zeros(uint64_t offset, uint64_t length) const {
  if (length == 0) return 0;
  // First the room as a whole (contiguous, or a clear refusal before anything has changed), then the zeros: blocks
  // that are only reserved cost a journal commit of the file system at each sync that first writes them.
  if (retry_interrupted([&] {
        return ::fallocate(fd_.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(length));
      }) != 0 &&
      errno != EOPNOTSUPP)
    return -1;
  static constexpr std::array<char, kZeroChunk> zeros = {};
  while (length > 0) {
    ssize_t n = retry_interrupted([&] {
      return ::pwrite(fd_.get(), zeros.data(), std::min<uint64_t>(length, zeros.size()), static_cast<off_t>(offset));
    });
    if (n < 0) return -1;
    offset += static_cast<uint64_t>(n);
    length -= static_cast<uint64_t>(n);
  }
  return 0;
}

io::Task<Result<uint64_t>> PosixFile::size() {
  struct stat st;
  if (auto r = checked(::fstat(fd_.get(), &st), "cannot stat"); !r) co_return fail(r);
  co_return static_cast<uint64_t>(st.st_size);
}

}  // namespace holdfast::real
