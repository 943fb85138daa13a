// Arithmetic of update operators on numbers, and the time.
//
// An integer is written as a 64-bit signed one (9 bytes, d3), and as an unsigned one (cf) only when it is above 2^63 -
// 1, which it may be only if one of the two numbers was: a signed counter never turns into an unsigned one by itself. A
// double is written in 64 bits, NaN always in the same ones.
#pragma once

#include "io/base/msgpack.h"
#include "io/base/time.h"

namespace holdfast::core {

/// Appends `a` + `b` to `out`: integers give an integer, anything else a double. Requires two numbers. Errors:
/// kBadRequest on integer overflow. `path` is for the message.
Result<> append_sum(Buffer& out, const msgpack::Value& a, const msgpack::Value& b, Bytes path);
/// The same for `a` x `b`.
Result<> append_product(Buffer& out, const msgpack::Value& a, const msgpack::Value& b, Bytes path);

/// Appends one number in the widths above.
void append_computed(Buffer& out, const msgpack::Value& number);
/// Appends 0 of the kind of `number`.
void append_zero(Buffer& out, const msgpack::Value& number);

/// Appends a point in time, to the nanosecond.
void append_time(Buffer& out, WallTime time);

/// Appends what {and: …, or: …, xor: …}, one after the other, make of `n`. Requires that the operands are
/// signed_integer()s.
void append_bits(Buffer& out, int64_t n, Bytes operations);

}  // namespace holdfast::core
