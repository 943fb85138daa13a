// RepeatTable: inserts whose connection broke before the client can have used their answer.
//
// The original's client sends an insert again, byte for byte, over a new connection when the old one broke; it must
// then succeed although the document is there. Anybody else who inserts what is there must be refused: insert-if-absent
// serves as a lock. What tells the two apart: a connection from the same machine broke, its insert had inserted the
// document, and nobody has yet been told "done" again in its stead. The engine makes sure that the stored document is
// identical and young.
//
// Invariant: at most one client is told of an insertion, or may be: whoever was told goes on with its connection, which
// ends the matter; or its connection breaks, and the place is free for one repeat.
//
// Bounded in time and number, oldest forgotten first. One for the whole server, on core 0, which is asked only when an
// insert has been refused.
#pragma once

#include <deque>
#include <map>
#include <string_view>
#include <unordered_map>

#include "io/base/hash.h"
#include "io/base/time.h"
#include "io/wire/request.h"

namespace holdfast::server {

/// What makes two inserts the same request: operation, names, arguments, and the machine that sends it (`peer`: its
/// address and port; the port is another with every connection). The id is not part of it: each client process starts
/// at 1.
Hash128 insert_fingerprint(const wire::Request& request, std::string_view peer);

class RepeatTable {
 public:
  RepeatTable(Duration window, size_t capacity) : window_(window), capacity_(capacity) {}

  /// The connection of an insert broke that has inserted its document, and whose answer may not have been read.
  void add(Hash128 fingerprint, Time now);
  /// The same of one that is still under way, under a number of its own; and how it came out.
  void begin(uint64_t insert, Hash128 fingerprint);
  void end(uint64_t insert, bool inserted, Time now);
  /// Whether one of those that had begun when `last_begun` was asked is still under way.
  bool under_way(Hash128 fingerprint, uint64_t last_begun) const;
  uint64_t last_begun() const { return begun_; }

  /// Whether that insert may be answered again, this once.
  bool take(Hash128 fingerprint, Time now);

  size_t size() const { return newest_.size(); }
  void forget_old(Time now);

 private:
  struct Entry {
    Hash128 fingerprint;
    Time added;
  };
  struct UnderWay {
    Hash128 fingerprint;
    uint64_t begun;
  };
  void forget_oldest();

  Duration window_;
  size_t capacity_;
  std::deque<Entry> by_age_;
  struct Low {
    size_t operator()(const Hash128& h) const { return h.low; }
  };
  std::unordered_map<Hash128, Time, Low> newest_;  ///< never iterated
  std::map<uint64_t, UnderWay> under_way_;         ///< by number; as many as there are requests, at most
  uint64_t begun_ = 0;
};

}  // namespace holdfast::server
