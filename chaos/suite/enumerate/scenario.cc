#include "chaos/suite/enumerate/scenario.h"

namespace holdfast::chaos {
namespace {

using core::SyncMode;
using Task = io::Task<void>;

// Values end in the length of the document's text: 50,100 has 100 bytes.

Task three_documents(Script& s) {
  co_await s.put("shop.a", "k1", 10'040);
  co_await s.put("shop.a", "k2", 20'600);
  co_await s.put("shop.b", "k3", 30'010);
  co_await s.pause(milliseconds(200));
}

Task first_start(Script& s) { co_await s.put("shop.a", "k1", 10'040); }

Task append(Script& s) {
  co_await s.put("shop.a", "k4", 40'030);
  co_await s.update("shop.a", "k1", 50'700);
  co_await s.remove("shop.a", "k2");
  co_await s.put("shop.a", "k5", 64'200);
}

Task group(Script& s) {
  co_await s.put_together("shop.a", {{"k4", 40'020}, {"k5", 50'030}, {"k6", 60'900}, {"k7", 70'010}});
  co_await s.put_all("shop.a", {{"k8", 80'100}, {"k9", 90'300}});
  co_await s.put_together("shop.b", {{"k4", 41'020}, {"k5", 51'030}});
}

Task many(Script& s) {
  co_await s.update_all("shop.a", {"k1", "k2"}, 50'900);
  co_await s.upsert("shop.a", "k4", 60'100);
  co_await s.update_all("shop.a", {"k1", "k4"}, 74'000);
  co_await s.remove_all("shop.a", {"k1", "k2"});
  co_await s.put("shop.a", "k1", 80'040);
}

Task transactions(Script& s) {
  co_await s.commit({{"shop.a", "k1", 50'900}, {"shop.b", "k3", 51'100}, {"shop.b", "k4", 52'300}});
  co_await s.roll_back({{"shop.a", "k1", 60'900}, {"shop.b", "k5", 61'100}});
  co_await s.commit({{"shop.a", "k2", 0}, {"shop.b", "k3", 70'050}});
  co_await s.commit({{"shop.a", "k2", 80'040}, {"shop.a", "k5", 81'700}, {"shop.b", "k4", 0}});
}

Task rotation(Script& s) {
  for (uint64_t i = 4; i < 10; ++i) co_await s.put("shop.a", "k" + std::to_string(i), i * 10'000 + 100);
  co_await s.put("shop.a", "large", 109'000);  // more than a segment holds
  co_await s.put("shop.a", "k2x", 110'050);
}

Task unsynced_end(Script& s) {
  co_await s.put("shop.a", "k1", 10'040);
  co_await s.pause(milliseconds(200));
  for (uint64_t i = 2; i < 6; ++i) co_await s.put("shop.a", "k" + std::to_string(i), i * 10'000 + 60);
}

Task two_more(Script& s) {
  co_await s.put("shop.a", "k8", 80'040);
  co_await s.put("shop.a", "k9", 90'040);
}

Task seals(Script& s) {
  co_await s.put("shop.a", "k4", 40'030);
  co_await s.pause(milliseconds(130));
  co_await s.put("shop.a", "k5", 50'030);
  co_await s.put("shop.a", "k6", 60'030);
  co_await s.pause(milliseconds(130));
}

Task checkpoints(Script& s) {
  for (uint64_t i = 4; i < 9; ++i) {
    co_await s.put("shop.a", "k" + std::to_string(i), i * 10'000 + 300);
    if (i == 5) co_await s.update("shop.a", "k1", 51'000);
    if (i == 6) co_await s.remove("shop.b", "k3");
    co_await s.pause(milliseconds(20));
  }
}

Task catalog(Script& s) {
  co_await s.create("shop.c");
  co_await s.put("shop.c", "k4", 40'030);
  co_await s.drop("shop.a");
  co_await s.create("other.a");
  co_await s.put("other.b", "k5", 50'030);
  co_await s.drop("shop.c");
  co_await s.put("shop.a", "k1", 60'030);
  co_await s.pause(milliseconds(30));
}

Task indexes(Script& s) {
  co_await s.declare("shop.a", "n");
  co_await s.declare("shop.b", "v");
  co_await s.put("shop.a", "k4", 40'030);
  co_await s.drop_index("shop.a", "n");
  co_await s.declare("shop.c", "n");
  co_await s.declare("shop.a", "v");
  co_await s.drop("shop.b");
  co_await s.put("shop.b", "k5", 50'030);
  co_await s.declare("shop.b", "n");
  co_await s.pause(milliseconds(30));
}

Task one_more(Script& s) { co_await s.put("shop.a", "k4", 40'030); }

Task fill(Script& s) {
  for (uint64_t i = 4; i < 14; ++i) {
    co_await s.put("shop.a", "k" + std::to_string(i), i * 10'000 + 3'500);
    co_await s.pause(milliseconds(100));
  }
  co_await s.pause(seconds(3));
  co_await s.put("shop.a", "k2x", 200'040);
}

core::EngineOptions tiny() {
  core::EngineOptions e;
  e.data_path = "/data";
  e.shard_count = 2;
  e.journal.segment_bytes = 8 * 4096;
  e.journal.group_bytes_max = 8 * 1024;
  e.journal.seal_after = milliseconds(10);
  e.journal.async_lag_max = milliseconds(100);
  e.checkpoint_bytes = uint64_t{1} << 30;  // none but where a scenario wants them
  e.index_tail_min = 2;
  return e;
}

std::vector<Scenario> make_all() {
  std::vector<Scenario> all;
  auto add = [&](Scenario s, std::vector<SyncMode> modes) {
    for (SyncMode mode : modes) {
      Scenario one = s;
      one.mode = mode;
      one.name += mode == SyncMode::kSync ? "-sync" : "-async";
      all.push_back(std::move(one));
    }
  };
  const std::vector<SyncMode> both{SyncMode::kSync, SyncMode::kAsync};
  using Before = Scenario::Before;
  add({.name = "first-start", .about = "an empty disk becomes a database and takes one document", .engine = tiny(), .run = first_start}, both);
  add({.name = "append", .about = "an insert, an update, a delete, an insert", .engine = tiny(), .prepare = three_documents, .run = append}, both);
  add({.name = "group", .about = "entries that are written as one group", .engine = tiny(), .prepare = three_documents, .run = group}, both);
  add({.name = "many", .about = "updates, deletes of many documents, and an upsert", .engine = tiny(), .prepare = three_documents, .run = many}, both);
  add({.name = "transactions", .about = "transactions that insert, change and delete in two collections, and one that is rolled back", .engine = tiny(),
       .prepare = three_documents, .run = transactions}, both);
  core::EngineOptions small = tiny();
  small.journal.segment_bytes = 4 * 4096;
  add({.name = "rotation", .about = "segments of one group, and a group larger than a segment", .engine = small, .prepare = three_documents, .run = rotation}, both);
  add({.name = "supersede", .about = "after kill -9: the unproven end is written again, and the log goes on behind it", .engine = tiny(),
       .prepare = unsynced_end, .before = Before::kKilled, .run = two_more}, both);
  add({.name = "cut", .about = "after a power cut with a hole: the end is cut, and a new one grows", .engine = tiny(), .prepare = unsynced_end,
       .before = Before::kCut, .run = two_more}, {SyncMode::kAsync});
  add({.name = "seal", .about = "pauses in which the log is sealed", .engine = tiny(), .prepare = three_documents, .run = seals}, both);
  core::EngineOptions often = small;
  often.checkpoint_bytes = 2 * 4096;
  add({.name = "checkpoint", .about = "checkpoints with data files, index files and segments that go", .engine = often, .prepare = three_documents, .run = checkpoints}, both);
  add({.name = "catalog", .about = "databases and collections come, and collections go", .engine = often, .prepare = three_documents, .run = catalog}, both);
  add({.name = "indexes", .about = "indexes are declared and dropped, also by the drop of their collection", .engine = often, .prepare = three_documents, .run = indexes}, both);
  for (SyncMode mode : both) {
    Scenario convert{.name = "convert", .about = "the directory is converted to the other mode after kill -9", .engine = tiny(), .prepare = unsynced_end,
                     .before = Before::kKilled, .run = two_more,
                     .converts_to = mode == SyncMode::kSync ? SyncMode::kAsync : SyncMode::kSync};
    add(std::move(convert), {mode});
  }
  add({.name = "shutdown", .about = "a write and a clean stop", .engine = tiny(), .prepare = three_documents, .run = one_more, .stops = true}, both);
  core::EngineOptions filling = small;
  filling.checkpoint_bytes = 3 * 4096;
  add({.name = "full-disk", .about = "the disk fills up, and later there is room again", .engine = filling, .prepare = three_documents, .run = fill,
       .quota_bytes = 48 * 4096, .room_after = seconds(2)}, both);
  return all;
}

}  // namespace

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = make_all();
  return all;
}

const Scenario* find_scenario(std::string_view name) {
  for (const Scenario& s : scenarios())
    if (s.name == name) return &s;
  return nullptr;
}

}  // namespace holdfast::chaos
