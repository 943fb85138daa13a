#include "chaos/runner/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <list>

extern char** environ;

namespace holdfast::chaos {
namespace {

constexpr size_t kErrorsKept = 16 << 10;
/// On a machine that is busy with other things a job gets so many times its time, if it has not computed for that long.
constexpr double kWaitsFor = 9;

double now_s() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Of a process; 0 when it cannot be told.
double cpu_s(pid_t pid) {
  clockid_t clock;
  timespec t{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

struct Running {
  JobResult result;
  pid_t pid = -1;
  int out = -1;
  int err = -1;
  double deadline = 0;
};

void start(const Job& job, double timeout, std::list<Running>& running) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
    std::perror("pipe");
    std::exit(1);
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& a : job.argv) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  Running& r = running.emplace_back();
  r.result.tag = job.tag;
  if (posix_spawn(&r.pid, argv[0], &actions, nullptr, argv.data(), environ) != 0) {
    std::perror(argv[0]);
    std::exit(1);
  }
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  r.out = out[0];
  r.err = err[0];
  r.deadline = now_s() + timeout;
}

/// Reads what is there; false at the end of the stream.
bool drain(int fd, std::string& into, bool keep_end) {
  char chunk[8192];
  ssize_t n = read(fd, chunk, sizeof chunk);
  if (n <= 0) return false;
  into.append(chunk, static_cast<size_t>(n));
  if (keep_end && into.size() > 2 * kErrorsKept) into.erase(0, into.size() - kErrorsKept);
  return true;
}

void reap(Running& r) {
  rusage usage{};
  wait4(r.pid, &r.result.status, 0, &usage);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  r.result.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

void run_jobs(int parallel, double timeout_seconds, const std::function<Job()>& next, const std::function<void(JobResult)>& done) {
  std::list<Running> running;
  bool more = true;
  while (more || !running.empty()) {
    while (more && running.size() < static_cast<size_t>(parallel)) {
      Job job = next();
      more = !job.argv.empty();
      if (more) start(job, timeout_seconds, running);
    }
    std::vector<pollfd> fds;
    for (const Running& r : running) {
      fds.push_back({r.out, POLLIN, 0});
      fds.push_back({r.err, POLLIN, 0});
    }
    poll(fds.data(), fds.size(), 200);
    size_t i = 0;
    for (auto r = running.begin(); r != running.end();) {
      if (fds[i].fd >= 0 && fds[i].revents && !drain(r->out, r->result.output, false)) {
        close(r->out);
        r->out = -1;
      }
      if (fds[i + 1].fd >= 0 && fds[i + 1].revents && !drain(r->err, r->result.errors, true)) {
        close(r->err);
        r->err = -1;
      }
      i += 2;
      double now = now_s();
      bool late = now > r->deadline && (cpu_s(r->pid) > timeout_seconds || now > r->deadline + kWaitsFor * timeout_seconds);
      if (late && !r->result.timed_out) {
        r->result.timed_out = true;
        kill(r->pid, SIGKILL);
      }
      if (r->out < 0 && r->err < 0) {
        reap(*r);
        done(std::move(r->result));
        r = running.erase(r);
      } else {
        ++r;
      }
    }
  }
}

}  // namespace holdfast::chaos
