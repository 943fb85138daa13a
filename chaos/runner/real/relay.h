// Relay: passes connections on to the real server, and only while it is told to.
//
// Place in the system: between the workload's clients and the server process, on the clients' host. It is why clients keep one address over all
// incarnations, why none hears from a new one before the ledger has heard of its recovery, and how a run cuts connections of a server that lives.
//
// Belongs to one core. Outlives its connections: drained() before it is destroyed.
#pragma once

#include "io/host.h"
#include "io/sync.h"

namespace holdfast::chaos {

class Relay {
 public:
  explicit Relay(io::Host& host, io::Executor& here) : host_(host), tasks_(here) {}

  io::Task<Result<>> listen();
  io::Endpoint address() const { return listener_->local(); }

  /// Passes on to that server, until shut(). Meanwhile connections are closed as soon as they come.
  void open(io::Endpoint server) { server_ = server; }
  /// Passes no new connection on. What runs ends with the server.
  void shut() { server_.reset(); }
  /// Breaks what runs.
  void cut();
  /// Shuts, cuts, and waits for the end of everything.
  io::Task<void> close();

 private:
  struct Pair {
    std::unique_ptr<io::Connection> client, server;
    void close() {
      client->close();
      server->close();
    }
  };
  enum class Way : uint8_t { kToServer, kToClient };
  io::Task<void> accept_loop();
  io::Task<void> connect(std::unique_ptr<io::Connection> client);
  static io::Task<void> pump(std::shared_ptr<Pair> pair, Way way);

  io::Host& host_;
  io::TaskGroup tasks_;
  std::unique_ptr<io::Listener> listener_;
  std::optional<io::Endpoint> server_;
  std::vector<std::weak_ptr<Pair>> pairs_;
};

}  // namespace holdfast::chaos
