// What the journal does when, told by the files it leaves: grouping, seals, the two modes, full disks, refusals.
#include <gtest/gtest.h>

#include "core/journal_recovery.h"
#include "io/base/crc32c.h"
#include "sim/world.h"
#include "tests/support/journal_image.h"

namespace holdfast::test {
namespace {

using namespace core;

const std::string kDirectory = "journal";

struct Sink final : JournalSink {
  void committed(std::span<const EntryRef> entries, Lsn durable_then) override {
    groups.push_back(entries.size());
    commit = entries.back()->lsn;
    durable_lsn = durable_then;
    changed.notify_all();
    if (on_commit) on_commit();
  }
  void durable(Lsn lsn) override {
    durable_lsn = lsn;
    changed.notify_all();
  }
  void failed(Error error) override {
    ++failures;
    failure = error;
    changed.notify_all();
  }
  void disk_full(bool now_full) override {
    full = now_full;
    changed.notify_all();
  }
  std::vector<size_t> groups;
  Lsn commit, durable_lsn;
  int failures = 0;
  Error failure;
  bool full = false;
  io::WaitList changed;
  std::function<void()> on_commit;
};

struct Replay final : ReplaySink {
  io::Task<Result<>> replay(EntryRef entry) override {
    lsns.push_back(entry->lsn.value);
    co_return Result<>();
  }
  io::Task<Result<>> condemned(EntryRef entry) override {
    condemned_lsns.push_back(entry->lsn.value);
    co_return Result<>();
  }
  std::vector<uint64_t> lsns;
  std::vector<uint64_t> condemned_lsns;
};

// One node without faults; each life is a lambda over an open journal.
class JournalWriterTest : public testing::Test {
 protected:
  JournalWriterTest() : world({.seed = 1}), node(world.add_node("server")) {
    plan().disk_ns_max = 10'000;
    plan().sync_ns_max = 100'000;
    HF_ASSERT(node.disk().create(kDirectory, true), "the disk is blank");
    node.disk().sync(*node.disk().find(""), node.disk().mark(), node.loss_profile());
    options.segment_bytes = 16 * kJournalBlock;
  }

  sim::FaultPlan& plan() { return world.plan(); }

  using Body = std::function<io::Task<void>(io::Host&, Journal&)>;
  /// Opens, starts, runs the body; leaves the journal as it is then, or stops it.
  void life(Body body) {
    sinks.push_back(std::make_unique<Sink>());
    sink = sinks.back().get();
    opened = fail(Code::kInternal, "open has not returned");
    run([&](io::Host& host) { return live(host, body); });
  }
  void run(sim::Main main) {
    node.start(std::move(main), {.cores = 1});
    world.run({.until = {world.now().ns + seconds(60).ns}});
    if (node.running()) node.kill(sim::End::kProcessDeath);
  }
  io::Task<int> live(io::Host& host, const Body& body) {
    replayed.lsns.clear();
    opened = co_await Journal::open(host, kDirectory, kImageIdentity, options, base, replayed);
    if (!opened) co_return 1;
    journals.push_back(std::move(opened->journal));
    Journal& journal = *journals.back();
    if (!body) co_return 0;
    journal.start(*sink);
    co_await body(host, journal);
    finished = true;
    co_return 0;
  }
  io::Task<void> until_committed(Lsn lsn) {
    while (sink->commit < lsn && sink->failures == 0) co_await sink->changed.wait();
  }

  std::vector<ScannedSegment> scan() {
    std::vector<ScannedSegment> out;
    for (const io::DirEntry& e : *node.disk().list(kDirectory))
      if (auto seq = parse_segment_name(e.name)) out.push_back(scan_segment(read(e.name), *seq, kJournalBlock, kImageIdentity));
    return out;
  }
  std::vector<GroupHeader> groups() {
    std::vector<GroupHeader> out;
    for (const ScannedSegment& s : scan())
      for (const ScannedGroup& g : s.groups) out.push_back(g.header);
    return out;
  }
  Buffer read(const std::string& name) {
    auto inode = *node.disk().find(kDirectory + "/" + name);
    Buffer out(inode->cache.size(), '\0');
    out.resize(node.disk().read(inode, 0, out));
    return out;
  }
  void overwrite(const std::string& name, Bytes bytes) {
    auto inode = *node.disk().find(kDirectory + "/" + name);
    node.disk().resize(inode, bytes.size());
    ASSERT_TRUE(node.disk().write(inode, 0, bytes));
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const io::DirEntry& e : *node.disk().list(kDirectory)) out.push_back(e.name);
    return out;
  }

  sim::World world;
  sim::Node& node;
  JournalOptions options;
  JournalPosition base;
  Replay replayed;
  Result<Journal::Opened> opened = fail(Code::kInternal, "not opened yet");
  std::vector<std::unique_ptr<Sink>> sinks;
  Sink* sink = nullptr;
  std::vector<std::unique_ptr<Journal>> journals;
  bool finished = false;
};

std::shared_ptr<Entry> entry(size_t bytes = 60) { return image_entry(Lsn(1), bytes); }

TEST_F(JournalWriterTest, ALoneEntryTakesOneWriteAndOneSync) {
  uint64_t operations = 0;
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    co_await io::sleep_for(milliseconds(1));  // the spare is there
    uint64_t before = node.operations(sim::IoKind::kDisk);
    co_await until_committed(journal.append(entry()));
    operations = node.operations(sim::IoKind::kDisk) - before;
  });
  EXPECT_EQ(operations, 2u);
  EXPECT_EQ(sink->groups, (std::vector<size_t>{1}));
  EXPECT_EQ(sink->durable_lsn, Lsn(1));
}

TEST_F(JournalWriterTest, WhatWaitsFormsOneGroup) {
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    for (int i = 0; i < 10; ++i) journal.append(entry());
    co_await until_committed(Lsn(10));
  });
  EXPECT_EQ(sink->groups, (std::vector<size_t>{10}));
}

TEST_F(JournalWriterTest, EntriesThatComeDuringASyncFormTheNextGroup) {
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    journal.append(entry());
    co_await io::sleep_for(microseconds(12));  // the write takes 10 at most, the sync at least 5 more
    for (int i = 0; i < 3; ++i) journal.append(entry());
    co_await until_committed(Lsn(4));
  });
  EXPECT_EQ(sink->groups, (std::vector<size_t>{1, 3}));
}

TEST_F(JournalWriterTest, AGroupIsNoLargerThanAllowed) {
  options.group_bytes_max = 300;  // entries take about 130
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    for (int i = 0; i < 5; ++i) journal.append(entry());
    journal.append(entry(1000));
    co_await until_committed(Lsn(6));
  });
  EXPECT_EQ(sink->groups, (std::vector<size_t>{2, 2, 1, 1}));
}

TEST_F(JournalWriterTest, SealsWhatIsDurableWhenItIsQuiet) {
  for (SyncMode mode : {SyncMode::kSync, SyncMode::kAsync}) {
    options.mode = mode;
    Lsn last;
    size_t groups_then = 0;
    life([&](io::Host&, Journal& journal) -> io::Task<void> {
      co_await io::sleep_for(milliseconds(20));
      co_await until_committed(last = journal.append(entry()));
      (void)co_await journal.flush();
      co_await io::sleep_for(milliseconds(9));
      groups_then = groups().size();
      co_await io::sleep_for(milliseconds(200));
    });
    std::vector<GroupHeader> all = groups();
    ASSERT_EQ(all.size(), groups_then + 1) << "one seal, and not before its time";
    EXPECT_EQ(all.back().entry_count, 0u);
    EXPECT_EQ(all.back().durable, last);
    EXPECT_FALSE(all.back().clean);
    node.kill(sim::End::kPowerLoss);
    EXPECT_EQ(groups().size(), all.size()) << "the seal is synced";
  }
}

TEST_F(JournalWriterTest, ACleanStopEndsInACleanSeal) {
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    journal.append(entry());
    auto stopped = co_await journal.stop();
    EXPECT_TRUE(stopped);
  });
  EXPECT_EQ(sink->commit, Lsn(1)) << "stop commits what was taken";
  node.kill(sim::End::kPowerLoss);
  EXPECT_TRUE(groups().back().clean);
  EXPECT_EQ(groups().back().durable, Lsn(1));
  life(nullptr);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->clean);
  EXPECT_EQ(replayed.lsns, (std::vector<uint64_t>{1}));
}

TEST_F(JournalWriterTest, AsyncCommitsBeforeItSyncs) {
  options.mode = SyncMode::kAsync;
  Lsn durable_at_commit(99), durable_after_flush;
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    co_await until_committed(journal.append(entry()));
    durable_at_commit = sink->durable_lsn;
    EXPECT_TRUE((co_await journal.flush()).has_value());
    durable_after_flush = sink->durable_lsn;
    EXPECT_EQ(journal.durable_lsn(), Lsn(1));
  });
  EXPECT_EQ(durable_at_commit, Lsn(0));
  EXPECT_EQ(durable_after_flush, Lsn(1));
}

TEST_F(JournalWriterTest, AsyncSyncsByItselfWithinTheLag) {
  options.mode = SyncMode::kAsync;
  options.async_lag_max = milliseconds(40);
  Duration took{};
  life([&](io::Host& host, Journal& journal) -> io::Task<void> {
    co_await until_committed(journal.append(entry()));
    Time committed_at = host.clock.now();
    while (sink->durable_lsn < Lsn(1)) co_await sink->changed.wait();
    took = host.clock.now() - committed_at;
  });
  EXPECT_GE(took, milliseconds(15)) << "one sync serves many groups";
  EXPECT_LE(took, milliseconds(40));
}

// However slow the disk syncs: no commit is reported while an older one has been unsynced for longer than the bound, nor beyond the bound of bytes.
TEST_F(JournalWriterTest, AsyncWritersWaitAtTheBounds) {
  options.mode = SyncMode::kAsync;
  options.async_lag_max = milliseconds(10);
  options.async_lag_bytes_max = 6 * kJournalBlock;
  options.segment_bytes = 64 * kJournalBlock;
  plan().sync_ns_max = 60'000'000;
  struct Commit {
    Lsn lsn;
    Time at;
  };
  std::vector<Commit> unsynced;
  size_t most = 0;
  Duration oldest{};
  life([&](io::Host& host, Journal& journal) -> io::Task<void> {
    sink->on_commit = [&] {
      std::erase_if(unsynced, [&](const Commit& c) { return c.lsn <= sink->durable_lsn; });
      if (!unsynced.empty()) oldest = std::max(oldest, host.clock.now() - unsynced.front().at);
      unsynced.push_back({sink->commit, host.clock.now()});
      most = std::max(most, unsynced.size());
    };
    for (int i = 0; i < 300; ++i) co_await until_committed(journal.append(entry()));
  });
  EXPECT_TRUE(finished);
  EXPECT_EQ(most, 6u) << "groups of one block";
  EXPECT_LE(oldest, milliseconds(11)) << "the bound and one write";
}

TEST_F(JournalWriterTest, AGroupBeyondTheLagsBoundIsSyncedBeforeItCounts) {
  options.mode = SyncMode::kAsync;
  options.async_lag_bytes_max = 2 * kJournalBlock;
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    co_await until_committed(journal.append(entry(20'000)));
    EXPECT_EQ(sink->durable_lsn, Lsn(1));
  });
  EXPECT_TRUE(finished);
}

TEST_F(JournalWriterTest, AGroupThatFitsNoSegmentGetsOneOfItsOwn) {
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    co_await until_committed(journal.append(entry()));
    co_await until_committed(journal.append(entry(20 * kJournalBlock)));
    co_await until_committed(journal.append(entry()));
    EXPECT_TRUE((co_await journal.stop()).has_value());
  });
  life(nullptr);
  EXPECT_EQ(replayed.lsns, (std::vector<uint64_t>{1, 2, 3}));
  size_t large = 0;
  for (const ScannedSegment& s : scan()) large += s.bytes > options.segment_bytes;
  EXPECT_EQ(large, 1u);
}

TEST_F(JournalWriterTest, EntriesWaitForRoomOnAFullDisk) {
  uint64_t quota = 5 * options.segment_bytes / 2;  // two segments and a bit
  node.disk().set_quota(quota);
  Lsn at_full;
  world.after(seconds(5), [&] {
    at_full = sink->commit;
    EXPECT_TRUE(sink->full);
    node.disk().set_quota(100 * quota);
  });
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    for (int i = 0; i < 40; ++i) co_await until_committed(journal.append(entry()));
    EXPECT_FALSE(sink->full);
    EXPECT_TRUE((co_await journal.stop()).has_value());
  });
  EXPECT_TRUE(finished);
  EXPECT_GT(at_full, Lsn(0));
  EXPECT_LT(at_full, Lsn(40));
  EXPECT_EQ(sink->failures, 0);
}

TEST_F(JournalWriterTest, StopsCleanOnAFullDiskWhenNothingWaits) {
  node.disk().set_quota(3 * options.segment_bytes / 2);  // no spare
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    co_await until_committed(journal.append(entry()));
    co_await io::sleep_for(milliseconds(50));
    EXPECT_TRUE(sink->full);
    EXPECT_TRUE((co_await journal.stop()).has_value());
  });
  EXPECT_TRUE(finished);
  EXPECT_TRUE(groups().back().clean);
}

TEST_F(JournalWriterTest, StopFailsOnAFullDiskWhenEntriesWaitForRoom) {
  node.disk().set_quota(3 * options.segment_bytes / 2);
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    journal.append(entry(60'000));
    co_await io::sleep_for(milliseconds(50));
    auto stopped = co_await journal.stop();
    EXPECT_FALSE(stopped);
    if (!stopped) EXPECT_EQ(stopped.error().code, Code::kDiskFull);
  });
  EXPECT_TRUE(finished);
  EXPECT_EQ(sink->failures, 1);
}

TEST_F(JournalWriterTest, AFailedWriteStopsItForGood) {
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    co_await until_committed(journal.append(entry()));
    plan().write_error = sim::kAlways;
    co_await until_committed(journal.append(entry()));
    plan().write_error = 0;
    EXPECT_EQ(sink->failures, 1);
    EXPECT_EQ(sink->failure.code, Code::kIo);
    EXPECT_EQ(journal.append(entry()), Lsn(3));
    co_await io::sleep_for(milliseconds(100));
    EXPECT_FALSE((co_await journal.flush()).has_value());
    EXPECT_FALSE((co_await journal.stop()).has_value());
  });
  EXPECT_TRUE(finished);
  EXPECT_EQ(sink->failures, 1);
  EXPECT_EQ(sink->commit, Lsn(1));
}

TEST_F(JournalWriterTest, SegmentsGoWhenTheyAreReleased) {
  JournalPosition middle;
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    for (int i = 0; i < 100; ++i) co_await until_committed(journal.append(entry()));
    EXPECT_EQ(journal.bytes_since(JournalPosition()), 100 * kJournalBlock);
    middle = journal.boundary_at(Lsn(50));
    EXPECT_EQ(middle.lsn, Lsn(50));
    EXPECT_EQ(journal.bytes_since(middle), 50 * kJournalBlock);
    size_t before = names().size();
    EXPECT_TRUE((co_await journal.release_before(middle)).has_value());
    EXPECT_EQ(names().size(), before - (middle.segment.value - 1));
    EXPECT_EQ(journal.boundary_at(Lsn(50)), middle);
    EXPECT_TRUE((co_await journal.stop()).has_value());
  });
  base = middle;
  life(nullptr);
  ASSERT_TRUE(opened);
  EXPECT_EQ(replayed.lsns.size(), 50u);
  EXPECT_EQ(replayed.lsns.front(), 51u);
}

// --- Opening.

class JournalOpenTest : public JournalWriterTest {
 protected:
  // Segment 1 with entries 1 to 3, stopped in order.
  void write_three() {
    life([&](io::Host&, Journal& journal) -> io::Task<void> {
      for (int i = 0; i < 3; ++i) co_await until_committed(journal.append(entry()));
      EXPECT_TRUE((co_await journal.stop()).has_value());
    });
  }
  void expect_refused(Code code, std::string_view says) {
    life(nullptr);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, code) << opened.error().text();
    EXPECT_NE(opened.error().message.find(says), std::string::npos) << opened.error().text();
  }
  const std::string first = segment_name(SegmentSeq(1));
};

TEST_F(JournalOpenTest, ADamagedEntryIsCondemnedAndNamedWithWhatItTouches) {
  write_three();
  Buffer bytes = read(first);
  bytes[2 * kJournalBlock + kGroupHeaderBytes + kEntryHeaderBytes + kTouchedBytes + 30] ^= 4;  // effects of LSN 2
  overwrite(first, bytes);
  life(nullptr);
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(replayed.lsns, (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(replayed.condemned_lsns, (std::vector<uint64_t>{2}));
  ASSERT_FALSE(opened->notes.empty());
  EXPECT_NE(opened->notes[0].find("journal/" + first + " at offset 8192"), std::string::npos) << opened->notes[0];
  EXPECT_NE(opened->notes[0].find("LSN 2 (database 1, collection 7, shard 1, id hash"), std::string::npos) << opened->notes[0];
}

TEST_F(JournalOpenTest, AnEntryWhoseHeaderIsDamagedTooIsRefused) {
  write_three();
  Buffer bytes = read(first);
  bytes[2 * kJournalBlock + kGroupHeaderBytes + 9] ^= 4;  // the LSN in the header of LSN 2
  overwrite(first, bytes);
  std::vector<std::string> before = names();
  expect_refused(Code::kCorrupt, "journal/" + first + " at offset 8192");
  EXPECT_NE(opened.error().message.find("LSNs 2 to 3"), std::string::npos) << opened.error().message;
  EXPECT_EQ(names(), before) << "a refused directory is left as it was";
}

TEST_F(JournalOpenTest, ATornTailIsCutAndKept) {
  life([&](io::Host&, Journal& journal) -> io::Task<void> {
    for (int i = 0; i < 3; ++i) co_await until_committed(journal.append(entry()));
  });
  Buffer bytes = read(first);
  bytes[3 * kJournalBlock + 200] ^= 4;  // LSN 3: nothing says that it was durable
  overwrite(first, bytes);
  life(nullptr);
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(replayed.lsns, (std::vector<uint64_t>{1, 2}));
  ASSERT_EQ(opened->notes.size(), 1u);
  EXPECT_NE(opened->notes[0].find("offset 12288 of journal/" + first + ": torn after LSN 2"), std::string::npos) << opened->notes[0];
  Buffer kept = read("torn-" + first);
  EXPECT_EQ(kept, bytes.substr(3 * kJournalBlock, kept.size()));
  EXPECT_GT(kept.size(), 200u);
}

TEST_F(JournalOpenTest, RefusesALogWhoseBaseIsGone) {
  write_three();
  base = journals.back()->boundary_at(Lsn(2));
  ASSERT_TRUE(node.disk().remove("journal/" + first));
  expect_refused(Code::kCorrupt, first + " is missing");
}

TEST_F(JournalOpenTest, RefusesASegmentThatWasCutShort) {
  write_three();
  overwrite(first, Bytes(read(first)).substr(0, 8 * kJournalBlock));
  expect_refused(Code::kCorrupt, "cut short");
}

TEST_F(JournalOpenTest, RefusesASegmentOfAnotherLog) {
  write_three();
  Buffer foreign = encode_segment_header({{9, 9}, SegmentSeq(1), options.segment_bytes});
  overwrite(first, foreign + read(first).substr(kJournalBlock));
  expect_refused(Code::kCorrupt, "belongs to another");
}

TEST_F(JournalOpenTest, ReadsASegmentWhoseHeaderAloneIsDamaged) {
  write_three();
  Buffer bytes = read(first);
  bytes[20] ^= 1;
  overwrite(first, bytes);
  life(nullptr);
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(replayed.lsns, (std::vector<uint64_t>{1, 2, 3}));
  ASSERT_EQ(opened->notes.size(), 1u);
  EXPECT_NE(opened->notes[0].find("damaged header"), std::string::npos);
}

TEST_F(JournalOpenTest, RefusesANewerFormat) {
  write_three();
  Buffer bytes = read(first);
  GroupEncoder encoder{LogKey(kImageIdentity)};
  GroupHeader seal = groups().back();
  uint64_t at = seal.place.offset + kJournalBlock;
  encoder.begin({SegmentSeq(1), at});
  Buffer newer(encoder.finish(seal));
  newer[14] = 2;  // a flag of the future, under a good checksum
  store_le(newer.data() + 8, crc32c({newer.data() + 12, kGroupHeaderBytes - 12}, LogKey(kImageIdentity).seed()));
  bytes.replace(at, newer.size(), newer);
  overwrite(first, bytes);
  expect_refused(Code::kUnsupported, "newer version");
}

TEST_F(JournalOpenTest, UnfinishedSegmentsAndUnusedSparesGo) {
  write_three();
  ASSERT_TRUE(node.disk().create("journal/" + segment_name(SegmentSeq(9)) + ".new", false));
  life(nullptr);
  ASSERT_TRUE(opened);
  // The log, and the segment in which it goes on: with a number above any that was there.
  EXPECT_EQ(names(), (std::vector<std::string>{first, segment_name(SegmentSeq(10))}));
}

}  // namespace
}  // namespace holdfast::test
