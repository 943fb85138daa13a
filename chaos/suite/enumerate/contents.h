// Contents: all that a database shows to whoever asks, small enough to be compared whole.
//
// Every document tells which write made it: { _id: key, v: value, n: updates so far, p: text that follows from v }. A
// document whose text does not follow from its value is half of two writes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/engine.h"

namespace holdfast::chaos {

struct StoredDocument {
  uint64_t value = 0;
  uint64_t updates = 0;
  auto operator<=>(const StoredDocument&) const = default;
};
/// By key. The declared indexes are among them, under keys that no document has.
using StoredCollection = std::map<std::string, StoredDocument>;

struct Contents {
  std::map<std::string, std::map<std::string, StoredCollection>> databases;
  bool operator==(const Contents&) const = default;

  StoredCollection* find(const std::string& database, const std::string& collection);
  /// Puts the collection there, and the database when it is missing.
  StoredCollection& create(const std::string& database, const std::string& collection);
  /// For people: "shop{a: k1=3, k2=4} ...".
  std::string text() const;
};

/// The document of a script's write; its text has `value` % 10,000 bytes.
Buffer script_document(std::string_view key, uint64_t value);
/// Sets the value, and the text that follows from it, and counts.
Buffer script_update(uint64_t value);
/// `{_id: key}`, and the MessagePack of the key alone.
Buffer script_filter(std::string_view key);
/// Any of them.
Buffer script_filter(const std::vector<std::string>& keys);
Buffer script_id(std::string_view key);
/// As what a declared index stands among the documents.
std::string index_key(const core::IndexSpec& index);
uint64_t index_value(const core::IndexSpec& index);

/// What somebody finds who reads everything, each thing in more than one way.
struct Observed {
  Contents contents;
  Lsn lsn;
  core::SyncMode mode = core::SyncMode::kSync;
};
/// `keys`: looked up by id, whether they are found by a scan or not.
/// Errors: of the engine; kCorrupt when two ways of reading disagree, or a document is not what any write made.
io::Task<Result<Observed>> observe(core::Engine& engine, const std::vector<std::string>& keys);

}  // namespace holdfast::chaos
