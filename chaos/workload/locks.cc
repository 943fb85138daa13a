#include "chaos/workload/locks.h"

#include <fmt/core.h>

#include "chaos/workload/documents.h"
#include "chaos/workload/pause.h"
#include "chaos/workload/raw.h"
#include "io/base/msgpack.h"
#include "io/wire/reply.h"

namespace holdfast::chaos {
namespace {

/// Values of other workloads are smaller.
constexpr uint64_t kFirstValue = uint64_t{1} << 40;
constexpr const char* kCollection = "locks";

std::string name_of(const std::string& key) { return fmt::format("{}/{}", kCollection, key); }

Buffer request(uint64_t id, wire::Op op, Bytes args) { return raw_request({.id = id, .op = op, .collection = kCollection}, args); }

}  // namespace

Locks::Outcome Locks::outcome_of(Bytes payload) {
  Result<wire::Reply> reply = wire::parse_reply(payload);
  if (!reply) {
    ledger_.violation("a server answered " + reply.error().text());
    return {};
  }
  if (reply->ok()) return {Fate::kDone, reply->lsn, reply->durable_lsn};
  switch (reply->code) {
    case Code::kDuplicateKey: return {Fate::kDuplicate, {}, {}};
    case Code::kInternal:
    case Code::kTimeout:
    case Code::kUnknownOutcome: return {Fate::kLost, {}, {}};
    default: return {Fate::kRefused, {}, {}};
  }
}

io::Task<Locks::Outcome> Locks::attempt(io::Host& host, Rng& random, std::string key, uint64_t value) {
  io::Executor& here = co_await io::this_executor();
  Result<std::unique_ptr<io::Connection>> made = co_await host.network.connect(options_.server, here.now() + options_.timeout);
  if (!made) co_return Outcome{.fate = Fate::kRefused};
  std::shared_ptr<io::Connection> connection = std::move(*made);
  uint64_t patience = random.below(3);
  // In no hurry; or gone before an answer can have come; or somewhere between.
  Duration wait = patience == 0 ? options_.timeout : patience == 1 ? Duration{} : nanoseconds(static_cast<int64_t>(random.below(5'000'000)));
  bool sent = (co_await connection->write_all(request(1, wire::Op::kInsertOne, make_document(key, value)))).has_value();
  if (sent && wait.ns == 0) {
    connection->close();
    co_return Outcome{};
  }
  here.spawn(close_at(connection, here.now() + wait));
  std::optional<Buffer> answer;
  if (sent) answer = co_await read_frame(*connection);
  if (!answer) co_return Outcome{};
  Outcome out = outcome_of(*answer);
  bool goes_on = options_.machines == LocksOptions::Machines::kShared || random.below(2) == 0;
  bool sent_more = goes_on && (co_await connection->write_all(request(2, wire::Op::kPing, "\x80"))).has_value();
  if (options_.machines == LocksOptions::Machines::kShared && out.fate == Fate::kDone && !(sent_more && co_await read_frame(*connection))) out.fate = Fate::kLost;
  connection->close();
  co_return out;
}

io::Task<void> Locks::look(io::Host& host, std::string key) {
  io::Executor& here = co_await io::this_executor();
  Result<std::unique_ptr<io::Connection>> made = co_await host.network.connect(options_.server, here.now() + options_.timeout);
  if (!made) co_return;
  std::shared_ptr<io::Connection> connection = std::move(*made);
  here.spawn(close_at(connection, here.now() + options_.timeout));
  Buffer args;
  msgpack::Writer(args).map(1).string("id").string(key);
  OperationId id = ledger_.invoke(name_of(key), {.kind = Operation::Kind::kRead});
  std::optional<Buffer> answer;
  if (co_await connection->write_all(request(1, wire::Op::kFindById, args))) answer = co_await read_frame(*connection);
  connection->close();
  Result<wire::Reply> reply = answer ? wire::parse_reply(*answer) : Result<wire::Reply>(fail(Code::kClosed, "no answer"));
  if (!reply || (!reply->ok() && reply->code != Code::kNotFound)) co_return ledger_.refused(id);
  DocumentState state;
  if (reply->ok()) {
    Result<ReadDocument> document = read_document(reply->result);
    if (!document) {
      ledger_.violation(document.error().message);
      co_return ledger_.refused(id);
    }
    state = document->state;
  }
  ledger_.answer(id, {.state = state}, Ledger::Effect::kNone, reply->lsn, reply->durable_lsn);
}

io::Task<void> Locks::take_lock(io::Host& host, Rng& random, uint64_t n) {
  std::string key = fmt::format("lock-{}", n);
  if (random.below(2) == 0) co_await look(host, key);
  uint64_t value = kFirstValue + n;
  bool shared = options_.machines == LocksOptions::Machines::kShared;
  ++asked_;
  OperationId id = ledger_.invoke(name_of(key), {.kind = Operation::Kind::kInsert, .value = value, .repeatable = shared});
  bool lost = false;
  for (int i = 0; i < options_.attempts; ++i) {
    Outcome out = co_await attempt(host, random, key, value);
    if (out.fate == Fate::kDone) {
      repeated_ += lost;
      if (++holders_[{n, ledger_.epoch()}] > 1) ledger_.violation("two clients were told that they have " + key);
      co_return ledger_.answer(id, {.done = true}, Ledger::Effect::kSomeEntry, out.lsn, out.durable);
    }
    if (out.fate == Fate::kDuplicate) {
      // After an attempt without an answer this may be its own document.
      if (lost) co_return ledger_.abandoned(id);
      if (shared) co_return ledger_.refused(id);
      co_return ledger_.answer(id, {.done = false}, Ledger::Effect::kNone, out.lsn, out.durable);
    }
    lost = lost || out.fate == Fate::kLost;
    co_await io::sleep_for(nanoseconds(static_cast<int64_t>(random.below(20'000'000))));
  }
  if (lost)
    ledger_.abandoned(id);
  else
    ledger_.refused(id);
}

io::Task<void> Locks::run_client(io::Host& host, int index) {
  Rng random = random_.fork(fmt::format("locks {}", index));
  for (uint64_t n = 0; n < options_.keys; ++n) {
    co_await take_lock(host, random, n);
    co_await io::sleep_for(drawn_pause(random, options_.pause_max));
  }
}

}  // namespace holdfast::chaos
