// PageAhead: what sorted pages found beyond their ends, kept for the pages that follow.
//
// Place in the system: one, beside the cursors (cursors.h), on core 0. A sorted page costs a pass over everything that matches; whoever reads on gets the next pages from
// one pass. Nothing but speed depends on it: a page that is not here is made by a pass of its own, and comes out the same. What it keeps and what passes under
// way may still bring is bounded together; the oldest goes first. Pure.
#pragma once

#include <list>

#include "core/engine_core.h"

namespace holdfast::core {

class PageAhead {
 public:
  /// `bytes`: of all runs together; one takes an eighth.
  explicit PageAhead(uint64_t bytes) : free_(bytes), run_bytes_(bytes / 8) {}

  /// Documents of a cursor that follow on a position, in order.
  struct Run {
    uint64_t cursor = 0;
    Buffer sort_key, id_key;  // of the position
    std::vector<EngineCore::Found> found = {};
    bool more = false;  // whether others follow these
    uint64_t bytes = 0;  // that are reserved for it
  };
  /// Room for a run, in bytes of documents; 0 when there is none. To be given back with keep() or release().
  uint64_t reserve();
  void release(uint64_t bytes) { free_ += bytes; }
  void keep(Run run);
  /// The run that begins there, which is then no longer here. Its bytes stay reserved.
  std::optional<Run> take(uint64_t cursor, Bytes sort_key, Bytes id_key);
  void forget(uint64_t cursor);

 private:
  uint64_t free_;
  uint64_t run_bytes_;
  std::list<Run> runs_;  // the oldest first
};

}  // namespace holdfast::core
