// Arithmetic of update operators on numbers.
#pragma once

#include "io/base/msgpack.h"

namespace holdfast::core {

/// Appends `a` + `b` to `out`: integers give an integer, anything else a double.
///
/// An integer is written as a 64-bit signed one (9 bytes, d3), and as an unsigned one (cf) only when it is above 2^63 -
/// 1, which it may be only if `a` or `b` was: a signed counter never turns into an unsigned one by itself. A double is
/// written in 64 bits. Requires two numbers. Errors: kBadRequest on integer overflow. `path` is for the message.
Result<> append_sum(Buffer& out, const msgpack::Value& a, const msgpack::Value& b, Bytes path);

/// Appends one number in the widths above.
void append_computed(Buffer& out, const msgpack::Value& number);

}  // namespace holdfast::core
