#include "core/index_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/base/assert.h"
#include "io/base/crc32c.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

constexpr uint64_t kMagic = magic("HFSIDX\n\n");
constexpr Versions kVersions{.oldest = 2, .newest = 2};
constexpr size_t kHeaderBytes = 160;
constexpr size_t kParts = 4;

std::unexpected<Error> bad(const char* what) { return fail(Code::kCorrupt, what); }

template <class T>
Result<std::vector<T>> decode_array(Bytes part, uint64_t count) {
  // `count` is from a checksummed header, and part.size() from the file itself: the two must agree before anything is
  // allocated.
  if (part.size() % sizeof(T) != 0 || part.size() / sizeof(T) != count) return bad("a section's length does not fit");
  std::vector<T> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = load_le<T>(part.data() + i * sizeof(T));
  return out;
}

Result<Bitmap> decode_runs(ByteReader& in, uint32_t runs, uint32_t ordinals) {
  Bitmap out;
  std::vector<uint32_t> single;
  uint64_t last_end = 0;
  for (uint32_t i = 0; i < runs; ++i) {
    uint64_t first = in.le<uint32_t>(), length = in.le<uint32_t>();
    if (!in.ok() || length == 0 || first + length > ordinals || (i > 0 && first <= last_end))
      return bad("a live set is malformed");
    last_end = first + length;
    if (length >= 64) {
      out.add_range(Ordinal(static_cast<uint32_t>(first)), Ordinal(static_cast<uint32_t>(last_end)));
      continue;
    }
    for (uint64_t o = first; o < last_end; ++o) single.push_back(static_cast<uint32_t>(o));
  }
  out.add_many(single);
  return out;
}

Result<std::vector<std::pair<CollectionId, Bitmap>>> decode_live(Bytes part, uint32_t ordinals) {
  std::vector<std::pair<CollectionId, Bitmap>> out;
  ByteReader in(part);
  while (!in.rest().empty()) {
    CollectionId id(in.le<uint32_t>());
    uint32_t runs = in.le<uint32_t>();
    if (!in.ok() || (!out.empty() && id <= out.back().first)) return bad("the live sets are malformed");
    HF_TRY(set, decode_runs(in, runs, ordinals));
    out.emplace_back(id, std::move(set));
  }
  return out;
}

Result<> check_contents(const LoadedIndex& x, int id_hash_bits) {
  const IndexRun& run = x.run;
  if (!std::is_sorted(run.hashes.begin(), run.hashes.end())) return bad("the hashes are out of order");
  if (id_hash_bits < 64 && !run.hashes.empty() && run.hashes.back() >> id_hash_bits != 0)
    return bad("the hashes are too wide");
  for (size_t i = 0; i < run.entries.size(); ++i) {
    if (run.entries[i].ordinal() >= x.covers.next_ordinal) return bad("an entry names a record that is not covered");
    if (i > 0 && run.hashes[i] == run.hashes[i - 1] && run.entries[i].ordinal() >= run.entries[i - 1].ordinal())
      return bad("entries of equal hashes are out of order");
  }
  uint64_t end = kBlockBytes;
  for (uint32_t offset : x.offsets) {
    if (offset * kRecordUnit < end) return bad("the offsets are out of order");
    end = offset * kRecordUnit + kRecordHeaderBytes;
  }
  if (!x.offsets.empty() && end > x.covers.db_length) return bad("an offset lies outside of the data file");
  return {};
}

}  // namespace

IndexEntry IndexImage::covered(IndexEntry e) const {
  while (!e.is_none() && e.ordinal() >= covers.next_ordinal) {
    size_t i = e.ordinal().value - covers.next_ordinal.value;
    HF_ASSERT(i < replaced.size(), "the image was taken with the run");
    e = replaced[i];
  }
  return e;
}

IndexEncoder::IndexEncoder(const ShardIdentity& identity, int id_hash_bits, IndexImage image)
    : identity_(identity),
      id_hash_bits_(id_hash_bits),
      image_(std::move(image)),
      out_(kHeaderBytes, '\0'),
      part_begin_(kHeaderBytes) {
  HF_ASSERT(image_.offsets.size() == image_.covers.next_ordinal.value, "one offset per covered record");
  out_.reserve(kHeaderBytes + image_.run->hashes.size() * 12 + image_.offsets.size() * 4 + 4096);
}

bool IndexEncoder::step(size_t units) {
  if (part_ == Part::kDone) return true;
  if (!part_step(units)) return false;
  end_part();
  return part_ == Part::kDone;
}

bool IndexEncoder::part_step(size_t units) {
  const IndexRun& run = *image_.run;
  switch (part_) {
    case Part::kHashes:
      for (; units > 0 && at_ < run.hashes.size(); --units, ++at_) {
        if (image_.covered(run.entries[at_]).is_none()) continue;
        append_le(out_, run.hashes[at_]);
        ++entries_;
      }
      return at_ == run.hashes.size();
    case Part::kEntries:
      for (; units > 0 && at_ < run.entries.size(); --units, ++at_) {
        IndexEntry e = image_.covered(run.entries[at_]);
        SOMETIMES(e != run.entries[at_], "index-file-leaves-out-the-tail");
        if (!e.is_none()) append_le(out_, e.raw());
      }
      return at_ == run.entries.size();
    case Part::kOffsets:
      for (; units > 0 && at_ < image_.offsets.size(); --units, ++at_) append_le(out_, image_.offsets[at_]);
      return at_ == image_.offsets.size();
    case Part::kLive:
      return live_step(units);
    case Part::kDone:
      break;
  }
  return true;
}

bool IndexEncoder::live_step(size_t units) {
  std::array<uint32_t, 256> some;
  for (; units > 0 && at_ < image_.live.size(); units -= std::min(units, some.size())) {
    const auto& [id, set] = image_.live[at_];
    if (runs_at_ == 0) {
      append_le(out_, id.value);
      runs_at_ = out_.size();
      append_le(out_, uint32_t{0});
      live_from_ = Ordinal();
      runs_ = 0;
    }
    size_t n = set.read(live_from_, some);
    for (size_t i = 0; i <= n; ++i) {
      if (i < n && open_run_ && open_run_->first + open_run_->second == some[i]) {
        ++open_run_->second;
        continue;
      }
      if (open_run_ && (i < n || n < some.size())) {
        append_le(out_, open_run_->first);
        append_le(out_, open_run_->second);
        open_run_.reset();
        ++runs_;
      }
      if (i < n) open_run_.emplace(some[i], 1);
    }
    if (n == some.size()) {
      live_from_ = Ordinal(some[n - 1] + 1);
      continue;
    }
    store_le(out_.data() + runs_at_, runs_);
    runs_at_ = 0;
    ++at_;
  }
  return at_ == image_.live.size();
}

void IndexEncoder::end_part() {
  auto i = static_cast<size_t>(part_);
  Bytes part = Bytes(out_).substr(part_begin_);
  lengths_[i] = part.size();
  crcs_[i] = crc32c(part);
  part_begin_ = out_.size();
  at_ = 0;
  part_ = static_cast<Part>(i + 1);
  if (part_ != Part::kDone) return;
  Buffer head(kSealBytes, '\0');
  append_le(head, identity_.cluster_id);
  append_le(head, identity_.database.value);
  append_le(head, identity_.generation.value);
  append_le(head, uint32_t{identity_.shard.value});
  append_le(head, static_cast<uint32_t>(id_hash_bits_));
  append_le(head, image_.covers.db_length);
  append_le(head, image_.covers.lsn.value);
  append_le(head, image_.covers.digest);
  append_le(head, uint64_t{image_.covers.next_ordinal.value});
  append_le(head, entries_);
  for (uint64_t length : lengths_) append_le(head, length);
  for (uint32_t crc : crcs_) append_le(head, crc);
  HF_ASSERT(head.size() <= kHeaderBytes, "the header has room for its fields");
  std::memcpy(out_.data(), head.data(), head.size());
  seal(MutableBytes(out_).first(kHeaderBytes), kMagic, kVersions.newest);
}

Result<LoadedIndex> decode_index(Bytes bytes, const ShardIdentity& identity, int id_hash_bits) {
  if (bytes.size() < kHeaderBytes) return bad("too short");
  if (!MUTANT("index-file-believed-unchecked"))
    HF_CHECK_OK(check_seal(bytes.substr(0, kHeaderBytes), kMagic, kVersions));
  ByteReader in(bytes.substr(kSealBytes));
  ShardIdentity found;
  found.cluster_id = in.le<uint64_t>();
  found.database = DatabaseId(in.le<uint32_t>());
  found.generation = Generation(in.le<uint32_t>());
  uint32_t shard = in.le<uint32_t>();
  found.shard = ShardId(static_cast<uint16_t>(shard));
  if (found != identity || shard > UINT16_MAX) return bad("belongs to another shard");
  if (in.le<uint32_t>() != static_cast<uint32_t>(id_hash_bits)) return bad("was made with another width of hashes");
  LoadedIndex x;
  x.covers.db_length = in.le<uint64_t>();
  x.covers.lsn = Lsn(in.le<uint64_t>());
  x.covers.digest = in.le<uint64_t>();
  uint64_t ordinals = in.le<uint64_t>();
  uint64_t entries = in.le<uint64_t>();
  if (ordinals > kMaxRecords) return bad("covers more records than there can be");
  x.covers.next_ordinal = Ordinal(static_cast<uint32_t>(ordinals));

  Bytes rest = bytes.substr(kHeaderBytes), parts[kParts];
  uint64_t lengths[kParts];
  for (uint64_t& length : lengths) length = in.le<uint64_t>();
  for (size_t i = 0; i < kParts; ++i) {
    if (lengths[i] > rest.size()) return bad("shorter than it says");
    parts[i] = rest.substr(0, lengths[i]);
    rest.remove_prefix(lengths[i]);
    if (in.le<uint32_t>() != crc32c(parts[i]) && !MUTANT("index-file-believed-unchecked"))
      return bad("a section's checksum does not fit");
  }
  if (!rest.empty()) return bad("longer than it says");
  HF_TRY(hashes, decode_array<uint64_t>(parts[0], entries));
  HF_TRY(raw, decode_array<uint32_t>(parts[1], entries));
  HF_TRY(offsets, decode_array<uint32_t>(parts[2], ordinals));
  HF_TRY(live, decode_live(parts[3], x.covers.next_ordinal.value));
  x.run.hashes = std::move(hashes);
  x.run.entries.reserve(raw.size());
  for (uint32_t r : raw) x.run.entries.push_back(IndexEntry::from_raw(r));
  x.offsets = std::move(offsets);
  x.live = std::move(live);
  HF_CHECK_OK(check_contents(x, id_hash_bits));
  return x;
}

}  // namespace holdfast::core
