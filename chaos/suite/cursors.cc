#include "chaos/suite/cursors.h"

#include <fmt/core.h>

#include "chaos/suite/durability_draw.h"
#include "chaos/suite/one_server.h"
#include "chaos/workload/collections.h"
#include "chaos/workload/crud.h"
#include "chaos/workload/streams.h"

namespace holdfast::chaos {
namespace {

constexpr uint64_t kKeys = 12;

std::vector<std::string> keys() {
  std::vector<std::string> out;
  for (uint64_t k = 0; k < kKeys; ++k) out.push_back(fmt::format("k{}", k));
  return out;
}

class CursorsSuite : OneServer {
 public:
  explicit CursorsSuite(const SeedOptions& options)
      : OneServer(options, draw_config),
        crowded_(settings_.one_in("cursors-crowded", 4)),
        forgetful_(settings_.one_in("cursors-forgetful", 6)),
        crud_({.server = config_.listen, .keys = kKeys, .operations = settings_.between("operations", 40, 150), .pause_max = milliseconds(15)}, ledger_,
              Rng(options.seed, "workload")),
        collections_({.server = config_.listen,
                      .collections = settings_.between("collections", 1, 2),
                      .operations = settings_.between("collections-operations", 20, 80),
                      .drops = settings_.between("collections-drops", 5, 20),
                      .streams = true},
                     ledger_, Rng(options.seed, "collections")),
        streams_(draw_streams(), ledger_, Rng(options.seed, "streams")) {
    settings_.may_ask("cursors.max");
  }

  SeedResult run() {
    start_clients("client", settings_.between("clients", 1, 3), [this](io::Host& host, int i) { return run_client(crud_, host, i); });
    start_clients("collections", settings_.between("collections-clients", 0, 2), [this](io::Host& host, int i) { return run_client(collections_, host, i); });
    start_clients("streams", settings_.between("streams-clients", 1, 4), [this](io::Host& host, int i) { return run_client(streams_, host, i); });
    run_world();
    SeedResult out = result();
    const core::EngineOptions& e = config_.engine;
    out.configuration = fmt::format("max={} idle_ms={} age_ms={} history={} scan={} page={} | {}", e.max_cursors, e.cursor_idle.ns / 1'000'000,
                                    e.snapshot_age.ns / 1'000'000, e.history_bytes, e.page_scan_bytes, config_.limits.export_part_bytes, out.configuration);
    const StreamsCounts& n = streams_.counts();
    out.counts["streams begun"] = n.begun;
    out.counts["streams judged"] = n.judged;
    out.counts["pages"] = n.pages;
    out.counts["pages asked again"] = n.again;
    out.counts["cursors expired"] = n.expired;
    out.counts["snapshots too old"] = n.too_old;
    out.counts["cursors of other streams"] = n.foreign;
    out.counts["no cursors"] = n.malformed;
    out.counts["collections dropped"] = collections_.drops();
    return out;
  }

 private:
  static server::Config draw_config(Settings& s) {
    auto mode = s.one_in("async", 4) ? core::SyncMode::kAsync : core::SyncMode::kSync;
    server::Config c = chaos::draw_config(s, mode, {});
    core::EngineOptions& e = c.engine;
    auto time = [&s](const char* name, uint64_t low, uint64_t high) { return milliseconds(static_cast<int64_t>(s.log_between(name, low, high, high))); };
    if (s.one_in("cursors-crowded", 4)) e.max_cursors = static_cast<uint32_t>(s.between("cursors.max", 1, 6, 6));
    // Whatever transactions have to put up with elsewhere.
    e.history_bytes = s.one_in("cursors-forgetful", 6) ? 0 : core::EngineOptions{}.history_bytes;
    e.cursor_idle = time("cursors.idle-ms", 100, 600'000);
    e.cursor_abandoned = time("cursors.abandoned-ms", 10, 30'000);
    e.cursor_done = time("cursors.done-ms", 50, 15'000);
    e.snapshot_age = time("cursors.age-ms", 200, 3'600'000);
    e.page_ahead_bytes = s.log_between("cursors.ahead-bytes", 8, 256 << 10, 256 << 10);
    e.page_scan_bytes = s.log_between("cursors.scan-bytes", 200, 1 << 20, 1 << 20);
    e.pages_bytes = s.log_between("cursors.room-bytes", 100, 256 << 20, 256 << 20);
    c.limits.answer_bytes = s.log_between("cursors.answers-kb", 16, 1024, 1024) << 10;
    c.limits.first_answer = s.log_between("cursors.first-answer", 64, 16 << 10, 16 << 10);
    c.limits.export_part_bytes = s.log_between("cursors.page-bytes", 200, 64 << 10, 64 << 10);
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

  bool crowded_, forgetful_;
  Crud crud_;
  Collections collections_;
  Streams streams_;
};

}  // namespace

SeedResult run_cursors(const SeedOptions& options) { return CursorsSuite(options).run(); }

}  // namespace holdfast::chaos
