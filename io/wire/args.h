// Arguments: what stands in a request's `args`, per operation, read in place.
//
// Reading checks the shape (which keys, which kinds, offsets within bounds); what a document, query or update *means*
// is checked by whoever evaluates it, and `msgpack::validate` on documents is the evaluator's too. An argument that the
// operation does not take is refused by name (kUnsupported), but for hello; nil counts as absent. So an absent or nil
// `args` is an empty map, and a nil query too: the original's client sends nil for an empty Go map. All views borrow
// from the frame.
#pragma once

#include <functional>
#include <optional>

#include "io/base/bytes.h"
#include "io/base/error.h"
#include "io/base/msgpack.h"

namespace holdfast::wire {

/// What a nil or absent map stands for.
inline constexpr Bytes kEmptyMap = "\x80";

/// kInsertOne: the document itself. The first clients wrapped it as `{doc: map}`: a map of that one key is unwrapped.
Result<Bytes> parse_insert_one(Bytes args);

/// kInsertMany: `{ids?: [str], blob: bin, offsets: [uint]}`, where document i is blob[offsets[i], offsets[i+1]).
/// Offsets may leave out the last one (the end of the blob), as the first clients did. Iterate:
///
///     InsertMany many = ...;  Bytes document;
///     while (many.next(document)) ...
class InsertMany {
 public:
  uint32_t count() const { return count_; }
  /// The next document: exactly one map. Its `_id`, when `ids` names one, is the same as there.
  bool next(Bytes& document);
  /// Bytes of all documents together.
  size_t size() const { return blob_.size(); }

 private:
  friend Result<InsertMany> parse_insert_many(Bytes args);
  Result<> check(Bytes ids);
  void begin();
  Bytes blob_;
  Bytes offsets_;  ///< the array's elements
  msgpack::Cursor at_{Bytes()};
  uint32_t count_ = 0;
  uint32_t done_ = 0;
  uint64_t start_ = 0;
};
/// Checks the whole layout before it returns, so that iteration cannot fail.
Result<InsertMany> parse_insert_many(Bytes args);

/// kFindOne, kFind, kCount, kFindManyCount, kFindPaginated.
struct QueryArgs {
  Bytes query = kEmptyMap;  ///< a map
  Bytes fields;             ///< an array of strings, whole; empty when absent
  Bytes projection;         ///< a map; empty when absent
  Bytes sort;               ///< a map, or an array of maps; empty when absent
  uint64_t skip = 0;
  std::optional<uint64_t> limit;
  Bytes cursor;
  Bytes tx_id;  ///< of the original's operations within transactions; empty when absent
};
Result<QueryArgs> parse_query(Bytes args);

/// kStream: as a query, and how much of it one page may have: `{page?: uint, bytes?: uint}`. 0 stands for "the server
/// chooses". kFindManyStream: a query, of which `limit` is the page's.
struct StreamArgs {
  QueryArgs query;
  uint64_t page = 0;   ///< documents
  uint64_t bytes = 0;
};
Result<StreamArgs> parse_stream(Bytes args);
Result<StreamArgs> parse_find_many_stream(Bytes args);

/// kFindById: `{id: any}`.
struct FindByIdArgs {
  Bytes id;     ///< a MessagePack value
  Bytes tx_id;  ///< as in QueryArgs
};
Result<FindByIdArgs> parse_find_by_id(Bytes args);

/// kUpdateOne, kUpdateMany, kUpsertOne, kUpsertMany: `{filter: map, update: map, array_filters?: [map]}`.
/// kDeleteOne, kDeleteMany: `{filter: map}`. kFindAndModify: all of it. A filter that is missing is refused, too: a
/// slip must not change every document.
struct ModifyArgs {
  Bytes filter;      ///< a map
  Bytes update;         ///< a map; empty when absent
  Bytes array_filters;  ///< an array, whole; empty when absent
  Bytes sort;        ///< a map, or an array of maps; empty when absent
  Bytes projection;  ///< a map; empty when absent
  bool remove = false;
  bool upsert = false;
  std::string_view returns;  ///< empty when absent
  Bytes tx_id;  ///< of the original's operations within transactions; empty when absent. With it the filter may be, too
};
Result<ModifyArgs> parse_modify(Bytes args);

/// kCreateIndex: `{field: str, value_type?: str, unique?: bool}`, or `{field: "", fields: [{name, value_type?}]}`.
/// kDropIndex, kRebuildIndex: `{field: str}`.
struct IndexArgs {
  Bytes field;
  Bytes value_type;
  Bytes fields;  ///< an array, whole; empty when absent
  bool unique = false;
};
Result<IndexArgs> parse_index(Bytes args);
/// Calls `each(name, value_type)` for every element of IndexArgs::fields.
Result<> each_index_field(Bytes fields, const std::function<void(Bytes name, Bytes value_type)>& each);

/// kBeginTx: `{validate_reads?: bool}`.
struct BeginArgs {
  bool validate_reads = false;
};
Result<BeginArgs> parse_begin(Bytes args);
/// What becomes of other arguments: those of a whole operation are left to who parses it.
enum class Others : bool { kRefused, kLeft };
/// kTxFindOne … kTxRollback: the `tx_id` among their arguments.
Result<Bytes> parse_tx_id(Bytes args, Others others);
/// kTxInsertOne: `{tx_id, doc: map}`; the document.
Result<Bytes> parse_tx_insert(Bytes args);

/// kTxBatch: `{operations: [{op, collection, args}]}`; one of them by each call.
struct TxBatchOperation {
  uint64_t op = 0;
  Bytes collection;
  Bytes args;
};
class TxBatch {
 public:
  uint32_t count() const { return count_; }
  /// Errors: kBadRequest, for what is no operation.
  Result<TxBatchOperation> next();

 private:
  friend Result<TxBatch> parse_tx_batch(Bytes args);
  msgpack::Cursor at_{Bytes()};
  uint32_t count_ = 0;
};
Result<TxBatch> parse_tx_batch(Bytes args);

/// kCloseSession: `{session: uint}`; kRequestOutcome: `{session: uint, number: uint}`.
struct SessionArgs {
  uint64_t session = 0;
  uint64_t number = 0;
};
Result<SessionArgs> parse_session(Bytes args);

/// kDbExists, kCollectionExists, kCreateCollection: `{name: str}`.
Result<Bytes> parse_name(Bytes args);

/// kBatch: `{requests: [request, ...]}`. The requests come out raw, one by one, for parse_request.
class Batch {
 public:
  uint32_t count() const { return count_; }
  bool next(Bytes& request);

 private:
  friend Result<Batch> parse_batch(Bytes args);
  msgpack::Cursor at_{Bytes()};
  uint32_t count_ = 0;
  uint32_t done_ = 0;
};
Result<Batch> parse_batch(Bytes args);

/// Of operations that take none: `{}`, nil, or nothing at all.
Result<> parse_nothing(Bytes args);

/// kHello: `{client?: str, protocol?: uint, capabilities?: [str]}`.
struct HelloArgs {
  Bytes client;
  uint64_t protocol = 0;
  Bytes capabilities;  ///< an array, whole; empty when absent
};
Result<HelloArgs> parse_hello(Bytes args);

/// kExport, kVerify: `{cursor?: bin, bytes?: uint}`. 0 stands for "the server chooses".
struct ExportArgs {
  Bytes cursor;
  uint64_t bytes = 0;
};
Result<ExportArgs> parse_export(Bytes args);

/// kUserAdd: `{name: str, role: str, passes: uint, memory_kib: uint, salt: bin, key: bin}`. kUserPasswd: the same
/// without `role`. kUserRemove: `{name: str}`. What is missing is empty or 0.
struct UserArgs {
  Bytes name;
  Bytes role;
  uint64_t passes = 0;
  uint64_t memory_kib = 0;
  Bytes salt;
  Bytes key;
};
Result<UserArgs> parse_user(Bytes args);

}  // namespace holdfast::wire
