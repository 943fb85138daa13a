#include "core/journal_segment.h"

#include <fmt/format.h>

#include <charconv>

#include "io/base/probe.h"

namespace holdfast::core {

namespace {

constexpr Duration kFullRetry = seconds(1);
constexpr size_t kNameDigits = 16;

std::string segment_path(const SegmentPlan& plan) { return plan.directory + "/" + segment_name(plan.seq); }
std::string draft_path(const SegmentPlan& plan) { return segment_path(plan).append(kUnfinishedSuffix); }

io::Task<Result<>> fill_segment(io::File& file, const SegmentPlan& plan) {
  HF_CO_CHECK_OK(co_await file.preallocate(0, plan.bytes));
  Buffer header = encode_segment_header({plan.identity, plan.seq, plan.bytes, plan.previous});
  co_return co_await io::write_fully(file, 0, header);
}

}  // namespace

std::string segment_name(SegmentSeq seq) { return fmt::format("{:016x}", seq.value); }

std::optional<SegmentSeq> parse_segment_name(std::string_view name) {
  uint64_t value = 0;
  if (name.size() != kNameDigits) return std::nullopt;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value, 16);
  if (error != std::errc() || segment_name(SegmentSeq(value)) != name || value == 0) return std::nullopt;
  return SegmentSeq(value);
}

/// What was begun holds room that a full disk needs. After any other failure the server stops, and nothing may hold that up; a file that stays is removed at the
/// next opening.
io::Task<Result<SegmentPtr>> give_up(io::Disk& disk, const SegmentPlan& plan, Segment& segment, Result<> why) {
  segment.file.reset();
  if (why.error().code == Code::kDiskFull) (void)co_await disk.remove(draft_path(plan));
  co_return fail(std::move(why));
}

io::Task<Result<SegmentPtr>> begin_segment(io::Disk& disk, SegmentPlan plan) {
  auto segment = std::make_shared<Segment>();
  segment->seq = plan.seq;
  segment->bytes = plan.bytes;
  HF_CO_TRY(file, co_await disk.open(draft_path(plan), io::Open::kCreate));
  segment->file = std::move(file);
  auto filled = co_await fill_segment(*segment->file, plan);
  if (!filled) co_return co_await give_up(disk, plan, *segment, std::move(filled));
  co_return segment;
}

io::Task<Result<>> finish_segment(io::Disk& disk, SegmentPlan plan, Segment& segment) {
  HF_CO_CHECK_OK(co_await segment.file->sync());
  HF_CO_CHECK_OK(co_await disk.rename(draft_path(plan), segment_path(plan)));
  if (MUTANT("no-dir-sync-after-segment")) co_return Result<>();
  co_return co_await disk.sync_dir(plan.directory);
}

io::Task<Result<SegmentPtr>> create_segment(io::Disk& disk, SegmentPlan plan) {
  HF_CO_TRY(segment, co_await begin_segment(disk, plan));
  auto finished = co_await finish_segment(disk, plan, *segment);
  if (!finished) co_return co_await give_up(disk, plan, *segment, std::move(finished));
  co_return segment;
}

SegmentSupply::SegmentSupply(io::Disk& disk, std::string directory, JournalIdentity identity, uint64_t segment_bytes,
                             SegmentSeq in_use, SegmentSeq next)
    : disk_(disk),
      directory_(std::move(directory)),
      identity_(identity),
      segment_bytes_(segment_bytes),
      in_use_(in_use),
      next_(next) {}

io::Task<void> SegmentSupply::run(Events events) {
  while (!closed_) {
    // Whoever stops needs no spare, only the segment that its last entries wait for.
    bool enough = hurry_ ? needed_ == 0 : spare_ && spare_->bytes >= wanted();
    if (enough)
      co_await wake_.wait();
    else
      co_await make_spare(events);
  }
}

io::Task<void> SegmentSupply::make_spare(Events& events) {
  if (spare_) {
    // Too small for the group that waits. Segments are used in the order of their numbers, so this one never will be.
    SOMETIMES(true, "journal-segment-oversize");
    std::string path = directory_ + "/" + segment_name(spare_->seq);
    spare_.reset();
    (void)co_await disk_.remove(path);
  }
  SegmentPlan plan{directory_, identity_, next_, wanted(), in_use_};
  ++next_;
  auto made = co_await create_segment(disk_, plan);
  if (made) {
    spare_ = std::move(*made);
    if (full_) events.disk_full(full_ = false);
    ready_.notify_all();
    co_return;
  }
  if (made.error().code != Code::kDiskFull || hurry_ || MUTANT("full-disk-fails-stop")) {
    events.failed(std::move(made.error()));
    close();
    co_return;
  }
  SOMETIMES(true, "journal-disk-full");
  if (!full_) events.disk_full(full_ = true);
  io::Executor& here = co_await io::this_executor();
  co_await wake_.wait(here.now() + kFullRetry);
}

io::Task<SegmentPtr> SegmentSupply::take(uint64_t bytes) {
  needed_ = bytes;
  while (!closed_ && (!spare_ || spare_->bytes < bytes)) {
    SOMETIMES(!spare_, "journal-spare-late");
    wake_.notify_all();
    co_await ready_.wait();
  }
  needed_ = 0;
  SegmentPtr taken = closed_ ? nullptr : std::move(spare_);
  spare_.reset();
  if (taken) in_use_ = taken->seq;
  wake_.notify_all();
  co_return taken;
}

void SegmentSupply::hurry() {
  hurry_ = true;
  wake_.notify_all();
}

void SegmentSupply::close() {
  closed_ = true;
  wake_.notify_all();
  ready_.notify_all();
}

}  // namespace holdfast::core
