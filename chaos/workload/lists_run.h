// What the sources of Lists have in common: where documents are, and what they look like.
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <set>

#include "chaos/workload/lists.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {

struct Lists::Tx : OpenTransaction {
  AppendHistory::TransactionId id = 0;
  uint64_t epoch = 0;
  bool validated = false;
  bool only_reads = false;
  std::map<Key, List> known;  ///< as it sees them
  std::set<Key> deleted;      ///< and not inserted again
  bool appended = false;
  bool broken = false;  ///< something of it is not known: it must not commit
  bool over = false;
  bool at_once = false;  ///< several requests of it are under way
};

namespace lists {

using msgpack::Writer;

struct Place {
  const char* database;
  const char* collection;
};
inline constexpr Place kPlaces[] = {{"left", "a"}, {"left", "b"}, {"right", "a"},  {"left", "c"}, {"right", "c"},
                                    {"left", "d"}, {"left", "e"}, {"middle", "a"}, {"left", "f"}};
inline constexpr uint64_t kPlaceCount = std::size(kPlaces);
inline constexpr uint64_t kKeysPerPlace = 1000;

/// A key says where it is.
inline uint64_t number_of_place(uint64_t key) { return key / kKeysPerPlace; }
inline const Place& place_of(uint64_t key) { return kPlaces[number_of_place(key)]; }
inline std::string key_name(uint64_t key) { return fmt::format("k{}", key % kKeysPerPlace); }
inline std::string full_name(uint64_t key) {
  return fmt::format("{}.{}/{}", place_of(key).database, place_of(key).collection, key_name(key));
}

inline client::Collection at(client::Client& c, uint64_t key) {
  return c.collection(place_of(key).collection, place_of(key).database);
}
inline client::Collection at(const client::Transaction& t, uint64_t key) {
  return t.collection(place_of(key).collection, place_of(key).database);
}

/// {_id: key}, or what amounts to the same but is looked for otherwise.
inline Buffer by_id(uint64_t key) {
  Buffer out;
  Writer(out).map(1).string("_id").string(key_name(key));
  return out;
}
inline Buffer one_of(uint64_t key) {
  Buffer out;
  Writer(out).map(1).string("_id").map(1).string("$in").array(1).string(key_name(key));
  return out;
}
inline Buffer with_value(uint64_t value) {
  Buffer out;
  Writer(out).map(1).string("l").uint(value);
  return out;
}
inline Buffer push(uint64_t value) {
  Buffer out;
  Writer(out).map(2).string("$push").map(1).string("l").uint(value).string("$inc").map(1).string("n").integer(1);
  return out;
}
inline Buffer document(uint64_t key, const AppendHistory::List& list) {
  Buffer out;
  Writer w(out);
  w.map(3)
      .string("_id")
      .string(key_name(key))
      .string("n")
      .uint(list.size())
      .string("l")
      .array(static_cast<uint32_t>(list.size()));
  for (uint64_t value : list) w.uint(value);
  return out;
}
/// All of them, with or without looking into them.
inline Buffer everything(bool looks) {
  Buffer out;
  Writer w(out);
  if (!looks) {
    w.map(0);
    return out;
  }
  w.map(1).string("n").map(1).string("$gte").integer(1);
  return out;
}

}  // namespace lists
}  // namespace holdfast::chaos
