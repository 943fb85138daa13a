// Fuzzes index files. In half of the inputs the checksums are made to fit.
#include "core/index_file.h"
#include "io/base/crc32c.h"
#include "tests/fuzz/fuzz.h"

namespace holdfast::core {
namespace {

const ShardIdentity kHere{77, DatabaseId(3), ShardId(9), Generation(2)};
constexpr size_t kHeader = 160, kLengths = 16 + 24 + 5 * 8, kCrcs = kLengths + 4 * 8;

Buffer encode(IndexImage image) {
  IndexEncoder encoder(kHere, 64, std::move(image));
  while (!encoder.step(100)) continue;
  return encoder.take();
}

std::vector<Buffer> seeds() {
  std::vector<Buffer> out;
  IndexImage image;
  image.covers = {4096, Ordinal(0), Lsn(0), 0};
  image.run = std::make_shared<const IndexRun>();
  for (uint32_t n = 0; n < 3; ++n) {
    for (char mend : {'\0', '\1'}) out.push_back(mend + encode(image));
    image.covers.db_length += 4096;
    image.covers.next_ordinal = Ordinal(99 * (n + 1));
    IndexRun run;
    Bitmap live;
    image.offsets.clear();
    for (uint32_t i = 0; i < 99 * (n + 1); ++i) {
      run.hashes.push_back(i / 3);
      run.entries.push_back(IndexEntry(Ordinal(i / 3 * 3 + 2 - i % 3), i % 5 == 0));
      image.offsets.push_back(512 + 7 * i);
      if (i % 7 != 0) live.add(Ordinal(i));
    }
    image.run = std::make_shared<const IndexRun>(std::move(run));
    image.live = {{CollectionId(1), live}, {CollectionId(2), Bitmap()}};
  }
  return out;
}

void mend(Buffer& bytes) {
  if (bytes.size() < kHeader) return;
  size_t at = kHeader;
  for (size_t i = 0; i < 4; ++i) {
    uint64_t length = load_le<uint64_t>(bytes.data() + kLengths + 8 * i);
    if (length > bytes.size() - at) break;
    store_le(bytes.data() + kCrcs + 4 * i, crc32c(Bytes(bytes).substr(at, length)));
    at += length;
  }
  seal(MutableBytes(bytes).first(kHeader), load_le<uint64_t>(bytes.data()), load_le<uint32_t>(bytes.data() + 8));
}

}  // namespace

HOLDFAST_FUZZER(index_file, seeds) {
  if (input.empty()) return;
  Buffer bytes(input.substr(1));
  if (input[0] & 1) mend(bytes);
  auto x = decode_index(bytes, kHere, 64);
  if (!x) return;
  FUZZ_CHECK(x->run.hashes.size() == x->run.entries.size());
  FUZZ_CHECK(x->offsets.size() == x->covers.next_ordinal.value);
  // Written again and read again, it is the same.
  IndexImage image{x->covers, std::make_shared<const IndexRun>(x->run), {}, x->offsets, x->live};
  auto again = decode_index(encode(std::move(image)), kHere, 64);
  FUZZ_CHECK(again);
  FUZZ_CHECK(again->run.hashes == x->run.hashes && again->run.entries == x->run.entries);
  FUZZ_CHECK(again->offsets == x->offsets && again->live == x->live && again->covers == x->covers);
}

}  // namespace holdfast::core
