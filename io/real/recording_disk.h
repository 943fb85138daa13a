// RecordingDisk: a disk that passes everything on to another and keeps a record of it (operation_record.h).
//
// Place in the system: around PosixDisk, when the process is asked for it (holdfastd --test-record-disk); nobody above
// knows. From the record the simulator's disk model tells which states a power cut could have left at any moment.
//
// Invariants
//  1. A begin is handed to the operating system before its operation starts, an end before the operation's result is
//     told to anyone. So whatever a client was told rests on operations whose ends are in the record, even if the
//     process is killed the next instant.
//  2. What is asked and answered is not changed. Reads, listings and sizes are not recorded.
//  3. When the record cannot be written, operations fail with kIo instead of going on unrecorded.
//
// Threads: any; one lock, held for one write(2). Crash behaviour: see operation_record.h.
#pragma once

#include <memory>
#include <mutex>

#include "io/disk.h"
#include "io/real/operation_record.h"
#include "io/real/os_error.h"

namespace holdfast::real {

class OperationRecorder {
 public:
  /// Makes the file. kExists when it is there already: a record is of one process.
  static Result<std::unique_ptr<OperationRecorder>> create(std::string path);

  /// Gives the operation its number and time; returns the number.
  Result<uint64_t> begin(OperationBegin operation);
  Result<> end(OperationEnd operation);

 private:
  OperationRecorder(FileDescriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<> append(Bytes bytes);

  std::mutex mutex_;
  FileDescriptor fd_;
  const std::string path_;
  uint64_t begun_ = 0;
  bool failed_ = false;
};

class RecordingDisk final : public io::Disk {
 public:
  /// Both outlive it.
  RecordingDisk(io::Disk& disk, OperationRecorder& recorder) : disk_(disk), recorder_(recorder) {}

  io::Task<Result<std::unique_ptr<io::File>>> open(std::string path, io::Open mode) override;
  io::Task<Result<>> make_dir(std::string path) override;
  io::Task<Result<>> rename(std::string from, std::string to) override;
  io::Task<Result<>> remove(std::string path) override;
  io::Task<Result<std::vector<io::DirEntry>>> list(std::string path) override { return disk_.list(std::move(path)); }
  io::Task<Result<>> sync_dir(std::string path) override;
  io::Task<Result<std::unique_ptr<io::FileLock>>> lock(std::string path) override;
  io::Task<Result<io::FileIdentity>> identity(std::string path) override { return disk_.identity(std::move(path)); }
  io::Task<Result<uint64_t>> free_bytes(std::string path) override { return disk_.free_bytes(std::move(path)); }

 private:
  io::Disk& disk_;
  OperationRecorder& recorder_;
};

}  // namespace holdfast::real
