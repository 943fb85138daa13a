// Reading the operands of queries, updates, sorts and projections: heads, names, and numbers taken as integers. Pure.
//
// Requires well-formed MessagePack, as compilers have validated; other bytes give an answer that means nothing.
#pragma once

#include <optional>

#include "io/base/msgpack.h"

namespace holdfast::core {

inline bool is_operator(Bytes name) { return name.starts_with('$'); }

msgpack::Value head_of(Bytes value);
/// The first key of a map that has one; empty otherwise.
Bytes first_key(Bytes map);

/// The value, if it is an integer that a signed one of 64 bits holds.
std::optional<int64_t> signed_integer(const msgpack::Value& value);
/// The same, and also of a double without a fraction.
std::optional<int64_t> whole_number(const msgpack::Value& value);
/// The same, and also of a double with one: cut towards zero.
std::optional<int64_t> cut_to_integer(const msgpack::Value& value);

}  // namespace holdfast::core
