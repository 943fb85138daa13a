// LogToStdout: log lines on standard output, one write each: "2025-01-31T12:00:00.000Z INFO text".
//
// Nobody who reads slowly, or not at all, stops the server: a line waits 20 ms for room at most, and once one has
// waited in vain, lines are dropped without waiting until there is room again; then a line tells how many are
// missing.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "io/log.h"

namespace holdfast::real {

class LogToStdout final : public io::LogSink {
 public:
  /// `fd` is standard output, but for tests.
  explicit LogToStdout(io::Level least, int fd = 1) : least_(least), fd_(fd) {}
  void log(io::Level level, std::string_view line) override;
  bool enabled(io::Level level) const override { return level >= least_; }

 private:
  bool write_line(std::string_view line);

  io::Level least_;
  int fd_;
  std::mutex mutex_;
  uint64_t dropped_ = 0;
};

}  // namespace holdfast::real
