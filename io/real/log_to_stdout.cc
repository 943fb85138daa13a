#include "io/real/log_to_stdout.h"

#include <fmt/core.h>
#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace holdfast::real {
namespace {

constexpr int kPatienceMs = 20;

const char* name_of(io::Level level) {
  switch (level) {
    case io::Level::kDebug:
      return "DEBUG";
    case io::Level::kInfo:
      return "INFO";
    case io::Level::kWarning:
      return "WARNING";
    case io::Level::kError:
      return "ERROR";
  }
  return "?";
}

std::string formatted(io::Level level, std::string_view line) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  tm t;
  gmtime_r(&now.tv_sec, &t);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z {} {}\n", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                     t.tm_hour, t.tm_min, t.tm_sec, now.tv_nsec / 1'000'000, name_of(level), line);
}

}  // namespace

void LogToStdout::log(io::Level level, std::string_view line) {
  if (!enabled(level)) return;
  std::string text = formatted(level, line);
  std::lock_guard lock(mutex_);
  if (dropped_ > 0) {
    std::string notice = fmt::format("{} log lines were dropped: nobody read them", dropped_);
    if (!write_line(formatted(io::Level::kWarning, notice))) {
      ++dropped_;
      return;
    }
  }
  dropped_ = write_line(text) ? 0 : 1;
}

// Pieces of at most PIPE_BUF bytes: a pipe that polls as writable takes that much without blocking, and in one piece.
bool LogToStdout::write_line(std::string_view line) {
  while (!line.empty()) {
    pollfd p{fd_, POLLOUT, 0};
    int ready = ::poll(&p, 1, dropped_ > 0 ? 0 : kPatienceMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    ssize_t n = ::write(fd_, line.data(), std::min<size_t>(line.size(), PIPE_BUF));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    line.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace holdfast::real
