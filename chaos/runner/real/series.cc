#include "chaos/runner/real/series.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>

#include "chaos/runner/real/server_stats.h"

namespace holdfast::chaos {
namespace {

/// A server that needs longer has not started, or not stopped.
constexpr double kPatience = 120;
/// So many that none grows long.
constexpr uint64_t kLists = 60;
constexpr int kTransactionsClients = 3;
constexpr BankHistory::Bank kBank{.accounts = 10, .accounts_per_owner = 2, .first_balance = 20, .floor = BankHistory::Floor::kOwner};

}  // namespace

Series::Series(const RealOptions& o, Ending ending, std::string mode, std::string directory, uint64_t seed, uint64_t rounds)
    : options_(o),
      ending_(ending),
      server_options_{.program = o.program, .directory = std::move(directory), .flags = {"--sync-mode", mode}},
      random_(seed, "real suite"),
      rounds_left_(rounds),
      ledger_({.sync = mode == "sync"}),
      real_({}),
      host_(real_.host()) {
  server_options_.flags.insert(server_options_.flags.end(), o.flags.begin(), o.flags.end());
  report_.mode = std::move(mode);
}

RealReport Series::run() {
  double begin = monotonic_seconds();
  real_.run(all_rounds());
  server_.reset();
  if (crud_) report_.unknown = crud_->counts().unknown;
  if (flood_) report_.flooded = flood_->acknowledged();
  report_.checked = ledger_.answered();
  report_.violations = ledger_.violations();
  report_.wall_seconds = monotonic_seconds() - begin;
  return report_;
}

void Series::violation(std::string sentence) { ledger_.violation(std::move(sentence)); }

io::Task<void> Series::run_client(int index) { co_await crud_->run_client(host_, index); }

io::Task<void> Series::run_transactions(int index) { co_await transactions_->run_client(host_, index); }

void Series::stop_clients() {
  crud_->stop();
  flood_->stop();
  transactions_->stop();
}

io::Task<void> Series::all_rounds() {
  io::Executor& here = co_await io::this_executor();
  relay_.emplace(host_, here);
  clients_.emplace(here);
  if (Result<> listening = co_await relay_->listen(); !listening) co_return violation("the relay cannot listen: " + listening.error().text());
  crud_.emplace(CrudOptions{.server = relay_->address(), .clients = options_.clients, .keys = 24, .operations = 0, .pause_max = milliseconds(4)}, ledger_,
                random_.fork("crud"));
  flood_.emplace(FloodOptions{.server = relay_->address(), .writers = options_.writers}, ledger_);
  transactions_.emplace(TransactionsOptions{.server = relay_->address(), .lists = {.keys = kLists}, .bank = kBank, .operations = 0}, ledger_, random_.fork("transactions"));
  for (int i = 0; i < options_.clients; ++i) clients_->spawn(run_client(i));
  for (int i = 0; i < kTransactionsClients; ++i) clients_->spawn(run_transactions(i));
  clients_->spawn(flood_->run(host_));
  while (rounds_left_ > 0 && co_await start()) {
    co_await load();
    co_await end_under_load();
  }
  if (!given_up_) co_await last_words();
  stop_clients();
  co_await relay_->close();
  co_await clients_->drained();
}

// ---- Starting ----

io::Task<bool> Series::start() {
  for (;;) {
    // A third of the starts end before they are done, at any point of what a start takes.
    bool cut_short = ending_ == Ending::kKill && rounds_left_ > 1 && random_.chance(1, 3);
    double usual = report_.startups.empty() ? 0.03 : report_.startups[report_.startups.size() / 2];
    double end_after = cut_short ? usual * static_cast<double>(random_.below(1200)) / 1000 : kPatience;
    server_.emplace(ServerProcess::start(server_options_));
    if (co_await wait_started(*server_, std::min(end_after, kPatience)) == ServerProcess::State::kReady) co_return co_await take_over();
    if (!cut_short || server_->poll() == ServerProcess::State::kEnded) {
      violation(fmt::format("the server did not start: {}; it said:\n{}", describe_end(server_->status()), server_->log()));
      given_up_ = true;
      co_return false;
    }
    server_->end(SIGKILL);
    ended();
    ++report_.ended_starting;
  }
}

/// Tells the ledger what came back, then lets the clients in.
io::Task<bool> Series::take_over() {
  report_.startups.push_back(server_->startup_seconds());
  Result<ServerStats> s = co_await ask_stats(host_, server_->port());
  if (!s) {
    violation("a fresh server did not answer: " + s.error().text());
    given_up_ = true;
    co_return false;
  }
  if (ending_ == Ending::kTerm && clean_ && s->checkpoint != s->lsn)
    violation(fmt::format("after a clean stop the checkpoint is at LSN {}, the log at {}: there was something to replay", s->checkpoint.value, s->lsn.value));
  last_checkpoints_ = s->checkpoints;
  ledger_.restarted(s->lsn);
  relay_->open({"127.0.0.1", server_->port()});
  co_return true;
}

// ---- Load, and the end ----

io::Task<void> Series::load() {
  if (random_.chance(1, 4) || rounds_left_ == 1) co_await verify();
  if (random_.chance(1, 3)) {
    co_await io::sleep_for(milliseconds(static_cast<int64_t>(random_.below(50))));
    relay_->cut();
    ++report_.cuts;
  }
  co_await io::sleep_for(microseconds(static_cast<int64_t>(random_.below(static_cast<uint64_t>(options_.load_ms_max) * 1000))));
}

io::Task<void> Series::verify() {
  bool whole = co_await crud_->verify(host_);
  whole = co_await flood_->verify(host_) && whole;
  whole = co_await transactions_->verify(host_) && whole;
  transactions_->judge();
  if (!whole) violation("a server that was let be did not answer every read");
  ++report_.verifications;
}

void Series::ended() {
  if (rounds_left_ > 0) --rounds_left_;
  ++report_.rounds;
  if (std::string found = find_report(server_->log()); !found.empty()) violation("the server reported:\n" + found);
  ledger_.ended(Loss::kNothing);
}

io::Task<void> Series::end_under_load() {
  if (Result<ServerStats> s = ending_ == Ending::kTerm ? co_await ask_stats(host_, server_->port()) : Result<ServerStats>(); s) report_.checkpoints += s->checkpoints;
  if (server_->poll() == ServerProcess::State::kEnded)
    violation(fmt::format("the server ended by itself: {}; it said:\n{}", describe_end(server_->status()), server_->log()));
  server_->signal(ending_ == Ending::kKill ? SIGKILL : SIGTERM);
  std::optional<int> status = co_await wait_ended(*server_, kPatience);
  relay_->shut();
  clean_ = exited_with(status, 0);
  if (ending_ == Ending::kTerm && !clean_)
    violation(fmt::format("after SIGTERM: {} instead of exit code 0; it said:\n{}", describe_end(status), server_->log()));
  ended();
}

/// After the last round: what is there is right, survives a clean stop, and needs no replay after it.
io::Task<void> Series::last_words() {
  rounds_left_ = 1;  // no start is cut short
  if (!co_await start()) co_return;
  stop_clients();
  co_await clients_->drained();
  co_await verify();
  relay_->shut();
  server_->signal(SIGTERM);
  std::optional<int> status = co_await wait_ended(*server_, kPatience);
  clean_ = exited_with(status, 0);
  if (!clean_) violation(fmt::format("after SIGTERM: {} instead of exit code 0; it said:\n{}", describe_end(status), server_->log()));
  ledger_.ended(Loss::kNothing);
  ending_ = Ending::kTerm;
  if (!co_await start()) co_return;
  co_await verify();
  relay_->shut();
  server_->signal(SIGTERM);
  (void)co_await wait_ended(*server_, kPatience);
  if (std::string found = find_report(server_->log()); !found.empty()) violation("the server reported:\n" + found);
}

}  // namespace holdfast::chaos
