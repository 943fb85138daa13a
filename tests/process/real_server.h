// RealServer: the built holdfastd on a directory of its own, for tests of its bytes and its memory; child.h has what scripts do.
#pragma once

#include "chaos/runner/real/server_process.h"
#include "tests/process/child.h"
#include "tests/process/raw_client.h"

namespace holdfast::test {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HOLDFAST_SANITIZED 1
#endif
#endif
#ifdef HOLDFAST_SANITIZED
inline constexpr bool kSanitized = true;  ///< memory means nothing here
#else
inline constexpr bool kSanitized = false;
#endif

/// Whether the environment asks for the full sizes (HOLDFAST_FULL_SIZE=1): minutes instead of seconds.
bool full_size();

class RealServer {
 public:
  explicit RealServer(std::vector<std::string> flags = {});
  /// Requires: not running.
  void start();
  /// Ends by that signal; the status as of waitpid.
  std::optional<int> end(int signal) { return process_->end(signal); }
  void stop_clean();

  uint16_t port() const { return process_->port(); }
  chaos::ServerProcess& process() { return *process_; }
  uint64_t resident_bytes() const { return process_->resident_bytes(); }

  /// Whether a client that behaves is served: inserts a document and reads it back.
  testing::AssertionResult serves();

 private:
  Scratch scratch_;
  chaos::ServerOptions options_;
  std::optional<chaos::ServerProcess> process_;
  int served_ = 0;
};

}  // namespace holdfast::test
