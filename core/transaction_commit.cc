// How transactions commit.
#include <fmt/core.h>

#include <algorithm>

#include "core/engine_impl.h"
#include "core/many_writes.h"
#include "io/base/probe.h"

namespace holdfast::core {

/// Makes the collections that are written to, and finds those that were not there at the snapshot, but may be now.
io::Task<Result<>> Transactions::resolve_all(Transaction& t) {
  for (auto& [names, c] : t.collections) {
    if (c.ref || c.writes.empty()) continue;
    HF_CO_TRY(made, co_await engine_.resolve({c.database, c.name}));
    c.ref = made;
  }
  co_return Result<>();
}

bool Transactions::misses_collections(const Transaction& t) {
  return std::ranges::any_of(t.collections, [](const auto& c) { return !c.second.ref && !c.second.reads.empty(); });
}

io::Task<void> Transactions::look_for_collections(Transaction& t) {
  for (auto& [names, c] : t.collections)
    if (!c.ref && !c.reads.empty()) c.ref = (co_await engine_.lookup({c.database, c.name}, shared_.committed_lsn())).ref;
}

/// What is to be locked: what was written, and what was read and is to be unchanged; in the order of locking. It borrows from the transaction.
std::vector<PreparedWrite> Transactions::prepare(const Transaction& t) {
  std::vector<PreparedWrite> items;
  for (const auto& [names, c] : t.collections) {
    if (!c.ref) continue;
    auto add = [&](Bytes key, const TransactionCollection::Write* write) {
      PreparedWrite& item = items.emplace_back(PreparedWrite{.collection = *c.ref, .shard = shard_of(key, shared_.settings.shard_count), .key = Buffer(key), .body = {}});
      item.writes = write != nullptr;
      if (!write) return;
      item.kind = write->kind;
      item.body = write->body;
    };
    for (const auto& [key, write] : c.writes) add(key, &write);
    for (const Buffer& key : c.reads)
      if (!c.written(key) && !MUTANT("reads-are-not-validated")) add(key, nullptr);
  }
  std::ranges::sort(items, [this](const PreparedWrite& a, const PreparedWrite& b) { return locked_before(shared_, a, b); });
  return items;
}

namespace {

std::string conflict_sentence(const Transaction& t, const std::vector<PreparedWrite>& items) {
  for (const PreparedWrite& item : items) {
    if (item.state != PreparedWrite::State::kTaken) continue;
    for (const auto& [names, c] : t.collections)
      if (c.ref == item.collection)
        return fmt::format("the document {} of {}.{} was changed by another since the transaction began; nothing of it was written: begin another", shown_key(item.key),
                           c.database, c.name);
  }
  return "a collection that the transaction wrote to, or read from, was dropped since it began; nothing of it was written: begin another";
}

}  // namespace

/// Mutant.
io::Task<void> Transactions::write_half(std::vector<PreparedWrite>& items) {
  size_t half = items.size() / 2;
  if (half == 0) co_return;
  std::vector<bool> wrote;
  for (size_t i = 0; i < items.size(); ++i) {
    wrote.push_back(items[i].writes);
    if (i >= half) items[i].writes = false;
  }
  auto entry = std::make_shared<Submission>(CoreId(0));
  co_await post_all(shared_, items, entry);
  co_await entry->applied.wait();
  for (size_t i = 0; i < items.size(); ++i) items[i].writes = i >= half && wrote[i];
}

/// What was read in vain because there was no such collection is still not there as long as nobody may make one: until the LSN of the entry is known.
io::Task<Reply<Lsn>> Transactions::write(Transaction& t, Numbered request) {
  bool writes = std::ranges::any_of(t.collections, [](const auto& c) { return !c.second.writes.empty(); });
  if (writes)
    if (Result<> admitted = co_await engine_.admit_write(); !admitted)
      co_return refuse<Lsn>(Result<>(fail(admitted.error().code, admitted.error().message + "; the transaction is rolled back: begin another then")));
  if (Result<> resolved = co_await resolve_all(t); !resolved) co_return refuse<Lsn>(resolved);
  if (!misses_collections(t)) co_return co_await write_resolved(t, request);
  co_await engine_.catalog_turn_.acquire(1);
  co_await look_for_collections(t);
  Reply<Lsn> done = co_await write_resolved(t, request);
  engine_.catalog_turn_.release(1);
  co_return done;
}

io::Task<Reply<Lsn>> Transactions::write_resolved(Transaction& t, Numbered request) {
  bool writes = std::ranges::any_of(t.collections, [](const auto& c) { return !c.second.writes.empty(); });
  std::vector<PreparedWrite> items = prepare(t);
  if (items.empty() || (!writes && MUTANT("read-only-commit-is-not-validated"))) co_return Reply<Lsn>{t.snapshot, t.snapshot};

  CoreItems locked = by_core(shared_, items);
  Evaluated<bool> prepared =
      co_await prepare_all(shared_, locked, [after = shared_.committed_lsn(), snapshot = t.snapshot](EngineCore& core, const std::vector<PreparedWrite*>& mine) {
        return core.prepare_commit(after, mine, snapshot);
      });
  Lsn rests_on = std::max(prepared.lsn, t.snapshot);
  if (prepared.stale || (!prepared.result && prepared.result.error().code == Code::kConflict)) {
    SOMETIMES(true, "transaction-conflicts");
    co_return Reply<Lsn>{fail(Code::kConflict, conflict_sentence(t, items)), rests_on};
  }
  if (!prepared.result) co_return Reply<Lsn>{fail(prepared.result), rests_on};
  if (!writes) {
    co_await finish_all(shared_, locked, nullptr);
    co_return Reply<Lsn>{rests_on, rests_on};
  }
  auto entry = std::make_shared<Submission>(CoreId(0));
  if (MUTANT("transaction-in-two-entries")) co_await write_half(items);
  EngineImpl::Noted also;
  if (request.any()) also = engine_.note(request, encode_outcome(Lsn()));
  co_await post_all(shared_, items, entry, also.get());
  co_await finish_all(shared_, locked, entry);
  co_await entry->applied.wait();
  co_return Reply<Lsn>{entry->lsn, entry->lsn};
}

}  // namespace holdfast::core
