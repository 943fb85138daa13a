// Extended JSON: MessagePack documents as text, both ways, without losing a value.
//
// The text is MongoDB Extended JSON v2, relaxed, with additions where MessagePack has more than BSON:
//
//   MessagePack                        JSON
//   nil, booleans, arrays, maps        null, true, false, [...], {...}; the order of keys is kept
//   integers up to 2^63 - 1            a number without point and exponent: 5
//   integers from 2^63                 {"$numberUnsigned": "18446744073709551615"}          (addition)
//   floats, 32 and 64 bits             a number with a point or exponent: 1.0, 1e+300
//   NaN, infinities                    {"$numberDouble": "NaN"}, "Infinity", "-Infinity"
//   strings                            "text"; bytes that are no UTF-8: {"$rawString": "base64"}   (addition)
//   binary                             {"$binary": {"base64": "...", "subType": "00"}}
//   times, years 1970 to 9999          {"$date": "2026-01-31T12:00:00.5Z"}, up to nine digits after the point
//   (addition) other times, in whole ms           {"$date": {"$numberLong": "-1"}} the rest of the times {"$time":
//   {"seconds": "-1", "nanoseconds": 5}}      (addition) extensions                         {"$extension": {"type": 5,
//   "base64": "..."}}        (addition) a map whose first key is one of the words above or "$literal"
//                                      {"$literal": {...}}                                 (addition)
//
// Read as well, for what other tools write: $numberInt, $numberLong, $numberDouble with any number of theirs, plain
// numbers up to 2^64 - 1, $date with an offset or with a plain number of ms, {"$binary": "base64", "$type": "00"}.
// Other words with a dollar are keys like any others. A binary's subType is not kept.
//
// Not kept: the width of integers and floats on the wire, and which NaN. Refused: duplicate keys, integers beyond 64
// bits, text that is not UTF-8, nesting beyond 100.
//
// Pure. Memory is a small multiple of the text.
#pragma once

#include <string>

#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::cli {

/// One value, surrounded by nothing but white space, as MessagePack in its shortest widths.
/// Errors: kBadRequest; the message begins with "line N" or "line N, column M", counted from `first_line`.
Result<Buffer> from_json(std::string_view text, uint64_t first_line = 1);

/// One MessagePack value as one line of text. Errors: kBadRequest for bytes that are none, that have keys which are no
/// strings, or that nest beyond 200.
Result<std::string> to_json(Bytes value);

/// The same, spread over lines and indented, for people.
Result<std::string> to_pretty_json(Bytes value);

}  // namespace holdfast::cli
