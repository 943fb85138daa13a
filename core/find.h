// Find: what a request for documents asks for, compiled.
#pragma once

#include "core/projection.h"
#include "core/query.h"
#include "core/sort.h"

namespace holdfast::core {

/// What a find may take of memory at most, for the documents that it keeps until it has them all.
inline constexpr uint64_t kFindMemory = uint64_t{256} << 20;

/// How much a find may hold.
struct FindBounds {
  uint64_t answer;                ///< bytes of the documents answered
  uint64_t memory = kFindMemory;  ///< bytes of what it keeps on all cores together, with keys and bookkeeping

  /// Room for both, while the answer is made of what was kept.
  uint64_t room() const { return answer + memory; }
};
/// For an answer of so many bytes, in usual documents: those of a hundred bytes and more.
inline FindBounds bounds_for(uint64_t answer) { return {.answer = answer, .memory = 2 * answer}; }

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
