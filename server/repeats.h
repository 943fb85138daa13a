// RepeatTable: inserts whose connection broke before the client can have used their answer.
//
// The original's client sends an insert again, byte for byte, over a new connection when the old one broke; it must
// then succeed although the document is there. Anybody else who inserts what is there must be refused: insert-if-absent
// serves as a lock. What tells the two apart is that a connection broke, and that the same request comes again soon.
// The engine makes sure that the stored document is identical and young.
//
// Bounded in time and number, oldest forgotten first. One per core, all holding the same: the connection that comes
// next may belong to any.
#pragma once

#include <deque>
#include <unordered_map>

#include "io/base/hash.h"
#include "io/base/time.h"
#include "io/wire/request.h"

namespace holdfast::server {

/// What makes two inserts the same request: operation, names and arguments. The id is not part of it: each client
/// process starts at 1.
Hash128 insert_fingerprint(const wire::Request& request);

class RepeatTable {
 public:
  RepeatTable(Duration window, size_t capacity) : window_(window), capacity_(capacity) {}

  void add(Hash128 fingerprint, Time now);
  bool contains(Hash128 fingerprint, Time now) const;
  bool empty() const { return by_age_.empty(); }
  size_t size() const { return by_age_.size(); }
  void forget_old(Time now);

 private:
  struct Entry {
    Hash128 fingerprint;
    Time added;
  };
  void forget_oldest();

  Duration window_;
  size_t capacity_;
  std::deque<Entry> by_age_;
  struct Low {
    size_t operator()(const Hash128& h) const { return h.low; }
  };
  std::unordered_map<Hash128, Time, Low> newest_;  ///< never iterated
};

}  // namespace holdfast::server
