// The engine on three cores: declared indexes, over restarts and with checkpoints and without.
#include <fmt/core.h>

#include "tests/sim/engine_fixture.h"

namespace holdfast::test {
namespace {

using DeclaredIndexTest = EngineTest;

io::Task<std::string> listed(EngineTest& t) {
  auto all = co_await t.engine->list_indexes(kName);
  std::string out;
  for (const IndexSpec& s : *all.result) out += s.name() + ";";
  co_return out;
}

io::Task<std::string> declare(EngineTest& t, IndexSpec spec) {
  auto made = co_await t.engine->create_index(kName, spec);
  if (!made.result) co_return made.result.error().text();
  co_return fmt::format("{} of {}, {} told", made.result->fitting, made.result->fitting + made.result->others, made.result->issues.size());
}

void remember(EngineOptions& options, uint64_t checkpoint_bytes, DeclaredIndexTest& test) {
  options.checkpoint_bytes = checkpoint_bytes;
  auto declares = [](EngineTest& t) -> io::Task<void> {
    for (int i = 0; i < 250; ++i) co_await t.insert(fmt::format(R"({{"_id":{},"n":{}}})", i, i % 2 == 0 ? "1" : "\"x\""));
    EXPECT_EQ(co_await declare(t, {{{"n", IndexField::Type::kInteger}}}), "125 of 250, 100 told");
    EXPECT_EQ(co_await declare(t, {{{"n", IndexField::Type::kInteger}}}), "125 of 250, 100 told") << "once more is no error";
    EXPECT_TRUE((co_await declare(t, {{{"n", IndexField::Type::kString}}})).starts_with("bad_request"));
    EXPECT_EQ(co_await declare(t, {{{"n", {}}, {"m", {}}}}), "0 of 250, 0 told");
    EXPECT_EQ(co_await declare(t, {{{"gone", {}}}}), "0 of 250, 0 told");
    EXPECT_TRUE((co_await t.engine->drop_index(kName, "gone")).result);
    EXPECT_FALSE((co_await t.engine->drop_index(kName, "gone")).result);
    EXPECT_EQ(co_await listed(t), "n;n,m;");
  };
  auto finds_them = [](EngineTest& t) -> io::Task<void> {
    EXPECT_EQ(co_await listed(t), "n;n,m;");
    auto census = co_await t.engine->index_census(kName, "n");
    EXPECT_EQ(census.result->fitting, 125u);
    co_await t.engine->drop_collection(kName);
    EXPECT_EQ(co_await listed(t), "");
    co_await t.insert(R"({"_id":1})");
    EXPECT_EQ(co_await listed(t), "") << "another collection of that name";
    for (int i = 0; i < 64; ++i) EXPECT_EQ(co_await declare(t, {{{fmt::format("f{}", i), {}}}}), "0 of 1, 0 told");
    EXPECT_TRUE((co_await declare(t, {{{"one more", {}}}})).starts_with("too_large"));
  };
  test.run_lives({declares, finds_them});
}

TEST_F(DeclaredIndexTest, AreRememberedByTheLog) { remember(options, uint64_t{1} << 30, *this); }
TEST_F(DeclaredIndexTest, AreRememberedByCheckpoints) { remember(options, 1, *this); }

}  // namespace
}  // namespace holdfast::test
