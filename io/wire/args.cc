#include "io/wire/args.h"

#include <algorithm>
#include <array>

#include "io/base/utf8.h"

namespace holdfast::wire {
namespace {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;

std::unexpected<Error> bad(std::string_view what) { return fail(Code::kBadRequest, std::string(what)); }

/// The head of a whole value.
Value head_of(Bytes value) {
  Value v;
  Cursor(value).next(v);
  return v;
}

bool is_map(Bytes value) { return !value.empty() && head_of(value).kind == Kind::kMap; }

/// For messages.
std::string shown_key(Bytes key) {
  constexpr size_t kShown = 64;
  return is_utf8(key) && key.size() <= kShown ? '"' + std::string(key) + '"' : "argument of such a name";
}

/// More than any operation takes.
constexpr size_t kMaxArguments = 32;

/// Calls `take(key, raw value)` for every pair of a map whose values may be anything; nil values count as absent, and
/// are told to `nil(key)`. A key that comes twice is refused: which one is meant nobody knows.
template <class F, class G>
Result<> each_pair(Bytes args, F take, G nil) {
  if (args.empty() || args == "\xc0") return {};
  Cursor in(args);
  Value head, key;
  if (!in.next(head) || head.kind != Kind::kMap) return bad("args must be a map");
  if (head.count > kMaxArguments) return bad("args have more keys than any operation takes");
  std::array<Bytes, kMaxArguments> keys;
  for (uint32_t i = 0; i < head.count; ++i) {
    if (!in.next(key) || (key.kind != Kind::kString && key.kind != Kind::kBinary))
      return bad("every key of args must be a string");
    Bytes value = in.raw();
    if (!in.ok()) return bad("args are cut short");
    auto end = keys.begin() + i;
    if (std::find(keys.begin(), end, key.bytes) != end) return bad("args have " + shown_key(key.bytes) + " twice");
    keys[i] = key.bytes;
    if (value == "\xc0")
      nil(key.bytes);
    else
      HF_CHECK_OK(take(key.bytes, value));
  }
  return {};
}

template <class F>
Result<> each_pair(Bytes args, F take) {
  return each_pair(args, take, [](Bytes) {});
}

/// Nothing that was asked for is ignored.
std::unexpected<Error> takes_no(std::string_view operation, Bytes key) {
  return fail(Code::kUnsupported, std::string(operation) + " takes no " + shown_key(key));
}

Result<> take_map(std::string_view name, Bytes value, Bytes& out) {
  if (!is_map(value)) return bad(std::string(name) + " must be a map");
  out = value;
  return {};
}

Result<> take_array(std::string_view name, Bytes value, Bytes& out) {
  if (head_of(value).kind != Kind::kArray) return bad(std::string(name) + " must be an array");
  out = value;
  return {};
}

Result<> take_sort(Bytes value, Bytes& out) {
  if (!is_map(value) && head_of(value).kind != Kind::kArray) return bad("sort must be a map, or an array of maps");
  out = value;
  return {};
}

Result<> take_bool(std::string_view name, Bytes value, bool& out) {
  Value v = head_of(value);
  if (v.kind != Kind::kBool) return bad(std::string(name) + " must be true or false");
  out = v.boolean;
  return {};
}

Result<> take_uint(std::string_view name, Bytes value, uint64_t& out) {
  Value v = head_of(value);
  if (v.kind != Kind::kUint) return bad(std::string(name) + " must be a non-negative integer");
  out = v.u;
  return {};
}

Result<> take_bytes(std::string_view name, Bytes value, Bytes& out) {
  Value v = head_of(value);
  if (v.kind != Kind::kString && v.kind != Kind::kBinary) return bad(std::string(name) + " must be a string");
  out = v.bytes;
  return {};
}

/// A cursor over the elements of a whole array, past its head.
Cursor elements(Bytes array, uint32_t& count) {
  Cursor in(array);
  Value head;
  count = in.next(head) ? head.count : 0;
  return in;
}

}  // namespace

Result<Bytes> parse_insert_one(Bytes args) {
  Cursor in(args);
  Value head;
  if (!in.next(head) || head.kind != Kind::kMap) return bad("insert_one takes a document, which is a map");
  if (head.count != 1) return args;
  Bytes key;
  if (!in.string(key)) return bad("every key of a document must be a string");
  Bytes value = in.raw();
  return key == "doc" && is_map(value) ? value : args;
}

Result<InsertMany> parse_insert_many(Bytes args) {
  InsertMany out;
  Bytes ids, offsets;
  bool has_blob = false;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    if (key == "ids") return take_array(key, value, ids);
    if (key == "offsets") return take_array(key, value, offsets);
    if (key != "blob") return takes_no("insert_many", key);
    has_blob = true;
    return take_bytes(key, value, out.blob_);
  }));
  if (!has_blob || offsets.empty()) return bad("insert_many takes {ids, blob, offsets}");
  out.offsets_ = offsets;
  HF_CHECK_OK(out.check(ids));
  return out;
}

Result<> InsertMany::check(Bytes ids) {
  uint32_t numbers = 0, named = 0;
  Cursor offsets = elements(offsets_, numbers);
  Cursor id = elements(ids.empty() ? Bytes("\x90") : ids, named);
  // With ids, their number is that of the documents. Without, the last offset is the blob's end.
  count_ = !ids.empty() ? named : numbers > 0 ? numbers - 1 : 0;
  if (numbers != count_ && numbers != uint64_t{count_} + 1)
    return bad("offsets must have one number more than there are documents");
  Value v;
  uint64_t previous = 0;
  for (uint32_t i = 0; i < numbers; ++i) {
    if (!offsets.next(v) || v.kind != Kind::kUint || v.u < previous || v.u > blob_.size() || (i == 0 && v.u != 0))
      return bad("offsets must start at 0, never decrease and stay within the blob");
    previous = v.u;
  }
  bool ends = numbers == count_ || previous == blob_.size();
  if (!ends || (count_ == 0 && !blob_.empty())) return bad("the last offset must be the size of the blob");

  InsertMany walk = *this;
  walk.begin();
  Bytes document;
  for (uint32_t i = 0; walk.next(document); ++i) {
    Cursor one(document);
    if (!is_map(document) || !one.skip() || !one.at_end())
      return bad("document " + std::to_string(i) + " of insert_many is not exactly one map");
    if (ids.empty()) continue;
    if (!id.next(v) || (v.kind != Kind::kString && v.kind != Kind::kNil)) return bad("ids must be strings");
    if (v.bytes.empty()) continue;
    auto own = msgpack::lookup(document, "_id");
    if (!own || head_of(*own).kind != Kind::kString || head_of(*own).bytes != v.bytes)
      return bad("the _id of document " + std::to_string(i) + " is not the one that ids names");
  }
  begin();
  return {};
}

void InsertMany::begin() {
  Value v;
  done_ = 0;
  start_ = 0;
  uint32_t numbers = 0;
  at_ = elements(offsets_, numbers);
  at_.next(v);  // the first is 0
}

bool InsertMany::next(Bytes& document) {
  if (done_ == count_) return false;
  Value v;
  uint64_t end = !at_.at_end() && at_.next(v) ? v.u : blob_.size();
  document = blob_.substr(start_, end - start_);
  start_ = end;
  ++done_;
  return true;
}

namespace {

Result<> take_of_query(Bytes key, Bytes value, QueryArgs& out) {
  if (key == "query") return take_map(key, value, out.query);
  if (key == "fields") return take_array(key, value, out.fields);
  if (key == "projection") return take_map(key, value, out.projection);
  if (key == "sort") return take_sort(value, out.sort);
  if (key == "skip") return take_uint(key, value, out.skip);
  if (key == "limit") return take_uint(key, value, out.limit.emplace());
  if (key == "cursor") return take_bytes(key, value, out.cursor);
  if (key == "tx_id") return take_bytes(key, value, out.tx_id);
  return takes_no("an operation that finds documents", key);
}

}  // namespace

Result<QueryArgs> parse_query(Bytes args) {
  QueryArgs out;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) { return take_of_query(key, value, out); }));
  return out;
}

Result<StreamArgs> parse_stream(Bytes args) {
  StreamArgs out;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    if (key == "page") return take_uint(key, value, out.page);
    if (key == "bytes") return take_uint(key, value, out.bytes);
    return take_of_query(key, value, out.query);
  }));
  return out;
}

Result<StreamArgs> parse_find_many_stream(Bytes args) {
  StreamArgs out;
  HF_TRY(query, parse_query(args));
  out.query = query;
  out.page = query.limit.value_or(0);
  out.query.limit.reset();
  return out;
}

Result<FindByIdArgs> parse_find_by_id(Bytes args) {
  FindByIdArgs out;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    if (key == "tx_id") return take_bytes(key, value, out.tx_id);
    if (key != "id") return takes_no("find_by_id", key);
    out.id = value;
    return {};
  }));
  if (out.id.empty()) return bad("find_by_id takes {id}");
  return out;
}

Result<ModifyArgs> parse_modify(Bytes args) {
  ModifyArgs out;
  auto take = [&](Bytes key, Bytes value) -> Result<> {
    if (key == "filter") return take_map(key, value, out.filter);
    if (key == "update") return take_map(key, value, out.update);
    if (key == "sort") return take_sort(value, out.sort);
    if (key == "projection") return take_map(key, value, out.projection);
    if (key == "remove") return take_bool(key, value, out.remove);
    if (key == "upsert") return take_bool(key, value, out.upsert);
    if (key == "return") return take_bytes(key, value, out.returns);
    if (key == "array_filters") return take_array(key, value, out.array_filters);
    if (key == "tx_id") return take_bytes(key, value, out.tx_id);
    return takes_no("an operation that changes documents", key);
  };
  // Go's map without fields is nil.
  HF_CHECK_OK(each_pair(args, take, [&out](Bytes key) {
    if (key == "filter") out.filter = kEmptyMap;
  }));
  // Within transactions that client leaves an empty map out.
  if (out.filter.empty() && !out.tx_id.empty()) out.filter = kEmptyMap;
  if (out.filter.empty()) return bad("there must be a filter: the empty one, {}, matches all documents");
  return out;
}

Result<IndexArgs> parse_index(Bytes args) {
  IndexArgs out;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    if (key == "field") return take_bytes(key, value, out.field);
    if (key == "value_type") return take_bytes(key, value, out.value_type);
    if (key == "fields") return take_array(key, value, out.fields);
    if (key == "unique") return take_bool(key, value, out.unique);
    return takes_no("an operation on indexes", key);
  }));
  if (out.field.empty() == out.fields.empty()) return bad("an operation on indexes takes either field or fields");
  return out;
}

Result<> each_index_field(Bytes fields, const std::function<void(Bytes name, Bytes value_type)>& each) {
  uint32_t count = 0;
  Cursor in = elements(fields, count);
  for (uint32_t i = 0; i < count; ++i) {
    Bytes name, type;
    HF_CHECK_OK(each_pair(in.raw(), [&](Bytes key, Bytes value) -> Result<> {
      if (key == "name") return take_bytes(key, value, name);
      if (key == "value_type") return take_bytes(key, value, type);
      return takes_no("a field of an index", key);
    }));
    if (name.empty()) return bad("every field of an index has a name");
    each(name, type);
  }
  return {};
}

Result<BeginArgs> parse_begin(Bytes args) {
  BeginArgs out;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    if (key == "validate_reads") return take_bool(key, value, out.validate_reads);
    return takes_no("begin_tx", key);
  }));
  return out;
}

Result<SessionArgs> parse_session(Bytes args) {
  SessionArgs out;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    if (key == "session") return take_uint(key, value, out.session);
    if (key == "number") return take_uint(key, value, out.number);
    return takes_no("an operation on sessions", key);
  }));
  if (out.session == 0) return bad("the operation takes {session}, which open_session gives");
  return out;
}

Result<Bytes> parse_tx_id(Bytes args, Others others) {
  Bytes id;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    if (key == "tx_id") return take_bytes(key, value, id);
    if (others == Others::kLeft) return {};
    return takes_no("the end of a transaction", key);
  }));
  if (id.empty()) return bad("the operation takes {tx_id}, which begin_tx gives");
  return id;
}

Result<Bytes> parse_tx_insert(Bytes args) {
  Bytes document;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    if (key == "tx_id") return {};
    return key == "doc" ? take_map(key, value, document) : takes_no("tx_insert_one", key);
  }));
  if (document.empty()) return bad("tx_insert_one takes {tx_id, doc}");
  return document;
}

Result<TxBatch> parse_tx_batch(Bytes args) {
  Bytes operations;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    return key == "operations" ? take_array(key, value, operations) : takes_no("tx_batch", key);
  }));
  if (operations.empty()) return bad("tx_batch takes {operations}");
  TxBatch out;
  out.at_ = elements(operations, out.count_);
  return out;
}

Result<TxBatchOperation> TxBatch::next() {
  TxBatchOperation out;
  HF_CHECK_OK(each_pair(at_.raw(), [&](Bytes key, Bytes value) -> Result<> {
    if (key == "op") return take_uint(key, value, out.op);
    if (key == "collection") return take_bytes(key, value, out.collection);
    if (key != "args") return takes_no("an operation of tx_batch", key);
    out.args = value;
    return {};
  }));
  return out;
}

Result<Bytes> parse_name(Bytes args) {
  Bytes name;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    return key == "name" ? take_bytes(key, value, name) : takes_no("an operation on a name", key);
  }));
  if (name.empty()) return bad("the operation takes {name}");
  return name;
}

Result<Batch> parse_batch(Bytes args) {
  Bytes requests;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    return key == "requests" ? take_array(key, value, requests) : takes_no("batch", key);
  }));
  if (requests.empty()) return bad("batch takes {requests}");
  Batch out;
  out.at_ = elements(requests, out.count_);
  return out;
}

bool Batch::next(Bytes& request) {
  if (done_ == count_) return false;
  ++done_;
  request = at_.raw();
  return at_.ok();
}

Result<> parse_nothing(Bytes args) {
  return each_pair(args, [](Bytes key, Bytes) -> Result<> { return takes_no("the operation", key); });
}

Result<HelloArgs> parse_hello(Bytes args) {
  HelloArgs out;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    if (key == "client") return take_bytes(key, value, out.client);
    if (key == "protocol") return take_uint(key, value, out.protocol);
    if (key == "capabilities") return take_array(key, value, out.capabilities);
    return {};  // what a later client says of itself
  }));
  return out;
}

Result<UserArgs> parse_user(Bytes args) {
  UserArgs out;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    if (key == "name") return take_bytes(key, value, out.name);
    if (key == "role") return take_bytes(key, value, out.role);
    if (key == "passes") return take_uint(key, value, out.passes);
    if (key == "memory_kib") return take_uint(key, value, out.memory_kib);
    if (key == "salt") return take_bytes(key, value, out.salt);
    if (key == "key") return take_bytes(key, value, out.key);
    return takes_no("an operation on users", key);
  }));
  return out;
}

Result<ExportArgs> parse_export(Bytes args) {
  ExportArgs out;
  HF_CHECK_OK(each_pair(args, [&](Bytes key, Bytes value) -> Result<> {
    if (key == "cursor") return take_bytes(key, value, out.cursor);
    if (key == "bytes") return take_uint(key, value, out.bytes);
    return takes_no("the operation", key);
  }));
  return out;
}

}  // namespace holdfast::wire
