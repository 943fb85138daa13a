#include "sim/image.h"

#include <algorithm>

#include "io/base/hash.h"

namespace holdfast::sim {
namespace {

// Calls f(page, offset within the page, offset within the range, length) for every page that the range touches.
template <class F>
void for_pages(uint64_t offset, uint64_t length, F f) {
  for (uint64_t done = 0; done < length;) {
    uint64_t at = offset + done;
    uint64_t n = std::min<uint64_t>(kPageBytes - at % kPageBytes, length - done);
    f(at / kPageBytes, at % kPageBytes, done, n);
    done += n;
  }
}

}  // namespace

char* PageRef::own() {
  if (has_bytes() && page_->references == 1) return page_->bytes;
  Page* fresh = new Page;
  fresh->references = 1;
  if (has_bytes())
    std::memcpy(fresh->bytes, page_->bytes, kPageBytes);
  else
    std::memset(fresh->bytes, 0, kPageBytes);
  drop();
  page_ = fresh;
  return fresh->bytes;
}

char* Image::own(uint64_t index) {
  PageRef& p = page(index);
  if (p.is_hole()) ++pages_;
  return p.own();
}

void Image::read(uint64_t offset, MutableBytes out) const {
  for_pages(offset, out.size(), [&](uint64_t index, uint64_t in_page, uint64_t done, uint64_t n) {
    const char* bytes = index < table_.size() ? table_[index].bytes() : nullptr;
    if (bytes)
      std::memcpy(out.data() + done, bytes + in_page, n);
    else
      std::memset(out.data() + done, 0, n);
  });
}

void Image::write(uint64_t offset, Bytes data) {
  for_pages(offset, data.size(), [&](uint64_t index, uint64_t in_page, uint64_t done, uint64_t n) {
    std::memcpy(own(index) + in_page, data.data() + done, n);
  });
  size_ = std::max(size_, offset + data.size());
}

void Image::zero(uint64_t offset, uint64_t length) {
  for_pages(offset, length, [&](uint64_t index, uint64_t in_page, uint64_t, uint64_t n) {
    PageRef& p = page(index);
    if (p.is_hole()) ++pages_;
    if (n == kPageBytes || !p.has_bytes())
      p = PageRef::zero();
    else
      std::memset(p.own() + in_page, 0, n);
  });
  size_ = std::max(size_, offset + length);
}

void Image::resize(uint64_t size) {
  if (size < size_) {
    uint64_t keep = (size + kPageBytes - 1) / kPageBytes;
    for (uint64_t i = keep; i < table_.size(); ++i) pages_ -= table_[i].is_hole() ? 0 : 1;
    if (table_.size() > keep) table_.resize(keep);
    uint64_t in_page = size % kPageBytes;
    if (in_page > 0 && keep > 0 && !is_blank(keep - 1)) std::memset(own(keep - 1) + in_page, 0, kPageBytes - in_page);
  }
  size_ = size;
}

uint64_t Image::new_pages(uint64_t offset, uint64_t length) const {
  uint64_t n = 0;
  for_pages(offset, length, [&](uint64_t index, uint64_t, uint64_t, uint64_t) {
    n += index >= table_.size() || table_[index].is_hole();
  });
  return n;
}

void Image::share(const Image& from, uint64_t index) {
  PageRef theirs = index < from.table_.size() ? from.table_[index] : PageRef();
  PageRef& mine = page(index);
  pages_ += (theirs.is_hole() ? 0 : 1);
  pages_ -= (mine.is_hole() ? 0 : 1);
  mine = std::move(theirs);
}

uint64_t Image::digest() const {
  uint64_t h = size_;
  for (uint64_t i = 0; i < table_.size(); ++i)
    if (const char* bytes = table_[i].bytes()) h = xxh3_64(Bytes(bytes, kPageBytes), h ^ i * 0x9e3779b97f4a7c15ULL);
  return h;
}

}  // namespace holdfast::sim
