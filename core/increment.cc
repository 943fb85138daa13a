#include "core/increment.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "core/operand.h"
#include "core/path.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;

namespace {

using Wide = __int128;  // holds every sum of two 64-bit integers, and every product but of two above 2^63 - 1

Wide integer(const Value& v) { return v.kind == Kind::kUint ? Wide{v.u} : Wide{v.i}; }

double floating(const Value& v) {
  if (v.kind == Kind::kFloat) return v.f;
  return v.kind == Kind::kUint ? static_cast<double>(v.u) : static_cast<double>(v.i);
}

void append_integer(Buffer& out, Wide n) {
  if (n <= INT64_MAX) {
    msgpack::Writer(out).int64(static_cast<int64_t>(n));
  } else {
    out.push_back('\xcf');
    append_be(out, static_cast<uint64_t>(n));
  }
}

// Processors disagree about the bits of NaN.
void append_floating(Buffer& out, double f) {
  msgpack::Writer(out).float64(std::isnan(f) ? std::numeric_limits<double>::quiet_NaN() : f);
}

std::unexpected<Error> overflow(std::string_view name, Bytes path) {
  return fail(Code::kBadRequest,
              fmt::format("{} at path {} would overflow a 64-bit integer: use a double, or set the field to a smaller "
                          "number",
                          name, Path::shown(path)));
}

bool either_is_floating(const Value& a, const Value& b) { return a.kind == Kind::kFloat || b.kind == Kind::kFloat; }

bool either_is_unsigned(Wide x, Wide y) { return x > INT64_MAX || y > INT64_MAX; }

bool fits(Wide result, Wide x, Wide y) {
  return result >= INT64_MIN && result <= (either_is_unsigned(x, y) ? Wide{UINT64_MAX} : Wide{INT64_MAX});
}

}  // namespace

Result<> append_sum(Buffer& out, const Value& a, const Value& b, Bytes path) {
  if (either_is_floating(a, b)) {
    append_floating(out, floating(a) + floating(b));
    return {};
  }
  Wide x = integer(a), y = integer(b);
  if (!fits(x + y, x, y)) return overflow("$inc", path);
  append_integer(out, x + y);
  return {};
}

Result<> append_product(Buffer& out, const Value& a, const Value& b, Bytes path) {
  if (either_is_floating(a, b)) {
    append_floating(out, floating(a) * floating(b));
    return {};
  }
  Wide x = integer(a), y = integer(b);
  if ((x > INT64_MAX && y > INT64_MAX) || !fits(x * y, x, y)) return overflow("$mul", path);
  append_integer(out, x * y);
  return {};
}

void append_computed(Buffer& out, const Value& number) {
  if (number.kind == Kind::kFloat)
    append_floating(out, number.f);
  else
    append_integer(out, integer(number));
}

void append_zero(Buffer& out, const Value& number) {
  if (number.kind == Kind::kFloat)
    msgpack::Writer(out).float64(0);
  else
    append_integer(out, 0);
}

void append_time(Buffer& out, WallTime time) {
  constexpr int64_t kSecond = 1'000'000'000;
  int64_t nanoseconds = time.ns % kSecond;
  if (nanoseconds < 0) nanoseconds += kSecond;
  msgpack::Writer(out).time((time.ns - nanoseconds) / kSecond, static_cast<uint32_t>(nanoseconds));
}

void append_bits(Buffer& out, int64_t n, Bytes operations) {
  Cursor at(operations);
  Value head, operand;
  at.next(head);
  for (uint32_t i = 0; i < head.count; ++i) {
    Bytes name;
    at.string(name);
    at.next(operand);
    int64_t bits = signed_integer(operand).value_or(0);
    n = name == "and" ? n & bits : name == "or" ? n | bits : n ^ bits;
  }
  msgpack::Writer(out).int64(n);
}

}  // namespace holdfast::core
