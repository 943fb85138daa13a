// Operations: the numbers that requests carry, and what is known about each.
//
// 1 to 41 are the original's, under its numbers for good; Holdfast's own begin at 64. server/PROTOCOL.md gives the
// shape of every request and reply.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::wire {

enum class Op : uint8_t {
  kNone = 0,  ///< no operation has this number
  kInsertOne = 1,
  kInsertMany = 2,
  kFindOne = 3,
  kFind = 4,
  kUpdateOne = 5,
  kUpdateMany = 6,
  kDeleteOne = 7,
  kDeleteMany = 8,
  kCount = 9,
  kFindById = 10,
  kDrop = 12,
  kStats = 13,
  kFlush = 14,
  kBatch = 15,
  kTxBatch = 16,
  kUpsertOne = 17,
  kUpsertMany = 18,
  kDbExists = 19,
  kCollectionExists = 20,
  kCreateCollection = 23,
  kAggregate = 24,
  kBeginTx = 25,
  kTxFindOne = 26,
  kTxFindById = 27,
  kTxInsertOne = 28,
  kTxUpdateOne = 29,
  kTxDeleteOne = 30,
  kTxCommit = 31,
  kTxRollback = 32,
  kFindManyCount = 33,
  kCreateIndex = 34,
  kDropIndex = 35,
  kListIndexes = 36,
  kRebuildIndex = 37,
  kReadTs = 38,
  kFindManyStream = 39,
  kFindPaginated = 40,
  kAggregateStream = 41,
  // Holdfast's own.
  kHello = 64,
  kListDatabases = 65,
  kListCollections = 66,
  kExport = 67,
  kPing = 68,
  kVerify = 69,
  kStream = 70,
  kFindAndModify = 71,
  kOpenSession = 80,
  kCloseSession = 81,
  kRequestOutcome = 82,
  kUserAdd = 100,
  kUserRemove = 101,
  kUserPasswd = 102,
  kUserList = 103,
};

/// What a request may change, and so what a client may do when its answer is lost.
enum class Effect : uint8_t {
  kReads,       ///< changes nothing: sending it again is harmless
  kIdempotent,  ///< changes something, and a second execution harms nobody, even after others' writes in between
  kWrites,      ///< a second execution may change more: an $inc twice, or a drop of what was written since
};

struct OpInfo {
  Op op;
  std::string_view name;  ///< as in messages and documentation
  Effect effect;
  bool served;            ///< false: this version answers `unsupported`
  bool once = false;      ///< may have a number in a session, and then is executed once
};

/// What is known about operation `op`; nothing for a number that means nothing.
const OpInfo* info(Op op);
/// Its name, or "unknown".
std::string_view name(Op op);

}  // namespace holdfast::wire
