// PosixDisk: files of the operating system. Relative paths are those of the process.
//
// What leaves the core: everything that may wait for a device (sync, preallocate, reads that miss the page cache) or
// for the file system's own locks (names), and copies of more than 512 KiB. What does not: smaller reads that hit the
// page cache, and smaller writes, which only copy into it. Syncs have threads of their own, so that a commit never
// queues behind a preallocation.
#pragma once

#include "io/disk.h"
#include "io/real/helper_threads.h"

namespace holdfast::real {

class PosixDisk final : public io::Disk {
 public:
  PosixDisk(size_t threads, size_t sync_threads) : threads_(threads), sync_threads_(sync_threads) {}

  io::Task<Result<std::unique_ptr<io::File>>> open(std::string path, io::Open mode) override;
  io::Task<Result<>> make_dir(std::string path) override;
  io::Task<Result<>> rename(std::string from, std::string to) override;
  io::Task<Result<>> remove(std::string path) override;
  io::Task<Result<std::vector<io::DirEntry>>> list(std::string path) override;
  io::Task<Result<>> sync_dir(std::string path) override;
  io::Task<Result<std::unique_ptr<io::FileLock>>> lock(std::string path) override;
  io::Task<Result<io::FileIdentity>> identity(std::string path) override;
  io::Task<Result<uint64_t>> free_bytes(std::string path) override;

  /// Ends the helper threads; after the cores have ended.
  void finish() {
    threads_.finish();
    sync_threads_.finish();
  }
  HelperThreads& threads() { return threads_; }

 private:
  HelperThreads threads_;
  HelperThreads sync_threads_;
};

}  // namespace holdfast::real
