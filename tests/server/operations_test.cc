#include <fmt/format.h>

#include <set>

#include "tests/server/server_fixture.h"

namespace holdfast::test {
namespace {

using Operations = ServerTest;

// A string literal with all its zeros.
template <size_t N>
Buffer literal(const char (&text)[N]) {
  return Buffer(text, N - 1);
}

std::string hex(Bytes bytes) {
  std::string out;
  for (char c : bytes) out += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return out;
}

Buffer query_args(std::string_view field, std::string_view value) {
  return packed([&](msgpack::Writer& w) { w.map(1).string("query").map(1).string(field).string(value); });
}
Buffer name_args(std::string_view name) {
  return packed([&](msgpack::Writer& w) { w.map(1).string("name").string(name); });
}
Buffer many_args(const std::vector<std::string>& ids) {
  Buffer blob;
  std::vector<uint64_t> offsets = {0};
  for (const auto& id : ids) {
    blob += document(id);
    offsets.push_back(blob.size());
  }
  return packed([&](msgpack::Writer& w) {
    w.map(3).string("ids").array(static_cast<uint32_t>(ids.size()));
    for (const auto& id : ids) w.string(id);
    w.string("blob").binary(blob).string("offsets").array(static_cast<uint32_t>(offsets.size()));
    for (uint64_t o : offsets) w.uint(o);
  });
}

TEST_F(Operations, AnswerInTheShapesOfTheProtocol) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    auto shape = [&](Sent s) -> io::Task<std::string> {
      Got got = co_await c->ask(s);
      co_return got.ok() ? hex(got.result) : got.error;
    };
    // {id: "a"}
    EXPECT_EQ(co_await shape({.op = Op::kInsertOne, .args = document("a")}), "81a26964a161");
    // {ids: ["b", "c"]}
    EXPECT_EQ(co_await shape({.op = Op::kInsertMany, .args = many_args({"b", "c"})}), "81a369647392a162a163");
    EXPECT_EQ(co_await shape({.op = Op::kInsertMany, .args = many_args({})}), "81a369647390");
    EXPECT_EQ(co_await shape({.op = Op::kFindOne, .args = query_args("_id", "b")}), hex(document("b")));
    EXPECT_EQ(co_await shape({.op = Op::kFindOne, .args = query_args("_id", "z")}), "not_found: document not found");
    EXPECT_EQ(co_await shape({.op = Op::kFind, .args = query_args("_id", "b")}), "91" + hex(document("b")));
    EXPECT_EQ(co_await shape({.op = Op::kFind, .args = query_args("_id", "z")}), "90")
        << "empty is an empty array, never nil";
    EXPECT_EQ(co_await shape({.op = Op::kFindById, .args = id_args("c")}), hex(document("c")));
    EXPECT_EQ(co_await shape({.op = Op::kFindById, .args = id_args("z")}), "not_found: document not found");
    // {count: int64 3}, always nine bytes
    EXPECT_EQ(co_await shape({.op = Op::kCount}), "81a5636f756e74d30000000000000003");
    EXPECT_EQ(co_await shape({.op = Op::kCount, .args = query_args("_id", "b")}), "81a5636f756e74d30000000000000001");
    // {n: 1}, which clients read by its first bytes 81 a1 6e
    EXPECT_EQ(co_await shape({.op = Op::kFindManyCount, .args = query_args("_id", "b")}), "81a16e01");
    Buffer update = packed([](msgpack::Writer& w) {
      w.map(2).string("filter").map(1).string("_id").string("b");
      w.string("update").map(1).string("$set").map(1).string("t").string("new");
    });
    // {matched: 1, modified: 1}
    EXPECT_EQ(co_await shape({.op = Op::kUpdateOne, .args = update}), "82a76d61746368656401a86d6f64696669656401");
    EXPECT_EQ(co_await shape({.op = Op::kUpdateOne, .args = update}), "82a76d61746368656401a86d6f64696669656400");
    Buffer unused = packed([](msgpack::Writer& w) {
      w.map(3).string("filter").map(0).string("update").map(1).string("$set").map(0).string("array_filters").array(1).map(1).string("x").uint(1);
    });
    EXPECT_EQ(co_await shape({.op = Op::kUpdateOne, .args = unused}), "bad_request: array filter 0: no path of the update has $[x]");
    EXPECT_EQ(co_await shape({.op = Op::kDeleteMany}), "bad_request: there must be a filter: the empty one, {}, matches all documents");
    Buffer filter = packed([](msgpack::Writer& w) { w.map(1).string("filter").map(1).string("_id").string("b"); });
    EXPECT_EQ(co_await shape({.op = Op::kDeleteOne, .args = filter}), "81a764656c6574656401");
    EXPECT_EQ(co_await shape({.op = Op::kDeleteOne, .args = filter}), "81a764656c6574656400")
        << "matching nothing is a success";
    EXPECT_EQ(co_await shape({.op = Op::kDbExists, .args = name_args("default"), .collection = ""}),
              "81a6657869737473c3");
    EXPECT_EQ(co_await shape({.op = Op::kDbExists, .args = name_args("other"), .collection = ""}),
              "81a6657869737473c2");
    EXPECT_EQ(co_await shape({.op = Op::kCollectionExists, .args = name_args("c")}), "81a6657869737473c3");
    EXPECT_EQ(co_await shape({.op = Op::kCreateCollection, .args = name_args("d"), .collection = ""}), "");
    EXPECT_EQ(co_await shape({.op = Op::kListCollections, .collection = ""}), "81ab636f6c6c656374696f6e7392a163a164");
    EXPECT_EQ(co_await shape({.op = Op::kListDatabases, .collection = ""}), "81a964617461626173657391a764656661756c74");
    EXPECT_EQ(co_await shape({.op = Op::kDrop}), "");
    EXPECT_EQ(co_await shape({.op = Op::kDrop}), "") << "dropping what is not there is a success";
    EXPECT_EQ(co_await shape({.op = Op::kFlush}), "");
    EXPECT_EQ(co_await shape({.op = Op::kPing}), "");
  });
}

TEST_F(Operations, VerifyTellsDamageAndHowFarItHasCome) {
  run([](ServerTest& t) -> io::Task<void> {
    t.engine->damage = {"that record"};
    auto c = co_await t.connect();
    Got first = co_await c->ask({.op = Op::kVerify});
    EXPECT_EQ(hex(first.result),
              "86a77265636f72647303a5627974657364ab7368617264735f646f6e6501a673686172647302a6637572736f72c4046e657874a664616d61676591"
              "ab74686174207265636f7264");
    Buffer args = packed([](msgpack::Writer& w) { w.map(1).string("cursor").binary("next"); });
    Got last = co_await c->ask({.op = Op::kVerify, .args = args});
    EXPECT_EQ(hex(last.result), "85a77265636f72647303a5627974657364ab7368617264735f646f6e6502a673686172647302a664616d61676590");
  });
}

// The very bytes of the original's client: id as ce, op as cc, the document bare, keys in its order.
TEST_F(Operations, TakeTheOriginalClientsBytes) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    Buffer insert = literal(
        "\x84\xa2id\xce\x00\x00\x00\x01\xa2op\xcc\x01\xaa"
        "collection\xa5users\xa4"
        "args\x82\xa4"
        "name\xa3"
        "Ada\xa3_id\xa2k1");
    co_await c->send(framed(insert));
    Got got = co_await c->next();
    EXPECT_TRUE(got.ok()) << got.error;
    EXPECT_EQ(got.id, 1u);
    EXPECT_EQ(t.engine->documents("default", "users").size(), 1u);
    Buffer find = literal(
        "\x84\xa2id\xce\x00\x00\x00\x02\xa2op\xcc\x0a\xaa"
        "collection\xa5users\xa4"
        "args\x81\xa2id\xa2k1");
    co_await c->send(framed(find));
    got = co_await c->next();
    EXPECT_EQ(got.result, literal("\x82\xa4name\xa3"
                                  "Ada\xa3_id\xa2k1"))
        << got.error;
  });
}

TEST_F(Operations, IdsOtherThanStringsComeBackAsTheyAre) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    Got got = co_await c->ask({.op = Op::kInsertOne, .args = literal("\x81\xa3_id\xd1\x00\x2a")});
    EXPECT_EQ(hex(got.result), "81a26964d1002a");
  });
}

TEST_F(Operations, UseTheDatabaseOfTheRequestOrTheDefaultOne) {
  config.default_database = "main";
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    co_await c->ask({.op = Op::kInsertOne, .args = document("a"), .database = "other"});
    co_await c->ask({.op = Op::kInsertOne, .args = document("a")});
    EXPECT_EQ(t.engine->documents("other", "c").size(), 1u);
    EXPECT_EQ(t.engine->documents("main", "c").size(), 1u);
  });
}

TEST_F(Operations, WithinTransactionsNameThemInTheEnvelopeOrAsTheOriginalDoes) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    auto last = [&] { return t.engine->calls.back(); };
    Got begun = co_await c->ask({.op = Op::kBeginTx});
    EXPECT_EQ(hex(begun.result), "81a574785f6964a474782d31") << "{tx_id: tx-1}";
    EXPECT_EQ(last(), "begin_transaction");
    Buffer validated = packed([](msgpack::Writer& w) { w.map(1).string("validate_reads").boolean(true); });
    EXPECT_TRUE((co_await c->ask({.op = Op::kBeginTx, .args = validated})).ok());
    EXPECT_EQ(last(), "begin_transaction, validated");
    EXPECT_EQ((co_await c->ask({.op = Op::kBeginTx, .args = name_args("x")})).code, Code::kUnsupported);

    EXPECT_TRUE((co_await c->ask({.op = Op::kInsertOne, .args = document("a"), .transaction = "tx-1"})).ok());
    EXPECT_EQ(last(), "insert_one default/c in tx-1");
    EXPECT_TRUE((co_await c->ask({.op = Op::kFindManyCount, .args = query_args("_id", "a"), .transaction = "tx-1"})).ok());
    EXPECT_EQ(last(), "count default/c in tx-1");
    for (Op op : {Op::kDrop, Op::kExport, Op::kStream, Op::kCreateCollection, Op::kPing, Op::kBatch, Op::kTxCommit, Op::kTxInsertOne})
      EXPECT_EQ((co_await c->ask({.op = op, .args = name_args("x"), .transaction = "tx-1"})).code, Code::kUnsupported) << wire::name(op);

    auto with_tx = [](auto rest) { return packed([&](msgpack::Writer& w) { rest(w.map(2).string("tx_id").string("tx-1")); }); };
    Buffer insert = with_tx([](msgpack::Writer& w) { w.string("doc").map(1).string("_id").string("b"); });
    EXPECT_TRUE((co_await c->ask({.op = Op::kTxInsertOne, .args = insert})).ok());
    EXPECT_EQ(last(), "insert_one default/c in tx-1");
    Buffer wrapped = with_tx([](msgpack::Writer& w) { w.string("doc").map(2).string("_id").string("d").string("doc").map(0); });
    EXPECT_TRUE((co_await c->ask({.op = Op::kTxInsertOne, .args = wrapped})).ok());
    Buffer id = with_tx([](msgpack::Writer& w) { w.string("id").string("b"); });
    EXPECT_EQ((co_await c->ask({.op = Op::kTxFindById, .args = id})).result, packed([](msgpack::Writer& w) { w.map(1).string("_id").string("b"); }));
    Buffer query = with_tx([](msgpack::Writer& w) { w.string("query").map(1).string("_id").string("b"); });
    EXPECT_TRUE((co_await c->ask({.op = Op::kTxFindOne, .args = query})).ok());
    EXPECT_EQ(last(), "find default/c in tx-1");
    Buffer update = packed([](msgpack::Writer& w) {
      w.map(3).string("tx_id").string("tx-1").string("filter").map(0).string("update").map(1).string("$set").map(1).string("n").uint(1);
    });
    EXPECT_TRUE((co_await c->ask({.op = Op::kTxUpdateOne, .args = update})).ok());
    EXPECT_EQ(last(), "update_one default/c in tx-1");
    EXPECT_EQ((co_await c->ask({.op = Op::kUpdateOne, .args = update})).code, Code::kUnsupported) << "it would act outside the transaction";
    Buffer filter = with_tx([](msgpack::Writer& w) { w.string("filter").map(1).string("_id").string("b"); });
    EXPECT_TRUE((co_await c->ask({.op = Op::kTxDeleteOne, .args = filter})).ok());
    EXPECT_EQ(last(), "delete_one default/c in tx-1");
    Buffer tx = packed([](msgpack::Writer& w) { w.map(1).string("tx_id").string("tx-1"); });
    EXPECT_TRUE((co_await c->ask({.op = Op::kTxCommit, .args = tx})).ok());
    EXPECT_EQ(last(), "commit tx-1");
    EXPECT_TRUE((co_await c->ask({.op = Op::kTxRollback, .args = tx})).ok());
    EXPECT_EQ(last(), "roll back tx-1");
    for (Op op : {Op::kTxCommit, Op::kTxRollback, Op::kTxFindOne, Op::kTxFindById, Op::kTxInsertOne, Op::kTxUpdateOne, Op::kTxDeleteOne})
      EXPECT_EQ((co_await c->ask({.op = op})).code, Code::kBadRequest) << wire::name(op);
  });
}

TEST_F(Operations, IndexesAreDeclaredCountedListedAndDropped) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    for (int i = 0; i < 3; ++i)
      co_await c->ask({.op = Op::kInsertOne, .args = packed([&](msgpack::Writer& w) {
                         w.map(i == 2 ? 1 : 2).string("_id").string(std::to_string(i));
                         if (i == 0) w.string("age").uint(5);
                         if (i == 1) w.string("age").string("five");
                       })});
    auto field = [](std::string_view name, std::string_view type) {
      return packed([&](msgpack::Writer& w) {
        w.map(type.empty() ? 1 : 2).string("field").string(name);
        if (!type.empty()) w.string("value_type").string(type);
      });
    };
    Got made = co_await c->ask({.op = Op::kCreateIndex, .args = field("age", "integer")});
    auto number = [&](std::string_view name) {
      msgpack::Value v;
      msgpack::Cursor(*msgpack::lookup(made.result, name)).next(v);
      return v.kind == msgpack::Kind::kUint ? static_cast<int64_t>(v.u) : v.i;
    };
    EXPECT_EQ(number("indexed"), 1);
    EXPECT_EQ(number("skipped"), 2);
    EXPECT_TRUE(made.result.contains("expected") && made.result.contains("integer") && made.result.contains("string"));
    Buffer compound = packed([](msgpack::Writer& w) {
      w.map(2).string("field").string("").string("fields").array(2).map(2).string("name").string("age").string("value_type").string("string");
      w.map(1).string("name").string("a.b");
    });
    EXPECT_TRUE((co_await c->ask({.op = Op::kCreateIndex, .args = compound})).ok());
    Got list = co_await c->ask({.op = Op::kListIndexes});
    EXPECT_TRUE(list.result.starts_with("\x92") && list.result.contains("age,a.b"));
    EXPECT_TRUE((co_await c->ask({.op = Op::kRebuildIndex, .args = field("age", "")})).ok());
    EXPECT_TRUE((co_await c->ask({.op = Op::kDropIndex, .args = field("age", "")})).ok());
    for (Op op : {Op::kDropIndex, Op::kRebuildIndex}) EXPECT_EQ((co_await c->ask({.op = op, .args = field("age", "")})).code, Code::kNotFound);
    Buffer unique = packed([](msgpack::Writer& w) { w.map(2).string("field").string("a").string("unique").boolean(true); });
    EXPECT_EQ((co_await c->ask({.op = Op::kCreateIndex, .args = unique})).code, Code::kUnsupported);
    EXPECT_EQ((co_await c->ask({.op = Op::kCreateIndex, .args = field("a", "number")})).code, Code::kBadRequest);
    EXPECT_EQ((co_await c->ask({.op = Op::kCreateIndex})).code, Code::kBadRequest);
    EXPECT_EQ((co_await c->ask({.op = Op::kCreateIndex, .args = name_args("a")})).code, Code::kUnsupported);
  });
}

TEST_F(Operations, SessionsAreOpenedClosedAndAskedAndRequestsNumbered) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    EXPECT_EQ(hex((co_await c->ask({.op = Op::kOpenSession})).result), "81a773657373696f6e07");
    auto args = [](uint64_t session, uint64_t number) {
      return packed([&](msgpack::Writer& w) { w.map(2).string("session").uint(session).string("number").uint(number); });
    };
    EXPECT_EQ(hex((co_await c->ask({.op = Op::kRequestOutcome, .args = args(7, 3)})).result), "82a86578656375746564c3a2617403");
    EXPECT_EQ(hex((co_await c->ask({.op = Op::kRequestOutcome, .args = args(7, 4)})).result), "81a86578656375746564c2");
    EXPECT_EQ((co_await c->ask({.op = Op::kRequestOutcome})).code, Code::kBadRequest);
    Buffer close = packed([](msgpack::Writer& w) { w.map(1).string("session").uint(7); });
    EXPECT_TRUE((co_await c->ask({.op = Op::kCloseSession, .args = close})).ok());
    EXPECT_EQ(t.engine->calls.back(), "close_session 7");

    EXPECT_TRUE((co_await c->ask({.op = Op::kInsertOne, .args = document("a"), .session = 7, .number = 1})).ok());
    EXPECT_EQ(t.engine->calls.back(), "insert_one default/c once");
    EXPECT_EQ((co_await c->ask({.op = Op::kInsertOne, .args = document("b"), .session = 7})).code, Code::kBadRequest) << "no number";
    EXPECT_EQ((co_await c->ask({.op = Op::kInsertOne, .args = document("b"), .transaction = "tx-1", .session = 7, .number = 1})).code, Code::kUnsupported);
    for (Op op : {Op::kFind, Op::kPing, Op::kCreateCollection, Op::kBeginTx, Op::kBatch})
      EXPECT_EQ((co_await c->ask({.op = op, .args = name_args("x"), .session = 7, .number = 1})).code, Code::kUnsupported) << wire::name(op);
  });
}

TEST_F(Operations, AWholeTransactionInOneRequest) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    auto batch = [](std::initializer_list<std::pair<Op, Buffer>> operations) {
      return packed([&](msgpack::Writer& w) {
        w.map(1).string("operations").array(static_cast<uint32_t>(operations.size()));
        for (const auto& [op, args] : operations) w.map(3).string("op").uint(std::to_underlying(op)).string("collection").string("c").string("args").raw(args);
      });
    };
    Buffer wrapped = packed([](msgpack::Writer& w) { w.map(1).string("doc").map(1).string("_id").string("a"); });
    Buffer filter = packed([](msgpack::Writer& w) { w.map(1).string("filter").map(0); });
    auto said = [&](Buffer args) -> io::Task<std::string> {
      Got got = co_await c->ask({.op = Op::kTxBatch, .args = std::move(args)});
      co_return got.ok() ? hex(got.result) : got.error;
    };
    // {success: true, rolled_back: false, results: [{success: true, id: "a"}, {success: true}]}
    EXPECT_EQ(co_await said(batch({{Op::kInsertOne, wrapped}, {Op::kDeleteOne, filter}})),
              "83a773756363657373c3ab726f6c6c65645f6261636bc2a7726573756c74739282a773756363657373c3a26964a16181a773756363657373c3");
    EXPECT_EQ(t.engine->calls.back(), "commit tx-1");
    Got failed = co_await c->ask({.op = Op::kTxBatch, .args = batch({{Op::kInsertOne, wrapped}, {Op::kDrop, filter}, {Op::kDeleteOne, filter}})});
    EXPECT_EQ(msgpack::lookup(failed.result, "success"), Bytes("\xc2"));
    EXPECT_EQ(msgpack::lookup(failed.result, "rolled_back"), Bytes("\xc3"));
    EXPECT_TRUE(failed.result.contains("tx_batch takes insert_one, update_one and delete_one, not operation 12"));
    EXPECT_EQ(t.engine->calls.back(), "roll back tx-1");

    t.engine->commits_fail_with = Error{Code::kConflict, "the document was changed"};
    t.engine->calls.clear();
    Got conflict = co_await c->ask({.op = Op::kTxBatch, .args = batch({{Op::kDeleteOne, filter}})});
    EXPECT_TRUE(conflict.result.contains("conflict: the document was changed"));
    EXPECT_EQ(std::ranges::count(t.engine->calls, "begin_transaction"), 20) << "nobody has seen anything of it: it is tried again";
    EXPECT_EQ((co_await c->ask({.op = Op::kTxBatch})).code, Code::kBadRequest);
  });
}

TEST_F(Operations, ThatAreNotOfferedSaySoByName) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    for (Op op : {Op::kAggregate, Op::kReadTs, Op::kAggregateStream}) {
      Got got = co_await c->ask({.op = op});
      EXPECT_EQ(got.code, Code::kUnsupported);
      EXPECT_NE(got.error.find(wire::name(op)), std::string::npos) << got.error;
    }
    for (int number : {0, 11, 21, 22, 63, 99, 200, 255}) {
      Got got = co_await c->ask({.op = static_cast<Op>(number)});
      EXPECT_EQ(got.code, Code::kUnsupported) << number;
    }
    Buffer cursor = packed([&](msgpack::Writer& w) { w.map(1).string("cursor").binary("x"); });
    EXPECT_EQ((co_await c->ask({.op = Op::kFind, .args = cursor})).code, Code::kUnsupported);
    Buffer limit = packed([&](msgpack::Writer& w) { w.map(1).string("limit").uint(5); });
    EXPECT_EQ((co_await c->ask({.op = Op::kFindManyCount, .args = limit})).code, Code::kUnsupported);
    Buffer both = packed([&](msgpack::Writer& w) { w.map(2).string("fields").array(1).string("a").string("projection").map(1).string("a").uint(1); });
    EXPECT_EQ((co_await c->ask({.op = Op::kFind, .args = both})).code, Code::kBadRequest);
    Buffer sort = packed([&](msgpack::Writer& w) { w.map(1).string("sort").map(1).string("a").uint(2); });
    EXPECT_EQ((co_await c->ask({.op = Op::kFind, .args = sort})).code, Code::kBadRequest);
  });
}

TEST_F(Operations, RefuseArgumentsThatTheyDoNotTake) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    EXPECT_TRUE((co_await c->ask({.op = Op::kInsertOne, .args = document("a")})).ok());
    auto with = [](std::string_view name) { return packed([&](msgpack::Writer& w) { w.map(1).string(name).string("c"); }); };
    for (Op op : {Op::kFind, Op::kFindOne, Op::kCount, Op::kFindById, Op::kStream, Op::kFindManyStream, Op::kExport, Op::kDrop, Op::kFlush, Op::kStats,
                  Op::kListIndexes, Op::kListDatabases, Op::kListCollections, Op::kPing, Op::kOpenSession, Op::kTxCommit, Op::kVerify}) {
      Got got = co_await c->ask({.op = op, .args = with("limt")});
      EXPECT_EQ(got.code, Code::kUnsupported) << wire::name(op);
      EXPECT_TRUE(got.error.ends_with(" takes no \"limt\"")) << wire::name(op) << ": " << got.error;
    }
    for (Op op : {Op::kFind, Op::kFindOne, Op::kCount, Op::kStream}) {
      Got got = co_await c->ask({.op = op, .args = with("tx_id")});
      EXPECT_TRUE(got.error.contains("tx_id goes with")) << wire::name(op) << ": " << got.error;
    }
    EXPECT_EQ(t.engine->documents("default", "c").size(), 1u) << "nothing is dropped by mistake";
  });
}

TEST_F(Operations, WithoutTheirArgumentsAreBadRequests) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    for (Op op : {Op::kInsertOne, Op::kInsertMany, Op::kFind, Op::kFindById, Op::kUpdateOne, Op::kDeleteOne,
                  Op::kDbExists, Op::kBatch, Op::kExport, Op::kStream, Op::kFindManyStream}) {
      Got got = co_await c->ask({.id = 4, .op = op, .args = Buffer("\x05")});
      EXPECT_EQ(got.code, Code::kBadRequest) << wire::name(op) << ": " << got.error;
      EXPECT_EQ(got.id, 4u);
    }
  });
}

TEST_F(Operations, FindTakesALimit) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    co_await c->ask({.op = Op::kInsertMany, .args = many_args({"a", "b", "c"})});
    Buffer args = packed([](msgpack::Writer& w) { w.map(2).string("query").map(0).string("limit").uint(2); });
    EXPECT_EQ((co_await c->ask({.op = Op::kFind, .args = args})).result, "\x92" + document("a") + document("b"));
  });
}

TEST_F(Operations, AResultBeyondWhatClientsTakeIsTooLarge) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    for (int i = 0; i < 4; ++i)
      t.engine->documents("default", "c").push_back(document(std::to_string(i), std::string(15 << 20, 'x')));
    Got got = co_await c->ask({.op = Op::kFind});
    EXPECT_EQ(got.code, Code::kTooLarge);
    EXPECT_LT(*t.engine->last_max_bytes, wire::kMaxReplyPayload);
    Buffer three = packed([](msgpack::Writer& w) { w.map(1).string("limit").uint(3); });
    got = co_await c->ask({.op = Op::kFind, .args = three});
    EXPECT_TRUE(got.ok()) << got.error;
    EXPECT_GT(got.result.size(), size_t{45} << 20);
  });
}

TEST_F(Operations, InsertManyIsRefusedWhenItsIdsWouldNotFitIntoTheAnswer) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    std::vector<std::string> ids;
    for (int i = 0; i < 26; ++i) ids.push_back(std::string(2 << 20, static_cast<char>('a' + i)));
    Buffer blob;
    Buffer args = packed([&](msgpack::Writer& w) {
      w.map(2).string("offsets").array(27).uint(0);
      for (const auto& id : ids) {
        blob += document(id);
        w.uint(blob.size());
      }
      w.string("blob").binary(blob);
    });
    EXPECT_EQ((co_await c->ask({.op = Op::kInsertMany, .args = args})).code, Code::kTooLarge);
    EXPECT_TRUE(t.engine->documents("default", "c").empty()) << "nothing was done";
  });
}

TEST_F(Operations, ExportGoesPageByPage) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    co_await c->ask({.op = Op::kInsertMany, .args = many_args({"a", "b", "c"})});
    Buffer cursor, documents;
    int parts = 0;
    do {
      Buffer args =
          packed([&](msgpack::Writer& w) { w.map(2).string("cursor").binary(cursor).string("bytes").uint(1 << 30); });
      Got got = co_await c->ask({.op = Op::kExport, .args = args});
      EXPECT_TRUE(got.ok()) << got.error;
      documents += Buffer(*msgpack::lookup(got.result, "docs")).substr(1);
      msgpack::Value next;
      auto raw = msgpack::lookup(got.result, "cursor");
      cursor = raw && msgpack::Cursor(*raw).next(next) ? Buffer(next.bytes) : Buffer();
      EXPECT_EQ(msgpack::lookup(got.result, "lsn"), Bytes("\x03"));
      ++parts;
    } while (!cursor.empty() && parts < 10);
    EXPECT_EQ(parts, 3);
    EXPECT_EQ(documents, document("a") + document("b") + document("c"));
    EXPECT_EQ(*t.engine->last_max_bytes, t.config.limits.export_part_bytes_max) << "what a client asks for is bounded";
  });
}

Buffer cursor_of(const Got& got) {
  msgpack::Value value;
  auto raw = msgpack::lookup(got.result, "cursor");
  return raw && msgpack::Cursor(*raw).next(value) ? Buffer(value.bytes) : Buffer();
}

TEST_F(Operations, AStreamGoesPageByPage) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    co_await c->ask({.op = Op::kInsertMany, .args = many_args({"a", "b", "c"})});
    // {lsn: 3, cursor: bin 02, docs: [a, b]}, then {lsn: 3, docs: [c]}
    Buffer args = packed([](msgpack::Writer& w) { w.map(2).string("query").map(0).string("page").uint(2); });
    Got first = co_await c->ask({.op = Op::kStream, .args = args});
    EXPECT_EQ(hex(first.result), "83a36c736e03a6637572736f72c40102a4646f637392" + hex(document("a")) + hex(document("b")));
    EXPECT_EQ(first.lsn, Lsn(3));
    args = packed([&](msgpack::Writer& w) { w.map(3).string("query").map(0).string("page").uint(2).string("cursor").binary(cursor_of(first)); });
    Got second = co_await c->ask({.op = Op::kStream, .args = args});
    EXPECT_EQ(hex(second.result), "82a36c736e03a4646f637391" + hex(document("c")));
  });
}

TEST_F(Operations, FindManyStreamTakesItsLimitForThePage) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    co_await c->ask({.op = Op::kInsertMany, .args = many_args({"a", "b", "c"})});
    Buffer args = packed([](msgpack::Writer& w) { w.map(2).string("query").map(0).string("limit").uint(2); });
    Got first = co_await c->ask({.op = Op::kFindManyStream, .args = args});
    EXPECT_EQ(hex(first.result), "82a6637572736f72c40102a4646f637392" + hex(document("a")) + hex(document("b")));
    args = packed([&](msgpack::Writer& w) { w.map(3).string("query").map(0).string("limit").uint(2).string("cursor").binary(cursor_of(first)); });
    Got second = co_await c->ask({.op = Op::kFindManyStream, .args = args});
    EXPECT_EQ(hex(second.result), "81a4646f637391" + hex(document("c")));
  });
}

TEST_F(Operations, APageIsBoundedWhateverIsAskedFor) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    for (uint64_t bytes : {uint64_t{0}, uint64_t{5000}, uint64_t{1} << 40}) {
      Buffer args = packed([&](msgpack::Writer& w) { w.map(1).string("bytes").uint(bytes); });
      EXPECT_TRUE((co_await c->ask({.op = Op::kStream, .args = args})).ok());
      EXPECT_EQ(t.engine->last_stream.bytes, bytes == 0      ? t.config.limits.export_part_bytes
                                             : bytes == 5000 ? 5000
                                                             : t.config.limits.export_part_bytes_max);
    }
  });
}

TEST_F(Operations, TheFingerprintOfAStreamIsThatOfAllItsPages) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    auto fingerprint = [&](Buffer args) -> io::Task<uint64_t> {
      Got got = co_await c->ask({.op = Op::kStream, .args = std::move(args)});
      EXPECT_TRUE(got.ok()) << got.error;
      co_return t.engine->last_stream.fingerprint;
    };
    auto query = [](std::string_view first, std::string_view second) {
      return packed([&](msgpack::Writer& w) { w.map(2).string(first).uint(first == "a" ? 1 : 2).string(second).uint(second == "a" ? 1 : 2); });
    };
    Buffer ab = query("a", "b"), ba = query("b", "a");
    uint64_t one = co_await fingerprint(packed([&](msgpack::Writer& w) { w.map(2).string("query").raw(ab).string("page").uint(1); }));
    EXPECT_EQ(one, co_await fingerprint(packed([&](msgpack::Writer& w) { w.map(3).string("cursor").binary("\x01").string("bytes").uint(7).string("query").raw(ba); })))
        << "fields in another order, and another size of the page";
    std::set<uint64_t> others = {one};
    for (std::string_view key : {"skip", "limit"})
      others.insert(co_await fingerprint(packed([&](msgpack::Writer& w) { w.map(2).string("query").raw(ab).string(key).uint(1); })));
    for (std::string_view key : {"sort", "projection"})
      others.insert(co_await fingerprint(packed([&](msgpack::Writer& w) { w.map(2).string("query").raw(ab).string(key).map(1).string("a").uint(1); })));
    others.insert(co_await fingerprint(packed([&](msgpack::Writer& w) { w.map(2).string("query").raw(ab).string("fields").array(1).string("a"); })));
    others.insert(co_await fingerprint(packed([&](msgpack::Writer& w) { w.map(1).string("query").map(0); })));
    EXPECT_EQ(others.size(), 7u);
  });
}

TEST_F(Operations, HelloAndStatsTellWhatTheyPromise) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    Got hello = co_await c->ask({.op = Op::kHello, .args = Buffer("\xc0"), .collection = ""});
    EXPECT_EQ(msgpack::lookup(hello.result, "server"), packed_string("holdfast"));
    EXPECT_EQ(msgpack::lookup(hello.result, "protocol"), Bytes("\x01"));
    EXPECT_EQ(msgpack::lookup(hello.result, "sync_mode"), packed_string("async"));
    for (std::string_view key : {"version", "capabilities", "database", "max_request", "max_reply"})
      EXPECT_TRUE(msgpack::lookup(hello.result, key)) << key;
    co_await c->ask({.op = Op::kInsertOne, .args = document("a")});
    co_await c->ask({.op = Op::kInsertOne, .args = document("a")});
    Got stats = co_await c->ask({.op = Op::kStats, .collection = ""});
    for (std::string_view key : {"version", "sync_mode", "lsn", "durable_lsn", "uptime_seconds", "bytes_received"})
      EXPECT_TRUE(msgpack::lookup(stats.result, key)) << key;
    EXPECT_EQ(msgpack::lookup(stats.result, "documents"), Bytes("\x01"));
    EXPECT_EQ(msgpack::lookup(stats.result, "requests_insert_one"), Bytes("\x02"));
    EXPECT_EQ(msgpack::lookup(stats.result, "errors_duplicate_key"), Bytes("\x01"));
    EXPECT_TRUE(msgpack::validate(stats.result));
  });
}

// --- Batch.

Buffer batch_args(const std::vector<Sent>& requests) {
  Buffer out =
      packed([&](msgpack::Writer& w) { w.map(1).string("requests").array(static_cast<uint32_t>(requests.size())); });
  for (const Sent& s : requests) out += frame(s).substr(wire::kFrameHeaderSize);
  return out;
}

std::vector<wire::Reply> responses(const Got& got) {
  std::vector<wire::Reply> out;
  auto list = msgpack::lookup(got.result, "responses");
  if (!list) return out;
  msgpack::Cursor in(*list);
  msgpack::Value head;
  in.next(head);
  for (uint32_t i = 0; i < head.count; ++i) {
    auto r = wire::parse_reply(in.raw());
    if (r) out.push_back(*r);
  }
  return out;
}

TEST_F(Operations, BatchRunsItsRequestsInOrderAndPutsFailuresInside) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    std::vector<Sent> requests = {{.id = 11, .op = Op::kInsertOne, .args = document("a")},
                                  {.id = 12, .op = Op::kInsertOne, .args = document("a")},
                                  {.id = 13, .op = Op::kCount},
                                  {.id = 14, .op = Op::kBatch, .args = batch_args({})},
                                  {.id = 15, .op = Op::kAggregate},
                                  {.id = 16, .op = Op::kDrop, .no_reply = true},
                                  {.id = 17, .op = Op::kCount}};
    Got got = co_await c->ask({.id = 0, .op = Op::kBatch, .args = batch_args(requests), .collection = ""});
    EXPECT_TRUE(got.ok()) << got.error;
    EXPECT_EQ(msgpack::lookup(got.result, "is_batch"), Bytes("\xc3"));
    auto inner = responses(got);
    EXPECT_EQ(inner.size(), 7u);
    if (inner.size() != 7) co_return;
    for (size_t i = 0; i < 7; ++i) EXPECT_EQ(inner[i].id, 11 + i);
    EXPECT_TRUE(inner[0].ok());
    EXPECT_EQ(inner[1].code, Code::kDuplicateKey);
    EXPECT_EQ(hex(inner[2].result), "81a5636f756e74d30000000000000001");
    EXPECT_EQ(inner[3].code, Code::kBadRequest);
    EXPECT_EQ(inner[4].code, Code::kUnsupported);
    EXPECT_TRUE(inner[5].ok());
    EXPECT_EQ(hex(inner[6].result), "81a5636f756e74d30000000000000000");
    EXPECT_EQ(got.lsn, Lsn(1));
  });
}

TEST_F(Operations, BatchOfNothingAndOfGarbage) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    EXPECT_EQ(hex((co_await c->ask({.op = Op::kBatch, .args = batch_args({})})).result),
              "82a869735f6261746368c3a9726573706f6e73657390");
    Got got = co_await c->ask({.op = Op::kBatch, .args = literal("\x81\xa8requests\x92\x05\x80")});
    auto inner = responses(got);
    EXPECT_EQ(inner.size(), 2u);
    for (const auto& r : inner) EXPECT_EQ(r.code, Code::kBadRequest);
  });
}

TEST_F(Operations, BatchWhoseRepliesDoNotFitRefusesThoseThatAreTooMuch) {
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    t.engine->documents("default", "c").push_back(document("big", std::string(15 << 20, 'x')));
    std::vector<Sent> requests;
    for (uint64_t i = 0; i < 5; ++i) requests.push_back({.id = i, .op = Op::kFindById, .args = id_args("big")});
    requests.push_back({.id = 5, .op = Op::kCount});
    Got got = co_await c->ask({.op = Op::kBatch, .args = batch_args(requests)});
    EXPECT_TRUE(got.ok()) << got.error;
    auto inner = responses(got);
    EXPECT_EQ(inner.size(), 6u);
    if (inner.size() != 6) co_return;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(inner[i].ok()) << i;
    for (int i = 3; i < 5; ++i) EXPECT_EQ(inner[i].code, Code::kTooLarge) << i;
    EXPECT_TRUE(inner[5].ok());
  });
}

TEST_F(Operations, BatchOfTooManyRequestsDoesNothing) {
  config.limits.batch_requests = 5;
  run([](ServerTest& t) -> io::Task<void> {
    auto c = co_await t.connect();
    std::vector<Sent> requests(6, {.op = Op::kInsertOne, .args = document("a")});
    EXPECT_EQ((co_await c->ask({.op = Op::kBatch, .args = batch_args(requests)})).code, Code::kTooLarge);
    EXPECT_TRUE(t.engine->documents("default", "c").empty());
  });
}

}  // namespace
}  // namespace holdfast::test
