// Fuzzes MANIFESTs. In half of the inputs length and checksum are made to fit.
#include "core/manifest.h"
#include "core/sealed.h"
#include "tests/fuzz/fuzz.h"

namespace holdfast::core {
namespace {

std::vector<Buffer> seeds() {
  Manifest m;
  std::vector<Buffer> out;
  for (char mend : {'\0', '\1'}) out.push_back(mend + encode_manifest(m, 5, 6));
  m.number = 3;
  m.position = {Lsn(9), {1, 2}, SegmentSeq(2), 4096};
  m.next_database = DatabaseId(9);
  m.next_collection = CollectionId(9);
  m.databases = {{DatabaseId(1), "a"}, {DatabaseId(2), "b"}};
  m.collections = {{CollectionId(1), DatabaseId(1), "c", 5}, {CollectionId(4), DatabaseId(2), "d", 6}};
  m.shards = {{DatabaseId(1), ShardId(0), Generation(1), 8192, Ordinal(3), Lsn(9), 7},
              {DatabaseId(2), ShardId(0), Generation(1), 4096}};
  for (char mend : {'\0', '\1'}) out.push_back(mend + encode_manifest(m, 5, 6));
  return out;
}

}  // namespace

HOLDFAST_FUZZER(manifest, seeds) {
  if (input.empty()) return;
  Buffer bytes(input.substr(1));
  if ((input[0] & 1) && bytes.size() >= 24) {
    store_le(bytes.data() + 16, uint64_t{bytes.size()});
    seal(bytes, load_le<uint64_t>(bytes.data()), load_le<uint32_t>(bytes.data() + 8));
  }
  auto m = decode_manifest(bytes, 5, 6);
  if (!m) return;
  FUZZ_CHECK(encode_manifest(*m, 5, 6) == bytes);
}

}  // namespace holdfast::core
