// Declared indexes: which are allowed, and how documents stand to them.
#include "core/index_spec.h"

#include <gtest/gtest.h>

#include "client/cli/ejson.h"

namespace holdfast::core {
namespace {

using Type = IndexField::Type;

std::string how(const IndexSpec& spec, std::string_view json) {
  auto document = cli::from_json(json);
  EXPECT_TRUE(document) << json;
  IndexFit f = fit(spec, *document);
  switch (f.kind) {
    case IndexFit::Kind::kFits: return "fits";
    case IndexFit::Kind::kMissing: return "lacks " + spec.fields[f.field].path;
    case IndexFit::Kind::kOther: return spec.fields[f.field].path + " is " + std::string(f.actual);
  }
  return "";
}

TEST(IndexSpec, DocumentsFitWhenTheyHaveAValueOfTheType) {
  IndexSpec ages{{{"age", Type::kInteger}}};
  EXPECT_EQ(how(ages, R"({"age":1})"), "fits");
  EXPECT_EQ(how(ages, R"({"age":-1})"), "fits");
  EXPECT_EQ(how(ages, R"({"age":1.5})"), "age is float");
  EXPECT_EQ(how(ages, R"({"age":"1"})"), "age is string");
  EXPECT_EQ(how(ages, R"({"age":null})"), "age is null");
  EXPECT_EQ(how(ages, R"({"age":{"n":1}})"), "age is map");
  EXPECT_EQ(how(ages, R"({"a":1})"), "lacks age");
  EXPECT_EQ(how(ages, R"({"age":["x",2]})"), "fits") << "elements count";
  EXPECT_EQ(how(ages, R"({"age":[]})"), "lacks age");
  IndexSpec any{{{"at.x", Type::kAny}}};
  EXPECT_EQ(how(any, R"({"at":{"x":true}})"), "fits");
  EXPECT_EQ(how(any, R"({"at":[{"y":1},{"x":"s"}]})"), "fits");
  EXPECT_EQ(how(any, R"({"at":{"x":null}})"), "at.x is null");
  IndexSpec both{{{"a", Type::kString}, {"b", Type::kTime}}};
  EXPECT_EQ(how(both, R"({"a":"s","b":{"$date":"2020-01-01T00:00:00Z"}})"), "fits");
  EXPECT_EQ(how(both, R"({"a":"s","b":7})"), "b is integer");
  EXPECT_EQ(how(both, R"({"b":7})"), "lacks a");
}

TEST(IndexSpec, WhatIsNoIndexIsRefused) {
  auto refused = [](IndexSpec spec) { return !check_index(spec); };
  EXPECT_FALSE(refused({{{"a", {}}, {"a.b", {}}}}));
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({{{"", {}}}}));
  EXPECT_TRUE(refused({{{"a", {}}, {"a", Type::kString}}}));
  EXPECT_TRUE(refused({{{std::string(2000, 'a'), {}}}}));
  EXPECT_TRUE(refused({{{"0.1.2.3.4.5.6.7.8.9", {}}}}));
  EXPECT_TRUE(refused({std::vector<IndexField>(17, IndexField{"a", {}})}));
  EXPECT_FALSE(index_type("number"));
  EXPECT_EQ(*index_type("bytes"), Type::kBytes);
}

TEST(IndexSpec, ComesBackFromItsBytes) {
  IndexSpec spec{{{"a.b", Type::kString}, {"c", Type::kAny}}};
  Buffer bytes;
  append_index(bytes, spec);
  ByteReader in(bytes);
  EXPECT_EQ(take_index(in), spec);
  EXPECT_TRUE(in.ok() && in.rest().empty());
  EXPECT_EQ(spec.name(), "a.b,c");
  for (size_t n = 0; n < bytes.size(); ++n) {
    ByteReader cut(Bytes(bytes).substr(0, n));
    take_index(cut);
    EXPECT_FALSE(cut.ok()) << n;
  }
}

}  // namespace
}  // namespace holdfast::core
