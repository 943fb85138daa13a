#include <fmt/format.h>

#include "io/wire/args.h"
#include "server/operations.h"

namespace holdfast::server {
namespace {

// What an answer has besides its documents: envelope, array head, LSNs.
constexpr size_t kEnvelope = 128;

uint64_t document_room(const Call& call) { return call.reply_limit > kEnvelope ? call.reply_limit - kEnvelope : 1; }

/// Arguments of a query, and the query itself. What this version cannot do is refused rather than ignored.
struct Asked {
  core::Query query;
  std::optional<uint64_t> limit;
};

Result<Asked> parse_asked(Bytes args) {
  HF_TRY(parsed, wire::parse_query(args));
  constexpr auto refuse = [](std::string_view key, std::string_view instead) {
    return fail(Code::kUnsupported, fmt::format("this version does not offer {} in a query; {}", key, instead));
  };
  if (!parsed.fields.empty() && parsed.fields != "\x90") return refuse("fields", "leave it out to get whole documents");
  if (parsed.skip != 0) return refuse("skip", "use limit, or read everything with export");
  if (!parsed.cursor.empty()) return refuse("cursor", "use limit, or read everything with export");
  HF_TRY(query, core::Query::compile(parsed.query));
  return Asked{std::move(query), parsed.limit};
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

io::Task<void> insert_one(Call& call) {
  Result<Bytes> document = wire::parse_insert_one(call.request.args);
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

io::Task<void> find_one(Call& call) {
  Result<Asked> asked = parse_asked(call.request.args);
  if (!asked) co_return call.fail(asked.error());
  auto found = co_await call.engine().find(call.name(), asked->query, 1, document_room(call));
  if (!found.result) co_return call.fail(found.result.error(), found.lsn);
  if (found.result->empty()) co_return call.fail(not_found(), found.lsn);
  call.answer(found.lsn, [&](wire::ReplyWriter& reply) { reply.result().raw(found.result->front()); });
}

io::Task<void> find(Call& call) {
  Result<Asked> asked = parse_asked(call.request.args);
  if (!asked) co_return call.fail(asked.error());
  auto found = co_await call.engine().find(call.name(), asked->query, asked->limit.value_or(0), document_room(call));
  if (!found.result) co_return call.fail(found.result.error(), found.lsn);
  answer_documents(call, found.lsn, std::move(*found.result));
}

io::Task<void> find_by_id(Call& call) {
  Result<Bytes> id = wire::parse_find_by_id(call.request.args);
  if (!id) co_return call.fail(id.error());
  auto found = co_await call.engine().find_by_id(call.name(), *id);
  if (!found.result) co_return call.fail(found.result.error(), found.lsn);
  if (!*found.result) co_return call.fail(not_found(), found.lsn);
  call.answer(found.lsn, [&](wire::ReplyWriter& reply) { reply.result().raw(**found.result); });
}

io::Task<void> update_one(Call& call) {
  Result<wire::UpdateArgs> args = wire::parse_update(call.request.args);
  if (!args) co_return call.fail(args.error());
  Result<core::Query> filter = core::Query::compile(args->filter);
  if (!filter) co_return call.fail(filter.error());
  Result<core::Update> update = core::Update::compile(args->update);
  if (!update) co_return call.fail(update.error());
  auto done = co_await call.engine().update_one(call.name(), *filter, *update);
  if (!done.result) co_return call.fail(done.result.error(), done.lsn);
  call.answer(done.lsn, [&](wire::ReplyWriter& reply) {
    reply.result().map(2).string("matched").uint(done.result->matched).string("modified").uint(done.result->modified);
  });
}

io::Task<void> delete_one(Call& call) {
  Result<Bytes> args = wire::parse_delete(call.request.args);
  if (!args) co_return call.fail(args.error());
  Result<core::Query> filter = core::Query::compile(*args);
  if (!filter) co_return call.fail(filter.error());
  auto done = co_await call.engine().delete_one(call.name(), *filter);
  if (!done.result) co_return call.fail(done.result.error(), done.lsn);
  call.answer(done.lsn, [&](wire::ReplyWriter& reply) { reply.result().map(1).string("deleted").uint(*done.result); });
}

io::Task<void> count(Call& call) {
  Result<Asked> asked = parse_asked(call.request.args);
  if (!asked) co_return call.fail(asked.error());
  auto counted = co_await call.engine().count(call.name(), asked->query);
  if (!counted.result) co_return call.fail(counted.result.error(), counted.lsn);
  call.answer(counted.lsn, [&](wire::ReplyWriter& reply) {
    reply.result().map(1).string("count").int64(static_cast<int64_t>(*counted.result));
  });
}

io::Task<void> find_many_count(Call& call) {
  Result<Asked> asked = parse_asked(call.request.args);
  if (!asked) co_return call.fail(asked.error());
  auto counted = co_await call.engine().count(call.name(), asked->query);
  if (!counted.result) co_return call.fail(counted.result.error(), counted.lsn);
  call.answer(counted.lsn, [&](wire::ReplyWriter& reply) { reply.result().map(1).string("n").uint(*counted.result); });
}

io::Task<void> export_part(Call& call) {
  Result<wire::ExportArgs> args = wire::parse_export(call.request.args);
  if (!args) co_return call.fail(args.error());
  const Limits& limits = call.core.limits();
  uint64_t bytes = args->bytes == 0 ? limits.export_part_bytes : std::min(args->bytes, limits.export_part_bytes_max);
  auto page = co_await call.engine().export_page(call.name(), args->cursor, bytes);
  if (!page.result) co_return call.fail(page.result.error(), page.lsn);
  const core::ExportPage& part = *page.result;
  call.answer(page.lsn, [&](wire::ReplyWriter& reply) {
    msgpack::Writer out = reply.result();
    out.map(part.cursor.empty() ? 2 : 3).string("lsn").uint(part.snapshot.value);
    if (!part.cursor.empty()) out.string("cursor").binary(part.cursor);
    out.string("docs").array(static_cast<uint32_t>(part.documents.size()));
    for (const Buffer& document : part.documents) out.raw(document);
  });
}

}  // namespace holdfast::server
