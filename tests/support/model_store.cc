#include "tests/support/model_store.h"

#include <algorithm>

namespace holdfast::test {

using chaos::Answer;
using chaos::DocumentName;
using chaos::DocumentState;
using chaos::Ledger;
using chaos::Loss;
using Kind = chaos::Operation::Kind;

const char* name(Fault fault) {
  switch (fault) {
    case Fault::kNone: return "None";
    case Fault::kStaleRead: return "StaleRead";
    case Fault::kLostAtCrash: return "LostAtCrash";
    case Fault::kLostUpdate: return "LostUpdate";
    case Fault::kResurrected: return "Resurrected";
    case Fault::kReusedLsn: return "ReusedLsn";
    case Fault::kFalselyDurable: return "FalselyDurable";
    case Fault::kFalseDuplicate: return "FalseDuplicate";
    case Fault::kUpdateTwice: return "UpdateTwice";
    case Fault::kUncommittedRead: return "UncommittedRead";
    case Fault::kSnapshotMisses: return "SnapshotMisses";
    case Fault::kSnapshotFromTheFuture: return "SnapshotFromTheFuture";
    case Fault::kPhantom: return "Phantom";
  }
  return "?";
}

ModelStore::ModelStore(uint64_t seed, Fault fault)
    : fault_(fault),
      random_(seed, "model store"),
      sync_(random_.chance(1, 2) ? fault != Fault::kFalselyDurable : fault == Fault::kUncommittedRead),
      ledger_({.sync = sync_}) {}

bool ModelStore::strikes() { return random_.chance(1, 4); }

template <class F>
int ModelStore::pick(F wanted) {
  std::vector<int> found;
  for (size_t i = 0; i < requests_.size(); ++i)
    if (wanted(requests_[i])) found.push_back(static_cast<int>(i));
  return found.empty() ? -1 : found[random_.below(found.size())];
}

ModelStore::States ModelStore::at(Lsn lsn) const {
  States out;
  for (const Entry& e : log_) {
    if (e.lsn > lsn) break;
    for (const auto& [document, state] : e.puts) out[document] = state;
  }
  std::erase_if(out, [](const auto& d) { return !d.second.exists; });
  return out;
}

DocumentState ModelStore::state(const DocumentName& document, Lsn lsn) const {
  for (auto e = log_.rbegin(); e != log_.rend(); ++e) {
    if (e->lsn > lsn) continue;
    if (auto put = e->puts.find(document); put != e->puts.end()) return put->second;
  }
  return {};
}

void ModelStore::run(int steps) {
  for (int i = 0; i < steps; ++i) step();
  finish();
}

void ModelStore::step() {
  switch (random_.below(24)) {
    case 0: case 1: case 2: case 3: case 4: case 5:
      if (requests_.size() < 6) ask();
      return;
    case 6:
      if (requests_.size() < 6) ask_batch();
      return;
    case 7: case 8: case 9: case 10: case 11:
      if (int i = pick([](const Request& r) { return !r.evaluated; }); i >= 0) evaluate(requests_[static_cast<size_t>(i)]);
      return;
    case 12: case 13:
      return commit();
    case 14:
      if (int i = pick([](const Request& r) { return !r.abandoned; }); i >= 0 && random_.chance(1, 3)) abandon(static_cast<size_t>(i));
      return;
    case 15:
      return begin_snapshot();
    case 16:
      return tell_snapshot();
    case 17:
      if (random_.chance(1, 4)) crash();
      return;
    default:
      if (int i = pick([this](const Request& r) { return r.evaluated && r.lsn <= committed_; }); i >= 0) answer(static_cast<size_t>(i));
      return;
  }
}

// ---- Requests ----

void ModelStore::ask() {
  static constexpr Kind kKinds[] = {Kind::kInsert, Kind::kInsert, Kind::kUpdate, Kind::kUpdate, Kind::kDelete, Kind::kRead, Kind::kRead, Kind::kRead};
  DocumentName document = "docs/" + std::to_string(random_.below(3));
  if (ledger_.under_way(document) >= 4) return;
  Part part{.document = document, .operation = {.kind = kKinds[random_.below(8)], .value = ++last_value_}};
  part.id = ledger_.invoke(document, part.operation);
  requests_.push_back({.parts = {part}, .committed_before = committed_});
}

void ModelStore::ask_batch() {
  Request r{.committed_before = committed_};
  for (uint64_t n = random_.between(1, 3); n > 0; --n) {
    Part part{.document = "many/" + std::to_string(++last_value_), .operation = {.kind = Kind::kInsert, .value = last_value_, .repeatable = true}};
    part.id = ledger_.invoke(part.document, part.operation);
    r.parts.push_back(part);
  }
  requests_.push_back(std::move(r));
}

void ModelStore::evaluate_read(Part& p, Lsn committed_before) {
  p.answer.state = state(p.document, committed_);
  if (fault_ == Fault::kStaleRead && strikes() && committed_before > Lsn()) {
    // What the last change before the request replaced.
    DocumentState newest = state(p.document, committed_before);
    for (Lsn l = committed_before; l > Lsn(); l = Lsn(l.value - 1))
      if (DocumentState old = state(p.document, l); old != newest) {
        p.answer.state = old;
        struck_ = true;
        break;
      }
  }
  if (fault_ == Fault::kUncommittedRead && strikes()) {
    DocumentState pending = state(p.document, last());
    p.uncommitted = pending != p.answer.state;
    p.answer.state = pending;
  }
}

void ModelStore::evaluate_write(Part& p, States& puts) {
  DocumentState now = state(p.document, last());
  DocumentState next = now;
  const chaos::Operation& o = p.operation;
  bool insert = o.kind == Kind::kInsert;
  p.changed = now.exists != insert;
  p.answer.done = p.changed || (insert && o.repeatable && now == DocumentState{true, o.value, 0});
  if (insert && p.changed && !o.repeatable && fault_ == Fault::kFalseDuplicate && strikes()) {
    struck_ = true;
    p.changed = p.answer.done = false;
  }
  if (!p.changed) return;
  if (insert) next = {true, o.value, 0};
  if (o.kind == Kind::kDelete) next = {};
  if (o.kind == Kind::kUpdate) {
    next = {true, o.value, now.counter + 1};
    bool wrong = (fault_ == Fault::kLostUpdate && now.counter > 0) || fault_ == Fault::kUpdateTwice;
    if (wrong && strikes()) {
      next.counter += fault_ == Fault::kLostUpdate ? -1 : 1;
      struck_ = true;
    }
  }
  puts[p.document] = next;
}

void ModelStore::evaluate(Request& r) {
  r.evaluated = true;
  if (r.parts[0].operation.kind == Kind::kRead) {
    evaluate_read(r.parts[0], r.committed_before);
    r.lsn = committed_;
    return;
  }
  States puts;
  for (Part& p : r.parts) evaluate_write(p, puts);
  if (!puts.empty()) {
    Lsn lsn = last().next();
    if (fault_ == Fault::kReusedLsn && last() > committed_ && strikes()) {
      struck_ = true;
      lsn = last();
    }
    log_.push_back({lsn, std::move(puts)});
    if (!sync_) committed_ = last();
  }
  r.lsn = last();
}

void ModelStore::commit() {
  if (durable_ < last()) durable_ = Lsn(random_.between(durable_.value + 1, last().value));
  if (sync_) committed_ = durable_;
}

Lsn ModelStore::reported_durable() {
  if (fault_ != Fault::kFalselyDurable || !strikes()) return durable_;
  falsely_reported_ = std::max(falsely_reported_, committed_);
  return committed_;
}

void ModelStore::answer(size_t at) {
  Request r = std::move(requests_[at]);
  requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(at));
  if (r.abandoned) return;
  Lsn durable = reported_durable();
  for (const Part& p : r.parts) {
    auto effect = p.operation.repeatable ? Ledger::Effect::kSomeEntry : p.changed ? Ledger::Effect::kOwnEntry : Ledger::Effect::kNone;
    ledger_.answer(p.id, p.answer, effect, r.lsn, durable);
    if (p.uncommitted) shown_uncommitted_.push_back({p.document, p.answer.state});
  }
}

void ModelStore::abandon(size_t at) {
  Request& r = requests_[at];
  if (!r.evaluated && !r.sent_again && random_.chance(1, 2)) {
    for (const Part& p : r.parts) ledger_.refused(p.id);
    requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(at));
    return;
  }
  for (const Part& p : r.parts) ledger_.abandoned(p.id);
  r.abandoned = true;
}

// ---- Snapshots ----

void ModelStore::begin_snapshot() {
  if (snapshots_.size() >= 2) return;
  Snapshot s{committed_, at(committed_)};
  if (fault_ == Fault::kSnapshotMisses && !s.documents.empty() && strikes()) {
    s.documents.erase(std::next(s.documents.begin(), static_cast<std::ptrdiff_t>(random_.below(s.documents.size()))));
    struck_ = true;
  }
  if (fault_ == Fault::kPhantom && strikes()) {
    s.documents["docs/phantom"] = {true, 1, 0};
    struck_ = true;
  }
  if (fault_ == Fault::kSnapshotFromTheFuture && committed_ > Lsn() && strikes()) {
    s.lsn = Lsn(committed_.value - 1);
    struck_ = true;
  }
  snapshots_.push_back(std::move(s));
}

void ModelStore::tell_snapshot() {
  if (snapshots_.empty()) return;
  Snapshot s = std::move(snapshots_.front());
  snapshots_.erase(snapshots_.begin());
  for (const char* prefix : {"docs/", "many/"}) {
    States part;
    for (const auto& [document, state] : s.documents)
      if (document.starts_with(prefix)) part.emplace(document, state);
    ledger_.snapshot(prefix, s.lsn, part);
  }
}

// ---- Crashes ----

void ModelStore::crash() {
  bool power = random_.chance(1, 2);
  // In async mode a dead process has handed everything to the operating system; in sync mode what was not synced may be there or not.
  Lsn survived = !sync_ && !power ? last() : Lsn(random_.between(durable_.value, last().value));
  struck_ = struck_ || survived < falsely_reported_;
  while (!log_.empty() && log_.back().lsn > survived) log_.pop_back();
  for (const auto& [document, shown] : shown_uncommitted_) struck_ = struck_ || state(document, survived) != shown;
  shown_uncommitted_.clear();
  if (power || random_.chance(1, 2)) break_survivors();
  committed_ = durable_ = last();
  snapshots_.clear();
  // Who may ask again does; the others are told that nobody knows.
  for (const Request& r : requests_)
    if (!r.abandoned && !r.parts[0].operation.repeatable)
      for (const Part& p : r.parts) ledger_.abandoned(p.id);
  std::erase_if(requests_, [](const Request& r) { return r.abandoned || !r.parts[0].operation.repeatable; });
  ledger_.ended(power ? Loss::kUnsynced : Loss::kNothing);
  ledger_.restarted(survived);
  for (Request& r : requests_) {
    r.evaluated = false;
    r.sent_again = true;
    r.committed_before = committed_;
    for (Part& p : r.parts) p.changed = false;
  }
}

void ModelStore::break_survivors() {
  if (log_.empty() || (fault_ != Fault::kLostAtCrash && fault_ != Fault::kResurrected)) return;
  States before = at(last());
  std::vector<Entry*> candidates;
  for (Entry& e : log_) {
    bool deletion = e.puts.size() == 1 && !e.puts.begin()->second.exists;
    if (deletion == (fault_ == Fault::kResurrected)) candidates.push_back(&e);
  }
  if (candidates.empty()) return;
  // Mostly a late one, which matters.
  candidates[std::max(random_.below(candidates.size()), random_.below(candidates.size()))]->puts.clear();
  struck_ = struck_ || at(last()) != before;
}

void ModelStore::finish() {
  for (Request& r : requests_)
    if (!r.evaluated) evaluate(r);
  committed_ = durable_ = last();
  while (!requests_.empty()) answer(0);
  while (!snapshots_.empty()) tell_snapshot();
  States all = at(committed_);
  for (const DocumentName& document : ledger_.documents())
    ledger_.answer(ledger_.invoke(document, {}), {.done = false, .state = state(document, committed_)}, Ledger::Effect::kNone, committed_, durable_);
  if (fault_ == Fault::kNone) {
    snapshots_.push_back({committed_, all});
    tell_snapshot();
  }
}

}  // namespace holdfast::test
