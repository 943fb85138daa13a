#include "core/journal_damage.h"

#include <fmt/format.h>

#include "core/journal_segment.h"

namespace holdfast::core {

namespace {

constexpr size_t kListedMax = 8;  // touched documents named in one message

// What is left of the group at that place: at most `limit` bytes, nothing when it cannot be read.
io::Task<Result<Buffer>> read_remains(io::Disk& disk, std::string path, uint64_t offset, uint64_t limit) {
  HF_CO_TRY(file, co_await disk.open(path, io::Open::kRead));
  HF_CO_TRY(size, co_await file->size());
  Buffer out;
  if (offset >= size) co_return out;
  grow(out, std::min(limit, size - offset));
  HF_CO_CHECK_OK(co_await io::read_exactly(*file, offset, out));
  co_return out;
}

// "LSN 17 (database 1, shard 3, id hash 00000000000000ab)", and so on, for the entries that are damaged.
std::string list_touched(Bytes remains, JournalPlace place, LogKey key) {
  if (remains.size() <= kGroupHeaderBytes) return "nothing can be read there any more";
  EntryReader entries(remains.substr(kGroupHeaderBytes), {place.segment, place.offset + kGroupHeaderBytes}, key);
  std::string out;
  size_t listed = 0;
  std::shared_ptr<Entry> entry;
  for (auto state = entries.next(entry);; state = entries.next(entry)) {
    if (state == EntryReader::State::kEnd) break;
    if (state == EntryReader::State::kLost) {
      if (out.empty()) return "what it touched cannot be read any more";
      return out + ", and others that cannot be read any more";
    }
    if (state == EntryReader::State::kWhole) continue;
    for (const Touched& t : entry->touched) {
      if (++listed > kListedMax) return out + " and others";
      out += fmt::format("{}LSN {} (database {}, collection {}, shard {}, id hash {:016x})", out.empty() ? "" : ", ",
                         entry->lsn.value, t.database.value, t.collection.value, t.shard.value, t.id_hash);
    }
  }
  return out.empty() ? "every entry in it is whole, its header or padding is not; nothing is lost" : out;
}

}  // namespace

io::Task<std::string> describe_damage(io::Disk& disk, std::string directory, JournalIdentity identity, JournalDamage damage) {
  std::string path = directory + "/" + segment_name(damage.place.segment);
  constexpr uint64_t kLookMax = uint64_t{1} << 20;
  LogKey key(identity);
  uint64_t limit = kLookMax;
  if (damage.header) {
    // With a good header the group's own length is known.
    auto head = co_await read_remains(disk, path, damage.place.offset, kGroupHeaderBytes);
    GroupHeader header;
    if (head && parse_group_header(*head, damage.place, key, header) == Found::kGood)
      limit = kGroupHeaderBytes + header.payload_bytes;
  }
  auto remains = co_await read_remains(disk, path, damage.place.offset, limit);
  std::string touched = remains ? list_touched(*remains, damage.place, key) : remains.error().text();
  std::string lost = damage.first_lost == damage.proven
                         ? fmt::format("LSN {}", damage.proven.value)
                         : fmt::format("LSNs {} to {}", damage.first_lost.value, damage.proven.value);
  co_return fmt::format("{} at offset {} is damaged: the log breaks there, and {} had been durable. Damaged: {}. "
                        "Restore the file from a backup, or give up what is lost with holdfastd repair --accept-loss",
                        path, damage.place.offset, lost, touched);
}

std::string describe_lost(const std::string& directory, LostSegment lost) {
  std::string path = directory + "/" + segment_name(lost.segment);
  std::string what =
      lost.named_by == SegmentSeq(0)
          ? path + " is an older one: the end of the log that the MANIFEST names is not in it"
          : fmt::format("{} is missing, and {} says that the log was in it", path, segment_name(lost.named_by));
  return what + ". Restore the file from a backup, or give up what is lost with holdfastd repair --accept-loss";
}

io::Task<std::string> describe_condemned(io::Disk& disk, std::string directory, JournalIdentity identity, GroupHeader group) {
  std::string path = directory + "/" + segment_name(group.place.segment);
  auto remains = co_await read_remains(disk, path, group.place.offset, kGroupHeaderBytes + group.payload_bytes);
  std::string touched = remains ? list_touched(*remains, group.place, LogKey(identity)) : remains.error().text();
  co_return fmt::format("{} at offset {}: LSNs {} to {} had been durable and are damaged: {}", path, group.place.offset,
                        group.first.value, group.last().value, touched);
}

io::Task<Result<>> keep_cut(io::Disk& disk, std::string segment_path, std::string kept_path, CutRange cut) {
  uint64_t length = std::min(cut.to - cut.from, kKeptCutBytesMax);
  HF_CO_TRY(bytes, co_await read_remains(disk, std::move(segment_path), cut.from, length));
  HF_CO_TRY(file, co_await disk.open(std::move(kept_path), io::Open::kCreate));
  HF_CO_CHECK_OK(co_await io::write_fully(*file, 0, bytes));
  co_return co_await file->sync();
}

}  // namespace holdfast::core
