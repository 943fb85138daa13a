// Quarantine: what is known to be damaged and must not be answered from, on one core.
//
// Place in the system: one per engine core, used on that core only. Pure. Filled from the MANIFEST and by recovery; every checkpoint writes it
// into the next MANIFEST.
//
// A mark names a document whose newest version was durable and cannot be read any more. Until somebody decides (holdfastd repair), reads and writes of
// that document, and whatever would have to include it (scans, counts, exports of its collection), are answered `corrupt`: never as if an older
// version were the newest, never as if the document were not there.
#pragma once

#include <map>

#include "core/entry.h"
#include "core/manifest.h"

namespace holdfast::core {

class Quarantine {
 public:
  void add(const QuarantinedDocument& mark);
  bool empty() const { return marks_.empty(); }
  size_t size() const { return marks_.size(); }

  /// kCorrupt, with a sentence for people, when the document is marked.
  Result<> check(CollectionId collection, Bytes key) const;
  /// The same when any document of the collection is.
  Result<> check(CollectionId collection) const;

  /// A later version of that document, whole, was found in the log: what it was before does not matter any more.
  void superseded(CollectionId collection, Bytes key);
  /// The collection was dropped.
  void drop(CollectionId collection);

  /// By collection, then id hash.
  std::vector<QuarantinedDocument> list() const;

 private:
  using Place = std::pair<CollectionId, uint64_t>;
  std::map<Place, QuarantinedDocument> marks_;
};

}  // namespace holdfast::core
