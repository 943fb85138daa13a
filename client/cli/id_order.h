// The order of an export: documents by their `_id`, in the order of values that the server uses too: numbers by value,
// strings by their bytes, binary by length and then bytes, booleans, times; ids of different kinds in this order of
// kinds.
#pragma once

#include "io/base/bytes.h"

namespace holdfast::cli {

/// A key such that keys in byte order (the shorter first) are ids in the order above. Of an id of another kind, its
/// bytes, last. `id` is one MessagePack value. Pure.
Buffer id_order_key(Bytes id);

/// The same for a document's `_id`; empty, and so first, when it has none.
Buffer document_order_key(Bytes document);

}  // namespace holdfast::cli
