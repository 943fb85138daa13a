#include "core/document.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;

namespace {

constexpr std::string_view kId = "_id";

Result<> check_is_map(Bytes document) {
  Cursor c(document);
  Value head;
  if (!c.next(head) || head.kind != Kind::kMap) return fail(Code::kBadRequest, "a document must be a MessagePack map");
  return {};
}

}  // namespace

Result<> check_document_size(size_t size, const DocumentLimits& limits) {
  if (size <= limits.bytes) return {};
  return fail(Code::kTooLarge, "the document has " + std::to_string(size) + " bytes, at most " +
                                   std::to_string(limits.bytes) +
                                   " are allowed: split it, or keep large binary data outside");
}

Result<CheckedDocument> check_document(Bytes document, const DocumentLimits& limits) {
  HF_CHECK_OK(check_document_size(document.size(), limits));
  HF_CHECK_OK(check_is_map(document));
  HF_CHECK_OK(msgpack::validate(document, {.max_depth = limits.depth}));
  auto id = find_id(document);
  if (!id) return fail(Code::kBadRequest, "the document has no _id");
  HF_TRY(key, id_key(*id));
  return CheckedDocument{document, *id, std::move(key)};
}

std::optional<Bytes> find_id(Bytes document) { return msgpack::lookup(document, kId); }

Result<Buffer> with_id(Bytes document, Bytes id) {
  HF_CHECK_OK(check_is_map(document));
  Cursor c(document);
  Value head;
  c.next(head);
  Buffer out;
  out.reserve(document.size() + id.size() + 16);
  msgpack::Writer(out).map(head.count + 1).string(kId).string(id).raw(document.substr(document.size() - c.remaining()));
  return out;
}

}  // namespace holdfast::core
