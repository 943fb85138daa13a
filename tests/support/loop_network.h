// LoopNetwork: connections in memory on one TestExecutor, for tests of things that talk without a simulator: no delays,
// no faults but those that the test makes.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "io/base/random.h"
#include "io/host.h"
#include "io/sync.h"
#include "tests/support/test_executor.h"

namespace holdfast::test {

struct Pipe {
  Buffer bytes;
  size_t writes = 0;
  bool closed = false;
  bool reset = false;  ///< closed in disorder: what was under way is lost
  size_t capacity = SIZE_MAX;
  io::WaitList changed;

  void close() {
    closed = true;
    changed.notify_all();
  }
};

class LoopConnection final : public io::Connection {
 public:
  LoopConnection(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out, std::string peer = "loop:1", bool local = true)
      : in_(std::move(in)), out_(std::move(out)), peer_(std::move(peer)), local_(local) {}
  ~LoopConnection() override { LoopConnection::close(); }

  io::Task<Result<size_t>> read_some(MutableBytes out) override {
    while (in_->bytes.empty() || in_->reset) {
      if (closed_) co_return fail(Code::kClosed, "closed here");
      if (in_->reset) co_return fail(Code::kClosed, "connection reset");
      if (in_->closed) co_return size_t{0};
      co_await in_->changed.wait();
    }
    size_t n = std::min(out.size(), in_->bytes.size());
    std::memcpy(out.data(), in_->bytes.data(), n);
    in_->bytes.erase(0, n);
    in_->changed.notify_all();
    co_return n;
  }

  io::Task<Result<>> write_all(Bytes data) override {
    ++out_->writes;
    while (!data.empty()) {
      if (closed_ || out_->closed) co_return fail(Code::kClosed, "connection reset");
      size_t n = std::min(data.size(), out_->capacity - std::min(out_->capacity, out_->bytes.size()));
      out_->bytes += data.substr(0, n);
      data.remove_prefix(n);
      out_->changed.notify_all();
      if (!data.empty()) co_await out_->changed.wait();
    }
    co_return Result<>();
  }

  void close() override {
    closed_ = true;
    in_->close();
    out_->close();
  }
  /// As when the process dies, or the network cuts the connection: neither side reads what is under way.
  void reset() {
    in_->reset = out_->reset = true;
    LoopConnection::close();
  }
  std::string peer() const override { return peer_; }
  bool peer_is_local() const override { return local_; }
  Pipe& in() { return *in_; }
  Pipe& out() { return *out_; }

 private:
  std::shared_ptr<Pipe> in_;
  std::shared_ptr<Pipe> out_;
  std::string peer_;
  bool local_;
  bool closed_ = false;
};

class LoopNetwork final : public io::Network {
 public:
  /// One listener at a time; a test without one takes from `accepted` by hand.
  io::Task<Result<std::unique_ptr<io::Listener>>> listen(io::Endpoint at) override {
    co_return std::make_unique<LoopListener>(*this, at);
  }

  io::Task<Result<std::unique_ptr<io::Connection>>> connect(io::Endpoint, Time) override {
    ++dials;
    co_await io::yield();
    if (!reachable) co_return fail(Code::kIo, "connection refused");
    auto there = std::make_shared<Pipe>();
    auto back = std::make_shared<Pipe>();
    there->capacity = capacity;
    back->capacity = capacity_back;
    accepted.push(std::make_unique<LoopConnection>(there, back, machine + ":" + std::to_string(dials), local));
    co_return std::make_unique<LoopConnection>(back, there);
  }

  bool reachable = true;
  size_t capacity = SIZE_MAX;       ///< of what the peer has not yet read, for new connections
  size_t capacity_back = SIZE_MAX;  ///< of what the peer wrote and is not yet read here
  std::string machine = "loop";     ///< of who connects, as the server sees it
  bool local = true;                ///< whether that is the server's own
  int dials = 0;
  int accept_failures = 0;  ///< so many accepts fail before the next succeeds
  io::Channel<std::unique_ptr<LoopConnection>> accepted;

 private:
  class LoopListener final : public io::Listener {
   public:
    LoopListener(LoopNetwork& network, io::Endpoint at) : network_(network), at_(std::move(at)) {}
    io::Task<Result<std::unique_ptr<io::Connection>>> accept(CoreId) override {
      if (network_.accept_failures > 0) {
        --network_.accept_failures;
        co_return fail(Code::kOverloaded, "no descriptor left");
      }
      auto connection = co_await network_.accepted.pop();
      if (!connection) co_return fail(Code::kClosed, "the listener was closed");
      co_return std::move(*connection);
    }
    void close() override { network_.accepted.close(); }
    io::Endpoint local() const override { return at_; }

   private:
    LoopNetwork& network_;
    io::Endpoint at_;
  };
};

/// A host for things that use only the network, the clock and random numbers, the same in every run. It has no disk and
/// one core.
class LoopHost {
 public:
  TestExecutor executor;
  LoopNetwork network;
  std::vector<std::string> log_lines;

 private:
  struct TestClock final : io::Clock {
    explicit TestClock(TestExecutor& e) : executor(e) {}
    Time now() const override { return executor.now(); }
    WallTime wall() const override { return {executor.now().ns}; }
    TestExecutor& executor;
  };
  struct SeededRandom final : io::Random {
    void entropy(MutableBytes out) override {
      for (char& c : out) c = static_cast<char>(rng.next());
    }
    Rng rng{5};
  };
  struct Kept final : io::LogSink {
    explicit Kept(std::vector<std::string>& lines) : kept(lines) {}
    void log(io::Level, std::string_view line) override { kept.emplace_back(line); }
    bool enabled(io::Level) const override { return true; }
    std::vector<std::string>& kept;
  };
  struct OneCore final : io::Cores {
    explicit OneCore(TestExecutor& e) : executor_(e) {}
    uint16_t count() const override { return 1; }
    io::Executor& executor(CoreId) override { return executor_; }
    void send(CoreId, CoreId, io::Message message) override { executor_.spawn(run(std::move(message))); }
    static io::Task<void> run(io::Message message) {
      message();
      co_return;
    }
    TestExecutor& executor_;
  };
  struct NoDisk final : io::Disk {
    template <class T = void>
    io::Task<Result<T>> none() {
      co_return fail(Code::kUnsupported, "no disk");
    }
    io::Task<Result<std::unique_ptr<io::File>>> open(std::string, io::Open) override {
      return none<std::unique_ptr<io::File>>();
    }
    io::Task<Result<>> make_dir(std::string) override { return none(); }
    io::Task<Result<>> rename(std::string, std::string) override { return none(); }
    io::Task<Result<>> remove(std::string) override { return none(); }
    io::Task<Result<std::vector<io::DirEntry>>> list(std::string) override { return none<std::vector<io::DirEntry>>(); }
    io::Task<Result<>> sync_dir(std::string) override { return none(); }
    io::Task<Result<std::unique_ptr<io::FileLock>>> lock(std::string) override {
      return none<std::unique_ptr<io::FileLock>>();
    }
    io::Task<Result<io::FileIdentity>> identity(std::string) override { return none<io::FileIdentity>(); }
    io::Task<Result<uint64_t>> free_bytes(std::string) override { return none<uint64_t>(); }
  };
  TestClock clock_{executor};
  SeededRandom random_;
  Kept log_{log_lines};
  OneCore cores_{executor};
  NoDisk disk_;

 public:
  io::Host host{clock_, disk_, network, random_, cores_, log_};
};

}  // namespace holdfast::test
