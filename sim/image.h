// Image: the content of one file, sparse, in pages of 4 KiB that images share until one of them writes.
//
// A page is a hole (reads as zeros, takes no room), zero (reads as zeros, takes room: what preallocation leaves) or
// bytes. Copying an image copies references, so that a disk can be cloned at every crash point for little.
//
// One thread: reference counts are plain integers. Crash behaviour: none; this is only memory.
#pragma once

#include <vector>

#include "io/base/bytes.h"

namespace holdfast::sim {

inline constexpr size_t kPageBytes = 4096;
inline constexpr size_t kSectorBytes = 512;

class PageRef {
 public:
  PageRef() = default;
  PageRef(const PageRef& o) : page_(o.page_) { keep(); }
  PageRef(PageRef&& o) noexcept : page_(std::exchange(o.page_, nullptr)) {}
  PageRef& operator=(PageRef o) noexcept {
    std::swap(page_, o.page_);
    return *this;
  }
  ~PageRef() { drop(); }
  static PageRef zero() {
    PageRef r;
    r.page_ = zero_mark();
    return r;
  }

  bool is_hole() const { return page_ == nullptr; }
  bool has_bytes() const { return page_ != nullptr && page_ != zero_mark(); }
  /// Null when the page reads as zeros.
  const char* bytes() const { return has_bytes() ? page_->bytes : nullptr; }
  /// The page, made this image's own first.
  char* own();

 private:
  struct Page {
    uint32_t references;
    char bytes[kPageBytes];
  };
  static Page* zero_mark() { return reinterpret_cast<Page*>(uintptr_t{8}); }
  void keep() {
    if (has_bytes()) ++page_->references;
  }
  void drop() {
    if (has_bytes() && --page_->references == 0) delete page_;
  }
  Page* page_ = nullptr;
};

class Image {
 public:
  uint64_t size() const { return size_; }
  /// Bytes past the end read as zeros.
  void read(uint64_t offset, MutableBytes out) const;
  /// Grows the file as needed.
  void write(uint64_t offset, Bytes data);
  /// Zeros that take room. Grows the file as needed.
  void zero(uint64_t offset, uint64_t length);
  /// Shrinking forgets what lies beyond: growing again shows zeros there.
  void resize(uint64_t size);

  /// Pages that take room.
  uint64_t pages() const { return pages_; }
  /// Pages that a write of that range would take in addition.
  uint64_t new_pages(uint64_t offset, uint64_t length) const;
  /// Whether the whole page reads as zeros for want of bytes.
  bool is_blank(uint64_t page) const { return page >= table_.size() || !table_[page].has_bytes(); }
  /// Takes over page `page` of `from`, which both then share.
  void share(const Image& from, uint64_t page);

  /// Of size and content; blank pages and pages of zero bytes may differ.
  uint64_t digest() const;

 private:
  PageRef& page(uint64_t index) {
    if (index >= table_.size()) table_.resize(index + 1);
    return table_[index];
  }
  char* own(uint64_t index);

  std::vector<PageRef> table_;
  uint64_t size_ = 0;
  uint64_t pages_ = 0;
};

}  // namespace holdfast::sim
