// OneServer: what those suites have in common in which one server lives, is killed now and then, and serves clients until they are done.
//
// Disks do what they should, but for crashes. Whoever derives from it brings the workloads; the ledger judges, and the first violation ends the run.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "chaos/oracle/ledger.h"
#include "chaos/suite/durable_log.h"
#include "chaos/suite/settings.h"
#include "chaos/suite/suite.h"
#include "server/server.h"
#include "sim/world.h"

namespace holdfast::chaos {

class OneServer {
 protected:
  OneServer(const SeedOptions& options, std::function<server::Config(Settings&)> draw);

  /// Starts `count` processes that run `run(host, number)`.
  template <class F>
  void start_clients(std::string_view name, uint64_t count, F run) {
    for (uint64_t i = 0; i < count; ++i)
      start_client(std::string(name) + "-" + std::to_string(i), [run, i](io::Host& host) { return run(host, static_cast<int>(i)); });
  }
  /// The server and its crashes; clients have been started. Returns when they are done.
  void run_world();
  /// What all such suites report.
  SeedResult result();

  /// Once, when the clients are done and the server is up: the last look. Nothing by default.
  std::function<io::Task<int>(io::Host&)> last_client;

  sim::World world_;
  Settings settings_;
  server::Config config_;
  Ledger ledger_;
  sim::Node& server_;
  uint64_t life_ = 0;

 private:
  void start_server();
  io::Task<int> serve(io::Host& host);
  void ended(sim::End how);
  void plan_crash();
  void start_client(std::string name, std::function<io::Task<int>(io::Host&)> main);
  void client_ended();

  DurableLog durable_log_;
  std::unique_ptr<server::Server> serving_;
  std::deque<std::function<io::Task<int>(io::Host&)>> mains_;
  uint64_t ends_ = 0, crashes_ = 0;
  uint64_t crashes_left_;
  uint64_t clients_running_ = 0;
  bool over_ = false;
};

}  // namespace holdfast::chaos
