// Lists: how transactions end, and what is asked beside them.
#include <algorithm>

#include "chaos/workload/lists.h"
#include "chaos/workload/lists_run.h"
#include "chaos/workload/pause.h"
#include "io/sync.h"

namespace holdfast::chaos {
namespace {

using namespace lists;
using client::Stamp;

constexpr size_t kStrays = 3;
/// Nobody sleeps longer than this to see a transaction end by itself.
constexpr Duration kPatience = seconds(8);

/// The key that the sentence of a conflict names.
std::optional<uint64_t> named_key(const std::string& sentence, const std::vector<uint64_t>& keys) {
  for (uint64_t key : keys)
    if (sentence.contains(fmt::format("the document \"{}\" of {}.{} was changed", key_name(key), place_of(key).database,
                                      place_of(key).collection)))
      return key;
  return std::nullopt;
}

}  // namespace

io::Task<void> Lists::pause(TransactionSession& s) {
  co_await io::sleep_for(drawn_pause(s.random, options_.pause_max));
}

// ---- A transaction ----

io::Task<void> Lists::transaction(TransactionSession& s, Strays& strays) {
  TxRef t = co_await begin(s);
  if (!t) co_return;
  uint64_t acts = s.random.between(1, 5);
  for (uint64_t i = 0; i < acts && !t->over && !t->broken; ++i) {
    if (s.random.below(3) == 0) co_await pause(s);
    co_await act(s, *t);
  }
  if (s.random.below(3) == 0) co_await pause(s);
  co_await finish(s, t, strays);
}

/// With one that was left alone, perhaps in another life of the server.
io::Task<void> Lists::go_on(TransactionSession& s, Strays& strays) {
  if (strays.empty()) co_return;
  TxRef t = strays[s.random.below(strays.size())];
  std::erase(strays, t);
  co_await act(s, *t);
  co_await finish(s, t, strays);
}

void Lists::give_up(Strays& strays) {
  for (const TxRef& t : strays) history_.given_up(t->id);
  strays.clear();
}

io::Task<void> Lists::finish(TransactionSession& s, TxRef t, Strays& strays) {
  if (t->over) co_return;
  uint64_t how = s.random.below(16);
  if (t->broken || !t->deleted.empty() || how == 0) co_return co_await roll_back(s, *t);
  if (how < 3) {
    strays.push_back(t);
    if (strays.size() <= kStrays) co_return;
    t = strays.front();
    strays.erase(strays.begin());
    history_.given_up(t->id);
    co_return;
  }
  if (how == 3) co_return co_await leave(s, t);
  co_await commit(s, *t);
}

/// Alone for longer than the server allows.
io::Task<void> Lists::leave(TransactionSession& s, TxRef t) {
  Duration idle = lives_.rules().idle;
  if (idle <= kPatience) {
    co_await io::sleep_for(idle * 2);
    co_await act(s, *t);
  }
  if (!t->over) co_await roll_back(s, *t);
}

// ---- Commit ----

io::Task<void> Lists::commit(TransactionSession& s, Tx& t) {
  constexpr int kAttempts = 3;
  for (int i = 0; i < kAttempts; ++i) {
    if (co_await ask_commit(s, t)) co_return co_await ask_after_end(s, t);
    co_await pause(s);
  }
  co_await roll_back(s, t);
}

/// Perhaps twice at once. True: the outcome is known, or nobody knows it any more.
io::Task<bool> Lists::ask_commit(TransactionSession& s, Tx& t) {
  std::vector<CommitAsk> asks(s.random.below(6) == 0 ? 2 : 1);
  history_.commit(t.id, ledger_.highest_acknowledged());
  tell(fmt::format("transaction {} asks to commit{}", t.id, asks.size() > 1 ? " twice" : ""));
  io::TaskGroup all(co_await io::this_executor());
  for (CommitAsk& one : asks) all.spawn(ask_commit_once(s, t, one));
  co_await all.drained();
  t.ending = true;
  // That it is not known any more may be the later answer, and come first.
  bool decided = false;
  for (CommitAsk& one : asks) decided = (one.decided || told_commit(s, t, one.asked, *one.done)) || decided;
  co_return decided;
}

io::Task<void> Lists::ask_commit_once(TransactionSession& s, Tx& t, CommitAsk& one) {
  one.asked = lives_.ask(t, s.now());
  one.done = co_await t.handle.commit();
  ++asked_;
  if (one.done->has_value() || one.done->error().code == Code::kConflict)
    one.decided = told_commit(s, t, one.asked, *one.done);
}

/// Sometimes: the outcome stays, and nothing else goes on.
io::Task<void> Lists::ask_after_end(TransactionSession& s, Tx& t) {
  if (s.random.below(4) == 0) {
    co_await pause(s);
    tell(fmt::format("transaction {} asks again to commit", t.id));
    history_.commit(t.id, ledger_.highest_acknowledged());
    Asked asked = lives_.ask(t, s.now());
    auto done = co_await t.handle.commit();
    ++asked_;
    told_commit(s, t, asked, done);
  }
  if (s.random.below(8) == 0) {
    auto found = co_await at(t.handle, keys_[0]).find_by_id(key_name(keys_[0]));
    ++asked_;
    if (found) ledger_.violation(fmt::format("transaction {} reads after its end", t.id));
  }
}

bool Lists::told_commit(TransactionSession& s, Tx& t, const Asked& asked, const Result<Stamp>& done) {
  lives_.heard(t, asked, s.now(), done ? nullptr : &done.error());
  tell(fmt::format("transaction {} is told: {}", t.id,
                   done ? fmt::format("committed at LSN {}", done->lsn.value) : done.error().text()));
  if (t.epoch != history_.epoch()) {
    history_.given_up(t.id);
    return true;
  }
  if (!done) return told_failure(s, t, asked, done.error());
  if (!t.ended_from) {
    t.ended_from = asked.at;
    ++committed_;
  }
  note(t.appended ? history_.committed(t.id, done->lsn) : history_.committed_without_entry(t.id));
  ledger_.acknowledged("a transaction", Lsn(), done->lsn, done->durable_lsn);
  return true;
}

bool Lists::told_failure(TransactionSession&, Tx& t, const Asked& asked, const Error& error) {
  if (error.code == Code::kTxUnknown) {
    history_.not_known(t.id);
    return true;
  }
  if (error.code == Code::kSnapshotTooOld) {
    note(history_.rolled_back(t.id));
    return true;
  }
  if (error.code != Code::kConflict) return false;
  if (!t.ended_from) {
    t.ended_from = asked.at;
    ++conflicts_;
  }
  std::optional<Key> key = named_key(error.message, keys_);
  if (!key)
    ledger_.violation("a conflict that names no document of the transaction: " + error.text());
  else
    note(history_.conflicted(t.id, *key));
  return true;
}

io::Task<void> Lists::roll_back(TransactionSession& s, Tx& t) {
  bool may_have_committed = t.ending;
  Asked asked = lives_.ask(t, s.now());
  tell(fmt::format("transaction {} asks to roll back", t.id));
  auto done = co_await t.handle.rollback();
  ++asked_;
  lives_.heard(t, asked, s.now(), done ? nullptr : &done.error());
  t.ending = true;
  if (done && t.epoch == history_.epoch()) {
    note(history_.rolled_back(t.id));
    t.ended_from = asked.at;
    // The first outcome stays.
    if (s.random.below(4) != 0) co_return;
    auto again = co_await (s.random.below(2) == 0 ? t.handle.commit() : t.handle.rollback());
    ++asked_;
    (void)again;
  } else if (!done && done.error().code == Code::kTxUnknown && !may_have_committed) {
    history_.not_known(t.id);
  } else {
    history_.given_up(t.id);
  }
}

// ---- Beside transactions ----

io::Task<void> Lists::append_alone(TransactionSession& s) {
  Key key = some_key(s);
  uint64_t value = ++last_value_;
  uint64_t epoch = history_.epoch();
  Lsn after = ledger_.highest_acknowledged();
  AppendHistory::TransactionId id = history_.append_alone(key, value, after);
  tell(fmt::format("transaction {} appends {} to {} alone", id, value, full_name(key)));
  ++asked_;
  client::Collection c = at(s.client, key);
  uint64_t how = s.random.below(3);
  Result<Stamp> done;
  if (how == 0) {
    auto changed = co_await c.find_and_modify(by_id(key), {.update = push(value), .upsert = true});
    done = changed ? Result<Stamp>(*changed) : std::unexpected(changed.error());
  } else {
    auto changed = co_await (how == 1 ? c.upsert_many(by_id(key), push(value)) : c.upsert_one(by_id(key), push(value)));
    done = changed ? Result<Stamp>(*changed) : std::unexpected(changed.error());
  }
  tell(fmt::format("transaction {} is told: {}", id,
                   done ? fmt::format("done at LSN {}", done->lsn.value) : done.error().text()));
  if (!done) lives_.judge(done.error());
  if (epoch != history_.epoch() ||
      (!done && (done.error().code == Code::kUnknownOutcome || done.error().code == Code::kInternal)))
    co_return history_.given_up(id);
  if (!done) co_return note(history_.rolled_back(id));
  note(history_.committed(id, done->lsn));
  ledger_.acknowledged(full_name(key), after, done->lsn, done->durable_lsn);
}

io::Task<bool> Lists::look_at_one(TransactionSession& s) {
  Key key = some_key(s);
  AppendHistory::Look look = history_.look(ledger_.highest_acknowledged());
  auto found = co_await at(s.client, key).find_by_id(key_name(key));
  ++asked_;
  if (!found) {
    lives_.judge(found.error());
    co_return false;
  }
  if (look.epoch != history_.epoch()) co_return true;
  ledger_.acknowledged(full_name(key), look.after, found->lsn, found->durable_lsn);
  std::optional<List> list = found->value ? list_of(*found->value, key) : List();
  if (!list) co_return true;
  tell(fmt::format("{} is shown, resting on LSN {}: {}", full_name(key), found->lsn.value, show(*list)));
  shown({{key, *list}}, found->lsn);
  note(history_.saw_one(look, key, *list, found->lsn));
  co_return true;
}

io::Task<bool> Lists::look_at_all(TransactionSession& s, uint64_t place) {
  AppendHistory::Look look = history_.look(ledger_.highest_acknowledged());
  auto found = co_await at(s.client, place * kKeysPerPlace).find(everything(s.random.below(2) == 0));
  ++asked_;
  if (!found) {
    lives_.judge(found.error());
    co_return false;
  }
  if (look.epoch != history_.epoch()) co_return true;
  ledger_.acknowledged(kPlaces[place].collection, look.after, found->lsn, found->durable_lsn);
  auto all = lists_of(found->value, place);
  if (!all) co_return true;
  for (const auto& [key, list] : *all)
    tell(fmt::format("{} is shown at LSN {}: {}", full_name(key), found->lsn.value, show(list)));
  shown(*all, found->lsn);
  note(history_.saw(look, *all, found->lsn));
  co_return true;
}

/// A whole transaction in one request.
io::Task<void> Lists::batch(TransactionSession& s) {
  uint64_t first = s.random.below(keys_.size()), most = s.random.between(1, 3);
  const char* database = place_of(keys_[first]).database;
  std::vector<Key> keys;
  for (uint64_t i = first; i < keys_.size() && keys.size() < most; ++i)
    if (place_of(keys_[i]).database == std::string_view(database)) keys.push_back(keys_[i]);
  Buffer args;
  Writer w(args);
  w.map(1).string("operations").array(static_cast<uint32_t>(keys.size()));
  std::map<Key, AppendHistory::Value> values;
  for (Key key : keys) {
    uint64_t value = values[key] = ++last_value_;
    // An update must find its document, whatever a crash may take; an insert of what is there refuses all of it.
    auto there = there_.find(key);
    bool sure = there != there_.end() && there->second <= ledger_.highest_durable();
    w.map(3)
        .string("collection")
        .string(place_of(key).collection)
        .string("op")
        .uint(std::to_underlying(sure ? wire::Op::kUpdateOne : wire::Op::kInsertOne))
        .string("args");
    if (sure)
      w.map(2).string("filter").raw(by_id(key)).string("update").raw(push(value));
    else
      w.raw(document(key, {value}));
  }
  uint64_t epoch = history_.epoch();
  Lsn after = ledger_.highest_acknowledged();
  AppendHistory::TransactionId id = history_.append_at_once(values, after);
  for (auto [key, value] : values)
    tell(fmt::format("transaction {} appends {} to {} in one request", id, value, full_name(key)));
  ++asked_;
  auto done = co_await s.client.call(
      {.op = wire::Op::kTxBatch, .collection = "", .args = std::move(args), .database = database});
  if (!done) lives_.judge(done.error());
  if (epoch != history_.epoch() ||
      (!done && (done.error().code == Code::kUnknownOutcome || done.error().code == Code::kInternal)))
    co_return history_.given_up(id);
  if (!done) co_return note(history_.rolled_back(id));
  msgpack::Value success;
  auto raw = msgpack::lookup(done->value, "success");
  if (!raw || !msgpack::Cursor(*raw).next(success) || success.kind != msgpack::Kind::kBool)
    co_return ledger_.violation("a tx_batch does not say whether it was done");
  tell(fmt::format("transaction {} is told: {} at LSN {}", id, success.boolean ? "committed" : "rolled back",
                   done->lsn.value));
  if (!success.boolean) co_return note(history_.rolled_back(id));
  ++committed_;
  note(history_.committed(id, done->lsn));
  ledger_.acknowledged("a tx_batch", after, done->lsn, done->durable_lsn);
}

// ---- Clients ----

io::Task<void> Lists::step(TransactionSession& s, Strays& strays) {
  switch (s.random.below(16)) {
    case 0:
    case 1:
      co_return co_await append_alone(s);
    case 2:
      co_await look_at_one(s);
      co_return;
    case 3:
      co_await look_at_all(s, s.random.below(places_));
      co_return;
    case 4:
    case 5:
      co_return co_await batch(s);
    case 6:
    case 7:
      co_return co_await go_on(s, strays);
    default:
      co_return co_await transaction(s, strays);
  }
}

/// All of it at one snapshot. Nothing depends on it: tables may be full.
io::Task<bool> Lists::look_within(TransactionSession& s) {
  TxRef t = co_await begin(s);
  if (!t) co_return true;
  for (uint64_t place = 0; place < places_ && !t->over && !t->broken; ++place) {
    co_await read_all(s, *t, place);
    co_await count_all(s, *t, place);
  }
  if (!t->over) co_await roll_back(s, *t);
  co_return true;
}

io::Task<bool> Lists::verify(TransactionSession& s) {
  bool all = true;
  for (uint64_t place = 0; place < places_; ++place) all = co_await look_at_all(s, place) && all;
  co_return co_await look_within(s) && all;
}

void Lists::judge() {
  for (const auto& sentence : history_.judge()) ledger_.violation(sentence);
}

void Lists::restarted(Lsn recovered, bool lossy) {
  for (const auto& sentence : history_.restarted(recovered, lossy)) ledger_.violation(sentence);
  if (lossy) std::erase_if(there_, [recovered](const auto& t) { return t.second > recovered; });
}

Bounds Lists::count(Lsn lsn) const {
  Bounds out{0, keys_.size()};
  for (const auto& [key, since] : there_) out.least += since <= lsn;
  return out;
}

}  // namespace holdfast::chaos
