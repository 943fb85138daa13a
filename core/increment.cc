#include "core/increment.h"

#include "core/path.h"

namespace holdfast::core {

using msgpack::Kind;
using msgpack::Value;

namespace {

using Wide = __int128;  // holds every sum of two 64-bit integers, signed or not

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

}  // namespace

Result<> append_sum(Buffer& out, const Value& a, const Value& b, Bytes path) {
  if (a.kind == Kind::kFloat || b.kind == Kind::kFloat) {
    msgpack::Writer(out).float64(floating(a) + floating(b));
    return {};
  }
  Wide x = integer(a), y = integer(b), sum = x + y;
  Wide most = x > INT64_MAX || y > INT64_MAX ? Wide{UINT64_MAX} : Wide{INT64_MAX};
  if (sum < INT64_MIN || sum > most)
    return fail(Code::kBadRequest,
                "$inc at path " + Path::shown(path) +
                    " would overflow a 64-bit integer: use a double, or set the field to a smaller number");
  append_integer(out, sum);
  return {};
}

void append_computed(Buffer& out, const Value& number) {
  if (number.kind == Kind::kFloat)
    msgpack::Writer(out).float64(number.f);
  else
    append_integer(out, integer(number));
}

}  // namespace holdfast::core
