#include "io/wire/operation.h"

#include <array>

namespace holdfast::wire {
namespace {

using enum Effect;

constexpr OpInfo kOperations[] = {
    {Op::kInsertOne, "insert_one", kWrites, true},
    {Op::kInsertMany, "insert_many", kWrites, true},
    {Op::kFindOne, "find_one", kReads, true},
    {Op::kFind, "find", kReads, true},
    {Op::kUpdateOne, "update_one", kWrites, true},
    {Op::kUpdateMany, "update_many", kWrites, true},
    {Op::kDeleteOne, "delete_one", kWrites, true},
    {Op::kDeleteMany, "delete_many", kWrites, true},
    {Op::kCount, "count", kReads, true},
    {Op::kFindById, "find_by_id", kReads, true},
    {Op::kDrop, "drop", kWrites, true},
    {Op::kStats, "stats", kReads, true},
    {Op::kFlush, "flush", kReads, true},
    {Op::kBatch, "batch", kWrites, true},
    {Op::kTxBatch, "tx_batch", kWrites, false},
    {Op::kUpsertOne, "upsert_one", kWrites, true},
    {Op::kUpsertMany, "upsert_many", kWrites, true},
    {Op::kDbExists, "db_exists", kReads, true},
    {Op::kCollectionExists, "collection_exists", kReads, true},
    {Op::kCreateCollection, "create_collection", kIdempotent, true},
    {Op::kAggregate, "aggregate", kReads, false},
    {Op::kBeginTx, "begin_tx", kWrites, false},
    {Op::kTxFindOne, "tx_find_one", kReads, false},
    {Op::kTxFindById, "tx_find_by_id", kReads, false},
    {Op::kTxInsertOne, "tx_insert_one", kWrites, false},
    {Op::kTxUpdateOne, "tx_update_one", kWrites, false},
    {Op::kTxDeleteOne, "tx_delete_one", kWrites, false},
    {Op::kTxCommit, "tx_commit", kIdempotent, false},
    {Op::kTxRollback, "tx_rollback", kIdempotent, false},
    {Op::kFindManyCount, "find_many_count", kReads, true},
    {Op::kCreateIndex, "create_index", kIdempotent, false},
    {Op::kDropIndex, "drop_index", kIdempotent, false},
    {Op::kListIndexes, "list_indexes", kReads, false},
    {Op::kRebuildIndex, "rebuild_index", kIdempotent, false},
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
    {Op::kFindAndModify, "find_and_modify", kWrites, true},
    {Op::kStream, "stream", kReads, true},
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
