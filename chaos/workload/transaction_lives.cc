#include "chaos/workload/transaction_lives.h"

#include <fmt/format.h>

namespace holdfast::chaos {
namespace {

/// Two clocks, each a tenth off: so much longer one of them may take a duration to be.
constexpr int64_t kOffNumerator = 13, kOffDenominator = 10;

bool surely_longer(Duration measured, Duration than) { return measured.ns / kOffNumerator * kOffDenominator > than.ns; }
bool surely_shorter(Duration measured, Duration than) {
  return measured.ns < than.ns / kOffNumerator * kOffDenominator;
}

}  // namespace

TransactionLives::Asked TransactionLives::ask(OpenTransaction& t, Time now) const {
  bool alone = t.under_way++ == 0 && !t.unanswered;
  return {now, life_, alone ? now - t.used_by : Duration{}};
}

void TransactionLives::heard(OpenTransaction& t, const Asked& asked, Time now, const Error* error) {
  --t.under_way;
  if (!error) {
    if (!t.ending && asked.life != t.life)
      ledger_.violation("a transaction goes on that began before the server's last start");
    if (!t.ending && surely_longer(asked.unused, rules_.idle))
      ledger_.violation(
          fmt::format("a transaction goes on that nobody has used for {} ms", asked.unused.ns / 1'000'000));
    t.used_from = std::max(t.used_from, asked.at);
    t.used_by = std::max(t.used_by, now);
    return;
  }
  if (error->code != Code::kTxUnknown) {
    t.unanswered = true;
    return judge(*error);
  }
  if (life_ != t.life || rules_.short_of_memory) return;
  if (!t.ending && surely_shorter(now - t.used_from, rules_.idle))
    ledger_.violation(fmt::format("a transaction that was used {} ms ago is not known: {}",
                                  (now - t.used_from).ns / 1'000'000, error->text()));
  if (t.ended_from && surely_shorter(now - *t.ended_from, rules_.remembered))
    ledger_.violation(fmt::format("the outcome of a transaction that ended {} ms ago is not known: {}",
                                  (now - *t.ended_from).ns / 1'000'000, error->text()));
}

void TransactionLives::judge(const Error& error) {
  switch (error.code) {
    case Code::kInternal:
      if (!tolerate_internal) ledger_.violation("the server reports a fault of its own: " + error.text());
      return;
    case Code::kCorrupt:
      if (!tolerate_corrupt) ledger_.violation("without any media fault the server said: " + error.text());
      return;
    case Code::kSnapshotTooOld:
      if (!rules_.short_of_memory) ledger_.violation("a snapshot is too old though there is memory: " + error.text());
      return;
    case Code::kBadRequest:
    case Code::kUnsupported:
    case Code::kNotFound:
      ledger_.violation("a request within a transaction that nothing speaks against was refused: " + error.text());
      return;
    default:
      return;
  }
}

}  // namespace holdfast::chaos
