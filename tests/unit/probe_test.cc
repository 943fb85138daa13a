#include "io/base/probe.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

class Record : public RunRecord {
 public:
  void probe(std::string_view name) override { probes.emplace_back(name); }
  bool mutant(std::string_view) override { return true; }
  bool misbehave(std::string_view name) override { return name == "early-flush"; }
  std::vector<std::string> probes;
};

TEST(Probe, ReportsToTheRunInScopeAndToNobodyElse) {
  Record outer, inner;
  SOMETIMES(true, "nobody-listens");
  {
    RunScope a(&outer);
    SOMETIMES(true, "first");
    SOMETIMES(false, "never");
    {
      RunScope b(&inner);
      SOMETIMES(true, "second");
    }
    SOMETIMES(true, "third");
  }
  EXPECT_EQ(outer.probes, (std::vector<std::string>{"first", "third"}));
  EXPECT_EQ(inner.probes, (std::vector<std::string>{"second"}));
  EXPECT_EQ(current_run, nullptr);
}

TEST(Probe, MisbehavesOnlyWhenTheRunAsks) {
  Record record;
  EXPECT_FALSE(MAY_MISBEHAVE("early-flush"));
  RunScope scope(&record);
  EXPECT_TRUE(MAY_MISBEHAVE("early-flush"));
  EXPECT_FALSE(MAY_MISBEHAVE("short-batch"));
}

TEST(Probe, MutantsExistOnlyInTheirOwnBuild) {
  Record record;
  RunScope scope(&record);
#ifdef HOLDFAST_MUTANTS
  EXPECT_TRUE(MUTANT("any"));
#else
  EXPECT_FALSE(MUTANT("any"));
#endif
}

}  // namespace
}  // namespace holdfast
