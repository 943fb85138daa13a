// Bitmap: a compressed set of ordinals. The one place that knows CRoaring.
//
// Its own serialization is never used (0.2.66 does not validate what it reads): what goes to disk is runs of ordinals
// (index_file.h).
#pragma once

#include <memory>
#include <span>

#include "io/base/ids.h"

struct roaring_bitmap_s;

namespace holdfast::core {

class Bitmap {
 public:
  Bitmap();
  Bitmap(const Bitmap& other);
  Bitmap(Bitmap&& other) noexcept;
  Bitmap& operator=(Bitmap other) noexcept;
  ~Bitmap();

  void add(Ordinal o);
  /// Adds [first, end).
  void add_range(Ordinal first, Ordinal end);
  void add_many(std::span<const uint32_t> ordinals);
  void remove(Ordinal o);
  /// Removes everything at or above `o`.
  void remove_from(Ordinal o);
  bool contains(Ordinal o) const;
  uint64_t count() const;
  bool operator==(const Bitmap& other) const;

  /// The smallest members at or above `from`, ascending, as many as fit; returns how many.
  size_t read(Ordinal from, std::span<uint32_t> out) const;

 private:
  roaring_bitmap_s* bitmap_;  // null once moved from
};

}  // namespace holdfast::core
