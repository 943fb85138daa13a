#include "core/cursor_token.h"

#include "core/id_key.h"
#include "io/base/assert.h"
#include "io/base/hash.h"
#include "io/base/msgpack.h"

namespace holdfast::core {
namespace {

constexpr uint8_t kInShards = 1, kInOrder = 2;
constexpr size_t kChecksumBytes = 8;

/// Of the value that comes next. Of a map the sum over its fields, so that their order does not count.
uint64_t hash_value(msgpack::Cursor& in, int depth) {
  msgpack::Cursor whole = in;
  msgpack::Value head;
  if (depth > msgpack::kMaxDepth || !in.next(head)) return 0;
  if (!head.is_container()) return xxh3_64(whole.raw());
  bool map = head.kind == msgpack::Kind::kMap;
  uint64_t hash = xxh3_64(map ? "map" : "array", head.count);
  for (uint32_t i = 0; i < head.count && in.ok(); ++i) {
    uint64_t key = map ? hash_value(in, depth + 1) : hash;
    uint64_t pair[] = {key, hash_value(in, depth + 1)};
    uint64_t both = xxh3_64(Bytes(reinterpret_cast<const char*>(pair), sizeof pair));
    hash = map ? hash + both : both;
  }
  return hash;
}

}  // namespace

Buffer CursorToken::encode() const {
  HF_ASSERT(id_key.size() <= kMaxIdKeyBytes && sort_key.size() <= kMaxSortKeyBytes, "longer keys are refused before they are answered");
  Buffer out;
  append_le(out, sorted ? kInOrder : kInShards);
  for (uint64_t n : {incarnation, cursor, skipped, answered}) append_le(out, n);
  if (sorted) {
    append_le(out, static_cast<uint16_t>(id_key.size()));
    out += id_key;
    out += sort_key;
  } else {
    append_le(out, core);
    append_le(out, shard_index);
    append_le(out, ordinal.value);
  }
  append_le(out, xxh3_64(out));
  return out;
}

Result<CursorToken> CursorToken::parse(Bytes token) {
  auto bad = [] { return fail(Code::kBadRequest, "this is no cursor: send back, whole, what came with the page before"); };
  if (token.size() < kChecksumBytes) return bad();
  Bytes body = token.substr(0, token.size() - kChecksumBytes);
  if (xxh3_64(body) != load_le<uint64_t>(token.data() + body.size())) return bad();
  ByteReader in(body);
  CursorToken out;
  auto kind = in.le<uint8_t>();
  for (uint64_t* n : {&out.incarnation, &out.cursor, &out.skipped, &out.answered}) *n = in.le<uint64_t>();
  out.sorted = kind == kInOrder;
  if (out.sorted) {
    out.id_key = in.take(in.le<uint16_t>());
    out.sort_key = in.rest();
  } else {
    out.core = in.le<uint16_t>();
    out.shard_index = in.le<uint16_t>();
    out.ordinal = Ordinal(in.le<uint32_t>());
    if (!in.rest().empty()) return bad();
  }
  bool fits = out.id_key.size() <= kMaxIdKeyBytes && out.sort_key.size() <= kMaxSortKeyBytes;
  if (!in.ok() || (kind != kInOrder && kind != kInShards) || !fits) return bad();
  return out;
}

uint64_t fingerprint_of(std::span<const Bytes> values) {
  uint64_t hash = 0;
  for (Bytes value : values) {
    msgpack::Cursor in(value);
    uint64_t pair[] = {hash, value.empty() ? 0 : hash_value(in, 0)};
    hash = xxh3_64(Bytes(reinterpret_cast<const char*>(pair), sizeof pair));
  }
  return hash;
}

}  // namespace holdfast::core
