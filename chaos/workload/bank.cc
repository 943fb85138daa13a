#include "chaos/workload/bank.h"

#include <fmt/format.h>

#include "io/base/msgpack.h"
#include "io/sync.h"

namespace holdfast::chaos {
namespace {

using Floor = BankHistory::Floor;
using msgpack::Kind;
using msgpack::Value;
using msgpack::Writer;

constexpr const char* kDatabase = "bank";
constexpr const char* kAccounts = "accounts";
constexpr uint64_t kAmountMax = 5;

Buffer by_number(std::string_view field, uint64_t number) {
  Buffer out;
  Writer(out).map(1).string(field).uint(number);
  return out;
}

Buffer make_account(uint64_t account, uint64_t owner, int64_t balance) {
  Buffer out;
  Writer(out).map(3).string("_id").uint(account).string("o").uint(owner).string("b").integer(balance);
  return out;
}

Buffer add(int64_t amount) {
  Buffer out;
  Writer(out).map(1).string("$inc").map(1).string("b").integer(amount);
  return out;
}

std::optional<int64_t> number(Bytes document, std::string_view name) {
  Value v;
  auto raw = msgpack::lookup(document, name);
  if (!raw || !msgpack::Cursor(*raw).next(v)) return std::nullopt;
  if (v.kind == Kind::kUint) return static_cast<int64_t>(v.u);
  return v.kind == Kind::kInt ? std::optional(v.i) : std::nullopt;
}

client::Collection at(client::Client& c) { return c.collection(kAccounts, kDatabase); }
client::Collection at(const client::Transaction& t) { return t.collection(kAccounts, kDatabase); }

}  // namespace

std::optional<Bank::Balances> Bank::balances_of(const client::Documents& documents) {
  Balances out;
  Bytes document;
  for (auto it = documents.begin(); it.next(document);) {
    auto account = number(document, "_id"), balance = number(document, "b");
    if (account && balance && out.emplace(*account, *balance).second) continue;
    ledger_.violation("among the accounts there is one that no transfer can have made, or one is there twice");
    return std::nullopt;
  }
  return out;
}

void Bank::restarted(Lsn recovered, bool lossy) {
  history_.restarted(recovered, lossy);
  if (lossy && made_by_ > recovered) made_by_ = Lsn::max();
}

Bounds Bank::count(Lsn lsn) const { return {made_by_ <= lsn ? bank().accounts : 0, bank().accounts}; }

// ---- All of them ----

io::Task<void> Bank::make(TransactionSession& s) {
  uint64_t epoch = ledger_.epoch();
  Lsn after = ledger_.highest_acknowledged();
  std::vector<Buffer> documents;
  for (Account a = 0; a < bank().accounts; ++a)
    documents.push_back(make_account(a, history_.owner_of(a), bank().first_balance));
  auto done = co_await at(s.client).insert_many(std::move(documents));
  ++asked_;
  if (!done) lives_.judge(done.error());
  if (epoch != ledger_.epoch() || (!done && done.error().code != Code::kDuplicateKey)) co_return;
  made_in_.insert(epoch);
  if (!done) co_return;
  history_.made(done->lsn);
  made_by_ = std::min(made_by_, done->lsn);
  ledger_.acknowledged(kAccounts, after, done->lsn, done->durable_lsn);
}

io::Task<bool> Bank::look(TransactionSession& s) {
  uint64_t epoch = ledger_.epoch();
  Lsn after = ledger_.highest_acknowledged();
  auto found = co_await at(s.client).find("\x80");
  ++asked_;
  if (!found) {
    lives_.judge(found.error());
    co_return false;
  }
  if (epoch != ledger_.epoch()) co_return true;
  ledger_.acknowledged(kAccounts, after, found->lsn, found->durable_lsn);
  auto balances = balances_of(found->value);
  if (!balances) co_return true;
  if (std::string wrong = history_.saw(*balances, found->lsn); !wrong.empty()) ledger_.violation(wrong);
  co_return true;
}

// ---- A transfer ----

template <class T>
bool Bank::heard(TransactionSession& s, Transfer& t, const TransactionLives::Asked& asked, const Result<T>& result) {
  ++asked_;
  lives_.heard(t.tx, asked, s.now(), result ? nullptr : &result.error());
  if (!result) t.failed = true;
  return result.has_value();
}

/// What the rule asks for.
io::Task<void> Bank::look_first(TransactionSession& s, Transfer& t) {
  if (bank().floor == Floor::kNone) co_return;
  auto asked = lives_.ask(t.tx, s.now());
  auto found =
      co_await at(t.tx.handle)
          .find(bank().floor == Floor::kAccount ? by_number("_id", t.from) : by_number("o", history_.owner_of(t.from)));
  if (!heard(s, t, asked, found)) co_return;
  auto balances = balances_of(found->value);
  if (!balances) co_return;
  int64_t sum = 0;
  for (auto [account, balance] : *balances) sum += balance;
  if (sum < t.amount) t.failed = true;
}

/// The whole bank, before or after the transaction has changed it.
io::Task<void> Bank::look_within(TransactionSession& s, Transfer& t, bool changed) {
  uint64_t epoch = ledger_.epoch();
  auto asked = lives_.ask(t.tx, s.now());
  auto found = co_await at(t.tx.handle).find("\x80");
  if (!heard(s, t, asked, found) || epoch != ledger_.epoch() || t.tx.life != lives_.life()) co_return;
  auto balances = balances_of(found->value);
  if (!balances) co_return;
  if (changed) {
    (*balances)[t.from] += t.amount;
    (*balances)[t.to] -= t.amount;
  }
  if (std::string wrong = history_.saw(*balances, t.tx.handle.snapshot()); !wrong.empty())
    ledger_.violation("within a transaction: " + wrong);
}

io::Task<void> Bank::book(TransactionSession& s, Transfer& t, Account account, int64_t amount) {
  auto asked = lives_.ask(t.tx, s.now());
  auto done = co_await at(t.tx.handle).update_one(by_number("_id", account), add(amount));
  if (!heard(s, t, asked, done)) co_return;
  if (done->value.modified != 1) t.failed = true;  // they are not there yet
}

io::Task<void> Bank::transfer(TransactionSession& s) {
  Transfer t;
  t.from = s.random.below(bank().accounts);
  t.to = (t.from + s.random.between(1, bank().accounts - 1)) % bank().accounts;
  t.amount = static_cast<int64_t>(s.random.between(1, kAmountMax));
  t.tx.life = lives_.life();
  t.tx.used_from = s.now();
  ++asked_;
  auto begun = co_await s.client.begin({.validate_reads = bank().floor == Floor::kOwner});
  if (!begun) co_return lives_.judge(begun.error());
  if (t.tx.life != lives_.life()) co_return;
  t.tx.handle = *begun;
  t.tx.used_by = s.now();
  if (s.random.below(4) == 0) co_await look_within(s, t, false);
  if (!t.failed) co_await look_first(s, t);
  if (!t.failed && s.random.below(3) == 0) {
    io::TaskGroup both(co_await io::this_executor());
    both.spawn(book(s, t, t.from, -t.amount));
    both.spawn(book(s, t, t.to, t.amount));
    co_await both.drained();
  } else {
    if (!t.failed) co_await book(s, t, t.from, -t.amount);
    if (!t.failed) co_await book(s, t, t.to, t.amount);
  }
  if (!t.failed && s.random.below(4) == 0) co_await look_within(s, t, true);
  co_await end(s, t);
}

/// Nobody asks what became of it: the total tells.
io::Task<void> Bank::end(TransactionSession& s, Transfer& t) {
  t.tx.ending = true;
  ++asked_;
  if (t.failed || s.random.below(12) == 0) {
    (void)co_await t.tx.handle.rollback();
    co_return;
  }
  auto done = co_await t.tx.handle.commit();
  if (!done) co_return lives_.judge(done.error());
  ++moved_;
  if (t.tx.life == lives_.life()) ledger_.acknowledged("a transfer", Lsn(), done->lsn, done->durable_lsn);
}

/// In one request: nobody looks first.
io::Task<void> Bank::transfer_at_once(TransactionSession& s) {
  Account from = s.random.below(bank().accounts), to = (from + 1) % bank().accounts;
  Buffer args;
  Writer w(args);
  w.map(1).string("operations").array(2);
  for (auto [account, amount] : {std::pair(from, int64_t{-1}), std::pair(to, int64_t{1})})
    w.map(3)
        .string("op")
        .uint(std::to_underlying(wire::Op::kUpdateOne))
        .string("collection")
        .string(kAccounts)
        .string("args")
        .map(2)
        .string("filter")
        .raw(by_number("_id", account))
        .string("update")
        .raw(add(amount));
  ++asked_;
  auto done = co_await s.client.call(
      {.op = wire::Op::kTxBatch, .collection = "", .args = std::move(args), .database = kDatabase});
  if (!done) lives_.judge(done.error());
}

io::Task<void> Bank::step(TransactionSession& s) {
  if (!made_in_.contains(ledger_.epoch())) co_return co_await make(s);
  switch (s.random.below(8)) {
    case 0:
    case 1:
      co_await look(s);
      co_return;
    case 2:
      if (bank().floor == Floor::kNone) co_return co_await transfer_at_once(s);
      [[fallthrough]];
    default:
      co_return co_await transfer(s);
  }
}

}  // namespace holdfast::chaos
