#include "core/update_array.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "core/value_order.h"
#include "io/base/probe.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using Action = UpdateNode::Action;
using Run = ArrayOperand::Run;

Run Run::of(Bytes array) {
  Cursor at(array);
  Value head;
  at.next(head);
  return {array.substr(array.size() - at.remaining()), head.count};
}

namespace {

std::unexpected<Error> corrupt() { return fail(Code::kCorrupt, "a stored array is not well-formed MessagePack"); }

// `count` elements after the first `skipped`. False on bytes that are no MessagePack.
bool part_of(Run run, uint64_t skipped, uint64_t count, Bytes& out) {
  Cursor at(run.bytes);
  for (uint64_t i = 0; i < skipped; ++i)
    if (!at.skip()) return false;
  size_t begin = run.bytes.size() - at.remaining();
  if (skipped + count == run.count) {
    out = run.bytes.substr(begin);
    return true;
  }
  for (uint64_t i = 0; i < count; ++i)
    if (!at.skip()) return false;
  out = run.bytes.substr(begin, run.bytes.size() - at.remaining() - begin);
  return true;
}

// Which of the listed values an element is equal to.
std::optional<uint32_t> listed(const ArrayOperand& operand, const Cursor& element) {
  auto found = std::ranges::lower_bound(operand.by_value, 0, [&](uint32_t i, int) {
    Cursor a(operand.values[i]), b = element;
    return compare(a, b) < 0;
  });
  if (found == operand.by_value.end()) return std::nullopt;
  Cursor a(operand.values[*found]), b = element;
  return compare(a, b) == 0 ? std::optional(*found) : std::nullopt;
}

// Null where the path leads nowhere.
Bytes sort_key(const ArrayOperand::SortKey& key, Bytes element) {
  Bytes found = key.path ? find_value(key.path->components(), element).value : element;
  return found.empty() ? Bytes("\xc0") : found;
}

class ArrayUpdate {
 public:
  ArrayUpdate(const UpdateNode& node, Bytes old, Buffer& out)
      : node_(node), operand_(*node.array), old_(old), elements_(Run::of(old)), out_(out) {}

  Result<> run() {
    switch (node_.action) {
      case Action::kPush:
        return operand_.sort.empty() ? push() : push_sorted();
      case Action::kAddToSet:
        return add_to_set();
      case Action::kPull:
      case Action::kPullAll:
        return pull();
      default:
        return pop();
    }
  }

 private:
  struct Window {
    uint64_t from, to;
  };

  // The head of an array of `count` elements: as it was, if that is still right.
  void head(uint64_t count) {
    if (count == elements_.count)
      out_.append(old_.substr(0, old_.size() - elements_.bytes.size()));
    else
      msgpack::Writer(out_).array(static_cast<uint32_t>(count));
  }

  uint64_t place() const {
    auto n = static_cast<int64_t>(elements_.count);
    int64_t p = operand_.position.value_or(n);
    return static_cast<uint64_t>(p < 0 ? std::max<int64_t>(0, n + p) : std::min(p, n));
  }

  // What $slice leaves of `total` elements.
  Window window(uint64_t total) const {
    auto n = static_cast<int64_t>(total);
    int64_t slice = operand_.slice.value_or(n);
    if (slice < 0 && MUTANT("slice-keeps-the-first")) slice = -slice;
    if (slice < 0) return {static_cast<uint64_t>(std::max<int64_t>(0, n + slice)), total};
    return {0, static_cast<uint64_t>(std::min(slice, n))};
  }

  // Old elements up to the place, the new ones, the rest of the old ones.
  Result<> runs(Run (&out)[3]) const {
    uint64_t p = place();
    Bytes before;
    if (!part_of(elements_, 0, p, before)) return corrupt();
    out[0] = {before, static_cast<uint32_t>(p)};
    out[1] = operand_.added;
    out[2] = {elements_.bytes.substr(before.size()), elements_.count - static_cast<uint32_t>(p)};
    return {};
  }

  Result<> push() {
    Run three[3];
    HF_CHECK_OK(runs(three));
    Window kept = window(uint64_t{elements_.count} + operand_.added.count);
    head(kept.to - kept.from);
    uint64_t begin = 0;
    for (const Run& run : three) {
      uint64_t from = std::clamp(kept.from, begin, begin + run.count) - begin;
      uint64_t to = std::clamp(kept.to, begin, begin + run.count) - begin;
      Bytes part;
      if (!part_of(run, from, to - from, part)) return corrupt();
      out_.append(part);
      begin += run.count;
    }
    return {};
  }

  Result<> push_sorted() {
    uint64_t total = uint64_t{elements_.count} + operand_.added.count;
    if (total > ArrayOperand::kMaxOrdered)
      return fail(Code::kTooLarge, fmt::format("$push at path {}: $sort orders at most {} elements",
                                               Path::shown(node_.path), ArrayOperand::kMaxOrdered));
    Run three[3];
    HF_CHECK_OK(runs(three));
    size_t width = operand_.sort.size();
    std::vector<Bytes> all, keys;
    all.reserve(total);
    keys.reserve(total * width);
    for (const Run& run : three) {
      Cursor at(run.bytes);
      for (uint32_t i = 0; i < run.count; ++i) {
        all.push_back(at.raw());
        if (!at.ok()) return corrupt();
        for (const ArrayOperand::SortKey& key : operand_.sort) keys.push_back(sort_key(key, all.back()));
      }
    }
    std::vector<uint32_t> order(total);
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
      for (size_t i = 0; i < width; ++i) {
        auto by = compare(keys[a * width + i], keys[b * width + i]);
        if (by != 0) return (by < 0) != operand_.sort[i].descending;
      }
      return a < b;
    });
    Window kept = window(total);
    head(kept.to - kept.from);
    for (uint64_t i = kept.from; i < kept.to; ++i) out_.append(all[order[i]]);
    return {};
  }

  Result<> add_to_set() {
    std::vector<bool> there(operand_.values.size());
    Cursor at(elements_.bytes);
    for (uint32_t i = 0; i < elements_.count; ++i) {
      if (auto value = listed(operand_, at); value && !MUTANT("add-to-set-adds-again")) there[*value] = true;
      if (!at.skip()) return corrupt();
    }
    head(uint64_t{elements_.count} + static_cast<uint64_t>(std::ranges::count(there, false)));
    out_.append(elements_.bytes);
    for (size_t i = 0; i < there.size(); ++i)
      if (!there[i]) out_.append(operand_.values[i]);
    return {};
  }

  Result<bool> leaves(Bytes element) const {
    if (node_.action == Action::kPullAll) return listed(operand_, Cursor(element)).has_value();
    if (!operand_.condition) return equal(element, operand_.value);
    Query::Match match = operand_.condition->match_element(element);
    if (match == Query::Match::kTooCostly)
      return fail(Code::kTooLarge,
                  fmt::format("$pull at path {}: {}", Path::shown(node_.path), Query::too_costly().error().message));
    return match == Query::Match::kYes;
  }

  Result<> pull() {
    Buffer kept;
    uint64_t count = 0;
    Cursor at(elements_.bytes);
    for (uint32_t i = 0; i < elements_.count; ++i) {
      Bytes element = at.raw();
      if (!at.ok()) return corrupt();
      HF_TRY(gone, leaves(element));
      if (gone) continue;
      kept.append(element);
      ++count;
    }
    head(count);
    out_.append(kept);
    return {};
  }

  Result<> pop() {
    uint32_t left = elements_.count - (elements_.count > 0);
    Bytes part;
    if (!part_of(elements_, operand_.from_front ? elements_.count - left : 0, left, part)) return corrupt();
    head(left);
    out_.append(part);
    return {};
  }

  const UpdateNode& node_;
  const ArrayOperand& operand_;
  Bytes old_;
  Run elements_;
  Buffer& out_;
};

}  // namespace

Result<> append_updated_array(const UpdateNode& node, Bytes old, Buffer& out) {
  return ArrayUpdate(node, old, out).run();
}

}  // namespace holdfast::core
