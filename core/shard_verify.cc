// Verifying a shard that is being used: what is in its file against its checksums, its index and its live sets.
#include <fmt/format.h>

#include "core/shard_impl.h"

namespace holdfast::core {

io::Task<Result<Shard::VerifiedPart>> ShardImpl::verify(Ordinal from, uint64_t max_bytes) {
  if (!is_open()) HF_CO_CHECK_OK(co_await open());
  VerifiedPart part;
  if (from >= file_end()) {
    part.done = true;
    co_return part;
  }
  // Whole records, one at least, with one read. Where they stand does not change any more.
  const uint64_t begin = extent(from).begin;
  std::vector<Extent> extents;
  for (Ordinal o = from; o < file_end(); ++o) {
    Extent e = extent(o);
    if (!extents.empty() && e.end > begin + max_bytes) break;
    extents.push_back(e);
  }
  HF_CO_TRY(bytes, co_await read_file(begin, extents.back().end));
  part.bytes = bytes.size();
  part.next = from;
  for (const Extent& e : extents) {
    verify_record(part.next, e, Bytes(bytes).substr(e.begin - begin, e.end - e.begin), part.damage);
    ++part.next;
    ++part.records;
  }
  part.done = part.next >= file_end();
  co_return part;
}

/// Index and live sets are looked at in one turn, so they are of one LSN.
void ShardImpl::verify_record(Ordinal o, Extent at, Bytes bytes, std::vector<std::string>& damage) const {
  Result<RecordView> r = checked_record(o, at.begin, bytes);
  if (!r) {
    damage.push_back(r.error().message);
    return;
  }
  const RecordHeader& h = r->header;
  bool indexed = false;
  for (IndexEntry e : index_.lookup(hash_of(h.collection, r->key))) indexed = indexed || e == IndexEntry(o, false);
  bool live = live_.contains(h.collection, o);
  // A dropped collection's documents stay in the index.
  bool fits = live ? indexed && !h.tombstone : !indexed || !live_.has(h.collection);
  if (!fits)
    damage.push_back(fmt::format("{}: record {} at offset {}, LSN {}, collection {}: the index {}, the live set {}", db_path(), o.value, at.begin,
                                 h.lsn.value, h.collection.value, indexed ? "has it as the newest of its id" : "has a newer one",
                                 live ? "has it too" : "does not have it"));
}

}  // namespace holdfast::core
