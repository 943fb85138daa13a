// The engine on a disk of which bytes that had been durable are damaged: what it serves, what it refuses, and for how long.
#include <gtest/gtest.h>

#include "core/engine.h"
#include "core/repair.h"
#include "core/settings_format.h"
#include "core/verify.h"
#include "io/base/crc32c.h"
#include "io/base/msgpack.h"
#include "sim/world.h"

namespace holdfast::test {
namespace {

using namespace core;

constexpr const char* kData = "/data";

Buffer id_value(std::string_view id) {
  Buffer out;
  msgpack::Writer(out).string(id);
  return out;
}

/// {_id: id, text: text}
Buffer document(std::string_view id, std::string_view text) {
  Buffer out;
  msgpack::Writer(out).map(2).string("_id").string(id).string("text").string(text);
  return out;
}

/// A text that stands nowhere else on the disk.
std::string text_of(std::string_view id) { return "the text of " + std::string(id) + ", which is long enough to be found"; }

/// One machine; each life opens the engine, does something, and is killed once the log was sealed.
class DamageTest : public testing::Test {
 protected:
  using Do = std::function<io::Task<void>(Engine&)>;

  DamageTest() : world_({.seed = 1}), node_(world_.add_node("server")) {
    options_.data_path = kData;
    options_.shard_count = 1;
    options_.journal.segment_bytes = 64 * 4096;
    options_.checkpoint_bytes = uint64_t{1} << 30;
  }

  enum class Ending : uint8_t { kKilled, kStopped };

  /// Returns why the engine did not open, or nothing.
  std::optional<Error> live(Do what, Ending ending = Ending::kKilled) {
    refused_.reset();
    ended_ = false;
    node_.on_end = [this](sim::End, int) { ended_ = true; };
    node_.start([this, &what, ending](io::Host& host) { return life(host, what, ending); }, {.cores = 1});
    while (!done_ && !ended_) world_.run({.until = Duration{world_.now().ns} + milliseconds(50), .events = 100'000});
    done_ = false;
    node_.kill(sim::End::kPowerLoss);
    engine_.reset();
    return refused_;
  }

  io::Task<int> life(io::Host& host, const Do& what, Ending ending) {
    Result<std::unique_ptr<Engine>> opened = co_await Engine::open(host, options_);
    if (opened) {
      engine_ = std::move(*opened);
      co_await what(*engine_);
      co_await io::sleep_for(seconds(1));  // the seal
      if (ending == Ending::kStopped) EXPECT_TRUE(co_await engine_->stop());
    } else {
      refused_ = opened.error();
    }
    done_ = true;
    co_await io::sleep_for(seconds(1000));
    co_return 0;
  }

  static io::Task<void> insert(Engine& engine, std::string id, std::string collection = "c") {
    Buffer d = document(id, text_of(id));
    auto done = co_await engine.insert_one({"db", collection}, d, Repeat::kByShape);
    EXPECT_TRUE(done.result) << done.result.error().text();
  }
  static io::Task<std::string> find(Engine& engine, std::string id) {
    Buffer value = id_value(id);
    auto found = co_await engine.find_by_id({"db", "c"}, value);
    if (!found.result) co_return std::string(info(found.result.error().code).name);
    if (!*found.result) co_return "nothing";
    co_return (*found.result)->ends_with(text_of(id)) ? "found" : "changed";
  }
  static io::Task<std::string> count(Engine& engine, std::string collection = "c") {
    Buffer all;
    msgpack::Writer(all).map(0);
    auto query = Query::compile(all);
    auto n = co_await engine.count({"db", collection}, *query);
    co_return n.result ? std::to_string(*n.result) : std::string(info(n.result.error().code).name);
  }
  static io::Task<std::string> scan(Engine& engine, std::string collection = "c") {
    Buffer some;
    msgpack::Writer(some).map(1).string("nothing").string("like this");
    auto query = Query::compile(some);
    auto found = co_await engine.find({"db", collection}, {.query = std::move(*query), .sort = {}, .projection = {}}, {.answer = 1 << 20});
    co_return found.result ? std::to_string(found.result->size()) : std::string(info(found.result.error().code).name);
  }

  VerifyReport verify() {
    std::optional<Result<VerifyReport>> report;
    offline([&report](io::Host& host) -> io::Task<void> { report = co_await verify_directory(host, {.data_path = kData, .reading = {}}); });
    EXPECT_TRUE(*report) << report->error().text();
    return std::move(**report);
  }
  RepairReport repair(Loss loss) {
    std::optional<Result<RepairReport>> report;
    offline([this, &report, loss](io::Host& host) -> io::Task<void> { report = co_await repair_directory(host, options_, loss); });
    EXPECT_TRUE(*report) << report->error().text();
    return std::move(**report);
  }
  void offline(std::function<io::Task<void>(io::Host&)> what) {
    bool ended = false;
    node_.on_end = [&](sim::End, int) { ended = true; };
    node_.start([&](io::Host& host) { return run_offline(host, what); }, {.cores = 1});
    while (!ended) world_.run({.until = Duration{world_.now().ns} + seconds(1)});
  }
  static io::Task<int> run_offline(io::Host& host, const std::function<io::Task<void>(io::Host&)>& what) {
    co_await what(host);
    co_return 0;
  }

  /// Flips a bit of the first durable place under `folder` that holds `needle`.
  std::string damage(std::string_view folder, std::string_view needle) {
    for (const std::string& path : node_.durable().files(std::string(kData) + std::string(folder))) {
      Buffer bytes = *node_.durable().read(path);
      size_t at = bytes.find(needle);
      if (at == Buffer::npos) continue;
      EXPECT_TRUE(node_.disk().flip_bit(path, at + needle.size() - 1, 2, world_.counts()));
      return path;
    }
    ADD_FAILURE() << "no file holds " << needle;
    return "";
  }
  void remove_index_files() {
    for (const std::string& path : node_.durable().files(std::string(kData) + "/db"))
      if (path.contains(".sidx.")) (void)node_.disk().flip_bit(path, 0, 0, world_.counts());
  }

  sim::World world_;
  sim::Node& node_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
  std::optional<Error> refused_;
  bool done_ = false;
  bool ended_ = false;
};

io::Task<void> nothing(Engine&) { co_return; }

TEST_F(DamageTest, ADamagedEntryCondemnsItsDocumentAlone) {
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    co_await insert(e, "a");
    co_await insert(e, "b");
    co_await insert(e, "c");
    co_await insert(e, "d", "other");
  }));
  damage("/journal", text_of("b"));
  auto look = [](Engine& e) -> io::Task<void> {
    EXPECT_EQ(co_await find(e, "a"), "found");
    EXPECT_EQ(co_await find(e, "b"), "corrupt");
    EXPECT_EQ(co_await find(e, "c"), "found");
    EXPECT_EQ(co_await find(e, "never there"), "nothing");
    EXPECT_EQ(co_await count(e), "corrupt");
    EXPECT_EQ(co_await scan(e), "corrupt");
    EXPECT_EQ(co_await count(e, "other"), "1");
    EXPECT_EQ(co_await scan(e, "other"), "0");
    Buffer again = document("b", "new");
    auto inserted = co_await e.insert_one({"db", "c"}, again, Repeat::kByShape);
    EXPECT_EQ(inserted.result.error().code, Code::kCorrupt) << "whether it is there is not known";
    EXPECT_EQ((co_await e.stats()).result->damaged_documents, 1u);
  };
  ASSERT_FALSE(live(look, Ending::kStopped)) << "the rest is served";
  ASSERT_FALSE(live(look)) << "the checkpoint remembers";
}

TEST_F(DamageTest, ALaterVersionMakesTheDamageOfAnEarlierOneHarmless) {
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    Buffer first = document("a", "the first text, which nobody needs any more");
    EXPECT_TRUE((co_await e.insert_one({"db", "c"}, first, Repeat::kByShape)).result);
    Buffer by_id;
    msgpack::Writer(by_id).map(1).string("_id").string("a");
    auto filter = Query::compile(by_id);
    EXPECT_TRUE((co_await e.modify_one({"db", "c"}, deletion_of(std::move(*filter)))).result);
    co_await insert(e, "a");
  }));
  damage("/journal", "the first text");
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    EXPECT_EQ(co_await find(e, "a"), "found");
    EXPECT_EQ(co_await count(e), "1");
    EXPECT_EQ((co_await e.stats()).result->damaged_documents, 0u);
  }));
}

TEST_F(DamageTest, DroppingTheCollectionEndsItsQuarantine) {
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> { co_await insert(e, "a"); }));
  damage("/journal", text_of("a"));
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    EXPECT_EQ(co_await count(e), "corrupt");
    EXPECT_TRUE((co_await e.drop_collection({"db", "c"})).result);
    co_await insert(e, "a");
    EXPECT_EQ(co_await find(e, "a"), "found");
    EXPECT_EQ(co_await count(e), "1");
  }));
}

TEST_F(DamageTest, AShardThatTheLogCannotBeAppliedToMakesTheServerReadOnlyAndLosesNothing) {
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    co_await insert(e, "a");
    co_await insert(e, "b");
  }, Ending::kStopped));
  // What the log holds after the checkpoint must be applied to the shard.
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> { co_await insert(e, "c"); }));
  std::unique_ptr<sim::DiskModel> sound = node_.disk().clone();
  damage("/db", "HFRC");
  remove_index_files();
  auto look = [](Engine& e) -> io::Task<void> {
    EXPECT_EQ(co_await find(e, "a"), "corrupt");
    EXPECT_EQ(co_await find(e, "c"), "corrupt");
    EXPECT_EQ(co_await count(e), "corrupt");
    Buffer more = document("d", "more");
    auto refused = co_await e.insert_one({"db", "c"}, more, Repeat::kByShape);
    EXPECT_EQ(refused.result.error().code, Code::kReadOnly);
    auto stats = co_await e.stats();
    EXPECT_TRUE(stats.result->damaged_shards);
    EXPECT_TRUE(stats.result->read_only);
  };
  ASSERT_FALSE(live(look, Ending::kStopped));
  ASSERT_FALSE(live(look));
  // With the file restored everything is there, also what only the log had.
  node_.replace_disk(std::move(sound));
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    EXPECT_EQ(co_await find(e, "a"), "found");
    EXPECT_EQ(co_await find(e, "c"), "found");
    EXPECT_EQ(co_await count(e), "3");
  }));
}

TEST_F(DamageTest, VerifyFindsNothingOnASoundDirectoryAndNamesWhatIsDamaged) {
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    for (const char* id : {"a", "b", "c"}) co_await insert(e, id);
    Buffer by_id;
    msgpack::Writer(by_id).map(1).string("_id").string("b");
    auto filter = Query::compile(by_id);
    EXPECT_TRUE((co_await e.modify_one({"db", "c"}, deletion_of(std::move(*filter)))).result);
    co_await insert(e, "b");
  }, Ending::kStopped));
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> { co_await insert(e, "d"); }));
  VerifyReport sound = verify();
  EXPECT_TRUE(sound.sound()) << sound.damage.front();
  EXPECT_EQ(sound.documents, 3u) << "of the checkpoint";
  EXPECT_EQ(sound.records, 5u);
  std::unique_ptr<sim::DiskModel> disk = node_.disk().clone();
  for (const char* where : {"/journal", "/db"}) {
    node_.replace_disk(disk->clone());
    std::string path = damage(where, text_of(where == std::string("/db") ? "c" : "d"));
    VerifyReport found = verify();
    ASSERT_EQ(found.damaged, 1u);
    EXPECT_TRUE(found.damage[0].contains(path)) << found.damage[0];
    EXPECT_TRUE(found.damage[0].contains("id hash")) << found.damage[0];
  }
}

TEST_F(DamageTest, ARunningServerIsVerifiedPartByPart) {
  options_.shard_count = 3;
  auto verify_all = [](Engine& e) -> io::Task<std::vector<std::string>> {
    std::vector<std::string> found;
    Buffer cursor;
    uint64_t parts = 0;
    do {
      auto page = co_await e.verify_page(cursor, 100);
      EXPECT_TRUE(page.result) << page.result.error().text();
      if (!page.result) break;
      for (std::string& d : page.result->damage) found.push_back(std::move(d));
      cursor = std::move(page.result->cursor);
      ++parts;
      EXPECT_TRUE(!cursor.empty() || page.result->shards_done == page.result->shards);
    } while (!cursor.empty());
    EXPECT_GT(parts, 3u);
    co_return found;
  };
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    for (const char* id : {"a", "b", "c", "d", "e", "f", "g", "h"}) co_await insert(e, id);
    co_await insert(e, "x", "other");
    EXPECT_TRUE((co_await e.drop_collection({"db", "other"})).result);
  }, Ending::kStopped));
  ASSERT_FALSE(live([&](Engine& e) -> io::Task<void> {
    co_await insert(e, "i");
    auto found = co_await verify_all(e);
    EXPECT_TRUE(found.empty()) << found.front();
  }, Ending::kStopped));
  std::string path = damage("/db", text_of("c"));
  ASSERT_FALSE(live([&](Engine& e) -> io::Task<void> {
    auto found = co_await verify_all(e);
    EXPECT_EQ(found.size(), 1u);
    EXPECT_TRUE(found.at(0).contains(path)) << found.at(0);
  }));
}

TEST_F(DamageTest, AnExportThatMeetsAReadErrorSkipsNothingWhenAskedAgain) {
  options_.shard_count = 2;
  options_.scan_chunk_bytes = 200;
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    for (int i = 0; i < 20; ++i) co_await insert(e, "k" + std::to_string(i));
  }, Ending::kStopped));
  ASSERT_FALSE(live([this](Engine& e) -> io::Task<void> {
    const core::Name name{"db", "c"};
    auto first = co_await e.export_page(name, {}, 1);
    EXPECT_TRUE(first.result);
    std::string path = std::string(kData) + "/db/db/shard_001.1.db";
    // In the middle of the second shard.
    EXPECT_TRUE(node_.disk().make_unreadable(path, 4096 + 600, 1, world_.counts()));
    auto failed = co_await e.export_page(name, first.result->cursor, 1 << 20);
    EXPECT_EQ(failed.result.error().code, Code::kIo);
    (*node_.disk().find(path))->unreadable.clear();
    auto second = co_await e.export_page(name, first.result->cursor, 1 << 20);
    EXPECT_TRUE(second.result) << second.result.error().text();
    EXPECT_EQ(first.result->documents.size() + second.result->documents.size(), 20u);
    EXPECT_TRUE(second.result->cursor.empty());
  }));
}

TEST_F(DamageTest, RepairGivesUpWhatIsDamagedAndNothingElse) {
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    for (const char* id : {"a", "b", "c"}) co_await insert(e, id);
  }, Ending::kStopped));
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    for (const char* id : {"d", "e"}) co_await insert(e, id);
  }));
  damage("/db", text_of("b"));
  damage("/journal", text_of("d"));
  RepairReport listed = repair(Loss::kListed);
  EXPECT_EQ(listed.lost_count, 2u);
  EXPECT_TRUE(listed.done.empty());
  EXPECT_EQ(verify().damaged, 2u) << "nothing was changed";
  RepairReport done = repair(Loss::kAccepted);
  EXPECT_EQ(done.lost_count, 2u);
  VerifyReport after = verify();
  EXPECT_TRUE(after.sound()) << after.damage.front();
  for (int life = 0; life < 2; ++life)
    ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
      EXPECT_EQ(co_await find(e, "a"), "found");
      EXPECT_EQ(co_await find(e, "b"), "nothing");
      EXPECT_EQ(co_await find(e, "c"), "found");
      EXPECT_EQ(co_await find(e, "d"), "nothing");
      EXPECT_EQ(co_await find(e, "e"), "found");
      EXPECT_EQ(co_await count(e), "3");
    }, Ending::kStopped));
}

TEST_F(DamageTest, RepairEndsALogThatCannotBeFollowedAtItsLastSoundEntry) {
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    for (const char* id : {"a", "b", "c"}) co_await insert(e, id);
  }));
  // The header of the group that holds b.
  std::string path = node_.durable().files(std::string(kData) + "/journal").front();
  Buffer bytes = *node_.durable().read(path);
  ASSERT_TRUE(node_.disk().flip_bit(path, bytes.find(text_of("b")) / 4096 * 4096 + 20, 1, world_.counts()));
  auto refused = live(nothing);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, Code::kCorrupt);
  EXPECT_TRUE(refused->message.contains("repair")) << refused->message;
  EXPECT_FALSE(repair(Loss::kAccepted).sound());
  for (int life = 0; life < 2; ++life)
    ASSERT_FALSE(live([life](Engine& e) -> io::Task<void> {
      EXPECT_EQ(co_await find(e, "a"), "found");
      EXPECT_EQ(co_await find(e, "b"), life == 0 ? "nothing" : "found");
      EXPECT_EQ(co_await find(e, "c"), "nothing");
      if (life == 0) co_await insert(e, "b");
    }));
  EXPECT_TRUE(verify().sound());
}

TEST_F(DamageTest, ASegmentThatIsGoneIsRefusedByNameAndGivenUpByRepair) {
  options_.journal.segment_bytes = 4 * 4096;  // one group each
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> { co_await insert(e, "a"); }, Ending::kStopped));
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    co_await insert(e, "b");
    co_await insert(e, "c");
  }));
  // The newest but one holds the newest entry; the newest is a spare.
  std::vector<std::string> segments = node_.durable().files(std::string(kData) + "/journal");
  std::string gone = segments[segments.size() - 2];
  ASSERT_TRUE(node_.durable().read(gone)->contains(text_of("c")));
  ASSERT_TRUE(node_.disk().remove(gone));
  auto refused = live(nothing);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, Code::kCorrupt);
  EXPECT_TRUE(refused->message.contains(gone + " is missing")) << refused->text();
  EXPECT_EQ(verify().damaged, 1u);
  EXPECT_EQ(repair(Loss::kAccepted).lost_count, 1u);
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> {
    EXPECT_EQ(co_await find(e, "b"), "found");
    EXPECT_EQ(co_await find(e, "c"), "nothing");
  }));
  EXPECT_TRUE(verify().sound());
}

TEST_F(DamageTest, ADirectoryWithSegmentsOfVersion1Opens) {
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> { co_await insert(e, "a"); }));
  for (const std::string& path : node_.durable().files(std::string(kData) + "/journal")) {
    Buffer header = *node_.durable().read(path, 0, 64);
    store_le(header.data() + 12, uint32_t{1});
    store_le(header.data() + 48, uint64_t{0});
    store_le(header.data() + 8, crc32c(Bytes(header).substr(12)));
    ASSERT_TRUE(node_.disk().overwrite(path, 0, header, sim::Fault::kOldBlock, world_.counts()));
  }
  for (int life = 0; life < 2; ++life)
    ASSERT_FALSE(live([](Engine& e) -> io::Task<void> { EXPECT_EQ(co_await find(e, "a"), "found"); }));
  EXPECT_TRUE(verify().sound());
}

TEST_F(DamageTest, AnOlderHoldfastDoesNotEmptyADatabase) {
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> { co_await insert(e, "a"); }));
  const std::string path = std::string(kData) + "/HOLDFAST";
  auto found = decode_settings(*node_.durable().read(path));
  ASSERT_TRUE(found);
  Buffer now = *node_.durable().read(path), old;
  SettingsSlot slot{.serial = 1, .settings = found->slot.settings};
  slot.settings.initialized = false;
  for (; slot.serial <= 2; ++slot.serial) old += encode_settings_slot(slot);
  ASSERT_TRUE(node_.disk().overwrite(path, 0, old, sim::Fault::kStale, world_.counts()));
  auto refused = live(nothing);
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->message.contains("HOLDFAST")) << refused->text();
  EXPECT_EQ(verify().damaged, 1u);
  ASSERT_TRUE(node_.disk().overwrite(path, 0, now, sim::Fault::kStale, world_.counts()));
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> { EXPECT_EQ(co_await find(e, "a"), "found"); }));
}

TEST_F(DamageTest, AJournalWithoutAnySegmentIsRefused) {
  ASSERT_FALSE(live([](Engine& e) -> io::Task<void> { co_await insert(e, "a"); }));
  for (const std::string& path : node_.durable().files(std::string(kData) + "/journal")) EXPECT_TRUE(node_.disk().remove(path));
  auto refused = live(nothing);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, Code::kCorrupt) << refused->text();
}

// A power cut may undo the removal of an old MANIFEST, when the segments that it needs are gone. It is nothing to fall back to.
TEST_F(DamageTest, AManifestThatCameBackDoesNotPushOutOneThatIsWorthSomething) {
  auto manifests = [&] {
    std::vector<std::string> out;
    for (const std::string& path : node_.durable().files(kData))
      if (path.contains("/MANIFEST.")) out.push_back(path);
    std::ranges::sort(out, {}, [](const std::string& path) { return std::stoull(path.substr(path.rfind('.') + 1)); });
    return out;
  };
  auto live_once = [&](std::string id) {
    return live([id](Engine& e) -> io::Task<void> {
      for (int i = 0; i < 40; ++i) co_await insert(e, id + std::to_string(i));
    }, Ending::kStopped);
  };
  options_.journal.segment_bytes = 8 * 4096;
  ASSERT_FALSE(live_once("a"));
  std::string old = manifests().back();
  Buffer content = *node_.durable().read(old);
  for (const char* id : {"b", "c", "d"}) ASSERT_FALSE(live_once(id));
  node_.disk().settle();
  ASSERT_TRUE(node_.disk().put(old, content, sim::Fault::kNameLost, world_.counts()));
  ASSERT_TRUE(node_.disk().flip_bit(manifests().back(), 100, 1, world_.counts()));
  ASSERT_FALSE(live([this](Engine&) -> io::Task<void> {
    node_.disk().settle();
    co_return;
  }));
  ASSERT_TRUE(node_.disk().flip_bit(manifests().back(), 100, 1, world_.counts()));
  std::optional<Error> refused = live([](Engine& e) -> io::Task<void> { EXPECT_EQ(co_await find(e, "a0"), "found"); });
  EXPECT_FALSE(refused) << refused->text();
}

}  // namespace
}  // namespace holdfast::test
