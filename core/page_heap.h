// PageHeap: the first documents behind a position in an order, as many as a page takes; whatever else it is told it forgets.
//
// Place in the system: a sorted page of a stream (cursors.h) goes through everything that matches, core after core, and this keeps what the page will be. Memory is
// the page's, whatever the size of the result. Pure; one core at a time.
//
// What is kept is the shortest prefix of the order, behind the position, that has `documents` documents or reaches `bytes`; all of it when there is less.
#pragma once

#include "core/engine_core.h"

namespace holdfast::core {

class PageHeap {
 public:
  /// Behind the document of those keys; from the first on when there is no id key. All arguments but the numbers outlive this. `documents` and `bytes` at least 1.
  PageHeap(const Find& find, Bytes after_sort_key, Bytes after_id_key, uint64_t documents, uint64_t bytes)
      : find_(find), after_sort_key_(after_sort_key), after_id_key_(after_id_key), documents_(documents), bytes_(bytes) {}

  /// A document that matches; the projection is applied here. Errors: kTooLarge when its sort key passes kMaxSortKeyBytes.
  Result<> add(Bytes body);
  /// Whether something comes behind what was kept.
  bool left_out() const { return left_out_; }
  /// What was kept, in order; ends this.
  std::vector<EngineCore::Found> take();

  /// What a document counts in a page's bytes: more than its own, so that many small ones are bounded, too.
  static uint64_t size_of(const EngineCore::Found& f) { return f.body.size() + f.sort_key.size() + f.key.size() + kOverheadBytes; }
  static constexpr uint64_t kOverheadBytes = 32;

 private:
  bool behind_position(const EngineCore::Found& found) const;
  EngineCore::InOrder order() const { return {find_.sort}; }

  const Find& find_;
  Bytes after_sort_key_, after_id_key_;
  uint64_t documents_, bytes_;
  uint64_t kept_bytes_ = 0;
  bool left_out_ = false;
  std::vector<EngineCore::Found> kept_;  // a heap, the last in order on top
};

}  // namespace holdfast::core
