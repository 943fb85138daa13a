#include "server/operations.h"

#include <fmt/format.h>

namespace holdfast::server {
namespace {

/// What besides the operation a request's envelope may ask for.
enum Allows : uint8_t {
  kNothing = 0,
  kTransaction = 1,  ///< to be executed within a transaction
  kOnce = 2,         ///< to be executed once, as a numbered request of a session
  kBoth = 3,
};

struct Row {
  wire::Op op = wire::Op::kNone;
  Handler handler = nullptr;
  Allows allows = kNothing;
};

constexpr Row kRows[] = {
    {wire::Op::kInsertOne, insert_one, kBoth},
    {wire::Op::kInsertMany, insert_many, kBoth},
    {wire::Op::kFindOne, find_one, kTransaction},
    {wire::Op::kFind, find, kTransaction},
    {wire::Op::kUpdateOne, update_one, kBoth},
    {wire::Op::kUpdateMany, update_many, kBoth},
    {wire::Op::kDeleteOne, delete_one, kBoth},
    {wire::Op::kDeleteMany, delete_many, kBoth},
    {wire::Op::kUpsertOne, upsert_one, kBoth},
    {wire::Op::kUpsertMany, upsert_many, kBoth},
    {wire::Op::kCount, count, kTransaction},
    {wire::Op::kFindById, find_by_id, kTransaction},
    {wire::Op::kDrop, drop, kOnce},
    {wire::Op::kStats, stats},
    {wire::Op::kFlush, flush},
    {wire::Op::kBatch, batch},
    {wire::Op::kDbExists, database_exists},
    {wire::Op::kCollectionExists, collection_exists},
    {wire::Op::kCreateCollection, create_collection},
    {wire::Op::kFindManyCount, find_many_count, kTransaction},
    {wire::Op::kFindManyStream, find_many_stream},
    {wire::Op::kFindPaginated, find_paginated, kTransaction},
    {wire::Op::kHello, hello},
    {wire::Op::kListDatabases, list_databases},
    {wire::Op::kListCollections, list_collections},
    {wire::Op::kExport, export_part},
    {wire::Op::kPing, ping},
    {wire::Op::kVerify, verify},
    {wire::Op::kFindAndModify, find_and_modify, kBoth},
    {wire::Op::kStream, stream},
    {wire::Op::kOpenSession, open_session},
    {wire::Op::kCloseSession, close_session},
    {wire::Op::kRequestOutcome, request_outcome},
    {wire::Op::kTxBatch, tx_batch},
    {wire::Op::kBeginTx, begin_tx},
    {wire::Op::kTxFindOne, tx_find_one},
    {wire::Op::kTxFindById, tx_find_by_id},
    {wire::Op::kTxInsertOne, tx_insert_one},
    {wire::Op::kTxUpdateOne, tx_update_one},
    {wire::Op::kTxDeleteOne, tx_delete_one},
    {wire::Op::kTxCommit, tx_commit, kOnce},
    {wire::Op::kTxRollback, tx_rollback},
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

Result<> check_envelope(const wire::Request& r, Allows allows) {
  if (!r.transaction.empty() && !(allows & kTransaction))
    return fail(Code::kUnsupported, fmt::format("{} is not executed within transactions: send it without tx", wire::name(r.op)));
  if (r.session == 0) return {};
  if (!(allows & kOnce))
    return fail(Code::kUnsupported, fmt::format("{} has no number in a session: send it without session, as often as need be", wire::name(r.op)));
  if (!r.transaction.empty())
    return fail(Code::kUnsupported, "requests within a transaction have no numbers: its commit may have one");
  if (r.number == 0 || r.attempt == 0) return fail(Code::kBadRequest, "number and attempt of a request in a session count from 1");
  return {};
}

}  // namespace

io::Task<void> begin(Call& call) {
  call.core.metrics.count_request(call.request.op);
  const Row& row = kByNumber[std::to_underlying(call.request.op)];
  if (!row.handler) {
    call.fail(unsupported(call.request.op));
  } else if (Result<> fits = check_envelope(call.request, row.allows); !fits) {
    call.fail(fits.error());
  } else {
    return row.handler(call);
  }
  return {};
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
  answers.written(reply.end({rests_on, engine().durable_lsn()}).size);
}

void Call::replace_too_large(wire::ReplyWriter& reply) {
  core.metrics.count_error(Code::kTooLarge);
  reply.fail(
      {Code::kTooLarge,
       fmt::format(
           "the answer to {} passes the limit of {} bytes; ask for fewer documents at once, or read them page by page with stream",
           wire::name(request.op), reply_limit)});
  answers.written(reply.end({lsn, engine().durable_lsn()}).size);
}

}  // namespace holdfast::server
