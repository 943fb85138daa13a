// Cursors: the open streams of a server, exports among them.
//
// Place in the system: on core 0. A cursor leases one snapshot of one collection on every core, and that is all it holds: each page is made anew from the request,
// which brings the query along, and from the position in its token (cursor_token.h). So any connection may ask for any page, again and out of turn, several at
// a time, and the same token gives the same page for as long as the cursor lives.
//
//     first page: gather() opens the snapshot on all cores --> scan, until the page is full --> token with the place behind it
//     next page:  token --> the cursor with its snapshot ----> scan from that place on
//
// Without a sort a place is a record's number in its shard: the snapshot pins the shard's generation, in which numbers do not change. With a sort it is the last
// document's sort key and id key, and a page goes through everything that matches (page_heap.h), unless the one before it kept more than it gave (page_ahead.h).
//
// Bounds. Number: when there is no room one that is done makes way, else the one that was idle longest, if that is long enough, else the new one is refused. Age: one
// idle too long is dropped (kCursorExpired); a snapshot too old, or whose history takes too much memory, is let go (kSnapshotTooOld). Memory of a page: its
// bytes; of all that are in the making EngineOptions::pages_bytes, the others wait. A page in the making keeps its snapshot until it is made.
//
// Crash behaviour: nothing is durable; the incarnation in a token tells it from those of other lives.
#pragma once

#include <map>
#include <set>

#include "core/cursor_token.h"
#include "core/engine_core.h"
#include "core/page_ahead.h"

namespace holdfast::core {

class Cursors {
 public:
  Cursors(EngineShared& shared, uint64_t incarnation) : shared_(shared), incarnation_(incarnation), ahead_(shared.options.page_ahead_bytes), room_(shared.options.pages_bytes) {}

  struct Ask {
    std::string database;
    std::string collection;
    const Find* find = nullptr;  ///< lives until the task has ended
    uint64_t fingerprint = 0;
    uint64_t documents = 0;  ///< at most so many; 0: as bytes allow
    uint64_t bytes = 0;
    Buffer cursor;  ///< empty: begins
  };
  /// On core 0. As Engine::stream_page().
  io::Task<Result<DocumentPage>> page(Ask ask);
  /// Ends what has been idle too long or got too old, and looks at the memory that snapshots cost. Now and then, one at a time.
  io::Task<void> tidy();

 private:
  struct Cursor {
    // What it is of: whoever presents a token must ask for the same.
    std::string database;
    std::string name;
    uint64_t fingerprint = 0;
    CollectionRef collection;
    Lsn snapshot;
    Time begun, used;
    uint32_t users = 0;           // pages in the making, the first one's beginning included
    bool begun_all = false;       // on every core
    bool holds_snapshot = false;  // there
    bool too_old = false;         // no page begins any more; without users it holds no snapshot
    bool done = false;            // its last page was given
  };
  /// Of one that nobody uses: who makes way first.
  using Place = std::tuple<bool, int64_t, uint64_t>;  // not done, when used, id
  static Place place(uint64_t id, const Cursor& c) { return {!c.done, c.used.ns, id}; }

  io::Task<Result<DocumentPage>> page_in_room(const Ask& ask);
  struct Begun {
    std::optional<uint64_t> id;  ///< none: there is nothing of that name
    Lsn snapshot;
  };
  io::Task<Result<Begun>> begin(const Ask& ask);
  Result<CursorToken> take_token(const Ask& ask) const;
  io::Task<Result<DocumentPage>> serve(CursorToken at, const Ask& ask);
  io::Task<Result<DocumentPage>> make_page(CursorToken at, const Cursor& c, const Ask& ask);
  io::Task<Result<bool>> scan(CursorToken& at, const Cursor& c, const Ask& ask, uint64_t most, std::vector<Buffer>& out);
  io::Task<Result<bool>> sort(CursorToken& at, const Cursor& c, const Ask& ask, uint64_t most, std::vector<Buffer>& out);
  /// A pass over everything that matches: the documents behind that position, `skip` and `most` of them, or what reaches `bytes`; or more.
  io::Task<Result<PageAhead::Run>> pass(const CursorToken& at, const Cursor& c, const Ask& ask, uint64_t skip, uint64_t most, uint64_t bytes);
  Lsn reads_at(const Cursor& c) const;
  void make_room();
  void drop_idle();
  void let_old_go();
  void enter(uint64_t id, Cursor& c);
  void leave(uint64_t id, Cursor& c);
  /// Ends it, if nobody uses it.
  void drop(uint64_t id);
  /// Too old: lets its snapshot go as soon as nobody uses it.
  void age(uint64_t id, Cursor& c);
  void let_snapshot_go(uint64_t id, Cursor& c);

  EngineShared& shared_;
  uint64_t incarnation_;
  PageAhead ahead_;
  io::Semaphore room_;  // bytes that pages in the making have not taken
  uint64_t last_id_ = 0;
  uint64_t aged_through_ = 0;           // all up to that id have been looked at for their age
  std::map<uint64_t, Cursor> cursors_;  // in the order in which they began
  std::set<Place> idle_;                // those without users
};

}  // namespace holdfast::core
