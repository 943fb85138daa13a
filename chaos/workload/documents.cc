#include "chaos/workload/documents.h"

#include <fmt/core.h>

#include "io/base/hash.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

/// Mostly short; now and then long enough to span blocks.
std::string text_of(uint64_t value) {
  uint64_t h = xxh3_64(Bytes(reinterpret_cast<const char*>(&value), sizeof value));
  size_t length = h % 16 == 0 ? (h >> 8) % 6000 : (h >> 8) % 200;
  std::string text(length, ' ');
  for (size_t i = 0; i < length; ++i) text[i] = static_cast<char>('a' + (h + i * 7 + i / 26) % 26);
  return text;
}

}  // namespace

Buffer make_document(std::string_view key, uint64_t value) {
  Buffer out;
  msgpack::Writer(out).map(4).string("_id").string(key).string("v").uint(value).string("n").integer(0).string("p").string(text_of(value));
  return out;
}

Buffer make_update(uint64_t value) {
  Buffer out;
  msgpack::Writer w(out);
  w.map(2).string("$set").map(2).string("v").uint(value).string("p").string(text_of(value));
  w.string("$inc").map(1).string("n").integer(1);
  return out;
}

Buffer by_key(std::string_view key) {
  Buffer out;
  msgpack::Writer(out).map(1).string("_id").string(key);
  return out;
}

Result<ReadDocument> read_document(Bytes document) {
  ReadDocument out;
  out.state.exists = true;
  msgpack::Cursor in(document);
  msgpack::Value head, value;
  auto bad = [&](std::string_view what) { return fail(Code::kCorrupt, fmt::format("a document read back {} ({} bytes)", what, document.size())); };
  if (!in.next(head) || head.kind != msgpack::Kind::kMap || head.count != 4) return bad("is not a map of four fields");
  std::string text;
  for (int i = 0; i < 4; ++i) {
    Bytes name;
    if (!in.string(name) || !in.next(value)) return bad("is malformed");
    if (name == "_id" && value.kind == msgpack::Kind::kString)
      out.key = value.bytes;
    else if (name == "v" && value.kind == msgpack::Kind::kUint)
      out.state.value = value.u;
    else if (name == "n" && value.kind == msgpack::Kind::kUint)
      out.state.counter = static_cast<int64_t>(value.u);
    else if (name == "p" && value.kind == msgpack::Kind::kString)
      text = value.bytes;
    else
      return bad("has a field that nobody wrote");
  }
  if (!in.at_end()) return bad("has bytes behind its end");
  if (text != text_of(out.state.value)) return bad(fmt::format("with key {} has the value of one write and the text of another", out.key));
  return out;
}

}  // namespace holdfast::chaos
