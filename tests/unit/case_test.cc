// Case files: what they can say, and what is wrong with those that cannot be read.
#include "chaos/suite/case.h"

#include <gtest/gtest.h>

namespace holdfast::chaos {
namespace {

constexpr const char* kWhole = R"(holdfast-case 1
suite durability-sync
seed 17
mutant ack-before-sync
expect LSN 9 was acknowledged, but the server came back with 8 only
set clients 2
set crash-3/operation 17
operations 0 5,7,9-12
operations 1 -
draw server/disk/power-loss/0/names 0 1
draw server/disk/settle 4.1 100
strike server/disk/sync-error 3,17
)";

std::string error_of(std::string_view text) {
  Result<Case> c = parse_case(text);
  return c ? "no error" : c.error().message;
}

/// The error of a case in which only this line is wrong; it is line 4.
std::string error_in(const std::string& line) { return error_of("holdfast-case 1\nsuite s\nseed 1\n" + line + "\n"); }

TEST(Case, SaysWhatItReads) {
  Result<Case> c = parse_case(kWhole);
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->suite, "durability-sync");
  EXPECT_EQ(c->seed, 17u);
  EXPECT_EQ(c->mutants, std::vector<std::string>{"ack-before-sync"});
  EXPECT_EQ(c->expect, "LSN 9 was acknowledged, but the server came back with 8 only");
  EXPECT_EQ(c->overrides.settings.at("crash-3/operation"), 17u);
  EXPECT_EQ(c->overrides.operations.at(0), (std::set<uint64_t>{5, 7, 9, 10, 11, 12}));
  EXPECT_TRUE(c->overrides.operations.at(1).empty());
  EXPECT_EQ(*c->overrides.orders.at("server/disk/sync-error").strikes, (std::set<sim::DrawIndex>{{3, 0}, {17, 0}}));
  EXPECT_EQ(c->overrides.orders.at("server/disk/settle").values.at({4, 1}), 100u);
  EXPECT_EQ(to_text(*c), kWhole);
}

TEST(Case, SkipsCommentsAndBlankLines) {
  Result<Case> c = parse_case("# why\n\nholdfast-case 1\n  # here too\nsuite s\r\n\nseed 1");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->suite, "s");
}

TEST(Case, TellsWhichLineIsWrongAndWhy) {
  EXPECT_EQ(error_of(""), "a case begins with 'holdfast-case 1'");
  EXPECT_EQ(error_of("suite s\n"), "line 1: a case begins with 'holdfast-case 1'");
  EXPECT_EQ(error_of("holdfast-case 2\n"), "line 1: this is 'holdfast-case 2', and only 'holdfast-case 1' is understood");
  EXPECT_EQ(error_of("holdfast-case 1\nseed 1\n"), "the case names no suite");
  EXPECT_EQ(error_of("holdfast-case 1\nsuite s\n"), "the case names no seed");
  EXPECT_EQ(error_in("sett clients 1"), "line 4: 'sett' is nothing that a case can say");
  EXPECT_EQ(error_in("set clients"), "line 4: '' is no value for 'clients'");
  EXPECT_EQ(error_in("set clients two"), "line 4: 'two' is no value for 'clients'");
  EXPECT_EQ(error_in("set clients 1\nset clients 2"), "line 5: 'clients' is said twice");
  EXPECT_EQ(error_in("seed -1"), "line 4: '-1' is no seed");
  EXPECT_EQ(error_in("mutant"), "line 4: 'mutant' says nothing");
  EXPECT_EQ(error_in("operations -1 3"), "line 4: '-1' is no number of a client");
  EXPECT_EQ(error_in("operations 0 9-3"), "line 4: '9-3' is no list like 3,5-9");
  EXPECT_EQ(error_in("operations 0 0-99999999999"), "line 4: '0-99999999999' is no list like 3,5-9");
  EXPECT_EQ(error_in("strike a/b 1,"), "line 4: '1,' is no list like 3,5-9");
  EXPECT_EQ(error_in("strike a/b 4294967296"), "line 4: no stream has a draw 4294967296");
  EXPECT_EQ(error_in("draw a/b x 1"), "line 4: 'x' is no index like 3 or 3.1");
  EXPECT_EQ(error_in("draw a/b 1.2"), "line 4: '' is no value of a draw");
}

TEST(Case, KindsOfViolationsLeaveNumbersAndNamesOut) {
  EXPECT_EQ(kind_of("LSN 9 was acknowledged, but the server came back with 8 only"),
            kind_of("LSN 107 was acknowledged, but the server came back with 12 only"));
  EXPECT_EQ(kind_of("read of docs/k3 (value 0) was answered absent at LSN 7, but the document was value 23 counter 0 or value 4 counter 0"),
            kind_of("update of docs/k11 (value 60101) was answered not done at LSN 12, but the document was value 2 counter 1"));
  EXPECT_NE(kind_of("LSN 9 was acknowledged, but the server came back with 8 only"),
            kind_of("LSN 9 was reported durable, but the server came back with 8 only"));
  EXPECT_EQ(kind_of("killed by signal 6\nsomething"), kind_of("killed by signal 6\nelse"));
}

TEST(Case, WhatTheServerSaysIsNotTheJudgesSentence) {
  EXPECT_EQ(without_quote("the server refused its own directory: 3.1 error refused: corrupt: /data is damaged. Restore it"),
            "the server refused its own directory: 3.1 error refused: corrupt:");
  EXPECT_EQ(without_quote("a calm server: it did not stop"), "a calm server: it did not stop");
  EXPECT_EQ(without_quote(""), "");
}

}  // namespace
}  // namespace holdfast::chaos
