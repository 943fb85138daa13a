#include "chaos/suite/hung_disk.h"

#include <fmt/core.h>

#include "chaos/oracle/ledger.h"
#include "chaos/suite/durability_draw.h"
#include "chaos/suite/durable_log.h"
#include "chaos/workload/documents.h"
#include "client/client.h"
#include "io/base/msgpack.h"
#include "server/server.h"
#include "sim/world.h"

namespace holdfast::chaos {
namespace {

using sim::End;

constexpr uint16_t kPort = 6900;
constexpr const char* kCollection = "docs";
constexpr Duration kLoad = milliseconds(500);  // before the disk hangs
constexpr Duration kAnswer = seconds(2);      // enough for any answer that needs no disk
constexpr Duration kTimeLimit = seconds(600);
constexpr uint64_t kWriters = 6;
/// Answers to inserts that a connection may hold beyond the bound: answers overdraw.
constexpr uint64_t kOverdraft = 2 << 10;

std::string key_of(uint64_t value) { return fmt::format("k{}", value); }

class HungDisk {
 public:
  HungDisk(const SeedOptions& options)
      : world_({.seed = options.seed,
                .plan = draw_plan(options),
                .mutants = options.mutants,
                .decisions = {.orders = options.overrides.orders, .harms = options.material ? &options.material->harms : nullptr},
                .trace = options.trace}),
        settings_(world_, options.overrides, options.material),
        tight_(settings_.one_in("tight", 3)),
        depth_(settings_.between("depth", 4, 60)),
        config_(draw_config()),
        ledger_({.sync = config_.engine.mode == core::SyncMode::kSync}),
        server_(world_.add_node("server")),
        durable_log_(server_, config_.engine.data_path) {
    ledger_.on_violation = [this] { world_.stop(); };
    ledger_.durable_through = [this] { return durable_log_.reaches(); };
    server_.on_end = [this](End how, int) { ended(how); };
  }

  SeedResult run() {
    start_server();
    start("observer", [this](io::Host& host) { return observe(host); });
    for (uint64_t i = 0; i < kWriters; ++i) start(fmt::format("writer-{}", i), [this](io::Host& host) { return write(host); });
    sim::World::Stop why = world_.run({.until = kTimeLimit});
    if (why != sim::World::Stop::kAsked && ledger_.violations().empty()) ledger_.violation("the run came to no end");
    SeedResult out;
    out.violations = ledger_.violations();
    out.configuration = fmt::format("tight={} depth={} stall_ms={} ends={}", tight_, depth_, config_.engine.stall_after.ns / 1'000'000, how_it_ends());
    out.counts["operations checked"] = ledger_.answered();
    out.counts["writes overloaded"] = overloaded_;
    out.counts["reads while hung"] = reads_;
    out.counts["looks at memory"] = looks_;
    conclude(world_, server_, settings_, out);
    return out;
  }

 private:
  /// Timing alone: what goes wrong is the disk.
  static sim::FaultPlan draw_plan(const SeedOptions& options) {
    sim::Trace unused;
    sim::FaultPlan plan = sim::swarm(options.seed, unused, {.crash = false, .fail_stop = false});
    for (const auto& [name, value] : options.overrides.settings) (void)sim::set_fault(plan, name, value);
    if (options.material) tell_plan(plan, *options.material);
    return plan;
  }

  server::Config draw_config() {
    server::Config c;
    c.listen = {"server", kPort};
    c.engine.data_path = "/data";
    c.engine.shard_count = static_cast<uint16_t>(settings_.between("shards", 1, 4));
    c.engine.journal.segment_bytes = 64 << 10;
    c.engine.mode = settings_.one_in("async", 2) ? core::SyncMode::kAsync : core::SyncMode::kSync;
    c.engine.stall_after = milliseconds(static_cast<int64_t>(settings_.log_between("stall-ms", 100, 3000, 100)));
    c.engine.requests_per_shard = static_cast<uint32_t>(settings_.log_between("requests-per-shard", 2, 512, 512));
    c.limits.bytes_in_flight = tight_ ? settings_.between("budget-kb", 16, 128, 128) << 10 : uint64_t{64} << 20;
    // Small finds come in turns, a large one alone.
    c.limits.answer_bytes = settings_.between("answers-kb", 16, 128, 128) << 10;
    c.limits.first_answer = settings_.log_between("first-answer", 64, 4096, 4096);
    c.limits.requests_per_connection = static_cast<uint32_t>(settings_.log_between("requests-per-connection", 4, 128, 128));
    // Whoever waits for the disk is to be waited for: the bounds in time are other suites'.
    c.limits.late_reply = Duration{};
    c.limits.patience = c.limits.patience_when_full = seconds(1000);
    return c;
  }

  enum class Ends : uint8_t { kWakes, kDies, kLosesPower };
  Ends ends() { return static_cast<Ends>(settings_.between("ends", 0, 2)); }
  const char* how_it_ends() { return std::array{"wakes", "dies", "loses power"}[static_cast<size_t>(ends())]; }

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
    ledger_.restarted(serving_->engine().committed_lsn());
    if (!co_await serving_->listen()) co_return 1;
    (void)co_await serving_->wait_failed();
    co_return 0;
  }

  void ended(End how) {
    if (how == End::kExit) return ledger_.violation("the server ended by itself: " + server_.log().back());
    ledger_.ended(how == End::kPowerLoss ? Loss::kUnsynced : Loss::kNothing);
    world_.after(milliseconds(10), [this] { start_server(); });
  }

  void start(std::string name, std::function<io::Task<int>(io::Host&)> main) {
    mains_.push_back(std::move(main));
    world_.add_node(std::move(name)).start(mains_.back(), {.cores = 1});
  }

  // ---- The writers: many requests under way, until it is over ----

  io::Task<int> write(io::Host& host) {
    client::Client client(host, client_options(depth_, seconds(300)));
    io::TaskGroup tasks(co_await io::this_executor());
    for (uint64_t i = 0; i < depth_; ++i) tasks.spawn(write_on(client));
    co_await tasks.drained();
    co_await client.close();
    co_return 0;
  }

  io::Task<void> write_on(client::Client& client) {
    client::Collection docs = client.collection(kCollection);
    while (!over_) {
      uint64_t value = ++last_value_;
      auto done = co_await insert(docs, value);
      // Between one try and the next everybody waits a little.
      co_await io::sleep_for(milliseconds(done ? 10 : 50));
    }
  }

  io::Task<Result<>> insert(client::Collection& docs, uint64_t value) {
    OperationId id = ledger_.invoke(key_of(value), {.kind = Operation::Kind::kInsert, .value = value});
    auto done = co_await docs.insert_one(make_document(key_of(value), value));
    if (done) {
      ledger_.answer(id, {.done = true}, Ledger::Effect::kOwnEntry, done->lsn, done->durable_lsn);
      acknowledged_.push_back(value);
      co_return Result<>();
    }
    Code code = done.error().code;
    if (code == Code::kInternal || code == Code::kCorrupt) ledger_.violation("an insert was answered: " + done.error().text());
    if (code == Code::kUnknownOutcome) {
      ledger_.abandoned(id);
    } else {
      overloaded_ += code == Code::kOverloaded;
      ledger_.refused(id);
    }
    co_return fail(done);
  }

  static client::Options client_options(uint64_t depth, Duration timeout) {
    return {.server = {"server", kPort}, .connections = 1, .max_in_flight = depth, .timeout = timeout, .max_attempts = 1, .resend_inserts = false};
  }

  // ---- The observer ----

  io::Task<int> observe(io::Host& host) {
    co_await io::sleep_for(kLoad);
    world_.trace().note("suite: the disk hangs");
    server_.hang_disk();
    Time noticed = host.clock.now() + config_.engine.stall_after + config_.engine.stall_after + kAnswer;
    while (host.clock.now() < noticed) {
      look_at_memory();
      co_await io::sleep_for(milliseconds(20));
    }
    if (!acknowledged_.empty())
      for (int i = 0; i < 20; ++i) {
        co_await ask_while_hung(host);
        look_at_memory();
      }
    go_on();
    // Whatever happened: from now on the server does what it should.
    Time patience = host.clock.now() + seconds(60);
    while (!co_await write_again(host))
      if (host.clock.now() > patience) {
        ledger_.violation("the disk answers again, and the server takes no writes");
        co_return 1;
      }
    over_ = true;
    co_await io::sleep_for(seconds(1));
    co_await read_all(host);
    world_.stop();
    co_return 0;
  }

  void go_on() {
    world_.trace().note(fmt::format("suite: it {}", how_it_ends()));
    if (ends() == Ends::kWakes) return server_.wake_disk();
    server_.kill(ends() == Ends::kDies ? End::kProcessDeath : End::kPowerLoss);
  }

  /// Requests and answers of all clients, as the server counts them.
  void look_at_memory() {
    ++looks_;
    if (!serving_) return;
    uint64_t held = serving_->bytes_held(), bound = config_.limits.bytes_in_flight + config_.limits.answer_bytes;
    if (held > bound + (kWriters + 1) * kOverdraft)
      ledger_.violation(fmt::format("the server holds {} bytes for its clients, and may hold {}", held, bound));
  }

  io::Task<void> ask_while_hung(io::Host& host) {
    client::Client client(host, client_options(4, kAnswer));
    client::Collection docs = client.collection(kCollection);
    // Where writes use up their room before the server has noticed, a further one is not even read.
    if (!tight_) co_await write_while_hung(docs);
    uint64_t value = acknowledged_[acknowledged_.size() * ++reads_ % 997 % acknowledged_.size()];
    co_await read(docs, value, "while the disk hung");
    auto stats = co_await client.stats();
    if (!stats)
      ledger_.violation("while the disk hung there were no figures: " + stats.error().text());
    else if (stalled(stats->value) != 1)
      ledger_.violation("while the disk hung the figures did not say so");
    co_await client.close();
  }

  io::Task<void> write_while_hung(client::Collection& docs) {
    Result<> written = co_await insert(docs, ++last_value_);
    if (written)
      ledger_.violation("a write was acknowledged while the disk hung");
    else if (written.error().code != Code::kOverloaded)
      ledger_.violation("while the disk hung a write was not told `overloaded` but: " + written.error().text());
  }

  static uint64_t stalled(Bytes figures) {
    msgpack::Cursor in(figures);
    msgpack::Value map, value;
    Bytes name;
    if (!in.next(map) || map.kind != msgpack::Kind::kMap) return 2;
    for (uint32_t i = 0; i < map.count && in.string(name) && in.next(value); ++i)
      if (name == "stalled") return value.u;
    return 2;
  }

  io::Task<void> read(client::Collection& docs, uint64_t value, std::string_view when) {
    std::string key = key_of(value);
    OperationId id = ledger_.invoke(key, {.kind = Operation::Kind::kRead});
    auto found = co_await docs.find_by_id(key);
    if (!found) {
      ledger_.refused(id);
      ledger_.violation(fmt::format("{} {} was not read: {}", when, key, found.error().text()));
      co_return;
    }
    DocumentState state;
    if (found->value) {
      Result<ReadDocument> document = read_document(*found->value);
      if (!document) co_return ledger_.violation(document.error().message);
      state = document->state;
    }
    ledger_.answer(id, {.state = state}, Ledger::Effect::kNone, found->lsn, found->durable_lsn);
  }

  io::Task<bool> write_again(io::Host& host) {
    client::Client client(host, client_options(4, kAnswer));
    client::Collection docs = client.collection(kCollection);
    Result<> written = co_await insert(docs, ++last_value_);
    co_await client.close();
    if (!written) co_await io::sleep_for(milliseconds(100));
    co_return written.has_value();
  }

  io::Task<void> read_all(io::Host& host) {
    client::Client client(host, client_options(16, seconds(60)));
    client::Collection docs = client.collection(kCollection);
    for (uint64_t value = 1; value <= last_value_; ++value) co_await read(docs, value, "in the end");
    co_await client.close();
  }

  sim::World world_;
  Settings settings_;
  bool tight_;
  uint64_t depth_;
  server::Config config_;
  Ledger ledger_;
  sim::Node& server_;
  DurableLog durable_log_;
  std::unique_ptr<server::Server> serving_;
  std::deque<std::function<io::Task<int>(io::Host&)>> mains_;
  std::vector<uint64_t> acknowledged_;
  uint64_t last_value_ = 0, overloaded_ = 0, reads_ = 0, looks_ = 0;
  bool over_ = false;
};

}  // namespace

SeedResult run_hung_disk(const SeedOptions& options) { return HungDisk(options).run(); }

}  // namespace holdfast::chaos
