// Files and standard streams of the command: reading without holding up the network, writing that notices every
// failure.
#pragma once

#include <cstdio>
#include <optional>
#include <string>

#include "io/base/bytes.h"
#include "io/base/error.h"
#include "io/task.h"

namespace holdfast::cli {

/// A file or standard input ("-").
class Input {
 public:
  static Result<Input> open(const std::string& path);
  Input(Input&& other) noexcept : fd_(std::exchange(other.fd_, -1)), size_(other.size_), regular_(other.regular_) {}
  Input& operator=(Input&&) = delete;
  ~Input();

  /// The next bytes; 0 at the end. Of a pipe or terminal it waits without blocking the core.
  io::Task<Result<size_t>> read(MutableBytes out);
  /// Of a regular file.
  std::optional<uint64_t> size() const { return regular_ ? std::optional(size_) : std::nullopt; }

 private:
  Input(int fd, uint64_t size, bool regular) : fd_(fd), size_(size), regular_(regular) {}
  int fd_;
  uint64_t size_;
  bool regular_;
};

/// Standard output ("-"), or a file that appears under its name only when it is complete.
class Output {
 public:
  static Result<Output> open(const std::string& path);
  Output(Output&& other) noexcept
      : file_(std::exchange(other.file_, nullptr)),
        path_(std::move(other.path_)),
        temporary_(std::move(other.temporary_)) {}
  Output& operator=(Output&&) = delete;
  ~Output();  ///< removes what was not finished

  /// Errors: kClosed when the reader of a pipe has gone (which is no reason to complain), kDiskFull, kIo.
  Result<> line(std::string_view text);
  /// Nothing is written before this has succeeded, as far as anybody may count on it.
  Result<> finish();

 private:
  Output(FILE* file, std::string path, std::string temporary)
      : file_(file), path_(std::move(path)), temporary_(std::move(temporary)) {}
  FILE* file_;
  std::string path_;
  std::string temporary_;  ///< empty: written in place
};

/// Where temporary files go: TMPDIR, else /tmp.
std::string temporary_directory();

}  // namespace holdfast::cli
