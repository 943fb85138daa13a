#include "server/operations.h"

#include <fmt/format.h>

namespace holdfast::server {
namespace {

/// Whether an operation may be executed within a transaction that the envelope names.
enum class Where : uint8_t { kAlone, kInTransactions };

/// Whether it has arguments, which its handler reads.
enum class Takes : uint8_t { kArguments, kNothing };

struct Row {
  wire::Op op = wire::Op::kNone;
  Handler handler = nullptr;
  Where where = Where::kAlone;
  Takes takes = Takes::kArguments;
};

constexpr Row kRows[] = {
    {wire::Op::kInsertOne, insert_one, Where::kInTransactions},
    {wire::Op::kInsertMany, insert_many, Where::kInTransactions},
    {wire::Op::kFindOne, find_one, Where::kInTransactions},
    {wire::Op::kFind, find, Where::kInTransactions},
    {wire::Op::kUpdateOne, update_one, Where::kInTransactions},
    {wire::Op::kUpdateMany, update_many, Where::kInTransactions},
    {wire::Op::kDeleteOne, delete_one, Where::kInTransactions},
    {wire::Op::kDeleteMany, delete_many, Where::kInTransactions},
    {wire::Op::kUpsertOne, upsert_one, Where::kInTransactions},
    {wire::Op::kUpsertMany, upsert_many, Where::kInTransactions},
    {wire::Op::kCount, count, Where::kInTransactions},
    {wire::Op::kFindById, find_by_id, Where::kInTransactions},
    {wire::Op::kDrop, drop, Where::kAlone, Takes::kNothing},
    {wire::Op::kStats, stats, Where::kAlone, Takes::kNothing},
    {wire::Op::kFlush, flush, Where::kAlone, Takes::kNothing},
    {wire::Op::kBatch, batch},
    {wire::Op::kDbExists, database_exists},
    {wire::Op::kCollectionExists, collection_exists},
    {wire::Op::kCreateCollection, create_collection},
    {wire::Op::kFindManyCount, find_many_count, Where::kInTransactions},
    {wire::Op::kFindManyStream, find_many_stream},
    {wire::Op::kFindPaginated, find_paginated, Where::kInTransactions},
    {wire::Op::kHello, hello},
    {wire::Op::kListDatabases, list_databases, Where::kAlone, Takes::kNothing},
    {wire::Op::kListCollections, list_collections, Where::kAlone, Takes::kNothing},
    {wire::Op::kExport, export_part},
    {wire::Op::kPing, ping, Where::kAlone, Takes::kNothing},
    {wire::Op::kVerify, verify},
    {wire::Op::kFindAndModify, find_and_modify, Where::kInTransactions},
    {wire::Op::kStream, stream},
    {wire::Op::kCreateIndex, create_index},
    {wire::Op::kDropIndex, drop_index},
    {wire::Op::kListIndexes, list_indexes, Where::kAlone, Takes::kNothing},
    {wire::Op::kRebuildIndex, rebuild_index},
    {wire::Op::kOpenSession, open_session, Where::kAlone, Takes::kNothing},
    {wire::Op::kCloseSession, close_session},
    {wire::Op::kRequestOutcome, request_outcome},
    {wire::Op::kTxBatch, tx_batch},
    {wire::Op::kBeginTx, begin_tx},
    {wire::Op::kTxFindOne, tx_find_one},
    {wire::Op::kTxFindById, tx_find_by_id},
    {wire::Op::kTxInsertOne, tx_insert_one},
    {wire::Op::kTxUpdateOne, tx_update_one},
    {wire::Op::kTxDeleteOne, tx_delete_one},
    {wire::Op::kTxCommit, tx_commit},
    {wire::Op::kTxRollback, tx_rollback},
    {wire::Op::kUserAdd, user_add},
    {wire::Op::kUserRemove, user_remove},
    {wire::Op::kUserPasswd, user_passwd},
    {wire::Op::kUserList, user_list, Where::kAlone, Takes::kNothing},
};

constexpr size_t kNumbers = 256;

constexpr std::array<Row, kNumbers> kByNumber = [] {
  std::array<Row, kNumbers> table{};
  for (const Row& row : kRows) table[std::to_underlying(row.op)] = row;
  return table;
}();

Error unsupported(wire::Op op) {
  if (const wire::OpInfo* known = wire::info(op))
    return {Code::kUnsupported,
            fmt::format("this version does not offer {} (operation {}); it may come with a later one", known->name,
                        std::to_underlying(op))};
  return {Code::kUnsupported,
          fmt::format("there is no operation {}; hello tells what this server speaks", std::to_underlying(op))};
}

/// Of whatever makes a request another one. Part of the log.
uint64_t hash_of(const wire::Request& r) {
  uint64_t names = xxh3_64(r.collection, xxh3_64(r.database, std::to_underlying(r.op)));
  return xxh3_64(r.args, names) | 1;
}

Result<> check(const wire::Request& r, const Row& row) {
  if (row.takes == Takes::kNothing) HF_CHECK_OK(wire::parse_nothing(r.args));
  if (!r.transaction.empty() && row.where == Where::kAlone)
    return fail(Code::kUnsupported, fmt::format("{} is not executed within transactions: send it without tx", wire::name(r.op)));
  if (r.session == 0) return {};
  if (!wire::info(r.op)->once)
    return fail(Code::kUnsupported, fmt::format("{} has no number in a session: send it without session, as often as need be", wire::name(r.op)));
  if (!r.transaction.empty())
    return fail(Code::kUnsupported, "requests within a transaction have no numbers: its commit may have one");
  if (r.number == 0 || r.attempt == 0) return fail(Code::kBadRequest, "number and attempt of a request in a session count from 1");
  return {};
}

}  // namespace

Result<> check_tx_id(const Call& call, Bytes tx_id) {
  if (tx_id.empty() || tx_id == call.request.transaction) return {};
  return fail(Code::kUnsupported, "tx_id goes with the operations whose names begin with tx; others take the transaction as tx, beside args");
}

io::Task<void> begin(Call& call) {
  call.core.metrics.count_request(call.request.op);
  const Row& row = kByNumber[std::to_underlying(call.request.op)];
  if (Result<> may = call.access.may(call.request); !may) {
    call.fail(may.error());
  } else if (!row.handler) {
    call.fail(unsupported(call.request.op));
  } else if (Result<> fits = check(call.request, row); !fits) {
    call.fail(fits.error());
  } else {
    if (call.request.session != 0) call.asked = hash_of(call.request);
    return row.handler(call);
  }
  return {};
}

bool Call::try_reserve(uint64_t bytes) {
  if (batch) return batch->room.bytes >= batch->gathered + bytes;
  room.give_back();
  Budget& budget = budget_for(bytes);
  if (!budget.try_take(bytes)) return false;
  room = {&budget, bytes};
  return true;
}

io::Task<void> Call::reserve(uint64_t bytes) {
  if (batch) co_return co_await batch->grow(batch->gathered + bytes);
  room.give_back();
  Budget& budget = budget_for(bytes);
  co_await budget.take(bytes);
  room = {&budget, bytes};
}

/// Of a batch: its room is that of small answers, until they come to more; then that of the largest batch. What it has gathered it cannot let go
/// meanwhile. Nobody waits the other way round, so all get their turn.
io::Task<void> Call::grow(uint64_t bytes) {
  if (room.bytes >= bytes) co_return;
  const uint64_t first = core.limits().first_room();
  uint64_t whole = bytes <= first ? first : std::max<uint64_t>(bytes, 2 * reply_limit + core::kFindMemory);
  Budget& budget = budget_for(whole);
  if (room.budget == &budget) co_return;  // it has all that a batch gets
  SOMETIMES(room.budget != nullptr, "batch-needs-more-room");
  co_await budget.take(whole);
  room.give_back();
  room = {&budget, whole};
}

io::Task<bool> Call::may_repeat() {
  if (!fingerprint || !request.transaction.empty() || !answers.is_whole()) co_return false;
  co_return co_await core.may_repeat(*fingerprint);
}

void Call::fail(const Error& error, Lsn rests_on) {
  lsn = rests_on;
  failed = true;
  core.metrics.count_error(error.code);
  if (silent && core.facts().host.log.enabled(io::Level::kDebug))
    core.log(io::Level::kDebug,
             fmt::format("a request without reply ({}) failed: {}", wire::name(request.op), error.text()));
  Buffer* out = silent ? nullptr : answers.open();
  if (!out) return;
  wire::ReplyWriter reply(*out, request.id, framing);
  reply.fail(error);
  answers.written(reply.end({rests_on, engine().durable_lsn()}).size, std::exchange(room, {}));
}

void Call::replace_too_large(wire::ReplyWriter& reply) {
  core.metrics.count_error(Code::kTooLarge);
  reply.fail(
      {Code::kTooLarge,
       fmt::format(
           "the answer to {} passes the limit of {} bytes; ask for fewer documents at once, or read them page by page with stream",
           wire::name(request.op), reply_limit)});
  answers.written(reply.end({lsn, engine().durable_lsn()}).size, std::exchange(room, {}));
}

}  // namespace holdfast::server
