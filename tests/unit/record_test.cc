// Records: every byte counts, and every place.
#include "core/record.h"

#include <gtest/gtest.h>

namespace holdfast::core {
namespace {

const ShardIdentity kHere{77, DatabaseId(3), ShardId(9), Generation(2)};

RecordHeader header() {
  RecordHeader h;
  h.lsn = Lsn(1234567890123);
  h.ordinal = Ordinal(40);
  h.predecessor = Ordinal(17);
  h.collection = CollectionId(5);
  return h;
}

TEST(Record, ComesBackAsItWasWritten) {
  for (size_t body : {0, 1, 7, 8, 300, 70000}) {
    Buffer bytes = encode_record(kHere.seed(), header(), "key", Buffer(body, 'b'));
    EXPECT_EQ(bytes.size() % kRecordUnit, 0u);
    auto r = parse_record(kHere.seed(), bytes);
    ASSERT_TRUE(r) << r.error().what;
    EXPECT_EQ(r->header.lsn, header().lsn);
    EXPECT_EQ(r->header.ordinal, header().ordinal);
    EXPECT_EQ(r->header.predecessor, header().predecessor);
    EXPECT_EQ(r->header.collection, header().collection);
    EXPECT_FALSE(r->header.tombstone);
    EXPECT_EQ(r->header.size(), bytes.size());
    EXPECT_EQ(r->key, "key");
    EXPECT_EQ(r->body, Buffer(body, 'b'));
    RecordView own = view_record(bytes);
    EXPECT_EQ(own.key, r->key);
    EXPECT_EQ(own.body, r->body);
    EXPECT_EQ(own.header.crc, r->header.crc);
  }
}

TEST(Record, OfADeletionHasNoBody) {
  RecordHeader h = header();
  h.tombstone = true;
  h.predecessor = kNoOrdinal;
  Buffer bytes = encode_record(kHere.seed(), h, "key", {});
  auto r = parse_record(kHere.seed(), bytes);
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->header.tombstone);
  EXPECT_EQ(r->header.predecessor, kNoOrdinal);
  EXPECT_TRUE(r->body.empty());
}

TEST(Record, FollowedByOthersIsReadAlone) {
  Buffer bytes = encode_record(kHere.seed(), header(), "key", "body");
  size_t size = bytes.size();
  bytes += encode_record(kHere.seed(), header(), "other", "thing");
  auto r = parse_record(kHere.seed(), bytes);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->header.size(), size);
}

TEST(Record, AnyFlippedBitIsNoticed) {
  const Buffer good = encode_record(kHere.seed(), header(), "some key", "a body of some length");
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Buffer bad = good;
    bad[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(parse_record(kHere.seed(), bad)) << bit;
  }
}

TEST(Record, DamageOfTheBodyLeavesTheIdReadable) {
  Buffer bytes = encode_record(kHere.seed(), header(), "some key", "a body of some length");
  bytes[kRecordHeaderBytes + 8] ^= 1;
  auto head = parse_record_head(kHere.seed(), bytes);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->key, "some key");
  EXPECT_EQ(head->header.lsn, header().lsn);
  EXPECT_FALSE(parse_record(kHere.seed(), bytes));
}

TEST(Record, CutAnywhereIsNoRecord) {
  const Buffer good = encode_record(kHere.seed(), header(), "some key", "a body of some length");
  for (size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(parse_record(kHere.seed(), Bytes(good).substr(0, n))) << n;
}

TEST(Record, OfAnotherFileDoesNotPass) {
  Buffer bytes = encode_record(kHere.seed(), header(), "key", "body");
  ShardIdentity others[] = {kHere, kHere, kHere, kHere};
  others[0].cluster_id = 78;
  others[1].database = DatabaseId(4);
  others[2].shard = ShardId(8);
  others[3].generation = Generation(3);
  for (const ShardIdentity& other : others) EXPECT_FALSE(parse_record(other.seed(), bytes));
}

TEST(Record, BodyOfAnotherPlaceDoesNotPass) {
  // The same key and body at another ordinal: header there, body here would be a mixture of two writes.
  RecordHeader other = header();
  other.ordinal = Ordinal(41);
  Buffer a = encode_record(kHere.seed(), header(), "key", "body"),
         b = encode_record(kHere.seed(), other, "key", "body");
  EXPECT_NE(parse_record(kHere.seed(), a)->header.body_crc, parse_record(kHere.seed(), b)->header.body_crc);
}

TEST(Record, ImpossibleFieldsAreRefusedEvenUnderAGoodChecksum) {
  RecordHeader h = header();
  h.predecessor = Ordinal(40);
  EXPECT_FALSE(parse_record(kHere.seed(), encode_record(kHere.seed(), h, "key", "body"))) << "its own predecessor";
  h = header();
  h.ordinal = Ordinal(kMaxRecords);
  EXPECT_FALSE(parse_record(kHere.seed(), encode_record(kHere.seed(), h, "key", "body")))
      << "an ordinal that cannot be";
}

TEST(ShardFileHeader, NamesItsFileAndNoticesEveryFlippedBit) {
  const Buffer good = encode_shard_file_header(kHere);
  ASSERT_TRUE(check_shard_file_header(good, kHere));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Buffer bad = good;
    bad[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(check_shard_file_header(bad, kHere)) << bit;
  }
  ShardIdentity other = kHere;
  other.shard = ShardId(1);
  Result<> r = check_shard_file_header(good, other);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kCorrupt);
  EXPECT_NE(r.error().message.find("shard 9"), std::string::npos) << r.error().message;
}

TEST(Seal, TellsNewerFromDamaged) {
  Buffer block(64, 'x');
  seal(block, magic("ABCDEFGH"), 2);
  EXPECT_TRUE(check_seal(block, magic("ABCDEFGH"), {.newest = 2}));
  EXPECT_TRUE(check_seal(block, magic("ABCDEFGH"), {.newest = 3}));
  EXPECT_EQ(check_seal(block, magic("ABCDEFGH"), {.newest = 1}).error().code, Code::kUnsupported);
  EXPECT_EQ(check_seal(block, magic("ABCDEFGH"), {.oldest = 3, .newest = 3}).error().code, Code::kUnsupported) << "too old";
  EXPECT_EQ(check_seal(block, magic("ABCDEFGI"), {.newest = 1}).error().code, Code::kCorrupt);
  block[40] ^= 1;
  EXPECT_EQ(check_seal(block, magic("ABCDEFGH"), {.newest = 1}).error().code, Code::kCorrupt);
  EXPECT_EQ(check_seal(Bytes(block).substr(0, 15), magic("ABCDEFGH"), {.newest = 1}).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace holdfast::core
