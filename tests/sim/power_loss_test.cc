// Random histories of files and names against a naive oracle that remembers everything each byte and each file has been
// since the last sync that covered it. A power loss may choose among those, and nothing else.
#include <gtest/gtest.h>

#include "sim/disk_model.h"

namespace holdfast::sim {
namespace {

constexpr uint64_t kQuota = 64 << 20;
constexpr size_t kMost = 6'000;  // file size

// One file's history, byte by byte.
class ByteOracle {
 public:
  struct Range {
    uint64_t from, to;
  };
  void changed(std::string now, Range touched = Range()) {
    sizes_.insert(now.size());
    now.resize(kMost, '\0');
    versions_.push_back(std::move(now));
    touched_.push_back(touched);
  }
  size_t mark() const { return versions_.size(); }
  /// A sync that began at `mark` has completed.
  void synced(size_t mark) {
    versions_.erase(versions_.begin(), versions_.begin() + static_cast<std::ptrdiff_t>(mark) - 1);
    touched_.erase(touched_.begin(), touched_.begin() + static_cast<std::ptrdiff_t>(mark) - 1);
    touched_[0] = Range();
    sizes_.clear();
    size_unknown_ = versions_.size() > 1;
  }
  /// How many bytes are none of what they have been, not looking at sectors that wait for a sync when `may_garble`.
  size_t impossible(const std::string& now, bool may_garble) const {
    size_t wrong = 0;
    for (size_t i = 0; i < now.size(); ++i) {
      if (may_garble && !sector_is_settled(i / kSectorBytes)) continue;
      wrong += std::ranges::none_of(versions_, [&](const std::string& v) { return v[i] == now[i]; });
    }
    return wrong;
  }
  bool size_is_possible(size_t n) const { return size_unknown_ || sizes_.contains(n); }
  void restart(std::string now) {
    versions_.clear();
    touched_.clear();
    sizes_.clear();
    size_unknown_ = false;
    changed(std::move(now));
  }

 private:
  bool sector_is_settled(size_t s) const {
    return std::ranges::none_of(
        touched_, [&](const Range& r) { return r.from < (s + 1) * kSectorBytes && s * kSectorBytes < r.to; });
  }
  std::vector<std::string> versions_;
  std::vector<Range> touched_;  // by the change that led to each version
  std::set<size_t> sizes_;
  bool size_unknown_ = false;  // several sizes may have been at the sync that is the base
};

std::string content(const DiskModel& disk, const InodePtr& f) {
  std::string out(f->cache.size(), 'x');
  disk.read(f, 0, out);
  return out;
}

ByteOracle::Range change(DiskModel& disk, const InodePtr& f, Rng& rng) {
  uint64_t offset = rng.below(kMost - 1), length = rng.between(1, kMost - offset);
  if (rng.below(2) == 0) length = std::min<uint64_t>(length, 300);
  switch (rng.below(6)) {
    case 0:
      EXPECT_TRUE(disk.zero(f, offset, length));
      break;
    case 1:
      length = std::max(f->cache.size(), offset) - offset;
      disk.resize(f, offset);
      break;
    default: {
      std::string data(length, '\0');
      for (char& c : data) c = static_cast<char>('A' + rng.below(50));
      EXPECT_TRUE(disk.write(f, offset, data));
    }
  }
  return {offset, offset + length};
}

void check_bytes(uint64_t seed, const LossProfile& profile, FaultCounts& counts) {
  Trace trace;
  Stream s(seed, "loss", trace);
  Rng rng(seed, "history");
  DiskModel disk(kQuota);
  InodePtr f = *disk.create("f", false);
  disk.sync(*disk.find(""), disk.mark(), {});
  ByteOracle oracle;
  oracle.changed("");
  for (int round = 0; round < 4; ++round) {
    for (uint64_t steps = rng.below(8); steps > 0; --steps) {
      auto touched = change(disk, f, rng);
      oracle.changed(content(disk, f), touched);
      if (rng.below(4) > 0) continue;
      uint64_t mark = disk.mark();
      size_t oracle_mark = oracle.mark();
      if (rng.below(2) == 0) {  // written while the sync runs
        touched = change(disk, f, rng);
        oracle.changed(content(disk, f), touched);
      }
      disk.sync(f, mark, profile);
      oracle.synced(oracle_mark);
      if (oracle.mark() == 1) oracle.restart(content(disk, f));
    }
    disk.power_loss(profile, s, counts);
    f = *disk.find("f");
    std::string now = content(disk, f);
    ASSERT_TRUE(oracle.size_is_possible(now.size())) << "seed " << seed << " size " << now.size();
    ASSERT_EQ(oracle.impossible(now, profile.garbage > 0), 0u) << "seed " << seed << " round " << round;
    ASSERT_EQ(f->durable.digest(), f->cache.digest()) << "nothing is left unsynced";
    oracle.restart(now);
  }
}

TEST(PowerLoss, LeavesOnlyBytesThatTheFileHasHad) {
  FaultCounts counts;
  for (uint64_t seed = 1; seed <= 1500; ++seed) check_bytes(seed, {.garbage = 0}, counts);
  for (Fault f : {Fault::kSectorKept, Fault::kSectorLost, Fault::kSectorTorn, Fault::kSizeLost})
    EXPECT_GT(counts[f], 100u) << name(f);
  EXPECT_EQ(counts[Fault::kSectorGarbage], 0u);
}

TEST(PowerLoss, GarblesOnlySectorsThatWaitedForASync) {
  FaultCounts counts;
  for (uint64_t seed = 1; seed <= 1500; ++seed) check_bytes(seed, {.garbage = 500'000}, counts);
  EXPECT_GT(counts[Fault::kSectorGarbage], 100u);
}

TEST(PowerLoss, OrderedProfileLeavesOnlyBytesThatTheFileHasHad) {
  FaultCounts counts;
  for (uint64_t seed = 1; seed <= 500; ++seed) check_bytes(seed, {.garbage = 0, .ordered = true}, counts);
}

TEST(PowerLoss, LosesKeepsAndTearsOneUnsyncedWrite) {
  bool lost = false, kept = false, mixed = false, torn = false;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    Trace trace;
    Stream s(seed, "loss", trace);
    FaultCounts counts;
    DiskModel disk(kQuota);
    InodePtr f = *disk.create("f", false);
    EXPECT_TRUE(disk.write(f, 0, std::string(2048, 'a')));
    disk.sync(f, disk.mark(), {});
    disk.sync(*disk.find(""), disk.mark(), {});
    EXPECT_TRUE(disk.write(f, 0, std::string(2048, 'b')));
    disk.power_loss({.garbage = 0}, s, counts);
    std::string now = content(disk, *disk.find("f"));
    bool in_sector = false;
    for (size_t sector = 0; sector < 4; ++sector) {
      std::string_view one = std::string_view(now).substr(sector * kSectorBytes, kSectorBytes);
      size_t new_bytes = one.find_first_not_of('b');
      if (new_bytes == std::string_view::npos) continue;
      EXPECT_EQ(one.substr(new_bytes).find_first_not_of('a'), std::string_view::npos)
          << "left part new, right part old";
      in_sector |= new_bytes > 0;
    }
    lost |= now == std::string(2048, 'a');
    kept |= now == std::string(2048, 'b');
    torn |= in_sector;
    mixed |= !in_sector && now.find('a') != std::string::npos && now.find('b') != std::string::npos;
  }
  EXPECT_TRUE(lost);
  EXPECT_TRUE(kept);
  EXPECT_TRUE(mixed);
  EXPECT_TRUE(torn);
}

TEST(PowerLoss, LaterSectorMaySurviveAnEarlierOne) {
  bool reordered = false;
  for (uint64_t seed = 1; seed <= 200 && !reordered; ++seed) {
    Trace trace;
    Stream s(seed, "loss", trace);
    FaultCounts counts;
    DiskModel disk(kQuota);
    InodePtr f = *disk.create("f", false);
    disk.sync(*disk.find(""), disk.mark(), {});
    EXPECT_TRUE(disk.write(f, 0, std::string(kPageBytes, '1')));
    EXPECT_TRUE(disk.write(f, kPageBytes, std::string(kPageBytes, '2')));
    disk.power_loss({.torn = 0, .garbage = 0}, s, counts);
    std::string now = content(disk, *disk.find("f"));
    reordered = now.find('1') == std::string::npos && now.find('2') != std::string::npos;
  }
  EXPECT_TRUE(reordered);
}

// Where each file has been since the last sync that covered one of its moves.
struct NameOracle {
  struct Place {
    std::string path;  // empty: nowhere
    std::set<std::string> dirs;
  };
  std::map<uint64_t, std::vector<Place>> history;

  void moved(uint64_t file, std::string path, std::set<std::string> dirs) {
    history[file].push_back({std::move(path), std::move(dirs)});
  }
  void synced(const std::string& dir) {
    for (auto& [file, places] : history)
      for (size_t i = places.size(); i-- > 0;)
        if (places[i].dirs.contains(dir)) {
          places.erase(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(i));
          break;
        }
  }
  bool possible(uint64_t file, const std::string& path) const {
    return std::ranges::any_of(history.at(file), [&](const Place& p) { return p.path == path; });
  }
};

TEST(PowerLoss, LeavesEveryFileAtOnePlaceWhereItHasBeen) {
  uint64_t lost = 0, reordered = 0;
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    Trace trace;
    Stream s(seed, "loss", trace);
    Rng rng(seed, "history");
    FaultCounts counts;
    DiskModel disk(kQuota);
    const std::string dirs[] = {"", "dir"};
    EXPECT_TRUE(disk.create("dir", true));
    disk.sync(*disk.find(""), disk.mark(), {});
    NameOracle oracle;
    auto dir_of = [](const std::string& path) { return path.starts_with("dir/") ? std::string("dir") : std::string(); };
    for (int step = 0; step < 12; ++step) {
      std::string a = dirs[rng.below(2)] + "/" + std::string(1, static_cast<char>('a' + rng.below(4)));
      std::string b = dirs[rng.below(2)] + "/" + std::string(1, static_cast<char>('a' + rng.below(4)));
      if (a[0] == '/') a.erase(0, 1);
      if (b[0] == '/') b.erase(0, 1);
      switch (rng.below(5)) {
        case 0:
        case 1:
          if (auto f = disk.create(a, false)) {
            oracle.moved((*f)->number, "", {});
            oracle.moved((*f)->number, a, {dir_of(a)});
          }
          break;
        case 2:
          if (auto f = disk.find(a); f && disk.rename(a, b)) oracle.moved((*f)->number, b, {dir_of(a), dir_of(b)});
          break;
        case 3:
          if (auto f = disk.find(a); f && disk.remove(a)) oracle.moved((*f)->number, "", {dir_of(a)});
          break;
        case 4: {
          const std::string& d = dirs[rng.below(2)];
          disk.sync(*disk.find(d), disk.mark(), {});
          oracle.synced(d);
        }
      }
    }
    LossProfile profile{.ordered = seed % 4 == 0};
    disk.power_loss(profile, s, counts);
    std::map<uint64_t, std::string> now;
    for (const std::string& d : dirs) {
      auto entries = *disk.list(d);
      for (const auto& e : entries) {
        if (e.is_directory) continue;
        std::string path = d.empty() ? e.name : d + "/" + e.name;
        auto [it, once] = now.try_emplace((*disk.find(path))->number, path);
        ASSERT_TRUE(once) << "seed " << seed << ": one file at " << it->second << " and " << path;
      }
    }
    for (auto& [file, places] : oracle.history) {
      std::string at = now.contains(file) ? now[file] : "";
      ASSERT_TRUE(oracle.possible(file, at)) << "seed " << seed << " file " << file << " at '" << at << "'";
      lost += at != places.back().path;
    }
    reordered += counts[Fault::kNameLost] > 0 && counts[Fault::kNameKept] > 0;
  }
  EXPECT_GT(lost, 1000u);
  EXPECT_GT(reordered, 500u);
}

}  // namespace
}  // namespace holdfast::sim
