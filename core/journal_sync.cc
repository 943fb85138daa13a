// What is durable, and who waits for it: the second half of JournalWriter.
#include "core/journal_writer.h"
#include "io/base/probe.h"

namespace holdfast::core {

/// Syncs everything whose write had completed before the call; then it is durable. False: failed.
io::Task<bool> JournalWriter::sync_written() {
  HF_ASSERT(syncing_.empty(), "one sync at a time");
  Lsn through = written_;
  sync_wanted_ = false;
  syncing_.swap(dirty_);
  for (const SegmentPtr& segment : syncing_) {
    auto synced = co_await segment->file->sync();
    if (!synced && MUTANT("retry-after-sync-error")) synced = co_await segment->file->sync();
    if (!synced) fail_stop(std::move(synced.error()));
    if (error_) break;
  }
  SOMETIMES(syncing_.size() > 1, "journal-sync-across-segments");
  syncing_.clear();
  if (error_) co_return false;
  if (MUTANT("async-reports-more-durable")) through = written_;
  made_durable(through);
  co_return true;
}

/// Returns when `lsn`, whose write has completed, is durable. False: failed.
io::Task<bool> JournalWriter::sync_up_to(Lsn lsn) {
  if (!async()) co_return durable_ >= lsn || co_await sync_written();
  while (!error_ && durable_ < lsn) {
    sync_wanted_ = true;
    sync_work_.notify_all();
    co_await synced_.wait();
  }
  co_return !error_;
}

void JournalWriter::made_durable(Lsn through) {
  if (through > durable_) {
    durable_ = through;
    quiet_since_ = executor_.now();
    while (!unsynced_.empty() && unsynced_.front().last <= through) {
      unsynced_bytes_ -= unsynced_.front().bytes;
      unsynced_.pop_front();
    }
    // In sync mode the commit that follows tells.
    if (async() && sink_) sink_->durable(durable_);
    if (async() && !waiting()) work_.notify_all();  // a seal may be due
  }
  synced_.notify_all();
}

io::Task<void> JournalWriter::run_syncer() {
  while (!error_ && !writer_done_.is_set()) {
    if (sync_due() > executor_.now())
      co_await sync_work_.wait(sync_due());
    else
      co_await sync_written();
  }
  syncer_done_.set();
}

// Half of either bound: the other half is for the sync itself, so that writers need not wait.
Time JournalWriter::sync_due() const {
  if (dirty_.empty()) return Time::never();
  if (sync_wanted_ || unsynced_bytes_ * 2 >= options_.async_lag_bytes_max) return Time{0};
  return unsynced_.empty() ? Time::never() : unsynced_.front().since + Duration{options_.async_lag_max.ns / 2};
}

bool JournalWriter::lag_forbids(uint64_t extent) const {
  if (unsynced_.empty()) return false;
  return unsynced_bytes_ + extent > options_.async_lag_bytes_max ||
         unsynced_.front().since + options_.async_lag_max <= executor_.now();
}

io::Task<Result<>> JournalWriter::flush() {
  Lsn target = committed_;
  while (durable_ < target && !error_) {
    if (stopped_) co_return fail(Code::kShuttingDown, "the server is stopping; ask again when it is back");
    sync_wanted_ = true;
    sync_work_.notify_all();
    co_await synced_.wait();
  }
  if (error_) co_return std::unexpected<Error>(*error_);
  co_return Result<>();
}

/// After this nothing is committed and nothing is called durable any more.
void JournalWriter::fail_stop(Error error) {
  if (error_) return;
  error_ = Error{error.code, "the journal stopped: " + error.message};
  if (sink_) sink_->failed(*error_);
  supply_.close();
  work_.notify_all();
  sync_work_.notify_all();
  synced_.notify_all();
}

}  // namespace holdfast::core
