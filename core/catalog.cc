#include "core/catalog.h"

#include <algorithm>

#include "io/base/probe.h"

namespace holdfast::core {

namespace {

/// Of a collection: places in two maps, and the name twice.
uint64_t bytes_of(std::string_view name) { return 160 + 2 * name.size(); }

}  // namespace

Buffer encode(const CatalogChange& change) {
  Buffer out;
  out.push_back(static_cast<char>(change.kind));
  append_le<uint32_t>(out, change.database.value);
  append_le<uint32_t>(out, change.collection.value);
  append_le<uint16_t>(out, static_cast<uint16_t>(change.name.size()));
  out += change.name;
  if (change.kind == CatalogChange::Kind::kCreateIndex) append_index(out, change.index);
  return out;
}

Result<CatalogChange> decode_catalog_change(Bytes body) {
  ByteReader in(body);
  CatalogChange change;
  auto kind = in.le<uint8_t>();
  change.kind = static_cast<CatalogChange::Kind>(kind);
  change.database = DatabaseId(in.le<uint32_t>());
  change.collection = CollectionId(in.le<uint32_t>());
  change.name = in.take(in.le<uint16_t>());
  if (change.kind == CatalogChange::Kind::kCreateIndex) change.index = take_index(in);
  if (!in.ok() || !in.rest().empty() || kind < 1 || kind > 5)
    return fail(Code::kCorrupt, "a catalog change in the journal is malformed");
  return change;
}

Catalog::Catalog(const Manifest& manifest) {
  for (const ManifestDatabase& d : manifest.databases) {
    databases_[d.name].id = d.id;
    database_names_[d.id] = d.name;
  }
  for (const ManifestCollection& c : manifest.collections) {
    collections_[c.id] = {c.database, c.name};
    databases_[database_name(c.database)].collections[c.name] = c.id;
    bytes_ += bytes_of(c.name);
  }
  for (const ManifestIndex& i : manifest.indexes) collections_.at(i.collection).indexes[i.spec.name()] = i.spec;
  next_database_ = manifest.next_database;
  next_collection_ = manifest.next_collection;
}

Result<> Catalog::apply(const CatalogChange& change) {
  auto contradiction = [&](std::string_view what) {
    return fail(Code::kCorrupt, "the journal changes the catalog in a way that does not fit: " + std::string(what) + " " + change.name);
  };
  switch (change.kind) {
    case CatalogChange::Kind::kCreateDatabase:
      if (databases_.contains(change.name) || change.database < next_database_) return contradiction("creates again the database");
      databases_[change.name].id = change.database;
      database_names_[change.database] = change.name;
      next_database_ = change.database.next();
      return {};
    case CatalogChange::Kind::kCreateCollection: {
      auto name = database_names_.find(change.database);
      if (name == database_names_.end()) return contradiction("creates, in a database that is not there, the collection");
      DatabaseInfo& database = databases_[name->second];
      if (database.collections.contains(change.name) || change.collection < next_collection_)
        return contradiction("creates again the collection");
      database.collections[change.name] = change.collection;
      CollectionInfo made{change.database, change.name};
      if (MUTANT("indexes-survive-their-collection")) made.indexes = collections_[change.collection].indexes;
      collections_[change.collection] = std::move(made);
      next_collection_ = change.collection.next();
      bytes_ += bytes_of(change.name);
      return {};
    }
    case CatalogChange::Kind::kDropCollection: {
      auto c = collections_.find(change.collection);
      if (c == collections_.end()) return contradiction("drops a collection that is not there");
      databases_[database_name(c->second.database)].collections.erase(c->second.name);
      bytes_ -= bytes_of(c->second.name);
      if (MUTANT("collection-id-reused")) next_collection_ = c->first;
      if (MUTANT("indexes-survive-their-collection")) collections_[next_collection_] = c->second;
      collections_.erase(c);
      return {};
    }
    case CatalogChange::Kind::kCreateIndex: {
      auto c = collections_.find(change.collection);
      if (c == collections_.end() || !c->second.indexes.try_emplace(change.index.name(), change.index).second) return contradiction("creates the index");
      return {};
    }
    case CatalogChange::Kind::kDropIndex: {
      auto c = collections_.find(change.collection);
      if (c == collections_.end() || c->second.indexes.erase(change.name) == 0) return contradiction("drops the index");
      return {};
    }
  }
  return contradiction("in no known way");
}

const DatabaseInfo* Catalog::database(std::string_view name) const {
  auto d = databases_.find(name);
  return d == databases_.end() ? nullptr : &d->second;
}

std::optional<CollectionRef> Catalog::collection(std::string_view database_name, std::string_view name) const {
  const DatabaseInfo* d = database(database_name);
  if (!d) return std::nullopt;
  auto c = d->collections.find(name);
  if (c == d->collections.end()) return std::nullopt;
  return CollectionRef{d->id, c->second};
}

const std::string& Catalog::database_name(DatabaseId id) const {
  auto d = database_names_.find(id);
  HF_ASSERT(d != database_names_.end(), "databases are never dropped, and ids come from this catalog");
  return d->second;
}

std::vector<std::string> Catalog::database_names() const {
  std::vector<std::string> names;
  for (const auto& [id, name] : database_names_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Catalog::collection_names(std::string_view database_name) const {
  std::vector<std::string> names;
  if (const DatabaseInfo* d = database(database_name))
    for (const auto& [name, id] : d->collections) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<ManifestDatabase> Catalog::databases() const {
  std::vector<ManifestDatabase> out;
  for (const auto& [id, name] : database_names_) out.push_back({id, name});
  return out;
}

std::vector<ManifestIndex> Catalog::indexes() const {
  std::vector<ManifestIndex> out;
  for (const auto& [id, c] : collections_)
    for (const auto& [name, spec] : c.indexes) out.push_back({id, spec});
  return out;
}

std::vector<ManifestCollection> Catalog::collections() const {
  std::vector<ManifestCollection> out;
  for (const auto& [id, c] : collections_) out.push_back({id, c.database, c.name, 0});
  return out;
}

}  // namespace holdfast::core
