#include "chaos/oracle/declaration_ledger.h"

#include <fmt/core.h>

#include <algorithm>

#include "io/base/assert.h"

namespace holdfast::chaos {
namespace {

using Kind = DeclarationModel::Operation::Kind;

std::string text(const DeclarationModel::Operation& o) {
  switch (o.kind) {
    case Kind::kDeclare:
      return fmt::format("declare index {} of type {}", o.index, o.type);
    case Kind::kDrop:
      return fmt::format("drop index {}", o.index);
    case Kind::kAsk:
      return fmt::format("ask for index {}", o.index);
    case Kind::kDropCollection:
      return "drop the collection";
    case Kind::kList:
      return "list indexes";
  }
  return "?";
}

std::string text(const std::vector<Declarations>& states) {
  std::string out;
  for (const Declarations& s : states) out += (out.empty() ? "" : "; or ") + text(s);
  return out.empty() ? "nothing that can be" : out;
}

}  // namespace

DeclarationLedger::DeclarationLedger(Ledger& ledger) : ledger_(ledger) {
  ledger_.on_restart.push_back([this](Lsn recovered, bool lossy) { restarted(recovered, lossy); });
}

OperationId DeclarationLedger::invoke(const std::string& collection, const Operation& operation) {
  OperationId id = ++last_id_;
  under_way_[id] = {.collection = collection,
                    .operation = operation,
                    .epoch = ledger_.epoch(),
                    .after = std::max(ledger_.highest_acknowledged(), recovered_)};
  histories_[collection].invoke(id, operation);
  if (ledger_.tell) ledger_.tell(fmt::format("asks @{} {}: {}", id, collection, text(operation)));
  return id;
}

void DeclarationLedger::answer(OperationId id, const DeclarationModel::Answer& answer, Lsn lsn, Lsn durable) {
  if (auto asked = settle(id, answer, lsn)) ledger_.acknowledged(asked->collection, asked->after, lsn, durable);
}

void DeclarationLedger::answer_not_done(OperationId id) { settle(id, {.done = false}, Lsn()); }

/// Nothing when it cannot be judged.
std::optional<DeclarationLedger::UnderWay> DeclarationLedger::settle(OperationId id,
                                                                     const DeclarationModel::Answer& answer, Lsn lsn) {
  auto at = under_way_.find(id);
  HF_ASSERT(at != under_way_.end(), "a client ends an operation once");
  if (at->second.epoch != ledger_.epoch()) {  // told by the server before or after one that lost something
    abandoned(id);
    return std::nullopt;
  }
  UnderWay asked = std::move(at->second);
  under_way_.erase(at);
  bool list = asked.operation.kind == Kind::kList;
  std::string told = list ? text(answer.state) : answer.done ? "done" : "not done";
  if (ledger_.tell) ledger_.tell(fmt::format("told @{} {}: {}, LSN {}", id, asked.collection, told, lsn.value));
  // What has no LSN of its own changed nothing. A drop answers with its own; one that finds nothing to drop with what
  // it rests on, and is as good as a drop there. A declaration answers with the snapshot at which it has counted.
  bool changes = asked.operation.kind != Kind::kAsk && !list && answer.done && lsn > asked.after;
  std::optional<Place> place;
  if (changes)
    place = Place{lsn, asked.operation.kind == Kind::kDeclare ? Place::Precision::kAtMost : Place::Precision::kExact,
                  asked.after};
  DeclarationHistory& history = histories_[asked.collection];
  if (!history.answer(id, answer, place))
    ledger_.violation(fmt::format("{}: {} was answered {} at LSN {}, but declared was: {}", asked.collection,
                                  text(asked.operation), told, lsn.value, text(history.states_at_failure())));
  return asked;
}

void DeclarationLedger::refused(OperationId id) {
  auto at = under_way_.find(id);
  HF_ASSERT(at != under_way_.end(), "a client ends an operation once");
  if (ledger_.tell) ledger_.tell(fmt::format("told @{} {}: refused", id, at->second.collection));
  if (!histories_[at->second.collection].forget(id))
    ledger_.violation(fmt::format("{}: {} was refused, but its effect has been seen", at->second.collection,
                                  text(at->second.operation)));
  under_way_.erase(at);
}

void DeclarationLedger::abandoned(OperationId id) {
  UnderWay& asked = under_way_.at(id);
  if (ledger_.tell) ledger_.tell(fmt::format("told @{} {}: nothing", id, asked.collection));
  if (asked.operation.kind == Kind::kList || asked.operation.kind == Kind::kAsk) {
    histories_[asked.collection].forget(id);
    under_way_.erase(id);
    return;
  }
  asked.abandoned = true;
  histories_[asked.collection].abandon(id);
}

void DeclarationLedger::restarted(Lsn recovered, bool lossy) {
  recovered_ = recovered;
  for (auto& [collection, history] : histories_) {
    if (!lossy)
      history.crash(recovered);
    else if (!history.crash_and_lose_after(recovered))
      ledger_.violation(
          fmt::format("no prefix explains the indexes of {} after a restart at LSN {}", collection, recovered.value));
  }
  std::erase_if(under_way_, [](const auto& u) { return u.second.abandoned; });
}

size_t DeclarationLedger::under_way(const std::string& collection) const {
  auto at = histories_.find(collection);
  return at == histories_.end() ? 0 : at->second.under_way();
}

}  // namespace holdfast::chaos
