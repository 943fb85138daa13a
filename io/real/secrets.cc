#include "io/real/secrets.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "io/real/os_error.h"
#include "io/real/posix_file.h"

namespace holdfast::real {
namespace {

constexpr size_t kLongest = 4096;

/// Up to the end of the first line; nothing when it is longer than kLongest, or cannot be read.
std::optional<Buffer> read_line(int fd) {
  char line[kLongest + 1];
  size_t size = 0;
  std::optional<Buffer> out;
  while (size < sizeof line) {
    ssize_t n = retry_interrupted([&] { return ::read(fd, line + size, 1); });
    if (n < 0) break;
    if (n == 0 || line[size] == '\n') {
      if (size > 0 && line[size - 1] == '\r') --size;
      out.emplace(line, size);
      break;
    }
    ++size;
  }
  ::explicit_bzero(line, sizeof line);
  return out;
}

/// What is typed does not show while this lives.
class Hidden {
 public:
  explicit Hidden(int fd) : fd_(fd) {
    known_ = ::tcgetattr(fd, &before_) == 0;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (known_) (void)::tcsetattr(fd, TCSAFLUSH, &silent);
  }
  ~Hidden() {
    if (known_) (void)::tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;
  bool works() const { return known_; }

 private:
  int fd_;
  termios before_{};
  bool known_;
};

void say(int fd, std::string_view text) { (void)!::write(fd, text.data(), text.size()); }

}  // namespace

Result<Buffer> read_secret_file(const std::string& path) {
  FileDescriptor fd(retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!fd) return std::unexpected(disk_error(errno, "cannot read the password in", path));
  std::optional<Buffer> line = read_line(fd.get());
  if (!line || line->empty())
    return fail(Code::kBadRequest, path + ": its first line is to be the password, of 1 to 4096 bytes");
  return std::move(*line);
}

std::optional<Buffer> take_secret_variable(const char* name) {
  char* value = std::getenv(name);
  if (!value || !*value) return std::nullopt;
  Buffer out(value);
  wipe_argument(value);
  (void)::unsetenv(name);
  return out;
}

Result<Buffer> ask_secret(const std::string& prompt) {
  FileDescriptor terminal(retry_interrupted([&] { return ::open("/dev/tty", O_RDWR | O_CLOEXEC); }));
  if (!terminal)
    return fail(Code::kBadRequest,
                "there is no terminal to ask for the password on; give --password-file FILE or set HOLDFAST_PASSWORD");
  Hidden hidden(terminal.get());
  if (!hidden.works())
    return fail(Code::kBadRequest, "the terminal cannot hide what is typed; give --password-file FILE");
  say(terminal.get(), prompt);
  std::optional<Buffer> line = read_line(terminal.get());
  say(terminal.get(), "\n");
  if (!line || line->empty()) return fail(Code::kBadRequest, "no password was given");
  return std::move(*line);
}

void wipe_argument(char* argument) { ::explicit_bzero(argument, ::strlen(argument)); }

void hide_memory() {
  rlimit none{.rlim_cur = 0, .rlim_max = 0};
  (void)::setrlimit(RLIMIT_CORE, &none);
  (void)::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace holdfast::real
