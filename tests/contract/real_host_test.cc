// What only the production host has: limits of the process, signals, a log that nobody reads, and files behind the
// page cache.
#include "io/real/real_host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/real/log_to_stdout.h"
#include "io/real/os_error.h"
#include "io/sync.h"
#include "tests/contract/host_under_test.h"

namespace holdfast::real {
namespace {

using Body = io::Task<void> (*)(RealHost&);

void run(RealOptions options, Body body) {
  RealHost host(options);
  host.run(body(host));
}

// Takes all descriptors from the process for a scope.
class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptorsLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

TEST(RealHost, AcceptWithoutDescriptorsIsOverloadedAndGoesOnLater) {
  run({}, [](RealHost& real) -> io::Task<void> {
    io::Host& host = real.host();
    CO_VALUE(listener, co_await host.network.listen({"127.0.0.1", 0}));
    CO_VALUE(client, co_await host.network.connect(listener->local(), host.clock.now() + seconds(60)));
    {
      NoDescriptorsLeft none;
      for (int i = 0; i < 3; ++i) EXPECT_CODE(Code::kOverloaded, co_await listener->accept(CoreId(0)));
      EXPECT_CODE(Code::kOverloaded, co_await host.network.connect(listener->local(), Time::never()));
    }
    CO_VALUE(server, co_await listener->accept(CoreId(0)));
    CO_OK(co_await server->write_all("x"));
    char got[1];
    CO_VALUE(n, co_await client->read_some(got));
    EXPECT_EQ(n, 1u);
  });
}

TEST(RealHost, ConnectEndsAtItsDeadline) {
  run({}, [](RealHost& real) -> io::Task<void> {
    io::Host& host = real.host();
    // A listener whose queue holds one connection: the kernel ignores further ones.
    FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::listen(fd.get(), 0), 0);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size), 0);
    std::vector<std::unique_ptr<io::Connection>> queued;
    for (int i = 0; i < 10; ++i) {
      Time deadline = host.clock.now() + milliseconds(30);
      auto c = co_await host.network.connect({"127.0.0.1", ntohs(at.sin_port)}, deadline);
      if (c) {
        queued.push_back(std::move(*c));
        continue;
      }
      EXPECT_EQ(c.error().code, Code::kTimeout);
      EXPECT_GE(host.clock.now(), deadline);
      co_return;
    }
    ADD_FAILURE() << "the queue never filled";
  });
}

TEST(RealHost, UnknownHostNameIsAnError) {
  run({}, [](RealHost& real) -> io::Task<void> {
    io::Host& host = real.host();
    auto c = co_await host.network.connect({"no-such-host.invalid", 1}, host.clock.now() + milliseconds(200));
    if (c) {
      ADD_FAILURE() << "reached a host that cannot exist";
      co_return;
    }
    EXPECT_TRUE(c.error().code == Code::kNotFound || c.error().code == Code::kTimeout) << c.error().text();
  });
}

TEST(RealHost, SignalsArriveAsValues) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  run({.cores = 2, .catch_signals = true}, [](RealHost& real) -> io::Task<void> {
    ::kill(::getpid(), SIGTERM);
    EXPECT_EQ(co_await real.wait_signal(), SIGTERM);
    struct Later {
      static io::Task<void> kill() {
        co_await io::sleep_for(milliseconds(2));
        ::kill(::getpid(), SIGINT);
      }
    };
    (co_await io::this_executor()).spawn(Later::kill());
    EXPECT_EQ(co_await real.wait_signal(), SIGINT);
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(RealHost, FileLimitIsRaisedToWhatIsAllowed) {
  rlimit before, after;
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit low = before;
  low.rlim_cur = std::min<rlim_t>(200, before.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &low);
  auto raised = raise_file_limit();
  ::getrlimit(RLIMIT_NOFILE, &after);
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(raised);
  EXPECT_EQ(*raised, before.rlim_max);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
}

TEST(RealHost, PinnedCoresWork) {
  cpu_set_t before;
  sched_getaffinity(0, sizeof before, &before);
  run({.cores = 3, .pin_threads = true}, [](RealHost& real) -> io::Task<void> {
    struct Where {
      static io::Task<int> processors() {
        cpu_set_t set;
        sched_getaffinity(0, sizeof set, &set);
        co_return CPU_COUNT(&set);
      }
    };
    for (uint16_t core : {0, 1, 2}) {
      int n = co_await io::call_on<int>(real.host().cores, CoreId(core), [] { return Where::processors(); });
      EXPECT_EQ(n, 1);
    }
  });
  sched_setaffinity(0, sizeof before, &before);
}

TEST(RealHost, AHostThatNeverRanEnds) { RealHost host({.cores = 3}); }

TEST(PosixDisk, ReadsWhatIsNotInThePageCache) {
  std::string path = HOLDFAST_TEST_SCRATCH "/uncached-" + std::to_string(::getpid());
  struct Read {
    static io::Task<void> all(io::Disk& disk, std::string path) {
      std::string text(3 << 20, '\0');
      for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 13 + i / 4096);
      CO_VALUE(file, co_await disk.open(path, io::Open::kCreate));
      CO_OK(co_await io::write_fully(*file, 0, text));
      CO_OK(co_await file->sync());
      FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      EXPECT_EQ(::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
      std::string back(text.size(), '\0');
      constexpr size_t kPiece = 100'000;
      for (size_t at = 0; at < back.size(); at += kPiece)
        CO_OK(co_await io::read_exactly(*file, at, MutableBytes(back).subspan(at, std::min(kPiece, back.size() - at))));
      EXPECT_TRUE(back == text);
    }
  };
  RealHost host({});
  host.run(Read::all(host.host().disk, path));
  ::unlink(path.c_str());
}

TEST(PosixDisk, PreallocatedRangeTakesItsRoom) {
  std::string path = HOLDFAST_TEST_SCRATCH "/preallocated-" + std::to_string(::getpid());
  struct Fill {
    static io::Task<void> file(io::Disk& disk, std::string path) {
      CO_VALUE(file, co_await disk.open(path, io::Open::kCreate));
      CO_OK(co_await file->preallocate(0, 5 << 20));
      CO_OK(co_await file->sync());
    }
  };
  RealHost host({});
  host.run(Fill::file(host.host().disk, path));
  struct stat st;
  ASSERT_EQ(::stat(path.c_str(), &st), 0);
  EXPECT_GE(st.st_blocks * 512, 5 << 20);
  ::unlink(path.c_str());
}

TEST(PosixDisk, ErrorsNameTheOperationThePathAndTheReason) {
  run({}, [](RealHost& real) -> io::Task<void> {
    auto r = co_await real.host().disk.open("/no-such-directory/f", io::Open::kRead);
    EXPECT_FALSE(r);
    if (!r) EXPECT_EQ(r.error().message, "cannot open /no-such-directory/f: No such file or directory");
    EXPECT_CODE(Code::kIo, co_await real.host().disk.open("/dev/null", io::Open::kReadWrite));
  });
}

class LogPipe : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::pipe2(fds_, O_CLOEXEC), 0);
    ::fcntl(fds_[0], F_SETFL, O_NONBLOCK);
  }
  void TearDown() override {
    ::close(fds_[0]);
    ::close(fds_[1]);
  }
  std::string read_all() {
    std::string out;
    char bytes[4096];
    for (ssize_t n; (n = ::read(fds_[0], bytes, sizeof bytes)) > 0;) out.append(bytes, static_cast<size_t>(n));
    return out;
  }
  int fds_[2];
};

TEST_F(LogPipe, WritesOneLineWithTimeAndLevel) {
  LogToStdout log(io::Level::kInfo, fds_[1]);
  log.log(io::Level::kDebug, "unseen");
  log.log(io::Level::kWarning, "seen");
  std::string text = read_all();
  EXPECT_EQ(text.find("unseen"), std::string::npos);
  EXPECT_TRUE(text.starts_with("20")) << text;
  EXPECT_TRUE(text.ends_with("Z WARNING seen\n")) << text;
  EXPECT_FALSE(log.enabled(io::Level::kDebug));
  EXPECT_TRUE(log.enabled(io::Level::kInfo));
}

TEST_F(LogPipe, FullPipeDropsLinesAndTellsHowMany) {
  LogToStdout log(io::Level::kInfo, fds_[1]);
  for (int i = 0; i < 10'000; ++i) log.log(io::Level::kInfo, "line " + std::to_string(i));
  std::string before = read_all();
  size_t written = static_cast<size_t>(std::ranges::count(before, '\n'));
  EXPECT_LT(written, 10'000u);
  log.log(io::Level::kInfo, "after");
  std::string text = read_all();
  EXPECT_NE(text.find(" WARNING " + std::to_string(10'000 - written) + " log lines were dropped"), std::string::npos)
      << text;
  EXPECT_TRUE(text.ends_with(" INFO after\n")) << text;
}

}  // namespace
}  // namespace holdfast::real
