// Server: a whole holdfastd but for its process: what main() and the simulator both start.
//
// Place in the system: does all the wiring. It opens the engine, listens, hands connections to the cores in turn
// (server_core.h, session.h), and takes everything down again. All it touches comes from the Host.
//
// Belongs to core 0. Keep it alive until the host runs no task of it any more: after stop(), or, when stop() failed or
// the host was crashed, until the host has destroyed its tasks.
#pragma once

#include "server/server_core.h"
#include "server/users_file.h"

namespace holdfast::server {

class Server {
 public:
  /// open(), then listen().
  static io::Task<Result<std::unique_ptr<Server>>> start(io::Host& host, Config config);

  /// Opens the data directory and recovers. Errors: those of core::Engine::open and find_users(); kAuth when users are
  /// required (LoginConfig) and there are none.
  static io::Task<Result<std::unique_ptr<Server>>> open(io::Host& host, Config config);
  /// A server for an engine that is open already, with the users that the directory had.
  static std::unique_ptr<Server> around(std::unique_ptr<core::Engine> engine, io::Host& host, Config config,
                                        FoundUsers users = {});
  /// Listens, and serves from then on. After an error only stop() may be called. Errors: those of io::Network::listen
  /// and core::Engine::stats.
  io::Task<Result<>> listen();

  /// Where it listens; the port is the real one.
  /// Requires that it listens: after listen(), before stop().
  io::Endpoint address() const { return listener_->local(); }

  /// Stops clean: takes no more connections, lets requests under way end and their answers leave (Limits::stop_grace),
  /// closes, stops the engine. Ensures when it succeeds: no task of the server is left; everything acknowledged is
  /// durable. Errors: kTimeout when a request would not end (the journal then brings it back at the next start); those
  /// of the engine.
  io::Task<Result<>> stop();
  /// Ends the patience of stop(): connections are closed at once. Still clean.
  void hurry();
  /// Returns when the engine has stopped for good by itself, with the reason: what is acknowledged is safe, nothing
  /// more is acknowledged, and the process should end. With kShuttingDown after stop().
  io::Task<Error> wait_failed() { return engine_->failed(); }

  core::Engine& engine() { return *engine_; }
  /// Of requests and answers, on all cores. Only for hosts whose cores are one thread (the simulator).
  uint64_t bytes_held() const;

 private:
  Server(std::unique_ptr<core::Engine> engine, io::Host& host, Config config, FoundUsers users);
  io::Task<void> look_for_databases();
  io::Task<void> accept_loop();
  io::Task<bool> pause_accepting(const Error& error);
  void hand_over(std::unique_ptr<io::Connection> connection, CoreId owner);
  io::Task<void> pass_by(ServerCore& core);
  io::Task<void> stop_core(ServerCore& core, uint32_t& unfinished);

  io::Task<Result<>> open_logins();

  std::unique_ptr<core::Engine> engine_;
  ServerFacts facts_;
  std::vector<std::unique_ptr<ServerCore>> cores_;
  std::unique_ptr<io::Listener> listener_;
  io::TaskGroup tasks_;
  io::Event stopping_;
  Time complained_ = {INT64_MIN / 2};
};

}  // namespace holdfast::server
