#include "core/page_ahead.h"

#include <algorithm>

#include "io/base/probe.h"

namespace holdfast::core {

uint64_t PageAhead::reserve() {
  while (free_ < run_bytes_ && !runs_.empty()) {
    free_ += runs_.front().bytes;
    runs_.pop_front();
  }
  if (free_ < run_bytes_) return 0;
  free_ -= run_bytes_;
  return run_bytes_;
}

void PageAhead::keep(Run run) {
  if (run.found.empty()) return release(run.bytes);
  runs_.push_back(std::move(run));
}

std::optional<PageAhead::Run> PageAhead::take(uint64_t cursor, Bytes sort_key, Bytes id_key) {
  auto at = std::ranges::find_if(runs_, [&](const Run& r) {
    return r.cursor == cursor && ((r.sort_key == sort_key && r.id_key == id_key) || MUTANT("cursor-goes-on-where-it-was"));
  });
  if (at == runs_.end()) return std::nullopt;
  Run run = std::move(*at);
  runs_.erase(at);
  return run;
}

void PageAhead::forget(uint64_t cursor) {
  std::erase_if(runs_, [&](const Run& r) {
    if (r.cursor == cursor) free_ += r.bytes;
    return r.cursor == cursor;
  });
}

}  // namespace holdfast::core
