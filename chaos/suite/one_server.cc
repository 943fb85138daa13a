#include "chaos/suite/one_server.h"

#include <fmt/core.h>

#include "chaos/suite/durability_draw.h"

namespace holdfast::chaos {
namespace {

using sim::End;

constexpr Duration kTimeLimit = seconds(3600);

sim::FaultPlan draw_crashes(const SeedOptions& options) {
  sim::Trace unused;
  sim::FaultPlan plan = sim::swarm(options.seed, unused, {.crash = true, .fail_stop = false});
  plan.read_error = plan.write_error = 0;
  for (const auto& [name, value] : options.overrides.settings) (void)sim::set_fault(plan, name, value);
  return plan;
}

}  // namespace

OneServer::OneServer(const SeedOptions& options, std::function<server::Config(Settings&)> draw)
    : world_({.seed = options.seed,
              .plan = draw_crashes(options),
              .mutants = options.mutants,
              .decisions = {.orders = options.overrides.orders, .harms = options.material ? &options.material->harms : nullptr},
              .trace = options.trace}),
      settings_(world_, options.overrides, options.material),
      config_(draw(settings_)),
      ledger_({.sync = config_.engine.mode == core::SyncMode::kSync}),
      server_(world_.add_node("server")),
      durable_log_(server_, config_.engine.data_path),
      crashes_left_(settings_.between("crashes", 0, 3)) {
  if (options.material) tell_plan(world_.plan(), *options.material);
  for (const char* name : {"crash-1/after-ms", "crash-1/power", "crash-1/pause-ms", "server.hash-bits", "server.connections", "server.requests-per-connection",
                           "server.budget-kb", "server.output-kb", "server.large-frame-kb", "server.starts-per-turn"})
    settings_.may_ask(name);
  ledger_.on_violation = [this] { world_.stop(); };
  ledger_.durable_through = [this] { return durable_log_.reaches(); };
  if (world_.trace().on()) ledger_.tell = [this](const std::string& sentence) { world_.trace().note("ledger: " + sentence); };
  server_.on_end = [this](End how, int) { ended(how); };
  server_.end_hangs(seconds(3), End::kProcessDeath);
  start_server();
}

void OneServer::run_world() {
  plan_crash();
  sim::World::Stop why = world_.run({.until = kTimeLimit});
  if (why != sim::World::Stop::kAsked && ledger_.violations().empty()) ledger_.violation("the run came to no end");
}

SeedResult OneServer::result() {
  SeedResult out;
  out.violations = ledger_.violations();
  out.configuration = describe(config_);
  out.counts["operations checked"] = ledger_.answered();
  out.counts["restarts"] = life_;
  conclude(world_, server_, settings_, out);
  return out;
}

// ---- The server ----

void OneServer::start_server() {
  serving_.reset();
  server_.start([this](io::Host& host) { return serve(host); });
}

io::Task<int> OneServer::serve(io::Host& host) {
  auto opened = co_await server::Server::open(host, config_);
  if (!opened) {
    ledger_.violation("the server did not start: " + opened.error().text());
    co_return 1;
  }
  serving_ = std::move(*opened);
  durable_log_.forget();
  ++life_;
  ledger_.restarted(serving_->engine().committed_lsn());
  if (!co_await serving_->listen()) co_return 1;
  (void)co_await serving_->wait_failed();
  co_return 0;
}

void OneServer::ended(End how) {
  if (how == End::kExit) return ledger_.violation("the server ended by itself: " + server_.log().back());
  ledger_.ended(how == End::kPowerLoss ? Loss::kUnsynced : Loss::kNothing);
  if (!ledger_.violations().empty()) return;
  auto pause = settings_.between(fmt::format("crash-{}/pause-ms", ++ends_), 1, 200);
  world_.after(milliseconds(static_cast<int64_t>(pause)), [this] { start_server(); });
}

void OneServer::plan_crash() {
  if (crashes_left_ == 0) return;
  --crashes_left_;
  std::string name = fmt::format("crash-{}", ++crashes_);
  End how = settings_.one_in(name + "/power", 2) ? End::kPowerLoss : End::kProcessDeath;
  world_.after(milliseconds(static_cast<int64_t>(settings_.between(name + "/after-ms", 50, 2000))), [this, how] {
    if (clients_running_ == 0 || over_) return;
    if (server_.running()) server_.kill(how);
    plan_crash();
  });
}

// ---- The clients ----

void OneServer::start_client(std::string name, std::function<io::Task<int>(io::Host&)> main) {
  mains_.push_back(std::move(main));
  sim::Node& node = world_.add_node(std::move(name));
  ++clients_running_;
  node.on_end = [this](End, int) { client_ended(); };
  node.start(mains_.back(), {.cores = 1});
}

void OneServer::client_ended() {
  if (--clients_running_ > 0) return;
  if (over_ || !last_client) return world_.stop();
  over_ = true;
  start_client("last", last_client);
}

}  // namespace holdfast::chaos
