// What recovery tells people about bytes that are not part of the log: a description of damage, and a copy of what was cut.
#pragma once

#include <string>

#include "core/journal_chain.h"
#include "io/disk.h"

namespace holdfast::core {

/// One sentence that names file, offset and LSNs and, where entry headers can still be read, what the damaged entries touch.
io::Task<std::string> describe_damage(io::Disk& disk, std::string directory, JournalIdentity identity, JournalDamage damage);

/// One sentence that names the segment and what tells that it held the log.
std::string describe_lost(const std::string& directory, LostSegment lost);

/// One sentence about a group of the log that is not sound, and what cannot be read any more because of it.
io::Task<std::string> describe_condemned(io::Disk& disk, std::string directory, JournalIdentity identity, GroupHeader group);

/// At most so many bytes of one cut are kept.
inline constexpr uint64_t kKeptCutBytesMax = uint64_t{16} << 20;

/// Copies the beginning of the cut range of `segment_path` into a new file. kExists when an earlier recovery kept it.
io::Task<Result<>> keep_cut(io::Disk& disk, std::string segment_path, std::string kept_path, CutRange cut);

}  // namespace holdfast::core
