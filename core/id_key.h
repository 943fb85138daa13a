// Canonical keys of `_id`s: equal ids have equal keys, and keys in byte order are ids in value order.
//
// Place in the system: the key, not the value as sent, is what the primary index hashes, what records and effects
// carry, and what places a document on a shard. It is part of the file format for good. Documents keep their own bytes:
// a key is never decoded.
//
// An `_id` is a number, a string, binary data, a boolean or a time. The first byte of a key is its type; the types
// follow the order of values (value_order.h), so that memcmp order of keys, the shorter first, is that order:
//
//   10  number   8 bytes: the largest double that is not above the value, as IEEE 754 bits in big endian, made to sort:
//                the sign bit flipped when it was clear, all bits when it was set. Then, only when the value is an
//                integer above that double, by how much: 2 bytes in big endian, 1 to 2047. So 1, 1.0 and unsigned 1 are
//                one id, and 2^53 + 1 is another than 2^53. -0 is 0. Every NaN is one id, 8 zero bytes, before
//                -infinity.
//   20  string   its bytes
//   30  binary   its length, 4 bytes in big endian, then its bytes
//   40  boolean  00 or 01
//   50  time     seconds since 1970, 8 bytes in big endian, sign bit flipped; nanoseconds, 4 bytes in big endian
//
// Pure functions, any core.
#pragma once

#include <span>

#include "io/base/ids.h"
#include "io/base/msgpack.h"

namespace holdfast::core {

inline constexpr size_t kMaxIdBytes = 1024;  ///< bytes in a string or binary `_id`, without MessagePack's head
inline constexpr size_t kMaxIdKeyBytes = kMaxIdBytes + 5;  ///< hence of any key

/// The key of an `_id`, given as one MessagePack value.
/// Errors: kBadRequest for null, arrays, documents and extension values, and for bytes that are no single value;
/// kTooLarge beyond kMaxIdBytes.
Result<Buffer> id_key(Bytes value);

/// A key as messages show it: strings in quotes, numbers as far as doubles go, the rest in hex.
std::string shown_key(Bytes key);

/// Where a document lives: XXH3-64 (seed 0) of its key modulo the number of shards. Part of the format for good.
/// Requires 1 <= shard_count <= 4096.
ShardId shard_of(Bytes key, uint16_t shard_count);

inline constexpr size_t kGeneratedIdLetters = 60;
/// An id for a document that came without one: 60 letters of [a-zA-Z], the shape that the original's client makes too,
/// one per byte of `random`. About 340 bits of entropy if `random` has it: collisions are left to the duplicate check.
Buffer generated_id(std::span<const char, kGeneratedIdLetters> random);
/// Whether an `_id` (a MessagePack value) has that shape: a repeated insert of it may be taken for a retry (DESIGN:
/// retries).
bool has_generated_shape(Bytes value);

}  // namespace holdfast::core
