// Streams of the engine: pages by token, on several cores, while what they show changes.
#include <gtest/gtest.h>

#include <set>

#include "core/cursor_token.h"
#include "core/engine.h"
#include "io/base/msgpack.h"
#include "sim/world.h"

namespace holdfast::test {
namespace {

using namespace core;

constexpr Name kName{"db", "c"};

template <class F>
Buffer packed(F write) {
  Buffer out;
  msgpack::Writer w(out);
  write(w);
  return out;
}

/// {_id: id, a: id % 7, t: text}
Buffer document(uint64_t id, std::string_view text = "") {
  return packed([&](msgpack::Writer& w) { w.map(3).string("_id").uint(id).string("a").uint(id % 7).string("t").string(text); });
}

Find find_all() {
  Buffer all("\x80");
  return {.query = *Query::compile(all), .sort = {}, .projection = {}};
}
Find by_a(int64_t direction) {
  Find find = find_all();
  find.sort = *Sort::compile(packed([&](msgpack::Writer& w) { w.map(1).string("a").integer(direction); }));
  return find;
}

class CursorsTest : public testing::Test {
 protected:
  using Do = std::function<io::Task<void>(Engine&, io::Host&)>;
  using Pages = std::vector<DocumentPage>;

  CursorsTest() : world_({.seed = 1}), node_(world_.add_node("server")) {
    options_.data_path = "/data";
    options_.shard_count = 5;
    options_.scan_chunk_bytes = 512;
  }

  void live(Do what, sim::End end = sim::End::kProcessDeath) {
    done_ = false;
    node_.start([this, &what](io::Host& host) { return life(host, what); }, {.cores = 3});
    for (int i = 0; !done_ && i < 100'000; ++i) world_.run({.until = Duration{world_.now().ns} + seconds(10), .events = 100'000});
    EXPECT_TRUE(done_);
    node_.kill(end);
    engine_.reset();
  }
  io::Task<int> life(io::Host& host, const Do& what) {
    auto opened = co_await Engine::open(host, options_);
    EXPECT_TRUE(opened);
    engine_ = std::move(*opened);
    co_await what(*engine_, host);
    done_ = true;
    co_await io::sleep_for(seconds(100'000));
    co_return 0;
  }

  static io::Task<void> insert(Engine& engine, uint64_t from, uint64_t to, std::string text = "") {
    for (uint64_t i = from; i < to; ++i) {
      Buffer d = document(i, text);
      EXPECT_TRUE((co_await engine.insert_one(kName, d, Repeat::kByShape)).result);
    }
  }
  static io::Task<Result<DocumentPage>> page(Engine& engine, const Find& find, uint64_t documents, Buffer cursor, uint64_t bytes = 1 << 20, uint64_t fingerprint = 1) {
    auto page = co_await engine.stream_page(kName, find, {.fingerprint = fingerprint, .documents = documents, .bytes = bytes, .cursor = cursor});
    co_return std::move(page.result);
  }
  static io::Task<Pages> pages(Engine& engine, const Find& find, uint64_t documents, uint64_t bytes = 1 << 20) {
    Pages out;
    do {
      auto next = co_await page(engine, find, documents, out.empty() ? Buffer() : out.back().cursor, bytes);
      EXPECT_TRUE(next) << next.error().text();
      if (!next) break;
      EXPECT_TRUE(documents == 0 || next->documents.size() <= documents);
      out.push_back(std::move(*next));
    } while (!out.back().cursor.empty() && out.size() < 1000);
    co_return out;
  }
  static io::Task<void> read_all(Engine& engine, const Find& find, int& under_way) {
    auto got = joined(co_await pages(engine, find, 0, 350));
    EXPECT_EQ(got, co_await found(engine, find));
    --under_way;
  }
  static std::vector<Buffer> joined(const Pages& pages) {
    std::vector<Buffer> out;
    for (const DocumentPage& p : pages) out.insert(out.end(), p.documents.begin(), p.documents.end());
    return out;
  }
  static io::Task<std::vector<Buffer>> found(Engine& engine, const Find& find) {
    auto all = co_await engine.find(kName, find, {.answer = 1 << 30});
    EXPECT_TRUE(all.result);
    co_return std::move(*all.result);
  }
  static std::string code(const Result<DocumentPage>& r) { return r ? "a page" : std::string(info(r.error().code).name); }

  sim::World world_;
  sim::Node& node_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
  bool done_ = false;
};

TEST_F(CursorsTest, PagesTogetherAreWhatAFindAnswers) {
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 100);
    for (int64_t sort : {0, 1, -1})
      for (uint64_t skip : {0, 1, 37, 99, 100, 200})
        for (uint64_t limit : {0, 1, 10, 63, 500})
          for (uint64_t documents : {1, 7, 0}) {
            Find find = sort == 0 ? find_all() : by_a(sort);
            find.skip = skip;
            find.limit = limit;
            auto got = joined(co_await pages(e, find, documents, documents == 0 ? 300 : 1 << 20));
            EXPECT_EQ(got, co_await found(e, find)) << sort << " " << skip << " " << limit << " " << documents;
          }
  });
}

TEST_F(CursorsTest, SortedPagesAreTheSameHoweverMuchIsKeptAhead) {
  live([](Engine& e, io::Host&) -> io::Task<void> { co_await insert(e, 0, 100); });
  std::vector<Pages> all;
  for (uint64_t ahead : {0, 2'000, 1 << 20}) {
    options_.page_ahead_bytes = ahead;
    live([&](Engine& e, io::Host&) -> io::Task<void> {
      for (uint64_t documents : {1, 6, 0}) {
        Find find = by_a(-1);
        find.skip = 9;
        all.push_back(co_await pages(e, find, documents, 350));
        EXPECT_EQ(joined(all.back()), co_await found(e, find));
      }
    });
  }
  auto documents = [](const Pages& pages) {
    std::vector<std::vector<Buffer>> out;
    for (const DocumentPage& p : pages) out.push_back(p.documents);
    return out;
  };
  for (size_t i = 3; i < all.size(); ++i) EXPECT_EQ(documents(all[i]), documents(all[i % 3])) << i;
}

TEST_F(CursorsTest, PagesThatWaitForRoomAreTheSame) {
  options_.pages_bytes = 700;
  live([](Engine& e, io::Host& host) -> io::Task<void> {
    co_await insert(e, 0, 100);
    Find sorted = by_a(-1), skips = by_a(1), plain = find_all();
    skips.skip = 5;
    int under_way = 0;
    for (int i = 0; i < 12; ++i) {
      ++under_way;
      host.cores.executor(CoreId(0)).spawn(read_all(e, i % 3 == 0 ? sorted : i % 3 == 1 ? skips : plain, under_way));
    }
    while (under_way > 0) co_await io::sleep_for(milliseconds(1));
  });
  EXPECT_GT(world_.record().probes()["page-waits-for-room"], 0u);
}

TEST_F(CursorsTest, AStreamShowsOneSnapshotWhateverHappensMeanwhile) {
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 60);
    for (int64_t sort : {0, 1}) {
      Find find = sort == 0 ? find_all() : by_a(sort);
      auto expected = co_await found(e, find);
      Pages got;
      for (uint64_t n = 0; got.empty() || !got.back().cursor.empty(); ++n) {
        auto next = co_await page(e, find, 4, got.empty() ? Buffer() : got.back().cursor);
        EXPECT_TRUE(next);
        got.push_back(std::move(*next));
        co_await insert(e, 1000 + 100 * static_cast<uint64_t>(sort) + n, 1001 + 100 * static_cast<uint64_t>(sort) + n);
        Buffer filter = packed([&](msgpack::Writer& w) { w.map(1).string("_id").uint(40 * static_cast<uint64_t>(sort) + n); });
        auto query = Query::compile(filter);
        EXPECT_TRUE((co_await e.modify_one(kName, deletion_of(std::move(*query)))).result);
        if (n == 5) EXPECT_TRUE((co_await e.drop_collection(kName)).result);
      }
      EXPECT_EQ(joined(got), expected);
      // Any page, again, in any order.
      for (size_t i : {got.size() - 1, size_t{3}, size_t{7}, size_t{1}}) {
        auto again = co_await page(e, find, 4, got[i - 1].cursor);
        EXPECT_TRUE(again) << i;
        EXPECT_EQ(again->documents, got[i].documents) << i;
        EXPECT_EQ(again->cursor, got[i].cursor) << i;
        EXPECT_EQ(again->snapshot, got[0].snapshot);
      }
      co_await insert(e, 0, 60);
    }
  });
}

TEST_F(CursorsTest, PagesGoOnFromTheirPositionWhenNoScanIsKept) {
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 50);
    // More streams than a core keeps scans.
    std::vector<Pages> all(40);
    for (bool more = true; more;) {
      more = false;
      for (Pages& pages : all) {
        if (!pages.empty() && pages.back().cursor.empty()) continue;
        auto next = co_await page(e, find_all(), 3, pages.empty() ? Buffer() : pages.back().cursor);
        EXPECT_TRUE(next);
        pages.push_back(std::move(*next));
        more = true;
      }
    }
    auto expected = co_await found(e, find_all());
    for (const Pages& pages : all) EXPECT_EQ(joined(pages), expected);
  });
}

TEST_F(CursorsTest, AQueryForOneIdIsOnePage) {
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 5);
    Buffer query = packed([](msgpack::Writer& w) { w.map(1).string("_id").uint(3); });
    Find find{.query = *Query::compile(query), .sort = {}, .projection = {}};
    auto got = co_await page(e, find, 1, {});
    EXPECT_TRUE(got);
    EXPECT_EQ(got->documents.size(), 1u);
    EXPECT_TRUE(got->cursor.empty());
  });
}

TEST_F(CursorsTest, WhatThereIsNotIsAnEmptyStream) {
  live([](Engine& e, io::Host&) -> io::Task<void> {
    auto got = co_await page(e, find_all(), 1, {});
    EXPECT_TRUE(got && got->documents.empty() && got->cursor.empty());
  });
}

TEST_F(CursorsTest, APageEndsWhenItHasLookedAtEnough) {
  options_.page_scan_bytes = 1000;
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 100, std::string(100, 'x'));
    Buffer query = packed([](msgpack::Writer& w) { w.map(1).string("a").uint(6); });
    Find find{.query = *Query::compile(query), .sort = {}, .projection = {}, .skip = 2};
    auto got = co_await pages(e, find, 0);
    EXPECT_EQ(joined(got), co_await found(e, find));
    EXPECT_GT(got.size(), 10u);
    EXPECT_TRUE(std::ranges::any_of(got, [](const DocumentPage& p) { return p.documents.empty() && !p.cursor.empty(); }));
  });
}

TEST_F(CursorsTest, ACursorIsForWhatItBeganWith) {
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 20);
    auto plain = co_await page(e, find_all(), 3, {});
    auto sorted = co_await page(e, by_a(1), 3, {});
    EXPECT_EQ(code(co_await page(e, find_all(), 3, plain->cursor, 1 << 20, 2)), "bad_request") << "another fingerprint";
    EXPECT_EQ(code(co_await page(e, by_a(1), 3, plain->cursor)), "bad_request") << "a position of another kind";
    EXPECT_EQ(code(co_await page(e, find_all(), 3, sorted->cursor)), "bad_request");
    auto elsewhere = co_await e.stream_page({"db", "d"}, find_all(), {.fingerprint = 1, .documents = 3, .bytes = 100, .cursor = plain->cursor});
    EXPECT_EQ(code(elsewhere.result), "bad_request");
    auto other_database = co_await e.stream_page({"other", "c"}, find_all(), {.fingerprint = 1, .documents = 3, .bytes = 100, .cursor = plain->cursor});
    EXPECT_EQ(code(other_database.result), "bad_request");
    auto exported = co_await e.export_page(kName, {}, 1);
    EXPECT_EQ(code(co_await page(e, find_all(), 3, exported.result->cursor)), "bad_request") << "an export's";
    EXPECT_EQ(code(co_await page(e, find_all(), 3, "nonsense")), "bad_request");
    EXPECT_EQ(code(co_await page(e, find_all(), 3, plain->cursor)), "a page");
  });
}

TEST_F(CursorsTest, MadeUpTokensDoNoHarm) {
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 20);
    auto plain = co_await page(e, find_all(), 3, {});
    auto sorted = co_await page(e, by_a(1), 3, {});
    CursorToken token = *CursorToken::parse(plain->cursor);
    for (uint16_t core : {0, 1, 3, 0xffff})
      for (uint16_t shard : {0, 2, 0xffff})
        for (uint32_t ordinal : {0u, 5u, UINT32_MAX})
          for (uint64_t counted : {uint64_t{0}, UINT64_MAX}) {
            CursorToken forged = token;
            forged.core = core;
            forged.shard_index = shard;
            forged.ordinal = Ordinal(ordinal);
            forged.answered = forged.skipped = counted;
            auto got = co_await page(e, find_all(), 3, forged.encode());
            EXPECT_TRUE(got);
          }
    CursorToken in_order = *CursorToken::parse(sorted->cursor);
    in_order.sort_key = Buffer(300, '\x91');
    EXPECT_EQ(code(co_await page(e, by_a(1), 3, in_order.encode())), "bad_request");
    in_order.sort_key = "";
    EXPECT_EQ(code(co_await page(e, by_a(1), 3, in_order.encode())), "bad_request");
    for (uint64_t id : {uint64_t{0}, uint64_t{99}, UINT64_MAX}) {
      CursorToken unknown = token;
      unknown.cursor = id;
      EXPECT_EQ(code(co_await page(e, find_all(), 3, unknown.encode())), "cursor_expired");
    }
  });
}

TEST_F(CursorsTest, ACursorExpiresWithItsServer) {
  Buffer token;
  live([&](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 20);
    token = (co_await page(e, find_all(), 3, {}))->cursor;
  });
  live([&](Engine& e, io::Host&) -> io::Task<void> {
    auto other = co_await page(e, find_all(), 3, {});
    EXPECT_EQ(code(co_await page(e, find_all(), 3, token)), "cursor_expired");
    EXPECT_EQ(code(co_await page(e, find_all(), 3, other->cursor)), "a page");
  });
}

TEST_F(CursorsTest, IdleCursorsExpireAndDoneOnesSooner) {
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 6);
    auto idle = co_await page(e, find_all(), 2, {});
    auto used = co_await page(e, find_all(), 2, {});
    auto read = co_await pages(e, find_all(), 2);
    co_await io::sleep_for(seconds(14));
    EXPECT_EQ(code(co_await page(e, find_all(), 2, read[0].cursor)), "a page") << "done, but not long ago";
    co_await io::sleep_for(seconds(16));
    EXPECT_EQ(code(co_await page(e, find_all(), 2, read[0].cursor)), "cursor_expired");
    co_await io::sleep_for(seconds(500));
    EXPECT_EQ(code(co_await page(e, find_all(), 2, used->cursor)), "a page");
    co_await io::sleep_for(seconds(71));
    EXPECT_EQ(code(co_await page(e, find_all(), 2, idle->cursor)), "cursor_expired");
    EXPECT_EQ(code(co_await page(e, find_all(), 2, used->cursor)), "a page");
  });
}

TEST_F(CursorsTest, OldSnapshotsAreLetGo) {
  options_.snapshot_age = seconds(60);
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 20);
    auto old = co_await page(e, find_all(), 2, {});
    co_await io::sleep_for(seconds(40));
    auto young = co_await page(e, find_all(), 2, {});
    EXPECT_EQ(code(co_await page(e, find_all(), 2, old->cursor)), "a page");
    co_await io::sleep_for(seconds(30));
    EXPECT_EQ(code(co_await page(e, find_all(), 2, old->cursor)), "snapshot_too_old");
    EXPECT_EQ(code(co_await page(e, find_all(), 2, young->cursor)), "a page");
  });
}

TEST_F(CursorsTest, HistoryThatTakesTooMuchMemoryCostsTheOlderHalfTheirSnapshots) {
  options_.history_bytes = 2000;
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 20);
    std::vector<Buffer> tokens;
    for (uint64_t n = 0; n < 4; ++n) {
      tokens.push_back((co_await page(e, find_all(), 2, {}))->cursor);
      co_await insert(e, 100 + n * 10, 110 + n * 10);
    }
    co_await io::sleep_for(seconds(25));
    for (const Buffer& t : tokens) EXPECT_EQ(code(co_await page(e, find_all(), 2, t)), "a page") << "it fits";
    co_await insert(e, 1000, 1200);
    co_await io::sleep_for(seconds(11));
    EXPECT_EQ(code(co_await page(e, find_all(), 2, tokens[0])), "snapshot_too_old");
    EXPECT_EQ(code(co_await page(e, find_all(), 2, tokens[1])), "snapshot_too_old");
    EXPECT_EQ(code(co_await page(e, find_all(), 2, tokens[3])), "a page");
    co_await io::sleep_for(seconds(30));
    EXPECT_EQ(code(co_await page(e, find_all(), 2, tokens[3])), "snapshot_too_old");
    EXPECT_EQ(code(co_await page(e, find_all(), 2, {})), "a page");
  });
}

TEST_F(CursorsTest, WhenThereIsNoRoomADoneOneMakesWayThenAnAbandonedOne) {
  options_.max_cursors = 3;
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 6);
    auto first = co_await page(e, find_all(), 2, {});
    auto read = co_await pages(e, find_all(), 2);
    auto third = co_await page(e, find_all(), 2, {});
    auto fourth = co_await page(e, find_all(), 2, {});
    EXPECT_EQ(code(fourth), "a page");
    EXPECT_EQ(code(co_await page(e, find_all(), 2, read[0].cursor)), "cursor_expired") << "it was done";
    EXPECT_EQ(code(co_await page(e, find_all(), 2, {})), "overloaded");
    co_await io::sleep_for(seconds(31));
    EXPECT_EQ(code(co_await page(e, find_all(), 2, third->cursor)), "a page");
    EXPECT_EQ(code(co_await page(e, find_all(), 2, {})), "a page");
    EXPECT_EQ(code(co_await page(e, find_all(), 2, first->cursor)), "cursor_expired") << "nobody had asked for it";
    EXPECT_EQ(code(co_await page(e, find_all(), 2, third->cursor)), "a page");
  });
}

TEST_F(CursorsTest, ShortStreamsTakeNoRoom) {
  options_.max_cursors = 1;
  live([](Engine& e, io::Host&) -> io::Task<void> {
    co_await insert(e, 0, 6);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(code(co_await page(e, find_all(), 0, {})), "a page");
    // Nor those that failed before anybody had a token.
    Buffer large = document(100, std::string(70'000, 'x'));
    EXPECT_TRUE((co_await e.insert_one(kName, large, Repeat::kByShape)).result);
    Find by_text = find_all();
    by_text.sort = *Sort::compile(packed([](msgpack::Writer& w) { w.map(1).string("t").integer(1); }));
    EXPECT_EQ(code(co_await page(e, by_text, 0, {})), "too_large");
    EXPECT_EQ(code(co_await page(e, find_all(), 0, {})), "a page");
  });
}

}  // namespace
}  // namespace holdfast::test
