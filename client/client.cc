#include "client/client.h"

#include "client/core.h"
#include "client/exchange.h"

namespace holdfast::client {
namespace {

using msgpack::Kind;
using wire::Op;

Stamp stamp(const Stamp& s) { return s; }

/// The raw elements of the array under `key`.
Result<std::vector<Buffer>> elements(Bytes result, std::string_view key) {
  auto raw = msgpack::lookup(result, key);
  if (!raw) return not_as_described(key);
  Documents array{Buffer(*raw)};
  std::vector<Buffer> out;
  Bytes element;
  for (auto it = array.begin(); it.next(element);) out.emplace_back(element);
  if (out.size() != array.size()) return not_as_described(key);
  return out;
}

Result<std::vector<std::string>> names(Bytes result, std::string_view key) {
  HF_TRY(raw, elements(result, key));
  std::vector<std::string> out;
  for (const Buffer& r : raw) {
    Bytes name;
    if (!msgpack::Cursor(r).string(name)) return not_as_described(key);
    out.emplace_back(name);
  }
  return out;
}

Buffer one_pair(std::string_view key, Bytes value) {
  Buffer b;
  msgpack::Writer(b).map(1).string(key).raw(value);
  return b;
}

Buffer one_string(std::string_view key, std::string_view value) {
  Buffer b;
  msgpack::Writer(b).map(1).string(key).string(value);
  return b;
}

/// Awaits a call whose result nobody reads.
io::Task<Result<Stamp>> stamp_of(std::shared_ptr<Core> core, Call call) {
  HF_CO_TRY(answer, co_await core->call(std::move(call)));
  co_return stamp(answer);
}

io::Task<Result<Answer<bool>>> exists(std::shared_ptr<Core> core, Call call) {
  HF_CO_TRY(answer, co_await core->call(std::move(call)));
  HF_CO_TRY(v, field(answer.value, "exists", Kind::kBool));
  co_return Answer<bool>{stamp(answer), v.boolean};
}

io::Task<Result<Answer<std::vector<std::string>>>> list(std::shared_ptr<Core> core, Call call, std::string_view key) {
  HF_CO_TRY(answer, co_await core->call(std::move(call)));
  HF_CO_TRY(found, names(answer.value, key));
  co_return Answer<std::vector<std::string>>{stamp(answer), std::move(found)};
}

}  // namespace

Client::Client(io::Host& host, Options options) : core_(std::make_shared<Core>(host, std::move(options))) {}
Client::~Client() = default;

io::Task<void> Client::close() { return core_->close(); }
io::Task<Result<Answer<Buffer>>> Client::call(Call call) { return core_->call(std::move(call)); }
std::string Client::generate_id() { return core_->generate_id(); }
const Options& Client::options() const { return core_->options(); }

Collection Client::collection(std::string name, std::string database) {
  Collection c;
  c.core_ = core_;
  c.name_ = std::move(name);
  c.database_ = std::move(database);
  return c;
}

io::Task<Result<Transaction>> Client::begin(TransactionOptions options) {
  Buffer args;
  msgpack::Writer(args).map(1).string("validate_reads").boolean(options.validate_reads);
  HF_CO_TRY(answer, co_await core_->call({.op = Op::kBeginTx, .args = std::move(args)}));
  HF_CO_TRY(id, field(answer.value, "tx_id", Kind::kString));
  Transaction out;
  out.core_ = core_;
  out.id_ = id.bytes;
  out.snapshot_ = answer.lsn;
  co_return out;
}

io::Task<Result<Answer<std::optional<Lsn>>>> Client::outcome(uint64_t session, uint64_t number) {
  Buffer args;
  msgpack::Writer(args).map(2).string("session").uint(session).string("number").uint(number);
  HF_CO_TRY(answer, co_await core_->call({.op = Op::kRequestOutcome, .args = std::move(args)}));
  HF_CO_TRY(executed, field(answer.value, "executed", Kind::kBool));
  Answer<std::optional<Lsn>> out{stamp(answer), std::nullopt};
  if (executed.boolean) {
    HF_CO_TRY(at, field(answer.value, "at", Kind::kUint));
    out.value = Lsn(at.u);
  }
  co_return out;
}

Collection Transaction::collection(std::string name, std::string database) const {
  Collection c;
  c.core_ = core_;
  c.name_ = std::move(name);
  c.database_ = std::move(database);
  c.transaction_ = id_;
  return c;
}

io::Task<Result<Stamp>> Transaction::commit() const { return stamp_of(core_, {.op = Op::kTxCommit, .args = one_string("tx_id", id_)}); }
io::Task<Result<Stamp>> Transaction::rollback() const { return stamp_of(core_, {.op = Op::kTxRollback, .args = one_string("tx_id", id_)}); }

io::Task<Result<Answer<VerifyPart>>> Client::verify(Buffer cursor, uint64_t bytes) {
  Buffer args;
  msgpack::Writer w(args);
  w.map(cursor.empty() ? 1 : 2).string("bytes").uint(bytes);
  if (!cursor.empty()) w.string("cursor").binary(cursor);
  HF_CO_TRY(answer, co_await core_->call({.op = Op::kVerify, .args = std::move(args)}));
  Answer<VerifyPart> out;
  static_cast<Stamp&>(out) = answer;
  for (auto [name, to] : {std::pair("records", &out.value.records), std::pair("bytes", &out.value.bytes),
                          std::pair("shards_done", &out.value.shards_done), std::pair("shards", &out.value.shards)}) {
    HF_CO_TRY(v, field(answer.value, name, Kind::kUint));
    *to = v.u;
  }
  if (auto next = field(answer.value, "cursor", Kind::kBinary)) out.value.cursor = Buffer(next->bytes);
  HF_CO_TRY(damage, names(answer.value, "damage"));
  out.value.damage = std::move(damage);
  co_return out;
}

io::Task<Result<Stamp>> Client::ping() { return stamp_of(core_, {.op = Op::kPing}); }
io::Task<Result<Stamp>> Client::flush() { return stamp_of(core_, {.op = Op::kFlush}); }
io::Task<Result<Answer<Buffer>>> Client::stats() { return core_->call({.op = Op::kStats}); }

io::Task<Result<Answer<Buffer>>> Client::hello() {
  return core_->call({.op = Op::kHello, .args = hello_args(core_->options())});
}

io::Task<Result<Answer<bool>>> Client::database_exists(std::string name) {
  return exists(core_, {.op = Op::kDbExists, .args = one_string("name", name)});
}

io::Task<Result<Answer<std::vector<std::string>>>> Client::list_databases() {
  return list(core_, {.op = Op::kListDatabases}, "databases");
}

io::Task<Result<Answer<std::vector<std::string>>>> Client::list_collections(std::string database) {
  return list(core_, {.op = Op::kListCollections, .database = std::move(database)}, "collections");
}

io::Task<Result<std::vector<Result<Answer<Buffer>>>>> Client::batch(std::vector<Call> calls) {
  Buffer args;
  msgpack::Writer(args).map(1).string("requests").array(static_cast<uint32_t>(calls.size()));
  bool all_read = true;
  uint64_t id = 0;
  for (const Call& c : calls) {
    if (!c.args.empty()) HF_CO_CHECK_OK(check_value("args", c.args));
    const wire::OpInfo* info = wire::info(c.op);
    all_read = all_read && info && info->effect == wire::Effect::kReads;
    const std::string& database = c.database.empty() ? core_->options().database : c.database;
    wire::RequestWriter inner(args, {.id = ++id, .op = c.op, .database = database, .collection = c.collection, .transaction = c.transaction},
                              wire::RequestWriter::Framing::kNested);
    inner.args().raw(c.args.empty() ? Bytes("\x80") : Bytes(c.args));
    HF_CO_CHECK_OK(inner.end());
  }
  auto core = core_;
  HF_CO_TRY(answer,
            co_await core->call(
                {.op = Op::kBatch, .args = std::move(args), .resend = all_read ? Resend::kAlways : Resend::kNever}));
  HF_CO_TRY(replies, elements(answer.value, "responses"));
  if (replies.size() != calls.size()) co_return not_as_described("answer for each request of the batch");
  std::vector<Result<Answer<Buffer>>> out;
  for (const Buffer& raw : replies) {
    HF_CO_TRY(reply, wire::parse_reply(raw));
    if (reply.ok())
      out.push_back(Answer<Buffer>{{reply.lsn, reply.durable_lsn}, Buffer(reply.result)});
    else
      out.push_back(std::unexpected(reply.failure()));
  }
  co_return out;
}

// --- Collection ---

io::Task<Result<Answer<Buffer>>> Collection::call(Op op, Buffer args, Resend resend) const {
  return core_->call({.op = op, .collection = name_, .args = std::move(args), .database = database_, .resend = resend, .transaction = transaction_});
}

io::Task<Result<Answer<Buffer>>> Collection::lookup(Op op, Buffer args) const {
  return core_->call({.op = op, .collection = name_, .args = std::move(args), .database = database_, .transaction = transaction_},
                     Core::Absent::kIsEmpty);
}

/// The operations that have something to do before or after their call. They take the collection by value: a task may
/// be awaited after the handle that made it is gone.
struct Collection::Ops {
  static io::Task<Result<Answer<Buffer>>> insert_one(Collection self, Buffer document);
  static io::Task<Result<Answer<std::vector<Buffer>>>> insert_many(Collection self, std::vector<Buffer> documents);
  static io::Task<Result<Answer<Documents>>> find(Collection self, Buffer query, FindOptions options);
  static io::Task<Result<Answer<Updated>>> update(Collection self, Op op, Buffer filter, Buffer update, UpdateOptions options);
  static io::Task<Result<Answer<uint64_t>>> remove(Collection self, Op op, Buffer filter);
  static io::Task<Result<Answer<FoundAndModified>>> find_and_modify(Collection self, Buffer filter, FindAndModifyOptions options);
};

namespace {

/// A document on its way in: with an `_id`, and whether its insert may be sent again.
struct Prepared {
  Buffer document;
  Buffer id;  ///< raw
  bool repeatable = false;
};

Result<Prepared> prepare(Core& core, Buffer document) {
  HF_CHECK_OK(check_value("a document", document, Kind::kMap));
  auto own = msgpack::lookup(document, "_id");
  if (!own) {
    std::string id = core.generate_id();
    Prepared p{.document = with_id(document, id), .repeatable = true};
    msgpack::Writer(p.id).string(id);
    return p;
  }
  Bytes text;
  bool repeatable = msgpack::Cursor(*own).string(text) && has_generated_shape(text);
  Buffer id(*own);
  return Prepared{.document = std::move(document), .id = std::move(id), .repeatable = repeatable};
}

Resend resend_if(const Core& core, bool repeatable) {
  if (!core.options().resend_inserts) return Resend::kNever;
  return repeatable ? Resend::kAlways : Resend::kByOperation;
}

io::Task<Result<Answer<std::optional<Buffer>>>> one_document(io::Task<Result<Answer<Buffer>>> call) {
  HF_CO_TRY(answer, co_await std::move(call));
  if (answer.value.empty()) co_return Answer<std::optional<Buffer>>{stamp(answer), std::nullopt};
  co_return Answer<std::optional<Buffer>>{stamp(answer), std::move(answer.value)};
}

io::Task<Result<Answer<uint64_t>>> one_number(io::Task<Result<Answer<Buffer>>> call, std::string_view key) {
  HF_CO_TRY(answer, co_await std::move(call));
  HF_CO_TRY(v, field(answer.value, key, Kind::kUint));
  co_return Answer<uint64_t>{stamp(answer), v.u};
}

}  // namespace

io::Task<Result<Answer<Buffer>>> Collection::Ops::insert_one(Collection self, Buffer document) {
  HF_CO_TRY(p, prepare(*self.core_, std::move(document)));
  Buffer id = std::move(p.id);
  HF_CO_TRY(answer, co_await self.call(Op::kInsertOne, std::move(p.document), resend_if(*self.core_, p.repeatable)));
  co_return Answer<Buffer>{stamp(answer), std::move(id)};
}

io::Task<Result<Answer<std::vector<Buffer>>>> Collection::Ops::insert_many(Collection self,
                                                                           std::vector<Buffer> documents) {
  std::vector<Buffer> ids;
  Buffer blob;
  std::vector<size_t> offsets = {0};
  bool repeatable = true;
  for (Buffer& d : documents) {
    HF_CO_TRY(p, prepare(*self.core_, std::move(d)));
    blob += p.document;
    offsets.push_back(blob.size());
    ids.push_back(std::move(p.id));
    repeatable = repeatable && p.repeatable;
  }
  Buffer args;
  args.reserve(blob.size() + 5 * offsets.size() + 64);
  msgpack::Writer w(args);
  w.map(2).string("blob").binary(blob).string("offsets").array(static_cast<uint32_t>(offsets.size()));
  for (size_t o : offsets) w.uint(o);
  Buffer().swap(blob);
  HF_CO_TRY(answer, co_await self.call(Op::kInsertMany, std::move(args), resend_if(*self.core_, repeatable)));
  co_return Answer<std::vector<Buffer>>{stamp(answer), std::move(ids)};
}

io::Task<Result<Answer<std::optional<Buffer>>>> Collection::find_by_id(std::string id) const {
  return one_document(lookup(Op::kFindById, one_string("id", id)));
}

io::Task<Result<Answer<std::optional<Buffer>>>> Collection::find_by_id_value(Buffer id) const {
  return one_document(lookup(Op::kFindById, one_pair("id", id)));
}

io::Task<Result<Answer<std::optional<Buffer>>>> Collection::find_one(Buffer query) const {
  return one_document(lookup(Op::kFindOne, one_pair("query", query)));
}

io::Task<Result<Answer<Documents>>> Collection::Ops::find(Collection self, Buffer query, FindOptions options) {
  Buffer pairs, args;
  HF_CO_TRY(count, write_find(pairs, query, options));
  msgpack::Writer(args).map(count).raw(pairs);
  HF_CO_TRY(answer, co_await self.call(Op::kFind, std::move(args)));
  HF_CO_CHECK_OK(check_value("the server's answer", answer.value, Kind::kArray));
  co_return Answer<Documents>{stamp(answer), Documents(std::move(answer.value))};
}

namespace {

Result<Updated> read_updated(Bytes result) {
  HF_TRY(matched, field(result, "matched", Kind::kUint));
  HF_TRY(modified, field(result, "modified", Kind::kUint));
  Updated out{matched.u, modified.u};
  if (auto id = msgpack::lookup(result, "id")) out.upserted = Buffer(*id);
  return out;
}

}  // namespace

io::Task<Result<Answer<Updated>>> Collection::Ops::update(Collection self, Op op, Buffer filter, Buffer update,
                                                               UpdateOptions options) {
  HF_CO_CHECK_OK(check_value("a filter", filter, Kind::kMap));
  HF_CO_CHECK_OK(check_value("an update", update, Kind::kMap));
  if (!options.array_filters.empty())
    HF_CO_CHECK_OK(check_value("a list of array filters", options.array_filters, Kind::kArray));
  Buffer args;
  msgpack::Writer w(args);
  w.map(2 + !options.array_filters.empty()).string("filter").raw(filter).string("update").raw(update);
  if (!options.array_filters.empty()) w.string("array_filters").raw(options.array_filters);
  HF_CO_TRY(answer, co_await self.call(op, std::move(args)));
  HF_CO_TRY(updated, read_updated(answer.value));
  co_return Answer<Updated>{stamp(answer), std::move(updated)};
}

io::Task<Result<Answer<uint64_t>>> Collection::Ops::remove(Collection self, Op op, Buffer filter) {
  HF_CO_CHECK_OK(check_value("a filter", filter, Kind::kMap));
  co_return co_await one_number(self.call(op, one_pair("filter", filter)), "deleted");
}

io::Task<Result<Answer<FoundAndModified>>> Collection::Ops::find_and_modify(Collection self, Buffer filter, FindAndModifyOptions options) {
  HF_CO_CHECK_OK(check_value("a filter", filter, Kind::kMap));
  for (auto [what, value] : {std::pair{"an update", &options.update}, {"a sort", &options.sort}, {"a projection", &options.projection}})
    if (!value->empty()) HF_CO_CHECK_OK(check_value(what, *value, Kind::kMap));
  if (!options.array_filters.empty())
    HF_CO_CHECK_OK(check_value("a list of array filters", options.array_filters, Kind::kArray));
  Buffer args;
  msgpack::Writer w(args);
  w.map(2 + !options.array_filters.empty() + !options.sort.empty() + !options.projection.empty() + options.upsert + options.after).string("filter").raw(filter);
  if (options.update.empty())
    w.string("remove").boolean(true);
  else
    w.string("update").raw(options.update);
  if (!options.array_filters.empty()) w.string("array_filters").raw(options.array_filters);
  if (!options.sort.empty()) w.string("sort").raw(options.sort);
  if (!options.projection.empty()) w.string("projection").raw(options.projection);
  if (options.upsert) w.string("upsert").boolean(true);
  if (options.after) w.string("return").string("after");
  HF_CO_TRY(answer, co_await self.call(Op::kFindAndModify, std::move(args)));
  HF_CO_TRY(updated, read_updated(answer.value));
  FoundAndModified out{std::move(updated), std::nullopt};
  if (auto document = msgpack::lookup(answer.value, "document")) out.document = Buffer(*document);
  co_return Answer<FoundAndModified>{stamp(answer), std::move(out)};
}

io::Task<Result<Answer<Buffer>>> Collection::insert_one(Buffer document) const {
  return Ops::insert_one(*this, std::move(document));
}

io::Task<Result<Answer<std::vector<Buffer>>>> Collection::insert_many(std::vector<Buffer> documents) const {
  return Ops::insert_many(*this, std::move(documents));
}

io::Task<Result<Answer<Documents>>> Collection::find(Buffer query, FindOptions options) const {
  return Ops::find(*this, std::move(query), std::move(options));
}

io::Task<Result<Answer<Updated>>> Collection::update_one(Buffer filter, Buffer update, UpdateOptions options) const {
  return Ops::update(*this, Op::kUpdateOne, std::move(filter), std::move(update), std::move(options));
}

io::Task<Result<Answer<Updated>>> Collection::update_many(Buffer filter, Buffer update, UpdateOptions options) const {
  return Ops::update(*this, Op::kUpdateMany, std::move(filter), std::move(update), std::move(options));
}

io::Task<Result<Answer<Updated>>> Collection::upsert_one(Buffer filter, Buffer update, UpdateOptions options) const {
  return Ops::update(*this, Op::kUpsertOne, std::move(filter), std::move(update), std::move(options));
}

io::Task<Result<Answer<Updated>>> Collection::upsert_many(Buffer filter, Buffer update, UpdateOptions options) const {
  return Ops::update(*this, Op::kUpsertMany, std::move(filter), std::move(update), std::move(options));
}

io::Task<Result<Answer<uint64_t>>> Collection::delete_one(Buffer filter) const {
  return Ops::remove(*this, Op::kDeleteOne, std::move(filter));
}

io::Task<Result<Answer<uint64_t>>> Collection::delete_many(Buffer filter) const {
  return Ops::remove(*this, Op::kDeleteMany, std::move(filter));
}

io::Task<Result<Answer<FoundAndModified>>> Collection::find_and_modify(Buffer filter, FindAndModifyOptions options) const {
  return Ops::find_and_modify(*this, std::move(filter), std::move(options));
}

io::Task<Result<Answer<uint64_t>>> Collection::count() const { return one_number(call(Op::kCount, {}), "count"); }

io::Task<Result<Answer<uint64_t>>> Collection::count(Buffer query) const {
  return one_number(call(Op::kFindManyCount, one_pair("query", query)), "n");
}

io::Task<Result<Answer<bool>>> Collection::exists() const {
  return client::exists(
      core_,
      {.op = Op::kCollectionExists, .collection = name_, .args = one_string("name", name_), .database = database_, .transaction = transaction_});
}

io::Task<Result<Stamp>> Collection::create() const {
  return stamp_of(core_, {.op = Op::kCreateCollection, .args = one_string("name", name_), .database = database_, .transaction = transaction_});
}

io::Task<Result<Stamp>> Collection::drop() const {
  return stamp_of(core_, {.op = Op::kDrop, .collection = name_, .database = database_, .transaction = transaction_});
}

}  // namespace holdfast::client
