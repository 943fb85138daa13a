// How transactions begin and end.
#include "core/transactions.h"

#include "core/engine_impl.h"
#include "core/gather.h"
#include "io/base/probe.h"

namespace holdfast::core {

namespace {

constexpr size_t kRemembered = 100'000;

Error too_old() { return {Code::kSnapshotTooOld, "the transaction's snapshot is too old, or costs too much memory: only its commit is still taken; begin another"}; }

}  // namespace

io::Task<Reply<Buffer>> Transactions::begin(TransactionOptions options) {
  make_room();
  if (open_.size() + beginning_ >= shared_.options.max_transactions)
    co_return refuse<Buffer>(Result<>(fail(Code::kOverloaded, "too many transactions are open on this server: commit or roll back some, or try again later")));
  if (bytes_ + shared_.cores[0]->catalog().bytes() > shared_.options.transactions_bytes)
    co_return refuse<Buffer>(Result<>(fail(Code::kOverloaded, "the open transactions of this server take all the memory that they may: try again when others have ended")));
  auto t = std::make_shared<Transaction>();
  t->number = ++last_number_;
  t->secret = shared_.host.random.entropy64();
  t->options = options;
  t->begun = shared_.host.clock.now();
  ++beginning_;
  auto opened = co_await gather<std::shared_ptr<const Catalog>>(shared_, [first = shared_.cores[0].get()](EngineCore& core) {
    core.open_snapshot(core.applied());
    return &core == first ? core.shared_catalog() : nullptr;
  });
  --beginning_;
  t->snapshot = opened.lsn;
  hold_catalog(*t, std::move(opened.values[0]));
  t->used = shared_.host.clock.now();
  open_.emplace(t->number, t);
  if (MUTANT("transaction-snapshot-let-go-early")) close_snapshots(*t);
  co_return Reply<Buffer>{transaction_id(t->number, t->secret), t->snapshot};
}

void Transactions::hold_catalog(Transaction& t, std::shared_ptr<const Catalog> catalog) {
  t.catalog = std::move(catalog);
  if (catalogs_[t.catalog.get()]++ == 0) bytes_ += t.catalog->bytes();
}

void Transactions::let_go_of_catalog(Transaction& t) {
  if (auto held = catalogs_.find(t.catalog.get()); --held->second == 0) {
    bytes_ -= t.catalog->bytes();
    catalogs_.erase(held);
  }
  t.catalog.reset();
}

// ---- Requests of a transaction ----

/// Waits its turn. Whoever has it gives it back.
io::Task<Result<Transactions::Ref>> Transactions::take(std::string_view id, Use use) {
  auto read = read_transaction_id(id);
  auto at = read ? open_.find(read->first) : open_.end();
  if (at == open_.end() || (at->second->secret != read->second && !MUTANT("any-secret-will-do"))) co_return std::unexpected(why_unknown(id));
  Ref t = at->second;
  if (is_over(*t)) {
    end_by_itself(t);
    co_return std::unexpected(why_unknown(id));
  }
  if (use == Use::kGoOn && is_too_old(*t)) {
    SOMETIMES(true, "busy-transaction-is-too-old");
    co_return std::unexpected(too_old());
  }
  ++t->users;
  SOMETIMES(t->users > 1, "request-waits-for-its-transaction");
  co_await t->turn.acquire(1);
  if (!t->ended) co_return t;
  give(t);
  co_return std::unexpected(why_unknown(id));
}

void Transactions::give(const Ref& t) {
  t->used = shared_.host.clock.now();
  --t->users;
  if (!t->ended && is_over(*t)) end_by_itself(t);
  t->turn.release(1);
}

/// It ends as soon as no request uses it.
bool Transactions::is_too_old(const Transaction& t) const { return t.too_costly || shared_.host.clock.now() - t.begun > shared_.options.snapshot_age; }

bool Transactions::is_over(const Transaction& t) const {
  if (t.users > 0 || MUTANT("transaction-survives-its-timeout")) return false;
  return is_too_old(t) || shared_.host.clock.now() - t.used > shared_.options.transaction_idle;
}

template <class T, class F>
io::Task<Reply<T>> Transactions::within(std::string_view id, F run) {
  Result<Ref> t = co_await take(id);
  if (!t) co_return refuse<T>(t);
  Reply<T> done = co_await run(**t);
  give(*t);
  co_return done;
}

io::Task<Reply<std::vector<Buffer>>> Transactions::insert(Name name, const std::vector<Bytes>& documents) {
  return within<std::vector<Buffer>>(name.transaction, [this, name, &documents](Transaction& t) { return insert_in(t, name, documents); });
}

io::Task<Reply<std::vector<Buffer>>> Transactions::find(Name name, const Find& find, FindBounds bounds) {
  return within<std::vector<Buffer>>(name.transaction, [this, name, &find, bounds](Transaction& t) { return find_in(t, name, find, bounds); });
}

io::Task<Reply<std::optional<Buffer>>> Transactions::find_by_id(Name name, Bytes id) {
  return within<std::optional<Buffer>>(name.transaction, [this, name, id](Transaction& t) { return find_by_id_in(t, name, id); });
}

io::Task<Reply<uint64_t>> Transactions::count(Name name, const Query& query) {
  return within<uint64_t>(name.transaction, [this, name, &query](Transaction& t) { return count_in(t, name, query); });
}

io::Task<Reply<Modified>> Transactions::modify(Name name, const Modification& change, Scope scope) {
  return within<Modified>(name.transaction, [this, name, &change, scope](Transaction& t) { return modify_in(t, name, change, scope); });
}

// ---- The end ----

io::Task<Reply<Lsn>> Transactions::commit(std::string_view id, Numbered request) {
  Result<Ref> taken = co_await take(id, Use::kEnd);
  if (!taken) {
    const Outcome* was = outcome_of(id);
    if (!was || was->kind == Outcome::Kind::kRolledBack) co_return refuse<Lsn>(taken);
    SOMETIMES(true, "commit-asked-again");
    if (MUTANT("commit-asked-again-conflicts")) co_return Reply<Lsn>{fail(Code::kConflict, "the transaction is over: begin another"), was->lsn};
    if (was->error) co_return Reply<Lsn>{fail(was->error->code, was->error->message), was->lsn};
    co_return Reply<Lsn>{was->lsn, was->lsn};
  }
  Ref t = *taken;
  Reply<Lsn> done = co_await write(*t, request);
  Outcome outcome{Outcome::Kind::kCommitted, t->number, t->secret, done.lsn};
  if (!done.result) {
    outcome.kind = Outcome::Kind::kFailed;
    outcome.error = done.result.error();
  }
  end(t, std::move(outcome));
  give(t);
  co_return done;
}

io::Task<Reply<bool>> Transactions::roll_back(std::string_view id) {
  Result<Ref> taken = co_await take(id, Use::kEnd);
  if (!taken) {
    const Outcome* was = outcome_of(id);
    if (!was || was->kind == Outcome::Kind::kCommitted) co_return refuse<bool>(taken);
    co_return Reply<bool>{true, was->lsn};
  }
  Ref t = *taken;
  end(t, {Outcome::Kind::kRolledBack, t->number, t->secret, t->snapshot});
  give(t);
  co_return Reply<bool>{true, t->snapshot};
}

const Transactions::Outcome* Transactions::outcome_of(std::string_view id) const {
  auto read = read_transaction_id(id);
  auto at = read ? ended_.find(read->first) : ended_.end();
  return at != ended_.end() && at->second.secret == read->second ? &at->second : nullptr;
}

Error Transactions::why_unknown(std::string_view id) const {
  const Outcome* was = outcome_of(id);
  if (!was)
    return {Code::kTxUnknown,
            "the server knows no transaction of that id: it has ended, was not used for too long, or the server has started since; begin another "
            "(if this is the repeat of a commit, ask whether that has happened)"};
  if (was->kind == Outcome::Kind::kCommitted) return {Code::kTxUnknown, "the transaction has committed: begin another"};
  return {Code::kTxUnknown, "the transaction was rolled back, or not used for too long: begin another"};
}

void Transactions::close_snapshots(const Transaction& t) {
  for (uint16_t k = 0; k < shared_.cores.size(); ++k)
    shared_.host.cores.send(CoreId(0), CoreId(k), [&core = *shared_.cores[k], snapshot = t.snapshot] { core.close_snapshot(snapshot); });
}

/// Nothing of it happens any more. It stays in memory while requests wait for their turn.
void Transactions::end(const Ref& t, Outcome outcome) {
  HF_ASSERT(!t->ended, "a transaction ends once");
  t->ended = true;
  bytes_ -= t->bytes;
  if (!MUTANT("transaction-snapshot-let-go-early")) close_snapshots(*t);
  t->collections.clear();
  let_go_of_catalog(*t);
  open_.erase(t->number);
  outcome.at = shared_.host.clock.now();
  forget_next_.push_back(t->number);
  ended_.insert_or_assign(t->number, std::move(outcome));
  if (forget_next_.size() > kRemembered) {
    ended_.erase(forget_next_.front());
    forget_next_.pop_front();
  }
}

void Transactions::end_by_itself(const Ref& t) {
  Outcome outcome{Outcome::Kind::kRolledBack, t->number, t->secret, t->snapshot};
  if (t->too_costly) {
    SOMETIMES(true, "transaction-costs-too-much-history");
    outcome.kind = Outcome::Kind::kFailed;
    outcome.error = Error{Code::kSnapshotTooOld, "the transaction's snapshot cost too much memory, and it was rolled back: begin another"};
  }
  end(t, std::move(outcome));
}

void Transactions::end_idle() {
  std::vector<Ref> over;
  for (const auto& [number, t] : open_)
    if (is_over(*t)) over.push_back(t);
  for (const Ref& t : over) {
    SOMETIMES(true, "transaction-idle-too-long");
    end_by_itself(t);
  }
}

void Transactions::make_room() {
  if (open_.size() + beginning_ >= shared_.options.max_transactions) end_idle();
}

io::Task<void> Transactions::tidy() {
  end_idle();
  Time now = shared_.host.clock.now();
  while (!forget_next_.empty() && now - ended_.at(forget_next_.front()).at > shared_.options.transaction_remembered) {
    ended_.erase(forget_next_.front());
    forget_next_.pop_front();
  }
  if (open_.empty()) co_return;
  auto history = co_await gather<uint64_t>(shared_, [](EngineCore& core) { return core.history_bytes(); });
  uint64_t bytes = 0;
  for (uint64_t b : history.values) bytes += b;
  if (bytes <= shared_.options.history_bytes) co_return;
  // The older half: in a few looks none is left, if need be. Where a request runs, it ends with that one.
  std::vector<Ref> older;
  for (const auto& [number, t] : open_) older.push_back(t);
  older.resize((older.size() + 1) / 2);
  for (const Ref& t : older) {
    t->too_costly = true;
    if (is_over(*t)) end_by_itself(t);
  }
}

}  // namespace holdfast::core
