#include "core/page_heap.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/cursor_token.h"
#include "core/document.h"
#include "io/base/probe.h"

namespace holdfast::core {

bool PageHeap::behind_position(const EngineCore::Found& found) const {
  if (after_id_key_.empty()) return true;
  auto order = find_.sort.compare(after_sort_key_, after_id_key_, found.sort_key, found.key);
  return order < 0 || (order == 0 && MUTANT("cursor-page-overlaps"));
}

Result<> PageHeap::add(Bytes body) {
  HF_TRY(key, id_key(*find_id(body)));
  EngineCore::Found found{.key = std::move(key), .body = {}, .sort_key = find_.sort.key(body)};
  if (found.sort_key.size() > kMaxSortKeyBytes)
    return fail(Code::kTooLarge, fmt::format("the values that a document is sorted by pass {} bytes, the most that a stream can sort by: sort by shorter ones, or "
                                             "stream without a sort", kMaxSortKeyBytes));
  if (!behind_position(found)) return {};
  bool enough = kept_.size() == documents_ || kept_bytes_ >= bytes_;
  if (enough && !order()(found, kept_.front())) {
    left_out_ = true;
    return {};
  }
  found.body = find_.projection.whole() ? Buffer(body) : find_.projection.apply(body);
  kept_bytes_ += size_of(found);
  kept_.push_back(std::move(found));
  std::ranges::push_heap(kept_, order());
  while (kept_.size() > documents_ || kept_bytes_ - size_of(kept_.front()) >= bytes_) {
    left_out_ = true;
    std::ranges::pop_heap(kept_, order());
    kept_bytes_ -= size_of(kept_.back());
    kept_.pop_back();
  }
  return {};
}

std::vector<EngineCore::Found> PageHeap::take() {
  std::ranges::sort_heap(kept_, order());
  return std::move(kept_);
}

}  // namespace holdfast::core
