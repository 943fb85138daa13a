#include "io/wire/request.h"

namespace holdfast::wire {
namespace {

enum Key : unsigned {
  kId = 1,
  kOp = 2,
  kCollection = 4,
  kDatabase = 8,
  kArgs = 16,
  kAuth = 32,
  kNoReply = 64,
  kTransaction = 128,
  kSession = 256,
  kNumber = 512,
  kAnswered = 1024,
  kAttempt = 2048,
  kUnknown = 0
};

Key key_of(Bytes name) {
  if (name == "id") return kId;
  if (name == "op") return kOp;
  if (name == "args") return kArgs;
  if (name == "collection") return kCollection;
  if (name == "database") return kDatabase;
  if (name == "nr") return kNoReply;
  if (name == "tx") return kTransaction;
  if (name == "session") return kSession;
  if (name == "number") return kNumber;
  if (name == "answered") return kAnswered;
  if (name == "attempt") return kAttempt;
  if (name == "auth") return kAuth;
  return kUnknown;
}

constexpr std::string_view kNotAMap = "a request is one MessagePack map with the keys id, op, collection and args";

std::unexpected<Error> bad(std::string_view what) { return fail(Code::kBadRequest, std::string(what)); }

/// Names may come as str or bin, and nil stands for "".
Result<> read_name(msgpack::Cursor& in, std::string_view key, Bytes& out) {
  msgpack::Value v;
  if (!in.next(v)) return bad(kNotAMap);
  if (v.kind == msgpack::Kind::kNil) return {};
  if (v.kind != msgpack::Kind::kString && v.kind != msgpack::Kind::kBinary)
    return bad(std::string(key) + " must be a string");
  out = v.bytes;
  return {};
}

Result<> read_op(msgpack::Cursor& in, Request& out) {
  msgpack::Value v;
  if (!in.next(v)) return bad(kNotAMap);
  if (v.kind != msgpack::Kind::kUint) return bad("op must be a non-negative integer");
  out.op = v.u <= UINT8_MAX ? static_cast<Op>(v.u) : Op::kNone;
  return {};
}

Result<> read_id(msgpack::Cursor& in, Request& out) {
  msgpack::Value v;
  if (!in.next(v)) return bad(kNotAMap);
  if (v.kind != msgpack::Kind::kUint) return bad("id must be a non-negative integer");
  out.id = v.u;
  out.has_id = true;
  return {};
}

Result<> read_uint(msgpack::Cursor& in, std::string_view key, uint64_t& out) {
  msgpack::Value v;
  if (!in.next(v)) return bad(kNotAMap);
  if (v.kind != msgpack::Kind::kUint) return bad(std::string(key) + " must be a non-negative integer");
  out = v.u;
  return {};
}

Result<> read_session(msgpack::Cursor& in, Request& out) {
  HF_CHECK_OK(read_uint(in, "session", out.session));
  if (out.session == 0) return bad("session must be a number that open_session gave, not 0");
  return {};
}

Result<> read_no_reply(msgpack::Cursor& in, Request& out) {
  msgpack::Value v;
  if (!in.next(v)) return bad(kNotAMap);
  if (v.kind != msgpack::Kind::kBool && v.kind != msgpack::Kind::kNil) return bad("nr must be a boolean");
  out.no_reply = v.kind == msgpack::Kind::kBool && v.boolean;
  return {};
}

Result<> read_args(msgpack::Cursor& in, Request& out) {
  out.args = in.raw();
  if (!in.ok()) return bad(kNotAMap);
  if (out.args == "\xc0") out.args = {};
  return {};
}

Result<> read_field(Key key, msgpack::Cursor& in, Request& out) {
  switch (key) {
    case kId: return read_id(in, out);
    case kOp: return read_op(in, out);
    case kCollection: return read_name(in, "collection", out.collection);
    case kDatabase: return read_name(in, "database", out.database);
    case kArgs: return read_args(in, out);
    case kAuth:
      return read_name(in, "auth", out.auth);
    case kNoReply: return read_no_reply(in, out);
    case kTransaction: return read_name(in, "tx", out.transaction);
    case kSession: return read_session(in, out);
    case kNumber: return read_uint(in, "number", out.number);
    case kAnswered: return read_uint(in, "answered", out.answered);
    case kAttempt: return read_uint(in, "attempt", out.attempt);
    case kUnknown: break;
  }
  if (!in.skip()) return bad(kNotAMap);
  return {};
}

/// The first thing that is wrong is what is reported, but the keys after it are still read, for the id's and nr's sake.
Result<> read_fields(msgpack::Cursor& in, uint32_t pairs, Request& out, unsigned& seen) {
  Result<> first;
  for (uint32_t i = 0; i < pairs; ++i) {
    msgpack::Value key;
    if (!in.next(key)) return first ? Result<>(bad(kNotAMap)) : first;
    if (key.kind != msgpack::Kind::kString && key.kind != msgpack::Kind::kBinary)
      return bad("every key of a request must be a string");
    Key k = key_of(key.bytes);
    if (k != kUnknown && (seen & k)) return bad("the key " + std::string(key.bytes) + " comes twice in one request");
    seen |= k;
    Result<> r = read_field(k, in, out);
    if (!in.ok()) return first ? r : first;
    if (!r && first) first = std::move(r);
  }
  return first;
}

Result<> check_session(unsigned seen) {
  constexpr unsigned kNeeded = kNumber | kAnswered;
  if (!(seen & kSession) && (seen & (kNeeded | kAttempt))) return bad("number, answered and attempt go with session");
  if ((seen & kSession) && (seen & kNeeded) != kNeeded) return bad("a session goes with number and answered");
  return {};
}

/// Whether the request has that key; its value is then what comes next.
bool go_to_value(msgpack::Cursor& in, Key wanted) {
  msgpack::Value head;
  if (!in.next(head) || head.kind != msgpack::Kind::kMap) return false;
  for (uint32_t i = 0; i < head.count; ++i) {
    msgpack::Value key;
    if (!in.next(key)) return false;
    bool name = key.kind == msgpack::Kind::kString || key.kind == msgpack::Kind::kBinary;
    if (name && key_of(key.bytes) == wanted) return true;
    if (key.is_container() || !in.skip()) return false;
  }
  return false;
}

}  // namespace

Result<> parse_request(Bytes payload, Request& out) {
  out = {};
  msgpack::Cursor in(payload);
  msgpack::Value head;
  if (!in.next(head) || head.kind != msgpack::Kind::kMap) return bad(kNotAMap);
  unsigned seen = 0;
  HF_CHECK_OK(read_fields(in, head.count, out, seen));
  if (!in.at_end()) return bad("a frame holds exactly one request; bytes follow it");
  if (!(seen & kId)) return bad("the request has no id");
  if (!(seen & kOp)) return bad("the request has no op");
  HF_CHECK_OK(check_session(seen));
  return {};
}

std::optional<uint64_t> peek_id(Bytes beginning) {
  Request r;
  msgpack::Cursor in(beginning);
  if (!go_to_value(in, kId) || !read_id(in, r)) return std::nullopt;
  return r.id;
}

Op peek_op(Bytes payload) {
  Request r;
  msgpack::Cursor in(payload);
  if (!go_to_value(in, kOp) || !read_op(in, r)) return Op::kNone;
  return r.op;
}

RequestWriter::RequestWriter(Buffer& out, const Head& head, Framing framing)
    : out_(out), start_(framing == Framing::kFrame ? begin_frame(out) : out.size()), framing_(framing) {
  uint32_t pairs = 4 + (head.database.empty() ? 0 : 1) + (head.no_reply ? 1 : 0) + (head.transaction.empty() ? 0 : 1) +
                   (head.session == 0 ? 0 : 3 + (head.attempt > 1 ? 1 : 0));
  msgpack::Writer w(out_);
  w.map(pairs).string("id").uint(head.id).string("op").uint(static_cast<uint8_t>(head.op));
  w.string("collection").string(head.collection);
  if (!head.database.empty()) w.string("database").string(head.database);
  if (head.no_reply) w.string("nr").boolean(true);
  if (!head.transaction.empty()) w.string("tx").string(head.transaction);
  if (head.session != 0) {
    w.string("session").uint(head.session).string("number").uint(head.number).string("answered").uint(head.answered);
    if (head.attempt > 1) w.string("attempt").uint(head.attempt);
  }
  w.string("args");
}

Result<> RequestWriter::end() {
  if (framing_ == Framing::kNested) return {};
  size_t size = out_.size() - start_ - kFrameHeaderSize;
  if (size > kMaxRequestSize) {
    out_.resize(start_);
    return fail(Code::kTooLarge, "the request has " + std::to_string(size) + " bytes, the limit is " +
                                     std::to_string(kMaxRequestSize) + "; send less at once");
  }
  end_frame(out_, start_);
  return {};
}

}  // namespace holdfast::wire
