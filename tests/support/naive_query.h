// The query language written down once more, from MongoDB's manual: slow, simple, and sharing nothing with core. What
// the real one must agree with on generated cases (query_generator.h).
#pragma once

#include <optional>

#include "tests/support/tree.h"

namespace holdfast::test {

/// Whether the document matches; nothing when the query must be refused, which no document decides.
std::optional<bool> naive_matches(const Tree& query, const Tree& document);

}  // namespace holdfast::test
