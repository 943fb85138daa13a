#include "core/page_ahead.h"

#include <gtest/gtest.h>

namespace holdfast::core {
namespace {

PageAhead::Run run(uint64_t cursor, std::string_view position, uint64_t bytes) {
  PageAhead::Run out{.cursor = cursor, .sort_key = Buffer(position), .id_key = "id", .bytes = bytes};
  out.found.push_back({.key = "k", .body = "b", .sort_key = "s"});
  return out;
}

TEST(PageAhead, GivesARunOnceAndOnlyWhereItBegins) {
  PageAhead ahead(800);
  ahead.keep(run(1, "x", ahead.reserve()));
  EXPECT_FALSE(ahead.take(2, "x", "id"));
  EXPECT_FALSE(ahead.take(1, "y", "id"));
  EXPECT_FALSE(ahead.take(1, "x", "other"));
  EXPECT_TRUE(ahead.take(1, "x", "id"));
  EXPECT_FALSE(ahead.take(1, "x", "id"));
}

TEST(PageAhead, TheOldestGoesWhenThereIsNoRoom) {
  PageAhead ahead(800);
  for (uint64_t cursor = 1; cursor <= 9; ++cursor) {
    uint64_t bytes = ahead.reserve();
    EXPECT_EQ(bytes, 100u);
    ahead.keep(run(cursor, "x", bytes));
  }
  EXPECT_FALSE(ahead.take(1, "x", "id"));
  EXPECT_TRUE(ahead.take(2, "x", "id"));
  EXPECT_TRUE(ahead.take(9, "x", "id"));
}

TEST(PageAhead, WhatIsUnderWayIsCounted) {
  PageAhead ahead(800);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(ahead.reserve(), 100u);
  EXPECT_EQ(ahead.reserve(), 0u);
  ahead.release(100);
  EXPECT_EQ(ahead.reserve(), 100u);
  ahead.keep({.cursor = 1, .sort_key = {}, .id_key = {}, .bytes = 100});
  EXPECT_EQ(ahead.reserve(), 100u) << "a run of nothing takes no room";
  EXPECT_EQ(PageAhead(0).reserve(), 0u);
}

TEST(PageAhead, ForgetsACursorWithAllItsRuns) {
  PageAhead ahead(800);
  ahead.keep(run(1, "x", ahead.reserve()));
  ahead.keep(run(1, "y", ahead.reserve()));
  ahead.keep(run(2, "x", ahead.reserve()));
  ahead.forget(1);
  EXPECT_FALSE(ahead.take(1, "x", "id"));
  EXPECT_FALSE(ahead.take(1, "y", "id"));
  EXPECT_TRUE(ahead.take(2, "x", "id"));
  for (int i = 0; i < 7; ++i) EXPECT_EQ(ahead.reserve(), 100u);
}

}  // namespace
}  // namespace holdfast::core
