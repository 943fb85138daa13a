// What a power loss leaves open, as questions to a LossChooser.
//
// DiskModel::power_loss asks them in a fixed order: for every file with unsynced changes, in the order of inodes, what
// became of each sector, in order, and of the size; then for every change of names, in order, whether it survived. It
// is the one place that knows what is legal; whoever answers only chooses. DrawnLoss answers from a seed's stream;
// LossSpace (loss_space.h) goes through the answers one by one.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "sim/disk_model.h"

namespace holdfast::sim {

using Sector = std::array<char, kSectorBytes>;

/// A file with changes that may be lost.
struct FileLoss {
  const Inode& file;
  size_t changes;  ///< how many of the pending ones are at stake: the first so many

  /// The size once the first `n` changes are there.
  uint64_t size_after(size_t n) const { return n == 0 ? file.durable.size() : file.pending[n - 1].size_after; }
};

/// One sector with unsynced changes.
struct SectorLoss {
  using Touch = std::pair<uint64_t, uint32_t>;  ///< sector, index of the change
  const FileLoss& of;
  uint64_t sector;
  std::span<const Touch> touches;  ///< the changes of this sector, oldest first
  bool must_be_newest;             ///< the ordered profile keeps what lies beyond the durable size
  bool may_be_garbage;             ///< wholly: the file never had it before

  size_t newest() const { return touches.size(); }
  /// What the sector held after the first `n` of its changes; 0: what is durable.
  Sector version(size_t n) const;
  /// The sequence number of the change that made version `n`; 0 for the durable one.
  uint64_t sequence(size_t n) const { return n == 0 ? 0 : of.file.pending[touches[n - 1].second].sequence; }
};

/// What became of one sector: a version, or up to `cut` a version and from there on an older one or garbage.
struct SectorFate {
  size_t version = 0;
  size_t cut = kSectorBytes;
  size_t right = 0;                 ///< behind the cut: this version, older than `version`
  std::optional<uint64_t> garbage;  ///< behind the cut, instead: bytes that follow from this number
};

/// One unsynced change of names.
struct NameLoss {
  std::function<std::string()> text;  ///< for people; valid during the call
  uint64_t sequence;
  bool may_survive;  ///< false: it rests on one that was lost
};

class LossChooser {
 public:
  virtual ~LossChooser() = default;
  virtual void begin_file(const FileLoss& file) = 0;
  virtual SectorFate sector(const SectorLoss& sector) = 0;
  /// After how many of the file's changes its size is from.
  virtual size_t size(const FileLoss& file) = 0;
  virtual void begin_names(size_t count) = 0;
  /// Asked of all, also of those that may not survive; the answer counts only if it may.
  virtual bool survives(const NameLoss& change) = 0;
};

/// The answers of a stream. Per file, and once for the names, a mood is drawn first. Each file and the names have a child
/// of the stream to themselves, and each sector is an occurrence there: sparing one leaves the others as they were.
class DrawnLoss final : public LossChooser {
 public:
  DrawnLoss(const LossProfile& profile, Stream s) : profile_(profile), all_(std::move(s)), stream_(all_) {}

  void begin_file(const FileLoss& file) override;
  SectorFate sector(const SectorLoss& sector) override;
  size_t size(const FileLoss& file) override;
  void begin_names(size_t count) override;
  bool survives(const NameLoss& change) override;

 private:
  // How one power loss treats one file, or the names. The tame choice comes first.
  enum class Mood : uint8_t { kKeepAll, kLoseAll, kMostly, kHalf, kSeldom, kPrefix, kCount };
  Mood draw_mood();
  bool is_mixed() const { return mood_ == Mood::kMostly || mood_ == Mood::kHalf || mood_ == Mood::kSeldom; }
  Rate loss_rate() const;
  size_t draw_version(const SectorLoss& sector);
  SectorFate tear(const SectorLoss& sector);

  const LossProfile& profile_;
  Stream all_;
  Stream stream_;  // of the current file, or of the names
  Mood mood_ = Mood::kKeepAll;
  uint64_t prefix_ = 0;
  uint64_t names_asked_ = 0;
};

}  // namespace holdfast::sim
