// Compiling the operands of operators on arrays.
#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "core/operand.h"
#include "core/update_array.h"
#include "core/value_order.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using Action = UpdateNode::Action;
using Run = ArrayOperand::Run;

namespace {

std::unexpected<Error> refuse(std::string why) { return fail(Code::kBadRequest, std::move(why)); }

// Calls f(name, value) for each field, until one fails.
template <class F>
Result<> each_field(Bytes map, F&& f) {
  Cursor at(map);
  Value head;
  at.next(head);
  for (uint32_t i = 0; i < head.count; ++i) {
    Bytes name;
    at.string(name);
    HF_CHECK_OK(f(name, at.raw()));
  }
  return {};
}

class ArrayCompiler {
 public:
  explicit ArrayCompiler(int depth) : depth_(depth) {}

  Result<> compile(Action action, Bytes operand) {
    switch (action) {
      case Action::kPush:
        return push(operand);
      case Action::kAddToSet:
        return add_to_set(operand);
      case Action::kPull:
        return pull(operand);
      case Action::kPullAll:
        if (head_of(operand).kind != Kind::kArray) return must_be("an array of values", operand);
        return list(Run::of(operand));
      default:
        return pop(operand);
    }
  }

  ArrayOperand take() { return std::move(out_); }

 private:
  static std::unexpected<Error> must_be(std::string_view what, Bytes value) {
    return refuse(fmt::format("the operand must be {}, not {}", what, type_name(head_of(value).kind)));
  }

  // The values of one operand: the array under $each, or the operand itself.
  Result<Run> values(Bytes operand, std::optional<Bytes> each) const {
    if (each && head_of(*each).kind != Kind::kArray)
      return refuse(fmt::format("$each takes an array of values, not {}", type_name(head_of(*each).kind)));
    Bytes values = each.value_or(operand);
    int depth = each ? depth_ : depth_ - 1;
    if (depth < 0 || depth_ < 1 ||
        !msgpack::validate(values, {.max_depth = depth, .string_keys = false, .distinct_keys = false}))
      return fail(Code::kTooLarge, "the document would be nested too deep");
    return each ? Run::of(values) : Run{values, 1};
  }

  Result<> push(Bytes operand) {
    bool modified = is_operator(first_key(operand)) || msgpack::lookup(operand, "$each").has_value();
    if (!modified) return push_values(operand, std::nullopt);
    std::optional<Bytes> each;
    HF_CHECK_OK(each_field(operand, [&](Bytes name, Bytes value) -> Result<> {
      if (name == "$position") return whole(name, value, out_.position);
      if (name == "$slice") return whole(name, value, out_.slice);
      if (name == "$sort") return sort(value);
      if (name != "$each")
        return fail(Code::kUnsupported, fmt::format("the modifier {} is not supported", Path::shown(name)));
      each = value;
      return {};
    }));
    if (!each) return refuse("modifiers go with $each, an array of values");
    return push_values(operand, each);
  }

  Result<> push_values(Bytes operand, std::optional<Bytes> each) {
    HF_TRY(added, values(operand, each));
    out_.added = added;
    return {};
  }

  static Result<> whole(Bytes name, Bytes value, std::optional<int64_t>& out) {
    out = whole_number(head_of(value));
    if (!out) return refuse(fmt::format("{} takes a whole number of 64 bits", name));
    return {};
  }

  static Result<bool> descending(Bytes direction) {
    std::optional<int64_t> n;
    if (!whole("$sort", direction, n) || (*n != 1 && *n != -1))
      return refuse("$sort takes 1, -1, or a document of paths and 1 or -1");
    return *n < 0;
  }

  Result<> sort(Bytes value) {
    Value head = head_of(value);
    if (head.kind != Kind::kMap) {
      HF_TRY(down, descending(value));
      out_.sort.push_back({std::nullopt, down});
      return {};
    }
    if (head.count == 0) return refuse("$sort takes one path or more");
    if (head.count > ArrayOperand::kMaxSortPaths)
      return fail(Code::kTooLarge, fmt::format("$sort takes at most {} paths", ArrayOperand::kMaxSortPaths));
    return each_field(value, [&](Bytes text, Bytes direction) -> Result<> {
      HF_TRY(path, Path::parse(text));
      for (const Path::Component& c : path.components())
        if (c.name.empty()) return refuse(fmt::format("a part of $sort's path {} is empty", Path::shown(text)));
      HF_TRY(down, descending(direction));
      out_.sort.push_back({std::move(path), down});
      return {};
    });
  }

  Result<> add_to_set(Bytes operand) {
    Bytes first = first_key(operand);
    std::optional<Bytes> each;
    if (first.starts_with('$')) {
      HF_CHECK_OK(each_field(operand, [&](Bytes name, Bytes value) -> Result<> {
        if (name != "$each")
          return fail(Code::kUnsupported, fmt::format("the modifier {} is not supported", Path::shown(name)));
        each = value;
        return {};
      }));
    }
    HF_TRY(added, values(operand, each));
    return list(added);
  }

  // Keeps each value once, where it came first.
  Result<> list(Run run) {
    if (run.count > ArrayOperand::kMaxOrdered)
      return fail(Code::kTooLarge, fmt::format("at most {} values are allowed", ArrayOperand::kMaxOrdered));
    std::vector<Bytes> all;
    Cursor at(run.bytes);
    for (uint32_t i = 0; i < run.count; ++i) all.push_back(at.raw());
    std::vector<uint32_t> order(all.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
      auto by = compare(all[a], all[b]);
      return by != 0 ? by < 0 : a < b;
    });
    auto repeats = std::ranges::unique(order, [&](uint32_t a, uint32_t b) { return equal(all[a], all[b]); });
    order.erase(repeats.begin(), repeats.end());

    std::vector<uint32_t> kept = order;
    std::ranges::sort(kept);
    for (uint32_t i : kept) out_.values.push_back(all[i]);
    for (uint32_t i : order)
      out_.by_value.push_back(static_cast<uint32_t>(std::ranges::lower_bound(kept, i) - kept.begin()));
    return {};
  }

  Result<> pull(Bytes operand) {
    out_.value = operand;
    if (head_of(operand).kind != Kind::kMap) return {};
    HF_TRY(condition, Query::compile_element(operand));
    out_.condition = std::move(condition);
    return {};
  }

  Result<> pop(Bytes operand) {
    Value v = head_of(operand);
    std::optional<int64_t> n = whole_number(v);
    if (!n || (*n != 1 && *n != -1)) return refuse("the operand must be 1, for the last element, or -1, for the first");
    out_.from_front = *n < 0;
    return {};
  }

  int depth_;
  ArrayOperand out_;
};

}  // namespace

Result<std::shared_ptr<const ArrayOperand>> compile_array_operand(Action action, Bytes operand, int depth) {
  ArrayCompiler compiler(depth);
  HF_CHECK_OK(compiler.compile(action, operand));
  return std::make_shared<const ArrayOperand>(compiler.take());
}

}  // namespace holdfast::core
