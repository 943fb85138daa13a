// Fuzzes records and the first block of a shard's file. The checksums are made to fit in half of the inputs: behind
// them lies the parser.
#include "core/record.h"
#include "io/base/crc32c.h"
#include "tests/fuzz/fuzz.h"

namespace holdfast::core {
namespace {

const ShardIdentity kHere{77, DatabaseId(3), ShardId(9), Generation(2)};

std::vector<Buffer> seeds() {
  std::vector<Buffer> out;
  for (size_t body : {0, 1, 300}) {
    RecordHeader h{.lsn = Lsn(9),
                   .ordinal = Ordinal(5),
                   .predecessor = Ordinal(2),
                   .collection = CollectionId(1),
                   .tombstone = body == 0};
    for (char mend : {'\0', '\1'}) out.push_back(mend + encode_record(kHere.seed(), h, "key", Buffer(body, 'b')));
  }
  out.push_back('\0' + encode_shard_file_header(kHere));
  return out;
}

/// Gives the header at the front, and the body as far as the lengths allow, the checksums that they need.
void mend(Buffer& bytes) {
  if (bytes.size() < kRecordHeaderBytes) return;
  size_t head = record_head_bytes(bytes);
  if (bytes.size() < head) return;
  uint32_t place = crc32c(Bytes(bytes).substr(kRecordHeaderBytes, head - kRecordHeaderBytes),
                          crc32c(Bytes(bytes).substr(8, 36), kHere.seed()));
  size_t size = round_up(head + load_le<uint32_t>(bytes.data() + 32), kRecordUnit);
  if (size <= bytes.size()) store_le(bytes.data() + 44, crc32c(Bytes(bytes).substr(head, size - head), place));
  store_le(bytes.data() + 4, crc32c(Bytes(bytes).substr(44, 4), place));
}

}  // namespace

HOLDFAST_FUZZER(record, seeds) {
  if (input.empty()) return;
  Buffer bytes(input.substr(1));
  if (input[0] & 1) mend(bytes);
  (void)check_shard_file_header(bytes, kHere);
  auto head = parse_record_head(kHere.seed(), bytes);
  auto r = parse_record(kHere.seed(), bytes);
  if (!r) return;
  FUZZ_CHECK(head);
  FUZZ_CHECK(starts_record(bytes));
  FUZZ_CHECK(r->header.size() <= bytes.size());
  FUZZ_CHECK(r->key.data() + r->key.size() <= r->body.data() + r->body.size());
  // What passes is what would have been written.
  FUZZ_CHECK(encode_record(kHere.seed(), r->header, r->key, r->body) == Bytes(bytes).substr(0, r->header.size()));
}

}  // namespace holdfast::core
