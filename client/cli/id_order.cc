#include "client/cli/id_order.h"

#include <bit>
#include <cmath>

#include "io/base/msgpack.h"

namespace holdfast::cli {
namespace {

using msgpack::Kind;
using msgpack::Value;

enum Rank : char { kNumber = 0x10, kString = 0x20, kBinary = 0x30, kBoolean = 0x40, kTime = 0x50, kOther = 0x60 };

/// The bits of a double such that unsigned order is numeric order; NaN comes first.
uint64_t sortable(double d) {
  constexpr uint64_t kSign = uint64_t{1} << 63;
  if (std::isnan(d)) return 0;
  auto bits = std::bit_cast<uint64_t>(d == 0 ? 0.0 : d);
  return bits & kSign ? ~bits : bits | kSign;
}

/// An integer: the largest double not above it, then the rest, which only integers beyond 2^53 have.
void append_integer(Buffer& key, bool negative, uint64_t magnitude) {
  int excess = std::max(0, static_cast<int>(std::bit_width(magnitude)) - 53);
  uint64_t step = uint64_t{1} << excess;
  uint64_t rest = magnitude & (step - 1);
  double floor = static_cast<double>(magnitude - rest);
  if (negative) {
    // Towards the larger magnitude, in two exact steps: 2^64 itself does not fit into the integer.
    floor = -(rest == 0 ? floor : floor + static_cast<double>(step));
    rest = rest == 0 ? 0 : step - rest;
  }
  append_be(key, sortable(floor));
  if (rest != 0) append_be(key, static_cast<uint16_t>(rest));
}

}  // namespace

Buffer id_order_key(Bytes id) {
  Value v;
  Buffer key;
  if (!msgpack::Cursor(id).next(v)) return key;
  switch (v.kind) {
    case Kind::kUint:
      key = kNumber;
      append_integer(key, false, v.u);
      return key;
    case Kind::kInt:
      key = kNumber;
      append_integer(key, true, -static_cast<uint64_t>(v.i));
      return key;
    case Kind::kFloat:
      key = kNumber;
      append_be(key, sortable(v.f));
      return key;
    case Kind::kString: key = kString; return key.append(v.bytes);
    case Kind::kBinary:
      key = kBinary;
      append_be(key, static_cast<uint32_t>(v.bytes.size()));
      return key.append(v.bytes);
    case Kind::kBool: return {kBoolean, static_cast<char>(v.boolean)};
    case Kind::kTime:
      key = kTime;
      append_be(key, static_cast<uint64_t>(v.i) ^ uint64_t{1} << 63);
      append_be(key, v.nanoseconds);
      return key;
    default: key = kOther; return key.append(id);
  }
}

Buffer document_order_key(Bytes document) {
  auto id = msgpack::lookup(document, "_id");
  return id ? id_order_key(*id) : Buffer();
}

}  // namespace holdfast::cli
