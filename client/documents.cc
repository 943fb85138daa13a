#include "client/documents.h"

#include <algorithm>

#include "io/base/assert.h"

namespace holdfast::client {

bool has_generated_shape(std::string_view id) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return id.size() == 60 && std::ranges::all_of(id, letter);
}

Buffer with_id(Bytes document, std::string_view id) {
  msgpack::Cursor in(document);
  msgpack::Value head;
  bool is_map = in.next(head) && head.kind == msgpack::Kind::kMap;
  HF_ASSERT(is_map, "the caller has looked for _id in this map");
  Buffer out;
  out.reserve(document.size() + id.size() + 16);
  msgpack::Writer(out).map(head.count + 1).string("_id").string(id);
  out += document.substr(document.size() - in.remaining());
  return out;
}

}  // namespace holdfast::client
