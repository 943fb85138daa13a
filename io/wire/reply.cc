#include "io/wire/reply.h"

#include "io/base/assert.h"
#include "io/base/utf8.h"

namespace holdfast::wire {
namespace {

constexpr size_t kMaxMessage = 1024;
constexpr std::string_view kLsnKey = "\xa3lsn\xcf";                  // fixstr 3, then a uint64
constexpr std::string_view kDurableKey = "\xab" "durable_lsn\xcf";  // fixstr 11, then a uint64
constexpr size_t kLsnsSize = kLsnKey.size() + 8 + kDurableKey.size() + 8;

/// The message as it may be sent: UTF-8, and no longer than kMaxMessage.
std::string presentable(std::string message) {
  if (!is_utf8(message))
    for (char& c : message)
      if (static_cast<uint8_t>(c) >= 0x80) c = '?';
  if (message.size() <= kMaxMessage) return message;
  size_t end = kMaxMessage;
  while ((message[end] & 0xc0) == 0x80) --end;  // not inside a character
  return message.substr(0, end) + "...";
}

}  // namespace

ReplyWriter::ReplyWriter(Buffer& out, uint64_t id, Framing framing)
    : out_(out), start_(out.size()), id_(id), framing_(framing) {
  rewind();
}

void ReplyWriter::rewind() {
  out_.resize(start_);
  pairs_ = 1;
  if (framing_ == Framing::kFrame) begin_frame(out_);
  msgpack::Writer(out_).map(0).string("id").uint(id_);
}

msgpack::Writer ReplyWriter::result() {
  HF_ASSERT(pairs_ == 1, "a reply has one result or one error");
  ++pairs_;
  return msgpack::Writer(out_).string("result");
}

void ReplyWriter::fail(const Error& error) {
  rewind();
  Code code = error.code <= Code::kInternal ? error.code : Code::kInternal;
  pairs_ += 2;
  msgpack::Writer(out_)
      .string("error")
      .string(presentable(Error{code, error.message}.text()))
      .string("code")
      .string(info(code).name);
}

ReplyWriter::Place ReplyWriter::end(Lsns lsns) {
  size_t header = framing_ == Framing::kFrame ? kFrameHeaderSize : 0;
  if (size() - header + kLsnsSize > kMaxReplyPayload)
    fail({Code::kTooLarge, "the answer has more than " + std::to_string(kMaxReplyPayload) +
                               " bytes; ask for fewer documents at once, or read them with export"});
  out_ += kLsnKey;
  append_be(out_, lsns.lsn.value);
  out_ += kDurableKey;
  append_be(out_, lsns.durable.value);
  pairs_ += 2;
  out_[start_ + header] = static_cast<char>(0x80 | pairs_);
  if (framing_ == Framing::kFrame) end_frame(out_, start_);
  return {start_, size()};
}

void set_lsns(MutableBytes reply, ReplyWriter::Lsns lsns) {
  HF_ASSERT(reply.size() > kLsnsSize, "a finished reply ends with its LSNs");
  char* p = reply.data() + reply.size() - kLsnsSize;
  HF_ASSERT(Bytes(p, kLsnKey.size()) == kLsnKey, "a finished reply ends with its LSNs");
  store_be(p + kLsnKey.size(), lsns.lsn.value);
  store_be(p + kLsnsSize - 8, lsns.durable.value);
}

Error Reply::failure() const {
  std::string_view name = info(code).name;
  std::string_view sentence = error;
  if (sentence.starts_with(name) && sentence.substr(name.size()).starts_with(": "))
    sentence.remove_prefix(name.size() + 2);
  return {code, std::string(sentence)};
}

Result<Reply> parse_reply(Bytes payload) {
  using msgpack::Kind;
  constexpr auto bad = [] {
    return holdfast::fail(Code::kBadRequest, "the server's answer is no reply of this protocol");
  };
  msgpack::Cursor in(payload);
  msgpack::Value head, key, v;
  if (!in.next(head) || head.kind != Kind::kMap) return bad();
  Reply out;
  Bytes code;
  bool has_id = false;
  for (uint32_t i = 0; i < head.count; ++i) {
    if (!in.next(key) || key.kind != Kind::kString) return bad();
    if (key.bytes == "result") {
      out.result = in.raw();
      if (out.result == "\xc0") out.result = {};
      if (!in.ok()) return bad();
      continue;
    }
    bool text = key.bytes == "error" || key.bytes == "code";
    bool number = key.bytes == "id" || key.bytes == "lsn" || key.bytes == "durable_lsn";
    if (!text && !number) {
      if (!in.skip()) return bad();
      continue;
    }
    if (!in.next(v)) return bad();
    if (v.kind == Kind::kNil) continue;
    if (v.kind != (text ? Kind::kString : Kind::kUint)) return bad();
    if (key.bytes == "error") out.error = v.bytes;
    if (key.bytes == "code") code = v.bytes;
    if (key.bytes == "lsn") out.lsn = Lsn(v.u);
    if (key.bytes == "durable_lsn") out.durable_lsn = Lsn(v.u);
    if (key.bytes == "id") {
      out.id = v.u;
      has_id = true;
    }
  }
  if (!in.at_end() || !has_id) return bad();
  if (!out.error.empty()) out.code = code_of(!code.empty() ? code : out.error.substr(0, out.error.find(": ")));
  return out;
}

Error duplicate_key(std::string_view collection, std::string_view id) {
  return {Code::kDuplicateKey, "E11000 duplicate key: collection " + std::string(collection) +
                                   " already has a document with _id " + std::string(id) +
                                   "; update it, or insert under another _id"};
}

}  // namespace holdfast::wire
