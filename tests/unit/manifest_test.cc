// The bytes of MANIFEST and HOLDFAST. What happens to the files is in tests/sim/directory_test.cc.
#include "core/manifest.h"

#include <gtest/gtest.h>

#include "core/sealed.h"
#include "core/settings_format.h"

namespace holdfast::core {
namespace {

Manifest sample() {
  Manifest m;
  m.number = 12;
  m.position = {Lsn(900), {1, 2}, SegmentSeq(4), 8192};
  m.next_database = DatabaseId(4);
  m.next_collection = CollectionId(9);
  m.databases = {{DatabaseId(1), "default"}, {DatabaseId(3), "other"}};
  m.collections = {{CollectionId(2), DatabaseId(1), "things", 17}, {CollectionId(8), DatabaseId(3), "ünïcode", 0}};
  m.shards = {{DatabaseId(1), ShardId(0), Generation(1), 8192, Ordinal(3), Lsn(900), 77},
              {DatabaseId(1), ShardId(255), Generation(2), 4096, Ordinal(0), Lsn(800), 0},
              {DatabaseId(3), ShardId(7), Generation(1), 1 << 20, Ordinal(1000), Lsn(899), 5}};
  m.quarantined = {{{DatabaseId(1), CollectionId(2), ShardId(3), 18}, Lsn(7)}, {{DatabaseId(3), CollectionId(8), ShardId(0), 4}, Lsn(850)}};
  m.indexes = {{CollectionId(2), {{{"a.b", IndexField::Type::kString}}}}, {CollectionId(2), {{{"a.b", {}}, {"c", IndexField::Type::kTime}}}}};
  m.sessions = {{.id = 3, .used_ns = -5, .floor = 7, .outcomes = {{8, {Lsn(890), true, 77, "result"}}, {11, {Lsn(899), false, 0, {}}}, {12, {Lsn(899), false, 78, {}}}}},
                {.id = UINT64_MAX, .used_ns = 12, .damaged = true, .outcomes = {}}};
  return m;
}

TEST(Manifest, OfTheVersionBeforeSessionsIsRead) {
  Manifest m = sample();
  m.indexes.clear();
  m.sessions.clear();
  Buffer bytes = encode_manifest(m, 5, 6);
  bytes.resize(bytes.size() - 8);  // the numbers of indexes and sessions
  store_le(bytes.data() + kSealBytes, uint64_t{bytes.size()});
  seal(bytes, load_le<uint64_t>(bytes.data()), 2);
  auto back = decode_manifest(bytes, 5, 6);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, m);
}

TEST(Manifest, ComesBackAsItWasWritten) {
  for (const Manifest& m : {Manifest(), sample()}) {
    auto back = decode_manifest(encode_manifest(m, 5, 6), 5, 6);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, m);
  }
}

TEST(Manifest, OfAnotherClusterOrServerIsRefused) {
  Buffer bytes = encode_manifest(sample(), 5, 6);
  EXPECT_EQ(decode_manifest(bytes, 4, 6).error().code, Code::kCorrupt);
  EXPECT_EQ(decode_manifest(bytes, 5, 7).error().code, Code::kCorrupt);
}

TEST(Manifest, AnyFlippedBitAndAnyCutIsNoticed) {
  const Buffer good = encode_manifest(sample(), 5, 6);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Buffer bad = good;
    bad[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(decode_manifest(bad, 5, 6)) << bit;
  }
  for (size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(decode_manifest(Bytes(good).substr(0, n), 5, 6)) << n;
  EXPECT_FALSE(decode_manifest(good + '\0', 5, 6));
}

TEST(Manifest, OfANewerFormatIsUnsupportedNotCorrupt) {
  Buffer bytes = encode_manifest(sample(), 5, 6);
  seal(bytes, load_le<uint64_t>(bytes.data()), 4);
  EXPECT_EQ(decode_manifest(bytes, 5, 6).error().code, Code::kUnsupported);
}

TEST(Manifest, ContradictionsAreRefusedEvenUnderAGoodChecksum) {
  auto refused = [](auto change) {
    Manifest m = sample();
    change(m);
    return !decode_manifest(encode_manifest(m, 5, 6), 5, 6);
  };
  EXPECT_FALSE(refused([](Manifest&) {}));
  EXPECT_TRUE(refused([](Manifest& m) { std::swap(m.databases[0], m.databases[1]); }));
  EXPECT_TRUE(refused([](Manifest& m) { m.next_database = DatabaseId(3); }));
  EXPECT_TRUE(refused([](Manifest& m) { m.next_collection = CollectionId(8); }));
  EXPECT_TRUE(refused([](Manifest& m) { m.collections[0].database = DatabaseId(2); }));
  EXPECT_TRUE(refused([](Manifest& m) { m.collections[0].name.clear(); }));
  EXPECT_TRUE(refused([](Manifest& m) { std::swap(m.shards[0], m.shards[1]); }));
  EXPECT_TRUE(refused([](Manifest& m) { m.shards[0].db_length = 5000; }));
  EXPECT_TRUE(refused([](Manifest& m) { m.shards[0].db_length = 0; }));
  EXPECT_TRUE(refused([](Manifest& m) { std::swap(m.quarantined[0], m.quarantined[1]); }));
  EXPECT_TRUE(refused([](Manifest& m) { m.quarantined[0].touched.database = DatabaseId(2); }));
  EXPECT_TRUE(refused([](Manifest& m) { std::swap(m.indexes[0], m.indexes[1]); }));
  EXPECT_TRUE(refused([](Manifest& m) { m.indexes[0].collection = CollectionId(1); }));
  EXPECT_TRUE(refused([](Manifest& m) { m.indexes[1].spec.fields[1].path = "a.b"; }));
  EXPECT_TRUE(refused([](Manifest& m) { m.indexes[0].spec.fields.clear(); }));
  EXPECT_TRUE(refused([](Manifest& m) { std::swap(m.sessions[0], m.sessions[1]); }));
  EXPECT_TRUE(refused([](Manifest& m) { m.sessions[0].floor = 8; }));
  EXPECT_TRUE(refused([](Manifest& m) { m.sessions[0].outcomes[8].result.resize(kMaxOutcomeBytes + 1); }));
}

SettingsSlot slot(uint64_t serial) {
  SettingsSlot s{.serial = serial};
  s.settings = {1, 2, 64, SyncMode::kAsync, {3, 4}, true};
  s.settings.server_id = serial * 100;
  return s;
}

TEST(Settings, TheValidSlotWithTheLargerNumberCounts) {
  Buffer a = encode_settings_slot(slot(7)), b = encode_settings_slot(slot(8)), zero(kBlockBytes, '\0');
  EXPECT_EQ(decode_settings(a + b)->slot, slot(8));
  EXPECT_EQ(decode_settings(b + a)->slot, slot(8));
  EXPECT_EQ(decode_settings(b + a)->index, 0);
  EXPECT_EQ(decode_settings(a + zero)->slot, slot(7));
  EXPECT_EQ(decode_settings(zero + a)->index, 1);
  EXPECT_EQ(decode_settings(a)->slot, slot(7)) << "a file that is cut";
  EXPECT_EQ(decode_settings(zero + zero).error().code, Code::kCorrupt);
  EXPECT_EQ(decode_settings({}).error().code, Code::kCorrupt);
}

TEST(Settings, OneFlippedBitAnywhereLeavesTheOtherSlot) {
  const Buffer good = encode_settings_slot(slot(7)) + encode_settings_slot(slot(8));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Buffer bad = good;
    bad[bit / 8] ^= static_cast<char>(1 << bit % 8);
    auto found = decode_settings(bad);
    ASSERT_TRUE(found) << bit;
    EXPECT_EQ(found->slot, bit < kBlockBytes * 8 ? slot(8) : slot(7)) << bit;
  }
}

TEST(Settings, OfAnOlderFormatAreRefusedByName) {
  Buffer a = encode_settings_slot(slot(7)), b = encode_settings_slot(slot(8));
  seal(a, load_le<uint64_t>(a.data()), 1);
  seal(b, load_le<uint64_t>(b.data()), 1);
  auto refused = decode_settings(a + b);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_TRUE(refused.error().message.contains("format version 1")) << refused.error().message;
}

TEST(Settings, OfANewerFormatAreUnsupported) {
  Buffer a = encode_settings_slot(slot(7)), b = encode_settings_slot(slot(8));
  seal(b, load_le<uint64_t>(b.data()), 3);
  EXPECT_EQ(decode_settings(a + b).error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace holdfast::core
