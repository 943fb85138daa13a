// Finding one document, now and at a snapshot.
//
// Of the candidates only documents are looked at. If the id was deleted, its newest record is a tombstone, and none of
// its older records is in the index: whatever else has the hash is another id.
#include "core/shard_impl.h"
#include "io/base/probe.h"

namespace holdfast::core {

std::optional<Shard::Answer> ShardImpl::try_find(CollectionId collection, Bytes key) {
  if (!is_open()) return std::nullopt;
  for (IndexEntry e : index_.lookup(hash_of(collection, key))) {
    if (e.tombstone()) continue;
    if (e.ordinal() < file_end()) return std::nullopt;
    RecordView r = view_record(tail_record(e.ordinal()).bytes);
    if (is_of(r, collection, key)) return Answer{true, r.header.lsn, r.body};
  }
  return Answer{};
}

/// Nothing: the record is another id's, or a deletion.
io::Task<Result<std::optional<Document>>> ShardImpl::read_document(Ordinal o, CollectionId collection, Bytes key) {
  if (o >= file_end()) {
    RecordView r = view_record(tail_record(o).bytes);
    if (r.header.tombstone || !is_of(r, collection, key)) co_return std::optional<Document>();
    co_return Document{r.header.lsn, o, Buffer(r.body)};
  }
  Extent at = extent(o);
  HF_CO_TRY(bytes, co_await read_file(at.begin, at.end));
  HF_CO_TRY(head, checked_head(o, at.begin, bytes));
  if (!is_of(head, collection, key)) co_return std::optional<Document>();
  HF_CO_TRY(r, checked_record(o, at.begin, bytes));
  if (r.header.tombstone) co_return std::optional<Document>();
  size_t begin = static_cast<size_t>(r.body.data() - bytes.data());
  Document d{r.header.lsn, o, {}};
  bytes.resize(begin + r.body.size());
  bytes.erase(0, begin);
  d.body = std::move(bytes);
  co_return d;
}

io::Task<Result<std::optional<Document>>> ShardImpl::find(CollectionId collection, Bytes key) {
  if (!is_open()) HF_CO_CHECK_OK(co_await open());
  auto found = index_.lookup(hash_of(collection, key));
  Candidates candidates(found.begin(), found.end());
  for (IndexEntry e : candidates) {
    if (e.tombstone()) continue;
    HF_CO_TRY(document, co_await read_document(e.ordinal(), collection, key));
    if (!document) continue;
    if (e.ordinal() < file_end()) seen_.note(e.ordinal(), collection, key);
    co_return document;
  }
  co_return std::optional<Document>();
}

// ---- At a snapshot ----
//
// Records at or above `end` are newer than the snapshot. Each names the record of its id before it, so the way back from
// the newest leads to the one that the snapshot sees. Tombstones that a snapshot needs are not forgotten.

/// Nothing: the record is another id's.
io::Task<Result<std::optional<RecordHeader>>> ShardImpl::read_header(Ordinal o, CollectionId collection, Bytes key) {
  if (o >= file_end()) {
    RecordView r = view_record(tail_record(o).bytes);
    co_return is_of(r, collection, key) ? std::optional(r.header) : std::nullopt;
  }
  Extent at = extent(o);
  HF_CO_TRY(bytes, co_await read_file(at.begin, std::min(at.end, at.begin + kRecordHeaderBytes + kMaxRecordKey)));
  HF_CO_TRY(r, checked_head(o, at.begin, bytes));
  co_return is_of(r, collection, key) ? std::optional(r.header) : std::nullopt;
}

io::Task<Result<std::optional<Document>>> ShardImpl::find_at(CollectionId collection, Bytes key, Lsn snapshot) {
  constexpr int kStepsBetweenYields = 64;
  if (!is_open()) HF_CO_CHECK_OK(co_await open());
  Ordinal end = live_.bound(snapshot, next_ordinal());
  auto found = index_.lookup(hash_of(collection, key));
  Candidates candidates(found.begin(), found.end());
  for (IndexEntry e : candidates) {
    Ordinal o = e.ordinal();
    if (e.tombstone() && o < end) continue;
    bool newer = o >= end && !MUTANT("snapshot-finds-the-newest");
    for (int steps = 1; o != kNoOrdinal && o >= end && newer; ++steps) {
      HF_CO_TRY(header, co_await read_header(o, collection, key));
      if (!header) break;  // only the first may be another id's
      SOMETIMES(true, "snapshot-looks-behind-newer-versions");
      o = header->predecessor;
      if (steps % kStepsBetweenYields == 0) co_await io::yield();
    }
    if (o == kNoOrdinal) co_return std::optional<Document>();
    if (newer && o >= end) continue;
    HF_CO_TRY(document, co_await read_document(o, collection, key));
    if (document || newer) co_return document;
  }
  co_return std::optional<Document>();
}

io::Task<Result<bool>> ShardImpl::changed_since(CollectionId collection, Bytes key, Lsn snapshot) {
  if (!is_open()) HF_CO_CHECK_OK(co_await open());
  Ordinal end = live_.bound(snapshot, next_ordinal());
  auto found = index_.lookup(hash_of(collection, key));
  Candidates candidates(found.begin(), found.end());
  for (IndexEntry e : candidates) {
    if (e.ordinal() < end) break;  // newest first
    if (e.tombstone() && MUTANT("deletion-is-no-change")) continue;
    HF_CO_TRY(header, co_await read_header(e.ordinal(), collection, key));
    if (header) co_return true;
  }
  co_return false;
}

}  // namespace holdfast::core
