// Find: what a request for documents asks for, compiled.
#pragma once

#include "core/projection.h"
#include "core/query.h"
#include "core/sort.h"

namespace holdfast::core {

/// What the documents that a find sorts may take at most, as they are answered, with their sort keys.
inline constexpr uint64_t kSortBytes = uint64_t{100} << 20;

/// How much a find may hold.
struct FindBounds {
  uint64_t answer;             ///< bytes of the documents answered
  uint64_t sort = kSortBytes;  ///< bytes of what is to be sorted, on all cores together

  uint64_t kept(const Sort& s) const { return s.any() ? sort : answer; }
};

struct Find {
  Query query;
  Sort sort;              ///< none: in the order in which a scan meets them, which is not defined
  Projection projection;  ///< what of each document is answered
  uint64_t skip = 0;
  uint64_t limit = 0;  ///< 0: all

  /// How many documents have to be found, the skipped ones included; 0: all.
  uint64_t wanted() const { return limit == 0 || limit > UINT64_MAX - skip ? 0 : skip + limit; }
};

}  // namespace holdfast::core
