#include "io/real/real_host.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "io/real/log_to_stdout.h"
#include "io/real/os_error.h"
#include "io/real/posix_disk.h"
#include "io/real/real_cores.h"
#include "io/real/recording_disk.h"
#include "io/real/tcp_network.h"

namespace holdfast::real {
namespace {

class SystemClock final : public io::Clock {
 public:
  Time now() const override { return {read(CLOCK_MONOTONIC)}; }
  WallTime wall() const override { return {read(CLOCK_REALTIME)}; }

 private:
  static int64_t read(clockid_t id) {
    timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
  }
};

class SystemRandom final : public io::Random {
 public:
  void entropy(MutableBytes out) override {
    while (!out.empty()) {
      ssize_t n = retry_interrupted([&] { return ::getrandom(out.data(), out.size(), 0); });
      HF_ASSERT(n > 0, "the kernel gives entropy once it is up");
      out = out.subspan(static_cast<size_t>(n));
    }
  }
};

// SIGTERM and SIGINT as something to read. Made before any thread, so that all threads have them blocked.
int signal_descriptor(bool wanted) {
  if (!wanted) return -1;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  int fd = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  HF_ASSERT(fd >= 0, "a process can make a signalfd");
  return fd;
}

}  // namespace

struct RealHost::Parts {
  explicit Parts(const RealOptions& o)
      : signal_fd(signal_descriptor(o.catch_signals)),
        cores(o.cores, o.pin_threads ? RealCores::Pinning::kPinned : RealCores::Pinning::kFree),
        disk(o.disk_threads, o.sync_threads),
        network(cores, disk.threads()),
        log(o.log_level),
        signals(cores.core(CoreId(0)).reactor(), signal_fd) {
    if (o.recorder) recording_disk.emplace(disk, *o.recorder);
    io::Disk& outermost = o.recorder ? static_cast<io::Disk&>(*recording_disk) : disk;
    host.emplace(io::Host{clock, outermost, network, random, cores, log});
  }

  int signal_fd;
  SystemClock clock;
  SystemRandom random;
  RealCores cores;
  PosixDisk disk;
  TcpNetwork network;
  LogToStdout log;
  Readiness signals;
  std::optional<RecordingDisk> recording_disk;
  std::optional<io::Host> host;
};

RealHost::RealHost(RealOptions options) {
  ::signal(SIGPIPE, SIG_IGN);
  parts_ = std::make_unique<Parts>(options);
}

RealHost::~RealHost() = default;

io::Host& RealHost::host() { return *parts_->host; }

void RealHost::run(io::Task<void> main) {
  parts_->cores.run(std::move(main));
  parts_->disk.finish();
  parts_->cores.clear();
}

io::Task<int> RealHost::wait_signal() {
  Readiness& signals = parts_->signals;
  HF_ASSERT(!signals.closed(), "only a host with catch_signals waits for signals");
  while (true) {
    signalfd_siginfo info;
    if (::read(signals.fd(), &info, sizeof info) == sizeof info) co_return static_cast<int>(info.ssi_signo);
    co_await signals.ready(Direction::kRead);
  }
}

Result<uint64_t> raise_file_limit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return uint64_t{limit.rlim_max};
  }
  return fail(Code::kIo, "cannot raise the limit of open files: " + error_text(errno));
}

}  // namespace holdfast::real
