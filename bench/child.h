// Child: a process that a benchmark starts and ends: the server under test, or the echo that it is measured against.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace holdfast::bench {

class Child {
 public:
  /// Runs `argv` and waits for a line on its standard output that begins with `ready`; what follows on that line is `ready_rest()`.
  /// Ends the program with a message when the child ends before.
  static Child start(std::vector<std::string> argv, const std::string& ready);

  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();  ///< kills

  /// Sends a signal and waits for the end; the exit status as of waitpid.
  int end(int signal);
  const std::string& ready_rest() const { return rest_; }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string rest_;
};

/// Seconds since some moment.
double now_s();

/// Prints the message and ends the program with status 1.
[[noreturn]] void die(const std::string& message);

/// A fresh directory under `parent`; removed with all it holds when the object dies.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(const std::string& parent);
  ~ScratchDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace holdfast::bench
