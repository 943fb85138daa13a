// RealHost: the production host, made of the operating system. What main() passes to the server.
//
//   real::RealHost host({.cores = 1});
//   host.run(serve(host.host(), config));      // Task<void>; the calling thread is core 0
//
// Process-wide effects of making one: SIGPIPE is ignored; with `catch_signals` SIGTERM and SIGINT are blocked in this
// thread and its children, and arrive at wait_signal().
#pragma once

#include <memory>

#include "io/host.h"

namespace holdfast::real {

class OperationRecorder;

struct RealOptions {
  uint16_t cores = 1;
  bool pin_threads = false;  ///< core i stays on the i-th processor that the process may use
  io::Level log_level = io::Level::kInfo;
  bool catch_signals = false;
  size_t disk_threads = 4;  ///< for names, preallocation, and reads that miss the page cache
  size_t sync_threads = 4;  ///< for syncs alone
  OperationRecorder* recorder = nullptr;  ///< told of every change of the disk (recording_disk.h); outlives the host
};

class RealHost {
 public:
  explicit RealHost(RealOptions options);
  ~RealHost();
  RealHost(const RealHost&) = delete;
  RealHost& operator=(const RealHost&) = delete;

  io::Host& host();

  /// Runs all cores until `main`, a task of core 0, ends. Disk work under way is then finished; tasks that still wait
  /// are destroyed. Once.
  void run(io::Task<void> main);
  /// The next SIGTERM or SIGINT, as its number; signals that came before wait here. Core 0; requires catch_signals.
  io::Task<int> wait_signal();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Lets the process open as many files as it is allowed to; returns how many that is.
Result<uint64_t> raise_file_limit();

}  // namespace holdfast::real
