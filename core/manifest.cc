// MANIFEST: its bytes (pure), and finding, writing and removing it.
#include "core/manifest.h"

#include <fmt/format.h>

#include <charconv>

#include "core/durable.h"
#include "core/record.h"
#include "core/sealed.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

constexpr uint64_t kMagic = magic("HFMANIF\n");
constexpr Versions kVersions{.oldest = 2, .newest = 3};
constexpr uint32_t kSinceSessions = 3;
constexpr uint64_t kMaxManifestBytes = uint64_t{512} << 20;
constexpr std::string_view kPrefix = "MANIFEST.";
/// A newer one that is not valid is renamed to this, so that it cannot come back once its place in the shards' files
/// has been written again.
constexpr std::string_view kAsidePrefix = "torn-MANIFEST.";

std::string manifest_path(const std::string& data_path, uint64_t number, std::string_view prefix = kPrefix) {
  return fmt::format("{}/{}{}", data_path, prefix, number);
}

std::optional<uint64_t> number_of(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  uint64_t n = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n);
  if (error != std::errc() || end != name.data() + name.size() || n == 0 || fmt::to_string(n) != name)
    return std::nullopt;
  return n;
}

std::unexpected<Error> bad(const char* what) { return fail(Code::kCorrupt, what); }

void append_name(Buffer& out, const std::string& name) {
  append_le(out, static_cast<uint16_t>(name.size()));
  out += name;
}

std::string take_name(ByteReader& in) { return std::string(in.take(in.le<uint16_t>())); }

Result<> decode_databases(ByteReader& in, uint32_t count, Manifest& m) {
  for (uint32_t i = 0; i < count; ++i) {
    ManifestDatabase d;
    d.id = DatabaseId(in.le<uint32_t>());
    d.name = take_name(in);
    if (!in.ok() || d.id == DatabaseId(0) || d.id >= m.next_database || d.name.empty() ||
        (!m.databases.empty() && d.id <= m.databases.back().id))
      return bad("its list of databases is malformed");
    m.databases.push_back(std::move(d));
  }
  return {};
}

bool has_database(const Manifest& m, DatabaseId id) {
  auto it = std::lower_bound(m.databases.begin(), m.databases.end(), id,
                             [](const ManifestDatabase& d, DatabaseId i) { return d.id < i; });
  return it != m.databases.end() && it->id == id;
}

Result<> decode_collections(ByteReader& in, uint32_t count, Manifest& m) {
  for (uint32_t i = 0; i < count; ++i) {
    ManifestCollection c;
    c.id = CollectionId(in.le<uint32_t>());
    c.database = DatabaseId(in.le<uint32_t>());
    c.documents = in.le<uint64_t>();
    c.name = take_name(in);
    if (!in.ok() || c.id == CollectionId(0) || c.id >= m.next_collection || c.name.empty() ||
        !has_database(m, c.database) || (!m.collections.empty() && c.id <= m.collections.back().id))
      return bad("its list of collections is malformed");
    m.collections.push_back(std::move(c));
  }
  return {};
}

Result<> decode_shards(ByteReader& in, uint32_t count, Manifest& m) {
  for (uint32_t i = 0; i < count; ++i) {
    ShardCheckpoint s;
    s.database = DatabaseId(in.le<uint32_t>());
    s.shard = ShardId(in.le<uint16_t>());
    s.generation = Generation(in.le<uint32_t>());
    s.db_length = in.le<uint64_t>();
    s.next_ordinal = Ordinal(in.le<uint32_t>());
    s.lsn = Lsn(in.le<uint64_t>());
    s.digest = in.le<uint64_t>();
    bool in_order =
        m.shards.empty() || std::pair(m.shards.back().database, m.shards.back().shard) < std::pair(s.database, s.shard);
    bool length_ok = s.db_length >= kBlockBytes && s.db_length <= kMaxShardFileBytes &&
                     (s.db_length % kBlockBytes == 0 || MUTANT("flush-shares-block"));
    if (!in.ok() || !in_order || !length_ok || !has_database(m, s.database) || s.next_ordinal.value > kMaxRecords)
      return bad("its list of shards is malformed");
    m.shards.push_back(s);
  }
  return {};
}

Result<> decode_quarantined(ByteReader& in, uint32_t count, Manifest& m) {
  auto place = [](const QuarantinedDocument& q) { return std::pair(q.touched.collection, q.touched.id_hash); };
  for (uint32_t i = 0; i < count; ++i) {
    QuarantinedDocument q;
    q.touched.database = DatabaseId(in.le<uint32_t>());
    q.touched.collection = CollectionId(in.le<uint32_t>());
    q.touched.shard = ShardId(in.le<uint16_t>());
    q.touched.id_hash = in.le<uint64_t>();
    q.lsn = Lsn(in.le<uint64_t>());
    if (!in.ok() || !has_database(m, q.touched.database) || (!m.quarantined.empty() && place(q) <= place(m.quarantined.back())))
      return bad("its list of damaged documents is malformed");
    m.quarantined.push_back(q);
  }
  return {};
}

Result<> decode_outcomes(ByteReader& in, uint32_t count, SessionState& s) {
  for (uint32_t i = 0; i < count; ++i) {
    auto number = in.le<uint64_t>();
    SessionOutcome o;
    o.lsn = Lsn(in.le<uint64_t>());
    auto flags = in.le<uint8_t>();
    if (flags & kAskedKnown) o.asked = in.le<uint64_t>();
    auto size = in.le<uint32_t>();
    o.kept = (flags & kResultKept) != 0;
    o.result = Buffer(in.take(size));
    bool in_order = number > (s.outcomes.empty() ? s.floor : s.outcomes.rbegin()->first);
    if (!in.ok() || !in_order || flags > (kResultKept | kAskedKnown) || size > kMaxOutcomeBytes) return bad("its list of sessions is malformed");
    s.outcomes.emplace_hint(s.outcomes.end(), number, std::move(o));
  }
  return {};
}

Result<> decode_sessions(ByteReader& in, uint32_t count, Manifest& m) {
  for (uint32_t i = 0; i < count; ++i) {
    SessionState s;
    s.id = in.le<uint64_t>();
    s.used_ns = static_cast<int64_t>(in.le<uint64_t>());
    s.floor = in.le<uint64_t>();
    auto damaged = in.le<uint8_t>();
    s.damaged = damaged == 1;
    auto outcomes = in.le<uint32_t>();
    if (!in.ok() || damaged > 1 || outcomes > kMaxSessionBytes / kOutcomeOverhead || (!m.sessions.empty() && s.id <= m.sessions.back().id))
      return bad("its list of sessions is malformed");
    HF_CHECK_OK(decode_outcomes(in, outcomes, s));
    m.sessions.push_back(std::move(s));
  }
  return {};
}

Result<> decode_indexes(ByteReader& in, uint32_t count, Manifest& m) {
  for (uint32_t i = 0; i < count; ++i) {
    ManifestIndex index;
    index.collection = CollectionId(in.le<uint32_t>());
    index.spec = take_index(in);
    auto place = [](const ManifestIndex& x) { return std::pair(x.collection, x.spec.name()); };
    bool known = std::ranges::binary_search(m.collections, index.collection, {}, &ManifestCollection::id);
    if (!in.ok() || !known || (!m.indexes.empty() && place(index) <= place(m.indexes.back()))) return bad("its list of indexes is malformed");
    m.indexes.push_back(std::move(index));
  }
  return {};
}

void append_session(Buffer& out, const SessionState& s) {
  append_le(out, s.id);
  append_le(out, static_cast<uint64_t>(s.used_ns));
  append_le(out, s.floor);
  out.push_back(s.damaged ? 1 : 0);
  append_le(out, static_cast<uint32_t>(s.outcomes.size()));
  for (const auto& [number, o] : s.outcomes) {
    append_le(out, number);
    append_le(out, o.lsn.value);
    append_le(out, flags_of(o.kept, o.asked));
    if (o.asked != 0) append_le(out, o.asked);
    append_le(out, static_cast<uint32_t>(o.result.size()));
    out += o.result;
  }
}

}  // namespace

Buffer encode_manifest(const Manifest& m, uint64_t cluster_id, uint64_t server_id) {
  Buffer out(kSealBytes + 8, '\0');
  append_le(out, cluster_id);
  append_le(out, server_id);
  append_le(out, m.number);
  append_le(out, m.position.lsn.value);
  append_le(out, m.position.chain.low);
  append_le(out, m.position.chain.high);
  append_le(out, m.position.segment.value);
  append_le(out, m.position.offset);
  append_le(out, m.next_database.value);
  append_le(out, m.next_collection.value);
  append_le(out, static_cast<uint32_t>(m.databases.size()));
  append_le(out, static_cast<uint32_t>(m.collections.size()));
  append_le(out, static_cast<uint32_t>(m.shards.size()));
  append_le(out, static_cast<uint32_t>(m.quarantined.size()));
  for (const ManifestDatabase& d : m.databases) {
    append_le(out, d.id.value);
    append_name(out, d.name);
  }
  for (const ManifestCollection& c : m.collections) {
    append_le(out, c.id.value);
    append_le(out, c.database.value);
    append_le(out, c.documents);
    append_name(out, c.name);
  }
  for (const ShardCheckpoint& s : m.shards) {
    append_le(out, s.database.value);
    append_le(out, s.shard.value);
    append_le(out, s.generation.value);
    append_le(out, s.db_length);
    append_le(out, s.next_ordinal.value);
    append_le(out, s.lsn.value);
    append_le(out, s.digest);
  }
  for (const QuarantinedDocument& q : m.quarantined) {
    append_le(out, q.touched.database.value);
    append_le(out, q.touched.collection.value);
    append_le(out, q.touched.shard.value);
    append_le(out, q.touched.id_hash);
    append_le(out, q.lsn.value);
  }
  append_le(out, static_cast<uint32_t>(m.indexes.size()));
  for (const ManifestIndex& i : m.indexes) {
    append_le(out, i.collection.value);
    append_index(out, i.spec);
  }
  append_le(out, static_cast<uint32_t>(m.sessions.size()));
  for (const SessionState& s : m.sessions) append_session(out, s);
  store_le(out.data() + kSealBytes, uint64_t{out.size()});
  seal(out, kMagic, kVersions.newest);
  return out;
}

Result<Manifest> decode_manifest(Bytes bytes, uint64_t cluster_id, uint64_t server_id) {
  HF_CHECK_OK(check_seal(bytes, kMagic, kVersions));
  ByteReader in(bytes.substr(kSealBytes));
  if (in.le<uint64_t>() != bytes.size()) return bad("its length is not what it says");
  bool ours = in.le<uint64_t>() == cluster_id;
  ours = in.le<uint64_t>() == server_id && ours;
  if (!ours && !MUTANT("manifest-of-another-cluster-accepted"))
    return bad("it belongs to another cluster or server than HOLDFAST says");
  Manifest m;
  m.number = in.le<uint64_t>();
  m.position.lsn = Lsn(in.le<uint64_t>());
  m.position.chain.low = in.le<uint64_t>();
  m.position.chain.high = in.le<uint64_t>();
  m.position.segment = SegmentSeq(in.le<uint64_t>());
  m.position.offset = in.le<uint64_t>();
  m.next_database = DatabaseId(in.le<uint32_t>());
  m.next_collection = CollectionId(in.le<uint32_t>());
  uint32_t databases = in.le<uint32_t>(), collections = in.le<uint32_t>(), shards = in.le<uint32_t>(), quarantined = in.le<uint32_t>();
  HF_CHECK_OK(decode_databases(in, databases, m));
  HF_CHECK_OK(decode_collections(in, collections, m));
  HF_CHECK_OK(decode_shards(in, shards, m));
  HF_CHECK_OK(decode_quarantined(in, quarantined, m));
  if (sealed_version(bytes) >= kSinceSessions) {
    auto indexes = in.le<uint32_t>();
    HF_CHECK_OK(decode_indexes(in, indexes, m));
    auto sessions = in.le<uint32_t>();
    HF_CHECK_OK(decode_sessions(in, sessions, m));
  }
  if (!in.ok() || !in.rest().empty()) return bad("its lists do not fill it");
  return m;
}

namespace {

struct Listed {
  std::vector<uint64_t> numbers;  // ascending
  std::vector<uint64_t> aside;
  std::vector<std::string> directories;
};

io::Task<Result<Listed>> list_manifests(io::Disk& disk, std::string data_path) {
  HF_CO_TRY(entries, co_await disk.list(data_path));
  Listed out;
  for (const io::DirEntry& e : entries) {
    if (e.is_directory) {
      out.directories.push_back(e.name);
      continue;
    }
    if (auto n = number_of(e.name, kPrefix)) out.numbers.push_back(*n);
    if (auto n = number_of(e.name, kAsidePrefix)) out.aside.push_back(*n);
  }
  std::sort(out.numbers.begin(), out.numbers.end());
  co_return out;
}

io::Task<Result<Manifest>> read_manifest(io::Disk& disk, std::string path, uint64_t number, uint64_t cluster_id,
                                         uint64_t server_id) {
  HF_CO_TRY(bytes, co_await io::read_whole(disk, path, kMaxManifestBytes));
  HF_CO_TRY(m, decode_manifest(bytes, cluster_id, server_id));
  if (m.number != number) co_return bad("it has another number than its name");
  co_return m;
}

/// What was read may be in the page cache alone.
io::Task<Result<>> sync_found(io::Disk& disk, std::string path) {
  HF_CO_TRY(file, co_await disk.open(path, io::Open::kReadWrite));
  co_return co_await sync_file(*file, path);
}

io::Task<Result<>> set_aside(io::Disk& disk, std::string data_path, uint64_t number) {
  std::string to = manifest_path(data_path, number, kAsidePrefix);
  Result<> removed = co_await disk.remove(to);
  if (!removed && removed.error().code != Code::kNotFound) co_return removed;
  co_return co_await disk.rename(manifest_path(data_path, number), to);
}

}  // namespace

io::Task<Result<FoundManifests>> find_manifests(io::Host& host, std::string data_path, uint64_t cluster_id,
                                                uint64_t server_id) {
  HF_CO_TRY(listed, co_await list_manifests(host.disk, data_path));
  FoundManifests found;
  found.directories = std::move(listed.directories);
  for (uint64_t n : listed.aside) found.highest_number = std::max(found.highest_number, n);
  if (!listed.numbers.empty()) found.highest_number = std::max(found.highest_number, listed.numbers.back());
  std::vector<uint64_t> bad_and_newer;
  for (size_t i = listed.numbers.size(); i-- > 0 && found.valid.size() < 2;) {
    uint64_t n = listed.numbers[i];
    std::string path = manifest_path(data_path, n);
    Result<Manifest> m = co_await read_manifest(host.disk, path, n, cluster_id, server_id);
    if (m) {
      if (!MUTANT("manifest-believed-unsynced")) HF_CO_CHECK_OK(co_await sync_found(host.disk, path));
      found.valid.push_back(std::move(*m));
      continue;
    }
    // A newer format is not damage, and neither is a read that failed: it may succeed the next time.
    if (m.error().code == Code::kUnsupported || m.error().code == Code::kIo) co_return fail(m.error().code, path + ": " + m.error().message);
    found.notes.push_back(fmt::format("{} is not valid ({}) and is left out of account", path, m.error().message));
    if (found.valid.empty()) bad_and_newer.push_back(n);
  }
  if (found.valid.empty()) co_return found;
  SOMETIMES(!bad_and_newer.empty(), "manifest-fallback");
  for (uint64_t n : bad_and_newer) HF_CO_CHECK_OK(co_await set_aside(host.disk, data_path, n));
  HF_CO_CHECK_OK(co_await sync_names(host.disk, data_path));
  co_return found;
}

io::Task<Result<std::vector<InspectedManifest>>> inspect_manifests(io::Host& host, std::string data_path, uint64_t cluster_id, uint64_t server_id) {
  HF_CO_TRY(listed, co_await list_manifests(host.disk, data_path));
  std::vector<InspectedManifest> out;
  for (size_t i = listed.numbers.size(); i-- > 0;) {
    std::string path = manifest_path(data_path, listed.numbers[i]);
    Result<Manifest> m = co_await read_manifest(host.disk, path, listed.numbers[i], cluster_id, server_id);
    out.push_back({std::move(path), std::move(m)});
  }
  co_return out;
}

io::Task<Result<>> write_manifest(io::Host& host, std::string data_path, const Manifest& manifest, uint64_t cluster_id,
                                  uint64_t server_id) {
  std::string path = manifest_path(data_path, manifest.number);
  Buffer bytes = encode_manifest(manifest, cluster_id, server_id);
  if (bytes.size() > kMaxManifestBytes)
    co_return fail(Code::kTooLarge, path + " would be larger than any MANIFEST may be");
  HF_CO_TRY(file, co_await host.disk.open(path, io::Open::kCreate));
  Result<> written = co_await io::write_fully(*file, 0, bytes);
  if (!written) {
    (void)co_await host.disk.remove(path);
    co_return written;
  }
  if (!MUTANT("manifest-not-synced")) HF_CO_CHECK_OK(co_await sync_file(*file, path));
  if (!MUTANT("manifest-directory-not-synced")) HF_CO_CHECK_OK(co_await sync_names(host.disk, data_path));
  co_return Result<>();
}

io::Task<void> remove_old_manifests(io::Host& host, std::string data_path, uint64_t keep_a, uint64_t keep_b) {
  Result<Listed> listed = co_await list_manifests(host.disk, data_path);
  if (!listed) {
    host.log.log(io::Level::kWarning, "old MANIFESTs stay: " + listed.error().text());
    co_return;
  }
  std::vector<std::string> old;
  for (uint64_t n : listed->numbers)
    if (n != keep_a && n != keep_b) old.push_back(manifest_path(data_path, n));
  for (uint64_t n : listed->aside)
    if (n < keep_a && n < keep_b) old.push_back(manifest_path(data_path, n, kAsidePrefix));
  for (const std::string& path : old) {
    Result<> removed = co_await host.disk.remove(path);
    if (!removed) host.log.log(io::Level::kWarning, path + " stays: " + removed.error().text());
  }
}

}  // namespace holdfast::core
