// What a power loss, or a sync that failed half-way, may leave on the medium, and how it gets there. Which of it a
// LossChooser says.
#include <fmt/format.h>

#include <algorithm>

#include "sim/loss.h"

namespace holdfast::sim {
namespace {

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

void garble(Sector& out, size_t from, uint64_t key) {
  Rng rng(key);
  for (size_t i = from; i < kSectorBytes; ++i) out[i] = static_cast<char>(rng.next());
}

// Which changes touch which sector. Zeros over blank pages change nothing as long as nothing was written before.
std::vector<SectorLoss::Touch> touched(const FileLoss& of) {
  std::vector<SectorLoss::Touch> out;
  bool written = false;
  uint64_t extent = of.file.durable.size();
  for (uint32_t i = 0; i < of.changes; ++i) {
    const Change& c = of.file.pending[i];
    uint64_t end = c.kind == Change::Kind::kSize ? extent : c.offset + c.length;
    for (uint64_t sector = c.offset / kSectorBytes; sector * kSectorBytes < end; ++sector) {
      if (c.kind != Change::Kind::kWrite && !written && of.file.durable.is_blank(sector * kSectorBytes / kPageBytes))
        continue;
      out.emplace_back(sector, i);
    }
    written |= c.kind == Change::Kind::kWrite;
    extent = std::max(extent, c.size_after);
  }
  std::ranges::sort(out);
  return out;
}

void settle_sector(Image& out, const SectorLoss& s, LossChooser& chooser, FaultCounts& counts) {
  SectorFate fate = chooser.sector(s);
  bool torn = fate.cut > 0 && fate.cut < kSectorBytes;
  HF_ASSERT(fate.version <= s.newest() && (!torn || fate.right < fate.version) &&
                (fate.cut > 0 || (s.may_be_garbage && fate.version == 0 && fate.garbage)),
            "a sector holds a version that it has had, or is torn between two, or is new and garbage");
  counts.hit(fate.version == 0 ? Fault::kSectorLost : Fault::kSectorKept);
  if (torn) counts.hit(Fault::kSectorTorn);
  if (fate.garbage) counts.hit(Fault::kSectorGarbage);
  Sector result = s.version(fate.version);
  if (torn && !fate.garbage) {
    Sector old = s.version(fate.right);
    std::memcpy(result.data() + fate.cut, old.data() + fate.cut, kSectorBytes - fate.cut);
  }
  if (fate.garbage) garble(result, fate.cut, *fate.garbage);
  out.write(s.sector * kSectorBytes, Bytes(result.data(), result.size()));
}

/// The content: sectors only, whatever the size.
Image settle_content(const FileLoss& of, const LossProfile& profile, LossChooser& chooser, FaultCounts& counts) {
  Image out = of.file.durable;
  auto touches = touched(of);
  for (size_t i = 0; i < touches.size();) {
    size_t end = i;
    while (end < touches.size() && touches[end].first == touches[i].first) ++end;
    uint64_t sector = touches[i].first;
    bool is_new = sector * kSectorBytes >= of.file.durable.size();
    SectorLoss loss{of, sector, std::span(touches).subspan(i, end - i), profile.ordered && is_new,
                    is_new && !profile.ordered};
    settle_sector(out, loss, chooser, counts);
    i = end;
  }
  return out;
}

uint64_t settle_size(const FileLoss& of, LossChooser& chooser, FaultCounts& counts) {
  uint64_t chosen = of.size_after(chooser.size(of));
  if (chosen != of.size_after(of.changes)) counts.hit(Fault::kSizeLost);
  return chosen;
}

size_t changes_until(const Inode& file, uint64_t mark) {
  auto newer = std::ranges::find_if(file.pending, [&](const Change& c) { return c.sequence > mark; });
  return static_cast<size_t>(newer - file.pending.begin());
}

}  // namespace

Sector SectorLoss::version(size_t n) const {
  Sector out;
  of.file.durable.read(sector * kSectorBytes, out);
  for (const Touch& t : touches.first(n)) apply_to_sector(of.file.pending[t.second], sector, out);
  return out;
}

std::string DiskModel::NameChange::text() const {
  if (kind == Kind::kRename) return fmt::format("rename of {} to {} (inode {})", name, to, inode->number);
  return fmt::format("{} of {} (inode {})", kind == Kind::kLink ? "creation" : "removal", name, inode->number);
}

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
  FileLoss of{*inode, changes_until(*inode, mark)};
  uint64_t size = inode->durable.size();
  FaultCounts unreported;  // these sectors are not lost yet
  DrawnLoss chooser(profile, s);
  chooser.begin_file(of);
  Image partial = settle_content(of, profile, chooser, unreported);
  partial.resize(size);
  inode->durable = std::move(partial);
  if (effect == AfterError::kStillDirty) return;
  // Data is clean and maybe nowhere; a changed size is the file system's business and still waits.
  for (size_t i = 0; i < of.changes; ++i) {
    Change& c = inode->pending[i];
    c = {c.sequence, Change::Kind::kSize, c.size_after, 0, c.size_after, {}};
  }
  inode->diverged = true;
}

void DiskModel::power_loss(const LossProfile& profile, Stream& s, FaultCounts& counts) {
  s.next();
  DrawnLoss chooser(profile, s.about());
  power_loss(profile, chooser, counts);
}

void DiskModel::power_loss(const LossProfile& profile, LossChooser& chooser, FaultCounts& counts) {
  // Contents first: also of files whose names will not survive, so that choices do not depend on names.
  std::map<uint64_t, bool> lost_data;
  for (auto& [number, inode] : inodes_) {
    if (inode->directory || inode->pending.empty()) continue;
    uint64_t lost_before = counts[Fault::kSectorLost] + counts[Fault::kSizeLost];
    FileLoss of{*inode, inode->pending.size()};
    chooser.begin_file(of);
    Image content = settle_content(of, profile, chooser, counts);
    content.resize(settle_size(of, chooser, counts));
    inode->durable = std::move(content);
    inode->pending.clear();
    lost_data[number] = counts[Fault::kSectorLost] + counts[Fault::kSizeLost] > lost_before;
  }

  chooser.begin_names(name_changes_.size());
  std::vector<const NameChange*> lost;
  for (const NameChange& c : name_changes_) {
    bool may = std::ranges::none_of(lost, [&](const NameChange* l) { return profile.ordered || c.depends_on(*l); });
    bool keep = chooser.survives({[&c] { return c.text(); }, c.sequence, may}) && may;
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
