#include "server/server_core.h"

#include <fmt/format.h>

#include "io/base/probe.h"
#include "server/session.h"
#include "server/users_file.h"

namespace holdfast::server {
namespace {

uint64_t share(const ServerFacts& facts, uint64_t bytes) { return std::max<uint64_t>(1, bytes / facts.host.cores.count()); }

// Collects the metrics of all cores, for the core that asked.
struct Sum {
  Metrics total;
  size_t missing;
  io::Event complete;
};

}  // namespace

ServerCore::ServerCore(const ServerFacts& facts, CoreId id, std::vector<std::unique_ptr<ServerCore>>& all)
    : requests(share(facts, facts.config.limits.bytes_in_flight / 4)),
      writes(share(facts, facts.config.limits.bytes_in_flight / 4)),
      large_frames(share(facts, facts.config.limits.bytes_in_flight / 2)),
      answers(share(facts, facts.config.limits.answer_bytes / 4)),
      large_answers(share(facts, facts.config.limits.answer_bytes / 4 * 3)),
      repeats(facts.config.limits.repeat_window, facts.config.limits.repeats),
      logins(facts.logins),
      facts_(facts),
      id_(id),
      executor_(facts.host.cores.executor(id)),
      all_(all),
      users_file_(facts.users_file) {}

// --- Connections.

void ServerCore::serve(std::unique_ptr<io::Connection> connection) {
  ++running_;
  ++metrics.connections_accepted;
  executor_.spawn(run_session(std::move(connection)));
}

io::Task<void> ServerCore::run_session(std::unique_ptr<io::Connection> connection) {
  ++metrics.connections;
  {
    Session session(*this, std::move(connection));
    sessions_.push_back(session);
    if (stopping_) session.finish();
    co_await session.run();
  }
  --metrics.connections;
  count_down();
  task_ended();
}

// Core 0 is told before this core counts as stopped, so that no such message outlives the server.
void ServerCore::count_down() {
  if (id_ == CoreId(0)) {
    --open_connections;
  } else {
    facts_.host.cores.send(id_, CoreId(0), [&first = *all_[0]] { --first.open_connections; });
  }
}

void ServerCore::refuse(std::unique_ptr<io::Connection> connection) {
  ++metrics.connections_refused;
  if (stopping_ || refusals_ >= limits().lingering) return;
  ++refusals_;
  ++running_;
  executor_.spawn(run_refusal(std::move(connection)));
}

io::Task<void> ServerCore::tell(io::Connection& connection, Bytes text, io::Event& told) {
  (void)co_await connection.write_all(text);
  told.set();
}

io::Task<void> ServerCore::run_refusal(std::unique_ptr<io::Connection> connection) {
  Buffer out;
  wire::ReplyWriter reply(out, 0);
  reply.fail(
      {Code::kOverloaded, fmt::format("the server has its {} connections; try again later, or raise --max-connections",
                                      limits().connections)});
  reply.end({engine().committed_lsn(), engine().durable_lsn()});
  metrics.count_error(Code::kOverloaded);
  // A peer that takes nothing while it writes itself must not keep the place.
  io::Event told;
  executor_.spawn(tell(*connection, out, told));
  co_await stopped_.wait(executor_.now() + limits().linger);
  connection->close();
  co_await told.wait();
  connection.reset();
  --refusals_;
  task_ended();
}

// --- Time.

void ServerCore::start() {
  ++running_;
  executor_.spawn(watch());
}

io::Task<void> ServerCore::watch() {
  while (!co_await stopped_.wait(executor_.now() + limits().sweep)) {
    Time now = executor_.now();
    Duration patience = is_waited_for() ? limits().patience_when_full : limits().patience;
    each_session([&](Session& session) { session.watch(now, patience); });
    repeats.forget_old(now);
    warn_when_full();
  }
  task_ended();
}

bool ServerCore::is_waited_for() const {
  return requests.waited_for() || writes.waited_for() || large_frames.waited_for() || answers.waited_for() || large_answers.waited_for();
}

void ServerCore::warn_when_full() {
  auto passes = [](const Budget& b, uint64_t percent) { return b.used() > b.total() / 100 * percent; };
  auto one_passes = [&](uint64_t percent) {
    return passes(requests, percent) || passes(writes, percent) || passes(large_frames, percent);
  };
  if (!warned_ && one_passes(80)) {
    warned_ = true;
    log(io::Level::kWarning,
        fmt::format("core {}: requests and unsent answers hold {} bytes, over 80 % of what is allowed; at 100 % no "
                    "further requests are read until answers have left",
                    id_.value, bytes_held()));
  }
  if (warned_ && !one_passes(50)) warned_ = false;
}

// --- The end.

io::Task<bool> ServerCore::stop() {
  stopping_ = true;
  stopped_.set();
  each_session([](Session& session) { session.finish(); });
  if (!co_await ended_by(executor_.now() + limits().stop_grace)) {
    hurry();
    co_await ended_by(executor_.now() + limits().stop_grace);
  }
  co_return running_ == 0;
}

void ServerCore::hurry() {
  hurried_ = true;
  each_session([](Session& session) { session.abort(); });
  changed_.notify_all();
}

// True when all tasks have ended; false when the deadline passed or somebody asked to hurry first.
io::Task<bool> ServerCore::ended_by(Time deadline) {
  bool hurried = hurried_;
  while (running_ > 0)
    if (!co_await changed_.wait(deadline) || hurried_ != hurried) break;
  co_return running_ == 0;
}

void ServerCore::task_ended() {
  --running_;
  changed_.notify_all();
}

template <class F>
void ServerCore::each_session(F f) {
  for (size_t n = sessions_.size(); n > 0; --n) {
    io::ListNode* node = sessions_.pop_front();
    sessions_.push_back(*node);
    f(static_cast<Session&>(*node));
  }
}

// --- Between cores.

template <class F>
void ServerCore::on_core_0(F f) {
  if (id_ == CoreId(0)) return f(*all_[0]);
  facts_.host.cores.send(id_, CoreId(0), [&first = *all_[0], f] { f(first); });
}

void ServerCore::insert_broke(Hash128 fingerprint) {
  on_core_0([fingerprint](ServerCore& first) { first.repeats.add(fingerprint, first.executor_.now()); });
}

uint64_t ServerCore::insert_broke_under_way(Hash128 fingerprint) {
  uint64_t insert = uint64_t{id_.value} << 48 | ++broken_inserts_;
  on_core_0([insert, fingerprint](ServerCore& first) { first.repeats.begin(insert, fingerprint); });
  return insert;
}

void ServerCore::insert_ended(uint64_t insert, bool inserted) {
  on_core_0([insert, inserted](ServerCore& first) {
    first.repeats.end(insert, inserted, first.executor_.now());
    first.insert_ended_.notify_all();
  });
}

io::Task<bool> ServerCore::may_repeat(Hash128 fingerprint) {
  io::OneShot<bool> answer;
  on_core_0([&answer, fingerprint, asker = id_](ServerCore& first) {
    // Which of those that broke came before is decided here, where messages arrive in order.
    first.executor_.spawn(first.answer_repeat(fingerprint, first.repeats.last_begun(), asker, answer));
  });
  co_return co_await answer.take();
}

io::Task<void> ServerCore::answer_repeat(Hash128 fingerprint, uint64_t broke_before, CoreId asker, io::OneShot<bool>& answer) {
  while (repeats.under_way(fingerprint, broke_before)) {
    SOMETIMES(true, "repeat-waits-for-the-first-attempt");
    co_await insert_ended_.wait();
  }
  bool may = repeats.take(fingerprint, executor_.now());
  facts_.host.cores.send(id_, asker, [&answer, may] { answer.set(may); });
}

// --- Users.

io::Task<Result<>> ServerCore::change_users(UserChange change) {
  auto make = [&first = *all_[0], change = std::move(change)] { return first.change_users_here(change); };
  co_return co_await io::call_on<Result<>>(facts_.host.cores, CoreId(0), std::move(make));
}

io::Task<Result<>> ServerCore::change_users_here(UserChange change) {
  co_await changing_users_.acquire(1);
  Logins changed = logins;
  if (!changed.users) changed.users = new_users(facts_.host.random);
  Result<> done = apply(change, changed);
  if (done) {
    if (!MUTANT("user-change-not-written")) done = co_await write_users(facts_.host.disk, config().engine.data_path, users_file_, *changed.users);
    ++users_file_;  // also after an error: the name may be taken
  }
  if (done) {
    for (const auto& core : all_) {
      if (MUTANT("users-change-on-one-core") && core->id() != CoreId(0)) continue;
      auto make = [&core = *core, &users = *changed.users, &change] {
        return core.adopt_users(users, change.user.name);
      };
      co_await io::call_on<bool>(facts_.host.cores, core->id(), make);
    }
  }
  changing_users_.release(1);
  co_return done;
}

io::Task<bool> ServerCore::adopt_users(Users users, std::string changed) {
  logins.users = std::move(users);
  each_session([&](Session& session) { session.users_changed(changed); });
  co_return true;
}

void ServerCore::login_failed(std::string_view user, std::string_view peer, const Error& why) {
  constexpr Duration kBetweenLines = seconds(10);
  ++metrics.logins_failed;
  Time now = executor_.now();
  if (now - login_failure_told_ < kBetweenLines) {
    ++login_failures_untold_;
    return;
  }
  login_failure_told_ = now;
  uint64_t untold = std::exchange(login_failures_untold_, 0);
  std::string more = untold > 0 ? fmt::format(" ({} further failures since the last such line)", untold) : "";
  log(io::Level::kWarning,
      fmt::format("{} failed to log in{}{}: {}{}", peer, user.empty() ? "" : " as ", user, why.message, more));
}

void ServerCore::handshake_begins(HandshakePlace& place) {
  if (handshakes_.size() + failed_handshakes_.size() >= limits().handshakes) {
    io::ListNode* first = failed_handshakes_.empty() ? handshakes_.pop_front() : failed_handshakes_.pop_front();
    SOMETIMES(true, "handshake-gives-way");
    ++metrics.handshakes_refused;
    if (first) static_cast<HandshakePlace*>(first)->session.abort();
  }
  handshakes_.push_back(place);
}

Metrics ServerCore::metrics_now() const {
  Metrics out = metrics;
  out.bytes_in_flight = bytes_held();
  return out;
}

io::Task<Metrics> ServerCore::total_metrics() {
  Sum sum{.total = metrics_now(), .missing = all_.size() - 1};
  for (const auto& other : all_) {
    if (other.get() == this) continue;
    facts_.host.cores.send(id_, other->id(), [this, &core = *other, &sum] {
      facts_.host.cores.send(core.id(), id_, [&sum, part = core.metrics_now()] {
        sum.total += part;
        if (--sum.missing == 0) sum.complete.set();
      });
    });
  }
  if (sum.missing > 0) co_await sum.complete.wait();
  co_return sum.total;
}

}  // namespace holdfast::server
