// Entries and effects: what one request or transaction changes, as it stands in the journal.
//
// An entry is the unit of atomicity: all its effects happen at its LSN, or none. Effects are whole document versions, never
// commands, so that applying them needs no evaluation and cannot fail. The bytes are specified in FORMAT.md.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "io/base/bytes.h"
#include "io/base/error.h"
#include "io/base/ids.h"

namespace holdfast::core {

enum class EffectKind : uint8_t {
  kPut = 1,      ///< this document version is the newest of its id
  kDelete = 2,   ///< the id has no document any more
  kCatalog = 3,  ///< a change to the catalog (catalog.h); `body` holds it, the other fields name what it concerns
  kSession = 4,  ///< a change to a session (session_table.h); `body` holds it, `shard` says on which core it is kept
};

/// One effect. All views borrow from the entry.
struct Effect {
  EffectKind kind = EffectKind::kPut;
  DatabaseId database;
  ShardId shard;
  CollectionId collection;
  Bytes key;   ///< canonical id key (id_key.h)
  Bytes body;  ///< kPut: the document
};

inline bool is_of_document(const Effect& effect) { return effect.kind == EffectKind::kPut || effect.kind == EffectKind::kDelete; }

/// What an entry touches, kept under the entry's header checksum so that a damaged body condemns these alone.
struct Touched {
  DatabaseId database;
  CollectionId collection;
  ShardId shard;
  uint64_t id_hash = 0;  ///< id_hash() of the document; 0 for catalog changes; of sessions the session, and no collection
  auto operator<=>(const Touched&) const = default;
};

/// The hash that names a document in headers and messages: XXH3-64 of the key, seeded by the collection. Anyone can compute it.
uint64_t id_hash(CollectionId collection, Bytes key);

/// The hash by which tables and index files find documents: seeded with the cluster's id, which clients are not told, so that
/// nobody can choose ids that collide.
class IdHasher {
 public:
  explicit IdHasher(uint64_t cluster_id) : seed_(cluster_id) {}
  uint64_t operator()(CollectionId collection, Bytes key) const;

 private:
  uint64_t seed_;
};

/// One entry. Whoever makes it fills `effects` and `touched` through add(); the journal sets `lsn` and `term` once, when it takes the entry.
/// After that it never changes, and may be read from any core.
struct Entry {
  Lsn lsn;
  Term term;
  std::vector<Touched> touched;
  Buffer effects;

  void add(const Effect& effect);
  /// Bytes that the entry takes in the journal, headers included.
  size_t encoded_size() const;
};
using EntryRef = std::shared_ptr<const Entry>;

/// Reads an entry's effects in order.
class EffectReader {
 public:
  explicit EffectReader(Bytes effects) : in_(effects) {}
  /// The next effect; nothing at the end, or on malformed bytes, when ok() turns false.
  std::optional<Effect> next();
  bool ok() const { return in_.ok(); }

 private:
  ByteReader in_;
};

/// The largest `effects` that an entry may have; larger requests are refused with kTooLarge before anything changes.
inline constexpr size_t kMaxEntryEffects = size_t{64} << 20;
/// What an effect takes in an entry besides its key and body, at most.
inline constexpr size_t kEffectOverhead = 64;

}  // namespace holdfast::core
