// The total order of values, and equality: what queries, sorts, ranges and indexes agree on.
//
// The order is MongoDB's (manual, "Comparison and Sort Order"), over MessagePack's types:
//
//   nil < numbers < strings < maps < arrays < binary < booleans < times < other extensions
//
//   numbers     by exact value, whatever their width: 2^53 + 1 as an integer is greater than 2^53 as a double.
//               -0 equals 0. NaN is the smallest number and equal to itself.
//   strings     by their bytes (for UTF-8 that is code point order). No collations.
//   maps        pair by pair, in the order they are written: first the types of the values, then the keys, then the
//               values. The one that ends first is smaller. So {a: 1, b: 2} and {b: 2, a: 1} differ.
//   arrays      element by element; the one that ends first is smaller.
//   binary      by length, then bytes. booleans: false < true. times: by instant, to the nanosecond.
//   extensions  by type, then length, then bytes. A timestamp that is not well-formed is one of these.
//
// It is a weak order: values that differ only in width compare equivalent. Pure, no allocation, no shared state.
// Requires well-formed MessagePack nested no deeper than msgpack::kMaxDepth; for other bytes the answer means nothing,
// but is given.
#pragma once

#include <compare>

#include "io/base/msgpack.h"

namespace holdfast::core {

/// Place of a kind in the order of types. Kinds that compare by value with each other share one.
constexpr uint8_t type_rank(msgpack::Kind kind) {
  using msgpack::Kind;
  switch (kind) {
    case Kind::kNil:
      return 1;
    case Kind::kUint:
    case Kind::kInt:
    case Kind::kFloat:
      return 2;
    case Kind::kString:
      return 3;
    case Kind::kMap:
      return 4;
    case Kind::kArray:
      return 5;
    case Kind::kBinary:
      return 6;
    case Kind::kBool:
      return 7;
    case Kind::kTime:
      return 8;
    case Kind::kExtension:
      return 9;
  }
  return 0;
}
constexpr bool is_number(msgpack::Kind kind) { return type_rank(kind) == type_rank(msgpack::Kind::kUint); }

/// "a string", "an array" …, for messages.
std::string_view type_name(msgpack::Kind kind);

/// Two values that are no containers.
std::weak_ordering compare_scalars(const msgpack::Value& a, const msgpack::Value& b);

/// Two whole values. The second form takes cursors that stand before them, and leaves both behind them if they are
/// equivalent.
std::weak_ordering compare(Bytes a, Bytes b);
std::weak_ordering compare(msgpack::Cursor& a, msgpack::Cursor& b);

/// compare() == 0, but faster to say no.
bool equal(Bytes a, Bytes b);
/// The same for values whose heads were read already; each cursor stands behind its head.
bool equal(const msgpack::Value& a, msgpack::Cursor behind_a, const msgpack::Value& b, msgpack::Cursor behind_b);

}  // namespace holdfast::core
