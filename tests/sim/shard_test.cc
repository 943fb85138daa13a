// A shard through random histories and crashes, and what damage does to it.
#include "core/shard.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "core/record.h"
#include "io/base/hash.h"
#include "tests/sim/shard_run.h"

namespace holdfast::sim {
namespace {

using core::EffectKind;

ShardRunOptions options_of(uint64_t seed) {
  Trace scratch;
  return {.seed = seed, .plan = swarm(seed, scratch, {.crash = true, .fail_stop = true})};
}

/// HOLDFAST_SEEDS=N tries more.
uint64_t seeds() {
  const char* asked = std::getenv("HOLDFAST_SEEDS");
  return asked ? std::strtoull(asked, nullptr, 10) : 400;
}

TEST(ShardRun, AnswersRightThroughCrashesCollisionsAndLostManifests) {
  std::map<std::string, uint64_t> probes;
  for (uint64_t seed = 1; seed <= seeds(); ++seed) {
    ShardRun run(options_of(seed));
    ASSERT_EQ(run.run(), "");
    for (const auto& [name, times] : run.world().record().probes()) probes[name] += times;
  }
  for (const char* name :
       {"apply-told-equal-hashes-apart", "dropped-collection-seen-by-older-snapshot", "index-caught-up",
        "index-file-leaves-out-the-tail", "index-hash-collision", "index-rebuilt", "merge-forgot-tombstone",
        "replayed-effect-is-in-the-file", "scan-reads-tail-during-flush", "shard-file-of-a-lost-checkpoint",
        "snapshot-looks-behind-newer-versions", "snapshot-sees-the-dead", "two-callers-open-a-shard", "shard-flush-met-full-disk"})
    EXPECT_GT(probes[name], 0u) << "never reached: " << name;
}

TEST(ShardRun, SameSeedGivesTheSameRun) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    ShardRun a(options_of(seed)), b(options_of(seed));
    a.run();
    b.run();
    EXPECT_EQ(a.world().finish(), b.world().finish()) << seed;
  }
}

#ifdef HOLDFAST_MUTANTS
bool hunt(const char* mutant) {
  for (uint64_t seed = 1; seed <= 20'000; ++seed) {
    ShardRunOptions o = options_of(seed);
    o.mutants = {mutant};
    if (seed % 2 == 1) o.plan.torn = 1'000'000;
    std::string caught = ShardRun(std::move(o)).run();
    if (caught.empty()) continue;
    std::printf("%-32s %s\n", mutant, caught.c_str());
    std::fflush(stdout);
    return true;
  }
  return false;
}

TEST(ShardRun, EveryPlantedBugIsCaught) {
  for (const char* mutant :
       {"predecessor-not-killed", "snapshot-sees-one-lsn-more", "snapshot-misses-the-dead", "merge-brings-back-deleted",
        "equal-hash-is-equal-id", "index-forgets-collisions", "dropped-set-forgotten-early", "flush-beyond-cut",
        "flush-shares-block", "checkpoint-skips-data-sync", "index-file-believed-unchecked", "shard-digest-ignored", "snapshot-finds-the-newest",
        "deletion-is-no-change"}) {
    // In a process of its own: some end in an assertion or worse, which is one way to be noticed.
    pid_t child = fork();
    if (child == 0) _exit(hunt(mutant) ? 0 : 1);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << mutant << " was not caught";
  }
}
#endif

// ---- Damage ----

/// A shard of a few records in several flushes, with an index file for a part of them, at rest on a disk of its own.
class DamagedShard : public testing::Test {
 protected:
  static constexpr CollectionId kCollection{1};
  static constexpr const char* kDb = "db/shard_007.1.db";

  DamagedShard() : world_({.seed = 1}), node_(world_.add_node("server")) {
    options_.directory = "db";
    options_.cluster_id = 5;
    options_.index_tail_min = 6;
    EXPECT_TRUE(node_.disk().create("db", true));
    node_.disk().sync(*node_.disk().find(""), node_.disk().mark(), {});
    checkpoint_ = {DatabaseId(1), ShardId(7), Generation(1), 0, Ordinal(0), Lsn(0)};
    in_process([this](core::Shard& shard, io::Host& host) { return fill(shard, host); });
    node_.kill(End::kProcessDeath);
    // All of it is to be durable, also what nobody needs to be: bits are flipped there.
    for (const io::DirEntry& e : *node_.disk().list("db")) {
      if (e.name.find(".sidx.") != std::string::npos) index_ = "db/" + e.name;
      node_.disk().sync(*node_.disk().find("db/" + e.name), node_.disk().mark(), {});
    }
    node_.disk().sync(*node_.disk().find("db"), node_.disk().mark(), {});
    good_ = node_.disk().clone();
  }

  using Body = std::function<io::Task<Result<>>(core::Shard&, io::Host&)>;
  /// Runs `body` with the shard on the node's disk; false when it does not end.
  Result<> in_process(Body body) {
    Result<> result = fail(Code::kInternal, "it did not come to an end");
    node_.on_end = [this](End, int) { world_.stop(); };
    node_.start([&](io::Host& host) { return process(host, body, result); }, {.cores = 1});
    world_.run();
    return result;
  }
  io::Task<int> process(io::Host& host, Body& body, Result<>& result) {
    auto shard = core::Shard::make(host, options_, checkpoint_);
    result = co_await body(*shard, host);
    co_return 0;
  }

  io::Task<Result<>> put(core::Shard& shard, std::string key, std::string body) {
    core::Effect e{
        body.empty() ? EffectKind::kDelete : EffectKind::kPut, DatabaseId(1), ShardId(7), kCollection, key, body};
    HF_CO_CHECK_OK(co_await shard.apply(++lsn_, e));
    if (body.empty())
      documents_.erase(key);
    else
      documents_[key] = body;
    co_return Result<>();
  }
  io::Task<Result<>> checkpoint(core::Shard& shard, io::Host& host) {
    HF_CO_TRY(flushed, co_await shard.flush(lsn_));
    HF_CO_CHECK_OK(co_await host.disk.sync_dir("db"));
    checkpoint_ = flushed.checkpoint;
    co_return co_await shard.flushed(checkpoint_);
  }
  io::Task<Result<>> fill(core::Shard& shard, io::Host& host) {
    for (int i = 0; i < 4; ++i)
      HF_CO_CHECK_OK(co_await put(shard, "a" + std::to_string(i), "first " + std::to_string(i)));
    HF_CO_CHECK_OK(co_await checkpoint(shard, host));
    HF_CO_CHECK_OK(co_await put(shard, "a0", "second"));
    HF_CO_CHECK_OK(co_await put(shard, "a1", ""));
    HF_CO_CHECK_OK(co_await put(shard, "big", std::string(700, 'b')));
    HF_CO_CHECK_OK(co_await checkpoint(shard, host));
    HF_CO_CHECK_OK(co_await put(shard, "a2", "third"));
    HF_CO_CHECK_OK(co_await put(shard, "late", "fourth"));
    co_return co_await checkpoint(shard, host);
  }

  struct Seen {
    int served = 0;
    int refused = 0;
    bool scan_refused = false;
  };
  /// Reads everything there is and is not. An answer is right or kCorrupt.
  io::Task<Result<>> read_all(core::Shard& shard, io::Host&, Seen& seen) {
    for (const char* key : {"a0", "a1", "a2", "a3", "big", "late", "never"}) {
      auto found = co_await shard.find(kCollection, key);
      if (!found) {
        EXPECT_EQ(found.error().code, Code::kCorrupt) << found.error().message;
        EXPECT_NE(found.error().message.find(kDb), std::string::npos) << found.error().message;
        ++seen.refused;
        continue;
      }
      ++seen.served;
      auto wanted = documents_.find(key);
      EXPECT_EQ(found->has_value(), wanted != documents_.end()) << key;
      if (*found && wanted != documents_.end()) EXPECT_EQ((*found)->body, wanted->second) << key;
    }
    auto scan = co_await shard.scan(kCollection, lsn_);
    std::multiset<std::string> bodies, wanted;
    for (const auto& [key, body] : documents_) wanted.insert(body);
    while (scan) {
      auto some = co_await (*scan)->next(1000);
      if (!some) {
        EXPECT_EQ(some.error().code, Code::kCorrupt) << some.error().message;
        seen.scan_refused = true;
        break;
      }
      if (some->empty()) {
        EXPECT_EQ(bodies, wanted);
        break;
      }
      for (const core::Document& d : *some) bodies.insert(d.body);
    }
    co_return Result<>();
  }
  Seen read() {
    Seen seen;
    Result<> done = in_process([&](core::Shard& shard, io::Host& host) { return read_all(shard, host, seen); });
    EXPECT_TRUE(done) << done.error().message;
    return seen;
  }

  void restore() { (void)node_.replace_disk(good_->clone()); }
  void flip(const std::string& path, uint64_t offset, uint8_t bit) {
    EXPECT_TRUE(node_.disk().flip_bit(path, offset, bit, world_.counts()));
  }
  void remove_index() { EXPECT_TRUE(node_.disk().remove(index_)); }
  Buffer db() { return *DurableView(*good_).read(kDb); }
  void write_db(uint64_t offset, Bytes bytes) {
    EXPECT_TRUE(node_.disk().write(*node_.disk().find(kDb), offset, bytes));
  }

  static constexpr int kAll = 7;
  World world_;
  Node& node_;
  core::ShardOptions options_;
  core::ShardCheckpoint checkpoint_;
  Lsn lsn_;
  std::map<std::string, std::string> documents_;
  std::unique_ptr<DiskModel> good_;
  std::string index_;
};

TEST_F(DamagedShard, WithoutDamageServesEverything) {
  ASSERT_EQ(index_, "db/shard_007.1.sidx.7");
  for (bool with_index : {true, false}) {
    restore();
    if (!with_index) remove_index();
    Seen seen = read();
    EXPECT_EQ(seen.served, kAll);
    EXPECT_FALSE(seen.scan_refused);
  }
}

TEST_F(DamagedShard, FlippedBitAnywhereInTheDataFileIsNeverServed) {
  Buffer bytes = db();
  std::set<uint64_t> blocks;
  for (uint64_t at = 0; at < bytes.size(); ++at) {
    // All of the records; of the zeros between them every 32nd byte and the first ones.
    bool zeros = bytes[at] == 0 && at % 4096 >= 1000;
    if ((zeros || at < 4096) && at % 32 != 0 && at >= 64) continue;
    auto bit = static_cast<uint8_t>(at % 8);
    for (bool with_index : {true, false}) {
      restore();
      if (!with_index) remove_index();
      flip(kDb, at, bit);
      Seen seen = read();
      EXPECT_EQ(seen.served + seen.refused, kAll);
      // With an index file a damaged record is missed alone, but among those that must be read to catch up.
      if (with_index && at >= 4096 && at < 12288) EXPECT_GE(seen.served, kAll - 1) << at;
      if (with_index && at >= 4096) EXPECT_TRUE(seen.served >= kAll - 1 || seen.served == 0) << at;
      if (HasFailure())
        FAIL() << "byte " << at << ", bit " << int{bit} << (with_index ? ", with" : ", without") << " an index file";
      if (seen.refused > 0) blocks.insert(at / 4096);
    }
  }
  EXPECT_EQ(blocks.size(), 4u) << "damage was noticed in the header and in every flush";
}

TEST_F(DamagedShard, FlippedBitAnywhereInAnIndexFileChangesNothing) {
  uint64_t size = *DurableView(*good_).size(index_);
  ASSERT_GT(size, 160u);
  for (uint64_t at = 0; at < size; ++at) {
    restore();
    flip(index_, at, static_cast<uint8_t>(at % 8));
    Seen seen = read();
    ASSERT_EQ(seen.served, kAll) << at;
    ASSERT_FALSE(seen.scan_refused) << at;
    ASSERT_NE(node_.log().back().find("is not used"), std::string::npos) << at;
  }
}

TEST_F(DamagedShard, SoundRecordInTheWrongPlaceIsNeverServed) {
  // "first 1" is written over "first 0" and the like: same lengths, good checksums, other ordinals.
  Buffer bytes = db();
  core::ShardIdentity here{5, DatabaseId(1), ShardId(7), Generation(1)};
  size_t size = core::parse_record(here.seed(), Bytes(bytes).substr(4096))->header.size();
  for (size_t to = 0; to < 4; ++to)
    for (size_t from = 0; from < 4; ++from) {
      if (from == to) continue;
      restore();
      write_db(4096 + to * size, Bytes(bytes).substr(4096 + from * size, size));
      Seen seen = read();
      // a2 and a3 are where they were put first; a0 and a1 have newer records.
      EXPECT_EQ(seen.refused, to == 3 ? 1 : 0) << from << " over " << to;
      restore();
      remove_index();
      write_db(4096 + to * size, Bytes(bytes).substr(4096 + from * size, size));
      EXPECT_EQ(read().served, 0) << from << " over " << to;
    }
}

TEST_F(DamagedShard, OlderBlockThatComesBackIsNoticed) {
  // The last flush's block as it was before: zeros, or the block of the flush before.
  for (uint64_t from : {uint64_t{0}, uint64_t{8192}}) {
    for (bool with_index : {true, false}) {
      restore();
      if (!with_index) remove_index();
      write_db(12288, from == 0 ? Buffer(4096, '\0') : db().substr(from, 4096));
      EXPECT_EQ(read().served, 0) << "what the MANIFEST counts on is not there";
    }
  }
}

TEST_F(DamagedShard, FileOfAnotherShardOrAMissingOneIsRefused) {
  restore();
  checkpoint_.shard = ShardId(8);
  EXPECT_TRUE(node_.disk().rename(kDb, "db/shard_008.1.db"));
  Result<> r = in_process([](core::Shard& shard, io::Host&) { return shard.open(); });
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kCorrupt);
  EXPECT_NE(r.error().message.find("belongs to"), std::string::npos) << r.error().message;
  checkpoint_.shard = ShardId(7);
  r = in_process([](core::Shard& shard, io::Host&) { return shard.open(); });
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kCorrupt);
  EXPECT_NE(r.error().message.find("missing"), std::string::npos) << r.error().message;
}

TEST_F(DamagedShard, FailedOpeningIsToldToEveryCaller) {
  restore();
  flip(kDb, 20, 1);
  Result<> r = in_process([](core::Shard& shard, io::Host&) -> io::Task<Result<>> {
    Result<> first = co_await shard.open();
    auto second = co_await shard.find(kCollection, "a0");
    auto third = co_await shard.scan(kCollection, Lsn(9));
    EXPECT_FALSE(shard.is_open());
    EXPECT_FALSE(first || second || third);
    if (!second) EXPECT_EQ(second.error().message, first.error().message);
    co_return first;
  });
  EXPECT_FALSE(r);
}

}  // namespace
}  // namespace holdfast::sim
