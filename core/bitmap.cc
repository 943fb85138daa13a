#include "core/bitmap.h"

#include <roaring/roaring.h>

#include "io/base/assert.h"

namespace holdfast::core {

Bitmap::Bitmap() : bitmap_(roaring_bitmap_create()) { HF_ASSERT(bitmap_, "memory for an empty bitmap"); }
Bitmap::Bitmap(const Bitmap& other) : bitmap_(roaring_bitmap_copy(other.bitmap_)) {
  HF_ASSERT(bitmap_, "memory for a bitmap");
}
Bitmap::Bitmap(Bitmap&& other) noexcept : bitmap_(std::exchange(other.bitmap_, nullptr)) {}
Bitmap& Bitmap::operator=(Bitmap other) noexcept {
  std::swap(bitmap_, other.bitmap_);
  return *this;
}
Bitmap::~Bitmap() {
  if (bitmap_) roaring_bitmap_free(bitmap_);
}

void Bitmap::add(Ordinal o) { roaring_bitmap_add(bitmap_, o.value); }
void Bitmap::add_range(Ordinal first, Ordinal end) {
  if (first < end) roaring_bitmap_add_range_closed(bitmap_, first.value, end.value - 1);
}
void Bitmap::add_many(std::span<const uint32_t> ordinals) {
  roaring_bitmap_add_many(bitmap_, ordinals.size(), ordinals.data());
}
void Bitmap::remove(Ordinal o) { roaring_bitmap_remove(bitmap_, o.value); }
void Bitmap::remove_from(Ordinal o) { roaring_bitmap_remove_range_closed(bitmap_, o.value, UINT32_MAX); }
bool Bitmap::contains(Ordinal o) const { return roaring_bitmap_contains(bitmap_, o.value); }
uint64_t Bitmap::count() const { return roaring_bitmap_get_cardinality(bitmap_); }
bool Bitmap::operator==(const Bitmap& other) const { return roaring_bitmap_equals(bitmap_, other.bitmap_); }

size_t Bitmap::read(Ordinal from, std::span<uint32_t> out) const {
  roaring_uint32_iterator_t it;
  roaring_init_iterator(bitmap_, &it);
  if (!roaring_move_uint32_iterator_equalorlarger(&it, from.value)) return 0;
  return roaring_read_uint32_iterator(&it, out.data(), static_cast<uint32_t>(out.size()));
}

}  // namespace holdfast::core
