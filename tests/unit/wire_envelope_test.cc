#include <gtest/gtest.h>

#include "io/base/random.h"
#include "io/base/utf8.h"
#include "io/wire/reply.h"
#include "io/wire/request.h"

namespace holdfast::wire {
namespace {

using msgpack::Writer;
using namespace std::string_literals;

Bytes payload(const Buffer& frame) { return Bytes(frame).substr(kFrameHeaderSize); }

Code error_of(Bytes request) {
  Request r;
  auto parsed = parse_request(request, r);
  return parsed ? Code::kIo : parsed.error().code;
}

TEST(Request, ComesBackAsItWasWritten) {
  Buffer out = "before";
  RequestWriter w(out, {.id = 70'000, .op = Op::kExport, .database = "db", .collection = "things", .no_reply = true});
  w.args().map(1).string("limit").uint(3);
  ASSERT_TRUE(w.end());
  ASSERT_EQ(load_be<uint32_t>(out.data() + 6), out.size() - 10);
  Request r;
  ASSERT_TRUE(parse_request(Bytes(out).substr(10), r));
  EXPECT_EQ(r.id, 70'000u);
  EXPECT_EQ(r.op, Op::kExport);
  EXPECT_EQ(r.database, "db");
  EXPECT_EQ(r.collection, "things");
  EXPECT_TRUE(r.no_reply);
  EXPECT_EQ(r.args, Bytes("\x81\xa5limit\x03"));
}

TEST(Request, TakesTheEncodingOfTheOriginalsClient) {
  // id as uint32, op as uint8, keys in its order.
  Buffer b =
      "\x84\xa2id\xce\x00\x00\x00\x01\xa2op\xcc\x0a\xaa"
      "collection\xa1"
      "c\xa4"
      "args\x81\xa2id\xa1x"s;
  Request r;
  ASSERT_TRUE(parse_request(b, r)) << parse_request(b, r).error().text();
  EXPECT_EQ(r.id, 1u);
  EXPECT_EQ(r.op, Op::kFindById);
  EXPECT_EQ(r.collection, "c");
  EXPECT_EQ(r.args, Bytes("\x81\xa2id\xa1x"));
}

TEST(Request, TakesKeysInAnyOrderAndSkipsUnknownOnes) {
  Buffer b;
  Writer(b).map(5).string("args").nil().string("later").array(2).map(1).string("x").nil().nil();
  Writer(b).string("op").int64(9).string("database").nil().string("id").int64(5);
  Request r;
  ASSERT_TRUE(parse_request(b, r));
  EXPECT_EQ(r.id, 5u);
  EXPECT_EQ(r.op, Op::kCount);
  EXPECT_EQ(r.args, "");
  EXPECT_EQ(r.collection, "");
}

TEST(Request, RefusesWhatIsMalformed) {
  EXPECT_EQ(error_of(""), Code::kBadRequest);
  EXPECT_EQ(error_of("\x90"), Code::kBadRequest);
  EXPECT_EQ(error_of("\xc1"), Code::kBadRequest);
  EXPECT_EQ(error_of("\x80"), Code::kBadRequest);
  EXPECT_EQ(error_of("\x81\xa2id\x01"), Code::kBadRequest);
  EXPECT_EQ(error_of("\x81\xa2op\x01"), Code::kBadRequest);
  EXPECT_EQ(error_of("\x82\xa2id\x01\xa2op\xa1x"), Code::kBadRequest);
  EXPECT_EQ(error_of("\x82\xa2id\xff\xa2op\x01"), Code::kBadRequest) << "a negative id";
  EXPECT_EQ(error_of("\x83\xa2id\x01\xa2op\x01\xa2id\x01"), Code::kBadRequest) << "an id twice";
  EXPECT_EQ(error_of("\x82\xa2id\x01\xa2op\x01\xc0"), Code::kBadRequest) << "bytes after the map";
  EXPECT_EQ(error_of("\x83\xa2id\x01\xa2op\x01\x05\x05"), Code::kBadRequest) << "a key that is a number";
  EXPECT_EQ(error_of("\xdf\xff\xff\xff\xff\xa2id\x01"), Code::kBadRequest) << "four billion pairs announced";
  EXPECT_EQ(error_of("\x82\xa2id\x01\xa2op\x01"), Code::kIo) << "the least that is right";
}

TEST(Request, ANumberGoesWithASession) {
  auto with = [](std::initializer_list<std::pair<const char*, uint64_t>> fields) {
    Buffer b;
    Writer w(b);
    w.map(static_cast<uint32_t>(2 + fields.size())).string("id").uint(1).string("op").uint(1);
    for (auto [key, value] : fields) w.string(key).uint(value);
    return error_of(b);
  };
  EXPECT_EQ(with({{"session", 7}, {"number", 1}, {"answered", 0}}), Code::kIo) << "fine";
  EXPECT_EQ(with({{"session", 7}, {"number", 1}, {"answered", 0}, {"attempt", 2}}), Code::kIo) << "fine";
  EXPECT_EQ(with({{"session", 0}, {"number", 1}, {"answered", 0}}), Code::kBadRequest) << "it would be executed as often as it comes";
  EXPECT_EQ(with({{"number", 1}}), Code::kBadRequest);
  EXPECT_EQ(with({{"answered", 1}}), Code::kBadRequest);
  EXPECT_EQ(with({{"attempt", 2}}), Code::kBadRequest);
  EXPECT_EQ(with({{"session", 7}, {"number", 1}}), Code::kBadRequest);
  EXPECT_EQ(with({{"session", 7}, {"answered", 1}}), Code::kBadRequest);
}

TEST(Request, BringsCredentials) {
  Request r;
  ASSERT_TRUE(
      parse_request("\x83\xa2id\x01\xa2op\x01\xa4"
                    "auth\xa2xy",
                    r));
  EXPECT_EQ(r.auth, "xy");
  ASSERT_TRUE(parse_request("\x82\xa2id\x01\xa2op\x01", r));
  EXPECT_EQ(r.auth, "");
  EXPECT_EQ(error_of("\x83\xa2id\x01\xa2op\x01\xa4"
                     "auth\x05"),
            Code::kBadRequest);
}

TEST(Request, KeepsIdAndNoReplyOfWhatItRefuses) {
  Request r;
  EXPECT_FALSE(parse_request("\x83\xa2op\xa1x\xa2nr\xc3\xa2id\x07", r));
  EXPECT_TRUE(r.has_id);
  EXPECT_EQ(r.id, 7u);
  EXPECT_TRUE(r.no_reply);
  EXPECT_FALSE(parse_request("\x90", r));
  EXPECT_FALSE(r.has_id);
}

TEST(Request, NumbersAbove255AreNoOperation) {
  Request r;
  ASSERT_TRUE(parse_request("\x82\xa2id\x01\xa2op\xcd\x01\x01", r));
  EXPECT_EQ(r.op, Op::kNone) << "257 must not be taken for 1";
}

TEST(Request, ShowsItsIdWhenOnlyItsBeginningIsThere) {
  Buffer out;
  RequestWriter w(out, {.id = 1234, .op = Op::kInsertOne, .collection = "c"});
  w.args().map(1).string("a").string(std::string(5000, 'x'));
  ASSERT_TRUE(w.end());
  EXPECT_EQ(peek_id(payload(out).substr(0, 20)), 1234u);
  EXPECT_EQ(peek_id(payload(out).substr(0, 3)), std::nullopt);
  EXPECT_EQ(peek_id("\x93garbage"), std::nullopt);
  EXPECT_EQ(peek_op(payload(out)), Op::kInsertOne);
  EXPECT_EQ(peek_op(payload(out).substr(0, 3)), Op::kNone);
}

TEST(Request, SurvivesEveryTruncationAndRandomBytes) {
  Buffer out;
  RequestWriter w(out, {.id = 9, .op = Op::kFind, .database = "d", .collection = "c"});
  w.args().map(1).string("query").map(1).string("a").array(2).uint(1).string("x");
  ASSERT_TRUE(w.end());
  for (size_t n = 0; n < payload(out).size(); ++n)
    EXPECT_EQ(error_of(Buffer(payload(out).substr(0, n))), Code::kBadRequest) << n;
  Rng rng(1, "bytes");
  for (int i = 0; i < 20'000; ++i) {
    Buffer b(payload(out));
    for (uint64_t k = rng.between(1, 4); k > 0; --k) b[rng.below(b.size())] = static_cast<char>(rng.next());
    Request r;
    if (!parse_request(b, r)) continue;
    EXPECT_TRUE(r.has_id);
  }
}

TEST(Request, OverTheLimitLeavesTheOutputAsItWas) {
  Buffer out = "kept";
  RequestWriter w(out, {.id = 1, .op = Op::kInsertOne, .collection = "c"});
  w.args().binary(std::string(kMaxRequestSize, 'x'));
  auto r = w.end();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kTooLarge);
  EXPECT_EQ(out, "kept");
}

TEST(Reply, ComesBackAsItWasWritten) {
  Buffer out = "before";
  ReplyWriter w(out, 300);
  w.result().array(1).string("x");
  auto place = w.end({Lsn(5), Lsn(3)});
  EXPECT_EQ(place.start, 6u);
  EXPECT_EQ(place.start + place.size, out.size());
  EXPECT_EQ(load_be<uint32_t>(out.data() + 6), place.size - kFrameHeaderSize);
  auto r = parse_reply(Bytes(out).substr(10));
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->ok());
  EXPECT_EQ(r->id, 300u);
  EXPECT_EQ(r->result, Bytes("\x91\xa1x"));
  EXPECT_EQ(r->lsn, Lsn(5));
  EXPECT_EQ(r->durable_lsn, Lsn(3));
}

TEST(Reply, IsBroughtUpToDateInPlace) {
  Buffer out;
  ReplyWriter w(out, 1);
  auto place = w.end({});
  set_lsns({out.data() + place.start, place.size}, {Lsn(7), Lsn(1ull << 60)});
  auto r = parse_reply(payload(out));
  ASSERT_TRUE(r);
  EXPECT_EQ(r->lsn, Lsn(7));
  EXPECT_EQ(r->durable_lsn, Lsn(1ull << 60));
  EXPECT_EQ(r->result, "");
}

TEST(Reply, CarriesItsErrorAsTextAndCode) {
  Buffer out;
  ReplyWriter w(out, 4);
  w.result().map(3).string("half a result");
  w.fail(duplicate_key("things", "\"a\""));
  w.end({Lsn(9), Lsn(9)});
  auto r = parse_reply(payload(out));
  ASSERT_TRUE(r);
  EXPECT_FALSE(r->ok());
  EXPECT_TRUE(r->error.starts_with("duplicate_key: E11000 ")) << r->error;
  EXPECT_EQ(r->code, Code::kDuplicateKey);
  EXPECT_EQ(r->failure().code, Code::kDuplicateKey);
  EXPECT_TRUE(r->failure().message.starts_with("E11000")) << r->failure().message;
  EXPECT_EQ(r->result, "");
}

TEST(Reply, TurnsCodesOfTheProcessIntoInternal) {
  Buffer out;
  ReplyWriter w(out, 4);
  w.fail({Code::kIo, "write failed"});
  w.end({});
  EXPECT_EQ(parse_reply(payload(out))->error, "internal: write failed");
}

TEST(Reply, ErrorsAreTextAndBounded) {
  Buffer out;
  ReplyWriter w(out, 4);
  w.fail({Code::kNotFound, "no \xff here"});
  w.end({});
  EXPECT_EQ(parse_reply(payload(out))->error, "not_found: no ? here");
  for (size_t before = 0; before < 3; ++before) {
    std::string message(before, 'x');
    while (message.size() < 3000) message += "\xe2\x82\xac";
    out.clear();
    ReplyWriter cut(out, 4);
    cut.fail({Code::kNotFound, message});
    cut.end({});
    Bytes error = parse_reply(payload(out))->error;
    EXPECT_LT(error.size(), 1100u);
    EXPECT_GT(error.size(), 1000u);
    EXPECT_TRUE(is_utf8(error)) << error;
  }
}

TEST(Reply, OverTheLimitBecomesAnError) {
  Buffer out = "kept";
  ReplyWriter w(out, 4);
  w.result().binary(std::string(kMaxReplyPayload, 'x'));
  auto place = w.end({Lsn(1), Lsn(1)});
  EXPECT_EQ(out.substr(0, 4), "kept");
  EXPECT_LT(place.size, 500u);
  EXPECT_EQ(parse_reply(Bytes(out).substr(8))->code, Code::kTooLarge);
}

TEST(Reply, OfExactlyTheLimitIsSent) {
  Buffer out;
  ReplyWriter empty(out, 4);
  empty.result().binary("");
  size_t around = empty.end({}).size - kFrameHeaderSize + 3;  // a long binary's head is three bytes longer
  Buffer large;
  ReplyWriter w(large, 4);
  w.result().binary(std::string(kMaxReplyPayload - around, 'x'));
  EXPECT_EQ(w.end({}).size, kMaxReplyPayload + kFrameHeaderSize);
}

TEST(Reply, NestsInABatchWithoutALength) {
  Buffer out;
  ReplyWriter batch(out, 0);
  batch.result().map(2).string("is_batch").boolean(true).string("responses").array(2);
  for (uint64_t id : {11, 12}) {
    ReplyWriter inner(out, id, ReplyWriter::Framing::kNested);
    if (id == 12) inner.fail({Code::kNotFound, "gone"});
    inner.end({Lsn(id), Lsn(0)});
  }
  batch.end({Lsn(12), Lsn(0)});
  auto r = parse_reply(payload(out));
  ASSERT_TRUE(r);
  auto responses = msgpack::lookup(r->result, "responses");
  ASSERT_TRUE(responses);
  msgpack::Cursor in(*responses);
  msgpack::Value head;
  ASSERT_TRUE(in.next(head));
  EXPECT_EQ(parse_reply(in.raw())->id, 11u);
  EXPECT_EQ(parse_reply(in.raw())->failure().text(), "not_found: gone");
}

TEST(Reply, OfTheOriginalsServerIsUnderstood) {
  Buffer b =
      "\x82\xa2id\xce\0\0\0\x07\xa5"
      "error\xa9not found"s;
  auto r = parse_reply(b);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->id, 7u);
  EXPECT_EQ(r->failure().text(), "internal: not found") << "an unknown code counts as internal, its text is kept";
}

TEST(Operation, EveryNumberHasOneName) {
  EXPECT_EQ(name(Op::kFindManyCount), "find_many_count");
  EXPECT_EQ(name(Op(11)), "unknown");
  EXPECT_EQ(info(Op(200)), nullptr);
  EXPECT_FALSE(info(Op::kAggregate)->served);
  EXPECT_TRUE(info(Op::kPing)->served);
}

}  // namespace
}  // namespace holdfast::wire
