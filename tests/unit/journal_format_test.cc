#include <gtest/gtest.h>

#include "core/journal_segment.h"
#include "io/base/crc32c.h"
#include "io/base/random.h"
#include "tests/support/journal_image.h"

namespace holdfast::test {
namespace {

using namespace core;

struct OneGroup {
  OneGroup(int entries, JournalPlace place) : encoder(LogKey(kImageIdentity)) {
    encoder.begin(place);
    header.first = Lsn(10);
    header.term = Term(1);
    header.durable = Lsn(9);
    header.incarnation = 77;
    header.previous = {1, 2};
    header.wall = {12345};
    for (int i = 0; i < entries; ++i) encoder.add(*image_entry(Lsn(10 + static_cast<uint64_t>(i))));
    bytes = encoder.finish(header);
  }
  GroupEncoder encoder;
  GroupHeader header;
  Buffer bytes;
};

const JournalPlace kPlace{SegmentSeq(3), 8192};

TEST(JournalFormat, AGroupComesBackAsItWas) {
  OneGroup g(3, kPlace);
  EXPECT_EQ(g.bytes.size() % kJournalBlock, 0u);
  GroupHeader h;
  ASSERT_EQ(parse_group_header(g.bytes, kPlace, LogKey(kImageIdentity), h), Found::kGood);
  EXPECT_EQ(h, g.header);
  EXPECT_EQ(h.last(), Lsn(12));
  EXPECT_TRUE(group_is_sound(h, g.bytes));
  EntryReader in(Bytes(g.bytes).substr(kGroupHeaderBytes, h.payload_bytes),
                 {kPlace.segment, kPlace.offset + kGroupHeaderBytes}, LogKey(kImageIdentity));
  std::shared_ptr<Entry> e;
  for (uint64_t lsn = 10; lsn <= 12; ++lsn) {
    ASSERT_EQ(in.next(e), EntryReader::State::kWhole);
    auto expected = image_entry(Lsn(lsn));
    EXPECT_EQ(e->lsn, Lsn(lsn));
    EXPECT_EQ(e->touched, expected->touched);
    EXPECT_EQ(e->effects, expected->effects);
  }
  EXPECT_EQ(in.next(e), EntryReader::State::kEnd);
}

TEST(JournalFormat, NoBitOfAGroupCanFlipUnseen) {
  OneGroup g(2, kPlace);
  for (size_t bit = 0; bit < g.bytes.size() * 8; ++bit) {
    Buffer bad = g.bytes;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    GroupHeader h;
    bool accepted =
        parse_group_header(bad, kPlace, LogKey(kImageIdentity), h) == Found::kGood && group_is_sound(h, bad);
    ASSERT_FALSE(accepted) << "bit " << bit;
  }
}

TEST(JournalFormat, NoBitOfAnEntryCanFlipUnseen) {
  OneGroup g(1, kPlace);
  JournalPlace place{kPlace.segment, kPlace.offset + kGroupHeaderBytes};
  Bytes payload = Bytes(g.bytes).substr(kGroupHeaderBytes, g.header.payload_bytes);
  for (size_t bit = 0; bit < payload.size() * 8; ++bit) {
    Buffer bad(payload);
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    std::shared_ptr<Entry> e;
    auto state = EntryReader(bad, place, LogKey(kImageIdentity)).next(e);
    bool in_effects = bit / 8 >= kEntryHeaderBytes + kTouchedBytes;
    ASSERT_EQ(state, in_effects ? EntryReader::State::kDamaged : EntryReader::State::kLost) << "bit " << bit;
    if (in_effects) {
      ASSERT_EQ(e->lsn, Lsn(10));
      ASSERT_EQ(e->touched, image_entry(Lsn(10))->touched);
      ASSERT_TRUE(e->effects.empty());
    }
  }
}

TEST(JournalFormat, AGroupIsGoodOnlyInItsPlaceAndItsLog) {
  OneGroup g(1, kPlace);
  GroupHeader h;
  LogKey key(kImageIdentity);
  EXPECT_EQ(parse_group_header(g.bytes, {SegmentSeq(3), 4096}, key, h), Found::kBad);
  EXPECT_EQ(parse_group_header(g.bytes, {SegmentSeq(4), 8192}, key, h), Found::kBad);
  EXPECT_EQ(parse_group_header(g.bytes, kPlace, LogKey({11, 23}), h), Found::kBad);
  EXPECT_EQ(parse_group_header(g.bytes, kPlace, LogKey({12, 22}), h), Found::kBad);
}

TEST(JournalFormat, AnEntryIsGoodOnlyInItsPlace) {
  OneGroup g(1, kPlace);
  Bytes payload = Bytes(g.bytes).substr(kGroupHeaderBytes, g.header.payload_bytes);
  std::shared_ptr<Entry> e;
  EXPECT_EQ(EntryReader(payload, {SegmentSeq(3), 8192}, LogKey(kImageIdentity)).next(e), EntryReader::State::kLost);
}

TEST(JournalFormat, DamageInOneEntryLeavesTheOthersReadable) {
  OneGroup g(3, kPlace);
  Buffer payload(Bytes(g.bytes).substr(kGroupHeaderBytes, g.header.payload_bytes));
  size_t second = image_entry(Lsn(10))->encoded_size();
  payload[second + kEntryHeaderBytes + kTouchedBytes + 5] ^= 1;
  EntryReader in(payload, {kPlace.segment, kPlace.offset + kGroupHeaderBytes}, LogKey(kImageIdentity));
  std::shared_ptr<Entry> e;
  EXPECT_EQ(in.next(e), EntryReader::State::kWhole);
  EXPECT_EQ(in.next(e), EntryReader::State::kDamaged);
  EXPECT_EQ(e->lsn, Lsn(11));
  EXPECT_EQ(in.next(e), EntryReader::State::kWhole);
  EXPECT_EQ(e->lsn, Lsn(12));
}

TEST(JournalFormat, ASealIsAGroupWithoutEntries) {
  OneGroup g(0, kPlace);
  EXPECT_EQ(g.bytes.size(), kJournalBlock);
  EXPECT_EQ(g.header.last(), Lsn(9));
  GroupHeader h;
  EXPECT_EQ(parse_group_header(g.bytes, kPlace, LogKey(kImageIdentity), h), Found::kGood);
  EXPECT_TRUE(group_is_sound(h, g.bytes));
}

TEST(JournalFormat, ASegmentHeaderIsGoodForItsLogAndNumberAlone) {
  Buffer block = encode_segment_header({kImageIdentity, SegmentSeq(7), 65536});
  ASSERT_EQ(block.size(), kJournalBlock);
  SegmentHeader h;
  EXPECT_EQ(parse_segment_header(block, kImageIdentity, SegmentSeq(7), h), Found::kGood);
  EXPECT_EQ(h.bytes, 65536u);
  EXPECT_EQ(parse_segment_header(block, kImageIdentity, SegmentSeq(8), h), Found::kForeign);
  EXPECT_EQ(parse_segment_header(block, {11, 23}, SegmentSeq(7), h), Found::kForeign);
  for (size_t bit = 0; bit < block.size() * 8; ++bit) {
    Buffer bad = block;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_EQ(parse_segment_header(bad, kImageIdentity, SegmentSeq(7), h), Found::kBad) << "bit " << bit;
  }
}

TEST(JournalFormat, ASegmentHeaderNamesAnEarlierSegmentOrNone) {
  SegmentHeader h;
  for (uint64_t previous : {0, 1, 6}) {
    Buffer block = encode_segment_header({kImageIdentity, SegmentSeq(7), 65536, SegmentSeq(previous)});
    EXPECT_EQ(parse_segment_header(block, kImageIdentity, SegmentSeq(7), h), Found::kGood);
    EXPECT_EQ(h.previous, SegmentSeq(previous));
  }
  for (uint64_t previous : {7, 8}) {
    Buffer block = encode_segment_header({kImageIdentity, SegmentSeq(7), 65536, SegmentSeq(previous)});
    EXPECT_EQ(parse_segment_header(block, kImageIdentity, SegmentSeq(7), h), Found::kBad) << previous;
  }
}

TEST(JournalFormat, ASegmentHeaderOfVersion1IsReadAndNamesNone) {
  Buffer block = encode_segment_header({kImageIdentity, SegmentSeq(7), 65536});
  store_le(block.data() + 12, uint32_t{1});
  store_le(block.data() + 8, crc32c(Bytes(block).substr(12, 52)));
  SegmentHeader h{.previous = SegmentSeq(3)};
  EXPECT_EQ(parse_segment_header(block, kImageIdentity, SegmentSeq(7), h), Found::kGood);
  EXPECT_EQ(h.previous, SegmentSeq(0));
  store_le(block.data() + 48, uint64_t{1});
  store_le(block.data() + 8, crc32c(Bytes(block).substr(12, 52)));
  EXPECT_EQ(parse_segment_header(block, kImageIdentity, SegmentSeq(7), h), Found::kBad) << "zero in version 1";
}

TEST(JournalFormat, SegmentNamesSortAsNumbersAndNothingElseIsOne) {
  EXPECT_EQ(segment_name(SegmentSeq(0x1a2)), "00000000000001a2");
  EXPECT_EQ(parse_segment_name("00000000000001a2"), SegmentSeq(0x1a2));
  for (std::string_view no : {"00000000000001A2", "0000000000000000", "1a2", "00000000000001a2.new",
                              "torn-00000000000001a2", "000000000000 1a2", "+000000000000001", "00000000000000g1"})
    EXPECT_FALSE(parse_segment_name(no)) << no;
}

TEST(JournalFormat, ASegmentWithGroupsIsReadWhole) {
  JournalImage image("1: [1-3] [4-5 d3]");
  ScannedSegment s = image.scan().front();
  EXPECT_EQ(s.header, Found::kGood);
  EXPECT_EQ(s.bytes, kImageSegmentBytes);
  EXPECT_EQ(s.expected_bytes, kImageSegmentBytes);
  ASSERT_EQ(s.groups.size(), 2u);
  EXPECT_EQ(s.groups[1].header.durable, Lsn(3));
  EXPECT_GT(s.used_end, 2 * kJournalBlock);
  EXPECT_LE(s.used_end, 3 * kJournalBlock);
}

TEST(JournalFormat, ScanningAnythingEndsAndAcceptsOnlyWhatIsThere) {
  Rng rng(1, "scan");
  JournalImage image("1: [1-3] [4-5 d3] [6-9 d5 wide] [seal d9]");
  const Buffer& file = image.files()[SegmentSeq(1)];
  for (int round = 0; round < 2000; ++round) {
    Buffer bad = file;
    for (uint64_t n = rng.between(1, 4); n > 0; --n) {
      uint64_t at = rng.below(bad.size());
      uint64_t length = std::min(rng.between(1, 3000), bad.size() - at);
      switch (rng.below(3)) {
        case 0: bad.replace(at, length, length, static_cast<char>(rng.next())); break;
        case 1: bad.replace(at, length, bad.substr(rng.below(bad.size() - length + 1), length)); break;
        default: bad.resize(at); bad.resize(at + length); break;
      }
    }
    for (const ScannedGroup& g : scan_segment(bad, SegmentSeq(1), kJournalBlock, kImageIdentity).groups) {
      if (!g.sound) continue;
      uint64_t at = g.header.place.offset;
      ASSERT_EQ(bad.substr(at, g.header.extent()), file.substr(at, g.header.extent())) << "round " << round;
    }
  }
}

TEST(Group, OfTheVersionBeforeSessionsIsRead) {
  LogKey key({1, 2});
  GroupEncoder encoder(key);
  GroupHeader header;
  header.first = Lsn(5);
  encoder.begin({SegmentSeq(3), 4096});
  Buffer bytes(encoder.finish(header));
  GroupHeader back;
  for (uint16_t version : {2, 3, 4, 1}) {
    store_le(bytes.data() + 12, version);
    store_le(bytes.data() + 8, crc32c(Bytes(bytes).substr(12, kGroupHeaderBytes - 12), key.seed()));
    Found want = version == 4 ? Found::kNewer : version == 1 ? Found::kBad : Found::kGood;
    EXPECT_EQ(parse_group_header(bytes, {SegmentSeq(3), 4096}, key, back), want) << version;
  }
}

TEST(Entry, EffectsComeBackInOrder) {
  Entry e;
  std::string big(70'000, 'x');
  e.add({EffectKind::kPut, DatabaseId(1), ShardId(2), CollectionId(3), "key", big});
  e.add({EffectKind::kDelete, DatabaseId(4), ShardId(5), CollectionId(6), "other", {}});
  e.add({EffectKind::kCatalog, DatabaseId(7), ShardId(0), CollectionId(8), {}, "change"});
  EffectReader in(e.effects);
  auto put = in.next();
  ASSERT_TRUE(put);
  EXPECT_EQ(put->kind, EffectKind::kPut);
  EXPECT_EQ(put->shard, ShardId(2));
  EXPECT_EQ(put->key, "key");
  EXPECT_EQ(put->body, big);
  auto gone = in.next();
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->kind, EffectKind::kDelete);
  EXPECT_EQ(gone->database, DatabaseId(4));
  EXPECT_EQ(gone->collection, CollectionId(6));
  auto catalog = in.next();
  ASSERT_TRUE(catalog);
  EXPECT_EQ(catalog->body, "change");
  EXPECT_FALSE(in.next());
  EXPECT_TRUE(in.ok());
  ASSERT_EQ(e.touched.size(), 3u);
  EXPECT_EQ(e.touched[1], (Touched{DatabaseId(4), CollectionId(6), ShardId(5), id_hash(CollectionId(6), "other")}));
  EXPECT_EQ(e.touched[2], (Touched{DatabaseId(7), CollectionId(8), ShardId(0), 0}));
}

TEST(Entry, MalformedEffectsAreNotOk) {
  Entry e;
  e.add({EffectKind::kPut, DatabaseId(1), ShardId(2), CollectionId(3), "key", "body"});
  for (size_t n = 1; n < e.effects.size(); ++n) {
    EffectReader in(Bytes(e.effects).substr(0, n));
    EXPECT_FALSE(in.next());
    EXPECT_FALSE(in.ok()) << n;
  }
  for (char kind : {'\0', '\5', '\xff'}) {
    Buffer bad = e.effects;
    bad[0] = kind;
    EffectReader in(bad);
    EXPECT_FALSE(in.next());
    EXPECT_FALSE(in.ok());
  }
}

TEST(Entry, TheSameKeyInTwoCollectionsHashesDifferently) {
  EXPECT_NE(id_hash(CollectionId(1), "k"), id_hash(CollectionId(2), "k"));
}

}  // namespace
}  // namespace holdfast::test
