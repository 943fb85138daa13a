// From errno to Error.
#pragma once

#include <cerrno>
#include <string_view>
#include <utility>

#include "io/base/error.h"

namespace holdfast::real {

/// What the operating system says about an error number.
std::string error_text(int error_number);

/// `what: why`, where `what` names the operation and the file or address. For disk operations.
Error disk_error(int error_number, std::string_view what, std::string_view path);

/// Unique owner of a descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// Calls `f` again as long as a signal interrupts it.
template <class F>
auto retry_interrupted(F f) {
  while (true) {
    auto r = f();
    if (r >= 0 || errno != EINTR) return r;
  }
}

}  // namespace holdfast::real
