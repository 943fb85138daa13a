// The original's Go client against the real server: the bytes that it sends, and replies that it takes for right.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "io/base/msgpack.h"
#include "io/wire/args.h"
#include "io/wire/reply.h"
#include "io/wire/request.h"
#include "tests/process/real_server.h"
#include "tests/process/recording.h"

namespace holdfast::test {
namespace {

using wire::Op;

const char* const kRecordings[] = {"inserts", "types",    "finds",    "streams",    "updates",      "many",
                                   "catalog", "batches", "refusals", "connections", "transactions", "indexes"};

std::string path_of(const std::string& name) {
  return HOLDFAST_SOURCE_DIR "/tests/process/recordings/" + name + ".frames";
}

std::vector<Event> recording(const std::string& name) {
  auto events = parse_recording(read_file(path_of(name)));
  if (!events) {
    ADD_FAILURE() << path_of(name) << ": " << events.error().text();
    return {};
  }
  EXPECT_FALSE(events->empty()) << path_of(name);
  return std::move(*events);
}

/// Plays a recording's client against a server of its own.
class Replay {
 public:
  /// Fails the test at the first difference: what comes after it rests on it.
  void run(const std::string& name) {
    for (const Event& event : recording(name)) {
      SCOPED_TRACE(path_of(name) + ":" + std::to_string(event.line));
      play(event);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_TRUE(server_.serves());
    server_.stop_clean();
  }

 private:
  struct Connection {
    RawClient client;
    Buffer asked;  ///< the last request's payload
  };

  void play(const Event& event) {
    using What = Event::What;
    if (event.what == What::kOpen) {
      auto [at, fresh] = connections_.emplace(event.connection, Connection{RawClient(server_.port()), {}});
      ASSERT_TRUE(fresh && at->second.client.connected());
      return;
    }
    auto at = connections_.find(event.connection);
    ASSERT_NE(at, connections_.end()) << "the recording uses a connection that is not open";
    Connection& c = at->second;
    switch (event.what) {
      case What::kRequest:
        c.asked = with_our_ids(payload_of(event.bytes));
        ASSERT_TRUE(c.client.send(Buffer(event.bytes.substr(0, event.bytes.size() - c.asked.size())) + c.asked));
        break;
      case What::kReply: expect_reply(c, event); break;
      case What::kEnd: EXPECT_TRUE(c.client.closed()) << "the server should close without a word"; [[fallthrough]];
      default: connections_.erase(at);
    }
  }

  void expect_reply(Connection& c, const Event& event) {
    std::optional<Buffer> reply = c.client.frame();
    ASSERT_TRUE(reply) << "the server closed instead of answering";
    Buffer wanted(payload_of(event.bytes));
    learn_transaction(wanted, *reply);
    EXPECT_EQ(difference(c.asked, with_our_ids(wanted), *reply), "");
  }

  /// Ids of transactions are drawn: what was recorded is told from then on as what this server gave.
  void learn_transaction(Bytes recorded, Bytes ours) {
    auto id_in = [](Bytes payload) -> std::optional<std::string> {
      auto reply = wire::parse_reply(payload);
      auto raw = reply && reply->ok() && !reply->result.empty() ? msgpack::lookup(reply->result, "tx_id") : std::nullopt;
      Bytes id;
      if (!raw || !msgpack::Cursor(*raw).string(id)) return std::nullopt;
      return std::string(id);
    };
    auto was = id_in(recorded), is = id_in(ours);
    if (was && is && was->size() == is->size()) ids_[*was] = *is;
  }
  Buffer with_our_ids(Bytes recorded) const {
    Buffer out(recorded);
    for (const auto& [was, is] : ids_)
      for (size_t at = out.find(was); at != Buffer::npos; at = out.find(was, at + is.size())) out.replace(at, was.size(), is);
    return out;
  }

  RealServer server_;
  std::map<int, Connection> connections_;
  std::map<std::string, std::string> ids_;
};

TEST(GoClient, GetsItsInsertsAcknowledgedOrRefused) { Replay().run("inserts"); }
TEST(GoClient, FindsEveryTypeOfValueAsItWasStored) { Replay().run("types"); }
TEST(GoClient, FindsByIdAndByEquality) { Replay().run("finds"); }
TEST(GoClient, ReadsResultsPageByPage) { Replay().run("streams"); }
TEST(GoClient, UpdatesAndDeletes) { Replay().run("updates"); }
TEST(GoClient, ChangesManyAtOnce) { Replay().run("many"); }
TEST(GoClient, RunsTransactions) { Replay().run("transactions"); }
TEST(GoClient, DeclaresIndexes) { Replay().run("indexes"); }
TEST(GoClient, KeepsDatabasesAndCollectionsApart) { Replay().run("catalog"); }
TEST(GoClient, GetsTheAnswersOfABatchInOrder) { Replay().run("batches"); }
TEST(GoClient, IsToldWhatThisVersionDoesNotOffer) { Replay().run("refusals"); }
TEST(GoClient, SendsAgainWhatABrokenConnectionLeftOpen) { Replay().run("connections"); }

// --- The recordings and the comparison themselves.

/// Calls `f` with each request of a recording and the reply to it, payloads both.
template <class F>
void each_exchange(const std::string& name, F f) {
  std::map<int, Buffer> asked;
  for (const Event& event : recording(name)) {
    if (event.what == Event::What::kRequest) asked[event.connection] = Buffer(payload_of(event.bytes));
    if (event.what == Event::What::kReply) f(Bytes(asked.at(event.connection)), payload_of(event.bytes));
  }
}

TEST(Recordings, HoldEveryOperationThatTheClientAndTheServerHave) {
  std::set<Op> seen;
  for (const char* name : kRecordings) {
    each_exchange(name, [&](Bytes request, Bytes) {
      wire::Request parsed;
      ASSERT_TRUE(wire::parse_request(request, parsed)) << name;
      seen.insert(parsed.op);
      if (parsed.op != Op::kBatch) return;
      auto batch = wire::parse_batch(parsed.args);
      ASSERT_TRUE(batch);
      for (Bytes inner; batch->next(inner);) {
        ASSERT_TRUE(wire::parse_request(inner, parsed)) << name;
        seen.insert(parsed.op);
      }
    });
  }
  constexpr int kLastOfTheOriginal = 41;
  for (int number = 1; number <= kLastOfTheOriginal; ++number) {
    const wire::OpInfo* known = wire::info(static_cast<Op>(number));
    // Of these the client knows at most the names, and never sends them.
    bool unsent = number == 14 || number == 16 || number == 27;
    if (known && known->served && !unsent) EXPECT_TRUE(seen.contains(known->op)) << known->name;
  }
}

/// Where in `reply` bits may differ: what README.md of the recordings says is not compared.
bool is_free(Bytes request, Bytes reply, size_t at) {
  wire::Request parsed;
  if (!wire::parse_request(request, parsed)) return false;
  auto within = [&](std::string_view key) {
    auto value = msgpack::lookup(reply, key);
    if (!value) return false;
    auto begin = static_cast<size_t>(value->data() - reply.data());
    return at >= begin && at < begin + value->size();
  };
  if (within("lsn") || within("durable_lsn") || within("error")) return true;
  return parsed.op == Op::kBatch && within("result");  // has such places inside
}

TEST(Recordings, NoChangedBitOfAReplyGoesUnseen) {
  size_t seen = 0;
  for (const char* name : kRecordings) {
    each_exchange(name, [&](Bytes request, Bytes reply) {
      ASSERT_EQ(difference(request, reply, reply), "");
      for (size_t i = 0; i < reply.size(); ++i) {
        if (is_free(request, reply, i)) continue;
        Buffer changed(reply);
        changed[i] ^= static_cast<char>(1 << i % 8);
        EXPECT_NE(difference(request, reply, changed), "") << name << ", byte " << i;
        ++seen;
      }
    });
  }
  EXPECT_GT(seen, 10'000u);
}

Buffer batch_reply(uint64_t count, uint64_t lsn, std::string_view code) {
  Buffer out;
  msgpack::Writer w(out);
  w.map(4).string("id").uint(0).string("lsn").uint(lsn).string("durable_lsn").uint(9);
  w.string("result").map(2).string("is_batch").boolean(true).string("responses").array(2);
  w.map(4).string("id").uint(1).string("result").map(1).string("count").int64(static_cast<int64_t>(count));
  w.string("lsn").uint(lsn).string("durable_lsn").uint(9);
  w.map(5).string("id").uint(2).string("error").string(std::string(code) + ": a sentence").string("code").string(code);
  w.string("lsn").uint(lsn).string("durable_lsn").uint(9);
  return out;
}

TEST(Recordings, RepliesWithinABatchAreComparedLikeOthers) {
  Buffer request;
  msgpack::Writer w(request);
  w.map(3).string("id").uint(0).string("op").uint(15).string("args").map(1).string("requests").array(2);
  for (uint64_t id : {1, 2}) w.map(3).string("id").uint(id).string("op").uint(9).string("collection").string("c");
  Buffer recorded = batch_reply(5, 1, "bad_request");
  EXPECT_EQ(difference(request, recorded, batch_reply(5, 2, "bad_request")), "") << "LSNs are not compared";
  EXPECT_NE(difference(request, recorded, batch_reply(6, 1, "bad_request")), "");
  EXPECT_NE(difference(request, recorded, batch_reply(5, 1, "not_found")), "");
  EXPECT_NE(difference(request, recorded, batch_reply(5, 10, "bad_request")), "") << "not durable";
}

TEST(Recordings, LinesThatAreNoEventAreRefused) {
  for (const char* line : {"open", "open x", "open 1 2", ">1", ">1 0", ">1 0g", "> 1 00", "walk 1", " 00", "<x 00"})
    EXPECT_FALSE(parse_recording(line)) << line;
  auto events = parse_recording("# text\n\nopen 3\n>3   00ff\n     0a\n");
  ASSERT_TRUE(events && events->size() == 2);
  EXPECT_EQ((*events)[1].bytes, Buffer("\x00\xff\x0a", 3));
  EXPECT_EQ((*events)[1].line, 4u);
}

}  // namespace
}  // namespace holdfast::test
