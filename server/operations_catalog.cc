#include "io/wire/args.h"
#include "server/operations.h"

namespace holdfast::server {
namespace {

void answer_exists(Call& call, const core::Reply<bool>& known) {
  if (!known.result) return call.fail(known.result.error(), known.lsn);
  call.answer(known.lsn,
              [&](wire::ReplyWriter& reply) { reply.result().map(1).string("exists").boolean(*known.result); });
}

void answer_names(Call& call, std::string_view key, const core::Reply<std::vector<std::string>>& listed) {
  if (!listed.result) return call.fail(listed.result.error(), listed.lsn);
  call.answer(listed.lsn, [&](wire::ReplyWriter& reply) {
    msgpack::Writer out = reply.result();
    out.map(1).string(key).array(static_cast<uint32_t>(listed.result->size()));
    for (const std::string& name : *listed.result) out.string(name);
  });
}

}  // namespace

io::Task<void> drop(Call& call) {
  auto done = co_await call.engine().drop_collection(call.name());
  if (!done.result) co_return call.fail(done.result.error(), done.lsn);
  call.ok(done.lsn);
}

io::Task<void> create_collection(Call& call) {
  Result<Bytes> name = wire::parse_name(call.request.args);
  if (!name) co_return call.fail(name.error());
  auto done = co_await call.engine().create_collection({call.database(), *name});
  if (!done.result) co_return call.fail(done.result.error(), done.lsn);
  call.ok(done.lsn);
}

io::Task<void> database_exists(Call& call) {
  Result<Bytes> name = wire::parse_name(call.request.args);
  if (!name) co_return call.fail(name.error());
  answer_exists(call, co_await call.engine().database_exists(*name));
}

io::Task<void> collection_exists(Call& call) {
  Result<Bytes> name = wire::parse_name(call.request.args);
  if (!name) co_return call.fail(name.error());
  answer_exists(call, co_await call.engine().collection_exists({call.database(), *name}));
}

io::Task<void> list_databases(Call& call) { answer_names(call, "databases", co_await call.engine().list_databases()); }

io::Task<void> list_collections(Call& call) {
  answer_names(call, "collections", co_await call.engine().list_collections(call.database()));
}

}  // namespace holdfast::server
