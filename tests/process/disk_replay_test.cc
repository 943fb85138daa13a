// A real disk, its record, and the disk model that the record is played into: the same files, byte for byte; and who tampers with one of them is seen.
#include "chaos/runner/real/disk_replay.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "chaos/runner/real/image_files.h"
#include "io/real/real_host.h"
#include "io/real/recording_disk.h"
#include "tests/process/child.h"

namespace holdfast::chaos {
namespace {

#define CO_MUST(...)                                     \
  do {                                                   \
    const auto& must = __VA_ARGS__;                      \
    if (!must) {                                         \
      ADD_FAILURE() << must.error().text();              \
      co_return;                                         \
    }                                                    \
  } while (0)

/// Something of everything.
io::Task<void> work(io::Disk& disk, std::string top) {
  CO_MUST(co_await disk.make_dir(top + "/data"));
  CO_MUST(co_await disk.make_dir(top + "/data/sub"));
  EXPECT_FALSE(co_await disk.make_dir(top + "/data"));
  EXPECT_FALSE(co_await disk.open(top + "/data/none", io::Open::kReadWrite));
  CO_MUST(co_await disk.lock(top + "/data/LOCK"));
  auto file = co_await disk.open(top + "/data/a.new", io::Open::kCreate);
  CO_MUST(file);
  CO_MUST(co_await (*file)->preallocate(0, 20'000));
  Buffer text(5'000, 'x'), more(1 << 20, 'y');
  CO_MUST(co_await io::write_fully(**file, 3'000, text));
  CO_MUST(co_await (*file)->sync());
  CO_MUST(co_await disk.rename(top + "/data/a.new", top + "/data/sub/a"));
  CO_MUST(co_await disk.sync_dir(top + "/data/sub"));
  CO_MUST(co_await io::write_fully(**file, 10'000, more));
  CO_MUST(co_await (*file)->truncate(900'001));
  auto gone = co_await disk.open(top + "/data/gone", io::Open::kCreate);
  CO_MUST(gone);
  CO_MUST(co_await disk.remove(top + "/data/gone"));
  CO_MUST(co_await io::write_fully(**gone, 0, text));
}

/// Runs `work` on a recorded disk; returns the record.
Buffer record_work(const test::Scratch& scratch, const std::string& top) {
  auto recorder = real::OperationRecorder::create(scratch.path("record"));
  EXPECT_TRUE(recorder);
  real::RealHost host({.recorder = recorder->get()});
  host.run(work(host.host().disk, top));
  return read_file(scratch.path("record"));
}

void play(DiskReplay& replay, const real::OperationRecord& record, size_t events = SIZE_MAX) {
  for (const real::OperationEvent& e : record.events) {
    if (events-- == 0) return;
    Result<> applied = replay.apply(e);
    ASSERT_TRUE(applied) << applied.error().text();
  }
}

class DiskReplayTest : public testing::Test {
 protected:
  DiskReplayTest() : top_(scratch_.path("top")) {
    std::filesystem::create_directory(top_);
    bytes_ = record_work(scratch_, top_);
    Result<real::OperationRecord> record = real::parse_record(bytes_);
    EXPECT_TRUE(record);
    record_ = std::move(*record);
  }
  test::Scratch scratch_;
  std::string top_;
  Buffer bytes_;
  real::OperationRecord record_;
};

TEST_F(DiskReplayTest, ShowsTheDirectoryByteForByte) {
  DiskReplay replay(top_);
  play(replay, record_);
  EXPECT_FALSE(record_.torn);
  EXPECT_EQ(replay.under_way().size(), 0u);
  EXPECT_EQ(replay.difference(top_), std::nullopt);
}

TEST_F(DiskReplayTest, SeesAChangeThatTheRecordDoesNotHave) {
  DiskReplay replay(top_);
  play(replay, record_);
  flip_bit(top_ + "/data/sub/a", 899'999, 0);
  EXPECT_TRUE(replay.difference(top_));
  flip_bit(top_ + "/data/sub/a", 899'999, 0);
  EXPECT_FALSE(replay.difference(top_));
  test::write_file(top_ + "/data/stranger", "");
  EXPECT_TRUE(replay.difference(top_));
  std::filesystem::remove(top_ + "/data/stranger");
  std::filesystem::remove(top_ + "/data/LOCK");
  EXPECT_TRUE(replay.difference(top_));
}

// What a kill leaves open is what the directory says: the ends of the last operations are taken away, and found again by looking.
TEST_F(DiskReplayTest, SettlesWhatWasUnderWayByLooking) {
  std::vector<real::OperationEvent> events = record_.events;
  ASSERT_TRUE(std::holds_alternative<real::OperationEnd>(events.back()));
  for (real::DiskCall last : {real::DiskCall::kRename, real::DiskCall::kPreallocate, real::DiskCall::kRemove, real::DiskCall::kCreate, real::DiskCall::kTruncate}) {
    // The directory as it is after that operation alone, made by a host that goes no further.
    size_t until = 0;
    for (size_t i = 0; i < events.size(); ++i)
      if (const auto* b = std::get_if<real::OperationBegin>(&events[i]); b && b->call == last) until = i + 1;
    DiskReplay after(top_);
    play(after, record_, until + 1);
    sim::Trace trace;
    sim::Stream stream(1, "keep", trace);
    sim::FaultCounts counts;
    std::unique_ptr<sim::DiskModel> image = after.cut(stream);
    image->power_loss({.mood = sim::LossProfile::Mood::kKeepAll}, stream, counts);
    std::string copy = scratch_.path(std::string(real::name(last)));
    write_image(*image, "", copy);

    DiskReplay replay(top_);
    play(replay, record_, until);
    ASSERT_EQ(replay.under_way().size(), 1u);
    ASSERT_TRUE(replay.difference(copy)) << real::name(last);
    replay.settle(replay.look(copy));
    EXPECT_EQ(replay.difference(copy), std::nullopt) << real::name(last);
  }
}

TEST_F(DiskReplayTest, LosesWhatNoSyncCovered) {
  DiskReplay replay(top_);
  play(replay, record_);
  sim::Trace trace;
  sim::Stream stream(1, "lose", trace);
  sim::FaultCounts counts;
  std::unique_ptr<sim::DiskModel> image = replay.cut(stream);
  image->power_loss({.mood = sim::LossProfile::Mood::kLoseAll}, stream, counts);
  // Only sub was synced, not data's own name nor top: nothing is reachable.
  EXPECT_TRUE(sim::DurableView(*image).files().empty());
  image = replay.cut(stream);
  image->power_loss({.mood = sim::LossProfile::Mood::kKeepAll}, stream, counts);
  EXPECT_EQ(sim::DurableView(*image).files(), (std::vector<std::string>{"data/LOCK", "data/sub/a"}));
}

TEST(OperationRecorder, MakesItsFileAnew) {
  test::Scratch scratch;
  ASSERT_TRUE(real::OperationRecorder::create(scratch.path("record")));
  EXPECT_EQ(real::OperationRecorder::create(scratch.path("record")).error().code, Code::kExists);
}

// What cannot be recorded must not happen unseen.
TEST(OperationRecorder, FailsOperationsThatItCannotRecord) {
  test::Scratch scratch;
  auto recorder = real::OperationRecorder::create(scratch.path("record"));
  ASSERT_TRUE(recorder);
  auto before = signal(SIGXFSZ, SIG_IGN);
  rlimit limit, small{.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
  getrlimit(RLIMIT_FSIZE, &limit);
  small.rlim_max = limit.rlim_max;
  setrlimit(RLIMIT_FSIZE, &small);
  Result<uint64_t> first = (*recorder)->begin({.call = real::DiskCall::kMakeDir, .path = "x"});
  Result<uint64_t> second = (*recorder)->begin({.call = real::DiskCall::kMakeDir, .path = "y"});
  setrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, before);
  EXPECT_TRUE(first);
  EXPECT_FALSE(second);
  EXPECT_FALSE((*recorder)->begin({.call = real::DiskCall::kMakeDir, .path = "z"})) << "behind a part of a record nothing could be found";
  Buffer bytes = read_file(scratch.path("record"));
  Result<real::OperationRecord> record = real::parse_record(bytes);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->events.size(), 1u);
}

TEST(RecordedServer, RefusesARecordInItsDataDirectoryOrOfAnotherProcess) {
  test::Scratch scratch;
  auto serve = [&](const std::string& record) {
    return test::run(scratch, "holdfastd --port 0 --data-path " + scratch.path("data") + " --test-record-disk " + record);
  };
  test::Ran inside = serve(scratch.path("data/record"));
  EXPECT_EQ(inside.exit, 2);
  EXPECT_TRUE(inside.err.contains("lies in the data directory")) << inside.err;
  test::write_file(scratch.path("record"), "of another");
  EXPECT_EQ(serve(scratch.path("record")).exit, 2);
  EXPECT_FALSE(std::filesystem::exists(scratch.path("data")));
}

}  // namespace
}  // namespace holdfast::chaos
