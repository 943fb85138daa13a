// The data directory's own files: HOLDFAST (what this directory is), LOCK, and MANIFEST.<n> (checkpoints).
//
// A checkpoint is one MANIFEST, written whole under a new number, synced, and its directory synced. The newest valid
// one counts; the one before it is kept, and the journal reaches back to it, so that one damaged MANIFEST loses
// nothing.
#pragma once

#include <string>
#include <vector>

#include "core/index_spec.h"
#include "core/journal.h"
#include "core/session_table.h"
#include "core/shard.h"
#include "io/host.h"

namespace holdfast::core {

struct DirectorySettings {
  uint64_t cluster_id = 0;
  uint64_t server_id = 0;
  uint16_t shard_count = 256;
  SyncMode mode = SyncMode::kSync;
  io::FileIdentity identity;  ///< of the data directory when it was made: a copy differs
  bool initialized = false;   ///< the first start is over: from then on everything must be there
  bool operator==(const DirectorySettings&) const = default;
};

/// HOLDFAST: two slots, each in a block of its own, with a serial number and a checksum; the valid slot with the larger
/// number counts. Changing it writes one slot, syncs, writes the other under the next number, and syncs: at any instant
/// one of them is whole and durable, and afterwards neither says what was before. It is made as HOLDFAST.new, synced, renamed, and its directory synced,
/// so that a crash while it is made leaves either none or a whole one; a HOLDFAST.new that is found is removed.
io::Task<Result<DirectorySettings>> create_settings(io::Host& host, std::string data_path, DirectorySettings settings);
/// kNotFound when there is no HOLDFAST; kUnsupported when it is of a newer format; kCorrupt when no slot is valid.
/// Durable: what it returns, once the directory is initialized. (It writes a slot again: what a dead process left may be in the page cache alone.)
io::Task<Result<DirectorySettings>> load_settings(io::Host& host, std::string data_path);
/// For a directory that is not initialized: makes HOLDFAST anew, under a name that is surely new. It may be that syncing the directory failed when the file
/// was made: then its name is in the page cache alone, and syncing again does nothing. Requires: nothing is left that depends on it.
io::Task<Result<DirectorySettings>> remake_settings(io::Host& host, std::string data_path, DirectorySettings settings);
io::Task<Result<>> change_settings(io::Host& host, std::string data_path, DirectorySettings settings);

struct ManifestCollection {
  CollectionId id;
  DatabaseId database;
  std::string name;
  uint64_t documents = 0;  ///< live at `position.lsn`
  bool operator==(const ManifestCollection&) const = default;
};

struct ManifestDatabase {
  DatabaseId id;
  std::string name;
  bool operator==(const ManifestDatabase&) const = default;
};

/// A document whose newest version, of that LSN, was durable and cannot be read any more (quarantine.h).
struct QuarantinedDocument {
  Touched touched;
  Lsn lsn;
  bool operator==(const QuarantinedDocument&) const = default;
};

struct ManifestIndex {
  CollectionId collection;
  IndexSpec spec;
  bool operator==(const ManifestIndex&) const = default;
};

struct Manifest {
  uint64_t number = 0;
  JournalPosition position;  ///< replay starts here; every effect through position.lsn is in the files below
  DatabaseId next_database{1};
  CollectionId next_collection{1};
  std::vector<ManifestDatabase> databases;      ///< by id
  std::vector<ManifestCollection> collections;  ///< by id
  std::vector<ShardCheckpoint> shards;          ///< by (database, shard); only shards that have a file
  std::vector<QuarantinedDocument> quarantined;  ///< by (collection, id hash)
  std::vector<ManifestIndex> indexes;            ///< declared ones, by (collection, name)
  std::vector<SessionState> sessions;            ///< by id; as at position.lsn
  bool operator==(const Manifest&) const = default;
};

Buffer encode_manifest(const Manifest& manifest, uint64_t cluster_id, uint64_t server_id);
/// kCorrupt for anything but the bytes of a whole MANIFEST of that cluster and server.
Result<Manifest> decode_manifest(Bytes bytes, uint64_t cluster_id, uint64_t server_id);

/// The MANIFESTs found, newest first, at most two valid ones; and one note per file that was not valid. Those that are
/// not valid and newer than a valid one are renamed to torn-MANIFEST.<n>: a later look must not find them whole after
/// all, when what they describe has been written over. Durable: what it returns. Errors: kUnsupported (a newer
/// program's), kIo. No valid one is no error here; with highest_number > 0 it is damage.
struct FoundManifests {
  std::vector<Manifest> valid;
  std::vector<std::string> notes;
  uint64_t highest_number = 0;  ///< of any MANIFEST file, valid or not: the next one is larger
  std::vector<std::string> directories;  ///< those beside them
};
io::Task<Result<FoundManifests>> find_manifests(io::Host& host, std::string data_path, uint64_t cluster_id,
                                                uint64_t server_id);

/// For those who only look: every MANIFEST, newest first, or why it is none. Nothing is changed or synced.
struct InspectedManifest {
  std::string path;
  Result<Manifest> manifest;
};
io::Task<Result<std::vector<InspectedManifest>>> inspect_manifests(io::Host& host, std::string data_path, uint64_t cluster_id, uint64_t server_id);

/// Writes MANIFEST.<number>, syncs it and the directory. Durable when this returns. The number must be new.
/// Errors: kDiskFull (nothing happened; take the next number when there is room), kIo and others: fatal.
io::Task<Result<>> write_manifest(io::Host& host, std::string data_path, const Manifest& manifest, uint64_t cluster_id,
                                  uint64_t server_id);
/// Removes every MANIFEST file but the two given numbers, and older ones that were set aside; failing to is only a
/// note.
io::Task<void> remove_old_manifests(io::Host& host, std::string data_path, uint64_t keep_a, uint64_t keep_b);

}  // namespace holdfast::core
