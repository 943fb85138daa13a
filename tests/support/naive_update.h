// Updates once more, on trees: slow and simple, one path after the other, from the operators' documentation. Shares
// nothing with core but the cursor.
#pragma once

#include "tests/support/tree.h"

namespace holdfast::test {

struct NaiveContext {
  int64_t now_ns = 0;
  bool insert = false;
  std::optional<size_t> position = {};  ///< what `$` stands for
  Tree array_filters = {};              ///< null, or an array
};

/// The document after the update; nothing when the update, or this document with it, is refused. Of $pull it knows
/// comparisons, $in, $nin, $exists and $size, on elements and on their fields by plain names. It knows no limits.
std::optional<Tree> naive_update(const Tree& update, const Tree& document, const NaiveContext& context = {});

}  // namespace holdfast::test
