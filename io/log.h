// The host's sinks for log lines. Production writes them to standard output; simulation keeps them with the run.
#pragma once

#include <string_view>

namespace holdfast::io {

enum class Level : uint8_t { kDebug, kInfo, kWarning, kError };

class LogSink {
 public:
  virtual ~LogSink() = default;
  /// One line without its end; may be called from any core. Never waits for a reader for long, never fails.
  virtual void log(Level level, std::string_view line) = 0;
  virtual bool enabled(Level level) const = 0;
};

}  // namespace holdfast::io
