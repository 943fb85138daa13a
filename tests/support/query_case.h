// Queries and documents as short texts, for tests of queries.
#pragma once

#include <gtest/gtest.h>

#include "core/query.h"
#include "tests/support/tree.h"

namespace holdfast::test {

inline core::Query compiled(std::string_view text) {
  auto q = core::Query::compile(mp(text));
  EXPECT_TRUE(q) << text << ": " << (q ? "" : q.error().text());
  return q ? std::move(*q) : std::move(*core::Query::compile(mp("{}")));
}

inline bool matches(std::string_view query, std::string_view document) {
  return compiled(query).match(mp(document)) == core::Query::Match::kYes;
}

struct QueryCase {
  const char* query;
  const char* document;
};

inline void expect_all(bool expected, std::initializer_list<QueryCase> cases) {
  for (const QueryCase& c : cases) EXPECT_EQ(matches(c.query, c.document), expected) << c.query << " on " << c.document;
}

struct QueryRefusal {
  const char* query;
  Code code;
  const char* text;  ///< in the message
};

inline void expect_refused(std::initializer_list<QueryRefusal> refusals) {
  for (const QueryRefusal& r : refusals) {
    auto q = core::Query::compile(mp(r.query));
    EXPECT_FALSE(q) << r.query;
    if (q) continue;
    EXPECT_EQ(q.error().code, r.code) << r.query << ": " << q.error().message;
    EXPECT_TRUE(q.error().message.contains(r.text)) << r.query << ": " << q.error().message;
  }
}

}  // namespace holdfast::test
