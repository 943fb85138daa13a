// A small but complete program over the host interfaces: a server that appends what clients send to a file, syncs it,
// and only then answers; and clients that connect, send, and connect again. It meets every fault there is.
#pragma once

#include "io/base/probe.h"
#include "sim/world.h"

namespace holdfast::sim {

inline io::Task<bool> read_full(io::Connection& c, MutableBytes out) {
  while (!out.empty()) {
    auto n = co_await c.read_some(out);
    if (!n || *n == 0) co_return false;
    out = out.subspan(*n);
  }
  co_return true;
}

/// Records are 1,000 bytes: all the same letter. Recovery keeps the leading whole ones.
inline constexpr size_t kRecordBytes = 1000;
/// Messages and answers, too, are one letter over and over.
inline constexpr size_t kMessageBytes = 150;

class SmallServer {
 public:
  static constexpr uint16_t kPort = 6900;

  explicit SmallServer(io::Host& host) : host_(host) {}

  /// Ends with 0 when it cannot open, with 4 after a failed write or sync.
  static io::Task<int> main(io::Host& host) {
    SmallServer server(host);
    auto r = co_await server.serve();
    host.log.log(io::Level::kInfo, r ? "ended" : r.error().text());
    co_return r ? 0 : 4;
  }

 private:
  io::Task<Result<>> serve() {
    HF_CO_TRY(lock, co_await host_.disk.lock("LOCK"));
    HF_CO_CHECK_OK(co_await open());
    HF_CO_TRY(listener, co_await host_.network.listen({"localhost", kPort}));
    io::Executor& here = co_await io::this_executor();
    while (true) {
      auto c = co_await listener->accept(CoreId(0));
      if (!c && c.error().code != Code::kOverloaded) co_return fail(c);
      if (c) here.spawn(session(std::move(*c)));
      if (failed_) co_return fail(Code::kIo, "stopped");
      SOMETIMES(!c, "accept-overloaded");
    }
  }

  // Copies the whole records of the newest log into a new one, as recovery must that trusts no page cache.
  io::Task<Result<>> open() {
    HF_CO_TRY(entries, co_await host_.disk.list(""));
    std::string newest;
    for (const io::DirEntry& e : entries)
      if (e.name.starts_with("log.")) newest = e.name;
    Buffer old;
    if (!newest.empty()) {
      HF_CO_TRY(bytes, co_await io::read_whole(host_.disk, newest, 64 << 20));
      size_t whole = 0;
      while (whole + kRecordBytes <= bytes.size() && is_record(Bytes(bytes).substr(whole, kRecordBytes)))
        whole += kRecordBytes;
      old = bytes.substr(0, whole);
    }
    std::string number = std::to_string(newest.empty() ? 1000 : std::stoi(newest.substr(4)) + 1);
    for (const io::DirEntry& e : entries)
      if (e.name.starts_with("new.")) HF_CO_CHECK_OK(co_await host_.disk.remove(e.name));
    HF_CO_TRY(file, co_await host_.disk.open("new." + number, io::Open::kCreate));
    HF_CO_CHECK_OK(co_await file->preallocate(0, 4096));
    HF_CO_CHECK_OK(co_await io::write_fully(*file, 0, old));
    HF_CO_CHECK_OK(co_await file->sync());
    HF_CO_CHECK_OK(co_await host_.disk.rename("new." + number, "log." + number));
    HF_CO_CHECK_OK(co_await host_.disk.sync_dir(""));
    if (!newest.empty()) HF_CO_CHECK_OK(co_await host_.disk.remove(newest));
    end_ = old.size();
    file_ = std::move(file);
    co_return Result<>();
  }

  static bool is_record(Bytes b) { return b[0] != 0 && b.find_first_not_of(b[0]) == Bytes::npos; }

  io::Task<void> session(std::unique_ptr<io::Connection> c) {
    char letter[kMessageBytes];
    while (co_await read_full(*c, letter)) {
      newest_ = std::max(newest_, host_.clock.wall().ns);
      uint64_t at = std::exchange(end_, end_ + kRecordBytes);
      if (MAY_MISBEHAVE("small-server-yields")) co_await io::yield();
      if (auto r = co_await append(at, letter[0]); !r) {
        failed_ = true;
        co_return;
      }
      if (!co_await c->write_all(Bytes(letter, kMessageBytes))) co_return;
    }
  }

  // The write waits on another core, for the sake of the mailboxes.
  io::Task<Result<>> append(uint64_t at, char letter) {
    CoreId other(static_cast<uint16_t>(host_.cores.count() - 1));
    co_return co_await io::call_on<Result<>>(host_.cores, other, [this, at, letter] { return write(at, letter); });
  }
  io::Task<Result<>> write(uint64_t at, char letter) {
    HF_CO_CHECK_OK(co_await io::write_fully(*file_, at, std::string(kRecordBytes, letter)));
    co_return co_await file_->sync();
  }

  io::Host& host_;
  std::unique_ptr<io::File> file_;
  uint64_t end_ = 0;
  int64_t newest_ = 0;
  bool failed_ = false;
};

/// Sends `count` messages, each answered before the next, over as many connections as that takes.
inline io::Task<int> small_client(io::Host& host, std::string server, int count, uint64_t* answered) {
  for (int sent = 0; sent < count;) {
    auto c = co_await host.network.connect({server, SmallServer::kPort}, host.clock.now() + seconds(2));
    if (!c) {
      co_await io::sleep_for(milliseconds(200));
      continue;
    }
    for (; sent < count; ++sent) {
      std::string message(kMessageBytes, static_cast<char>('a' + sent % 26));
      if (!co_await (*c)->write_all(message)) break;
      char back[kMessageBytes];
      if (!co_await read_full(**c, back)) break;
      ++*answered;
    }
  }
  co_return 0;
}

/// A server that is started again whenever it ends, and clients; runs until the clients are done or for a minute of
/// virtual time.
struct SmallWorld {
  explicit SmallWorld(WorldOptions options, int letters = 20)
      : world(std::move(options)), server(world.add_node("server")), crash(world.stream("crash")) {
    server.on_end = [this](End, int) {
      world.after(crash.between(milliseconds(1), milliseconds(300)), [this] { start(); });
    };
    server.end_hangs(seconds(3), End::kProcessDeath);
    start();
    for (int i = 0; i < 3; ++i) {
      Node& client = world.add_node("client-" + std::to_string(i));
      client.on_end = [this](End, int) {
        if (++done == 3) world.stop();
      };
      client.start([this, letters](io::Host& host) { return small_client(host, "server", letters, &answered); });
    }
  }
  void start() {
    server.start(SmallServer::main);
    // Half of the lives end at an operation.
    if (crash.decide(2) == 0) return;
    server.crash_at({.operation = crash.between(1, 60),
                     .kind = static_cast<IoKind>(crash.decide(3)),
                     .moment = static_cast<Moment>(crash.decide(3)),
                     .how = crash.decide(2) == 0 ? End::kProcessDeath : End::kPowerLoss});
  }
  uint64_t run() {
    stopped = world.run({.until = seconds(60)});
    server.on_end = nullptr;
    for (auto& n : world.nodes()) n->on_end = nullptr;
    return world.finish();
  }

  uint64_t answered = 0;
  int done = 0;
  World::Stop stopped = World::Stop::kTimeLimit;
  World world;
  Node& server;
  Stream crash;
};

}  // namespace holdfast::sim
