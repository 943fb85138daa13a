#include "core/outcome.h"

#include <fmt/core.h>

#include "io/base/msgpack.h"

namespace holdfast::core {
namespace {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;

/// The log kept it whole, and what was asked for is the same (SessionTable).
std::unexpected<Error> of_another_kind() { return fail(Code::kCorrupt, "the request has been executed, but what the log kept of its outcome is that of another operation"); }

/// A cursor behind the head of the array; `count` is its size.
Result<Cursor> open(const SessionOutcome& outcome, uint32_t& count) {
  if (!outcome.kept)
    return fail(Code::kUnknownOutcome,
                fmt::format("the request has been executed, at LSN {}; its result was too large to be remembered: read what is there now", outcome.lsn.value));
  Cursor in(outcome.result);
  Value head;
  if (!in.next(head) || head.kind != Kind::kArray) return of_another_kind();
  count = head.count;
  return in;
}

void write_optional(msgpack::Writer& w, const std::optional<Buffer>& value) {
  if (value)
    w.raw(*value);
  else
    w.nil();
}

std::optional<Buffer> read_optional(Cursor& in) {
  Bytes raw = in.raw();
  if (raw.empty() || raw == "\xc0") return std::nullopt;
  return Buffer(raw);
}

}  // namespace

Buffer encode_outcome(const std::vector<Buffer>& ids) {
  Buffer out;
  msgpack::Writer w(out);
  w.array(static_cast<uint32_t>(ids.size()));
  for (const Buffer& id : ids) {
    if (out.size() > kMaxOutcomeBytes) break;  // it will not be kept
    w.raw(id);
  }
  return out;
}

Buffer encode_outcome(const Buffer& id) { return encode_outcome(std::vector<Buffer>(1, id)); }

Buffer encode_outcome(const Modified& m) {
  Buffer out;
  msgpack::Writer w(out);
  w.array(4).uint(m.matched).uint(m.modified);
  write_optional(w, m.upserted);
  write_optional(w, m.document);
  return out;
}

Buffer encode_outcome(bool done) {
  Buffer out;
  msgpack::Writer(out).array(1).boolean(done);
  return out;
}

Buffer encode_outcome(Lsn) { return Buffer("\x90"); }

template <>
Result<std::vector<Buffer>> decode_outcome(const SessionOutcome& outcome) {
  uint32_t count = 0;
  HF_TRY(in, open(outcome, count));
  std::vector<Buffer> ids;
  for (uint32_t i = 0; i < count; ++i) ids.emplace_back(in.raw());
  if (!in.ok()) return of_another_kind();
  return ids;
}

template <>
Result<Buffer> decode_outcome(const SessionOutcome& outcome) {
  HF_TRY(ids, decode_outcome<std::vector<Buffer>>(outcome));
  if (ids.size() != 1) return of_another_kind();
  return std::move(ids.front());
}

template <>
Result<Modified> decode_outcome(const SessionOutcome& outcome) {
  uint32_t count = 0;
  HF_TRY(in, open(outcome, count));
  Value matched, modified;
  if (count != 4 || !in.next(matched) || !in.next(modified) || matched.kind != Kind::kUint || modified.kind != Kind::kUint) return of_another_kind();
  Modified out{.matched = matched.u, .modified = modified.u};
  out.upserted = read_optional(in);
  out.document = read_optional(in);
  if (!in.ok()) return of_another_kind();
  return out;
}

template <>
Result<bool> decode_outcome(const SessionOutcome& outcome) {
  uint32_t count = 0;
  HF_TRY(in, open(outcome, count));
  Value v;
  if (count != 1 || !in.next(v) || v.kind != Kind::kBool) return of_another_kind();
  return v.boolean;
}

template <>
Result<Lsn> decode_outcome(const SessionOutcome& outcome) {
  return outcome.lsn;
}

}  // namespace holdfast::core
