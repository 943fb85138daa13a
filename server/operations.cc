#include "server/operations.h"

#include <fmt/format.h>

namespace holdfast::server {
namespace {

struct Row {
  wire::Op op;
  Handler handler;
};

constexpr Row kRows[] = {
    {wire::Op::kInsertOne, insert_one},
    {wire::Op::kInsertMany, insert_many},
    {wire::Op::kFindOne, find_one},
    {wire::Op::kFind, find},
    {wire::Op::kUpdateOne, update_one},
    {wire::Op::kUpdateMany, update_many},
    {wire::Op::kDeleteOne, delete_one},
    {wire::Op::kDeleteMany, delete_many},
    {wire::Op::kUpsertOne, upsert_one},
    {wire::Op::kUpsertMany, upsert_many},
    {wire::Op::kCount, count},
    {wire::Op::kFindById, find_by_id},
    {wire::Op::kDrop, drop},
    {wire::Op::kStats, stats},
    {wire::Op::kFlush, flush},
    {wire::Op::kBatch, batch},
    {wire::Op::kDbExists, database_exists},
    {wire::Op::kCollectionExists, collection_exists},
    {wire::Op::kCreateCollection, create_collection},
    {wire::Op::kFindManyCount, find_many_count},
    {wire::Op::kFindManyStream, find_many_stream},
    {wire::Op::kFindPaginated, find_paginated},
    {wire::Op::kHello, hello},
    {wire::Op::kListDatabases, list_databases},
    {wire::Op::kListCollections, list_collections},
    {wire::Op::kExport, export_part},
    {wire::Op::kPing, ping},
    {wire::Op::kVerify, verify},
    {wire::Op::kFindAndModify, find_and_modify},
    {wire::Op::kStream, stream},
    {wire::Op::kUserAdd, user_add},
    {wire::Op::kUserRemove, user_remove},
    {wire::Op::kUserPasswd, user_passwd},
    {wire::Op::kUserList, user_list},
};

constexpr size_t kNumbers = 256;

constexpr std::array<Handler, kNumbers> kHandlers = [] {
  std::array<Handler, kNumbers> table{};
  for (const Row& row : kRows) table[std::to_underlying(row.op)] = row.handler;
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

}  // namespace

io::Task<void> begin(Call& call) {
  call.core.metrics.count_request(call.request.op);
  if (Result<> may = call.access.may(call.request); !may) {
    call.fail(may.error());
    return {};
  }
  if (Handler handler = kHandlers[std::to_underlying(call.request.op)]) return handler(call);
  call.fail(unsupported(call.request.op));
  return {};
}

io::Task<bool> Call::may_repeat() {
  if (!fingerprint || !answers.is_whole()) co_return false;
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
