#include "bench/child.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::bench {

void die(const std::string& message) {
  std::fprintf(stderr, "holdfast-bench: %s\n", message.c_str());
  std::exit(1);
}

double now_s() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

Child Child::start(std::vector<std::string> argv, const std::string& ready) {
  int ends[2];
  if (pipe(ends) != 0) die("cannot make a pipe");
  pid_t pid = fork();
  if (pid < 0) die("cannot fork");
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    std::vector<char*> args;
    for (std::string& a : argv) args.push_back(a.data());
    args.push_back(nullptr);
    execv(args[0], args.data());
    std::perror(args[0]);
    _exit(127);
  }
  close(ends[1]);
  Child child;
  child.pid_ = pid;
  child.output_ = ends[0];
  std::string line;
  for (char c; read(ends[0], &c, 1) == 1;) {
    if (c != '\n') {
      line += c;
      continue;
    }
    if (line.starts_with(ready)) {
      child.rest_ = line.substr(ready.size());
      return child;
    }
    line.clear();
  }
  die(argv[0] + " ended before it was ready");
}

Child::Child(Child&& other) noexcept { *this = std::move(other); }

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(output_, other.output_);
  std::swap(rest_, other.rest_);
  return *this;
}

Child::~Child() {
  if (pid_ > 0) end(SIGKILL);
  if (output_ >= 0) close(output_);
}

int Child::end(int signal) {
  int status = 0;
  kill(pid_, signal);
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

ScratchDirectory::ScratchDirectory(const std::string& parent) {
  std::string name = parent + "/holdfast-bench-XXXXXX";
  if (!mkdtemp(name.data())) die("cannot make a directory in " + parent);
  path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace holdfast::bench
