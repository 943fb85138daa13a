// Envelopes and arguments from the network. What a parser takes must lie within its input, and must mean the same when
// it is written again.
#include "io/wire/args.h"
#include "io/wire/reply.h"
#include "io/wire/request.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/wire_seeds.h"

namespace holdfast::wire {
namespace {

std::vector<Buffer> envelope_seeds() {
  std::vector<Buffer> out;
  for (const Buffer& r : requests()) out.push_back(r.substr(kFrameHeaderSize));
  Buffer reply;
  ReplyWriter ok(reply, 5);
  ok.result().map(1).string("n").uint(3);
  ok.end({Lsn(8), Lsn(7)});
  out.push_back(reply.substr(kFrameHeaderSize));
  reply.clear();
  ReplyWriter failed(reply, 5);
  failed.fail(duplicate_key("things", "a"));
  failed.end({});
  out.push_back(reply.substr(kFrameHeaderSize));
  return out;
}

bool within(Bytes part, Bytes whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_insert_many(Bytes args) {
  auto many = parse_insert_many(args);
  if (!many) return;
  size_t total = 0;
  uint32_t n = 0;
  for (Bytes document; many->next(document); ++n) {
    total += document.size();
    msgpack::Cursor one(document);
    FUZZ_CHECK(one.skip() && one.at_end());
  }
  FUZZ_CHECK(n == many->count() && total == many->size());
}

void check_args(Bytes args) {
  if (auto d = parse_insert_one(args)) FUZZ_CHECK(within(*d, args));
  if (auto q = parse_query(args)) FUZZ_CHECK(q->query == kEmptyMap || within(q->query, args));
  if (auto m = parse_modify(args)) FUZZ_CHECK(!m->filter.empty());
  if (auto id = parse_find_by_id(args)) FUZZ_CHECK(within(id->id, args));
  if (auto name = parse_name(args)) FUZZ_CHECK(!name->empty());
  if (auto s = parse_stream(args)) FUZZ_CHECK(within(s->query.cursor, args));
  if (auto s = parse_find_many_stream(args)) FUZZ_CHECK(!s->query.limit);
  (void)parse_hello(args);
  (void)parse_export(args);
  check_insert_many(args);
  if (auto batch = parse_batch(args)) {
    uint32_t n = 0;
    for (Bytes inner; batch->next(inner); ++n) FUZZ_CHECK(within(inner, args));
    FUZZ_CHECK(n == batch->count());
  }
}

void check_request(Bytes payload) {
  Request r;
  auto parsed = parse_request(payload, r);
  FUZZ_CHECK(within(r.args, payload) && within(r.collection, payload) && within(r.database, payload));
  if (auto id = peek_id(payload); id && parsed) FUZZ_CHECK(*id == r.id);
  if (!parsed) return;
  FUZZ_CHECK(peek_op(payload) == r.op || r.op == Op::kNone);
  FUZZ_CHECK(r.has_id);
  check_args(r.args);

  Buffer again;
  RequestWriter w(again,
                  {.id = r.id, .op = r.op, .database = r.database, .collection = r.collection, .no_reply = r.no_reply});
  w.args().raw(r.args.empty() ? Bytes("\xc0") : r.args);
  FUZZ_CHECK(w.end());
  Request same;
  FUZZ_CHECK(parse_request(Bytes(again).substr(kFrameHeaderSize), same));
  FUZZ_CHECK(same.id == r.id && same.op == r.op && same.args == r.args && same.collection == r.collection &&
             same.database == r.database && same.no_reply == r.no_reply);
}

void check_reply(Bytes payload) {
  auto r = parse_reply(payload);
  if (!r) return;
  FUZZ_CHECK(within(r->result, payload) && within(r->error, payload));
  if (!r->ok()) FUZZ_CHECK(r->failure().code == r->code);
}

}  // namespace

HOLDFAST_FUZZER(envelope, envelope_seeds) {
  check_request(input);
  check_reply(input);
  check_args(input);
}

}  // namespace holdfast::wire
