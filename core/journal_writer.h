// JournalWriter: the journal once it is open: group commit, syncs, seals.
//
// Tasks, all on one core: the writer makes groups and, in sync mode, syncs each; the syncer (async mode) syncs in the background; the supply
// makes spare segments. A failure anywhere stops them all: see fail_stop().
//
// Order of LSNs: committed <= written <= last taken, and durable <= written. Sync mode: committed == durable.
#pragma once

#include "core/journal_marks.h"
#include "core/journal_segment.h"

namespace holdfast::core {

/// Where writing goes on, as recovery leaves it.
struct JournalTail {
  SegmentPtr segment;  ///< synced, and named durably
  Lsn last;            ///< everything through here is durable
  Hash128 chain;       ///< of the group that the next one follows
  Lsn sealed;          ///< the newest `durable` in a group header that is durable itself
  JournalMarks marks;
  SegmentSeq next;  ///< no file has this number or a larger one
  std::vector<SegmentSeq> segments;  ///< files that release_before() may remove, in order
};

class JournalWriter final : public Journal {
 public:
  JournalWriter(io::Host& host, io::Executor& executor, std::string directory, JournalIdentity identity,
                JournalOptions options, JournalTail tail);

  void start(JournalSink& sink) override;
  Lsn append(std::shared_ptr<Entry> entry) override;
  Lsn last_lsn() const override { return last_; }
  Lsn committed_lsn() const override { return committed_; }
  Lsn durable_lsn() const override { return durable_; }
  io::Task<Result<>> flush() override;
  JournalPosition boundary_at(Lsn limit) const override { return marks_.at(limit); }
  uint64_t bytes_since(const JournalPosition& position) const override { return marks_.bytes_since(position); }
  io::Task<Result<>> release_before(JournalPosition position) override;
  io::Task<Result<>> stop() override;

 private:
  /// A group that is committed and not yet durable (async mode).
  struct Unsynced {
    Lsn last;
    uint64_t bytes;
    Time since;
  };

  bool async() const { return options_.mode == SyncMode::kAsync; }
  bool waiting() const { return queue_head_ < queue_.size(); }

  // The writer (journal_writer.cc).
  io::Task<void> run_writer();
  io::Task<bool> find_room(uint64_t& extent);
  io::Task<bool> rotate(uint64_t extent);
  io::Task<void> write_group();
  io::Task<bool> write_seal(bool clean);
  io::Task<bool> write_out(GroupHeader& header);
  uint64_t pick_batch();
  void take_batch();
  void commit();
  Time seal_due() const;

  // Durability (journal_sync.cc).
  io::Task<void> run_syncer();
  io::Task<bool> sync_written();
  io::Task<bool> sync_up_to(Lsn lsn);
  Time sync_due() const;
  bool lag_forbids(uint64_t extent) const;
  void made_durable(Lsn through);
  void fail_stop(Error error);

  io::Host& host_;
  io::Executor& executor_;
  const std::string directory_;
  const JournalIdentity identity_;
  const JournalOptions options_;
  const uint64_t incarnation_;
  JournalSink* sink_ = nullptr;
  std::optional<Error> error_;  ///< set once, for good
  bool stopping_ = false;
  bool stopped_ = false;

  // Taken and not yet written: queue_[queue_head_ ..).
  std::vector<EntryRef> queue_;
  size_t queue_head_ = 0;
  size_t picked_ = 0;            ///< entries of the group to be written next
  std::vector<EntryRef> batch_;  ///< the group being written

  GroupEncoder encoder_;
  SegmentSupply supply_;
  SegmentPtr segment_;
  std::vector<SegmentSeq> segments_;
  Hash128 chain_;
  Lsn last_;
  Lsn written_;
  Lsn committed_;
  Lsn durable_;
  Lsn sealed_;  ///< the newest durable LSN that a written header carries
  Time quiet_since_;  ///< when durable_ last moved
  JournalMarks marks_;
  uint64_t unmarked_bytes_ = 0;  ///< of seals since the newest mark

  std::vector<SegmentPtr> dirty_;    ///< written to since their last sync began
  std::vector<SegmentPtr> syncing_;
  std::deque<Unsynced> unsynced_;
  uint64_t unsynced_bytes_ = 0;
  bool sync_wanted_ = false;  ///< somebody waits for the next sync: do not put it off
  SegmentPtr previous_;       ///< only for a mutant

  io::WaitList work_;       ///< the writer waits here
  io::WaitList sync_work_;  ///< the syncer waits here
  io::WaitList synced_;     ///< whoever waits for durable_ to move
  io::Event writer_done_;
  io::Event syncer_done_;
  io::TaskGroup tasks_;
};

}  // namespace holdfast::core
