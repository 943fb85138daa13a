// The engine on three cores: transactions, alone and against each other.
#include <fmt/core.h>

#include "tests/sim/engine_fixture.h"

namespace holdfast::test {
namespace {

class TransactionTest : public EngineTest {};

/// A transaction of the test: where it works, and how it ends.
struct Tx {
  EngineTest& t;
  Buffer id;
  Lsn snapshot;
  Name operator()(std::string_view collection = "c") const { return {"db", collection, id}; }
  io::Task<std::string> commit() const {
    auto done = co_await t.engine->commit_transaction(id);
    co_return done.result ? "ok" : done.result.error().text();
  }
  io::Task<std::string> rollback() const {
    auto done = co_await t.engine->roll_back_transaction(id);
    co_return done.result ? "ok" : done.result.error().text();
  }
  io::Task<uint64_t> count(std::string_view query = "{}") const {
    auto n = co_await t.engine->count((*this)(), *Query::compile(pack(query)));
    co_return n.result ? *n.result : 999;
  }
};

io::Task<Tx> open_tx(EngineTest& t, TransactionOptions options = {}) {
  auto begun = co_await t.engine->begin_transaction(options);
  EXPECT_TRUE(begun.result);
  co_return Tx{t, *begun.result, begun.lsn};
}

TEST_F(TransactionTest, ReadsItsSnapshotAndItsOwnWrites) {
  run([](EngineTest& t) -> io::Task<void> {
    for (int i = 1; i <= 4; ++i) co_await t.insert(fmt::format(R"({{"_id":{},"n":{}}})", i, i));
    Tx tx = co_await open_tx(t);
    co_await t.one(update(R"({"_id":1})", R"({"$set":{"n":10}})"));
    co_await t.one(removal(R"({"_id":2})"));
    co_await t.insert(R"({"_id":5,"n":5})");
    EXPECT_EQ(co_await t.all("{}", tx()), R"({"_id":1,"n":1} {"_id":2,"n":2} {"_id":3,"n":3} {"_id":4,"n":4})");
    EXPECT_EQ(co_await t.all(R"({"_id":2})", tx()), R"({"_id":2,"n":2})");
    EXPECT_EQ(co_await t.all(R"({"_id":5})", tx()), "");
    EXPECT_EQ(co_await tx.count(), 4u);

    EXPECT_EQ(co_await t.one(update(R"({"_id":3})", R"({"$set":{"n":30}})"), tx()), "1 1");
    EXPECT_EQ(co_await t.one(removal(R"({"n":4})"), tx()), "1 1");
    EXPECT_EQ(co_await t.insert_in(tx(), R"({"_id":6,"n":6})"), "ok");
    EXPECT_EQ(co_await t.all("{}", tx()), R"({"_id":1,"n":1} {"_id":2,"n":2} {"_id":3,"n":30} {"_id":6,"n":6})");
    EXPECT_EQ(co_await t.all(R"({"n":{"$gte":4}})", tx()), R"({"_id":3,"n":30} {"_id":6,"n":6})");
    EXPECT_EQ(co_await t.all(R"({"n":3})", tx()), "") << "what it has changed is not found as it was";
    EXPECT_EQ(co_await tx.count(), 4u);
    EXPECT_EQ(co_await tx.count(R"({"n":{"$lt":5}})"), 2u);
    EXPECT_EQ(co_await t.all(), R"({"_id":1,"n":10} {"_id":3,"n":3} {"_id":4,"n":4} {"_id":5,"n":5})") << "nobody else sees any of it";
    EXPECT_EQ(co_await tx.commit(), "ok");
    EXPECT_EQ(co_await t.all(), R"({"_id":1,"n":10} {"_id":3,"n":30} {"_id":5,"n":5} {"_id":6,"n":6})");
  });
}

TEST_F(TransactionTest, ChangesManyDocumentsOverWhatItHasWritten) {
  run([](EngineTest& t) -> io::Task<void> {
    for (int i = 1; i <= 6; ++i) co_await t.insert(fmt::format(R"({{"_id":{},"g":{},"n":0}})", i, i % 2));
    Tx tx = co_await open_tx(t);
    EXPECT_EQ(co_await t.one(update(R"({"_id":1})", R"({"$set":{"g":0}})"), tx()), "1 1");
    EXPECT_EQ(co_await t.insert_in(tx(), R"({"_id":7,"g":1,"n":0})"), "ok");
    EXPECT_EQ(co_await t.many(update(R"({"g":1})", R"({"$inc":{"n":1}})"), tx()), "3 3");
    EXPECT_EQ(co_await t.many(removal(R"({"g":0})"), tx()), "4 4");
    EXPECT_EQ(co_await t.all("{}", tx()), R"({"_id":3,"g":1,"n":1} {"_id":5,"g":1,"n":1} {"_id":7,"g":1,"n":1})");
    EXPECT_EQ(co_await t.many(removal(R"({"_id":{"$gte":5}})"), tx()), "2 2");
    EXPECT_EQ(co_await t.insert_in(tx(), R"({"_id":5,"g":5})"), "ok") << "what it has deleted may be inserted again";
    EXPECT_EQ(co_await t.insert_in(tx(), R"({"_id":3})"), "duplicate_key: E11000 duplicate key: a document with the _id of document 0 is already in the collection; none was inserted");
    EXPECT_EQ(co_await tx.commit(), "ok");
    EXPECT_EQ(co_await t.all(), R"({"_id":3,"g":1,"n":1} {"_id":5,"g":5})");
  });
}

TEST_F(TransactionTest, UpsertsAndReturnsDocuments) {
  run([](EngineTest& t) -> io::Task<void> {
    Tx tx = co_await open_tx(t);
    EXPECT_EQ(co_await t.one(upsert(R"({"_id":1})", R"({"$inc":{"n":1}})"), tx()), "0 0 new 1");
    EXPECT_EQ(co_await t.one(upsert(R"({"_id":1})", R"({"$inc":{"n":1}})"), tx()), "1 1");
    EXPECT_TRUE((co_await t.many(upsert(R"({"k":"a"})", R"({"$inc":{"n":1}})"), tx())).starts_with("0 0 new"));
    EXPECT_EQ(co_await t.many(upsert(R"({"k":"a"})", R"({"$inc":{"n":1}})"), tx()), "1 1");
    Modification pop = removal(R"({"k":"a"})");
    pop.returns = Modification::Returns::kBefore;
    EXPECT_TRUE((co_await t.one(std::move(pop), tx())).contains(R"("n":2)"));
    EXPECT_EQ(co_await tx.commit(), "ok");
    EXPECT_EQ(co_await t.all(), R"({"_id":1,"n":2})");
  });
}

TEST_F(TransactionTest, OfTwoThatChangeOneDocumentTheFirstToCommitWins) {
  run([](EngineTest& t) -> io::Task<void> {
    co_await t.insert(R"({"_id":"a","n":1})");
    co_await t.insert(R"({"_id":"b","n":1})");
    Tx first = co_await open_tx(t), second = co_await open_tx(t);
    for (const Tx& tx : {first, second}) EXPECT_EQ(co_await t.one(update(R"({"_id":"a"})", R"({"$inc":{"n":1}})"), tx()), "1 1");
    EXPECT_EQ(co_await t.one(update(R"({"_id":"b"})", R"({"$inc":{"n":1}})"), second()), "1 1");
    EXPECT_EQ(co_await first.commit(), "ok");
    std::string said = co_await second.commit();
    EXPECT_TRUE(said.starts_with("conflict: the document \"a\" of db.c was changed")) << said;
    EXPECT_EQ(co_await second.commit(), said) << "asked again it says the same";
    EXPECT_EQ(co_await first.commit(), "ok");
    EXPECT_EQ(co_await t.all(), R"({"_id":"a","n":2} {"_id":"b","n":1})") << "nothing of the second";
    EXPECT_EQ(co_await t.one(update(R"({"_id":"b"})", R"({"$inc":{"n":1}})")), "1 1") << "nothing stayed locked";
  });
}

TEST_F(TransactionTest, DeletionsAndInsertionsOfOthersConflict) {
  run([](EngineTest& t) -> io::Task<void> {
    co_await t.insert(R"({"_id":1,"n":1})");
    Tx updates = co_await open_tx(t), inserts = co_await open_tx(t), again = co_await open_tx(t);
    EXPECT_EQ(co_await t.one(update(R"({"_id":1})", R"({"$inc":{"n":1}})"), updates()), "1 1");
    EXPECT_EQ(co_await t.insert_in(inserts(), R"({"_id":2})"), "ok");
    EXPECT_EQ(co_await t.one(removal(R"({"_id":1})"), again()), "1 1");
    EXPECT_EQ(co_await t.insert_in(again(), R"({"_id":1,"n":9})"), "ok");
    EXPECT_EQ(co_await t.one(removal(R"({"_id":1})")), "1 1");
    co_await t.insert(R"({"_id":2,"by":"another"})");
    EXPECT_TRUE((co_await updates.commit()).starts_with("conflict: the document 1 "));
    EXPECT_TRUE((co_await inserts.commit()).starts_with("conflict: the document 2 "));
    EXPECT_TRUE((co_await again.commit()).starts_with("conflict: the document 1 "));
    EXPECT_EQ(co_await t.all(), R"({"_id":2,"by":"another"})");
  });
}

io::Task<void> insert_into(EngineTest& t, std::string collection, Duration pause, Lsn& lsn) {
  co_await io::sleep_for(pause);
  Buffer document = pack(R"({"_id":1})");
  auto done = co_await t.engine->insert_one({"db", collection}, document, Repeat::kNever);
  EXPECT_TRUE(done.result);
  lsn = done.lsn;
}

/// Commits at once, then, while much is locked, others make the collection.
TEST_F(TransactionTest, WhatWasNotThereInACollectionThatWasNotThereIsValidated) {
  options.scan_yield_documents = 1;
  run([](EngineTest& t) -> io::Task<void> {
    constexpr int kDelays = 40, kWrites = 2000;
    int committed = 0, refused = 0;
    for (int i = 0; i < kDelays; ++i) {
      std::string collection = fmt::format("new{}", i);
      Tx tx = co_await open_tx(t, {.validate_reads = true});
      EXPECT_EQ(co_await t.all(R"({"_id":1})", tx(collection)), "");
      std::vector<Buffer> documents;
      for (int d = 0; d < kWrites; ++d) documents.push_back(pack(fmt::format(R"({{"_id":{}}})", i * kWrites + d)));
      auto written = co_await t.engine->insert_many(tx(), std::vector<Bytes>(documents.begin(), documents.end()), Repeat::kNever);
      EXPECT_TRUE(written.result);
      Lsn inserted;
      io::TaskGroup others(co_await io::this_executor());
      others.spawn(insert_into(t, collection, microseconds(25 * std::max(0, i - kDelays / 4)), inserted));
      co_await io::sleep_for(microseconds(25 * std::max(0, kDelays / 4 - i)));
      auto done = co_await t.engine->commit_transaction(tx.id);
      co_await others.drained();
      done.result ? ++committed : ++refused;
      if (done.result) EXPECT_LT(done.lsn, inserted) << "what it had not found was there before it";
    }
    EXPECT_GT(committed, 0);
    EXPECT_GT(refused, 0);
  });
}

TEST_F(TransactionTest, WriteSkewIsPossibleUnlessReadsAreValidated) {
  run([](EngineTest& t) -> io::Task<void> {
    for (bool validated : {false, true}) {
      co_await t.many(removal("{}"));
      co_await t.insert(R"({"_id":"a","n":1})");
      co_await t.insert(R"({"_id":"b","n":1})");
      TransactionOptions options{.validate_reads = validated};
      Tx first = co_await open_tx(t, options), second = co_await open_tx(t, options);
      EXPECT_EQ(co_await t.all(R"({"_id":"b"})", first()), R"({"_id":"b","n":1})");
      EXPECT_EQ(co_await t.all(R"({"n":{"$gte":1}})", second()), R"({"_id":"a","n":1} {"_id":"b","n":1})");
      EXPECT_EQ(co_await t.one(update(R"({"_id":"a"})", R"({"$set":{"n":0}})"), first()), "1 1");
      EXPECT_EQ(co_await t.one(update(R"({"_id":"b"})", R"({"$set":{"n":0}})"), second()), "1 1");
      EXPECT_EQ(co_await first.commit(), "ok");
      std::string said = co_await second.commit();
      EXPECT_EQ(said == "ok", !validated) << said;
      Tx looks = co_await open_tx(t, options);
      EXPECT_EQ(co_await t.all(R"({"_id":"nobody"})", looks()), "");
      co_await t.insert(R"({"_id":"nobody"})");
      EXPECT_EQ((co_await looks.commit()) == "ok", !validated) << "that it was not there was read, too";
    }
  });
}

TEST_F(TransactionTest, SpansCollectionsAndMakesThoseThatAreNotThere) {
  run([](EngineTest& t) -> io::Task<void> {
    co_await t.insert(R"({"_id":1})");
    Tx tx = co_await open_tx(t), gone = co_await open_tx(t);
    for (const char* c : {"c", "d", "e"}) EXPECT_EQ(co_await t.insert_in(tx(c), fmt::format(R"({{"_id":"{}"}})", c)), "ok");
    EXPECT_EQ(co_await t.insert_in(gone("f"), R"({"_id":1})"), "ok");
    EXPECT_EQ(co_await gone.rollback(), "ok");
    EXPECT_EQ(co_await gone.rollback(), "ok");
    EXPECT_TRUE((co_await gone.commit()).starts_with("tx_unknown: the transaction was rolled back"));
    EXPECT_EQ(co_await t.all("{}", {"db", "d"}), "");
    EXPECT_EQ(co_await tx.commit(), "ok");
    for (const char* c : {"c", "d", "e"}) EXPECT_EQ(co_await t.all(R"({"_id":{"$gte":""}})", {"db", c}), fmt::format(R"({{"_id":"{}"}})", c));
    auto names = co_await t.engine->list_collections("db");
    EXPECT_EQ(names.result->size(), 3u) << "what was rolled back made no collection";
    EXPECT_TRUE((co_await tx.rollback()).starts_with("tx_unknown: the transaction has committed"));
    EXPECT_TRUE((co_await t.insert_in(tx(), R"({"_id":9})")).starts_with("tx_unknown: the transaction has committed"));
  });
}

TEST_F(TransactionTest, SeesCollectionsAsTheyWereAndConflictsWithDrops) {
  run([](EngineTest& t) -> io::Task<void> {
    co_await t.insert(R"({"_id":1,"n":1})");
    Tx reads = co_await open_tx(t), writes = co_await open_tx(t);
    EXPECT_EQ(co_await t.one(update(R"({"_id":1})", R"({"$set":{"n":2}})"), writes()), "1 1");
    auto dropped = co_await t.engine->drop_collection(kName);
    co_await t.insert(R"({"_id":1,"n":3})");
    EXPECT_EQ(co_await t.all("{}", reads()), R"({"_id":1,"n":1})");
    EXPECT_EQ(co_await t.all(R"({"_id":1})", reads()), R"({"_id":1,"n":1})");
    EXPECT_EQ(co_await reads.commit(), "ok");
    EXPECT_TRUE((co_await writes.commit()).starts_with("conflict: a collection"));
    EXPECT_GE((co_await t.engine->commit_transaction(writes.id)).lsn, dropped.lsn) << "the answer rests on the drop";
    EXPECT_EQ(co_await t.all(), R"({"_id":1,"n":3})");
  });
}

TEST_F(TransactionTest, EndsWhenItIsIdleForTooLong) {
  options.transaction_idle = seconds(2);
  run([](EngineTest& t) -> io::Task<void> {
    Tx tx = co_await open_tx(t);
    EXPECT_EQ(co_await t.insert_in(tx(), R"({"_id":1})"), "ok");
    co_await io::sleep_for(milliseconds(1900));
    EXPECT_EQ(co_await tx.count(), 1u) << "each request begins the time anew";
    co_await io::sleep_for(milliseconds(1900));
    EXPECT_EQ(co_await tx.count(), 1u);
    co_await io::sleep_for(milliseconds(2100));
    EXPECT_TRUE((co_await tx.commit()).starts_with("tx_unknown"));
    EXPECT_EQ(co_await t.all(), "");
  });
}

/// Asks without a pause, in two tasks, so that there is always a request under way, until one is refused or `patience` has passed. How long that took.
io::Task<Duration> ask_without_a_pause(EngineTest& t, const Tx& tx, Duration patience) {
  io::Executor& here = co_await io::this_executor();
  Time begin = here.now();
  bool refused = false;
  for (int i = 0; i < 2; ++i)
    co_await t.begin([&]() -> io::Task<void> {
      while (!refused && here.now() - begin < patience) {
        refused = co_await tx.count() == 999;
        co_await t.one(update(R"({"_id":1})", R"({"$inc":{"n":1}})"));
      }
    });
  for (int i = 0; i < 2; ++i)
    co_await t.begin([&]() -> io::Task<void> {
      while (!refused && here.now() - begin < patience) refused = co_await tx.count() == 999;
    });
  co_await t.settle();
  co_return here.now() - begin;
}

TEST_F(TransactionTest, EndsWhenItsSnapshotIsTooOldAlsoWhenItIsNeverIdle) {
  options.snapshot_age = milliseconds(200);
  run([](EngineTest& t) -> io::Task<void> {
    co_await t.insert(R"({"_id":1,"n":0})");
    Tx tx = co_await open_tx(t);
    EXPECT_LT(co_await ask_without_a_pause(t, tx, seconds(1)), milliseconds(300));
    EXPECT_EQ((co_await t.engine->stats()).result->open_transactions, 0u);
    EXPECT_TRUE((co_await tx.commit()).starts_with("tx_unknown"));
  });
}

TEST_F(TransactionTest, EndsWhenItsSnapshotCostsTooMuchAlsoWhenItIsNeverIdle) {
  options.history_bytes = 1;
  run([](EngineTest& t) -> io::Task<void> {
    co_await t.insert(R"({"_id":1,"n":0})");
    Tx tx = co_await open_tx(t);
    co_await io::sleep_for(milliseconds(9800));
    EXPECT_LT(co_await ask_without_a_pause(t, tx, seconds(1)), milliseconds(500)) << "the next look, which comes every ten seconds, ends it";
    EXPECT_EQ((co_await t.engine->stats()).result->open_transactions, 0u);
    EXPECT_TRUE((co_await tx.commit()).starts_with("snapshot_too_old"));
  });
}

TEST_F(TransactionTest, AreBoundedInNumberAndMemory) {
  options.max_transactions = 3;
  options.transactions_bytes = 100'000;
  run([](EngineTest& t) -> io::Task<void> {
    std::vector<Tx> open;
    for (int i = 0; i < 3; ++i) open.push_back(co_await open_tx(t));
    auto fourth = co_await t.engine->begin_transaction({});
    EXPECT_EQ(fourth.result.error().code, Code::kOverloaded);
    std::string large = fmt::format(R"({{"_id":1,"t":"{}"}})", std::string(60'000, 'x'));
    EXPECT_EQ(co_await t.insert_in(open[0](), large), "ok");
    EXPECT_TRUE((co_await t.insert_in(open[1](), large)).starts_with("overloaded"));
    EXPECT_EQ(co_await open[0].rollback(), "ok");
    EXPECT_EQ(co_await t.insert_in(open[1](), large), "ok");
    Tx again = co_await open_tx(t);
    EXPECT_EQ(co_await open[1].commit(), "ok");
    EXPECT_EQ(co_await t.one(removal(R"({"_id":1})"), again()), "0 0") << "it began before that was there";
    for (int i = 0; i < 100; ++i) {
      std::string said = co_await t.insert_in(again(), R"({"_id":1})");
      EXPECT_EQ(said == "ok", i == 0) << said;
    }
  });
}

TEST_F(TransactionTest, TheCatalogsThatTheySeeCountToTheirMemory) {
  options.transactions_bytes = 100'000;
  run([](EngineTest& t) -> io::Task<void> {
    std::vector<Tx> open;
    auto make = [&](int i) -> io::Task<void> {
      std::string name = fmt::format("c{}", i);
      EXPECT_TRUE((co_await t.engine->create_collection({"db", name})).result);
    };
    for (int i = 0; i < 100; ++i) co_await make(i);
    for (int i = 0; i < 100; ++i) open.push_back(co_await open_tx(t));
    size_t begun = 0;
    for (bool refused = false; !refused && begun < 100; ++begun) {
      co_await make(100 + static_cast<int>(begun));
      auto tx = co_await t.engine->begin_transaction({});
      refused = !tx.result && tx.result.error().code == Code::kOverloaded;
      if (!refused) open.push_back({t, *tx.result, tx.lsn});
    }
    EXPECT_LT(begun, 8u) << "each has a catalog of its own";
    EXPECT_GT(begun, 2u) << "those before have one together";
    for (const Tx& tx : open) EXPECT_EQ(co_await tx.rollback(), "ok");
    Tx again = co_await open_tx(t);
    EXPECT_EQ(co_await t.insert_in(again(), R"({"_id":1})"), "ok");
  });
}

TEST_F(TransactionTest, OthersRunWhileOneGoesThroughWhatItHasWritten) {
  options.scan_yield_documents = 1;
  run([](EngineTest& t) -> io::Task<void> {
    constexpr int kDocuments = 400;
    Tx tx = co_await open_tx(t);
    std::vector<Buffer> documents;
    for (int i = 0; i < kDocuments; ++i) documents.push_back(pack(fmt::format(R"({{"_id":{}}})", i)));
    int turns = 0;
    bool ended = false;
    co_await t.begin([&]() -> io::Task<void> {
      while (!ended) {
        ++turns;
        co_await io::yield();
      }
    });
    auto turns_during = [&](auto task) -> io::Task<int> {
      int before = turns;
      co_await std::move(task);
      co_return turns - before;
    };
    EXPECT_GE(co_await turns_during(t.engine->insert_many(tx(), {documents.begin(), documents.end()}, Repeat::kNever)), kDocuments / 6) << "looks, then writes";
    EXPECT_GE(co_await turns_during(tx.count(R"({"n":1})")), kDocuments / 16);
    EXPECT_GE(co_await turns_during(t.all(R"({"n":1})", tx())), kDocuments / 16);
    EXPECT_GE(co_await turns_during(t.many(update("{}", R"({"$set":{"n":1}})"), tx())), kDocuments / 6);
    EXPECT_EQ(co_await tx.count(R"({"n":1})"), static_cast<uint64_t>(kDocuments));
    ended = true;
    co_await t.settle();
  });
}

TEST_F(TransactionTest, AnIdOfAnotherLifeOrOfNobodyIsUnknown) {
  run([](EngineTest& t) -> io::Task<void> {
    Tx tx = co_await open_tx(t);
    for (Buffer id : {Buffer("0000000000000001ffffffffffffffff"), Buffer("x"), Buffer(32, 'g'), tx.id.substr(0, 31)}) {
      Tx other{t, id, {}};
      EXPECT_TRUE((co_await other.commit()).starts_with("tx_unknown")) << id;
      EXPECT_TRUE((co_await t.insert_in(other(), R"({"_id":1})")).starts_with("tx_unknown")) << id;
    }
    EXPECT_EQ(co_await tx.commit(), "ok");
  });
}

TEST_F(TransactionTest, ManyAtOnceThatMeetEachOtherAllEndAndLoseNothing) {
  run([](EngineTest& t) -> io::Task<void> {
    constexpr int kAccounts = 6, kTasks = 12, kRounds = 15;
    for (int i = 0; i < kAccounts; ++i) co_await t.insert(fmt::format(R"({{"_id":{},"n":100}})", i));
    int committed = 0, conflicts = 0;
    for (int task = 0; task < kTasks; ++task)
      co_await t.begin([&t, &committed, &conflicts, task]() -> io::Task<void> {
        for (int round = 0; round < kRounds; ++round) {
          int from = (task + round) % kAccounts, to = (task * 5 + round * 3 + 1) % kAccounts;
          if (from == to) continue;
          for (bool done = false; !done;) {
            Tx tx = co_await open_tx(t);
            EXPECT_EQ(co_await t.one(update(fmt::format(R"({{"_id":{}}})", from), R"({"$inc":{"n":-1}})"), tx()), "1 1");
            EXPECT_EQ(co_await t.one(update(fmt::format(R"({{"_id":{}}})", to), R"({"$inc":{"n":1}})"), tx()), "1 1");
            std::string said = co_await tx.commit();
            done = said == "ok";
            EXPECT_TRUE(done || said.starts_with("conflict")) << said;
            done ? ++committed : ++conflicts;
          }
        }
      });
    co_await t.settle();
    EXPECT_GT(conflicts, 0);
    int64_t sum = 0;
    Find find{.query = *Query::compile(pack("{}")), .sort = {}, .projection = {}};
    auto found = co_await t.engine->find(kName, find, {.answer = 64 << 20});
    for (const Buffer& d : *found.result) {
      msgpack::Value v;
      msgpack::Cursor(*msgpack::lookup(d, "n")).next(v);
      sum += v.kind == msgpack::Kind::kUint ? static_cast<int64_t>(v.u) : v.i;
    }
    EXPECT_EQ(sum, 100 * kAccounts);
  });
}

}  // namespace
}  // namespace holdfast::test
