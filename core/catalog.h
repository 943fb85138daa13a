// Catalog: which databases and collections there are, under which names and ids.
//
// Place in the system: pure state, changed only by applying committed catalog effects in LSN order; every engine core keeps a copy of its own, so that
// names resolve without asking anyone. Ids are never reused: a collection dropped and made again is another one.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/manifest.h"

namespace holdfast::core {

struct CatalogChange {
  enum class Kind : uint8_t { kCreateDatabase = 1, kCreateCollection = 2, kDropCollection = 3, kCreateIndex = 4, kDropIndex = 5 };
  Kind kind = Kind::kCreateDatabase;
  DatabaseId database;
  CollectionId collection;  ///< not for kCreateDatabase
  std::string name = {};    ///< of what is created; of the index that is dropped
  IndexSpec index = {};     ///< kCreateIndex
  bool operator==(const CatalogChange&) const = default;
};

/// As the body of a kCatalog effect; byte map in FORMAT.md.
Buffer encode(const CatalogChange& change);
Result<CatalogChange> decode_catalog_change(Bytes body);

/// Looks names up without copying them.
struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view name) const { return static_cast<size_t>(xxh3_64(name)); }
};

/// A collection as a request needs it.
struct CollectionRef {
  DatabaseId database;
  CollectionId collection;
  bool operator==(const CollectionRef&) const = default;
};

template <class T>
using ByName = absl::flat_hash_map<std::string, T, NameHash, std::equal_to<>>;

struct DatabaseInfo {
  DatabaseId id;
  ByName<CollectionId> collections;
};

class Catalog {
 public:
  Catalog() = default;
  /// The state that a MANIFEST holds.
  explicit Catalog(const Manifest& manifest);

  /// Errors: kCorrupt when the change does not fit the state: the log and the MANIFEST contradict each other.
  Result<> apply(const CatalogChange& change);

  /// Null when there is none.
  const DatabaseInfo* database(std::string_view name) const;
  std::optional<CollectionRef> collection(std::string_view database, std::string_view name) const;
  /// Whether that collection was made and not dropped.
  /// Those declared, by name. Requires has().
  const std::map<std::string, IndexSpec>& indexes(CollectionId collection) const { return collections_.at(collection).indexes; }
  /// Of all collections, by id, then name.
  std::vector<ManifestIndex> indexes() const;
  bool has(CollectionId collection) const { return collections_.contains(collection); }
  const std::string& database_name(DatabaseId id) const;

  std::vector<std::string> database_names() const;                                 ///< sorted
  std::vector<std::string> collection_names(std::string_view database) const;      ///< sorted
  std::vector<ManifestDatabase> databases() const;                                 ///< by id
  std::vector<ManifestCollection> collections() const;                             ///< by id; `documents` is 0
  size_t database_count() const { return database_names_.size(); }
  size_t collection_count() const { return collections_.size(); }
  /// What a copy takes in memory, about.
  uint64_t bytes() const { return bytes_; }

  DatabaseId next_database() const { return next_database_; }
  CollectionId next_collection() const { return next_collection_; }

 private:
  struct CollectionInfo {
    DatabaseId database;
    std::string name;
    std::map<std::string, IndexSpec> indexes = {};
  };
  ByName<DatabaseInfo> databases_;
  std::map<DatabaseId, std::string> database_names_;
  std::map<CollectionId, CollectionInfo> collections_;
  uint64_t bytes_ = 0;
  DatabaseId next_database_{1};
  CollectionId next_collection_{1};
};

}  // namespace holdfast::core
