#include "chaos/runner/real/server_process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include "io/executor.h"

extern char** environ;

namespace holdfast::chaos {
namespace {

constexpr std::string_view kReady = "holdfastd ready on ";

void nap() {
  timespec t{.tv_sec = 0, .tv_nsec = 1'000'000};
  nanosleep(&t, nullptr);
}

std::string read_from(const std::string& path, off_t begin) {
  std::string out;
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return out;
  char chunk[65536];
  for (ssize_t n; (n = pread(fd, chunk, sizeof chunk, begin + static_cast<off_t>(out.size()))) > 0;) out.append(chunk, static_cast<size_t>(n));
  close(fd);
  return out;
}

/// The port in the ready line; 0 while there is none.
uint16_t ready_port(const std::string& log) {
  for (size_t at = 0; (at = log.find(kReady, at)) != std::string::npos; ++at) {
    size_t end = log.find('\n', at);
    if ((at > 0 && log[at - 1] != '\n') || end == std::string::npos) continue;
    size_t colon = log.rfind(':', end);
    return static_cast<uint16_t>(std::strtoul(log.c_str() + colon + 1, nullptr, 10));
  }
  return 0;
}

}  // namespace

double monotonic_seconds() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

ServerProcess ServerProcess::start(const ServerOptions& o) {
  std::vector<std::string> words = {o.program, "--data-path", o.directory + "/data", "--port", "127.0.0.1:0"};
  words.insert(words.end(), o.flags.begin(), o.flags.end());
  return spawn(o, std::move(words));
}

ServerProcess ServerProcess::command(const ServerOptions& o, std::string command, std::vector<std::string> more) {
  std::vector<std::string> words = {o.program, std::move(command), "--data-path", o.directory + "/data"};
  words.insert(words.end(), more.begin(), more.end());
  return spawn(o, std::move(words));
}

ServerProcess ServerProcess::spawn(const ServerOptions& o, std::vector<std::string> words) {
  ServerProcess out;
  mkdir(o.directory.c_str(), 0755);
  out.log_path_ = o.directory + "/server.log";
  int log = open(out.log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  struct stat status {};
  if (log < 0 || fstat(log, &status) != 0) {
    std::perror(out.log_path_.c_str());
    std::exit(1);
  }
  out.log_begin_ = status.st_size;
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, log, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);
  out.begin_ = monotonic_seconds();
  int error = posix_spawn(&out.pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(log);
  if (error != 0) {
    std::fprintf(stderr, "%s: %s\n", argv[0], std::strerror(error));
    std::exit(1);
  }
  return out;
}

ServerProcess::ServerProcess(ServerProcess&& other) noexcept { *this = std::move(other); }

ServerProcess& ServerProcess::operator=(ServerProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(port_, other.port_);
  std::swap(status_, other.status_);
  std::swap(log_path_, other.log_path_);
  std::swap(log_begin_, other.log_begin_);
  std::swap(begin_, other.begin_);
  std::swap(startup_, other.startup_);
  return *this;
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0 && !status_) end(SIGKILL);
}

ServerProcess::State ServerProcess::poll() {
  int status = 0;
  if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  if (status_) return State::kEnded;
  if (port_ == 0 && (port_ = ready_port(log())) != 0) startup_ = monotonic_seconds() - begin_;
  return port_ ? State::kReady : State::kStarting;
}

bool ServerProcess::wait_ready(double seconds) {
  double deadline = monotonic_seconds() + seconds;
  while (poll() == State::kStarting && monotonic_seconds() < deadline) nap();
  return poll() == State::kReady;
}

void ServerProcess::signal(int number) const {
  if (!status_) kill(pid_, number);
}

std::optional<int> ServerProcess::wait_end(double seconds) {
  double deadline = monotonic_seconds() + seconds;
  while (poll() != State::kEnded && monotonic_seconds() < deadline) nap();
  if (status_) return status_;
  kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  status_ = status;
  return std::nullopt;
}

std::optional<int> ServerProcess::end(int number, double seconds) {
  signal(number);
  return wait_end(seconds);
}

uint64_t ServerProcess::resident_bytes() const {
  std::string text = read_from(fmt::format("/proc/{}/statm", pid_), 0);
  size_t space = text.find(' ');
  if (space == std::string::npos) return 0;
  return std::strtoull(text.c_str() + space, nullptr, 10) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::string ServerProcess::log() const { return read_from(log_path_, log_begin_); }

io::Task<ServerProcess::State> wait_started(ServerProcess& server, double seconds) {
  double deadline = monotonic_seconds() + seconds;
  for (;;) {
    ServerProcess::State state = server.poll();
    if (state != ServerProcess::State::kStarting || monotonic_seconds() > deadline) co_return state;
    co_await io::sleep_for(microseconds(500));
  }
}

io::Task<std::optional<int>> wait_ended(ServerProcess& server, double seconds) {
  double deadline = monotonic_seconds() + seconds;
  while (server.poll() != ServerProcess::State::kEnded && monotonic_seconds() < deadline) co_await io::sleep_for(microseconds(500));
  co_return server.wait_end(0);
}

bool exited_with(std::optional<int> status, int code) { return status && WIFEXITED(*status) && WEXITSTATUS(*status) == code; }

std::string describe_end(std::optional<int> status) {
  if (!status) return "no end in time";
  if (WIFSIGNALED(*status)) return fmt::format("signal {} ({})", WTERMSIG(*status), strsignal(WTERMSIG(*status)));
  return fmt::format("exit code {}", WEXITSTATUS(*status));
}

std::string find_report(const std::string& log) {
  for (std::string_view sign : {"Sanitizer", "runtime error:", "assertion failed", "terminate called"}) {
    size_t at = log.find(sign);
    if (at == std::string::npos) continue;
    size_t begin = log.rfind('\n', at) + 1;
    return log.substr(begin, 2000);
  }
  return "";
}

}  // namespace holdfast::chaos
