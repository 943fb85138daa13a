// Updates and documents as short texts, for tests of updates.
#pragma once

#include <gtest/gtest.h>

#include "core/update.h"
#include "tests/support/tree.h"

namespace holdfast::test {

inline Result<core::Update::Applied> run(std::string_view update, std::string_view document,
                                         const core::DocumentLimits& limits = {},
                                         const core::UpdateContext& context = {},
                                         std::string_view array_filters = "null") {
  HF_TRY(u, core::Update::compile(mp(update), mp(array_filters), limits));
  return u.apply(mp(document), context);
}

struct UpdateCase {
  const char* update;
  const char* before;
  const char* after;
};

inline void expect_results(std::initializer_list<UpdateCase> cases, const core::UpdateContext& context = {}) {
  for (const UpdateCase& c : cases) {
    auto r = run(c.update, c.before, {}, context);
    ASSERT_TRUE(r) << c.update << " on " << c.before << ": " << r.error().text();
    EXPECT_EQ(show(r->document), show(mp(c.after))) << c.update << " on " << c.before;
    EXPECT_TRUE(r->document == mp(c.after)) << c.update << " on " << c.before;
    EXPECT_EQ(r->changed(), mp(c.before) != mp(c.after)) << c.update << " on " << c.before;
  }
}

struct UpdateRefusal {
  const char* update;
  const char* document;
  Code code;
  const char* text;  ///< in the message
};

inline void expect_refusals(std::initializer_list<UpdateRefusal> refusals, const core::UpdateContext& context = {}) {
  for (const UpdateRefusal& c : refusals) {
    auto r = run(c.update, c.document, {}, context);
    ASSERT_FALSE(r) << c.update << " on " << c.document << " gave " << show(r->document);
    EXPECT_EQ(r.error().code, c.code) << c.update << ": " << r.error().text();
    EXPECT_TRUE(r.error().message.contains(c.text)) << c.update << ": " << r.error().text();
  }
}

}  // namespace holdfast::test
