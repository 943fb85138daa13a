#include "io/wire/operation.h"

#include <array>

namespace holdfast::wire {
namespace {

using enum Effect;

constexpr OpInfo kOperations[] = {
    {Op::kInsertOne, "insert_one", kWrites, true, true},
    {Op::kInsertMany, "insert_many", kWrites, true, true},
    {Op::kFindOne, "find_one", kReads, true},
    {Op::kFind, "find", kReads, true},
    {Op::kUpdateOne, "update_one", kWrites, true, true},
    {Op::kUpdateMany, "update_many", kWrites, true, true},
    {Op::kDeleteOne, "delete_one", kWrites, true, true},
    {Op::kDeleteMany, "delete_many", kWrites, true, true},
    {Op::kCount, "count", kReads, true},
    {Op::kFindById, "find_by_id", kReads, true},
    {Op::kDrop, "drop", kWrites, true, true},
    {Op::kStats, "stats", kReads, true},
    {Op::kFlush, "flush", kReads, true},
    {Op::kBatch, "batch", kWrites, true},
    {Op::kTxBatch, "tx_batch", kWrites, true},
    {Op::kUpsertOne, "upsert_one", kWrites, true, true},
    {Op::kUpsertMany, "upsert_many", kWrites, true, true},
    {Op::kDbExists, "db_exists", kReads, true},
    {Op::kCollectionExists, "collection_exists", kReads, true},
    {Op::kCreateCollection, "create_collection", kIdempotent, true},
    {Op::kAggregate, "aggregate", kReads, false},
    {Op::kBeginTx, "begin_tx", kIdempotent, true},
    {Op::kTxFindOne, "tx_find_one", kReads, true},
    {Op::kTxFindById, "tx_find_by_id", kReads, true},
    {Op::kTxInsertOne, "tx_insert_one", kWrites, true},
    {Op::kTxUpdateOne, "tx_update_one", kWrites, true},
    {Op::kTxDeleteOne, "tx_delete_one", kWrites, true},
    {Op::kTxCommit, "tx_commit", kIdempotent, true, true},
    {Op::kTxRollback, "tx_rollback", kIdempotent, true},
    {Op::kFindManyCount, "find_many_count", kReads, true},
    {Op::kCreateIndex, "create_index", kIdempotent, true},
    {Op::kDropIndex, "drop_index", kIdempotent, true},
    {Op::kListIndexes, "list_indexes", kReads, true},
    {Op::kRebuildIndex, "rebuild_index", kIdempotent, true},
    {Op::kReadTs, "read_ts", kReads, false},
    {Op::kFindManyStream, "find_many_stream", kReads, true},
    {Op::kFindPaginated, "find_paginated", kReads, true},
    {Op::kAggregateStream, "aggregate_stream", kReads, false},
    {Op::kHello, "hello", kReads, true},
    {Op::kListDatabases, "list_databases", kReads, true},
    {Op::kListCollections, "list_collections", kReads, true},
    {Op::kExport, "export", kReads, true},
    {Op::kPing, "ping", kReads, true},
    {Op::kVerify, "verify", kReads, true},
    {Op::kFindAndModify, "find_and_modify", kWrites, true, true},
    {Op::kStream, "stream", kReads, true},
    {Op::kOpenSession, "open_session", kIdempotent, true},
    {Op::kCloseSession, "close_session", kIdempotent, true},
    {Op::kRequestOutcome, "request_outcome", kReads, true},
    {Op::kUserAdd, "user_add", kWrites, true},
    {Op::kUserRemove, "user_remove", kWrites, true},
    {Op::kUserPasswd, "user_passwd", kWrites, true},
    {Op::kUserList, "user_list", kReads, true},
};

constexpr auto kByNumber = [] {
  std::array<const OpInfo*, 256> table{};
  for (const OpInfo& o : kOperations) table[static_cast<size_t>(o.op)] = &o;
  return table;
}();

}  // namespace

const OpInfo* info(Op op) { return kByNumber[static_cast<size_t>(op)]; }

std::string_view name(Op op) {
  const OpInfo* i = info(op);
  return i ? i->name : "unknown";
}

}  // namespace holdfast::wire
