#include "core/journal_recovery.h"

#include <fmt/format.h>

#include "core/journal_damage.h"
#include "io/base/probe.h"

namespace holdfast::core {

namespace {

// A group of the log as it will be: in its old place, or where the unproven end was copied to.
struct PlacedGroup {
  GroupHeader header;
  Hash128 hash;
  bool sound = true;
};

class Recovery {
 public:
  Recovery(io::Host& host, std::string directory, JournalIdentity identity, JournalOptions options, JournalPosition base)
      : disk_(host.disk),
        directory_(std::move(directory)),
        identity_(identity),
        key_(identity),
        options_(options),
        base_(base) {}

  io::Task<Result<Recovered>> run(ReplaySink& replay) {
    HF_CO_CHECK_OK(co_await list_files());
    HF_CO_CHECK_OK(co_await scan());
    decision_ = decide_chain(base_, scanned_);
    if (decision_.lost || decision_.damage) {
      SOMETIMES(decision_.lost.has_value(), "journal-segment-lost");
      std::string what = decision_.lost ? describe_lost(directory_, *decision_.lost)
                                        : co_await describe_damage(disk_, directory_, identity_, *decision_.damage);
      if (!options_.accept_loss) co_return fail(Code::kCorrupt, std::move(what));
      notes_.push_back("given up: " + what);
    }
    co_await note_condemned();
    co_await keep_cuts();
    HF_CO_CHECK_OK(co_await make_tail());
    co_await remove_unused();
    HF_CO_CHECK_OK(co_await replay_all(replay));
    co_return finish();
  }

 private:
  std::string path(SegmentSeq seq) const { return directory_ + "/" + segment_name(seq); }
  const ScannedGroup& scanned(ChainLink l) const { return scanned_[l.segment].groups[l.group]; }
  bool trusts_cache() const { return MUTANT("trust-page-cache-at-open") || MUTANT("believe-tail-after-sync"); }

  io::Task<Result<>> list_files() {
    HF_CO_TRY(found, co_await disk_.list(directory_));
    next_ = base_.segment.next();
    for (const io::DirEntry& e : found) {
      std::string_view name = e.name;
      bool unfinished = name.ends_with(kUnfinishedSuffix);
      if (unfinished) name.remove_suffix(kUnfinishedSuffix.size());
      auto seq = parse_segment_name(name);
      if (!seq || e.is_directory) continue;
      // The number of an unfinished one is not used again either: its removal may not last.
      next_ = std::max(next_, seq->next());
      SOMETIMES(unfinished, "journal-unfinished-segment");
      if (unfinished && MUTANT("unfinished-segment-adopted")) {
        HF_CO_CHECK_OK(co_await disk_.rename(directory_ + "/" + e.name, path(*seq)));
        unfinished = false;
      }
      if (!unfinished) {
        files_.push_back(*seq);
      } else if (auto removed = co_await disk_.remove(directory_ + "/" + e.name); !removed) {
        notes_.push_back(fmt::format("{}/{} could not be removed: {}", directory_, e.name, removed.error().text()));
      }
    }
    co_return Result<>();
  }

  io::Task<Result<>> scan() {
    for (SegmentSeq seq : files_) {
      if (seq < base_.segment) continue;
      bool first = seq == base_.segment;
      HF_CO_TRY(bytes, co_await io::read_whole(disk_, path(seq), UINT64_MAX));
      uint64_t start = first ? base_.offset : kJournalBlock;
      if (start < kJournalBlock || start % group_alignment() != 0 || start > bytes.size())
        co_return fail(Code::kCorrupt, fmt::format("{} has {} bytes and no group can start at {}, where the checkpoint says "
                                                   "that the log goes on; restore it from a backup", path(seq), bytes.size(), start));
      ScannedSegment s = scan_segment(bytes, seq, start, identity_);
      s.outdated = first && is_outdated(bytes, base_, identity_);
      HF_CO_CHECK_OK(check_segment(s));
      scanned_.push_back(std::move(s));
    }
    bool base_there = !scanned_.empty() && scanned_.front().seq == base_.segment;
    if (base_.segment.value != 0 && !base_there)
      co_return fail(Code::kCorrupt, fmt::format("{} is missing, and the MANIFEST says that the log after LSN {} is in "
                                                 "it. Restore it from a backup",
                                                 path(base_.segment), base_.lsn.value));
    co_return Result<>();
  }

  Result<> check_segment(const ScannedSegment& s) {
    if (s.header == Found::kNewer || s.newer)
      return fail(Code::kUnsupported, path(s.seq) + " was written by a newer version of Holdfast; start that one");
    if (s.header == Found::kForeign && !MUTANT("segment-of-another-cluster-accepted"))
      return fail(Code::kCorrupt, path(s.seq) + " belongs to another server or is not where it was; put back the right file");
    if (s.header == Found::kBad)
      notes_.push_back(path(s.seq) + " has a damaged header; its groups carry their own");
    if (s.bytes < s.expected_bytes)
      return fail(Code::kCorrupt, fmt::format("{} has {} bytes of {}: it was cut short. Restore it from a backup", path(s.seq),
                                              s.bytes, s.expected_bytes));
    return {};
  }

  io::Task<void> note_condemned() {
    for (ChainLink l : decision_.condemned) {
      const GroupHeader& h = scanned(l).header;
      notes_.push_back(co_await describe_condemned(disk_, directory_, identity_, h));
    }
    for (JournalPlace p : decision_.lost_seals)
      notes_.push_back(fmt::format("{} at offset {} is damaged; no entry was there, nothing is lost", path(p.segment), p.offset));
  }

  // Keeps what is cut, for whoever wonders. Failing to is no reason not to start.
  io::Task<void> keep_cuts() {
    for (const CutRange& cut : decision_.cuts) {
      SegmentSeq seq = scanned_[cut.segment].seq;
      SOMETIMES(true, "journal-torn-tail-cut");
      std::string kept = fmt::format("{}/torn-{}", directory_, segment_name(seq));
      auto saved = co_await keep_cut(disk_, path(seq), kept, cut);
      if (!saved && saved.error().code == Code::kExists) saved = {};
      notes_.push_back(fmt::format("cut {} bytes at offset {} of {}: torn after LSN {}, nothing there was known to be durable; {}",
                                   cut.to - cut.from, cut.from, path(seq), decision_.last.value,
                                   saved ? "kept in " + kept : "not kept: " + saved.error().text()));
    }
  }

  SegmentPlan plan(uint64_t group_bytes) {
    // What the log is in so far: what is copied makes the segments after that superfluous.
    SegmentSeq previous = groups_.empty() ? base_.segment : groups_.back().header.place.segment;
    uint64_t size = std::max(options_.segment_bytes, segment_bytes_for(group_bytes));
    SegmentPlan p{directory_, identity_, next_, size, previous};
    ++next_;
    return p;
  }

  // The segment in which the log goes on, with a durable copy of the unproven end.
  io::Task<Result<>> make_tail() {
    const std::vector<ChainLink>& chain = decision_.chain;
    size_t proven = trusts_cache() ? chain.size() : decision_.proven;
    std::vector<ChainLink> unproven;
    uint64_t bytes = 0;
    for (size_t i = 0; i < chain.size(); ++i) {
      const ScannedGroup& g = scanned(chain[i]);
      if (i < proven) {
        groups_.push_back({g.header, g.hash, g.sound});
      } else if (g.header.entry_count > 0) {
        unproven.push_back(chain[i]);
        bytes += g.header.extent();
      }
    }
    chain_ = groups_.empty() ? base_.chain : groups_.back().hash;
    if (MUTANT("believe-tail-after-sync")) HF_CO_CHECK_OK(co_await sync_scanned());

    SOMETIMES(!unproven.empty(), "journal-tail-copied");
    SOMETIMES(!unproven.empty() && unproven.front().segment != unproven.back().segment, "journal-tail-across-segments");
    SegmentPlan where = plan(bytes);
    HF_CO_TRY(segment, co_await begin_segment(disk_, where));
    segment_ = std::move(segment);
    for (ChainLink l : unproven) HF_CO_CHECK_OK(co_await copy_group(scanned(l).header));
    HF_CO_CHECK_OK(co_await finish_tail(where));
    files_.push_back(segment_->seq);
    co_return Result<>();
  }

  io::Task<Result<>> copy_group(GroupHeader header) {
    HF_CO_TRY(bytes, co_await read_group(header));
    encoder_.begin({segment_->seq, segment_->offset});
    EntryReader entries(payload(header, bytes), payload_place(header), key_);
    std::shared_ptr<Entry> entry;
    while (true) {
      EntryReader::State state = entries.next(entry);
      if (state == EntryReader::State::kEnd) break;
      if (state != EntryReader::State::kWhole) co_return bad_group(header);
      encoder_.add(*entry);
    }
    header.previous = chain_;
    header.durable = std::min(decision_.proof, decision_.last);
    Bytes group = encoder_.finish(header);
    HF_CO_CHECK_OK(co_await io::write_fully(*segment_->file, segment_->offset, group));
    chain_ = encoder_.hash();
    segment_->offset += group.size();
    groups_.push_back({header, chain_});
    co_return Result<>();
  }

  // What was sound when it was scanned is read again; if it is not what it was, the disk is at fault.
  io::Task<Result<Buffer>> read_group(GroupHeader header, bool sound = true) {
    if (!file_ || file_seq_ != header.place.segment) {
      HF_CO_TRY(file, co_await disk_.open(path(header.place.segment), io::Open::kRead));
      file_ = std::move(file);
      file_seq_ = header.place.segment;
    }
    Buffer bytes;
    grow(bytes, header.extent());
    HF_CO_CHECK_OK(co_await io::read_exactly(*file_, header.place.offset, bytes));
    GroupHeader again;
    bool same = parse_group_header(bytes, header.place, key_, again) == Found::kGood && again == header;
    if (!same || group_is_sound(header, bytes) != sound || !(sound || group_is_legible(header, bytes, key_)))
      co_return bad_group(header);
    co_return bytes;
  }
  static Bytes payload(const GroupHeader& h, Bytes group) { return group.substr(kGroupHeaderBytes, h.payload_bytes); }
  static JournalPlace payload_place(const GroupHeader& h) { return {h.place.segment, h.place.offset + kGroupHeaderBytes}; }
  std::unexpected<Error> bad_group(const GroupHeader& h) const {
    return fail(Code::kCorrupt, fmt::format("{} at offset {}: the group of LSN {} reads differently each time, or is not what its "
                                            "checksum covers; check the disk", path(h.place.segment), h.place.offset, h.first.value));
  }

  // Spares of an earlier life. Should a removal not last, they are found unused again.
  io::Task<void> remove_unused() {
    for (size_t s : decision_.unused) {
      SegmentSeq seq = scanned_[s].seq;
      std::erase(files_, seq);
      if (auto removed = co_await disk_.remove(path(seq)); !removed)
        notes_.push_back(fmt::format("{} could not be removed: {}", path(seq), removed.error().text()));
    }
  }

  io::Task<Result<>> replay_all(ReplaySink& replay) {
    Lsn last = base_.lsn;
    for (const PlacedGroup& g : groups_) {
      if (g.header.entry_count == 0) continue;
      HF_CO_TRY(bytes, co_await read_group(g.header, g.sound));
      EntryReader entries(payload(g.header, bytes), payload_place(g.header), key_);
      std::shared_ptr<Entry> entry;
      while (true) {
        EntryReader::State state = entries.next(entry);
        if (state == EntryReader::State::kEnd) break;
        bool condemned = state == EntryReader::State::kDamaged && !g.sound;
        if (state != EntryReader::State::kWhole && !condemned) co_return bad_group(g.header);
        if (entry->lsn != last.next() && !MUTANT("continue-after-bad-group")) co_return bad_group(g.header);
        last = entry->lsn;
        SOMETIMES(condemned, "journal-entry-condemned");
        if (condemned) HF_CO_CHECK_OK(co_await replay.condemned(std::move(entry)));
        else HF_CO_CHECK_OK(co_await replay.replay(std::move(entry)));
      }
      if (last != g.header.last()) co_return bad_group(g.header);
    }
    co_return Result<>();
  }

  Result<Recovered> finish() {
    JournalMarks marks(base_);
    Lsn sealed = base_.lsn;
    for (const PlacedGroup& g : groups_) {
      const GroupHeader& h = g.header;
      if (h.entry_count > 0) marks.add({h.last(), g.hash, h.place.segment, h.place.offset + h.extent()}, h.extent());
      sealed = std::max(sealed, h.durable);
    }
    Recovered out{.tail = {.segment = std::move(segment_),
                           .last = decision_.last,
                           .chain = chain_,
                           .sealed = std::min(sealed, decision_.last),
                           .marks = std::move(marks),
                           .next = next_,
                           .segments = std::move(files_)},
                  .last = decision_.last,
                  .clean = decision_.clean,
                  .notes = std::move(notes_)};
    return out;
  }

  io::Task<Result<>> finish_tail(SegmentPlan where) {
    bool early = MUTANT("tail-renamed-before-sync"), never = MUTANT("tail-not-synced");
    if (!early && !never) co_return co_await finish_segment(disk_, where, *segment_);
    std::string name = path(where.seq);
    HF_CO_CHECK_OK(co_await disk_.rename(name + std::string(kUnfinishedSuffix), name));
    HF_CO_CHECK_OK(co_await disk_.sync_dir(directory_));
    if (early) co_return co_await segment_->file->sync();
    co_return Result<>();
  }

  // Only for a planted bug.
  io::Task<Result<>> sync_scanned() {
    for (const ScannedSegment& s : scanned_) {
      HF_CO_TRY(file, co_await disk_.open(path(s.seq), io::Open::kReadWrite));
      HF_CO_CHECK_OK(co_await file->sync());
    }
    co_return co_await disk_.sync_dir(directory_);
  }

  io::Disk& disk_;
  const std::string directory_;
  const JournalIdentity identity_;
  const LogKey key_;
  const JournalOptions options_;
  const JournalPosition base_;

  std::vector<SegmentSeq> files_;  // all segments, sorted
  SegmentSeq next_;
  std::vector<ScannedSegment> scanned_;
  ChainDecision decision_;
  std::vector<std::string> notes_;

  SegmentPtr segment_;
  GroupEncoder encoder_{key_};
  std::vector<PlacedGroup> groups_;
  Hash128 chain_;
  std::unique_ptr<io::File> file_;  // the segment last read
  SegmentSeq file_seq_;
};

}  // namespace

io::Task<Result<Recovered>> recover_journal(io::Host& host, std::string directory, JournalIdentity identity,
                                            JournalOptions options, JournalPosition base, ReplaySink& replay) {
  Recovery recovery(host, std::move(directory), identity, options, base);
  co_return co_await recovery.run(replay);
}

}  // namespace holdfast::core
