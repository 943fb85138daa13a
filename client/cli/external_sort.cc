#include "client/cli/external_sort.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "io/base/assert.h"

namespace holdfast::cli {
namespace {

std::unexpected<Error> io_error(std::string_view what) {
  int e = errno;
  return fail(e == ENOSPC || e == EDQUOT ? Code::kDiskFull : Code::kIo, std::string(what) + ": " + std::strerror(e));
}

}  // namespace

/// One sorted file: first written, then read.
class ExternalSort::Run {
 public:
  Run(FILE* file, size_t number) : file_(file), number_(number) {}
  ~Run() { std::fclose(file_); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Result<> write(Bytes key, Bytes record) {
    char head[8];
    store_le(head, static_cast<uint32_t>(key.size()));
    store_le(head + 4, static_cast<uint32_t>(record.size()));
    bool ok = std::fwrite(head, sizeof head, 1, file_) == 1 &&
              std::fwrite(key.data(), 1, key.size(), file_) == key.size() &&
              std::fwrite(record.data(), 1, record.size(), file_) == record.size();
    if (!ok) return io_error("cannot write a temporary file");
    return {};
  }

  Result<> rewind() {
    if (std::fflush(file_) != 0 || std::fseek(file_, 0, SEEK_SET) != 0)
      return io_error("cannot write a temporary file");
    return {};
  }

  /// Reads the next record; false at the end.
  Result<bool> advance() {
    char head[8];
    if (std::fread(head, sizeof head, 1, file_) != 1) {
      if (std::ferror(file_)) return io_error("cannot read a temporary file");
      return false;
    }
    key_size_ = load_le<uint32_t>(head);
    size_t size = size_t{key_size_} + load_le<uint32_t>(head + 4);
    data_.resize(size);
    if (std::fread(data_.data(), 1, size, file_) != size) return io_error("cannot read a temporary file");
    return true;
  }

  Bytes key() const { return Bytes(data_).substr(0, key_size_); }
  Bytes record() const { return Bytes(data_).substr(key_size_); }
  size_t number() const { return number_; }

 private:
  FILE* file_;
  size_t number_;
  Buffer data_;
  uint32_t key_size_ = 0;
};

ExternalSort::ExternalSort(size_t memory_bytes, std::string directory)
    : memory_bytes_(memory_bytes), directory_(std::move(directory)) {}
ExternalSort::~ExternalSort() = default;

Result<> ExternalSort::add(Bytes key, Bytes record) {
  HF_ASSERT(key.size() <= UINT32_MAX && record.size() <= UINT32_MAX, "documents are far smaller");
  if (!entries_.empty() && memory_used() + key.size() + record.size() > memory_bytes_) HF_CHECK_OK(spill());
  entries_.push_back({arena_.size(), static_cast<uint32_t>(key.size()), static_cast<uint32_t>(record.size())});
  arena_ += key;
  arena_ += record;
  return {};
}

void ExternalSort::sort_entries() {
  std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
    int order = key_of(a).compare(key_of(b));
    return order != 0 ? order < 0 : a.at < b.at;
  });
}

Result<std::unique_ptr<ExternalSort::Run>> ExternalSort::new_run(size_t number) const {
  std::string path = directory_ + "/holdfast-export-XXXXXX";
  int fd = mkstemp(path.data());
  if (fd < 0) return io_error("cannot make a temporary file in " + directory_);
  unlink(path.c_str());
  FILE* file = fdopen(fd, "w+b");
  if (!file) {
    close(fd);
    return io_error("cannot open a temporary file in " + directory_);
  }
  return std::make_unique<Run>(file, number);
}

Result<> ExternalSort::spill() {
  sort_entries();
  HF_TRY(run, new_run(runs_.size()));
  for (const Entry& e : entries_) HF_CHECK_OK(run->write(key_of(e), record_of(e)));
  HF_CHECK_OK(run->rewind());
  runs_.push_back(std::move(run));
  entries_.clear();
  arena_.clear();
  if (runs_.size() == kMaxRuns) return merge_all();
  return {};
}

/// Makes one run of all.
Result<> ExternalSort::merge_all() {
  HF_CHECK_OK(start_merge());
  HF_TRY(merged, new_run(0));
  for (;;) {
    HF_TRY(run, smallest());
    if (!run) break;
    HF_CHECK_OK(merged->write(run->key(), run->record()));
  }
  HF_CHECK_OK(merged->rewind());
  runs_.clear();
  runs_.push_back(std::move(merged));
  return {};
}

namespace {

/// For a heap whose front is the smallest: among equal keys the older run's comes first.
struct Later {
  template <class Run>
  bool operator()(const Run* a, const Run* b) const {
    return a->key() != b->key() ? a->key() > b->key() : a->number() > b->number();
  }
};

}  // namespace

Result<> ExternalSort::start_merge() {
  current_ = nullptr;
  heap_.clear();
  for (auto& run : runs_) {
    HF_TRY(there, run->advance());
    if (there) heap_.push_back(run.get());
  }
  std::make_heap(heap_.begin(), heap_.end(), Later{});
  return {};
}

/// The run whose record is next; null at the end.
Result<ExternalSort::Run*> ExternalSort::smallest() {
  if (current_) {
    HF_TRY(there, current_->advance());
    if (there) {
      heap_.push_back(current_);
      std::push_heap(heap_.begin(), heap_.end(), Later{});
    }
    current_ = nullptr;
  }
  if (heap_.empty()) return nullptr;
  std::pop_heap(heap_.begin(), heap_.end(), Later{});
  current_ = heap_.back();
  heap_.pop_back();
  return current_;
}

Result<> ExternalSort::sort() {
  if (runs_.empty()) {
    sort_entries();
    return {};
  }
  if (!entries_.empty()) HF_CHECK_OK(spill());
  Buffer().swap(arena_);
  return start_merge();
}

Result<bool> ExternalSort::next(Bytes& record) {
  if (runs_.empty()) {
    if (given_ == entries_.size()) return false;
    record = record_of(entries_[given_++]);
    return true;
  }
  HF_TRY(run, smallest());
  if (run) record = run->record();
  return run != nullptr;
}

}  // namespace holdfast::cli
