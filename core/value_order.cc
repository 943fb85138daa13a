#include "core/value_order.h"

#include <cmath>

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using std::weak_ordering;

std::string_view type_name(Kind kind) {
  switch (kind) {
    case Kind::kNil:
      return "null";
    case Kind::kBool:
      return "a boolean";
    case Kind::kUint:
    case Kind::kInt:
    case Kind::kFloat:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kBinary:
      return "binary data";
    case Kind::kArray:
      return "an array";
    case Kind::kMap:
      return "a document";
    case Kind::kTime:
      return "a time";
    case Kind::kExtension:
      return "an extension value";
  }
  return "an unknown value";
}

namespace {

constexpr double kTwo63 = 9223372036854775808.0;
constexpr double kTwo64 = 18446744073709551616.0;

weak_ordering reversed(weak_ordering o) { return 0 <=> o; }

weak_ordering compare_floats(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return int{!std::isnan(a)} <=> int{!std::isnan(b)};
  return a < b ? weak_ordering::less : a > b ? weak_ordering::greater : weak_ordering::equivalent;
}

// The conversions below are exact: a double within the integer's range is cut to its integral part, and what was cut
// decides a tie.
weak_ordering compare_uint_float(uint64_t u, double f) {
  if (std::isnan(f) || f < 0) return weak_ordering::greater;
  if (f >= kTwo64) return weak_ordering::less;
  auto whole = static_cast<uint64_t>(f);
  if (u != whole) return u <=> whole;
  return f > static_cast<double>(whole) ? weak_ordering::less : weak_ordering::equivalent;
}

weak_ordering compare_negative_float(int64_t i, double f) {
  if (std::isnan(f) || f < -kTwo63) return weak_ordering::greater;
  if (f >= 0) return weak_ordering::less;
  auto whole = static_cast<int64_t>(f);
  if (i != whole) return i <=> whole;
  return f < static_cast<double>(whole) ? weak_ordering::greater : weak_ordering::equivalent;
}

weak_ordering compare_numbers(const Value& a, const Value& b) {
  if (a.kind == Kind::kFloat) {
    if (b.kind == Kind::kFloat) return compare_floats(a.f, b.f);
    return reversed(compare_numbers(b, a));
  }
  if (b.kind == Kind::kFloat)
    return a.kind == Kind::kUint ? compare_uint_float(a.u, b.f) : compare_negative_float(a.i, b.f);
  if (a.kind != b.kind) return a.kind == Kind::kInt ? weak_ordering::less : weak_ordering::greater;
  if (a.kind == Kind::kUint) return a.u <=> b.u;
  return a.i <=> b.i;
}

weak_ordering compare_sized(Bytes a, Bytes b) {
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a <=> b;
}

// `depth` ends the recursion on bytes that nobody validated.
weak_ordering compare_values(Cursor& a, Cursor& b, int depth);

weak_ordering compare_pairs(Cursor& a, Cursor& b, int depth) {
  Bytes key_a, key_b;
  if (!a.string(key_a) || !b.string(key_b)) return int{a.ok()} <=> int{b.ok()};
  Cursor peek_a = a, peek_b = b;
  Value head_a, head_b;
  if (!peek_a.next(head_a) || !peek_b.next(head_b)) return int{peek_a.ok()} <=> int{peek_b.ok()};
  if (auto o = type_rank(head_a.kind) <=> type_rank(head_b.kind); o != 0) return o;
  if (auto o = key_a <=> key_b; o != 0) return o;
  return compare_values(a, b, depth);
}

weak_ordering compare_values(Cursor& a, Cursor& b, int depth) {
  Value head_a, head_b;
  bool ok_a = a.next(head_a), ok_b = b.next(head_b);
  if (!ok_a || !ok_b || depth > msgpack::kMaxDepth) return int{ok_a} <=> int{ok_b};
  if (auto o = type_rank(head_a.kind) <=> type_rank(head_b.kind); o != 0) return o;
  if (!head_a.is_container()) return compare_scalars(head_a, head_b);
  for (uint32_t i = 0; i < std::min(head_a.count, head_b.count); ++i) {
    weak_ordering o = head_a.kind == Kind::kMap ? compare_pairs(a, b, depth + 1) : compare_values(a, b, depth + 1);
    if (o != 0 || !a.ok() || !b.ok()) return o;
  }
  return head_a.count <=> head_b.count;
}

}  // namespace

weak_ordering compare_scalars(const Value& a, const Value& b) {
  if (auto o = type_rank(a.kind) <=> type_rank(b.kind); o != 0) return o;
  switch (a.kind) {
    case Kind::kUint:
    case Kind::kInt:
    case Kind::kFloat:
      return compare_numbers(a, b);
    case Kind::kString:
      return a.bytes <=> b.bytes;
    case Kind::kBinary:
      return compare_sized(a.bytes, b.bytes);
    case Kind::kBool:
      return a.boolean <=> b.boolean;
    case Kind::kTime:
      if (a.i != b.i) return a.i <=> b.i;
      return a.nanoseconds <=> b.nanoseconds;
    case Kind::kExtension:
      if (a.extension_type != b.extension_type) return a.extension_type <=> b.extension_type;
      return compare_sized(a.bytes, b.bytes);
    default:
      return weak_ordering::equivalent;
  }
}

weak_ordering compare(Cursor& a, Cursor& b) { return compare_values(a, b, 0); }

weak_ordering compare(Bytes a, Bytes b) {
  Cursor ca(a), cb(b);
  return compare_values(ca, cb, 0);
}

namespace {

bool equal_parts(const Value& head, Cursor& a, Cursor& b) {
  for (uint32_t i = 0; i < head.count; ++i) {
    weak_ordering o = head.kind == Kind::kMap ? compare_pairs(a, b, 1) : compare_values(a, b, 1);
    if (o != 0 || !a.ok() || !b.ok()) return false;
  }
  return true;
}

}  // namespace

bool equal(const Value& a, Cursor behind_a, const Value& b, Cursor behind_b) {
  if (type_rank(a.kind) != type_rank(b.kind)) return false;
  if (a.is_container()) return a.count == b.count && equal_parts(a, behind_a, behind_b);
  if (a.kind == Kind::kString) return a.bytes == b.bytes;
  return compare_scalars(a, b) == 0;
}

bool equal(Bytes a, Bytes b) {
  Cursor ca(a), cb(b);
  Value head_a, head_b;
  if (!ca.next(head_a) || !cb.next(head_b)) return false;
  return equal(head_a, ca, head_b, cb);
}

}  // namespace holdfast::core
