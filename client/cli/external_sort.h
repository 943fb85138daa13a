// ExternalSort: sorts records by key in bounded memory, spilling sorted runs to temporary files.
//
// Records go in by add(), then sort() is called once, then next() gives them in the order of their keys as bytes, the
// shorter first; equal keys in the order in which they came. Files are unlinked as soon as they are made, so nothing
// stays behind however the process ends.
//
// Memory: about the given bound, and while merging a buffer and a record per run, at most kMaxRuns of them.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::cli {

class ExternalSort {
 public:
  static constexpr size_t kMaxRuns = 64;

  /// Spills to `directory`.
  ExternalSort(size_t memory_bytes, std::string directory);
  ExternalSort(const ExternalSort&) = delete;
  ExternalSort& operator=(const ExternalSort&) = delete;
  ~ExternalSort();

  /// Errors: kDiskFull, kIo.
  Result<> add(Bytes key, Bytes record);
  Result<> sort();
  /// The next record, borrowed until the next call. False at the end.
  Result<bool> next(Bytes& record);

  size_t runs() const { return runs_.size(); }

 private:
  struct Entry {
    size_t at;
    uint32_t key_size;
    uint32_t record_size;
  };
  class Run;

  Bytes key_of(const Entry& e) const { return Bytes(arena_).substr(e.at, e.key_size); }
  Bytes record_of(const Entry& e) const { return Bytes(arena_).substr(e.at + e.key_size, e.record_size); }
  size_t memory_used() const { return arena_.size() + entries_.size() * sizeof(Entry); }
  void sort_entries();
  Result<> spill();
  Result<> merge_all();
  Result<std::unique_ptr<Run>> new_run(size_t number) const;
  Result<> start_merge();
  Result<Run*> smallest();

  size_t memory_bytes_;
  std::string directory_;
  Buffer arena_;
  std::vector<Entry> entries_;
  size_t given_ = 0;  ///< entries handed out, when nothing was spilled
  std::vector<std::unique_ptr<Run>>
      runs_;  ///< in the order of making, which is the order of their records among equals
  std::vector<Run*> heap_;
  Run* current_ = nullptr;  ///< whose record next() gave last
};

}  // namespace holdfast::cli
