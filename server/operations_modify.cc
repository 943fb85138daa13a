// Operations that change documents which are there, or upsert.
#include <fmt/format.h>

#include "io/wire/args.h"
#include "server/operations.h"

namespace holdfast::server {
namespace {

using Returns = core::Modification::Returns;

enum class Kind : uint8_t { kUpdate, kDelete, kUpsert, kFindAndModify };

/// What an operation does not take is refused rather than ignored.
Result<> check_offered(const wire::ModifyArgs& asked, Kind kind) {
  if (!asked.array_filters.empty() && asked.update.empty()) return fail(Code::kBadRequest, "array_filters go with an update");
  if (kind == Kind::kFindAndModify) {
    if (asked.remove == !asked.update.empty()) return fail(Code::kBadRequest, "find_and_modify takes either an update or remove: true");
    if (asked.remove && asked.upsert) return fail(Code::kBadRequest, "remove and upsert exclude each other");
    return {};
  }
  if (asked.remove || !asked.sort.empty() || !asked.projection.empty() || !asked.returns.empty())
    return fail(Code::kUnsupported, "sort, projection, remove and return go with find_and_modify only");
  if (asked.upsert && kind != Kind::kUpsert) return fail(Code::kUnsupported, "upsert goes with upsert_one, upsert_many and find_and_modify only");
  if (kind == Kind::kDelete && !asked.update.empty()) return fail(Code::kBadRequest, "a delete takes {filter} alone");
  if (kind != Kind::kDelete && asked.update.empty()) return fail(Code::kBadRequest, "an update takes {filter, update}");
  return {};
}

Result<Returns> parse_returns(const wire::ModifyArgs& asked) {
  if (asked.returns == "after" && !asked.remove) return Returns::kAfter;
  if (asked.returns == "before" || asked.returns.empty()) return Returns::kBefore;
  return fail(Code::kBadRequest, asked.remove ? "return must be \"before\" when the document is removed" : "return must be \"before\" or \"after\"");
}

Result<core::Modification> parse(const Call& call, Bytes args, Kind kind) {
  HF_TRY(asked, wire::parse_modify(args));
  HF_CHECK_OK(check_offered(asked, kind));
  HF_CHECK_OK(check_tx_id(call, asked.tx_id));
  HF_TRY(query, core::Query::compile(asked.filter));
  core::Modification out = core::deletion_of(std::move(query));
  if (!asked.update.empty()) {
    HF_TRY(update, core::Update::compile(asked.update, asked.array_filters));
    out.update = std::move(update);
  }
  out.upsert = kind == Kind::kUpsert || asked.upsert;
  if (!asked.sort.empty()) {
    HF_TRY(sort, core::Sort::compile(asked.sort));
    out.of.sort = std::move(sort);
  }
  if (!asked.projection.empty()) {
    HF_TRY(projection, core::Projection::compile(asked.projection));
    out.of.projection = std::move(projection);
  }
  if (kind == Kind::kFindAndModify) {
    HF_TRY(returns, parse_returns(asked));
    out.returns = returns;
  }
  return out;
}

enum class Scope : uint8_t { kOne, kMany };

/// `write(result writer, modified)` writes the result.
template <class F>
io::Task<void> modify(Call& call, Kind kind, Scope scope, F write) {
  Result<core::Modification> change = parse(call, call.request.args, kind);
  if (!change) co_return call.fail(change.error());
  auto done = scope == Scope::kOne ? co_await call.engine().modify_one(call.name(), *change) : co_await call.engine().modify_many(call.name(), *change);
  if (!done.result) co_return call.fail(done.result.error(), done.lsn);
  call.answer(
      done.lsn,
      [&](wire::ReplyWriter& reply) {
        msgpack::Writer out = reply.result();
        write(out, *done.result);
      },
      done.result->document ? done.result->document->size() : 0);
}

void write_upserted(msgpack::Writer& out, const core::Modified& m) {
  if (m.upserted) out.string("id").raw(*m.upserted);
}

}  // namespace

Result<core::Modification> parse_update_one(const Call& call, Bytes args) { return parse(call, args, Kind::kUpdate); }
Result<core::Modification> parse_delete_one(const Call& call, Bytes args) { return parse(call, args, Kind::kDelete); }

io::Task<void> update_one(Call& call) {
  return modify(call, Kind::kUpdate, Scope::kOne, [](msgpack::Writer& out, const core::Modified& m) {
    out.map(2).string("matched").uint(m.matched).string("modified").uint(m.modified);
  });
}

io::Task<void> update_many(Call& call) {
  return modify(call, Kind::kUpdate, Scope::kMany, [](msgpack::Writer& out, const core::Modified& m) {
    out.map(4).string("matched").uint(m.matched).string("modified").uint(m.modified);
    out.string("count").uint(m.matched).string("updated").uint(m.matched);  // what clients of other versions look for
  });
}

io::Task<void> delete_one(Call& call) {
  return modify(call, Kind::kDelete, Scope::kOne,
                [](msgpack::Writer& out, const core::Modified& m) { out.map(1).string("deleted").uint(m.modified); });
}

io::Task<void> delete_many(Call& call) {
  return modify(call, Kind::kDelete, Scope::kMany, [](msgpack::Writer& out, const core::Modified& m) {
    out.map(2).string("deleted").uint(m.modified).string("count").uint(m.modified);
  });
}

io::Task<void> upsert_one(Call& call) {
  return modify(call, Kind::kUpsert, Scope::kOne, [](msgpack::Writer& out, const core::Modified& m) {
    out.map(m.upserted ? 4 : 3).string("matched").uint(m.matched).string("modified").uint(m.modified);
    out.string("inserted").boolean(m.upserted.has_value());
    write_upserted(out, m);
  });
}

io::Task<void> upsert_many(Call& call) {
  return modify(call, Kind::kUpsert, Scope::kMany, [](msgpack::Writer& out, const core::Modified& m) {
    out.map(m.upserted ? 4 : 3).string("matched").uint(m.matched).string("modified").uint(m.modified);
    out.string("inserted").uint(m.upserted ? 1 : 0);
    write_upserted(out, m);
  });
}

io::Task<void> find_and_modify(Call& call) {
  return modify(call, Kind::kFindAndModify, Scope::kOne, [](msgpack::Writer& out, const core::Modified& m) {
    out.map(2 + m.upserted.has_value() + m.document.has_value()).string("matched").uint(m.matched).string("modified").uint(m.modified);
    write_upserted(out, m);
    if (m.document) out.string("document").raw(*m.document);
  });
}

}  // namespace holdfast::server
