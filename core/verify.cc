// Verifying a directory: what it is, its checkpoints, its log; then every shard.
#include "core/verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/data_directory.h"
#include "core/journal_damage.h"
#include "core/journal_segment.h"
#include "core/sealed.h"
#include "core/settings_format.h"

namespace holdfast::core {
namespace {

class DirectoryVerifier {
 public:
  DirectoryVerifier(io::Host& host, VerifyOptions options) : host_(host), options_(std::move(options)) {}

  io::Task<Result<VerifyReport>> run() {
    Result<std::vector<io::DirEntry>> entries = co_await host_.disk.list(options_.data_path);
    if (!entries || std::none_of(entries->begin(), entries->end(), [](const io::DirEntry& e) { return e.name == "HOLDFAST"; }))
      co_return fail(Code::kNotFound, options_.data_path + " is no data directory of Holdfast: there is no HOLDFAST file in it");
    HF_CO_TRY(lock, co_await host_.disk.lock(path("LOCK")));
    HF_CO_CHECK_OK(co_await verify_settings());
    HF_CO_CHECK_OK(co_await verify_manifests());
    if (manifests_.empty()) co_return std::move(report_);
    HF_CO_CHECK_OK(co_await verify_journal());
    HF_CO_CHECK_OK(co_await verify_shards());
    co_return std::move(report_);
  }

 private:
  std::string path(std::string_view name) const { return options_.data_path + "/" + std::string(name); }

  io::Task<Result<Buffer>> read(const std::string& file) {
    if (options_.reading) options_.reading(file);
    HF_CO_TRY(bytes, co_await io::read_whole(host_.disk, file, UINT64_MAX));
    ++report_.files;
    report_.bytes += bytes.size();
    co_return bytes;
  }

  io::Task<Result<>> verify_settings() {
    HF_CO_TRY(bytes, co_await read(path("HOLDFAST")));
    Result<FoundSettings> found = decode_settings(bytes);
    if (!found) co_return fail(found.error().code, path("HOLDFAST") + ": " + found.error().message);
    settings_ = found->slot.settings;
    for (size_t i = 0; i < 2; ++i) {
      if (bytes.size() < (i + 1) * kBlockBytes) {
        report_.add_damage(path("HOLDFAST") + " is shorter than its two parts; the other one is good, and the next start mends this");
        continue;
      }
      Result<SettingsSlot> slot = decode_settings_slot(Bytes(bytes).substr(i * kBlockBytes, kBlockBytes));
      if (slot) continue;
      // A crash while the settings are changed leaves one slot torn.
      report_.notes.push_back(fmt::format("{}: part {} is not valid ({}); the other one is, and the next start mends this", path("HOLDFAST"), i + 1, slot.error().message));
    }
    if (settings_.initialized) co_return Result<>();
    HF_CO_TRY(finished, co_await holds_finished_start(host_.disk, options_.data_path));
    if (finished)
      report_.add_damage(path("HOLDFAST") +
          " says that the first start was not finished, and there is a database: it is an older one");
    else
      report_.notes.push_back("the first start of a server here was not finished; the next one begins anew");
    co_return Result<>();
  }

  io::Task<Result<>> verify_manifests() {
    HF_CO_TRY(found, co_await inspect_manifests(host_, options_.data_path, settings_.cluster_id, settings_.server_id));
    for (InspectedManifest& m : found) {
      ++report_.files;
      if (m.manifest) {
        if (manifests_.size() < 2) manifests_.push_back(std::move(*m.manifest));
        continue;
      }
      if (m.manifest.error().code == Code::kUnsupported) co_return fail(m.manifest.error().code, m.path + ": " + m.manifest.error().message);
      // The newest may be one that a crash left unfinished; the next newest was durable before.
      std::string what = m.path + " is not valid: " + m.manifest.error().message;
      if (m.manifest.error().code == Code::kIo)
        report_.add_damage(m.path + " cannot be read: " + m.manifest.error().message);
      else if (manifests_.empty())
        report_.notes.push_back(what + "; it was never finished, or is damaged; the one before counts");
      else
        report_.add_damage(what + "; it is the one to fall back to");
    }
    if (manifests_.empty() && settings_.initialized) report_.add_damage("no MANIFEST is valid: the checkpoints are gone; restore the directory from a backup");
    if (!manifests_.empty())
      for (const QuarantinedDocument& q : manifests_[0].quarantined)
        report_.add_damage(fmt::format("LSN {} changed a document (database {}, collection {}, shard {}, id hash {:016x}) and was damaged in the journal", q.lsn.value,
                                       q.touched.database.value, q.touched.collection.value, q.touched.shard.value, q.touched.id_hash));
    co_return Result<>();
  }

  io::Task<Result<>> verify_journal() {
    const std::string directory = path("journal");
    Result<std::vector<io::DirEntry>> entries = co_await host_.disk.list(directory);
    if (!entries && entries.error().code != Code::kNotFound) co_return fail(entries);
    if (!entries) {
      report_.add_damage(directory + " is missing");
      co_return Result<>();
    }
    const JournalIdentity identity{settings_.cluster_id, settings_.server_id};
    // From the older checkpoint on: it is what is fallen back to.
    const JournalPosition& base = manifests_.back().position;
    const Manifest& newest = manifests_.front();
    std::vector<ScannedSegment> scanned, after;  // after the newest checkpoint: what the engine reads
    for (const io::DirEntry& e : *entries) {
      auto seq = parse_segment_name(e.name);
      if (!seq) {
        report_.notes.push_back(fmt::format("{}/{} is no part of the log", directory, e.name));
        continue;
      }
      if (*seq < base.segment) continue;
      const std::string file = directory + "/" + e.name;
      HF_CO_TRY(bytes, co_await read(file));
      uint64_t start = *seq == base.segment ? base.offset : kJournalBlock;
      if (start > bytes.size()) {
        report_.add_damage(fmt::format("{} has {} bytes, and the log goes on at {}", file, bytes.size(), start));
        co_return Result<>();
      }
      ScannedSegment s = scan_segment(bytes, *seq, start, identity);
      if (s.header == Found::kNewer || s.newer) co_return fail(Code::kUnsupported, file + " was written by a newer version of Holdfast");
      if (s.header != Found::kGood) report_.add_damage(file + (s.header == Found::kForeign ? " belongs elsewhere" : ": its header is damaged"));
      if (s.bytes < s.expected_bytes) report_.add_damage(fmt::format("{} has {} bytes of {}", file, s.bytes, s.expected_bytes));
      s.outdated = *seq == base.segment && is_outdated(bytes, base, identity);
      for (const ScannedGroup& g : s.groups) read_entries(g, bytes, identity);
      if (*seq == newest.position.segment && newest.position.offset <= bytes.size()) {
        after.push_back(scan_segment(bytes, *seq, newest.position.offset, identity));
        after.back().outdated = is_outdated(bytes, newest.position, identity);
      } else if (*seq > newest.position.segment) {
        after.push_back(s);
      }
      scanned.push_back(std::move(s));
    }
    if (base.segment != SegmentSeq(0) && (scanned.empty() || scanned.front().seq != base.segment)) {
      report_.add_damage(fmt::format("{}/{} is missing; the log after LSN {} is in it", directory, segment_name(base.segment), base.lsn.value));
      co_return Result<>();
    }
    if (base.segment == SegmentSeq(0) && scanned.empty() && settings_.initialized) report_.add_damage(directory + " is empty, and all that was ever written is in it");
    ChainDecision d = decide_chain(base, scanned);
    if (d.lost) report_.add_damage(describe_lost(directory, *d.lost));
    if (d.damage) report_.add_damage(co_await describe_damage(host_.disk, directory, identity, *d.damage));
    if (!d.lost && !d.damage) verify_end(directory, d, after);
    for (ChainLink l : d.condemned) report_.add_damage(co_await describe_condemned(host_.disk, directory, identity, scanned[l.segment].groups[l.group].header));
    for (JournalPlace p : d.lost_seals) report_.add_damage(fmt::format("{}/{} at offset {} is damaged; no entry was there", directory, segment_name(p.segment), p.offset));
    for (const CutRange& c : d.cuts)
      report_.notes.push_back(fmt::format("{}/{}: {} bytes at offset {} are torn after LSN {}; nothing there is known to have been durable", directory,
                                          segment_name(scanned[c.segment].seq), c.to - c.from, c.from, d.last.value));
    co_return Result<>();
  }

  /// The newest checkpoint is a proof, too, of all through its position.
  void verify_end(const std::string& directory, const ChainDecision& whole, const std::vector<ScannedSegment>& after) {
    const Manifest& newest = manifests_.front();
    const JournalPosition& base = newest.position;
    if (base.segment == SegmentSeq(0)) return;
    if (after.empty() || after.front().seq != base.segment) {
      report_.add_damage(fmt::format(
          "{}/{} is missing or too short, and MANIFEST.{} says that the log after LSN {} is in it", directory,
          segment_name(base.segment), newest.number, base.lsn.value));
      return;
    }
    ChainDecision d = decide_chain(base, after);
    if (d.lost) report_.add_damage(describe_lost(directory, *d.lost));
    if (!d.lost && whole.last < base.lsn)
      report_.add_damage(fmt::format("{} ends after LSN {}, and MANIFEST.{} has LSN {}", directory, whole.last.value,
          newest.number, base.lsn.value));
  }

  /// Effects under a good checksum are well-formed, whoever wrote them.
  void read_entries(const ScannedGroup& g, Bytes file, JournalIdentity identity) {
    if (!g.sound) return;
    JournalPlace place{g.header.place.segment, g.header.place.offset + kGroupHeaderBytes};
    EntryReader entries(file.substr(place.offset, g.header.payload_bytes), place, LogKey(identity));
    std::shared_ptr<Entry> entry;
    for (auto state = entries.next(entry); state == EntryReader::State::kWhole; state = entries.next(entry)) {
      ++report_.entries;
      EffectReader effects(entry->effects);
      while (effects.next()) {
      }
      if (!effects.ok()) report_.add_damage(fmt::format("journal/{}: entry {} holds malformed effects", segment_name(place.segment), entry->lsn.value));
    }
  }

  io::Task<Result<>> verify_shards() {
    const Manifest& newest = manifests_.front();
    Result<std::vector<io::DirEntry>> there = co_await host_.disk.list(path("db"));
    if (!there && there.error().code != Code::kNotFound) co_return fail(there);
    if (!there) report_.add_damage(path("db") + " is missing");
    std::map<DatabaseId, std::string> names;
    for (const ManifestDatabase& d : newest.databases) names[d.id] = d.name;
    std::map<CollectionId, uint64_t> documents;
    uint64_t before = report_.damaged;
    for (const ShardCheckpoint& s : newest.shards) {
      HF_CO_TRY(truth, co_await verify_shard(host_, options_, path("db/" + names[s.database]), settings_.cluster_id, s, report_));
      for (const auto& [collection, n] : truth.documents) documents[collection] += n;
    }
    for (const ManifestCollection& c : newest.collections) {
      report_.documents += documents[c.id];
      // With records missing nothing can be said of counts.
      if (report_.damaged == before && documents[c.id] != c.documents)
        report_.add_damage(fmt::format("collection {} of database {} has {} documents, and the MANIFEST counts {}", c.name, names[c.database], documents[c.id], c.documents));
    }
    co_return Result<>();
  }

  io::Host& host_;
  const VerifyOptions options_;
  VerifyReport report_;
  DirectorySettings settings_;
  std::vector<Manifest> manifests_;  // newest first, two at most
};

}  // namespace

void VerifyReport::add_damage(std::string sentence) {
  ++damaged;
  if (damage.size() < kListedMax) damage.push_back(std::move(sentence));
}

io::Task<Result<VerifyReport>> verify_directory(io::Host& host, VerifyOptions options) {
  DirectoryVerifier verifier(host, std::move(options));
  co_return co_await verifier.run();
}

}  // namespace holdfast::core
