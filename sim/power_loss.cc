// The draws of DiskModel: which legal state a power loss, or a sync that failed half-way, leaves on the medium.
#include <fmt/format.h>

#include <algorithm>

#include "sim/disk_model.h"

namespace holdfast::sim {
namespace {

using Sector = std::array<char, kSectorBytes>;

// How one power loss treats one file or directory. The tame choice comes first.
enum class Mood : uint8_t { kKeepAll, kLoseAll, kMostly, kHalf, kSeldom, kPrefix, kCount };

Mood draw_mood(const LossProfile& profile, Stream& s) {
  if (profile.mood == LossProfile::Mood::kKeepAll) return Mood::kKeepAll;
  if (profile.mood == LossProfile::Mood::kLoseAll) return Mood::kLoseAll;
  return static_cast<Mood>(s.harm(static_cast<uint64_t>(Mood::kCount)));
}

Rate loss_rate(Mood mood) {
  if (mood == Mood::kMostly) return 100'000;
  return mood == Mood::kHalf ? 500'000 : 900'000;
}

void apply_to_sector(const Change& c, uint64_t sector, Sector& out) {
  uint64_t start = sector * kSectorBytes;
  uint64_t from = std::max(c.offset, start);
  uint64_t to =
      c.kind == Change::Kind::kSize ? start + kSectorBytes : std::min(c.offset + c.length, start + kSectorBytes);
  if (from >= to) return;
  if (c.kind == Change::Kind::kWrite)
    std::memcpy(out.data() + (from - start), c.data.data() + (from - c.offset), to - from);
  else
    std::memset(out.data() + (from - start), 0, to - from);
}

}  // namespace

// Draws what becomes of the first `count` pending changes of one file.
class LossDraw {
 public:
  LossDraw(Inode& file, size_t count, const LossProfile& profile, Stream& s, FaultCounts& counts)
      : file_(file), count_(count), profile_(profile), stream_(s), counts_(counts), mood_(draw_mood(profile, s)) {
    prefix_ = mood_ == Mood::kPrefix ? stream_.decide(count_ + 1, Draw::kSame) : 0;
  }

  /// The content: sectors only, whatever the size.
  Image content() {
    Image out = file_.durable;
    auto touches = touched();
    for (size_t i = 0; i < touches.size();) {
      size_t end = i;
      while (end < touches.size() && touches[end].first == touches[i].first) ++end;
      draw_sector(out, touches[i].first, std::span(touches).subspan(i, end - i));
      i = end;
    }
    return out;
  }

  uint64_t size() {
    uint64_t newest = count_ > 0 ? file_.pending[count_ - 1].size_after : file_.durable.size();
    uint64_t chosen = newest;
    if (mood_ == Mood::kLoseAll) chosen = file_.durable.size();
    if (mood_ == Mood::kPrefix) chosen = size_after(prefix_);
    if (is_mixed() && stream_.chance(loss_rate(mood_))) chosen = size_after(stream_.decide(count_ + 1, Draw::kSame));
    if (chosen != newest) counts_.hit(Fault::kSizeLost);
    return chosen;
  }

 private:
  using Touch = std::pair<uint64_t, uint32_t>;  // sector, index of the change

  bool is_mixed() const { return mood_ == Mood::kMostly || mood_ == Mood::kHalf || mood_ == Mood::kSeldom; }
  uint64_t size_after(uint64_t n) const { return n == 0 ? file_.durable.size() : file_.pending[n - 1].size_after; }

  // Which changes touch which sector. Zeros over blank pages change nothing as long as nothing was written before.
  std::vector<Touch> touched() const {
    std::vector<Touch> out;
    bool written = false;
    uint64_t extent = file_.durable.size();
    for (uint32_t i = 0; i < count_; ++i) {
      const Change& c = file_.pending[i];
      uint64_t end = c.kind == Change::Kind::kSize ? extent : c.offset + c.length;
      for (uint64_t sector = c.offset / kSectorBytes; sector * kSectorBytes < end; ++sector) {
        if (c.kind != Change::Kind::kWrite && !written && file_.durable.is_blank(sector * kSectorBytes / kPageBytes))
          continue;
        out.emplace_back(sector, i);
      }
      written |= c.kind == Change::Kind::kWrite;
      extent = std::max(extent, c.size_after);
    }
    std::ranges::sort(out);
    return out;
  }

  Sector version(uint64_t sector, std::span<const Touch> touches, size_t n) const {
    Sector out;
    file_.durable.read(sector * kSectorBytes, out);
    for (const Touch& t : touches.first(n)) apply_to_sector(file_.pending[t.second], sector, out);
    return out;
  }

  size_t draw_version(uint64_t sector, std::span<const Touch> touches) {
    size_t newest = touches.size();
    if (mood_ == Mood::kKeepAll) return newest;
    if (mood_ == Mood::kLoseAll) return 0;
    if (profile_.ordered && sector * kSectorBytes >= file_.durable.size()) return newest;
    if (mood_ == Mood::kPrefix)
      return static_cast<size_t>(std::ranges::count_if(touches, [&](const Touch& t) { return t.second < prefix_; }));
    if (!stream_.chance(loss_rate(mood_), Draw::kSame)) return newest;
    return stream_.decide(newest, Draw::kSame);
  }

  void draw_sector(Image& out, uint64_t sector, std::span<const Touch> touches) {
    stream_.next();  // an occurrence per sector: what becomes of one does not depend on the others
    size_t chosen = draw_version(sector, touches);
    Sector result = version(sector, touches, chosen);
    counts_.hit(chosen == 0 ? Fault::kSectorLost : Fault::kSectorKept);
    if (is_mixed() && stream_.chance(profile_.torn, Draw::kSame)) {
      tear(sector, touches, result);
    } else if (is_mixed() && chosen == 0 && is_new(sector) && !profile_.ordered &&
               stream_.chance(profile_.garbage, Draw::kSame)) {
      garble(result, 0);
    }
    out.write(sector * kSectorBytes, Bytes(result.data(), result.size()));
  }

  bool is_new(uint64_t sector) const { return sector * kSectorBytes >= file_.durable.size(); }

  // Left part of one version, right part of an older one or garbage.
  void tear(uint64_t sector, std::span<const Touch> touches, Sector& out) {
    size_t left = stream_.between(1, touches.size(), Draw::kSame);
    size_t right = stream_.decide(left, Draw::kSame);
    size_t cut = stream_.between(1, kSectorBytes - 1, Draw::kSame);
    out = version(sector, touches, left);
    Sector old = version(sector, touches, right);
    std::memcpy(out.data() + cut, old.data() + cut, kSectorBytes - cut);
    counts_.hit(Fault::kSectorTorn);
    if (stream_.chance(profile_.garbage, Draw::kSame)) garble(out, cut);
  }

  void garble(Sector& out, size_t from) {
    Rng rng(stream_.bits(Draw::kSame));
    for (size_t i = from; i < kSectorBytes; ++i) out[i] = static_cast<char>(rng.next());
    counts_.hit(Fault::kSectorGarbage);
  }

  Inode& file_;
  size_t count_;
  const LossProfile& profile_;
  Stream& stream_;
  FaultCounts& counts_;
  Mood mood_;
  uint64_t prefix_ = 0;
};

namespace {

size_t changes_until(const Inode& file, uint64_t mark) {
  auto newer = std::ranges::find_if(file.pending, [&](const Change& c) { return c.sequence > mark; });
  return static_cast<size_t>(newer - file.pending.begin());
}

}  // namespace

void DiskModel::sync_failed(const InodePtr& inode, uint64_t mark, AfterError effect, const LossProfile& profile,
                            Stream& s, FaultCounts& counts) {
  counts.hit(Fault::kSyncError);
  if (effect == AfterError::kMarkedClean) counts.hit(Fault::kSyncErrorClean);
  if (inode->directory) {
    if (effect == AfterError::kMarkedClean)
      std::erase_if(name_changes_,
                    [&](const NameChange& c) { return c.sequence <= mark && (c.dir == inode || c.to_dir == inode); });
    return;
  }
  size_t covered = changes_until(*inode, mark);
  uint64_t size = inode->durable.size();
  FaultCounts unreported;  // these sectors are not lost yet
  Image partial = LossDraw(*inode, covered, profile, s, unreported).content();
  partial.resize(size);
  inode->durable = std::move(partial);
  if (effect == AfterError::kStillDirty) return;
  // Data is clean and maybe nowhere; a changed size is the file system's business and still waits.
  for (size_t i = 0; i < covered; ++i) {
    Change& c = inode->pending[i];
    c = {c.sequence, Change::Kind::kSize, c.size_after, 0, c.size_after, {}};
  }
  inode->diverged = true;
}

void DiskModel::power_loss(const LossProfile& profile, Stream& s, FaultCounts& counts) {
  s.next();
  Stream here = s.about();  // and of each file a stream of its own: sparing one leaves the others as they were
  // Contents first: also of files whose names will not survive, so that draws do not depend on names.
  std::map<uint64_t, bool> lost_data;
  for (auto& [number, inode] : inodes_) {
    if (inode->directory || inode->pending.empty()) continue;
    uint64_t lost_before = counts[Fault::kSectorLost] + counts[Fault::kSizeLost];
    Stream of_file = here.child(fmt::format("inode-{}", number));
    LossDraw draw(*inode, inode->pending.size(), profile, of_file, counts);
    Image content = draw.content();
    content.resize(draw.size());
    inode->durable = std::move(content);
    inode->pending.clear();
    lost_data[number] = counts[Fault::kSectorLost] + counts[Fault::kSizeLost] > lost_before;
  }

  Stream names = here.child("names");
  Mood mood = name_changes_.empty() ? Mood::kKeepAll : draw_mood(profile, names);
  if (profile.ordered && mood != Mood::kKeepAll && mood != Mood::kLoseAll) mood = Mood::kPrefix;
  uint64_t prefix = mood == Mood::kPrefix ? names.decide(name_changes_.size() + 1, Draw::kSame) : 0;
  std::vector<const NameChange*> lost;
  for (size_t i = 0; i < name_changes_.size(); ++i) {
    const NameChange& c = name_changes_[i];
    bool keep = mood == Mood::kKeepAll || (mood == Mood::kPrefix && i < prefix);
    if (mood == Mood::kMostly || mood == Mood::kHalf || mood == Mood::kSeldom) keep = !names.chance(loss_rate(mood));
    if (std::ranges::any_of(lost, [&](const NameChange* l) { return c.depends_on(*l); })) keep = false;
    counts.hit(keep ? Fault::kNameKept : Fault::kNameLost);
    if (!keep) {
      lost.push_back(&c);
      continue;
    }
    c.apply();
    if (c.kind != NameChange::Kind::kUnlink && lost_data[c.inode->number]) counts.hit(Fault::kDataLostUnderKeptName);
  }
  name_changes_.clear();

  std::vector<InodePtr> dropped;  // inodes must not go while the table is walked
  for (auto& [number, inode] : inodes_) {
    for (auto& [name, child] : inode->names) dropped.push_back(child);
    inode->names = inode->durable_names;
    inode->locked = false;
    if (!inode->directory) drop_cache(*inode);
  }
  counts.hit(Fault::kPowerLoss);
}

}  // namespace holdfast::sim
