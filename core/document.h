// Documents: what may be stored, checked once where they enter.
//
// A document is one MessagePack map. Its bytes are kept exactly as they came (order of fields, widths of numbers); only
// a missing `_id` is added, in front. Everything behind check_document() relies on:
//   1. the bytes are one well-formed map, nested no deeper than the limit, no larger than the limit;
//   2. keys of every map in it are distinct UTF-8 strings;
//   3. `_id` is there and has a key (id_key.h).
// Values are not looked at: strings need not be UTF-8, extensions of any type are kept. Names may begin with `$`, hold
// dots or be empty, as in MongoDB since 5.0; paths do not reach such fields.
//
// Pure functions, any core. Errors: kBadRequest and kTooLarge, with a sentence that names the place.
#pragma once

#include "core/id_key.h"
#include "io/base/msgpack.h"

namespace holdfast::core {

struct DocumentLimits {
  size_t bytes = size_t{16} << 20;
  int depth = 100;  ///< of containers, the document itself being the first; at most msgpack::kMaxDepth
};

struct CheckedDocument {
  Bytes bytes;  ///< the document, borrowed
  Bytes id;     ///< the value of `_id`, inside `bytes`
  Buffer key;   ///< the key of `_id`
};

/// Checks everything promised above.
Result<CheckedDocument> check_document(Bytes document, const DocumentLimits& limits = {});

/// The value of `_id` in a map, whose other parts may be anything; nothing when it is not there.
std::optional<Bytes> find_id(Bytes document);

/// The document with `_id`: the string `id`, as its first field. Requires that find_id() found none. Everything else
/// keeps its bytes. Checks only that it is a map: check_document() comes next.
Result<Buffer> with_id(Bytes document, Bytes id);

/// kTooLarge when a document of `size` bytes may not be.
Result<> check_document_size(size_t size, const DocumentLimits& limits);

}  // namespace holdfast::core
