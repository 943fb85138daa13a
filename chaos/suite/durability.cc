#include "chaos/suite/durability.h"

#include <fmt/core.h>

#include "chaos/suite/durability_run.h"

namespace holdfast::chaos {
namespace {

/// A seed whose clients have not finished by then is stuck.
constexpr Duration kTimeLimit = seconds(3600);
constexpr uint64_t kTearsNearlyAll = 900'000;
/// Of seeds with many lives, or whose crashes are worth more than those of others.
constexpr uint64_t kFurtherCrashes = 10;

}  // namespace

using sim::End;

Durability::Durability(const SeedOptions& options, core::SyncMode mode, Weight weight)
    : overrides_(options.overrides),
      material_(options.material),
      world_({.seed = options.seed,
              .plan = draw_plan(options, {.crash = true, .fail_stop = true, .garbling = weight == Weight::kGuarded}),
              .mutants = options.mutants,
              .decisions = {.orders = options.overrides.orders, .harms = material_ ? &material_->harms : nullptr},
              .trace = options.trace}),
      settings_(world_, overrides_, material_),
      temper_({.short_lives = settings_.one_in("short-lives", 3), .tears = world_.plan().torn >= kTearsNearlyAll}),
      config_(draw_config(settings_, mode, temper_)),
      ledger_({.sync = mode == core::SyncMode::kSync}),
      guarded_(ledger_),
      login_(weight == Weight::kGuarded ? std::optional(guarded_.writer()) : std::nullopt),
      unnumbered_(settings_.one_in("unnumbered", 2)),
      crud_({.server = config_.listen,
             .login = login_,
             .sessions = !unnumbered_,
             .keys = settings_.between("keys", 1, 16),
             .operations = settings_.given("operations", usual("operations", 30, 250), 1, 250, 1),
             .pause_max = milliseconds(static_cast<int64_t>(settings_.given("pause-ms", 20, 0, 20, 0))),
             .performs = [this](int client, uint64_t operation) { return performs(client, operation); }},
            ledger_, Rng(options.seed, "workload")),
      collections_(
          {.server = config_.listen,
           .login = login_,
           .sessions = !unnumbered_,
           .collections = settings_.between("collections", 1, 3),
           .operations = settings_.given("collections-operations", usual("collections-operations", 20, 150), 1, 150, 1),
           .drops = settings_.between("collections-drops", 2, 20)},
          ledger_, Rng(options.seed, "collections")),
      indexes_({.server = config_.listen,
                .sessions = !unnumbered_,
                .collections = settings_.between("indexes-collections", 1, 3),
                .operations = settings_.given("indexes-operations", usual("indexes-operations", 20, 100), 1, 100, 1),
                .drops = settings_.between("indexes-drops", 2, 20)},
               ledger_, Rng(options.seed, "indexes")),
      lock_machines_(settings_.one_in("locks-share-machines", 2) ? LocksOptions::Machines::kShared
                                                                 : LocksOptions::Machines::kOwn),
      locks_({.server = config_.listen,
              .keys = settings_.given("locks-keys", usual("locks-keys", 5, 40), 1, 40, 1),
              .machines = lock_machines_},
             ledger_, Rng(options.seed, "locks")),
      bulk_({.server = config_.listen,
             .login = login_,
             .sessions = !unnumbered_,
             .documents = settings_.between("bulk-documents", 2, 12),
             .groups = settings_.between("bulk-groups", 1, 4),
             .users = settings_.between("bulk-users", 1, 4),
             .operations = settings_.given("bulk-operations", usual("bulk-operations", 20, 120), 1, 120, 1)},
            ledger_, Rng(options.seed, "bulk")),
      transactions_({.server = config_.listen,
                     .login = login_,
                     .lists = {.keys = settings_.between("transactions-keys", 1, 9), .places = settings_.between("transactions-places", 1, 9)},
                     .bank = draw_bank(settings_),
                     .rules = rules_of(config_.engine),
                     .operations = settings_.given("transactions-operations", usual("transactions-operations", 15, 60), 1, 60, 1)},
                    ledger_, Rng(options.seed, "transactions")),
      server_(world_.add_node("server")),
      durable_log_(server_, config_.engine.data_path),
      disk_(world_, server_, settings_),
      clients_(static_cast<int>(is_of_one_workload(weight) ? 1 : settings_.between("clients", 1, 6))),
      collections_clients_(
          static_cast<int>(is_of_one_workload(weight) ? 0 : settings_.between("collections-clients", 0, 3))),
      indexes_clients_(weight == Weight::kEven && settings_.one_in("indexes", 3)
                           ? static_cast<int>(settings_.between("indexes-clients", 1, 3))
                           : 0),
      locks_clients_(weight == Weight::kEven && settings_.one_in("locks", 2)
                         ? static_cast<int>(settings_.between("locks-clients", 2, 3))
                         : 0),
      bulk_clients_(static_cast<int>(weight == Weight::kBulk ? settings_.between("bulk-clients", 2, 5)
                                     : !is_of_one_workload(weight) && settings_.one_in("bulk", 3)
                                         ? settings_.between("bulk-clients", 1, 2)
                                         : 0)),
      transactions_clients_(
          static_cast<int>(weight == Weight::kTransactions ? settings_.between("transactions-clients", 2, 5)
                           : weight == Weight::kEven && settings_.one_in("transactions", 3)
                               ? settings_.between("transactions-clients", 1, 2)
                               : 0)),
      strangers_clients_(weight == Weight::kGuarded ? static_cast<int>(settings_.between("strangers", 1, 2)) : 0),
      accounts_clients_(weight == Weight::kGuarded ? static_cast<int>(settings_.between("accounts-clients", 0, 2)) : 0),
      clients_running_(clients_ + collections_clients_ + indexes_clients_ + locks_clients_ + bulk_clients_ + transactions_clients_ +
                       strangers_clients_ + accounts_clients_),
      crashes_(settings_.given("crashes", usual("crashes", 2, 16) + (temper_.tears ? kFurtherCrashes : 0), 0,
                               16 + kFurtherCrashes, 0)),
      soon_ends_left_(temper_.short_lives ? kFurtherCrashes : 0),
      small_disk_(settings_.one_in("small-disk", 3)),
      fills_calmly_(settings_.one_in("fills-calmly", 2)) {
  if (weight == Weight::kGuarded) {
    Guarded::configure(settings_, config_);
    strangers_.emplace(
        StrangersOptions{.server = config_.listen, .writer = guarded_.writer(), .reader = guarded_.reader()}, ledger_,
        Rng(options.seed, "strangers"));
    accounts_.emplace(AccountsOptions{.server = config_.listen,
                                      .manager = guarded_.writer(),
                                      .users = settings_.between("accounts-users", 1, 3),
                                      .operations = settings_.given(
                                          "accounts-operations", usual("accounts-operations", 10, 60), 1, 60, 1)},
                      ledger_, Rng(options.seed, "accounts"));
  }
  if (material_) tell_plan(world_.plan(), *material_);
  for (const char* name : {"crash-1", "crash-1/soon-after", "crash-1/operation", "crash-1/kind", "crash-1/moment", "crash-1/power", "cores",
                           "end-1/power", "end-1/manifest-rots", "end-1/pause-ms", "stop-1/kill", "flip", "verify", "server.hash-bits",
                           "life-1/ends-soon", "life-1/after-writes", "life-1/dies", "full-1", "full-1/none", "full-1/room-permille", "full-1/pause-ms",
                           "full-1/full-ms", "filled/ends", "filled/how", "filled/full-ms", "locks-clients", "indexes-clients", "bulk-clients", "transactions-clients", "server.transaction-idle-ms", "server.transaction-remembered-ms", "server.max-transactions", "server.transactions-kb", "server.history-bytes", "recovery-1/again", "server.connections", "server.requests-per-connection",
                           "server.budget-kb", "server.output-kb", "server.large-frame-kb", "server.starts-per-turn", "recovery-1/power", "hang-1/power", "hang-1/after-ms"})
    settings_.may_ask(name);
}

// ---- The server ----

io::Task<void> Durability::stop_when_asked(server::Server& server) {
  while (!stop_asked_) co_await io::sleep_for(milliseconds(5));
  (void)co_await server.stop();
}

io::Task<int> Durability::serve(io::Host& host) {
  if (login_)
    if (Result<> added = co_await Guarded::add_users(host, config_); !added) {
      host.log.log(io::Level::kError, "no users: " + added.error().text());
      co_return added.error().code == Code::kDiskFull ? kExitFull
      : added.error().code == Code::kIo               ? kExitFailStop
                                                      : kExitRefused;
    }
  auto opened = co_await server::Server::open(host, config_);
  if (!opened) {
    host.log.log(io::Level::kError, "refused: " + opened.error().text());
    if (opened.error().code == Code::kDiskFull) co_return kExitFull;
    co_return opened.error().code == Code::kIo ? kExitFailStop : kExitRefused;
  }
  serving_ = std::move(*opened);
  durable_log_.forget();
  ledger_.restarted(serving_->engine().committed_lsn());
  if (!co_await recovered_alike(serving_->engine())) co_return kExitClean;
  if (Result<> listening = co_await serving_->listen(); !listening) co_return kExitFailStop;
  (co_await io::this_executor()).spawn(stop_when_asked(*serving_));
  if (phase_ == Phase::kFaults) end_soon();
  Error why = co_await serving_->wait_failed();
  if (why.code == Code::kDiskFull) ledger_.violation("a running server ended because the disk was full: " + why.text());
  if (why.code != Code::kShuttingDown) co_return kExitFailStop;
  co_return kExitClean;
}

io::Task<bool> Durability::recovered_alike(core::Engine& engine) {
  std::string name = fmt::format("recovery-{}", ++recoveries_);
  bool once_more = phase_ == Phase::kFaults && settings_.one_in(name + "/again", 6);
  // Whatever comes of this life: the next one follows upon it, not upon the one before.
  const std::optional<State> before = std::exchange(recovered_, std::nullopt);
  if (!once_more && !before) co_return true;
  const Lsn recovered = engine.committed_lsn();
  Result<State> state = co_await state_of(engine);
  // Reads fail in unkind times, and where they take long the server closes sessions that nobody uses: this one proves nothing, and the server goes on.
  if (!state || engine.committed_lsn() != recovered) co_return true;
  if (before) {
    ++recovered_twice_;
    if (*before != *state) ledger_.violation(fmt::format("one recovery came to {}, and the next one to {}", before->text(), state->text()));
  }
  if (!once_more) co_return true;
  recovered_ = *state;
  server_.kill(settings_.one_in(name + "/power", 2) ? End::kPowerLoss : End::kProcessDeath);
  co_return false;
}

void Durability::start_server() {
  if (server_.running() || phase_ == Phase::kDone) return;
  ++restarts_;
  serving_.reset();
  stop_asked_ = false;
  disk_.server_starts();
  sync_errors_before_ = sync_errors();
  auto cores = static_cast<uint16_t>(settings_.given("cores", 0, 0, 4, 1));  // 0: drawn
  server_.start([this](io::Host& host) { return serve(host); }, {.cores = cores});
  if (phase_ == Phase::kFaults) plan_crash();
}

/// The next of the seed's crashes. Each has a number and choices of its own; one that is left out makes room for the next.
void Durability::plan_crash() {
  std::string name;
  do {
    if (crashes_begun_ == crashes_) return;
    name = fmt::format("crash-{}", ++crashes_begun_);
  } while (settings_.given(name, 1, 0, 1, 0) == 0);
  static constexpr sim::Moment kMoments[] = {sim::Moment::kBefore, sim::Moment::kAfter, sim::Moment::kMiddle};
  sim::CrashPlan plan;
  sim::Stream draw = world_.stream("suite/" + name);
  // Often soon, also within a first start or a recovery; sometimes late. What a dead process left in the cache is in danger until it is
  // synced, and what a power cut left of the log's end until the log has grown past it: so crashes come in pairs.
  bool pair = settings_.one_in(name + "/soon-after", 2) && crashed_;
  bool soon = draw.decide(2) == 0 || pair;
  // Of all operations of the disk, a quarter of them syncs, or of the network.
  static constexpr sim::IoKind kKinds[] = {sim::IoKind::kDisk, sim::IoKind::kSync, sim::IoKind::kNetwork};
  uint64_t kind = draw.decide(5);
  kind = settings_.given(name + "/kind", kind < 2 ? 0 : kind < 4 ? 1 : 2, 0, 2, 0);
  plan.kind = kKinds[kind];
  uint64_t operation = draw.between(1, (soon ? 60 : 600) / (kind == 1 ? 4 : 1));
  plan.operation = settings_.given(name + "/operation", operation, 1, 600, 1);
  plan.moment = kMoments[settings_.between(name + "/moment", 0, 2)];
  plan.how = settings_.one_in(name + "/power", 2) || pair ? End::kPowerLoss : End::kProcessDeath;
  server_.crash_at(plan);
}

/// After a few writes: what a new life has written is then less than what the last one left cut off.
void Durability::end_soon() {
  std::string name = fmt::format("life-{}", restarts_);
  if (soon_ends_left_ == 0 || !settings_.one_in(name + "/ends-soon", 2)) return;
  --soon_ends_left_;
  End how = settings_.one_in(name + "/dies", 4) ? End::kProcessDeath : End::kPowerLoss;
  // Clients come back when they do: what counts is how much was written.
  Lsn target(serving_->engine().committed_lsn().value + settings_.between(name + "/after-writes", 0, 8));
  end_at(target, how, seconds(3));
}

void Durability::end_at(Lsn target, End how, Duration patience) {
  static constexpr Duration kLook = milliseconds(2);
  world_.after(kLook, [this, target, how, patience, life = restarts_] {
    if (phase_ != Phase::kFaults || life != restarts_ || !server_.running() || !serving_) return;
    if (serving_->engine().committed_lsn() >= target || patience < kLook)
      server_.kill(how);
    else
      end_at(target, how, patience - kLook);
  });
}

uint64_t Durability::sync_errors() {
  return world_.counts()[sim::Fault::kSyncError] + world_.counts()[sim::Fault::kSyncErrorClean];
}

/// Nothing but the process' end ends that: somebody notices after a while.
void Durability::disk_hangs() {
  hung_life_ = restarts_;
  std::string name = fmt::format("hang-{}", ++hangs_);
  End how = settings_.one_in(name + "/power", 2) ? End::kPowerLoss : End::kProcessDeath;
  auto pause = milliseconds(static_cast<int64_t>(settings_.log_between(name + "/after-ms", 1, 30'000, 1)));
  world_.after(pause, [this, how, life = restarts_] {
    if (life == restarts_ && server_.running()) server_.kill(how);
  });
}

/// Whether a server may end like this by itself.
void Durability::judge_exit(int exit_code) {
  using sim::Fault;
  const sim::FaultCounts& faults = world_.counts();
  bool may_fail_stop = faults[Fault::kSyncError] + faults[Fault::kSyncErrorClean] + faults[Fault::kReadError] + faults[Fault::kWriteError] > 0;
  if (exit_code == kExitRefused && flipped_.empty()) ledger_.violation("the server refused its own directory: " + last_words());
  if (exit_code == kExitFailStop && !may_fail_stop) ledger_.violation("the server stopped by itself without a fault: " + last_words());
  if (exit_code == kExitFull && !disk_.met()) ledger_.violation("the server found no room on a disk that has some: " + last_words());
  if (phase_ == Phase::kFullEnd && stop_asked_ && exit_code != kExitClean) ledger_.violation("on a full disk the server did not stop clean: " + last_words());
  refused_full_ += exit_code == kExitFull;
}

void Durability::server_ended(End how, int exit_code) {
  crashed_ = how != End::kExit;
  if (how == End::kPowerLoss) ++power_losses_;
  // Of a sync that failed as the process died nobody was told, and what it left clean in the cache may be gone like after a power cut.
  bool sync_failed = sync_errors() != sync_errors_before_;
  ledger_.ended(how == End::kPowerLoss || sync_failed ? Loss::kUnsynced : Loss::kNothing);
  if (how == End::kExit) judge_exit(exit_code);
  if (!ledger_.violations().empty()) return finish();  // one is enough, and what follows would only repeat it
  if (phase_ > Phase::kCalm && phase_ != Phase::kFullEnd) return ended_calmly(how, exit_code);
  // After process death the power may go, too, before anybody starts the server again.
  std::string name = fmt::format("end-{}", ++ends_);
  if (how == End::kProcessDeath && settings_.one_in(name + "/power", 3)) {
    server_.kill(End::kPowerLoss);
    ++power_losses_;
    ledger_.ended(Loss::kUnsynced);
  }
  if (settings_.one_in(name + "/manifest-rots", 8)) damage_newest_manifest();
  world_.after(milliseconds(static_cast<int64_t>(settings_.between(name + "/pause-ms", 0, 299))), [this] { start_server(); });
}

// ---- The clients ----

void Durability::start_client(std::string name, std::function<io::Task<int>(io::Host&)> main, std::function<void(int)> on_end) {
  sim::Node& node = world_.add_node(std::move(name));
  node.on_end = [on_end = std::move(on_end)](End, int exit_code) { on_end(exit_code); };
  node.start([main = std::move(main)](io::Host& host) { return main(host); }, {.cores = 1});
}

namespace {

/// Two on one machine, which the server tells apart by their connections alone.
io::Task<int> run_locks(Locks& locks, io::Host& host, int index, bool twice) {
  io::TaskGroup clients(co_await io::this_executor());
  clients.spawn(locks.run_client(host, 2 * index));
  if (twice) clients.spawn(locks.run_client(host, 2 * index + 1));
  co_await clients.drained();
  co_return 0;
}

}  // namespace

bool Durability::performs(int client, uint64_t operation) {
  if (material_) material_->operations[client] = operation + 1;
  auto chosen = overrides_.operations.find(client);
  return chosen == overrides_.operations.end() || chosen->second.contains(operation);
}

void Durability::start_clients() {
  auto done = [this](int) { client_done(); };
  for (int i = 0; i < clients_; ++i) {
    auto chosen = overrides_.operations.find(i);
    if (chosen != overrides_.operations.end() && chosen->second.empty()) {
      world_.after(Duration{}, [this] { client_done(); });
      continue;
    }
    start_client(fmt::format("client-{}", i), [this, i](io::Host& host) { return run_client(crud_, host, i); }, done);
  }
  for (int i = 0; i < collections_clients_; ++i)
    start_client(fmt::format("collections-{}", i), [this, i](io::Host& host) { return run_client(collections_, host, i); }, done);
  for (int i = 0; i < indexes_clients_; ++i)
    start_client(fmt::format("indexes-{}", i), [this, i](io::Host& host) { return run_client(indexes_, host, i); }, done);
  for (int i = 0; i < bulk_clients_; ++i)
    start_client(fmt::format("bulk-{}", i), [this, i](io::Host& host) { return run_client(bulk_, host, i); }, done);
  for (int i = 0; i < accounts_clients_; ++i)
    start_client(fmt::format("accounts-{}", i), [this, i](io::Host& host) { return run_client(*accounts_, host, i); }, done);
  for (int i = 0; i < strangers_clients_; ++i) {
    std::string name = fmt::format("stranger-{}", i);
    start_client(name, [this, i](io::Host& host) { return run_client(*strangers_, host, i); }, done);
    world_.find_node(name)->connections_are_local = i % 2 == 1;
  }
  for (int i = 0; i < transactions_clients_; ++i)
    start_client(fmt::format("transactions-{}", i), [this, i](io::Host& host) { return run_client(transactions_, host, i); }, done);
  bool twice = lock_machines_ == LocksOptions::Machines::kShared;
  for (int i = 0; i < locks_clients_; ++i)
    start_client(fmt::format("locks-{}", i), [this, i, twice](io::Host& host) { return run_locks(locks_, host, i, twice); }, done);
}

void Durability::client_done() {
  if (--clients_running_ == 0) calm_down();
}

// ---- The run ----

SeedResult Durability::run() {
  crud_.tolerate_internal = collections_.tolerate_internal = indexes_.tolerate_internal = bulk_.tolerate_internal =
      world_.plan().read_error > 0 || world_.trace().decisions().find("server/disk/read-error");
  transactions_.tolerate_internal(crud_.tolerate_internal);
  ledger_.on_violation = [this] { world_.stop(); };  // one is enough, and what follows would only repeat it
  crud_.documents_elsewhere = [this](Lsn lsn) {
    Bounds all = collections_.ledger().count(lsn);
    all += bulk_.count(lsn);
    if (transactions_clients_ > 0) all += transactions_.count(lsn);
    return all;
  };
  if (world_.trace().on()) ledger_.tell = [this](const std::string& sentence) { world_.trace().note("ledger: " + sentence); };
  server_.on_end = [this](End how, int exit_code) { server_ended(how, exit_code); };
  server_.on_hang = [this] { disk_hangs(); };
  ledger_.durable_through = [this] { return durable_log_.reaches(); };
  start_server();
  start_clients();
  if (small_disk_) disk_.come_and_go(3 * config_.engine.journal.segment_bytes, [this] { return phase_ != Phase::kFaults; });
  return result(world_.run({.until = kTimeLimit}));
}

SeedResult Durability::result(sim::World::Stop why) {
  SeedResult out;
  if (phase_ != Phase::kDone && ledger_.violations().empty())
    ledger_.violation(why == sim::World::Stop::kNothingLeft ? "everything waits for something that never comes"
                                                            : "the clients or the server made no progress in an hour");
  out.violations = ledger_.violations();
  out.configuration = fmt::format("clients={} {} | {}", clients_, describe(config_), sim::to_text(world_.plan()));
  auto& c = out.counts;
  c["restarts"] = restarts_;
  c["power losses"] = power_losses_;
  c["process deaths"] = world_.counts()[sim::Fault::kProcessDeath];
  c["client operations"] = crud_.counts().performed;
  c["operations asked"] = crud_.counts().asked + collections_.asked() + indexes_.asked() + locks_.asked() + bulk_.asked() + transactions_.asked();
  c["operations checked"] = ledger_.answered();
  c["outcomes unknown"] = crud_.counts().unknown;
  c["operations refused"] = crud_.counts().refused;
  c["queries checked"] = crud_.counts().questions;
  c["exports checked"] = crud_.counts().exports;
  c["collections dropped"] = collections_.drops();
  c["indexes declared"] = indexes_.declared();
  c["documents moved"] = bulk_.moved();
  c["transactions committed"] = transactions_.committed();
  c["transactions refused"] = transactions_.conflicts();
  c["locks asked for"] = locks_.asked();
  if (strangers_) c["strangers' attempts"] = strangers_->attempts();
  if (accounts_) c["users changed"] = accounts_->changes();
  c["locks got by a repeat"] = locks_.repeated();
  c["disks full"] = disk_.times();
  c["recovered twice"] = recovered_twice_;
  c["starts refused, disk full"] = refused_full_;
  conclude(world_, server_, settings_, out);
  return out;
}

SeedResult run_durability_sync(const SeedOptions& options) { return Durability(options, core::SyncMode::kSync).run(); }
SeedResult run_durability_async(const SeedOptions& options) { return Durability(options, core::SyncMode::kAsync).run(); }
SeedResult run_updates(const SeedOptions& options) {
  core::SyncMode mode = options.seed % 4 == 0 ? core::SyncMode::kAsync : core::SyncMode::kSync;
  return Durability(options, mode, Durability::Weight::kBulk).run();
}
SeedResult run_encrypted(const SeedOptions& options) {
  core::SyncMode mode = options.seed % 4 == 0 ? core::SyncMode::kAsync : core::SyncMode::kSync;
  return Durability(options, mode, Durability::Weight::kGuarded).run();
}

SeedResult run_transactions(const SeedOptions& options) {
  core::SyncMode mode = options.seed % 3 == 0 ? core::SyncMode::kAsync : core::SyncMode::kSync;
  return Durability(options, mode, Durability::Weight::kTransactions).run();
}

}  // namespace holdfast::chaos
