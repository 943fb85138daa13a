// The walk of an update over the elements of an array, for `$[]` and `$[id]`.
#include <fmt/core.h>

#include "core/update_applier.h"
#include "core/update_positional.h"
#include "io/base/probe.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Value;
using Part = UpdateNode::Part;

Result<> UpdateApplier::elements(const UpdateNode& node, Bytes old, uint32_t count) {
  Cursor at(old);
  Value head;
  at.next(head);
  Joined joined;
  std::vector<const UpdateNode*> hits;
  size_t copied = 0;
  for (uint32_t i = 0; i < count; ++i) {
    size_t begin = old.size() - at.remaining();
    Bytes element = at.raw();
    if (!at.ok()) return corrupt();
    HF_CHECK_OK(find_hits(node, element, hits));
    if (hits.empty() || (i + 1 == count && node.children.front().part == Part::kEach && MUTANT("each-misses-the-last")))
      continue;
    if (hits.size() > 1 && hits != joined.parts) HF_CHECK_OK(join(node, hits, joined));
    const UpdateNode& what = hits.size() > 1 ? joined.node : *hits.front();
    HF_CHECK_OK(spend(node, what.weight));
    out_.append(old.substr(copied, begin - copied));
    copied = begin + element.size();
    HF_CHECK_OK(present(what, element));
    HF_CHECK_OK(check_document_size(out_.size(), limits_));
  }
  out_.append(old.substr(copied));
  return {};
}

Result<> UpdateApplier::find_hits(const UpdateNode& node, Bytes element, std::vector<const UpdateNode*>& hits) {
  hits.clear();
  for (const UpdateNode& child : node.children) {
    if (child.part == Part::kFiltered) {
      const Query& filter = filters_[child.filter].query;
      HF_CHECK_OK(spend(node, 1 + filter.conditions()));
      Query::Match match = filter.match_field(element);
      if (match == Query::Match::kTooCostly)
        return fail(Code::kTooLarge, fmt::format("array filter {}: {}", child.filter,
                                                 Query::too_costly().error().message));
      if (match == Query::Match::kNo && !MUTANT("array-filter-lets-all-pass")) continue;
    }
    hits.push_back(&child);
  }
  return {};
}

Result<> UpdateApplier::join(const UpdateNode& node, const std::vector<const UpdateNode*>& hits, Joined& joined) {
  constexpr uint64_t kCopying = 8;  // copying a node costs as much as so many visits
  for (const UpdateNode* hit : hits) HF_CHECK_OK(spend(node, kCopying * hit->weight));
  HF_TRY(together, merged(hits));
  joined = {hits, std::move(together)};
  return {};
}

Result<> UpdateApplier::spend(const UpdateNode& node, uint64_t steps) {
  steps_ += steps;
  if (steps_ <= Update::kMaxSteps) return {};
  const UpdateNode& leaf = first_leaf(node);
  return fail(Code::kTooLarge,
              fmt::format("{}: elements times array filters and paths pass {} steps: change fewer elements or fields at "
                          "once",
                          place(leaf.action, leaf.path), Update::kMaxSteps));
}

}  // namespace holdfast::core
