// Strong types for the numbers that identify things. A bare integer never crosses a boundary: Lsn and Ordinal, ShardId
// and CoreId do not mix, and the compiler says so.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <limits>

namespace holdfast {

template <class Tag, class Rep>
struct Id {
  using rep = Rep;
  Rep value = 0;

  constexpr Id() = default;
  constexpr explicit Id(Rep v) : value(v) {}

  constexpr auto operator<=>(const Id&) const = default;
  constexpr Id next() const { return Id(value + 1); }
  constexpr Id& operator++() {
    ++value;
    return *this;
  }
  static constexpr Id max() { return Id(std::numeric_limits<Rep>::max()); }

  template <class H>
  friend H AbslHashValue(H h, Id id) {
    return H::combine(std::move(h), id.value);
  }
};

/// Position of an entry in the journal: 1, 2, 3 … without gaps; 0 is "before everything". It is the commit timestamp.
using Lsn = Id<struct LsnTag, uint64_t>;
/// Consensus term. A single server stays at term 1.
using Term = Id<struct TermTag, uint64_t>;
/// A shard of one database: 0 … shard count - 1.
using ShardId = Id<struct ShardIdTag, uint16_t>;
/// A database; never reused. 0 is no database.
using DatabaseId = Id<struct DatabaseIdTag, uint32_t>;
/// A collection, unique in the whole server; never reused. 0 is no collection.
using CollectionId = Id<struct CollectionIdTag, uint32_t>;
/// Number of a record within one generation of one shard: 0, 1, 2 … in LSN order.
using Ordinal = Id<struct OrdinalTag, uint32_t>;
/// A generation of a shard's files.
using Generation = Id<struct GenerationTag, uint32_t>;
/// Sequence number of a journal segment: 1, 2, 3 …
using SegmentSeq = Id<struct SegmentSeqTag, uint64_t>;
/// A core (thread) of the host: 0 … count - 1.
using CoreId = Id<struct CoreIdTag, uint16_t>;

inline constexpr Ordinal kNoOrdinal = Ordinal::max();

}  // namespace holdfast

template <class Tag, class Rep>
struct std::hash<holdfast::Id<Tag, Rep>> {
  size_t operator()(holdfast::Id<Tag, Rep> id) const noexcept { return std::hash<Rep>()(id.value); }
};
