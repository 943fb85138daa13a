#include "io/real/operation_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "io/base/assert.h"
#include "io/base/crc32c.h"

namespace holdfast::real {
namespace {

constexpr std::string_view kMagic = "HFOPREC1";
constexpr size_t kFrameBytes = 12;
enum Kind : uint8_t { kBegin = 1, kEnd = 2 };
constexpr std::string_view kNames[] = {"open", "create", "make-dir", "rename",   "remove",     "sync-dir",
                                       "lock", "write",  "sync",     "truncate", "preallocate"};
constexpr size_t kCalls = std::size(kNames);
static_assert(kCalls == static_cast<size_t>(DiskCall::kPreallocate) + 1);

void append_text(Buffer& out, std::string_view text) {
  append_le(out, static_cast<uint32_t>(text.size()));
  out += text;
}

void append_payload(Buffer& out, const OperationBegin& b) {
  append_le(out, uint8_t{kBegin});
  append_le(out, b.operation);
  append_le(out, static_cast<uint64_t>(b.at.ns));
  append_le(out, static_cast<uint8_t>(b.call));
  append_le(out, b.file);
  append_le(out, b.offset);
  append_le(out, b.length);
  append_text(out, b.path);
  append_text(out, b.to);
  out += b.data;
}

void append_payload(Buffer& out, const OperationEnd& e) {
  append_le(out, uint8_t{kEnd});
  append_le(out, e.operation);
  append_le(out, static_cast<uint64_t>(e.at.ns));
  append_le(out, static_cast<uint8_t>(e.succeeded));
  append_le(out, e.bytes);
}

std::optional<OperationEvent> parse_payload(Bytes payload) {
  ByteReader in(payload);
  uint8_t kind = in.le<uint8_t>();
  uint64_t operation = in.le<uint64_t>();
  Time at{static_cast<int64_t>(in.le<uint64_t>())};
  if (kind == kEnd) {
    OperationEnd e{.operation = operation, .at = at};
    uint8_t succeeded = in.le<uint8_t>();
    e.succeeded = succeeded == 1;
    e.bytes = in.le<uint64_t>();
    return in.ok() && in.rest().empty() && succeeded <= 1 ? std::optional<OperationEvent>(e) : std::nullopt;
  }
  OperationBegin b{.operation = operation, .at = at};
  uint8_t call = in.le<uint8_t>();
  b.call = static_cast<DiskCall>(call);
  b.file = in.le<uint64_t>();
  b.offset = in.le<uint64_t>();
  b.length = in.le<uint64_t>();
  b.path = in.take(in.le<uint32_t>());
  b.to = in.take(in.le<uint32_t>());
  b.data = in.rest();
  return kind == kBegin && in.ok() && call < kCalls ? std::optional<OperationEvent>(b) : std::nullopt;
}

// What the order of the events must be, whatever they are.
class OrderCheck {
 public:
  bool takes(const OperationEvent& event) {
    if (time_of(event) < last_) return false;
    last_ = time_of(event);
    if (const auto* begin = std::get_if<OperationBegin>(&event)) {
      open_.insert(begin->operation);
      return begin->operation == ++begun_;
    }
    return open_.erase(std::get<OperationEnd>(event).operation) == 1;
  }

 private:
  Time last_;
  uint64_t begun_ = 0;
  std::set<uint64_t> open_;
};

std::unexpected<Error> bad(size_t at, std::string_view what) {
  return fail(Code::kCorrupt, fmt::format("the record of operations is damaged at byte {}: {}", at, what));
}

}  // namespace

std::string_view name(DiskCall call) { return kNames[static_cast<size_t>(call)]; }

Buffer record_header() { return Buffer(kMagic); }

void append_record(Buffer& out, const OperationEvent& event) {
  size_t frame = out.size();
  out.append(kFrameBytes, '\0');
  std::visit([&](const auto& e) { append_payload(out, e); }, event);
  Bytes payload = Bytes(out).substr(frame + kFrameBytes);
  HF_ASSERT(payload.size() <= UINT32_MAX, "a write is far smaller than 4 GiB");
  char* p = out.data() + frame;
  store_le(p, static_cast<uint32_t>(payload.size()));
  store_le(p + 4, crc32c(payload));
  store_le(p + 8, crc32c(Bytes(p, 8)));
}

Result<OperationRecord> parse_record(Bytes file) {
  OperationRecord out;
  std::string_view begin = kMagic.substr(0, std::min(file.size(), kMagic.size()));
  if (!file.starts_with(begin)) return bad(0, "it does not begin as one");
  size_t at = kMagic.size();
  OrderCheck order;
  while (at < file.size()) {
    Bytes rest = file.substr(at);
    ByteReader frame(rest.substr(0, kFrameBytes));
    uint32_t length = frame.le<uint32_t>(), checksum = frame.le<uint32_t>(), of_frame = frame.le<uint32_t>();
    if (!frame.ok()) break;
    if (crc32c(rest.substr(0, 8)) != of_frame) return bad(at, "the checksum of a record's head is wrong");
    if (rest.size() - kFrameBytes < length) break;
    Bytes payload = rest.substr(kFrameBytes, length);
    if (crc32c(payload) != checksum) return bad(at, "the checksum of a record is wrong");
    std::optional<OperationEvent> event = parse_payload(payload);
    if (!event) return bad(at, "a record is malformed");
    if (!order.takes(*event)) return bad(at, "a record is out of order");
    out.events.push_back(*event);
    at += kFrameBytes + length;
  }
  out.torn = at != file.size();
  return out;
}

}  // namespace holdfast::real
