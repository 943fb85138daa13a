// PosixFile: one open file of PosixDisk.
#pragma once

#include <atomic>

#include "io/disk.h"
#include "io/real/helper_threads.h"
#include "io/real/os_error.h"

namespace holdfast::real {

class PosixFile final : public io::File {
 public:
  PosixFile(FileDescriptor fd, std::string path, HelperThreads& threads, HelperThreads& sync_threads)
      : fd_(std::move(fd)), path_(std::move(path)), threads_(threads), sync_threads_(sync_threads) {}

  io::Task<Result<size_t>> read_at(uint64_t offset, MutableBytes out) override;
  io::Task<Result<size_t>> write_at(uint64_t offset, Bytes data) override;
  io::Task<Result<>> sync() override;
  io::Task<Result<>> truncate(uint64_t size) override;
  io::Task<Result<>> preallocate(uint64_t offset, uint64_t length) override;
  io::Task<Result<uint64_t>> size() override;

 private:
  /// errno of a call that returned 0 or -1, as a result.
  Result<> checked(int returned, std::string_view what) const;
  int fill_with_zeros(uint64_t offset, uint64_t length) const;

  FileDescriptor fd_;
  std::string path_;
  HelperThreads& threads_;
  HelperThreads& sync_threads_;
  std::atomic<bool> asks_cache_first_ = true;  // false once the file system has said that it cannot tell
};

}  // namespace holdfast::real
