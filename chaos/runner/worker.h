// Worker processes: each seed runs in a process of its own, so that a signal, a failed assertion, a sanitizer's report or an endless loop is that seed's
// failure and nobody else's.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace holdfast::chaos {

struct Job {
  std::vector<std::string> argv;  ///< the program and its arguments
  size_t tag = 0;                 ///< the caller's
};

struct JobResult {
  size_t tag = 0;
  int status = 0;         ///< as of waitpid
  bool timed_out = false;
  std::string output;     ///< standard output
  std::string errors;     ///< the end of standard error
  double cpu_seconds = 0;
};

/// Runs what `next` gives, `parallel` at a time, until it gives nothing (an empty argv); calls `done` for each as it ends, in no order.
/// A job that computes longer than `timeout_seconds` is killed, and one that has not ended after ten times that.
void run_jobs(int parallel, double timeout_seconds, const std::function<Job()>& next, const std::function<void(JobResult)>& done);

}  // namespace holdfast::chaos
