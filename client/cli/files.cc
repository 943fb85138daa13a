#include "client/cli/files.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "io/executor.h"

namespace holdfast::cli {
namespace {

constexpr Duration kLookAgain = milliseconds(5);

std::unexpected<Error> os_error(int e, const std::string& what) {
  Code code = e == EPIPE ? Code::kClosed : e == ENOSPC || e == EDQUOT ? Code::kDiskFull : Code::kIo;
  return fail(code, what + ": " + std::strerror(e));
}

}  // namespace

Result<Input> Input::open(const std::string& path) {
  int fd = path == "-" ? dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return os_error(errno, "cannot read " + (path == "-" ? "standard input" : path));
  struct stat s{};
  bool known = fstat(fd, &s) == 0;
  if (known && S_ISDIR(s.st_mode)) {
    ::close(fd);
    return fail(Code::kIo, "cannot read " + path + ": it is a directory");
  }
  return Input(fd, known ? static_cast<uint64_t>(s.st_size) : 0, known && S_ISREG(s.st_mode));
}

Input::~Input() {
  if (fd_ >= 0) ::close(fd_);
}

io::Task<Result<size_t>> Input::read(MutableBytes out) {
  for (;;) {
    pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
    if (!regular_ && poll(&p, 1, 0) == 0) {
      co_await io::sleep_for(kLookAgain);
      continue;
    }
    ssize_t n = ::read(fd_, out.data(), out.size());
    if (n >= 0) co_return static_cast<size_t>(n);
    if (errno != EINTR && errno != EAGAIN) co_return os_error(errno, "cannot read the input");
  }
}

Result<Output> Output::open(const std::string& path) {
  if (path == "-") return Output(stdout, "standard output", "");
  struct stat s{};
  bool special = stat(path.c_str(), &s) == 0 && !S_ISREG(s.st_mode);
  std::string temporary = special ? "" : path + ".partial";
  FILE* file = std::fopen((special ? path : temporary).c_str(), "we");
  if (!file) return os_error(errno, "cannot write " + (special ? path : temporary));
  return Output(file, path, std::move(temporary));
}

Output::~Output() {
  if (file_ && file_ != stdout) std::fclose(file_);
  if (file_ && !temporary_.empty()) unlink(temporary_.c_str());
}

Result<> Output::line(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fputc('\n', file_) == EOF)
    return os_error(errno, "cannot write " + path_);
  return {};
}

Result<> Output::finish() {
  if (std::fflush(file_) != 0) return os_error(errno, "cannot write " + path_);
  if (temporary_.empty()) return {};
  if (fsync(fileno(file_)) != 0) return os_error(errno, "cannot write " + path_);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return os_error(errno, "cannot give " + path_ + " its name");
  temporary_.clear();
  return {};
}

std::string temporary_directory() {
  const char* dir = std::getenv("TMPDIR");
  return dir && *dir ? dir : "/tmp";
}

}  // namespace holdfast::cli
