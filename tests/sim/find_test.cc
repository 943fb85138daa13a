// Finds of much: in order, and within their bounds.
#include <fmt/format.h>

#include "tests/sim/engine_fixture.h"

namespace holdfast::test {
namespace {

using FindTest = EngineTest;

Find find_sorted(std::string_view sort, std::string_view projection = "{}", uint64_t limit = 0) {
  return {.query = *Query::compile(pack("{}")), .sort = *Sort::compile(pack(sort)), .projection = *Projection::compile(pack(projection)), .skip = 0, .limit = limit};
}

/// Documents numbered in an order that is not theirs.
io::Task<void> insert_scattered(EngineTest& t, int count, int step) {
  std::vector<Buffer> owned;
  for (int i = 0; i < count; ++i) owned.push_back(pack(fmt::format(R"({{"_id":{0},"n":{1}}})", i * step % count, -(i * step % count))));
  std::vector<Bytes> documents(owned.begin(), owned.end());
  auto done = co_await t.engine->insert_many(kName, documents, Repeat::kNever);
  EXPECT_TRUE(done.result) << done.result.error().text();
}

TEST_F(FindTest, SortsMoreThanOneTurnTakes) {
  run([](EngineTest& t) -> io::Task<void> {
    constexpr int kCount = 5000;
    co_await insert_scattered(t, kCount, 7);
    Find find = find_sorted(R"({"n":1})");
    auto found = co_await t.engine->find(kName, find, {.answer = 64 << 20});
    EXPECT_TRUE(found.result) << found.result.error().text();
    EXPECT_EQ(found.result->size(), size_t{kCount});
    for (int i = 0; i < kCount; ++i) EXPECT_EQ(text((*found.result)[static_cast<size_t>(i)]), fmt::format(R"({{"_id":{0},"n":{1}}})", kCount - 1 - i, i - kCount + 1));
  });
}

TEST_F(FindTest, CountsWhatManySmallDocumentsTakeBesideTheirBytes) {
  run([](EngineTest& t) -> io::Task<void> {
    co_await insert_scattered(t, 1000, 7);
    for (const char* sort : {"{}", R"({"n":1})"}) {
      auto found = co_await t.engine->find(kName, find_sorted(sort, R"({"_id":0,"none":1})"), {.answer = 64 << 20, .memory = 100'000});
      EXPECT_FALSE(found.result) << "of a thousand empty documents";
      EXPECT_EQ(found.result.error().code, Code::kTooLarge);
      EXPECT_TRUE(found.result.error().message.contains("page by page")) << found.result.error().message;
      auto few = co_await t.engine->find(kName, find_sorted(sort, R"({"_id":0,"none":1})", 100), {.answer = 64 << 20, .memory = 100'000});
      EXPECT_TRUE(few.result) << few.result.error().text();
      EXPECT_EQ(few.result->size(), 100u);
    }
  });
}

}  // namespace
}  // namespace holdfast::test
