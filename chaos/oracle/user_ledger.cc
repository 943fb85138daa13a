#include "chaos/oracle/user_ledger.h"

#include <fmt/core.h>

#include "io/base/assert.h"

namespace holdfast::chaos {
namespace {

using Kind = UserModel::Operation::Kind;

std::string text(const UserModel::Operation& o) {
  switch (o.kind) {
    case Kind::kAdd:
      return fmt::format("add with password {}, {}", o.password, o.may_write ? "read-write" : "read-only");
    case Kind::kPasswd:
      return fmt::format("change to password {}", o.password);
    case Kind::kRemove:
      return "remove";
    case Kind::kLogIn:
      return fmt::format("log in with password {}", o.password);
    case Kind::kList:
      return "list";
  }
  return "?";
}

std::string text(const std::vector<UserModel::State>& states) {
  std::string out;
  for (const UserModel::State& s : states) {
    out += out.empty() ? "" : " or ";
    out += s.password == 0 ? "absent"
                           : fmt::format("{} with password {}", s.may_write ? "read-write" : "read-only", s.password);
  }
  return out.empty() ? "nothing that can be" : out;
}

}  // namespace

UserModel::Answer UserModel::apply(State& state, const Operation& operation) {
  bool there = state.password != 0;
  switch (operation.kind) {
    case Kind::kAdd:
      if (!there) state = {operation.password, operation.may_write};
      return {.done = !there};
    case Kind::kPasswd:
      if (there) state.password = operation.password;
      return {.done = there};
    case Kind::kRemove:
      state = {};
      return {.done = there};
    case Kind::kLogIn:
      return {.done = state.password == operation.password};
    case Kind::kList:
      return {.done = there, .may_write = state.may_write};
  }
  return {};
}

UserLedger::UserLedger(Ledger& ledger) : ledger_(ledger) {
  ledger_.on_restart.push_back([this](Lsn recovered, bool) {
    for (auto& [user, history] : histories_) history.crash(recovered);
    std::erase_if(under_way_, [](const auto& u) { return u.second.abandoned; });
  });
}

OperationId UserLedger::invoke(const std::string& user, const Operation& operation) {
  OperationId id = ++last_id_;
  under_way_[id] = {.user = user, .operation = operation};
  histories_[user].invoke(id, operation);
  if (ledger_.tell) ledger_.tell(fmt::format("asks %{} user {}: {}", id, user, text(operation)));
  return id;
}

UserLedger::UnderWay UserLedger::settle(OperationId id, const char* told) {
  auto at = under_way_.find(id);
  HF_ASSERT(at != under_way_.end(), "a client ends an operation once");
  UnderWay asked = std::move(at->second);
  under_way_.erase(at);
  if (ledger_.tell) ledger_.tell(fmt::format("told %{} user {}: {}", id, asked.user, told));
  return asked;
}

void UserLedger::answer(OperationId id, const UserModel::Answer& answer) {
  UnderWay asked = settle(id, answer.done ? "done" : "not done");
  ObjectHistory<UserModel>& history = histories_[asked.user];
  if (!history.answer(id, answer, std::nullopt))
    ledger_.violation(fmt::format("user {}: {} was answered {}, but the user was {}", asked.user, text(asked.operation),
                                  answer.done ? "done" : "not done", text(history.states_at_failure())));
}

void UserLedger::refused(OperationId id) {
  UnderWay asked = settle(id, "refused");
  if (!histories_[asked.user].forget(id))
    ledger_.violation(
        fmt::format("user {}: {} was refused, but its effect has been seen", asked.user, text(asked.operation)));
}

void UserLedger::abandoned(OperationId id) {
  UnderWay& asked = under_way_.at(id);
  if (asked.operation.kind == Kind::kLogIn || asked.operation.kind == Kind::kList) return refused(id);
  if (ledger_.tell) ledger_.tell(fmt::format("told %{} user {}: nothing", id, asked.user));
  asked.abandoned = true;
  histories_[asked.user].abandon(id);
}

size_t UserLedger::under_way(const std::string& user) const {
  auto at = histories_.find(user);
  return at == histories_.end() ? 0 : at->second.under_way();
}

}  // namespace holdfast::chaos
