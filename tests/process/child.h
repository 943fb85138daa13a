// The programs as a test runs them: a server in the background, a command to its end.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast::test {

/// A fresh directory, removed with all it holds.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path(const std::string& name) const { return directory_ / name; }

 private:
  std::filesystem::path directory_;
};

/// holdfastd on a free port.
class ServerProcess {
 public:
  /// Returns when it is ready; a failed start fails the test.
  ServerProcess(std::string data_path, std::vector<std::string> flags = {});
  ~ServerProcess();  ///< kills
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& port() const { return port_; }
  pid_t pid() const { return pid_; }
  /// Sends a signal and waits for the end; the exit code, or 128 and the signal that ended it.
  int end(int signal);
  /// All that it has printed. Requires: it has ended.
  std::string output();

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string said_;
  std::string port_;
};

struct Ran {
  int exit = -1;
  std::string out;
  std::string err;
};

/// Runs a shell command; `holdfast` in it is the command under test. Standard input is `input`.
Ran run(const Scratch& scratch, const std::string& command, const std::string& input = "");

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text);

}  // namespace holdfast::test
