// The catalog as pure state: names, ids that are never reused, changes that contradict it.
#include "core/catalog.h"

#include <gtest/gtest.h>

namespace holdfast::core {
namespace {

using Kind = CatalogChange::Kind;

CatalogChange database(uint32_t id, std::string name) { return {Kind::kCreateDatabase, DatabaseId(id), {}, std::move(name)}; }
CatalogChange collection(uint32_t database, uint32_t id, std::string name) {
  return {Kind::kCreateCollection, DatabaseId(database), CollectionId(id), std::move(name)};
}
CatalogChange drop(uint32_t database, uint32_t id) { return {Kind::kDropCollection, DatabaseId(database), CollectionId(id), {}}; }

TEST(Catalog, ResolvesWhatWasCreatedAndForgetsWhatWasDropped) {
  Catalog c;
  ASSERT_TRUE(c.apply(database(1, "shop")));
  ASSERT_TRUE(c.apply(collection(1, 1, "orders")));
  EXPECT_EQ(c.collection("shop", "orders"), (CollectionRef{DatabaseId(1), CollectionId(1)}));
  EXPECT_FALSE(c.collection("shop", "items"));
  EXPECT_FALSE(c.collection("stop", "orders"));
  ASSERT_TRUE(c.apply(drop(1, 1)));
  EXPECT_FALSE(c.collection("shop", "orders"));
  EXPECT_FALSE(c.has(CollectionId(1)));
  EXPECT_TRUE(c.database("shop"));
}

TEST(Catalog, NeverReusesAnId) {
  Catalog c;
  ASSERT_TRUE(c.apply(database(1, "shop")));
  ASSERT_TRUE(c.apply(collection(1, 1, "orders")));
  ASSERT_TRUE(c.apply(drop(1, 1)));
  EXPECT_FALSE(c.apply(collection(1, 1, "orders")));
  ASSERT_TRUE(c.apply(collection(1, c.next_collection().value, "orders")));
  EXPECT_EQ(c.collection("shop", "orders")->collection, CollectionId(2));
}

TEST(Catalog, RefusesChangesThatContradictIt) {
  Catalog c;
  ASSERT_TRUE(c.apply(database(1, "shop")));
  ASSERT_TRUE(c.apply(collection(1, 1, "orders")));
  for (const CatalogChange& change : {database(2, "shop"), database(1, "other"), collection(1, 2, "orders"), collection(9, 2, "x"), drop(1, 5)}) {
    Result<> done = c.apply(change);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kCorrupt);
  }
}

TEST(Catalog, SurvivesItsManifest) {
  Catalog c;
  ASSERT_TRUE(c.apply(database(1, "b")));
  ASSERT_TRUE(c.apply(database(2, "a")));
  ASSERT_TRUE(c.apply(collection(2, 1, "x")));
  ASSERT_TRUE(c.apply(collection(1, 2, "y")));
  ASSERT_TRUE(c.apply(drop(2, 1)));
  Manifest m;
  m.databases = c.databases();
  m.collections = c.collections();
  m.next_database = c.next_database();
  m.next_collection = c.next_collection();
  Catalog again(m);
  EXPECT_EQ(again.database_names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(again.collection("b", "y")->collection, CollectionId(2));
  EXPECT_FALSE(again.collection("a", "x"));
  EXPECT_EQ(again.next_collection(), CollectionId(3));
}

TEST(CatalogChange, RoundTripsAndRefusesEveryOtherLength) {
  for (const CatalogChange& change : {database(1, "shop"), collection(1, 77, "orders"), drop(3, 9)}) {
    Buffer bytes = encode(change);
    EXPECT_EQ(decode_catalog_change(bytes).value(), change);
    for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_catalog_change(Bytes(bytes).substr(0, n)));
    EXPECT_FALSE(decode_catalog_change(bytes + "x"));
  }
}

}  // namespace
}  // namespace holdfast::core
