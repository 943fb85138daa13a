// Memory for coroutine frames: per thread, free lists of size classes of 64 bytes up to 4 KiB; larger ones go to the
// global allocator. A frame may be freed on another thread than it came from; it then joins that thread's list.
#pragma once

#include <cstddef>

namespace holdfast::io {

void* frame_allocate(size_t size);
void frame_free(void* frame, size_t size);

}  // namespace holdfast::io
