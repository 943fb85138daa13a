#include "io/real/os_error.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstring>

namespace holdfast::real {
namespace {

Code code_of_disk(int error_number) {
  switch (error_number) {
    case ENOENT:
      return Code::kNotFound;
    case EEXIST:
      return Code::kExists;
    case ENOSPC:
    case EDQUOT:
      return Code::kDiskFull;
    default:
      return Code::kIo;
  }
}

}  // namespace

std::string error_text(int error_number) {
  char text[128];
  return ::strerror_r(error_number, text, sizeof text);  // the GNU variant: returns where the text is
}

Error disk_error(int error_number, std::string_view what, std::string_view path) {
  return {code_of_disk(error_number), fmt::format("{} {}: {}", what, path, error_text(error_number))};
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace holdfast::real
