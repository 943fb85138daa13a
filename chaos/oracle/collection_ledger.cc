#include "chaos/oracle/collection_ledger.h"

#include <fmt/core.h>

#include "io/base/assert.h"

namespace holdfast::chaos {
namespace {

std::string text(const CollectionLedger::Name& name) { return name.first.empty() ? name.second : name.first + "/" + name.second; }

}  // namespace

CollectionLedger::CollectionLedger(Ledger& ledger) : ledger_(ledger) {
  ledger_.on_restart.push_back([this](Lsn recovered, bool lossy) { restarted(recovered, lossy); });
}

OperationId CollectionLedger::ask(const Name& name, const char* what, const std::string& of) {
  OperationId id = ++last_id_;
  under_way_[id] = {.name = name, .look = look()};
  if (ledger_.tell) ledger_.tell(fmt::format("asks ~{} {} {} {}", id, what, text(name), of));
  return id;
}

OperationId CollectionLedger::insert(const Name& name, std::vector<Key> keys) {
  std::string all;
  for (const Key& key : keys) all += key + " ";
  OperationId id = ask(name, "insert into", all);
  histories_[name].insert(id, std::move(keys), ledger_.highest_acknowledged());
  return id;
}

OperationId CollectionLedger::create(const Name& name) {
  OperationId id = ask(name, "create", "");
  histories_[name].create(id, ledger_.highest_acknowledged());
  return id;
}

OperationId CollectionLedger::drop(const Name& name) {
  OperationId id = ask(name, "drop", "");
  histories_[name].drop(id, ledger_.highest_acknowledged());
  return id;
}

void CollectionLedger::done(OperationId id, Lsn lsn, Lsn durable) {
  auto at = under_way_.find(id);
  HF_ASSERT(at != under_way_.end(), "a client ends an operation once");
  if (at->second.look.epoch != ledger_.epoch()) return abandoned(id);  // told by the server before or after one that lost something
  UnderWay asked = std::move(at->second);
  under_way_.erase(at);
  if (ledger_.tell) ledger_.tell(fmt::format("told ~{} {}: done, LSN {} durable {}", id, text(asked.name), lsn.value, durable.value));
  judge(asked.name, histories_[asked.name].done(id, lsn));
  ledger_.acknowledged(text(asked.name), asked.look.after, lsn, durable);
}

void CollectionLedger::refused(OperationId id) {
  auto at = under_way_.find(id);
  HF_ASSERT(at != under_way_.end(), "a client ends an operation once");
  if (ledger_.tell) ledger_.tell(fmt::format("told ~{} {}: refused", id, text(at->second.name)));
  judge(at->second.name, histories_[at->second.name].refused(id));
  under_way_.erase(at);
}

void CollectionLedger::abandoned(OperationId id) {
  UnderWay& asked = under_way_.at(id);
  if (ledger_.tell) ledger_.tell(fmt::format("told ~{} {}: nothing", id, text(asked.name)));
  asked.abandoned = true;
  histories_[asked.name].abandoned(id);
}

void CollectionLedger::restarted(Lsn recovered, bool lossy) {
  for (auto& [name, history] : histories_) history.restarted(recovered, lossy);
  std::erase_if(under_way_, [](const auto& u) { return u.second.abandoned; });
}

size_t CollectionLedger::drops_open(const Name& name) const {
  auto at = histories_.find(name);
  return at == histories_.end() ? 0 : at->second.drops_open();
}

// ---- Seen ----

/// Whether what was seen at `lsn` can be judged: LSNs of different epochs do not compare.
bool CollectionLedger::comparable(Look look, const Name& name, Lsn lsn, Lsn durable) {
  if (look.epoch != ledger_.epoch()) return false;
  ledger_.acknowledged(text(name), look.after, lsn, durable);
  return true;
}

void CollectionLedger::judge(const Name& name, std::string sentence) {
  if (!sentence.empty()) ledger_.violation(text(name) + " " + sentence);
}

void CollectionLedger::saw(Look look, const Name& name, const Key& key, bool there, Lsn lsn, Lsn durable) {
  if (ledger_.tell) ledger_.tell(fmt::format("told {} {}: {} at LSN {}", text(name), key, there ? "there" : "absent", lsn.value));
  if (comparable(look, name, lsn, durable)) judge(name, histories_[name].saw(key, there, {look.after, lsn}));
}

void CollectionLedger::saw_all(Look look, const Name& name, const std::set<Key>& keys, Lsn snapshot) {
  if (ledger_.tell) ledger_.tell(fmt::format("told {}: {} documents at LSN {}", text(name), keys.size(), snapshot.value));
  if (comparable(look, name, snapshot, Lsn())) judge(name, histories_[name].saw_all(keys, snapshot));
}

void CollectionLedger::saw_exists(Look look, const Name& name, bool there, Lsn lsn, Lsn durable) {
  if (ledger_.tell) ledger_.tell(fmt::format("told {}: {} at LSN {}", text(name), there ? "exists" : "does not exist", lsn.value));
  if (comparable(look, name, lsn, durable)) judge(name, histories_[name].saw_exists(there, {look.after, lsn}));
}

void CollectionLedger::saw_database(Look look, const std::string& database, bool there, Lsn lsn, Lsn durable) {
  if (!comparable(look, {database, ""}, lsn, durable)) return;
  bool must = false, may = false;
  for (const auto& [name, history] : histories_) {
    if (name.first != database) continue;
    must = must || history.made_by(look.after);
    may = may || history.may_be_made_by(lsn);
  }
  if (there ? !may : must)
    ledger_.violation(fmt::format("the database {} {} at LSN {}", database, there ? "exists, which nobody made," : "does not exist, though it was made,", lsn.value));
}

void CollectionLedger::saw_count(Look look, const Name& name, uint64_t documents, Lsn snapshot) {
  if (!comparable(look, name, snapshot, Lsn())) return;
  Bounds can = histories_[name].count(snapshot);
  if (!can.hold(documents))
    judge(name, fmt::format("counts {} documents at LSN {}, but has {} to {}", documents, snapshot.value, can.least, can.most));
}

Bounds CollectionLedger::count(Lsn snapshot) const {
  Bounds all;
  for (const auto& [name, history] : histories_) all += history.count(snapshot);
  return all;
}

}  // namespace holdfast::chaos
