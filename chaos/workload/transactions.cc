#include "chaos/workload/transactions.h"

#include <fmt/format.h>

#include "chaos/workload/pause.h"

namespace holdfast::chaos {

Transactions::Transactions(TransactionsOptions options, Ledger& ledger, Rng random)
    : options_(std::move(options)),
      random_(random),
      lives_(options_.rules, ledger),
      lists_(options_.lists, lives_, ledger),
      bank_(options_.bank, lives_, ledger),
      jobs_(lives_, ledger) {
  ledger.on_restart.push_back([this](Lsn recovered, bool lossy) {
    lives_.restarted();
    lists_.restarted(recovered, lossy);
    bank_.restarted(recovered, lossy);
    jobs_.restarted(recovered, lossy);
  });
}

io::Task<void> Transactions::run_client(io::Host& host, int index) {
  // Half of them number their changes.
  client::Options options{.server = options_.server,
                          .login = options_.login,
                          .connections = 3,
                          .timeout = options_.timeout,
                          .connect_timeout = options_.timeout,
                          .max_attempts = 4,
                          .sessions = index % 2 == 0};
  TransactionSession s(host, std::move(options), random_);
  Lists::Strays strays;
  for (uint64_t n = 0; (options_.operations == 0 || n < options_.operations) && !stopping_; ++n) {
    s.random = random_.fork(fmt::format("client {} operation {}", index, n));
    uint64_t what = s.random.below(8);
    if (what < 2)
      co_await bank_.step(s);
    else if (what == 2)
      co_await jobs_.step(s);
    else
      co_await lists_.step(s, strays);
    co_await io::sleep_for(drawn_pause(s.random, options_.pause_max));
  }
  lists_.give_up(strays);
  co_await s.client.close();
}

io::Task<bool> Transactions::verify(io::Host& host) {
  TransactionSession s(host,
                       {.server = options_.server,
                        .login = options_.login,
                        .connections = 1,
                        .timeout = seconds(30),
                        .max_attempts = 20},
                       random_.fork(fmt::format("verify {}", asked())));
  bool all = co_await lists_.verify(s);
  all = co_await bank_.verify(s) && all;
  all = co_await jobs_.verify(s) && all;
  co_await s.client.close();
  co_return all;
}

Bounds Transactions::count(Lsn lsn) const {
  Bounds out = lists_.count(lsn);
  out += bank_.count(lsn);
  out += jobs_.count(lsn);
  return out;
}

}  // namespace holdfast::chaos
