// The primary index, live sets and index files against plain models.
#include "core/primary_index.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/index_file.h"
#include "core/live_sets.h"
#include "io/base/random.h"

namespace holdfast::core {
namespace {

using Entries = std::vector<IndexEntry>;

Entries to_vector(std::span<const IndexEntry> s) { return {s.begin(), s.end()}; }

TEST(IndexEntry, KeepsOrdinalAndKind) {
  EXPECT_TRUE(IndexEntry::none().is_none());
  EXPECT_FALSE(IndexEntry::none().is_document());
  EXPECT_FALSE(IndexEntry::none().tombstone());
  EXPECT_EQ(IndexEntry::none().ordinal(), kNoOrdinal);
  IndexEntry document(Ordinal(kMaxRecords - 1), false), tombstone(Ordinal(kMaxRecords - 1), true);
  EXPECT_TRUE(document.is_document());
  EXPECT_TRUE(tombstone.tombstone());
  EXPECT_FALSE(tombstone.is_document());
  EXPECT_FALSE(tombstone.is_none());
  EXPECT_EQ(tombstone.ordinal(), document.ordinal());
}

TEST(IndexRun, FindsEveryHashHoweverTheyAreSpread) {
  Rng rng(1, "spread");
  for (int kind = 0; kind < 5; ++kind) {
    for (size_t n : {0, 1, 2, 33, 100, 5000}) {
      std::multiset<uint64_t> hashes;
      while (hashes.size() < n) {
        uint64_t h = rng.next();
        switch (kind) {
          case 1:
            h &= 15;
            break;  // many equal
          case 2:
            h = hashes.size();
            break;  // dense
          case 3:
            h >>= h % 64;
            break;  // crowded at the low end
          case 4:
            h = rng.chance(1, 2) ? h & 1023 : ~uint64_t{0} - (h & 1023);  // two clumps far apart
          default:
            break;
        }
        hashes.insert(h);
      }
      IndexRun run;
      for (uint64_t h : hashes) {
        run.hashes.push_back(h);
        run.entries.push_back(IndexEntry(Ordinal(static_cast<uint32_t>(run.entries.size())), false));
      }
      auto expect = [&](uint64_t h) {
        auto [from, to] = std::equal_range(run.hashes.begin(), run.hashes.end(), h);
        auto found = run.find(h);
        ASSERT_EQ(found.size(), static_cast<size_t>(to - from)) << kind << " " << n << " " << h;
        if (!found.empty()) ASSERT_EQ(found[0].ordinal().value, static_cast<uint32_t>(from - run.hashes.begin()));
      };
      for (uint64_t h : hashes)
        for (uint64_t near : {h - 1, h, h + 1}) expect(near);
      for (uint64_t h : {uint64_t{0}, ~uint64_t{0}, uint64_t{1} << 63}) expect(h);
      for (int i = 0; i < 100; ++i) expect(rng.next());
    }
  }
}

/// What the index must know: per hash, the newest record of each id.
struct IndexModel {
  std::map<uint64_t, std::map<int, IndexEntry>> ids;

  Entries lookup(uint64_t hash) const {
    Entries out;
    auto it = ids.find(hash);
    if (it != ids.end())
      for (const auto& [id, e] : it->second) out.push_back(e);
    std::sort(out.begin(), out.end(), [](IndexEntry a, IndexEntry b) { return a.ordinal() > b.ordinal(); });
    return out;
  }
};

TEST(PrimaryIndex, AgreesWithAModelThroughMergesAndCollisions) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed, "index");
    PrimaryIndex index;
    IndexModel model;
    uint64_t hashes = 1 + rng.below(40);
    Ordinal next;
    Ordinal forgotten;
    for (int step = 0; step < 1500; ++step) {
      uint64_t hash = rng.below(hashes) * 0x9e3779b97f4a7c15;
      int id = static_cast<int>(rng.below(3));
      switch (rng.below(8)) {
        case 0:
          if (!index.merging() && rng.chance(1, 10)) {
            Ordinal below(static_cast<uint32_t>(rng.below(next.value + 1)));
            forgotten = std::max(forgotten, below);
            index.begin_merge(below);
          }
          break;
        case 1:
          if (index.merging()) index.merge_step(1 + rng.below(8));
          break;
        default: {
          auto known = index.lookup(hash);
          IndexEntry old = IndexEntry::none();
          auto it = model.ids[hash].find(id);
          if (it != model.ids[hash].end() && std::find(known.begin(), known.end(), it->second) != known.end())
            old = it->second;
          IndexEntry now(next, rng.chance(1, 3));
          ++next;
          index.replace(hash, old, now);
          model.ids[hash][id] = now;
        }
      }
      // A forgotten tombstone may be there still or not; everything else must be, in order.
      Entries found = to_vector(index.lookup(hash)), wanted = model.lookup(hash);
      Entries gone;
      std::set_difference(wanted.begin(), wanted.end(), found.begin(), found.end(), std::back_inserter(gone),
                          [](IndexEntry a, IndexEntry b) { return a.ordinal() > b.ordinal(); });
      for (IndexEntry e : gone) {
        ASSERT_TRUE(e.tombstone()) << "seed " << seed << " step " << step;
        ASSERT_LT(e.ordinal(), forgotten);
      }
      // What is too many are tombstones, too: of ids that began again after theirs was forgotten by a merge under way.
      for (IndexEntry e : found)
        if (std::find(wanted.begin(), wanted.end(), e) == wanted.end())
          ASSERT_TRUE(e.tombstone()) << "seed " << seed << " step " << step;
      ASSERT_TRUE(std::is_sorted(found.begin(), found.end(),
                                 [](IndexEntry a, IndexEntry b) { return a.ordinal() > b.ordinal(); }));
    }
  }
}

TEST(PrimaryIndex, MergeForgetsOldTombstonesAndNothingElse) {
  PrimaryIndex index;
  index.replace(1, IndexEntry::none(), IndexEntry(Ordinal(0), false));
  index.replace(1, IndexEntry(Ordinal(0), false), IndexEntry(Ordinal(1), true));
  index.replace(2, IndexEntry::none(), IndexEntry(Ordinal(2), true));
  index.replace(3, IndexEntry::none(), IndexEntry(Ordinal(3), false));
  index.begin_merge(Ordinal(2));
  EXPECT_EQ(index.lookup(1).size(), 1u) << "still there while the merge runs";
  while (!index.merge_step(1)) continue;
  EXPECT_TRUE(index.lookup(1).empty());
  EXPECT_EQ(index.lookup(2).size(), 1u);
  EXPECT_EQ(index.lookup(3).size(), 1u);
  EXPECT_EQ(index.overlay_size(), 0u);
}

// ---- Live sets ----

Bitmap bitmap(std::initializer_list<uint32_t> ordinals) {
  Bitmap b;
  for (uint32_t o : ordinals) b.add(Ordinal(o));
  return b;
}

TEST(Bitmap, ReadsItsMembersInOrderFromAnywhere) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed, "bitmap");
    std::set<uint32_t> model;
    Bitmap b;
    for (int i = 0; i < 3000; ++i) {
      uint32_t o = static_cast<uint32_t>(rng.below(seed % 2 == 0 ? 5000 : 300000));
      switch (rng.below(20)) {
        case 0: {
          uint32_t end = o + static_cast<uint32_t>(rng.below(3000));
          b.add_range(Ordinal(o), Ordinal(end));
          for (uint32_t x = o; x < end; ++x) model.insert(x);
          break;
        }
        case 1:
          b.remove(Ordinal(o));
          model.erase(o);
          break;
        case 2:
          if (!rng.chance(1, 50)) break;
          b.remove_from(Ordinal(o));
          model.erase(model.lower_bound(o), model.end());
          break;
        default:
          b.add(Ordinal(o));
          model.insert(o);
      }
    }
    ASSERT_EQ(b.count(), model.size());
    for (int i = 0; i < 50; ++i) {
      uint32_t from = static_cast<uint32_t>(rng.below(310000));
      std::vector<uint32_t> some(1 + rng.below(300)), wanted;
      for (auto it = model.lower_bound(from); it != model.end() && wanted.size() < some.size(); ++it)
        wanted.push_back(*it);
      some.resize(b.read(Ordinal(from), some));
      ASSERT_EQ(some, wanted) << "seed " << seed << " from " << from;
    }
  }
}

TEST(LiveSets, SnapshotSeesWhatWasThereThenAndNothingElse) {
  const CollectionId c(1);
  LiveSets live;
  auto put = [](uint32_t o) { return IndexEntry(Ordinal(o), false); };
  live.record(Lsn(10), c, IndexEntry::none(), put(0));
  live.record(Lsn(11), c, IndexEntry::none(), put(1));
  live.record(Lsn(12), c, put(0), put(2));
  live.record(Lsn(13), c, put(1), IndexEntry(Ordinal(3), true));
  live.record(Lsn(14), c, put(2), put(4));
  live.record(Lsn(14), c, put(4), put(5));  // twice in one entry
  const Ordinal next(6);
  EXPECT_EQ(live.at(c, Lsn(9), next), Bitmap());
  EXPECT_EQ(live.at(c, Lsn(10), next), bitmap({0}));
  EXPECT_EQ(live.at(c, Lsn(11), next), bitmap({0, 1}));
  EXPECT_EQ(live.at(c, Lsn(12), next), bitmap({1, 2}));
  EXPECT_EQ(live.at(c, Lsn(13), next), bitmap({2}));
  EXPECT_EQ(live.at(c, Lsn(14), next), bitmap({5}));
  EXPECT_EQ(live.at(c, Lsn(99), next), bitmap({5}));
  EXPECT_EQ(live.at(CollectionId(2), Lsn(99), next), Bitmap());
  live.set_horizon(Lsn(12));
  EXPECT_EQ(live.at(c, Lsn(12), next), bitmap({1, 2})) << "the horizon itself may still be asked for";
  EXPECT_EQ(live.at(c, Lsn(13), next), bitmap({2}));
}

TEST(LiveSets, DroppedCollectionStaysForOlderSnapshots) {
  const CollectionId c(1), d(2);
  LiveSets live;
  live.record(Lsn(10), c, IndexEntry::none(), IndexEntry(Ordinal(0), false));
  live.record(Lsn(11), d, IndexEntry::none(), IndexEntry(Ordinal(1), false));
  live.drop(Lsn(12), c);
  EXPECT_EQ(live.at(c, Lsn(11), Ordinal(2)), bitmap({0}));
  EXPECT_EQ(live.at(c, Lsn(12), Ordinal(2)), Bitmap());
  EXPECT_EQ(live.at(d, Lsn(12), Ordinal(2)), bitmap({1}));
  EXPECT_EQ(live.count(c), 0u);
  live.set_horizon(Lsn(12));
  EXPECT_EQ(live.at(c, Lsn(12), Ordinal(2)), Bitmap());
  EXPECT_EQ(live.copy(Lsn(11)).size(), 2u) << "the drop may be undone: no checkpoint covers it";
  EXPECT_EQ(live.copy(Lsn(12)).size(), 1u);
  live.set_checkpoint(Lsn(12));
  EXPECT_EQ(live.copy(Lsn(11)).size(), 1u);
  live.drop(Lsn(12), d);
  EXPECT_TRUE(live.copy(Lsn(11)).empty());
}

// ---- Index files ----

const ShardIdentity kHere{77, DatabaseId(3), ShardId(9), Generation(2)};

Bytes encode(IndexEncoder& encoder, size_t units, Buffer& out) {
  while (!encoder.step(units)) continue;
  out = encoder.take();
  return out;
}

IndexImage small_image() {
  IndexImage image;
  image.covers = {8192, Ordinal(4), Lsn(50), 0x1234};
  IndexRun run;
  run.hashes = {5, 5, 9, 12, 20};
  // Record 4 is in the tail, and took the place of record 1; record 5, too, of an id that the file does not know.
  run.entries = {IndexEntry(Ordinal(3), false), IndexEntry(Ordinal(0), true), IndexEntry(Ordinal(2), true),
                 IndexEntry(Ordinal(4), false), IndexEntry(Ordinal(5), false)};
  image.run = std::make_shared<const IndexRun>(std::move(run));
  image.replaced = {IndexEntry(Ordinal(1), false), IndexEntry::none()};
  image.offsets = {512, 520, 540, 600};
  image.live = {{CollectionId(1), bitmap({1})}, {CollectionId(4), bitmap({0, 3})}, {CollectionId(6), Bitmap()}};
  return image;
}

TEST(IndexFile, ComesBackWithoutWhatTheDataFileDoesNotHave) {
  for (size_t units : {1, 2, 1000}) {
    IndexEncoder encoder(kHere, 64, small_image());
    Buffer bytes;
    auto x = decode_index(encode(encoder, units, bytes), kHere, 64);
    ASSERT_TRUE(x) << x.error().message;
    EXPECT_EQ(x->covers, small_image().covers);
    EXPECT_EQ(x->run.hashes, (std::vector<uint64_t>{5, 5, 9, 12}));
    EXPECT_EQ(x->run.entries, (Entries{IndexEntry(Ordinal(3), false), IndexEntry(Ordinal(0), true),
                                       IndexEntry(Ordinal(2), true), IndexEntry(Ordinal(1), false)}));
    EXPECT_EQ(x->offsets, small_image().offsets);
    EXPECT_EQ(x->live, small_image().live);
  }
}

TEST(IndexFile, LargeLiveSetsComeBack) {
  Rng rng(1, "live");
  IndexImage image;
  image.covers = {uint64_t{200000} * 64 + 4096, Ordinal(200000), Lsn(50), 1};
  image.run = std::make_shared<const IndexRun>();
  for (uint32_t i = 0; i < 200000; ++i) image.offsets.push_back(512 + i * 8);
  Bitmap all, holes, few, whole_reads;
  all.add_range(Ordinal(0), Ordinal(200000));
  holes = all;
  for (int i = 0; i < 20000; ++i) holes.remove(Ordinal(static_cast<uint32_t>(rng.below(200000))));
  for (int i = 0; i < 500; ++i) few.add(Ordinal(static_cast<uint32_t>(rng.below(200000))));
  whole_reads.add_range(Ordinal(7), Ordinal(7 + 512));
  image.live = {
      {CollectionId(1), all}, {CollectionId(2), holes}, {CollectionId(3), few}, {CollectionId(4), whole_reads}};
  auto live = image.live;
  IndexEncoder encoder(kHere, 64, std::move(image));
  Buffer bytes;
  auto x = decode_index(encode(encoder, 100, bytes), kHere, 64);
  ASSERT_TRUE(x) << x.error().message;
  EXPECT_EQ(x->live, live);
}

TEST(IndexFile, AnyFlippedBitAndAnyCutIsNoticed) {
  IndexEncoder encoder(kHere, 64, small_image());
  Buffer good;
  encode(encoder, 10, good);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Buffer bad = good;
    bad[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(decode_index(bad, kHere, 64)) << bit;
  }
  for (size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(decode_index(Bytes(good).substr(0, n), kHere, 64)) << n;
  EXPECT_FALSE(decode_index(good + '\0', kHere, 64));
}

TEST(IndexFile, OfAnotherShardOrWidthIsRefused) {
  IndexEncoder encoder(kHere, 64, small_image());
  Buffer bytes;
  encode(encoder, 10, bytes);
  ShardIdentity other = kHere;
  other.generation = Generation(3);
  EXPECT_FALSE(decode_index(bytes, other, 64));
  EXPECT_FALSE(decode_index(bytes, kHere, 8));
}

}  // namespace
}  // namespace holdfast::core
