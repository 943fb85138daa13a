#include "chaos/suite/sessions.h"

#include "chaos/suite/durability_draw.h"
#include "chaos/suite/one_server.h"
#include "chaos/workload/once.h"

namespace holdfast::chaos {
namespace {

class SessionsSuite : OneServer {
 public:
  explicit SessionsSuite(const SeedOptions& options)
      : OneServer(options, draw_config),
        once_({.server = config_.listen,
               .keys = settings_.between("keys", 1, 5),
               .operations = settings_.between("operations", 5, 50),
               .timeout = milliseconds(static_cast<int64_t>(settings_.log_between("timeout-ms", 20, 2000, 2000)))},
              ledger_, Rng(options.seed, "once")) {
    for (const char* name : {"server.sessions", "server.session-bytes"}) settings_.may_ask(name);
    last_client = [this](io::Host& host) { return verify(host); };
  }

  SeedResult run() {
    start_clients("once", settings_.between("clients", 1, 4), [this](io::Host& host, int i) { return client(host, i); });
    run_world();
    SeedResult out = result();
    const Once::Counts& n = once_.counts();
    out.counts["requests asked"] = n.asked;
    out.counts["requests done"] = n.done;
    out.counts["requests refused"] = n.refused;
    out.counts["outcomes unknown"] = n.unknown;
    out.counts["outcomes asked after"] = n.asked_after;
    out.counts["numbers taken again"] = n.taken;
    out.counts["attempts"] = n.attempts;
    out.counts["attempts that came late"] = n.late;
    out.counts["sessions"] = n.sessions;
    return out;
  }

 private:
  static server::Config draw_config(Settings& s) {
    auto mode = s.one_in("async", 4) ? core::SyncMode::kAsync : core::SyncMode::kSync;
    server::Config c = chaos::draw_config(s, mode, {});
    // Few places: sessions make way for others.
    c.engine.max_sessions = static_cast<uint32_t>(s.one_in("few-sessions", 3) ? s.between("server.sessions", 1, 8, 8) : 10'000);
    if (s.one_in("forgetful-sessions", 3)) c.engine.session_bytes = s.between("server.session-bytes", 100, 3000, 3000);
    return c;
  }

  io::Task<int> client(io::Host& host, int index) {
    co_await once_.run_client(host, index);
    co_return 0;
  }
  io::Task<int> verify(io::Host& host) {
    co_await once_.verify(host);
    co_return 0;
  }

  Once once_;
};

}  // namespace

SeedResult run_sessions(const SeedOptions& options) { return SessionsSuite(options).run(); }

}  // namespace holdfast::chaos
