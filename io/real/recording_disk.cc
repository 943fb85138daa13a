#include "io/real/recording_disk.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

namespace holdfast::real {
namespace {

Time monotonic_now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return {t.tv_sec * 1'000'000'000 + t.tv_nsec};
}

uint64_t bytes_of(const Result<size_t>& written) { return written ? *written : 0; }
template <class T>
uint64_t bytes_of(const Result<T>&) {
  return 0;
}

// Begins the record of an operation, carries it out, ends the record. What `begin` borrows, the caller's frame owns.
template <class T, class Make>
io::Task<Result<T>> recorded(OperationRecorder& recorder, OperationBegin begin, Make make) {
  HF_CO_TRY(operation, recorder.begin(begin));
  Result<T> result = co_await make(operation);
  HF_CO_CHECK_OK(recorder.end({.operation = operation, .succeeded = result.has_value(), .bytes = bytes_of(result)}));
  co_return result;
}

class RecordingFile final : public io::File {
 public:
  RecordingFile(std::unique_ptr<io::File> file, uint64_t number, OperationRecorder& recorder)
      : file_(std::move(file)), number_(number), recorder_(recorder) {}

  io::Task<Result<size_t>> read_at(uint64_t offset, MutableBytes out) override { return file_->read_at(offset, out); }
  io::Task<Result<uint64_t>> size() override { return file_->size(); }

  io::Task<Result<size_t>> write_at(uint64_t offset, Bytes data) override {
    return recorded<size_t>(recorder_, {.call = DiskCall::kWrite, .file = number_, .offset = offset, .data = data},
                            [this, offset, data](uint64_t) { return file_->write_at(offset, data); });
  }
  io::Task<Result<>> sync() override {
    return recorded<void>(recorder_, {.call = DiskCall::kSync, .file = number_},
                          [this](uint64_t) { return file_->sync(); });
  }
  io::Task<Result<>> truncate(uint64_t size) override {
    return recorded<void>(recorder_, {.call = DiskCall::kTruncate, .file = number_, .length = size},
                          [this, size](uint64_t) { return file_->truncate(size); });
  }
  io::Task<Result<>> preallocate(uint64_t offset, uint64_t length) override {
    return recorded<void>(
        recorder_, {.call = DiskCall::kPreallocate, .file = number_, .offset = offset, .length = length},
        [this, offset, length](uint64_t) { return file_->preallocate(offset, length); });
  }

 private:
  std::unique_ptr<io::File> file_;
  const uint64_t number_;
  OperationRecorder& recorder_;
};

io::Task<Result<std::unique_ptr<io::File>>> open_recorded(io::Disk& disk, OperationRecorder& recorder,
                                                          std::string path, io::Open mode, uint64_t number) {
  HF_CO_TRY(file, co_await disk.open(std::move(path), mode));
  co_return std::make_unique<RecordingFile>(std::move(file), number, recorder);
}

}  // namespace

Result<std::unique_ptr<OperationRecorder>> OperationRecorder::create(std::string path) {
  FileDescriptor fd(
      retry_interrupted([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644); }));
  if (!fd) return std::unexpected(disk_error(errno, "cannot create the record", path));
  std::unique_ptr<OperationRecorder> out(new OperationRecorder(std::move(fd), std::move(path)));
  HF_CHECK_OK(out->append(record_header()));
  return out;
}

Result<uint64_t> OperationRecorder::begin(OperationBegin operation) {
  std::lock_guard lock(mutex_);
  operation.operation = ++begun_;
  operation.at = monotonic_now();
  Buffer bytes;
  append_record(bytes, operation);
  HF_CHECK_OK(append(bytes));
  return operation.operation;
}

Result<> OperationRecorder::end(OperationEnd operation) {
  std::lock_guard lock(mutex_);
  operation.at = monotonic_now();
  Buffer bytes;
  append_record(bytes, operation);
  return append(bytes);
}

// Whole, or nothing any more: behind a part of a record nothing could be found.
Result<> OperationRecorder::append(Bytes bytes) {
  if (failed_) return fail(Code::kIo, path_ + " could not be written before: what happened since is not recorded");
  while (!bytes.empty()) {
    ssize_t n = retry_interrupted([&] { return ::write(fd_.get(), bytes.data(), bytes.size()); });
    if (n < 0) {
      failed_ = true;
      return std::unexpected(disk_error(errno, "cannot write the record", path_));
    }
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

io::Task<Result<std::unique_ptr<io::File>>> RecordingDisk::open(std::string path, io::Open mode) {
  DiskCall call = mode == io::Open::kCreate || mode == io::Open::kCreatePrivate ? DiskCall::kCreate : DiskCall::kOpen;
  co_return co_await recorded<std::unique_ptr<io::File>>(
      recorder_, {.call = call, .path = path},
      [&](uint64_t number) { return open_recorded(disk_, recorder_, path, mode, number); });
}

io::Task<Result<>> RecordingDisk::make_dir(std::string path) {
  co_return co_await recorded<void>(recorder_, {.call = DiskCall::kMakeDir, .path = path},
                                    [&](uint64_t) { return disk_.make_dir(path); });
}

io::Task<Result<>> RecordingDisk::rename(std::string from, std::string to) {
  co_return co_await recorded<void>(recorder_, {.call = DiskCall::kRename, .path = from, .to = to},
                                    [&](uint64_t) { return disk_.rename(from, to); });
}

io::Task<Result<>> RecordingDisk::remove(std::string path) {
  co_return co_await recorded<void>(recorder_, {.call = DiskCall::kRemove, .path = path},
                                    [&](uint64_t) { return disk_.remove(path); });
}

io::Task<Result<>> RecordingDisk::sync_dir(std::string path) {
  co_return co_await recorded<void>(recorder_, {.call = DiskCall::kSyncDir, .path = path},
                                    [&](uint64_t) { return disk_.sync_dir(path); });
}

io::Task<Result<std::unique_ptr<io::FileLock>>> RecordingDisk::lock(std::string path) {
  co_return co_await recorded<std::unique_ptr<io::FileLock>>(recorder_, {.call = DiskCall::kLock, .path = path},
                                                             [&](uint64_t) { return disk_.lock(path); });
}

}  // namespace holdfast::real
