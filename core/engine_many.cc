// Requests over several documents, as one entry each. How that is done: many_writes.h.
#include <fmt/core.h>

#include <algorithm>

#include "core/engine_impl.h"
#include "core/many_writes.h"
#include "io/base/probe.h"

namespace holdfast::core {

// ---- Insert ----

/// The documents checked, with ids, in the order in which they are locked: by core, then key.
Result<std::vector<PreparedWrite>> EngineImpl::check_batch(const std::vector<Bytes>& documents, std::deque<Buffer>& owned,
                                                            std::vector<Buffer>& ids) {
  std::vector<PreparedWrite> items;
  items.reserve(documents.size());
  size_t bytes = 0;
  for (size_t i = 0; i < documents.size(); ++i) {
    Result<CheckedDocument> checked = check_insert(documents[i], owned.emplace_back());
    if (!checked) return fail(checked.error().code, fmt::format("document {}: {}", i, checked.error().message));
    bytes += checked->bytes.size() + checked->key.size() + kEffectOverhead;
    if (bytes > kMaxEntryEffects)
      return fail(Code::kTooLarge, fmt::format("the documents together pass {} bytes, the most one request may insert: split it", kMaxEntryEffects));
    ids.emplace_back(checked->id);
    ShardId shard = shard_of(checked->key, shared_.settings.shard_count);
    items.push_back({.shard = shard, .key = std::move(checked->key), .body = checked->bytes, .index = i});
  }
  std::ranges::sort(items, [this](const PreparedWrite& a, const PreparedWrite& b) { return locked_before(shared_, a, b); });
  for (size_t i = 1; i < items.size(); ++i)
    if (items[i].key == items[i - 1].key)
      return fail(Code::kDuplicateKey, fmt::format("E11000 duplicate key: documents {} and {} of the request have the same _id",
                                                   std::min(items[i - 1].index, items[i].index), std::max(items[i - 1].index, items[i].index)));
  return items;
}

io::Task<Reply<std::vector<Buffer>>> EngineImpl::insert_many(Name name, std::vector<Bytes> documents, Repeat repeat) {
  return once<std::vector<Buffer>>(name.request, [this, name, documents = std::move(documents), repeat]() mutable {
    return insert_documents(name, std::move(documents), repeat);
  });
}

io::Task<Reply<std::vector<Buffer>>> EngineImpl::insert_documents(Name name, std::vector<Bytes> documents, Repeat repeat) {
  using Out = std::vector<Buffer>;
  if (!name.transaction.empty()) co_return co_await in_transaction<Out>([name, &documents](Transactions& t) { return t.insert(name, documents); });
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<Out>(admitted);
  std::deque<Buffer> owned;
  std::vector<Buffer> ids;
  Result<std::vector<PreparedWrite>> items = check_batch(documents, owned, ids);
  if (!items) co_return refuse<Out>(items);
  Noted also;
  if (name.request.any()) also = note(name.request, encode_outcome(ids));
  for (;;) {
    Result<CollectionRef> ref = co_await resolve(name);
    if (!ref) co_return refuse<Out>(ref);
    if (items->empty()) co_return Reply<Out>{Out(), committed_lsn()};
    Evaluated<bool> done = co_await insert_all(*ref, *items, repeat, also.get());
    if (done.stale) continue;
    if (!done.result) co_return Reply<Out>{fail(done.result), done.lsn};
    co_return Reply<Out>{std::move(ids), done.lsn};
  }
}

io::Task<Evaluated<bool>> EngineImpl::insert_all(CollectionRef c, std::vector<PreparedWrite>& items, Repeat repeat, const Effect* also) {
  for (PreparedWrite& item : items) {
    item.collection = c;
    item.state = PreparedWrite::State::kFree;
    item.rests_on = nullptr;
  }
  CoreItems locked = by_core(shared_, items);
  Evaluated<bool> prepared = co_await prepare_all(shared_, locked, [after = committed_lsn(), repeat](EngineCore& core, const std::vector<PreparedWrite*>& mine) {
    return core.prepare_inserts(after, mine, repeat);
  });
  if (prepared.stale || !prepared.result) co_return prepared;

  size_t repeats = 0;
  const PreparedWrite* duplicate = nullptr;
  for (const PreparedWrite& item : items) {
    repeats += item.state == PreparedWrite::State::kRepeat;
    if (item.state == PreparedWrite::State::kTaken && (!duplicate || item.index < duplicate->index)) duplicate = &item;
  }
  if (!duplicate && repeats == 0) {
    auto entry = std::make_shared<Submission>((co_await io::this_executor()).core());
    co_await post_all(shared_, items, entry, also);
    co_await finish_all(shared_, locked, entry);
    co_await entry->applied.wait();
    co_return Evaluated<bool>{true, entry->lsn};
  }

  // Nothing is inserted; what the answer says must be committed before it is said.
  if (!MUTANT("locks-kept-after-duplicate")) co_await finish_all(shared_, locked, nullptr);
  Lsn lsn = prepared.lsn;
  for (const PreparedWrite& item : items)
    if (item.rests_on)
      lsn = std::max(lsn, co_await io::call_on<Lsn>(host_.cores, shared_.core_of(item.shard),
                                                    [&core = *shared_.cores[shared_.core_of(item.shard).value], e = item.rests_on] {
                                                      return core.applied(e);
                                                    }));
  if (!duplicate && repeats == items.size()) co_return Evaluated<bool>{true, lsn};
  for (const PreparedWrite& item : items)
    if (item.state == PreparedWrite::State::kRepeat && (!duplicate || item.index < duplicate->index)) duplicate = &item;
  co_return Evaluated<bool>{
      fail(Code::kDuplicateKey, fmt::format("E11000 duplicate key: a document with the _id of document {} is already in the collection; none was inserted",
                                            duplicate->index)),
      lsn};
}

// ---- Modify ----

/// Documents that are locked, in the order of locking.
struct EngineImpl::Locking {
  std::vector<PreparedWrite> items;
  CoreItems locked;  ///< the same, by core; empty when nothing is locked
};

io::Task<Result<EngineCore::Changes>> EngineImpl::scan_changes(CollectionRef c, Lsn snapshot, const Modification& change, EngineCore::Hidden hidden) {
  EngineCore::Changes all;
  for (uint16_t k = 0; k < shared_.cores.size(); ++k) {
    EngineCore& core = *shared_.cores[k];
    uint64_t left = kMaxEntryEffects - std::min<uint64_t>(kMaxEntryEffects, all.bytes);
    HF_CO_TRY(some, co_await io::call_on<Result<EngineCore::Changes>>(
                        host_.cores, CoreId(k), [&core, c, snapshot, &change, left, hidden] { return core.scan_changes(c, snapshot, change, left, hidden); }));
    all.matched += some.matched;
    all.bytes += some.bytes;
    std::ranges::move(some.writes, std::back_inserter(all.writes));
  }
  std::ranges::sort(all.writes, [this](const PreparedWrite& a, const PreparedWrite& b) { return locked_before(shared_, a, b); });
  co_return all;
}

io::Task<void> EngineImpl::unlock_all(Locking& held, SubmissionRef entry) {
  co_await finish_all(shared_, held.locked, entry);
  held.locked.clear();
}

/// When all of `writes` are locked already, and so have not changed since a snapshot that was taken after that, gives them what is to be written.
bool EngineImpl::covers(Locking& held, std::vector<PreparedWrite>& writes) const {
  if (held.locked.empty()) return false;
  auto before = [this](const PreparedWrite& a, const PreparedWrite& b) { return locked_before(shared_, a, b); };
  if (!std::ranges::includes(held.items, writes, before)) return false;
  auto write = writes.begin();
  for (PreparedWrite& item : held.items) {
    item.writes = write != writes.end() && write->key == item.key;
    if (!item.writes) continue;
    item.kind = write->kind;
    item.owned = std::move(write->owned);
    ++write;
  }
  return true;
}

/// Locks what is to be written; nothing is locked yet. True: nothing of it has changed since `snapshot`. Else it stays locked, together with what was to be written before: a
/// snapshot that is taken then shows what nobody changes any more.
io::Task<Evaluated<bool>> EngineImpl::lock_all(Locking& held, std::vector<PreparedWrite> writes, Lsn snapshot) {
  auto before = [this](const PreparedWrite& a, const PreparedWrite& b) { return locked_before(shared_, a, b); };
  std::erase_if(held.items, [&](const PreparedWrite& i) { return !i.writes || std::ranges::binary_search(writes, i, before); });
  for (PreparedWrite& item : held.items) {
    item.writes = false;
    item.owned = Buffer();
    writes.push_back(std::move(item));
  }
  std::ranges::sort(writes, before);
  held.items = std::move(writes);
  held.locked = by_core(shared_, held.items);
  auto prepared = co_await prepare_all(
      shared_, held.locked, [after = committed_lsn(), snapshot](EngineCore& core, const std::vector<PreparedWrite*>& mine) {
        return core.prepare_changes(after, mine, snapshot);
      });
  if (prepared.stale || !prepared.result) held.locked.clear();
  co_return prepared;
}

io::Task<Reply<Modified>> EngineImpl::modify_all(Name name, const Modification& change) {
  Locking held;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto [ref, snapshot] = co_await open_snapshot(name);
    if (!ref) co_return Reply<Modified>{Modified{}, snapshot};  // nothing is locked then: locks keep a collection from going away
    auto found = co_await scan_changes(*ref, snapshot, change);
    co_await close_snapshot(snapshot);
    if (!found || found->writes.empty()) {
      if (!MUTANT("intents-kept-when-nothing-matches-any-more")) co_await unlock_all(held, nullptr);
      if (!found) co_return Reply<Modified>{fail(found), snapshot};
      co_return Reply<Modified>{Modified{.matched = found->matched}, snapshot};
    }
    Modified out{.matched = found->matched, .modified = found->writes.size()};
    if (!covers(held, found->writes)) {
      co_await unlock_all(held, nullptr);
      auto locked = co_await lock_all(held, std::move(found->writes), snapshot);
      if (!locked.stale && !locked.result) co_return Reply<Modified>{fail(locked.result), locked.lsn};
      if (locked.stale || !*locked.result) continue;
    }
    auto entry = std::make_shared<Submission>((co_await io::this_executor()).core());
    if (MUTANT("update-many-in-two-entries")) co_await write_half(held);
    Noted also;
    if (name.request.any()) also = note(name.request, encode_outcome(out));
    co_await post_all(shared_, held.items, entry, also.get());
    co_await unlock_all(held, entry);
    co_await entry->applied.wait();
    co_return Reply<Modified>{std::move(out), entry->lsn};
  }
  co_await unlock_all(held, nullptr);
  co_return Reply<Modified>{fail(Code::kConflict, "other writers went on changing which documents match: try again"), Lsn()};
}

/// Mutant.
io::Task<void> EngineImpl::write_half(Locking& held) {
  std::vector<PreparedWrite*> writes;
  for (PreparedWrite& item : held.items)
    if (item.writes) writes.push_back(&item);
  size_t half = writes.size() / 2;
  if (half == 0) co_return;
  for (size_t i = half; i < writes.size(); ++i) writes[i]->writes = false;
  auto entry = std::make_shared<Submission>((co_await io::this_executor()).core());
  co_await post_all(shared_, held.items, entry);
  co_await entry->applied.wait();
  for (size_t i = 0; i < writes.size(); ++i) writes[i]->writes = i >= half;
}

io::Task<Reply<Modified>> EngineImpl::modify_many(Name name, const Modification& change) {
  return once<Modified>(name.request, [this, name, &change] { return modify_documents(name, change); });
}

io::Task<Reply<Modified>> EngineImpl::modify_documents(Name name, const Modification& change) {
  if (!name.transaction.empty()) co_return co_await in_transaction<Modified>([name, &change](Transactions& t) { return t.modify(name, change, Transactions::Scope::kAll); });
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<Modified>(admitted);
  // One document at most.
  if (change.of.query.id_key()) co_return co_await modify_by_key(name, change);
  co_await io::call_on<bool>(host_.cores, CoreId(0), [this] { return take_many_turn(); });
  Reply<Modified> done = change.upsert ? co_await upsert_in_turn(name, change, &EngineImpl::modify_all) : co_await modify_all(name, change);
  co_await io::call_on<bool>(host_.cores, CoreId(0), [this] { return end_many_turn(); });
  co_return done;
}

io::Task<bool> EngineImpl::take_many_turn() {
  co_await many_turns_.acquire(1);
  co_return true;
}

io::Task<bool> EngineImpl::end_many_turn() {
  many_turns_.release(1);
  co_return true;
}

}  // namespace holdfast::core
