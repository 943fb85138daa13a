// A power loss as a stream draws it.
#include <fmt/format.h>

#include <algorithm>

#include "sim/loss.h"

namespace holdfast::sim {

DrawnLoss::Mood DrawnLoss::draw_mood() {
  if (profile_.mood == LossProfile::Mood::kKeepAll) return Mood::kKeepAll;
  if (profile_.mood == LossProfile::Mood::kLoseAll) return Mood::kLoseAll;
  return static_cast<Mood>(stream_.harm(static_cast<uint64_t>(Mood::kCount)));
}

Rate DrawnLoss::loss_rate() const {
  if (mood_ == Mood::kMostly) return 100'000;
  return mood_ == Mood::kHalf ? 500'000 : 900'000;
}

void DrawnLoss::begin_file(const FileLoss& file) {
  stream_ = all_.child(fmt::format("inode-{}", file.file.number));
  mood_ = draw_mood();
  prefix_ = mood_ == Mood::kPrefix ? stream_.decide(file.changes + 1, Draw::kSame) : 0;
}

size_t DrawnLoss::draw_version(const SectorLoss& s) {
  if (mood_ == Mood::kKeepAll) return s.newest();
  if (mood_ == Mood::kLoseAll) return 0;
  if (s.must_be_newest) return s.newest();
  if (mood_ == Mood::kPrefix)
    return static_cast<size_t>(
        std::ranges::count_if(s.touches, [&](const SectorLoss::Touch& t) { return t.second < prefix_; }));
  if (!stream_.chance(loss_rate(), Draw::kSame)) return s.newest();
  return stream_.decide(s.newest(), Draw::kSame);
}

SectorFate DrawnLoss::sector(const SectorLoss& s) {
  stream_.next();  // what becomes of one does not depend on the others
  SectorFate fate{.version = draw_version(s)};
  if (!is_mixed()) return fate;
  if (stream_.chance(profile_.torn, Draw::kSame)) return tear(s);
  if (fate.version == 0 && s.may_be_garbage && stream_.chance(profile_.garbage, Draw::kSame)) {
    fate.cut = 0;
    fate.garbage = stream_.bits(Draw::kSame);
  }
  return fate;
}

// Left part of one version, right part of an older one or garbage.
SectorFate DrawnLoss::tear(const SectorLoss& s) {
  SectorFate fate;
  fate.version = stream_.between(1, s.newest(), Draw::kSame);
  fate.right = stream_.decide(fate.version, Draw::kSame);
  fate.cut = stream_.between(1, kSectorBytes - 1, Draw::kSame);
  if (stream_.chance(profile_.garbage, Draw::kSame)) fate.garbage = stream_.bits(Draw::kSame);
  return fate;
}

size_t DrawnLoss::size(const FileLoss& file) {
  if (mood_ == Mood::kLoseAll) return 0;
  if (mood_ == Mood::kPrefix) return prefix_;
  if (is_mixed() && stream_.chance(loss_rate())) return stream_.decide(file.changes + 1, Draw::kSame);
  return file.changes;
}

void DrawnLoss::begin_names(size_t count) {
  names_asked_ = 0;
  stream_ = all_.child("names");
  mood_ = count == 0 ? Mood::kKeepAll : draw_mood();
  if (profile_.ordered && mood_ != Mood::kKeepAll && mood_ != Mood::kLoseAll) mood_ = Mood::kPrefix;
  prefix_ = mood_ == Mood::kPrefix ? stream_.decide(count + 1, Draw::kSame) : 0;
}

bool DrawnLoss::survives(const NameLoss&) {
  uint64_t index = names_asked_++;
  if (is_mixed()) return !stream_.chance(loss_rate());
  return mood_ == Mood::kKeepAll || (mood_ == Mood::kPrefix && index < prefix_);
}

}  // namespace holdfast::sim
