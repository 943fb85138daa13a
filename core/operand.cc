#include "core/operand.h"

#include <cmath>

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;

Value head_of(Bytes value) {
  Value v;
  Cursor(value).next(v);
  return v;
}

Bytes first_key(Bytes map) {
  Cursor at(map);
  Value head;
  Bytes key;
  if (at.next(head) && head.kind == Kind::kMap && head.count > 0) at.string(key);
  return key;
}

std::optional<int64_t> signed_integer(const Value& value) {
  if (value.kind == Kind::kInt) return value.i;
  if (value.kind == Kind::kUint && value.u <= INT64_MAX) return static_cast<int64_t>(value.u);
  return std::nullopt;
}

std::optional<int64_t> cut_to_integer(const Value& value) {
  if (value.kind != Kind::kFloat) return signed_integer(value);
  if (value.f >= -0x1p63 && value.f < 0x1p63) return static_cast<int64_t>(value.f);
  return std::nullopt;
}

std::optional<int64_t> whole_number(const Value& value) {
  if (value.kind == Kind::kFloat && std::trunc(value.f) != value.f) return std::nullopt;
  return cut_to_integer(value);
}

}  // namespace holdfast::core
