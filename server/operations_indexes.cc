// Declared indexes. What is answered is true of the collection as it is: how many documents have what an index asks for. Queries do not use them so far.
#include "io/wire/args.h"
#include "server/operations.h"

namespace holdfast::server {
namespace {

Result<core::IndexSpec> parse_spec(const Call& call) {
  HF_TRY(args, wire::parse_index(call.request.args));
  if (args.unique) return fail(Code::kUnsupported, "this version has no unique indexes: leave unique out");
  core::IndexSpec out;
  Result<> typed;
  auto add = [&](Bytes path, Bytes type_name) {
    auto type = core::index_type(type_name);
    if (!type && typed) typed = fail(type);
    out.fields.push_back({std::string(path), type.value_or(core::IndexField::Type::kAny)});
  };
  if (args.fields.empty())
    add(args.field, args.value_type);
  else
    HF_CHECK_OK(wire::each_index_field(args.fields, add));
  HF_CHECK_OK(typed);
  return out;
}

void write_census(msgpack::Writer out, const core::IndexSpec& spec, const core::IndexCensus& census) {
  out.map(2 + !census.issues.empty() + census.truncated).string("indexed").int64(static_cast<int64_t>(census.fitting));
  out.string("skipped").int64(static_cast<int64_t>(census.others));
  if (census.truncated) out.string("truncated").boolean(true);
  if (census.issues.empty()) return;
  out.string("issues").array(static_cast<uint32_t>(census.issues.size()));
  for (const core::IndexCensus::Issue& issue : census.issues) {
    const core::IndexField& field = spec.fields[issue.field];
    // The original's client takes ids that are strings alone.
    msgpack::Value id;
    bool text = msgpack::Cursor(issue.id).next(id) && id.kind == msgpack::Kind::kString;
    out.map(text ? 5 : 4).string("position").uint(issue.field);
    if (text) out.string("id").raw(issue.id);
    out.string("field").string(field.path).string("expected").string(core::name(field.type)).string("actual").string(issue.actual);
  }
}

}  // namespace

io::Task<void> create_index(Call& call) {
  Result<core::IndexSpec> spec = parse_spec(call);
  if (!spec) co_return call.fail(spec.error());
  auto made = co_await call.engine().create_index(call.name(), *spec);
  if (!made.result) co_return call.fail(made.result.error(), made.lsn);
  call.answer(made.lsn, [&](wire::ReplyWriter& reply) { write_census(reply.result(), *spec, *made.result); });
}

io::Task<void> drop_index(Call& call) {
  Result<core::IndexSpec> spec = parse_spec(call);
  if (!spec) co_return call.fail(spec.error());
  auto dropped = co_await call.engine().drop_index(call.name(), spec->name());
  if (!dropped.result) co_return call.fail(dropped.result.error(), dropped.lsn);
  call.ok(dropped.lsn);
}

/// Nothing is kept that could be wrong: it is counted anew.
io::Task<void> rebuild_index(Call& call) {
  Result<core::IndexSpec> spec = parse_spec(call);
  if (!spec) co_return call.fail(spec.error());
  auto found = co_await call.engine().index_census(call.name(), spec->name());
  if (!found.result) co_return call.fail(found.result.error(), found.lsn);
  call.answer(found.lsn, [&](wire::ReplyWriter& reply) {
    reply.result().map(2).string("indexed").int64(static_cast<int64_t>(found.result->fitting)).string("skipped").int64(static_cast<int64_t>(found.result->others));
  });
}

io::Task<void> list_indexes(Call& call) {
  auto found = co_await call.engine().list_indexes(call.name());
  if (!found.result) co_return call.fail(found.result.error(), found.lsn);
  call.answer(found.lsn, [&](wire::ReplyWriter& reply) {
    msgpack::Writer out = reply.result();
    out.array(static_cast<uint32_t>(found.result->size()));
    for (const core::IndexSpec& spec : *found.result) {
      out.map(4).string("name").string(spec.name()).string("unique").boolean(false).string("used").boolean(false);
      out.string("fields").array(static_cast<uint32_t>(spec.fields.size()));
      for (const core::IndexField& f : spec.fields) out.map(2).string("name").string(f.path).string("value_type").string(core::name(f.type));
    }
  });
}

}  // namespace holdfast::server
