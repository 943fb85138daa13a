#include "chaos/oracle/ledger.h"

#include <fmt/core.h>

#include <algorithm>

#include "io/base/assert.h"

namespace holdfast::chaos {
namespace {

const char* name(Operation::Kind kind) {
  switch (kind) {
    case Operation::Kind::kInsert: return "insert";
    case Operation::Kind::kUpdate: return "update";
    case Operation::Kind::kDelete: return "delete";
    case Operation::Kind::kRead: return "read";
  }
  return "?";
}

std::string text(const std::vector<DocumentState>& states) {
  std::string out;
  for (const DocumentState& s : states) out += (out.empty() ? "" : " or ") + text(s);
  return out.empty() ? "nothing that can be" : out;
}

}  // namespace

OperationId Ledger::invoke(const DocumentName& document, const Operation& operation) {
  ++moves_;
  OperationId id = ++last_id_;
  under_way_[id] = {.document = document, .operation = operation, .epoch = epoch_, .after = highest_lsn_};
  histories_[document].invoke(id, operation);
  if (tell) tell(fmt::format("asks #{} {} {} value {}", id, name(operation.kind), document, operation.value));
  return id;
}

void Ledger::answer(OperationId id, const Answer& answer, Effect effect, Lsn lsn, Lsn durable) {
  ++moves_;
  auto at = under_way_.find(id);
  HF_ASSERT(at != under_way_.end(), "a client ends an operation once");
  if (at->second.epoch < epoch_) {
    // Told by the server before or after the one that lost something: nobody can say what is left of it.
    abandoned(id);
    return;
  }
  UnderWay asked = std::move(at->second);
  if (tell)
    tell(fmt::format("told #{} {} {} value {}: {} {} LSN {} durable {}", id, name(asked.operation.kind), asked.document, asked.operation.value,
                     answer.done ? "done" : "not done", text(answer.state), lsn.value, durable.value));
  under_way_.erase(at);
  ++answered_count_;
  DocumentHistory& history = histories_[asked.document];
  std::optional<Place> place;
  if (effect != Effect::kNone)
    place = Place{lsn, effect == Effect::kOwnEntry ? Place::Precision::kExact : Place::Precision::kAtMost, asked.after};
  if (!history.answer(id, answer, place))
    violation(fmt::format("{} of {} (value {}) was answered {} at LSN {}, but the document was {}", name(asked.operation.kind), asked.document,
                          asked.operation.value, asked.operation.kind == Operation::Kind::kRead ? text(answer.state) : answer.done ? "done" : "not done",
                          lsn.value, text(history.states_at_failure())));
  if (lsn != Lsn() && lsn < asked.after)
    violation(fmt::format("{} of {} (value {}) began after LSN {} was acknowledged, but was answered at LSN {}", name(asked.operation.kind), asked.document,
                          asked.operation.value, asked.after.value, lsn.value));
  if (effect == Effect::kOwnEntry && !changes_.insert(lsn).second)
    violation(fmt::format("LSN {} was given to two acknowledged changes; the second is of {}", lsn.value, asked.document));
  check_what_it_rests_on(asked, answer, effect, lsn);
  check_durable(asked.document, lsn, durable);
  highest_lsn_ = std::max(highest_lsn_, lsn);
  highest_durable_ = std::max(highest_durable_, durable);
}

/// In sync mode every answer claims that what it rests on is durable; `durable` claims it in either mode.
void Ledger::check_durable(const std::string& what, Lsn lsn, Lsn durable) {
  if (mode_.sync) durable = std::max(durable, lsn);
  if (!durable_through || durable <= seen_durable_) return;
  seen_durable_ = durable_through();
  if (durable > seen_durable_)
    violation(fmt::format("an answer about {} claims that LSN {} is durable, but a power cut would leave the log through LSN {} only", what, durable.value,
                          seen_durable_.value));
}

void Ledger::check_what_it_rests_on(const UnderWay& asked, const Answer& answer, Effect effect, Lsn lsn) {
  bool read = asked.operation.kind == Operation::Kind::kRead;
  bool wrote = effect == Effect::kOwnEntry && asked.operation.kind != Operation::Kind::kDelete;
  if (!wrote && !(read && answer.state.exists)) return;
  uint64_t value = read ? answer.state.value : asked.operation.value;
  if (wrote) written_at_[value] = lsn;
  if (read) shown_at_[value] = std::min(shown_at_.try_emplace(value, lsn).first->second, lsn);
  auto written = written_at_.find(value), shown = shown_at_.find(value);
  if (written == written_at_.end() || shown == shown_at_.end() || written->second <= shown->second) return;
  violation(fmt::format("a read of {} rests on LSN {}, but shows value {}, which was written at LSN {}", asked.document, shown->second.value, value,
                        written->second.value));
  shown_at_.erase(shown);
}

void Ledger::abandoned(OperationId id) {
  ++moves_;
  UnderWay& asked = under_way_.at(id);
  if (tell) tell(fmt::format("told #{} {}: nothing", id, asked.document));
  if (asked.operation.kind == Operation::Kind::kRead) {
    // Whatever it may have seen, nobody was told.
    histories_[asked.document].forget(id);
    under_way_.erase(id);
    return;
  }
  asked.abandoned = true;
  histories_[asked.document].abandon(id);
}

void Ledger::refused(OperationId id) {
  ++moves_;
  auto at = under_way_.find(id);
  HF_ASSERT(at != under_way_.end(), "a client ends an operation once");
  if (tell) tell(fmt::format("told #{} {}: refused", id, at->second.document));
  if (!histories_[at->second.document].forget(id))
    violation(fmt::format("{} of {} (value {}) was refused, but its effect has been seen", name(at->second.operation.kind), at->second.document,
                          at->second.operation.value));
  under_way_.erase(at);
}

void Ledger::ended(Loss loss) {
  if (tell) tell(loss == Loss::kNothing ? "the server ended" : "the server ended, and what was not synced may be lost");
  loss_ = std::max(loss_, loss);
}

void Ledger::restarted(Lsn recovered) {
  ++moves_;
  if (tell) tell(fmt::format("the server is back at LSN {}", recovered.value));
  bool may_lose = !mode_.sync && loss_ == Loss::kUnsynced;
  if (!may_lose && recovered < highest_lsn_)
    violation(fmt::format("LSN {} was acknowledged, but the server came back with {} only", highest_lsn_.value, recovered.value));
  if (recovered < highest_durable_)
    violation(fmt::format("LSN {} was reported durable, but the server came back with {} only", highest_durable_.value, recovered.value));
  for (auto& [document, history] : histories_) {
    if (!may_lose)
      history.crash(recovered);
    else if (!history.crash_and_lose_after(recovered))
      violation(fmt::format("no prefix explains {} after a restart at LSN {}", document, recovered.value));
  }
  std::erase_if(under_way_, [](const auto& u) { return u.second.abandoned; });
  if (may_lose) {
    ++epoch_;
    written_at_.clear();
    shown_at_.clear();
  }
  changes_.erase(changes_.upper_bound(recovered), changes_.end());
  highest_lsn_ = std::min(highest_lsn_, recovered);
  loss_ = Loss::kNothing;
  seen_durable_ = Lsn();
  check_durable("what was recovered", recovered, recovered);
  for (const auto& tell_one : on_restart) tell_one(recovered, may_lose);
}

void Ledger::snapshot(const std::string& prefix, Lsn snapshot, const std::map<DocumentName, DocumentState>& documents, const Selects& selects) {
  for (const auto& [document, history] : histories_) {
    if (!document.starts_with(prefix)) continue;
    auto shown = documents.find(document);
    DocumentState state = shown == documents.end() ? DocumentState{} : shown->second;
    std::optional<std::vector<DocumentState>> then = history.states_at(snapshot);
    if (selects && then)
      for (DocumentState& s : *then)
        if (s.exists && !selects(document, s)) s = DocumentState{};  // is there, and not to be seen
    if (then && std::find(then->begin(), then->end(), state) == then->end())
      violation(fmt::format("a snapshot at LSN {} shows {} as {}, but it was {}", snapshot.value, document, text(state), text(*then)));
  }
  for (const auto& [document, state] : documents)
    if (!histories_.contains(document)) violation(fmt::format("a snapshot shows {}, which nobody wrote", document));
}

void Ledger::acknowledged(const std::string& what, Lsn after, Lsn lsn, Lsn durable) {
  ++answered_count_;
  if (lsn < after)
    violation(fmt::format("an answer about {} that was asked for after LSN {} was acknowledged rests on LSN {}", what, after.value, lsn.value));
  check_durable(what, lsn, durable);
  highest_lsn_ = std::max(highest_lsn_, lsn);
  highest_durable_ = std::max(highest_durable_, durable);
}

namespace {

template <class Exists>
void add(Bounds& out, const std::optional<std::vector<DocumentState>>& states, Exists exists) {
  out.least += states && std::all_of(states->begin(), states->end(), exists);
  out.most += !states || std::any_of(states->begin(), states->end(), exists);
}

}  // namespace

Bounds Ledger::count(const std::string& prefix, Lsn snapshot, const Selects& selects) const {
  Bounds out;
  for (const auto& [document, history] : histories_)
    if (document.starts_with(prefix))
      add(out, history.states_at(snapshot), [&](const DocumentState& s) { return s.exists && (!selects || selects(document, s)); });
  return out;
}

Bounds Ledger::count(const std::string& prefix) const {
  Bounds out;
  for (const auto& [document, history] : histories_)
    if (document.starts_with(prefix)) add(out, history.states(), [](const DocumentState& s) { return s.exists; });
  return out;
}

void Ledger::violation(std::string sentence) {
  if (tell) tell("VIOLATION: " + sentence);
  violations_.push_back(std::move(sentence));
  if (on_violation) on_violation();
}

size_t Ledger::under_way(const DocumentName& document) const {
  auto at = histories_.find(document);
  return at == histories_.end() ? 0 : at->second.under_way();
}

std::vector<DocumentName> Ledger::documents() const {
  std::vector<DocumentName> out;
  for (const auto& [name, history] : histories_) out.push_back(name);
  return out;
}

}  // namespace holdfast::chaos
