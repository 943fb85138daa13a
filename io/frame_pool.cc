#include "io/frame_pool.h"

#include <array>
#include <new>

namespace holdfast::io {
namespace {

constexpr size_t kClassBytes = 64;
constexpr size_t kClasses = 64;
constexpr size_t kKeptPerClass = 4096;

struct Free {
  Free* next;
};

struct Pool {
  struct List {
    Free* head = nullptr;
    size_t length = 0;
  };
  std::array<List, kClasses + 1> lists;

  ~Pool() {
    for (List& list : lists)
      while (Free* f = list.head) {
        list.head = f->next;
        ::operator delete(f);
      }
  }
};

thread_local Pool pool;

}  // namespace

// Under a sanitizer every frame goes to the global allocator, which then sees use after free.
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kPooled = false;
#else
constexpr bool kPooled = true;
#endif

void* frame_allocate(size_t size) {
  size_t c = (size + kClassBytes - 1) / kClassBytes;
  if (!kPooled || c > kClasses) return ::operator new(size);
  Pool::List& list = pool.lists[c];
  if (Free* f = list.head) {
    list.head = f->next;
    --list.length;
    return f;
  }
  return ::operator new(c * kClassBytes);
}

void frame_free(void* frame, size_t size) {
  size_t c = (size + kClassBytes - 1) / kClassBytes;
  if (!kPooled || c > kClasses || pool.lists[c].length >= kKeptPerClass) {
    ::operator delete(frame);
    return;
  }
  Pool::List& list = pool.lists[c];
  list.head = new (frame) Free{list.head};
  ++list.length;
}

}  // namespace holdfast::io
