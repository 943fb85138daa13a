#include "io/disk.h"

#include "io/base/probe.h"

namespace holdfast::io {

Task<Result<>> read_exactly(File& file, uint64_t offset, MutableBytes out) {
  while (!out.empty()) {
    HF_CO_TRY(n, co_await file.read_at(offset, out));
    if (n == 0) co_return fail(Code::kCorrupt, "the file ends too early");
    SOMETIMES(n < out.size(), "short-read");
    offset += n;
    out = out.subspan(n);
  }
  co_return Result<>();
}

Task<Result<>> write_fully(File& file, uint64_t offset, Bytes data) {
  while (!data.empty()) {
    HF_CO_TRY(n, co_await file.write_at(offset, data));
    HF_ASSERT(n > 0 && n <= data.size(), "write_at makes progress");
    SOMETIMES(n < data.size(), "short-write");
    if (MUTANT("short-write-counts-as-done")) break;
    offset += n;
    data.remove_prefix(n);
  }
  co_return Result<>();
}

Task<Result<Buffer>> read_whole(Disk& disk, std::string path, uint64_t limit) {
  HF_CO_TRY(file, co_await disk.open(path, Open::kRead));
  HF_CO_TRY(size, co_await file->size());
  if (size > limit) co_return fail(Code::kTooLarge, path + " is larger than any file of its kind");
  Buffer out;
  grow(out, size);
  HF_CO_CHECK_OK(co_await read_exactly(*file, 0, out));
  co_return out;
}

}  // namespace holdfast::io
