#include "core/journal_writer.h"

#include "io/base/probe.h"

namespace holdfast::core {

namespace {
constexpr Term kFirstTerm{1};
}

JournalWriter::JournalWriter(io::Host& host, io::Executor& executor, std::string directory, JournalIdentity identity,
                             JournalOptions options, JournalTail tail)
    : host_(host),
      executor_(executor),
      directory_(std::move(directory)),
      identity_(identity),
      options_(options),
      incarnation_(host.random.entropy64()),
      encoder_(LogKey(identity)),
      supply_(host.disk, directory_, identity, options.segment_bytes, tail.segment->seq, tail.next),
      segment_(std::move(tail.segment)),
      segments_(std::move(tail.segments)),
      chain_(tail.chain),
      last_(tail.last),
      written_(tail.last),
      committed_(tail.last),
      durable_(tail.last),
      sealed_(tail.sealed),
      quiet_since_(executor.now()),
      marks_(std::move(tail.marks)),
      tasks_(executor) {}

void JournalWriter::start(JournalSink& sink) {
  HF_ASSERT(!sink_ && !stopping_, "a journal starts once");
  sink_ = &sink;
  tasks_.spawn(run_writer());
  if (async())
    tasks_.spawn(run_syncer());
  else
    syncer_done_.set();
  tasks_.spawn(supply_.run({.disk_full = [this](bool full) { sink_->disk_full(full); },
                            .failed = [this](Error e) { fail_stop(std::move(e)); }}));
}

Lsn JournalWriter::append(std::shared_ptr<Entry> entry) {
  HF_ASSERT(sink_ && !stopping_, "entries come between start and stop");
  entry->lsn = ++last_;
  entry->term = kFirstTerm;
  if (error_) return last_;  // its outcome is unknown, as that of all others not yet committed
  if (!waiting()) work_.notify_all();
  queue_.push_back(std::move(entry));
  return last_;
}

io::Task<void> JournalWriter::run_writer() {
  while (!error_) {
    if (waiting()) {
      co_await write_group();
    } else if (stopping_) {
      break;
    } else if (seal_due() <= executor_.now()) {
      co_await write_seal(false);
    } else {
      co_await work_.wait(seal_due());
    }
  }
  writer_done_.set();
}

// When a seal is to be written if nothing comes: something became durable that no header says. While groups are unsynced there is no hurry: the sync
// that they wait for moves the durable LSN again.
Time JournalWriter::seal_due() const {
  bool idle = durable_ > sealed_ && durable_ == written_;
  return idle ? quiet_since_ + options_.seal_after : Time::never();
}

/// Decides how many of the waiting entries form the next group; returns the bytes that it takes.
uint64_t JournalWriter::pick_batch() {
  uint64_t payload = 0;
  picked_ = 0;
  for (size_t i = queue_head_; i < queue_.size(); ++i) {
    uint64_t more = queue_[i]->encoded_size();
    if (picked_ > 0 && (payload + more > options_.group_bytes_max || MAY_MISBEHAVE("journal-short-group"))) break;
    payload += more;
    ++picked_;
  }
  return group_extent(payload);
}

void JournalWriter::take_batch() {
  batch_.clear();
  for (size_t i = 0; i < picked_; ++i) batch_.push_back(std::move(queue_[queue_head_ + i]));
  queue_head_ += picked_;
  if (queue_head_ == queue_.size()) {
    queue_.clear();
    queue_head_ = 0;
  } else if (queue_head_ > 1024 && queue_head_ * 2 > queue_.size()) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(queue_head_));
    queue_head_ = 0;
  }
}

/// Waits until the next group may be written, and sets `extent` to what it takes. Entries that come meanwhile join it. False: failed.
io::Task<bool> JournalWriter::find_room(uint64_t& extent) {
  while (!error_) {
    extent = pick_batch();
    if (lag_forbids(extent)) {
      SOMETIMES(true, "journal-lag-bound-hit");
      sync_wanted_ = true;
      sync_work_.notify_all();
      co_await synced_.wait();
    } else if (segment_->offset + extent + kSealReserve <= segment_->bytes) {
      co_return true;
    } else if (!co_await rotate(extent)) {
      break;
    }
  }
  co_return false;
}

io::Task<bool> JournalWriter::rotate(uint64_t extent) {
  SegmentPtr next = co_await supply_.take(segment_bytes_for(extent));
  if (!next) co_return false;
  if (MUTANT("sync-previous-segment")) previous_ = segment_;
  segment_ = std::move(next);
  segments_.push_back(segment_->seq);
  co_return true;
}

io::Task<void> JournalWriter::write_group() {
  uint64_t extent = 0;
  if (!co_await find_room(extent)) co_return;
  take_batch();
  encoder_.begin({segment_->seq, segment_->offset});
  for (const EntryRef& e : batch_) encoder_.add(*e);
  GroupHeader header;
  header.first = batch_.front()->lsn;
  Lsn last = batch_.back()->lsn;

  bool synced = false;
  if (MUTANT("sync-before-write")) synced = (co_await segment_->file->sync()).has_value();
  if (!co_await write_out(header)) co_return;
  if (synced) {
    dirty_.clear();
    made_durable(written_);
  }
  if (MUTANT("ack-before-sync")) commit();

  // A group that alone passes the lag's bound is synced before it counts, as in sync mode.
  bool must_sync = !async() || extent > options_.async_lag_bytes_max;
  SOMETIMES(async() && must_sync, "journal-group-beyond-lag-bound");
  if (must_sync && !co_await sync_up_to(last)) co_return;
  if (error_) co_return;
  if (async() && !must_sync) {
    if (unsynced_.empty()) sync_work_.notify_all();
    unsynced_.push_back({last, extent, executor_.now()});
    unsynced_bytes_ += extent;
    if (unsynced_bytes_ * 2 >= options_.async_lag_bytes_max) sync_work_.notify_all();
  }
  commit();
}

void JournalWriter::commit() {
  if (batch_.empty()) return;
  committed_ = batch_.back()->lsn;
  sink_->committed(batch_, durable_);
  batch_.clear();
}

/// Writes the group in the encoder; what has room was found before. False: failed.
io::Task<bool> JournalWriter::write_out(GroupHeader& header) {
  header.term = kFirstTerm;
  header.durable = MUTANT("seal-claims-too-much") ? last_ : durable_;
  header.incarnation = incarnation_;
  header.previous = chain_;
  header.wall = host_.clock.wall();
  Bytes group = encoder_.finish(header);
  auto wrote = co_await io::write_fully(*segment_->file, segment_->offset, group);
  if (!wrote) {
    fail_stop(std::move(wrote.error()));
    co_return false;
  }
  if (error_) co_return false;
  segment_->offset += group.size();
  chain_ = encoder_.hash();
  written_ = header.last();
  sealed_ = header.durable;
  unmarked_bytes_ += group.size();
  if (header.entry_count > 0) marks_.add({written_, chain_, segment_->seq, segment_->offset}, std::exchange(unmarked_bytes_, 0));
  const SegmentPtr& target = previous_ ? previous_ : segment_;
  if (dirty_.empty() || dirty_.back() != target) dirty_.push_back(target);
  encoder_.trim(options_.group_bytes_max);
  co_return true;
}

/// A group without entries that says what is durable. The idle one is synced off everybody's path; the clean one before this returns.
io::Task<bool> JournalWriter::write_seal(bool clean) {
  HF_ASSERT(segment_->offset + kJournalBlock <= segment_->bytes, "groups leave room for two seals, and no more follow a group");
  SOMETIMES(!clean, "journal-sealed");
  encoder_.begin({segment_->seq, segment_->offset});
  GroupHeader header;
  header.clean = clean;
  header.first = written_.next();
  if (!co_await write_out(header)) co_return false;
  if (clean || !async()) co_return co_await sync_written();
  sync_wanted_ = true;
  sync_work_.notify_all();
  co_return true;
}

io::Task<Result<>> JournalWriter::release_before(JournalPosition position) {
  marks_.drop_before(position);
  while (!segments_.empty() && segments_.front() < position.segment) {
    std::string path = directory_ + "/" + segment_name(segments_.front());
    segments_.erase(segments_.begin());
    auto removed = co_await host_.disk.remove(path);
    if (!removed && removed.error().code != Code::kNotFound) co_return fail(std::move(removed));
  }
  co_return Result<>();
}

io::Task<Result<>> JournalWriter::stop() {
  HF_ASSERT(!stopping_, "a journal stops once");
  stopping_ = true;
  if (sink_) {
    work_.notify_all();
    supply_.hurry();
    co_await writer_done_.wait();
    sync_work_.notify_all();
    co_await syncer_done_.wait();
  }
  // Nothing else runs now but the supply. What is left to sync, then the seal that says so.
  if (!error_ && (dirty_.empty() || co_await sync_written())) co_await write_seal(true);
  supply_.close();
  co_await tasks_.drained();
  stopped_ = true;
  synced_.notify_all();
  if (error_) co_return fail(Code(error_->code), error_->message);
  co_return Result<>();
}

}  // namespace holdfast::core
