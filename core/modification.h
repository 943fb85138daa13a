// Modification: what a request wants made of documents that are there, or, as an upsert, of one that is not.
#pragma once

#include "core/find.h"
#include "core/update.h"

namespace holdfast::core {

struct Modification {
  /// Which documents. Of one that is to be modified: the first in the sort's order; without a sort any. The projection is of what is returned.
  Find of;
  std::optional<Update> update = std::nullopt;  ///< none: what matches is deleted
  bool upsert = false;                          ///< when nothing matches, insert upsert_document(); needs an update
  enum class Returns : uint8_t { kNothing, kBefore, kAfter };
  Returns returns = Returns::kNothing;  ///< of one document only

  /// What the update, which must be there, makes of a document that matches the query.
  Result<Update::Applied> apply(Bytes document, WallTime now) const;
};

/// One document that matches `query` is updated, or deleted.
Modification update_of(Query query, Update update);
Modification deletion_of(Query query);

struct Modified {
  uint64_t matched = 0;
  uint64_t modified = 0;           ///< deleted, or updated to something else
  std::optional<Buffer> upserted;  ///< the `_id` of the document that was inserted
  std::optional<Buffer> document;  ///< as asked for by `returns`; none when there was, or is, none
};

/// The document that an upsert inserts: what the query asks for by equality (`{path: value}` and `$eq`, also in `$and`), then the update, for which
/// it is a document to be inserted. It may lack `_id`.
/// Errors: kBadRequest (equalities of the query, or query and update, do not fit together), kTooLarge.
Result<Buffer> upsert_document(const Query& query, const Update& update, WallTime now);

/// The same for queries with the same fields and operands, byte for byte, in any order; others may share it. No document has such a key.
Buffer turn_key(const Query& query);

}  // namespace holdfast::core
