#include "chaos/suite/cursors.h"

#include <fmt/core.h>

#include "chaos/suite/durability_draw.h"
#include "chaos/suite/durable_log.h"
#include "chaos/workload/collections.h"
#include "chaos/workload/crud.h"
#include "chaos/workload/streams.h"
#include "server/server.h"
#include "sim/world.h"

namespace holdfast::chaos {
namespace {

using sim::End;

constexpr Duration kTimeLimit = seconds(3600);
constexpr uint64_t kKeys = 12;

std::vector<std::string> keys() {
  std::vector<std::string> out;
  for (uint64_t k = 0; k < kKeys; ++k) out.push_back(fmt::format("k{}", k));
  return out;
}

class CursorsSuite {
 public:
  explicit CursorsSuite(const SeedOptions& options)
      : world_({.seed = options.seed,
                .plan = draw_plan(options),
                .mutants = options.mutants,
                .decisions = {.orders = options.overrides.orders, .harms = options.material ? &options.material->harms : nullptr},
                .trace = options.trace}),
        settings_(world_, options.overrides, options.material),
        config_(draw_config()),
        ledger_({.sync = config_.engine.mode == core::SyncMode::kSync}),
        crud_({.server = config_.listen, .keys = kKeys, .operations = settings_.between("operations", 40, 150), .pause_max = milliseconds(15)}, ledger_,
              Rng(options.seed, "workload")),
        collections_({.server = config_.listen,
                      .collections = settings_.between("collections", 1, 2),
                      .operations = settings_.between("collections-operations", 20, 80),
                      .drops = settings_.between("collections-drops", 5, 20),
                      .streams = true},
                     ledger_, Rng(options.seed, "collections")),
        streams_(draw_streams(), ledger_, Rng(options.seed, "streams")),
        server_(world_.add_node("server")),
        durable_log_(server_, config_.engine.data_path),
        crashes_left_(settings_.between("crashes", 0, 3)) {
    if (options.material) tell_plan(world_.plan(), *options.material);
    for (const char* name : {"crash-1/after-ms", "crash-1/power", "crash-1/pause-ms", "server.hash-bits", "server.connections", "server.requests-per-connection",
                             "server.budget-kb", "server.output-kb", "server.large-frame-kb", "server.starts-per-turn", "cursors.max"})
      settings_.may_ask(name);
    ledger_.on_violation = [this] { world_.stop(); };
    ledger_.durable_through = [this] { return durable_log_.reaches(); };
    if (world_.trace().on()) ledger_.tell = [this](const std::string& sentence) { world_.trace().note("ledger: " + sentence); };
    server_.on_end = [this](End how, int) { ended(how); };
    server_.end_hangs(seconds(3), End::kProcessDeath);
  }

  SeedResult run() {
    start_server();
    start_clients("client", settings_.between("clients", 1, 3), [this](io::Host& host, int i) { return run_client(crud_, host, i); });
    start_clients("collections", settings_.between("collections-clients", 0, 2), [this](io::Host& host, int i) { return run_client(collections_, host, i); });
    start_clients("streams", settings_.between("streams-clients", 1, 4), [this](io::Host& host, int i) { return run_client(streams_, host, i); });
    plan_crash();
    sim::World::Stop why = world_.run({.until = kTimeLimit});
    if (why != sim::World::Stop::kAsked && ledger_.violations().empty()) ledger_.violation("the run came to no end");
    SeedResult out;
    out.violations = ledger_.violations();
    const core::EngineOptions& e = config_.engine;
    out.configuration = fmt::format("max={} idle_ms={} age_ms={} history={} scan={} page={} | {}", e.max_cursors, e.cursor_idle.ns / 1'000'000,
                                    e.snapshot_age.ns / 1'000'000, e.history_bytes, e.page_scan_bytes, config_.limits.export_part_bytes, describe(config_));
    const StreamsCounts& n = streams_.counts();
    out.counts["operations checked"] = ledger_.answered();
    out.counts["streams begun"] = n.begun;
    out.counts["streams judged"] = n.judged;
    out.counts["pages"] = n.pages;
    out.counts["pages asked again"] = n.again;
    out.counts["cursors expired"] = n.expired;
    out.counts["snapshots too old"] = n.too_old;
    out.counts["cursors of other streams"] = n.foreign;
    out.counts["no cursors"] = n.malformed;
    out.counts["restarts"] = life_;
    out.counts["collections dropped"] = collections_.drops();
    conclude(world_, server_, settings_, out);
    return out;
  }

 private:
  /// Disks do what they should, but for crashes.
  static sim::FaultPlan draw_plan(const SeedOptions& options) {
    sim::Trace unused;
    sim::FaultPlan plan = sim::swarm(options.seed, unused, {.crash = true, .fail_stop = false});
    plan.read_error = plan.write_error = 0;
    for (const auto& [name, value] : options.overrides.settings) (void)sim::set_fault(plan, name, value);
    return plan;
  }

  server::Config draw_config() {
    auto mode = settings_.one_in("async", 4) ? core::SyncMode::kAsync : core::SyncMode::kSync;
    server::Config c = chaos::draw_config(settings_, mode, {});
    core::EngineOptions& e = c.engine;
    crowded_ = settings_.one_in("cursors-crowded", 4);
    forgetful_ = settings_.one_in("cursors-forgetful", 6);
    auto time = [this](const char* name, uint64_t low, uint64_t high) {
      return milliseconds(static_cast<int64_t>(settings_.log_between(name, low, high, high)));
    };
    if (crowded_) e.max_cursors = static_cast<uint32_t>(settings_.between("cursors.max", 1, 6, 6));
    if (forgetful_) e.history_bytes = 0;
    e.cursor_idle = time("cursors.idle-ms", 100, 600'000);
    e.cursor_abandoned = time("cursors.abandoned-ms", 10, 30'000);
    e.cursor_done = time("cursors.done-ms", 50, 15'000);
    e.snapshot_age = time("cursors.age-ms", 200, 3'600'000);
    e.page_ahead_bytes = settings_.log_between("cursors.ahead-bytes", 8, 256 << 10, 256 << 10);
    e.page_scan_bytes = settings_.log_between("cursors.scan-bytes", 200, 1 << 20, 1 << 20);
    e.pages_bytes = settings_.log_between("cursors.room-bytes", 100, 256 << 20, 256 << 20);
    c.limits.export_part_bytes = settings_.log_between("cursors.page-bytes", 200, 64 << 10, 64 << 10);
    return c;
  }

  StreamsOptions draw_streams() {
    const core::EngineOptions& e = config_.engine;
    return {.server = config_.listen,
            .keys = keys(),
            .operations = settings_.between("streams-operations", 50, 300),
            .open_max = settings_.between("streams-open", 1, 8),
            .idle = e.cursor_idle,
            .done = e.cursor_done,
            .age = e.snapshot_age,
            .crowded = crowded_,
            .forgetful = forgetful_,
            .life = [this] { return life_; },
            .now = [this] { return world_.now(); }};
  }

  // ---- The server ----

  void start_server() {
    serving_.reset();
    server_.start([this](io::Host& host) { return serve(host); });
  }

  io::Task<int> serve(io::Host& host) {
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

  void ended(End how) {
    if (how == End::kExit) return ledger_.violation("the server ended by itself: " + server_.log().back());
    ledger_.ended(how == End::kPowerLoss ? Loss::kUnsynced : Loss::kNothing);
    if (!ledger_.violations().empty()) return;
    auto pause = settings_.between(fmt::format("crash-{}/pause-ms", ++ends_), 1, 200);
    world_.after(milliseconds(static_cast<int64_t>(pause)), [this] { start_server(); });
  }

  void plan_crash() {
    if (crashes_left_ == 0) return;
    --crashes_left_;
    std::string name = fmt::format("crash-{}", ++crashes_);
    End how = settings_.one_in(name + "/power", 2) ? End::kPowerLoss : End::kProcessDeath;
    world_.after(milliseconds(static_cast<int64_t>(settings_.between(name + "/after-ms", 50, 2000))), [this, how] {
      if (clients_running_ == 0) return;
      if (server_.running()) server_.kill(how);
      plan_crash();
    });
  }

  // ---- The clients ----

  template <class F>
  void start_clients(std::string_view name, uint64_t count, F run) {
    for (uint64_t i = 0; i < count; ++i) {
      mains_.push_back([run, i](io::Host& host) { return run(host, static_cast<int>(i)); });
      sim::Node& node = world_.add_node(fmt::format("{}-{}", name, i));
      ++clients_running_;
      node.on_end = [this](End, int) {
        if (--clients_running_ == 0) world_.stop();
      };
      node.start(mains_.back(), {.cores = 1});
    }
  }

  sim::World world_;
  Settings settings_;
  bool crowded_ = false, forgetful_ = false;
  server::Config config_;
  Ledger ledger_;
  Crud crud_;
  Collections collections_;
  Streams streams_;
  sim::Node& server_;
  DurableLog durable_log_;
  std::unique_ptr<server::Server> serving_;
  std::deque<std::function<io::Task<int>(io::Host&)>> mains_;
  uint64_t life_ = 0, ends_ = 0, crashes_ = 0;
  uint64_t crashes_left_;
  uint64_t clients_running_ = 0;
};

}  // namespace

SeedResult run_cursors(const SeedOptions& options) { return CursorsSuite(options).run(); }

}  // namespace holdfast::chaos
