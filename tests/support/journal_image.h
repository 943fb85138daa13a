// Journals drawn by hand: segments as text become the bytes that the journal's writer would have written, and a
// decision about them becomes text.
//
//   "1: [1-3] [4-5 d3] [seal d5 clean]" segment 1 with two groups and a seal; d: the durable LSN in the header (else 0)
//   "3 after 2: [6-6]" its header names segment 2 as the one before
//   "1: [1-3] [4-5 !payload]" a byte of its entries flipped; !header: a byte of its header; !zero: never written;
//   !padding "3: <3 [4-5]" goes on after LSN 3 instead of after the group drawn before "2:" a segment that was never
//   used
// Every entry touches (database 1, shard its LSN modulo 4), and takes a bit more than 100 bytes. Groups take one block
// each unless "wide" is said: two.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/journal_chain.h"

namespace holdfast::test {

inline constexpr core::JournalIdentity kImageIdentity{11, 22};
inline constexpr uint64_t kImageSegmentBytes = 16 * core::kJournalBlock;

std::shared_ptr<core::Entry> image_entry(Lsn lsn, size_t body_bytes = 60);

class JournalImage {
 public:
  /// One line per segment.
  explicit JournalImage(std::string_view drawing);

  std::map<SegmentSeq, Buffer>& files() { return files_; }
  core::JournalPosition base() const { return base_; }
  /// Starts the recovery after the newest group drawn so far that ends at that LSN.
  void set_base(Lsn lsn);
  std::vector<core::ScannedSegment> scan() const;
  core::ChainDecision decide() const;
  /// As "log 1-3 4-5 seal; proven 1, proof 3; cut 1@12288; damage ...".
  std::string decision() const;

 private:
  void draw_segment(std::string_view line);
  void draw_group(SegmentSeq seq, uint64_t& offset, std::string_view what);
  void go_back_to(Lsn lsn);

  core::GroupEncoder encoder_;
  std::map<SegmentSeq, Buffer> files_;
  std::vector<core::JournalPosition> ends_;  // of all groups, as drawn
  core::JournalPosition at_;                 // what the next group follows
  core::JournalPosition base_;
};

}  // namespace holdfast::test
