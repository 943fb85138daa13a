#include "io/base/error.h"

#include <gtest/gtest.h>

#include <set>

namespace holdfast {
namespace {

constexpr auto kLast = static_cast<int>(Code::kLocked);

TEST(ErrorTable, NamesEachCodeOnceAndFindsItAgain) {
  std::set<std::string_view> names;
  for (int i = 0; i <= kLast; ++i) {
    auto code = static_cast<Code>(i);
    const CodeInfo& c = info(code);
    EXPECT_EQ(c.code, code);
    EXPECT_TRUE(names.insert(c.name).second) << c.name;
    EXPECT_EQ(code_of(c.name), code) << c.name;
    EXPECT_TRUE(c.meaning.ends_with('.')) << c.name;
    for (char x : c.name) EXPECT_TRUE((x >= 'a' && x <= 'z') || x == '_') << c.name;
  }
}

TEST(ErrorTable, HasTheNamesThatClientsKnow) {
  for (auto name : {"bad_request", "too_large", "not_found", "duplicate_key", "conflict", "tx_unknown",
                    "cursor_expired", "snapshot_too_old", "unsupported", "auth", "read_only", "disk_full", "corrupt",
                    "overloaded", "timeout", "not_primary", "unknown_outcome", "shutting_down", "internal"}) {
    Code code = code_of(name);
    EXPECT_EQ(info(code).name, name);
    EXPECT_LE(code, Code::kInternal) << "codes up to kInternal travel on the wire";
  }
  EXPECT_EQ(code_of("no_such_code"), Code::kInternal);
}

TEST(ErrorTable, NeverAdvisesToResendWhatMayHaveHappened) {
  for (Code code : {Code::kTimeout, Code::kUnknownOutcome, Code::kInternal, Code::kClosed})
    EXPECT_EQ(info(code).retry, Retry::kAfterAsking) << info(code).name;
}

TEST(Error, ShowsItsCodeBeforeItsSentence) {
  Result<int> r = fail(Code::kDuplicateKey, "E11000 duplicate key.");
  EXPECT_EQ(r.error().text(), "duplicate_key: E11000 duplicate key.");
}

Result<int> half(int n) { return n % 2 ? Result<int>(fail(Code::kBadRequest, "odd")) : Result<int>(n / 2); }
Result<int> quarter(int n) {
  HF_TRY(h, half(n));
  return half(h);
}
Result<> is_even(int n) {
  HF_CHECK_OK(half(n));
  return {};
}

TEST(Error, IsPassedOnByTheMacros) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(7).error().message, "odd");
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_TRUE(is_even(2));
  EXPECT_EQ(is_even(3).error().code, Code::kBadRequest);
}

}  // namespace
}  // namespace holdfast
