#include <fmt/format.h>

#include "io/base/probe.h"
#include "io/wire/args.h"
#include "server/operations.h"

namespace holdfast::server {
namespace {

// What an answer has besides its documents: envelope, array head, LSNs.
constexpr size_t kEnvelope = 128;
/// How much more a find has room for when it begins again: what it did before is little beside it.
constexpr uint64_t kLarger = 16;

uint64_t document_room(const Call& call) { return call.reply_limit > kEnvelope ? call.reply_limit - kEnvelope : 1; }

/// The arguments of a find.
Result<core::Find> parse_find(const Call& call) {
  HF_TRY(asked, wire::parse_query(call.request.args));
  if (!asked.cursor.empty()) return fail(Code::kUnsupported, "cursor goes with stream and find_many_stream only");
  return compile_find(call, asked);
}

/// The arguments of a count: a query alone.
Result<core::Query> parse_count(const Call& call) {
  HF_TRY(asked, wire::parse_query(call.request.args));
  HF_CHECK_OK(check_tx_id(call, asked.tx_id));
  if (asked.skip != 0 || asked.limit || !asked.sort.empty() || !asked.fields.empty() || !asked.projection.empty() || !asked.cursor.empty())
    return fail(Code::kUnsupported, "a count takes a query alone");
  return core::Query::compile(asked.query);
}

// An answer with every id must be possible before anything is inserted.
bool ids_may_not_fit(const Call& call, size_t bytes, size_t documents) {
  constexpr size_t kGenerated = 64;
  return bytes + documents * kGenerated > document_room(call);
}

Result<> check_ids_fit(const Call& call, const std::vector<Bytes>& documents) {
  constexpr size_t kGenerated = 62;
  size_t total = 0;
  for (Bytes document : documents) {
    auto id = msgpack::lookup(document, "_id");
    total += id ? id->size() : kGenerated;
  }
  if (total > document_room(call))
    return fail(Code::kTooLarge,
                fmt::format("the answer would list {} bytes of ids, the limit is {}; insert fewer documents at once",
                            total, document_room(call)));
  return {};
}

template <class T>
bool is_duplicate(const Result<T>& result) {
  return !result && result.error().code == Code::kDuplicateKey;
}

Error not_found() { return {Code::kNotFound, "document not found"}; }

void answer_documents(Call& call, Lsn lsn, std::vector<Buffer> documents) {
  size_t total = 0;
  for (const Buffer& document : documents) total += document.size();
  call.answer(
      lsn,
      [&](wire::ReplyWriter& reply) {
        msgpack::Writer out = reply.result();
        out.array(static_cast<uint32_t>(documents.size()));
        for (Buffer& document : documents) {
          out.raw(document);
          document = Buffer();
        }
      },
      total);
}

}  // namespace

Result<core::Find> compile_find(const Call& call, const wire::QueryArgs& asked) {
  HF_CHECK_OK(check_tx_id(call, asked.tx_id));
  bool fields = !asked.fields.empty() && asked.fields != "\x90";
  if (fields && !asked.projection.empty()) return fail(Code::kBadRequest, "a find takes fields or a projection, not both");
  HF_TRY(query, core::Query::compile(asked.query));
  core::Find find{.query = std::move(query), .sort = {}, .projection = {}, .skip = asked.skip, .limit = asked.limit.value_or(0)};
  if (!asked.sort.empty()) {
    HF_TRY(sort, core::Sort::compile(asked.sort));
    find.sort = std::move(sort);
  }
  if (fields || !asked.projection.empty()) {
    HF_TRY(projection, fields ? core::Projection::of_fields(asked.fields) : core::Projection::compile(asked.projection));
    find.projection = std::move(projection);
  }
  return find;
}

io::Task<void> insert_one(Call& call) {
  Result<Bytes> document = call.request.op == wire::Op::kTxInsertOne ? wire::parse_tx_insert(call.request.args) : wire::parse_insert_one(call.request.args);
  if (!document) co_return call.fail(document.error());
  auto done = co_await call.engine().insert_one(call.name(), *document, core::Repeat::kByShape);
  if (is_duplicate(done.result) && co_await call.may_repeat())
    done = co_await call.engine().insert_one(call.name(), *document, core::Repeat::kAccept);
  if (!done.result) co_return call.fail(done.result.error(), done.lsn);
  call.answer(done.lsn, [&](wire::ReplyWriter& reply) { reply.result().map(1).string("id").raw(*done.result); });
}

io::Task<void> insert_many(Call& call) {
  Result<wire::InsertMany> many = wire::parse_insert_many(call.request.args);
  if (!many) co_return call.fail(many.error());
  std::vector<Bytes> documents;
  documents.reserve(many->count());
  for (Bytes document; many->next(document);) documents.push_back(document);
  if (ids_may_not_fit(call, many->size(), documents.size()))
    if (Result<> fits = check_ids_fit(call, documents); !fits) co_return call.fail(fits.error());
  auto done = co_await call.engine().insert_many(call.name(), documents, core::Repeat::kByShape);
  if (is_duplicate(done.result) && co_await call.may_repeat())
    done = co_await call.engine().insert_many(call.name(), std::move(documents), core::Repeat::kAccept);
  if (!done.result) co_return call.fail(done.result.error(), done.lsn);
  call.answer(done.lsn, [&](wire::ReplyWriter& reply) {
    msgpack::Writer out = reply.result();
    out.map(1).string("ids").array(static_cast<uint32_t>(done.result->size()));
    for (const Buffer& id : *done.result) out.raw(id);
  });
}

namespace {

/// Finds, when there is room for the answer: first for one of the usual size, and when that does not do, from the beginning again for larger ones, and at last
/// for the largest that there may be, of which few are made at a time.
io::Task<core::Reply<std::vector<Buffer>>> find_in_room(Call& call, const core::Find& asked) {
  const core::FindBounds most{.answer = document_room(call)};
  for (core::FindBounds b = core::bounds_for(call.core.limits().first_answer); b.answer < most.answer && b.memory < most.memory; b = core::bounds_for(kLarger * b.answer)) {
    if (!call.try_reserve(b.room())) co_await call.reserve(b.room());
    auto found = co_await call.engine().find(call.name(), asked, b);
    if (found.result || found.result.error().code != Code::kTooLarge || MUTANT("large-answer-refused")) co_return found;
    SOMETIMES(true, "find-begins-again-with-more-room");
  }
  co_await call.reserve(most.room());
  co_return co_await call.engine().find(call.name(), asked, most);
}

io::Task<void> answer_find(Call& call, core::Find asked) {
  auto found = co_await find_in_room(call, asked);
  if (!found.result) co_return call.fail(found.result.error(), found.lsn);
  answer_documents(call, found.lsn, std::move(*found.result));
}

}  // namespace

io::Task<void> find_one(Call& call) {
  Result<core::Find> asked = parse_find(call);
  if (!asked) co_return call.fail(asked.error());
  asked->limit = 1;
  auto found = co_await find_in_room(call, *asked);
  if (!found.result) co_return call.fail(found.result.error(), found.lsn);
  if (found.result->empty()) co_return call.fail(not_found(), found.lsn);
  call.answer(found.lsn, [&](wire::ReplyWriter& reply) { reply.result().raw(found.result->front()); });
}

io::Task<void> find(Call& call) {
  Result<core::Find> asked = parse_find(call);
  if (!asked) co_return call.fail(asked.error());
  co_await answer_find(call, std::move(*asked));
}

/// Pages must not overlap: without a sort they are those of the order by _id.
io::Task<void> find_paginated(Call& call) {
  Result<core::Find> asked = parse_find(call);
  if (!asked) co_return call.fail(asked.error());
  if (!asked->sort.any()) asked->sort = core::Sort::by_id();
  co_await answer_find(call, std::move(*asked));
}

io::Task<void> find_by_id(Call& call) {
  Result<wire::FindByIdArgs> args = wire::parse_find_by_id(call.request.args);
  if (!args) co_return call.fail(args.error());
  if (Result<> right = check_tx_id(call, args->tx_id); !right) co_return call.fail(right.error());
  auto found = co_await call.engine().find_by_id(call.name(), args->id);
  if (!found.result) co_return call.fail(found.result.error(), found.lsn);
  if (!*found.result) co_return call.fail(not_found(), found.lsn);
  call.answer(found.lsn, [&](wire::ReplyWriter& reply) { reply.result().raw(**found.result); });
}

io::Task<void> count(Call& call) {
  Result<core::Query> query = parse_count(call);
  if (!query) co_return call.fail(query.error());
  auto counted = co_await call.engine().count(call.name(), *query);
  if (!counted.result) co_return call.fail(counted.result.error(), counted.lsn);
  call.answer(counted.lsn, [&](wire::ReplyWriter& reply) {
    reply.result().map(1).string("count").int64(static_cast<int64_t>(*counted.result));
  });
}

io::Task<void> find_many_count(Call& call) {
  Result<core::Query> query = parse_count(call);
  if (!query) co_return call.fail(query.error());
  auto counted = co_await call.engine().count(call.name(), *query);
  if (!counted.result) co_return call.fail(counted.result.error(), counted.lsn);
  call.answer(counted.lsn, [&](wire::ReplyWriter& reply) { reply.result().map(1).string("n").uint(*counted.result); });
}

}  // namespace holdfast::server
