// Streams: results page by page, of any size.
#include "core/cursor_token.h"
#include "server/operations.h"

namespace holdfast::server {
namespace {

/// How much of a stream one answer may have.
uint64_t page_bytes(const Call& call, uint64_t asked) {
  const Limits& limits = call.core.limits();
  return asked == 0 ? limits.export_part_bytes : std::min(asked, limits.export_part_bytes_max);
}

/// What all pages of a stream have in common. A sort's order counts; the order of the fields in everything else does not.
uint64_t fingerprint_of(const wire::QueryArgs& q) {
  const uint64_t numbers[] = {q.skip, q.limit.value_or(0)};
  Buffer rest;
  msgpack::Writer w(rest);
  w.array(3).binary(q.sort).uint(numbers[0]).uint(numbers[1]);
  const Bytes values[] = {q.query, q.projection, q.fields, rest};
  return core::fingerprint_of(values);
}

enum class Shows : uint8_t { kPageAlone, kSnapshotToo };

void answer_page(Call& call, Lsn lsn, core::DocumentPage page, Shows shows) {
  size_t total = page.cursor.size();
  for (const Buffer& document : page.documents) total += document.size();
  call.answer(
      lsn,
      [&](wire::ReplyWriter& reply) {
        msgpack::Writer out = reply.result();
        out.map(1 + !page.cursor.empty() + (shows == Shows::kSnapshotToo));
        if (shows == Shows::kSnapshotToo) out.string("lsn").uint(page.snapshot.value);
        if (!page.cursor.empty()) out.string("cursor").binary(page.cursor);
        out.string("docs").array(static_cast<uint32_t>(page.documents.size()));
        for (Buffer& document : page.documents) {
          out.raw(document);
          document = Buffer();
        }
      },
      total);
}

io::Task<void> answer_stream(Call& call, Result<wire::StreamArgs> args, Shows shows) {
  if (!args) co_return call.fail(args.error());
  Result<core::Find> find = compile_find(call, args->query);
  if (!find) co_return call.fail(find.error());
  core::StreamPosition from{.fingerprint = fingerprint_of(args->query),
                            .documents = args->page,
                            .bytes = page_bytes(call, args->bytes),
                            .cursor = args->query.cursor};
  if (!call.try_reserve(2 * from.bytes)) co_await call.reserve(2 * from.bytes);
  auto page = co_await call.engine().stream_page(call.name(), *find, from);
  if (!page.result) co_return call.fail(page.result.error(), page.lsn);
  answer_page(call, page.lsn, std::move(*page.result), shows);
}

}  // namespace

io::Task<void> stream(Call& call) { return answer_stream(call, wire::parse_stream(call.request.args), Shows::kSnapshotToo); }

io::Task<void> find_many_stream(Call& call) {
  return answer_stream(call, wire::parse_find_many_stream(call.request.args), Shows::kPageAlone);
}

io::Task<void> export_part(Call& call) {
  Result<wire::ExportArgs> args = wire::parse_export(call.request.args);
  if (!args) co_return call.fail(args.error());
  uint64_t bytes = page_bytes(call, args->bytes);
  if (!call.try_reserve(2 * bytes)) co_await call.reserve(2 * bytes);
  auto page = co_await call.engine().export_page(call.name(), args->cursor, bytes);
  if (!page.result) co_return call.fail(page.result.error(), page.lsn);
  answer_page(call, page.lsn, std::move(*page.result), Shows::kSnapshotToo);
}

}  // namespace holdfast::server
