// Find: what a request for documents asks for, compiled.
#pragma once

#include "core/projection.h"
#include "core/query.h"
#include "core/sort.h"

namespace holdfast::core {

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
