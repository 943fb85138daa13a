#include "client/cli/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace holdfast::cli {
namespace {

constexpr Duration kPause = milliseconds(100);
constexpr size_t kBarWidth = 30;

std::string bar(uint64_t done, uint64_t total) {
  double part = total == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  auto filled = static_cast<size_t>(part * kBarWidth);
  return fmt::format(" [{}{}] {:3.0f} %", std::string(filled, '='), std::string(kBarWidth - filled, ' '), 100 * part);
}

}  // namespace

Progress::Progress(Time begin, std::optional<uint64_t> total_bytes)
    : on_terminal_(isatty(STDERR_FILENO) == 1), begin_(begin), next_(begin + kPause), total_bytes_(total_bytes) {}

Progress::~Progress() { wipe(); }

void Progress::show(Time now, uint64_t documents, uint64_t bytes) {
  if (!on_terminal_ || now < next_) return;
  next_ = now + kPause;
  double elapsed = static_cast<double>((now - begin_).ns) / 1e9;
  std::string text = fmt::format("{} documents, {:.1f} MB, {:.0f} documents/s", documents,
                                 static_cast<double>(bytes) / 1e6, static_cast<double>(documents) / elapsed);
  if (total_bytes_) text += bar(bytes, *total_bytes_);
  std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::wipe() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

}  // namespace holdfast::cli
