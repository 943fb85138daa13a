#include "chaos/suite/durable_log.h"

#include <algorithm>

#include "core/journal_chain.h"
#include "core/journal_segment.h"
#include "core/settings_format.h"

namespace holdfast::chaos {

std::optional<DurableLog::Start> DurableLog::start() const {
  sim::DurableView disk = server_.durable();
  std::optional<Buffer> bytes = disk.read(path_ + "/HOLDFAST");
  if (!bytes) return std::nullopt;
  auto settings = core::decode_settings(*bytes);
  if (!settings) return std::nullopt;
  const core::DirectorySettings& who = settings->slot.settings;
  std::optional<core::Manifest> newest;
  for (const io::DirEntry& entry : disk.list(path_)) {
    if (!entry.name.starts_with("MANIFEST.")) continue;
    auto manifest = core::decode_manifest(disk.read(path_ + "/" + entry.name).value_or(Buffer()), who.cluster_id, who.server_id);
    if (manifest && (!newest || newest->number < manifest->number)) newest = std::move(*manifest);
  }
  if (!newest) return std::nullopt;
  return Start{{who.cluster_id, who.server_id}, newest->position};
}

std::optional<core::JournalPosition> DurableLog::end_of(const core::JournalPosition& base) const {
  sim::DurableView disk = server_.durable();
  std::string journal = path_ + "/journal/";
  std::vector<core::ScannedSegment> scanned;
  for (const io::DirEntry& entry : disk.list(journal)) {
    std::optional<SegmentSeq> seq = core::parse_segment_name(entry.name);
    if (!seq || *seq < base.segment) continue;
    Buffer bytes = disk.read(journal + entry.name).value_or(Buffer());
    uint64_t from = *seq == base.segment ? base.offset : core::kJournalBlock;
    if (bytes.size() < from) continue;
    scanned.push_back(core::scan_segment(bytes, *seq, from, identity_));
  }
  std::sort(scanned.begin(), scanned.end(), [](const auto& a, const auto& b) { return a.seq < b.seq; });
  if (base.segment.value != 0 && (scanned.empty() || scanned.front().seq != base.segment)) return std::nullopt;
  core::ChainDecision decision = core::decide_chain(base, scanned);
  if (decision.damage) return std::nullopt;
  core::JournalPosition end = base;
  for (const core::ChainLink& link : decision.chain) {
    const core::ScannedGroup& group = scanned[link.segment].groups[link.group];
    if (group.header.entry_count > 0) end = {group.header.last(), group.hash, scanned[link.segment].seq, group.end()};
  }
  return end;
}

Lsn DurableLog::reaches() {
  if (position_) position_ = end_of(*position_);
  if (!position_) {
    std::optional<Start> from = start();
    if (!from) return Lsn();
    identity_ = from->identity;
    position_ = end_of(from->position);
  }
  return position_ ? position_->lsn : Lsn();
}

}  // namespace holdfast::chaos
