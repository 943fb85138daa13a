#include "chaos/suite/durability.h"

#include <fmt/core.h>

#include <charconv>

#include "chaos/workload/crud.h"
#include "server/server.h"
#include "sim/world.h"

namespace holdfast::chaos {
namespace {

using sim::End;

constexpr uint16_t kPort = 6900;
constexpr int kExitClean = 0;
constexpr int kExitRefused = 3;
constexpr int kExitFailStop = 4;
/// A seed whose clients have not finished by then is stuck.
constexpr Duration kTimeLimit = seconds(3600);

/// What the seed makes of the server. Tiny, so that rotation, checkpoints, merges and full queues happen in every seed.
server::Config draw_config(Settings& s, core::SyncMode mode) {
  server::Config c;
  c.listen = {"server", kPort};
  core::EngineOptions& e = c.engine;
  e.data_path = "/data";
  e.shard_count = static_cast<uint16_t>(s.between("server.shards", 1, 6));
  e.mode = mode;
  e.journal.segment_bytes = s.between("server.segment-pages", 2, 16, 16) * 4096;
  e.journal.group_bytes_max = s.between("server.group-kb", 1, 16, 16) * 1024;
  e.journal.async_lag_max = milliseconds(static_cast<int64_t>(s.between("server.lag-ms", 1, 100)));
  e.journal.async_lag_bytes_max = s.between("server.lag-kb", 1, 64, 64) * 1024;
  e.journal.seal_after = milliseconds(static_cast<int64_t>(s.between("server.seal-ms", 1, 20, 20)));
  e.checkpoint_bytes = s.log_between("server.checkpoint-pages", 1, 40, 40) * 4096;
  e.requests_per_shard = static_cast<uint32_t>(s.between("server.requests-per-shard", 1, 16, 16));
  e.scan_yield_documents = static_cast<uint32_t>(s.between("server.scan-yield", 1, 8, 8));
  e.scan_chunk_bytes = s.between("server.scan-half-kb", 1, 16, 16) * 512;
  e.index_tail_min = static_cast<uint32_t>(s.between("server.index-tail", 1, 32, 32));
  bool collide = s.one_in("server.hashes-collide", 2);
  e.id_hash_bits = collide ? static_cast<int>(s.between("server.hash-bits", 1, 6, 6)) : 64;
  return c;
}

std::string describe(const server::Config& c) {
  const core::EngineOptions& e = c.engine;
  return fmt::format("shards={} segment={} group={} lag_ms={} lag_bytes={} seal_ms={} checkpoint={} per_shard={} index_tail={} hash_bits={}",
                     *e.shard_count, e.journal.segment_bytes, e.journal.group_bytes_max, e.journal.async_lag_max.ns / 1'000'000,
                     e.journal.async_lag_bytes_max, e.journal.seal_after.ns / 1'000'000, e.checkpoint_bytes, e.requests_per_shard,
                     e.index_tail_min, e.id_hash_bits);
}

class Durability {
 public:
  Durability(const SeedOptions& options, core::SyncMode mode);
  SeedResult run();

 private:
  static sim::FaultPlan draw_plan(const SeedOptions& options);
  io::Task<int> serve(io::Host& host);
  io::Task<void> stop_when_asked(server::Server& server);
  bool performs(int client, uint64_t operation);
  io::Task<int> client(io::Host& host, int index);
  io::Task<int> verify(io::Host& host);
  void start_server();
  void server_ended(End how, int exit_code);
  void plan_crash();
  void client_done();
  void calm_down();
  void start_verification();
  void verified(bool complete);
  void end_server();
  void flip_a_bit();
  void damage_newest_manifest();
  void finish();
  SeedResult result(sim::World::Stop why);

  Overrides overrides_;
  Material* material_;
  sim::World world_;
  Settings settings_;
  server::Config config_;
  Ledger ledger_;
  Crud crud_;
  sim::Node& server_;
  int clients_;
  int clients_running_;
  uint64_t crashes_;            // how many the seed has in store
  uint64_t crashes_begun_ = 0;  // of those, planned or left out
  uint64_t ends_ = 0;
  uint64_t rotten_manifest_ = 0;  // the number of the last one that rotted
  uint64_t restarts_ = 0;
  uint64_t power_losses_ = 0;
  uint64_t verifications_ = 0;
  bool crashed_ = false;  // the last incarnation did not end by itself
  /// Of the newest incarnation. Not in a frame of its: when main returns after a fail-stop, tasks of the server are still there, and at a crash frames die in any
  /// order. So it stays until the next one, when everything of the incarnation is gone.
  std::unique_ptr<server::Server> serving_;
  bool stop_asked_ = false;
  enum class Phase : uint8_t {
    kFaults,     ///< clients run, the server crashes
    kCalm,       ///< all is quiet; everything is read
    kStopping,   ///< asked to stop clean, or about to be killed after its seal
    kAfterStop,  ///< back again; everything is read once more
    kEnding,     ///< the same end, for the sake of its files
    kFlipped,    ///< back again with one flipped bit
    kDone
  } phase_ = Phase::kFaults;
  std::string flipped_;  // what was
};

sim::FaultPlan Durability::draw_plan(const SeedOptions& options) {
  sim::Trace unused;
  sim::FaultPlan plan = sim::swarm(options.seed, unused, {.crash = true, .fail_stop = true});
  // Errors of reads and writes stop the server; a few are enough.
  plan.read_error = std::min<uint64_t>(plan.read_error, 500);
  plan.write_error = std::min<uint64_t>(plan.write_error, 500);
  // Some machines are bad at one thing: they leave garbage where the power failed, or lose what a sync failed to write.
  Rng bad(options.seed, "bad machine");
  switch (bad.below(4)) {
    case 0:
      plan.torn = 900'000;
      plan.garbage = 900'000;
      break;
    case 1:
      plan.sync_error = bad.between(2'000, 20'000);
      plan.sync_error_clean = 900'000;
      plan.evict = 500'000;
      break;
  }
  for (const auto& [name, value] : options.overrides.settings) (void)sim::set_fault(plan, name, value);
  return plan;
}

/// The plan's fields as settings: faults are simplest when off, the rest as in a plan that nobody drew.
void tell_plan(const sim::FaultPlan& plan, Material& out) {
  sim::FaultPlan plain;
  plain.shuffle = plain.sync_error_clean = plain.evict = 0;
  for (const sim::FaultField& f : sim::fault_fields())
    out.settings[std::string(f.name)] = {plan.*f.member, f.fault_class == sim::FaultClass::kShape ? plain.*f.member : 0};
}

Durability::Durability(const SeedOptions& options, core::SyncMode mode)
    : overrides_(options.overrides),
      material_(options.material),
      world_({.seed = options.seed,
              .plan = draw_plan(options),
              .mutants = options.mutants,
              .decisions = {.orders = options.overrides.orders, .harms = material_ ? &material_->harms : nullptr},
              .trace = options.trace}),
      settings_(world_, overrides_, material_),
      config_(draw_config(settings_, mode)),
      ledger_({.sync = mode == core::SyncMode::kSync}),
      crud_({.server = {"server", kPort},
             .keys = settings_.between("keys", 1, 16),
             .operations = settings_.given("operations", world_.stream("setting/operations").between(30, 250), 1, 250, 1),
             .pause_max = milliseconds(static_cast<int64_t>(settings_.given("pause-ms", 20, 0, 20, 0))),
             .performs = [this](int client, uint64_t operation) { return performs(client, operation); }},
            ledger_, Rng(options.seed, "workload")),
      server_(world_.add_node("server")),
      clients_(static_cast<int>(settings_.between("clients", 1, 6))),
      clients_running_(clients_),
      crashes_(settings_.given("crashes", world_.stream("setting/crashes").between(2, 16), 0, 16, 0)) {
  if (material_) tell_plan(world_.plan(), *material_);
  for (const char* name : {"crash-1", "crash-1/soon-after", "crash-1/operation", "crash-1/kind", "crash-1/moment", "crash-1/power", "cores",
                           "end-1/power", "end-1/manifest-rots", "end-1/pause-ms", "stop-1/kill", "flip", "verify", "server.hash-bits"})
    settings_.may_ask(name);
}

// ---- The server ----

io::Task<void> Durability::stop_when_asked(server::Server& server) {
  while (!stop_asked_) co_await io::sleep_for(milliseconds(5));
  (void)co_await server.stop();
}

io::Task<int> Durability::serve(io::Host& host) {
  auto opened = co_await server::Server::open(host, config_);
  if (!opened) {
    host.log.log(io::Level::kError, "refused: " + opened.error().text());
    co_return opened.error().code == Code::kIo || opened.error().code == Code::kDiskFull ? kExitFailStop : kExitRefused;
  }
  serving_ = std::move(*opened);
  ledger_.restarted(serving_->engine().committed_lsn());
  if (Result<> listening = co_await serving_->listen(); !listening) co_return kExitFailStop;
  (co_await io::this_executor()).spawn(stop_when_asked(*serving_));
  Error why = co_await serving_->wait_failed();
  if (why.code != Code::kShuttingDown) co_return kExitFailStop;
  co_return kExitClean;
}

void Durability::start_server() {
  if (server_.running() || phase_ == Phase::kDone) return;
  ++restarts_;
  serving_.reset();
  stop_asked_ = false;
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

void Durability::server_ended(End how, int exit_code) {
  crashed_ = how != End::kExit;
  if (how == End::kPowerLoss) ++power_losses_;
  ledger_.ended(how == End::kPowerLoss ? Loss::kUnsynced : Loss::kNothing);
  if (how == End::kExit) {
    using sim::Fault;
    const sim::FaultCounts& faults = world_.counts();
    bool may_fail_stop = faults[Fault::kSyncError] + faults[Fault::kSyncErrorClean] + faults[Fault::kReadError] + faults[Fault::kWriteError] > 0;
    if (exit_code == kExitRefused && flipped_.empty()) ledger_.violation("the server refused its own directory: " + (server_.log().empty() ? "" : server_.log().back()));
    if (exit_code == kExitFailStop && !may_fail_stop) ledger_.violation("the server stopped by itself without a fault: " + (server_.log().empty() ? "" : server_.log().back()));
    // Its cache held what a failed sync left: it may come back otherwise after the process is gone, and a power cut may follow.
    if (exit_code == kExitFailStop) ledger_.ended(Loss::kUnsynced);
  }
  if (!ledger_.violations().empty()) {
    finish();
    return;
  }
  if (phase_ == Phase::kStopping || phase_ == Phase::kEnding) {
    if (how == End::kExit && exit_code != kExitClean) ledger_.violation("a calm server did not stop clean");
    if (phase_ == Phase::kEnding) {
      flip_a_bit();
    } else {
      phase_ = Phase::kAfterStop;
      world_.after(milliseconds(10), [this] {
        start_server();
        start_verification();
      });
    }
    return;
  }
  if (phase_ == Phase::kFlipped) {
    finish();  // it refused what is damaged: fine
    return;
  }
  std::string name = fmt::format("end-{}", ++ends_);
  // After process death the power may go, too, before anybody starts the server again.
  if (how == End::kProcessDeath && settings_.one_in(name + "/power", 3)) {
    server_.kill(End::kPowerLoss);
    ++power_losses_;
    ledger_.ended(Loss::kUnsynced);
  }
  if (settings_.one_in(name + "/manifest-rots", 8)) damage_newest_manifest();
  world_.after(milliseconds(static_cast<int64_t>(settings_.between(name + "/pause-ms", 0, 299))), [this] { start_server(); });
}

// ---- The clients ----

bool Durability::performs(int client, uint64_t operation) {
  if (material_) material_->operations[client] = operation + 1;
  auto chosen = overrides_.operations.find(client);
  return chosen == overrides_.operations.end() || chosen->second.contains(operation);
}

io::Task<int> Durability::client(io::Host& host, int index) {
  co_await crud_.run_client(host, index);
  co_return 0;
}

io::Task<int> Durability::verify(io::Host& host) {
  bool complete = co_await crud_.verify(host);
  co_return complete ? 0 : 1;
}

void Durability::client_done() {
  if (--clients_running_ > 0) return;
  calm_down();
}

/// All clients are done: no more faults; what is there must be right, serve, and stop clean.
void Durability::calm_down() {
  if (settings_.given("verify", 1, 0, 1, 0) == 0) return finish();  // a case whose violation came before
  phase_ = Phase::kCalm;
  server_.cancel_crash();
  sim::FaultPlan calm;
  calm.shuffle = world_.plan().shuffle;
  calm.quota_bytes = world_.plan().quota_bytes;
  world_.plan() = calm;
  start_server();
  start_verification();
}

void Durability::start_verification() {
  sim::Node& verifier = world_.add_node(fmt::format("verifier-{}", ++verifications_));
  verifier.on_end = [this](End, int exit_code) { verified(exit_code == 0); };
  verifier.start([this](io::Host& host) { return verify(host); }, {.cores = 1});
}

void Durability::verified(bool complete) {
  if (phase_ == Phase::kFlipped || phase_ == Phase::kDone) {
    finish();
    return;
  }
  if (!complete) {
    // A server that stopped because of an error from the unkind times comes back; not for ever, though.
    if (verifications_ >= 5) {
      ledger_.violation("a calm server did not answer every read");
      finish();
      return;
    }
    start_verification();
    return;
  }
  end_server();
}

/// Once everything was read: a clean stop, or process death after a pause in which the server sealed its log. Either proves all of it.
void Durability::end_server() {
  if (!server_.running()) {
    world_.after(milliseconds(50), [this] { end_server(); });
    return;
  }
  phase_ = phase_ == Phase::kCalm ? Phase::kStopping : Phase::kEnding;
  if (!settings_.one_in(fmt::format("stop-{}/kill", phase_ == Phase::kStopping ? 1 : 2), 2))
    stop_asked_ = true;
  else
    world_.after(seconds(3), [this] { server_.kill(End::kProcessDeath); });
}

/// One bit of what is proven to be durable: it is reported or harmless, and no answer is wrong.
void Durability::flip_a_bit() {
  if (settings_.given("flip", 1, 0, 1, 0) == 0) return finish();
  phase_ = Phase::kFlipped;
  sim::Stream place = world_.stream("suite/flip");
  // Half of the flips hit the journal, which is few of the files but what recovery rests on.
  bool of_journal = place.decide(2) == 1;
  std::vector<std::string> files;
  for (const std::string& path : server_.durable().files("/data"))
    if (!path.ends_with("LOCK") && (!of_journal || path.starts_with("data/journal/"))) files.push_back(path);
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::string& path = files[place.decide(files.size())];
    Buffer bytes = *server_.durable().read(path);
    if (bytes.empty()) continue;
    // Where something is: most of a segment is zeros.
    uint64_t block = place.decide((bytes.size() + 511) / 512) * 512;
    Bytes sector = Bytes(bytes).substr(block, 512);
    if (sector.find_first_not_of('\0') == Bytes::npos) continue;
    uint64_t offset = block + place.decide(sector.size());
    if (!server_.disk().flip_bit(path, offset, static_cast<uint8_t>(place.decide(8)), world_.counts())) continue;
    flipped_ = fmt::format("{} at {}", path, offset);
    world_.trace().note("suite: flipped a bit of " + flipped_);
    crud_.tolerate_corrupt = true;
    start_server();
    start_verification();
    return;
  }
  finish();
}

/// Of two checkpoints the newer may rot: the older one and the journal have everything. Not again before two more were written: of two, one is
/// whole. Nor where a failed sync left pages clean that are not: the older one may be held by the cache alone.
void Durability::damage_newest_manifest() {
  std::vector<std::string> manifests;
  for (const std::string& path : server_.durable().files("/data"))
    if (path.starts_with("data/MANIFEST.") && server_.durable().size(path).value_or(0) > 0) manifests.push_back(path);
  if (manifests.size() < 2) return;
  auto number = [](const std::string& path) {
    uint64_t n = 0;
    std::from_chars(path.data() + path.rfind('.') + 1, path.data() + path.size(), n);
    return n;
  };
  const std::string& newest = *std::max_element(manifests.begin(), manifests.end(),
                                                [&](const std::string& a, const std::string& b) { return number(a) < number(b); });
  sim::Stream place = world_.stream(fmt::format("suite/end-{}/manifest-rots", ends_));
  if (world_.counts()[sim::Fault::kSyncErrorClean] > 0) return;
  if (rotten_manifest_ > 0 && number(newest) < rotten_manifest_ + 2) return;
  rotten_manifest_ = number(newest);
  uint64_t offset = place.decide(*server_.durable().size(newest));
  if (server_.disk().flip_bit(newest, offset, static_cast<uint8_t>(place.decide(8)), world_.counts()))
    world_.trace().note(fmt::format("suite: flipped a bit of {} at {}", newest, offset));
}

void Durability::finish() {
  phase_ = Phase::kDone;
  world_.stop();
}

// ---- The run ----

SeedResult Durability::run() {
  const sim::Orders* read_errors = world_.trace().decisions().find("server/disk/read-error");
  crud_.tolerate_internal = world_.plan().read_error > 0 || read_errors;
  ledger_.on_violation = [this] { world_.stop(); };  // one is enough, and what follows would only repeat it
  if (world_.trace().on()) ledger_.tell = [this](const std::string& sentence) { world_.trace().note("ledger: " + sentence); };
  server_.on_end = [this](End how, int exit_code) { server_ended(how, exit_code); };
  start_server();
  for (int i = 0; i < clients_; ++i) {
    auto chosen = overrides_.operations.find(i);
    if (chosen != overrides_.operations.end() && chosen->second.empty()) {
      world_.after(Duration{}, [this] { client_done(); });
      continue;
    }
    sim::Node& node = world_.add_node(fmt::format("client-{}", i));
    node.on_end = [this](End, int) { client_done(); };
    node.start([this, i](io::Host& host) { return client(host, i); }, {.cores = 1});
  }
  return result(world_.run({.until = kTimeLimit}));
}

SeedResult Durability::result(sim::World::Stop why) {
  SeedResult out;
  if (phase_ != Phase::kDone && ledger_.violations().empty())
    ledger_.violation(why == sim::World::Stop::kNothingLeft ? "everything waits for something that never comes"
                                                            : "the clients or the server made no progress in an hour");
  out.violations = ledger_.violations();
  out.configuration = fmt::format("clients={} {} | {}", clients_, describe(config_), sim::to_text(world_.plan()));
  out.simulated_seconds = static_cast<double>(world_.now().ns) / 1e9;
  auto& c = out.counts;
  c["restarts"] = restarts_;
  c["power losses"] = power_losses_;
  c["process deaths"] = world_.counts()[sim::Fault::kProcessDeath];
  c["client operations"] = crud_.counts().performed;
  c["operations asked"] = crud_.counts().asked;
  c["operations checked"] = ledger_.answered();
  c["outcomes unknown"] = crud_.counts().unknown;
  c["operations refused"] = crud_.counts().refused;
  c["exports checked"] = crud_.counts().exports;
  c["faults injected"] = world_.counts().total();
  c["faults struck"] = world_.counts().struck();
  for (size_t f = 0; f < static_cast<size_t>(sim::Fault::kCount); ++f)
    if (uint64_t n = world_.counts()[static_cast<sim::Fault>(f)]) c["fault: " + std::string(sim::name(static_cast<sim::Fault>(f)))] = n;
  for (const auto& [name, n] : world_.record().probes()) out.probes[name] = n;
  out.misfits = settings_.misfits();
  out.hash = world_.finish();
  return out;
}

}  // namespace

SeedResult run_durability_sync(const SeedOptions& options) { return Durability(options, core::SyncMode::kSync).run(); }
SeedResult run_durability_async(const SeedOptions& options) { return Durability(options, core::SyncMode::kAsync).run(); }

}  // namespace holdfast::chaos
