// Sort orders: compiled once; then every document gives a key, and keys compare as their documents sort.
//
// Semantics are MongoDB's (manual, "cursor.sort()", "Comparison/Sort Order"): a missing field sorts as null; of an array the smallest element counts
// when the path ascends and the largest when it descends; an empty array sorts as null (MongoDB: before it). Documents that are equal in all
// paths sort by `_id`, so that an order is the same whoever computes it.
//
// Pure; immutable after compile(), may be shared by any cores.
#pragma once

#include <vector>

#include "core/path.h"

namespace holdfast::core {

class Sort {
 public:
  static constexpr size_t kMaxPaths = 32;

  Sort() = default;  ///< no order
  /// `{path: 1 or -1, …}`, or, for those whose maps have no order, `[{path: 1}, …]`; null and {} are no order.
  /// Errors: kBadRequest, kUnsupported ($meta), kTooLarge, with the place.
  static Result<Sort> compile(Bytes sort);
  /// By `_id` alone, ascending.
  static Sort by_id();

  bool any() const { return !parts_.empty(); }
  /// What the order sees of a document, for compare() of the same Sort.
  Buffer key(Bytes document) const;
  /// Whether bytes from elsewhere could be a key.
  bool is_key(Bytes key) const;
  /// Keys, and for those that are equal the ids' keys (id_key.h).
  std::strong_ordering compare(Bytes key_a, Bytes id_a, Bytes key_b, Bytes id_b) const;

 private:
  struct Part {
    std::unique_ptr<Buffer> text;  ///< which the path borrows
    Path path;
    bool descends = false;
  };
  Result<> add(Bytes path, Bytes direction);
  std::vector<Part> parts_;
};

}  // namespace holdfast::core
