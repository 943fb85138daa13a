#include "core/sealed.h"

#include <fmt/format.h>

#include "io/base/assert.h"
#include "io/base/crc32c.h"

namespace holdfast::core {
namespace {

uint32_t seal_crc(Bytes block) { return crc32c(block.substr(kSealBytes), crc32c(block.substr(0, 12))); }

}  // namespace

void seal(MutableBytes block, uint64_t magic, uint32_t version) {
  HF_ASSERT(block.size() >= kSealBytes, "a sealed block has room for its seal");
  store_le(block.data(), magic);
  store_le(block.data() + 8, version);
  store_le(block.data() + 12, seal_crc(Bytes(block.data(), block.size())));
}

Result<> check_seal(Bytes block, uint64_t magic, Versions read) {
  if (block.size() < kSealBytes) return fail(Code::kCorrupt, "too short");
  if (load_le<uint64_t>(block.data()) != magic)
    return fail(Code::kCorrupt, "not a file of this kind, or its start is damaged");
  if (load_le<uint32_t>(block.data() + 12) != seal_crc(block)) return fail(Code::kCorrupt, "the checksum does not fit");
  uint32_t found = load_le<uint32_t>(block.data() + 8);
  if (found == 0) return fail(Code::kCorrupt, "format version 0 does not exist");
  if (found > read.newest)
    return fail(Code::kUnsupported, fmt::format("format version {}, and this program knows versions up to {}; use a newer one",
                                                found, read.newest));
  if (found < read.oldest)
    return fail(Code::kUnsupported,
                fmt::format("format version {}, and this program reads versions from {} on; export the data with the program "
                            "that wrote it, and import it into a new directory",
                            found, read.oldest));
  return {};
}

}  // namespace holdfast::core
