// ServerProcess: a real holdfastd as a child process: started, watched, killed.
//
// Place in the system: used by the real runs here and by the tests of real processes. Nothing here waits for longer than it is told to; what the process
// prints goes to a log file, so that it never waits for a reader.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "io/task.h"

namespace holdfast::chaos {

/// Seconds since a moment that means nothing.
double monotonic_seconds();

struct ServerOptions {
  std::string program;    ///< holdfastd
  std::string directory;  ///< the run's: holds `data`, and `server.log`, to which every incarnation appends
  std::vector<std::string> flags;
};

class ServerProcess {
 public:
  /// Starts it on a free port of the loopback interface. Ends this program with a message when there is no such program.
  static ServerProcess start(const ServerOptions& options);
  /// The same program with a command that ends by itself, such as `verify`; `words` follow --data-path. Never ready.
  static ServerProcess command(const ServerOptions& options, std::string command, std::vector<std::string> words);

  ServerProcess(ServerProcess&& other) noexcept;
  ServerProcess& operator=(ServerProcess&& other) noexcept;
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess();  ///< kills and reaps

  enum class State : uint8_t { kStarting, kReady, kEnded };
  /// Looks, and never waits.
  State poll();
  /// Whether it became ready within that time.
  bool wait_ready(double seconds);
  void signal(int number) const;
  /// Waits for its end, and kills it when that takes longer. The status as of waitpid; nothing when it had to be killed.
  std::optional<int> wait_end(double seconds);
  /// Signals and waits.
  std::optional<int> end(int number, double seconds = 60);

  uint16_t port() const { return port_; }     ///< once ready
  std::optional<int> status() const { return status_; }  ///< once ended
  pid_t pid() const { return pid_; }
  uint64_t resident_bytes() const;
  /// Seconds from the start until it was seen to be ready.
  double startup_seconds() const { return startup_; }
  /// What this incarnation has printed so far.
  std::string log() const;

 private:
  ServerProcess() = default;
  static ServerProcess spawn(const ServerOptions& options, std::vector<std::string> words);
  pid_t pid_ = -1;
  uint16_t port_ = 0;
  std::optional<int> status_;
  std::string log_path_;
  off_t log_begin_ = 0;
  double begin_ = 0;
  double startup_ = 0;
};

/// Waits, as a task, until it is ready or has ended; no longer than that.
io::Task<ServerProcess::State> wait_started(ServerProcess& server, double seconds);
/// Waits, as a task, for its end, and kills it when that takes longer: the status as of waitpid; nothing when it had to be killed.
io::Task<std::optional<int>> wait_ended(ServerProcess& server, double seconds);
bool exited_with(std::optional<int> status, int code);

/// "exit code 3", "signal 9 (Killed)".
std::string describe_end(std::optional<int> status);

/// A sanitizer's report or a failed assertion in what a server has printed; empty when there is none.
std::string find_report(const std::string& log);

}  // namespace holdfast::chaos
