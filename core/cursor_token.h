// CursorToken: what a client holds of a stream of documents: which cursor, and where its next page begins.
//
// Place in the system: cursors.h makes tokens and takes them back; any connection may present one. A token says everything about its page but the snapshot,
// which the cursor holds: so any page can be asked for again. A client may make up tokens: what is in one is checked, and can lead to no harm but another
// page of what that client asked for itself.
//
//     byte 0      1: position in shards   2: position in an order
//     8 each      incarnation | cursor | documents skipped before this page | documents answered before it
//     1:          core, 2 bytes | shard among the core's, 2 | ordinal, 4          from there on
//     2:          length of the id key, 2 bytes | id key | sort key              of the last document before this page
//     last 8      XXH3-64 of all before
//
// Numbers are little endian. Pure, any core.
#pragma once

#include <span>

#include "io/base/error.h"
#include "io/base/ids.h"
#include "io/base/bytes.h"

namespace holdfast::core {

/// The longest sort key that a token carries.
inline constexpr size_t kMaxSortKeyBytes = 64 << 10;

struct CursorToken {
  uint64_t incarnation = 0;
  uint64_t cursor = 0;
  uint64_t skipped = 0;
  uint64_t answered = 0;
  bool sorted = false;

  // Not sorted.
  uint16_t core = 0;
  uint16_t shard_index = 0;
  Ordinal ordinal;

  // Sorted. No id key: from the first document on.
  Buffer id_key;
  Buffer sort_key;

  bool operator==(const CursorToken&) const = default;

  /// Requires keys that fit: an id's key (id_key.h), and a sort key of at most kMaxSortKeyBytes.
  Buffer encode() const;
  /// Errors: kBadRequest for anything that encode() has not made.
  static Result<CursorToken> parse(Bytes token);
};

/// A number for what a stream is of, from the values that tell it, each one whole MessagePack value or empty. Fields of maps may come in any order: some clients
/// write the same map differently every time. Requires values nested at most msgpack::kMaxDepth deep; others give some number.
uint64_t fingerprint_of(std::span<const Bytes> values);

}  // namespace holdfast::core
