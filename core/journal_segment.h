// Segment files: their names, how one comes to be, and the supply that keeps one spare ready.
//
// Place in the system: the journal's writer takes segments from the supply, recovery makes the first of a life itself. One core.
//
// Invariant: a file called journal/<seq> is whole from the first moment that its name can be seen, also after a crash. It is made as <seq>.new, filled with
// zeros, given its header, synced, then renamed, and the directory synced. So a segment that is short or without a valid header was damaged later, and
// bytes in it that are not zero were written as groups. Files are never used a second time.
#pragma once

#include <functional>
#include <string>

#include "core/journal_format.h"
#include "io/host.h"

namespace holdfast::core {

/// The file's name: 16 lower-case hexadecimal digits, so that names sort as numbers.
std::string segment_name(SegmentSeq seq);
/// Nothing for any other name.
std::optional<SegmentSeq> parse_segment_name(std::string_view name);
inline constexpr std::string_view kUnfinishedSuffix = ".new";

/// An open segment: groups go to `offset`.
struct Segment {
  SegmentSeq seq;
  uint64_t bytes = 0;
  uint64_t offset = kJournalBlock;
  std::unique_ptr<io::File> file;
};
using SegmentPtr = std::shared_ptr<Segment>;

/// Room at a segment's end that only seals use: after the last group one for the quiet moment and one for the clean shutdown. So sealing never needs a
/// new segment, not even on a full disk.
inline constexpr uint64_t kSealReserve = 2 * kJournalBlock;

/// The smallest segment that holds groups of so many bytes together.
inline constexpr uint64_t segment_bytes_for(uint64_t group_bytes) { return kJournalBlock + group_bytes + kSealReserve; }

struct SegmentPlan {
  std::string directory;
  JournalIdentity identity;
  SegmentSeq seq;
  uint64_t bytes = 0;
  SegmentSeq previous;  ///< that the log is in now; 0: none yet
};

/// Makes <seq>.new with zeros and a header; not durable, and not a segment yet.
io::Task<Result<SegmentPtr>> begin_segment(io::Disk& disk, SegmentPlan plan);
/// Syncs it with whatever groups were written meanwhile, and gives it its name. Durable when this returns.
io::Task<Result<>> finish_segment(io::Disk& disk, SegmentPlan plan, Segment& segment);
/// Both; removes what it began when it fails.
io::Task<Result<SegmentPtr>> create_segment(io::Disk& disk, SegmentPlan plan);

/// Keeps one spare segment ready. When the disk is full it tries again every second, and says so.
class SegmentSupply {
 public:
  /// Told of from run(); must not wait.
  struct Events {
    std::function<void(bool)> disk_full;
    std::function<void(Error)> failed;
  };

  /// `in_use`: the segment that the log is in.
  SegmentSupply(io::Disk& disk, std::string directory, JournalIdentity identity, uint64_t segment_bytes,
                SegmentSeq in_use, SegmentSeq next);

  /// The task that makes the spares; ends after close().
  io::Task<void> run(Events events);

  /// The next segment, with room for at least `bytes` in all; waits while it is being made. Null after close().
  io::Task<SegmentPtr> take(uint64_t bytes);

  /// From now on a full disk is a failure: somebody wants to stop.
  void hurry();
  void close();

 private:
  io::Task<void> make_spare(Events& events);
  uint64_t wanted() const { return std::max(segment_bytes_, needed_); }

  io::Disk& disk_;
  const std::string directory_;
  const JournalIdentity identity_;
  const uint64_t segment_bytes_;
  SegmentSeq in_use_;
  SegmentSeq next_;
  SegmentPtr spare_;
  uint64_t needed_ = 0;  ///< bytes that somebody waits for
  bool full_ = false;
  bool hurry_ = false;
  bool closed_ = false;
  io::WaitList wake_;   ///< run() waits here
  io::WaitList ready_;  ///< take() waits here
};

}  // namespace holdfast::core
