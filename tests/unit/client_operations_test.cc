// How each operation lies on the wire, and how its answer is read.
#include "client/client.h"

#include <gtest/gtest.h>

#include "tests/support/scripted_server.h"

namespace holdfast::client {
namespace {

using ClientOperations = ClientTest;

Handler silent() {
  return [](Peer&, Seen) {
    auto nothing = []() -> io::Task<bool> { co_return true; };
    return nothing();
  };
}

TEST_F(ClientOperations, RefusesRawValuesThatAreNotOne) {
  Client& c = start({}, silent());
  EXPECT_EQ(run(c.collection("x").insert_one("\x81\xa1"
                                             "a"))
                .error()
                .code,
            Code::kBadRequest);
  EXPECT_EQ(run(c.collection("x").insert_one("\x80\x80")).error().code, Code::kBadRequest);
  EXPECT_EQ(run(c.collection("x").insert_one("\x90")).error().code, Code::kBadRequest);
  EXPECT_EQ(run(c.collection("x").find("\x01")).error().code, Code::kBadRequest);
  EXPECT_EQ(run(c.call({.op = Op::kPing, .args = "\x80\x80"})).error().code, Code::kBadRequest);
  EXPECT_EQ(log_.size(), 0u);
}

TEST_F(ClientOperations, LaysInsertManyOutAsTheServerReadsIt) {
  Client& c = start({}, [](Peer& p, Seen s) { return echo_ok(p, s); });
  auto r = run(c.collection("things").insert_many({map1("_id", 5), map1("a", 2)}));
  ASSERT_TRUE(r) << r.error().text();
  ASSERT_EQ(r->value.size(), 2u);
  EXPECT_EQ(r->value[0], "\x05");
  ASSERT_EQ(log_.size(), 1u);
  auto many = wire::parse_insert_many(log_[0].args);
  ASSERT_TRUE(many);
  Bytes d;
  ASSERT_TRUE(many->next(d));
  EXPECT_EQ(d, map1("_id", 5));
  ASSERT_TRUE(many->next(d));
  EXPECT_EQ(*msgpack::lookup(d, "_id"), r->value[1]);
  EXPECT_EQ(*msgpack::lookup(d, "a"), "\x02");
}

TEST_F(ClientOperations, SendsABatchAndGivesEachItsAnswer) {
  Client& c = start({}, [](Peer& peer, Seen request) {
    auto serve = [](Peer& p, Seen s) -> io::Task<bool> {
      Buffer out;
      wire::ReplyWriter outer(out, s.id);
      auto batch = wire::parse_batch(s.args);
      outer.result().map(2).string("is_batch").boolean(true).string("responses").array(batch->count());
      Bytes raw;
      while (batch->next(raw)) {
        wire::Request inner;
        EXPECT_TRUE(wire::parse_request(raw, inner));
        wire::ReplyWriter w(out, inner.id, wire::ReplyWriter::Framing::kNested);
        if (inner.op == Op::kDrop)
          w.fail({Code::kReadOnly, "no writes"});
        else
          w.result().map(1).string("count").uint(4);
        w.end({Lsn(3), Lsn(3)});
      }
      outer.end({Lsn(3), Lsn(3)});
      co_await p.send(out);
      co_return true;
    };
    return serve(peer, request);
  });
  auto r = run(c.batch({{.op = Op::kCount, .collection = "a", .args = {}, .database = {}},
                        {.op = Op::kDrop, .collection = "b", .args = {}, .database = {}}}));
  ASSERT_TRUE(r) << r.error().text();
  ASSERT_EQ(r->size(), 2u);
  EXPECT_TRUE((*r)[0]);
  EXPECT_EQ((*r)[1].error().code, Code::kReadOnly);
}

TEST_F(ClientOperations, ExportsPageByPageAndSkipsEmptyOnes) {
  Client& c = start({}, [](Peer& peer, Seen request) {
    auto serve = [](Peer& p, Seen s) -> io::Task<bool> {
      auto args = wire::parse_export(s.args);
      Buffer out;
      msgpack::Writer w(out);
      if (args->cursor.empty())
        w.map(3).string("docs").array(1).map(0).string("cursor").binary("one").string("lsn").uint(9);
      else if (args->cursor == "one")
        w.map(3).string("docs").array(0).string("cursor").binary("two").string("lsn").uint(9);
      else
        w.map(2).string("docs").array(2).map(0).map(0).string("lsn").uint(9);
      co_await p.answer(s.id, out);
      co_return true;
    };
    return serve(peer, request);
  });
  DocumentStream stream = c.collection("things").export_all();
  auto page = run(stream.next());
  ASSERT_TRUE(page && *page);
  EXPECT_EQ((*page)->size(), 1u);
  page = run(stream.next());
  ASSERT_TRUE(page && *page);
  EXPECT_EQ((*page)->size(), 2u);
  EXPECT_EQ(stream.lsn(), Lsn(9));
  page = run(stream.next());
  ASSERT_TRUE(page);
  EXPECT_FALSE(*page);
  EXPECT_EQ(log_.size(), 3u);
}

TEST_F(ClientOperations, StreamsPageByPageAndSkipsEmptyOnes) {
  Client& c = start({}, [](Peer& peer, Seen request) {
    auto serve = [](Peer& p, Seen s) -> io::Task<bool> {
      auto args = wire::parse_stream(s.args);
      EXPECT_TRUE(args && s.op == Op::kStream);
      EXPECT_EQ(args->query.query, map1("a", 1));
      EXPECT_EQ(args->query.sort, map1("b", 1));
      EXPECT_EQ(args->query.limit, 9u);
      EXPECT_EQ(args->query.skip, 2u);
      EXPECT_EQ(args->page, 3u);
      EXPECT_EQ(args->bytes, 4u);
      Buffer out;
      msgpack::Writer w(out);
      if (args->query.cursor.empty())
        w.map(3).string("docs").array(1).map(0).string("cursor").binary("one").string("lsn").uint(9);
      else if (args->query.cursor == "one")
        w.map(3).string("docs").array(0).string("cursor").binary("two").string("lsn").uint(9);
      else
        w.map(2).string("docs").array(2).map(0).map(0).string("lsn").uint(9);
      co_await p.answer(s.id, out);
      co_return true;
    };
    return serve(peer, request);
  });
  DocumentStream stream =
      c.collection("things").stream(map1("a", 1), {.limit = 9, .skip = 2, .sort = map1("b", 1), .projection = {}}, {.documents = 3, .bytes = 4});
  auto page = run(stream.next());
  ASSERT_TRUE(page && *page);
  EXPECT_EQ((*page)->size(), 1u);
  page = run(stream.next());
  ASSERT_TRUE(page && *page);
  EXPECT_EQ((*page)->size(), 2u);
  EXPECT_EQ(stream.lsn(), Lsn(9));
  page = run(stream.next());
  ASSERT_TRUE(page);
  EXPECT_FALSE(*page);
  EXPECT_EQ(log_.size(), 3u);
}

TEST_F(ClientOperations, AStreamOfNoQueryAsksNothing) {
  Client& c = start({}, silent());
  DocumentStream stream = c.collection("x").stream("\x01");
  EXPECT_EQ(run(stream.next()).error().code, Code::kBadRequest);
  EXPECT_EQ(log_.size(), 0u);
}

TEST_F(ClientOperations, GeneratesIdsThatDifferAndHaveTheShape) {
  Client& c = start({}, silent());
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(c.generate_id());
  EXPECT_EQ(ids.size(), 1000u);
  for (auto& id : ids) EXPECT_TRUE(has_generated_shape(id)) << id;
  EXPECT_FALSE(has_generated_shape(std::string(59, 'a')));
  EXPECT_FALSE(has_generated_shape(std::string(59, 'a') + "1"));
}

}  // namespace
}  // namespace holdfast::client
