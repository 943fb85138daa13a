// Compiling updates: every operator's paths into one tree.
#include "core/update.h"

#include <fmt/core.h>

#include <bit>

#include "core/operand.h"
#include "core/update_array.h"
#include "core/update_operator.h"
#include "core/update_positional.h"
#include "core/value_order.h"
#include "io/base/utf8.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using Action = UpdateNode::Action;

namespace {

using Demands = UpdateNode::Demands;
using Part = UpdateNode::Part;

bool nests_within(Bytes value, int depth) {
  return depth >= 0 &&
         msgpack::validate(value, {.max_depth = depth, .string_keys = false, .distinct_keys = false}).has_value();
}

}  // namespace

class UpdateCompiler {
 public:
  explicit UpdateCompiler(const DocumentLimits& limits) { update_.limits_ = limits; }

  Result<Update> compile(Bytes text, Bytes array_filters) {
    if (text.size() > Update::kMaxBytes)
      return fail(Code::kTooLarge, fmt::format("the update has {} bytes, at most {} are allowed", text.size(),
                                               Update::kMaxBytes));
    // Two levels more than a document: {$set: {path: value}}, {$push: {path: {$each: [value]}}}.
    HF_CHECK_OK(msgpack::validate(text, {.max_depth = update_.limits_.depth + 2}));
    update_.text_.assign(text.begin(), text.end());
    HF_TRY(filters, compile_array_filters(array_filters));
    update_.filters_ = std::move(filters);
    filter_used_.resize(update_.filters_.size());
    HF_CHECK_OK(operators(Bytes(update_.text_.data(), update_.text_.size())));
    std::ranges::sort(entries_, [](const Entry& a, const Entry& b) {
      return std::ranges::lexicographical_compare(a.path.components(), b.path.components(),
                                                  [](auto& x, auto& y) { return visiting_order(x, y) < 0; });
    });
    HF_CHECK_OK(grow_tree(update_.root_, entries_, 0));
    HF_CHECK_OK(check_filters_used());
    return std::move(update_);
  }

 private:
  struct Entry {
    Path path;
    Action action;
    Bytes operand;
    uint32_t rename = 0;
    std::shared_ptr<const ArrayOperand> array;
  };
  using Entries = std::span<Entry>;

  // The first key decides what the update is.
  Result<> operators(Bytes map) {
    Cursor at(map);
    Value head;
    if (!at.next(head) || head.kind != Kind::kMap) return fail(Code::kBadRequest, "an update must be a document");
    update_.replaces_ = true;
    for (uint32_t i = 0; i < head.count; ++i) {
      Bytes name;
      at.string(name);
      Bytes operands = at.raw();
      if (i == 0) update_.replaces_ = !name.starts_with('$');
      if (update_.replaces_ == name.starts_with('$'))
        return fail(Code::kBadRequest,
                    fmt::format("an update mixes operators with fields, at {}: put fields under $set", shown(name)));
      if (!update_.replaces_) HF_CHECK_OK(one_operator(name, operands));
    }
    if (update_.replaces_ && !nests_within(map, update_.limits_.depth)) return too_deep("the new document");
    return {};
  }

  Result<> one_operator(Bytes name, Bytes operands) {
    const UpdateOperator* known = find_operator(name);
    if (known == nullptr)
      return fail(Code::kUnsupported,
                  fmt::format("{} in an update is not supported{}", shown(name), first_path(operands)));
    Cursor at(operands);
    Value head;
    at.next(head);
    if (head.kind != Kind::kMap)
      return fail(Code::kBadRequest,
                  fmt::format("{} takes a document of paths and values, not {}", name, type_name(head.kind)));
    for (uint32_t i = 0; i < head.count; ++i) {
      Bytes path;
      at.string(path);
      Bytes operand = at.raw();
      place_ = fmt::format("{} at path {}", name, shown(path));
      HF_CHECK_OK(known->action == Action::kRenameFrom ? add_rename(path, operand)
                                                       : add_one(known->action, path, operand));
    }
    return {};
  }

  static std::string shown(Bytes text) { return Path::shown(text); }

  static std::string first_path(Bytes operands) {
    Cursor at(operands);
    Value head;
    Bytes path;
    if (!at.next(head) || head.kind != Kind::kMap || head.count == 0 || !at.string(path)) return "";
    return fmt::format(" (at path {})", shown(path));
  }

  std::unexpected<Error> refuse(Code code, std::string_view why) const {
    return fail(code, fmt::format("{}: {}", place_, why));
  }
  std::unexpected<Error> too_deep(std::string_view what) const {
    return fail(Code::kTooLarge, fmt::format("{}: the document would be nested more than {} deep", what,
                                             update_.limits_.depth));
  }

  Result<> add_one(Action action, Bytes text, Bytes operand) {
    HF_TRY(path, parse(text));
    bool id = path.first().name == "_id";
    if (id && ((action != Action::kSet && action != Action::kSetOnInsert) || path.components().size() > 1))
      return refuse(Code::kBadRequest, "_id never changes");
    auto fits = check_operand(action, operand);
    if (!fits) return refuse(fits.error().code, fits.error().message);
    Entry entry{std::move(path), id && action == Action::kSet ? Action::kKeepId : action, operand};
    // A value in the new place, or an array with values in it.
    int depth = update_.limits_.depth - static_cast<int>(entry.path.components().size());
    bool whole = action == Action::kSet || action == Action::kSetOnInsert || action == Action::kMin ||
                 action == Action::kMax;
    if (depth < 0 || (whole && !nests_within(operand, depth))) return too_deep(place_);
    if (on_arrays(action)) {
      auto array = compile_array_operand(action, operand, depth);
      if (!array) return refuse(array.error().code, array.error().message);
      entry.array = std::move(*array);
    }
    entries_.push_back(std::move(entry));
    return {};
  }

  Result<> add_rename(Bytes from, Bytes operand) {
    Value to = head_of(operand);
    if (to.kind != Kind::kString)
      return refuse(Code::kBadRequest, fmt::format("the new name must be a string, not {}", type_name(to.kind)));
    if (!is_utf8(to.bytes)) return refuse(Code::kBadRequest, "the new name must be UTF-8");
    auto rename = static_cast<uint32_t>(update_.renames_.size());
    HF_TRY(source, parse(from));
    place_ += fmt::format(" to {}", shown(to.bytes));
    HF_TRY(destination, parse(to.bytes));
    for (const Path* path : {&source, &destination})
      if (has_positional(*path)) return refuse(Code::kBadRequest, "$rename takes no positional operators");
    if (source.first().name == "_id" || destination.first().name == "_id")
      return refuse(Code::kBadRequest, "_id never changes");
    if (destination.components().size() > static_cast<size_t>(update_.limits_.depth)) return too_deep(place_);
    update_.renames_.push_back({source, destination});
    entries_.push_back({std::move(source), Action::kRenameFrom, {}, rename, nullptr});
    entries_.push_back({std::move(destination), Action::kRenameTo, {}, rename, nullptr});
    return {};
  }

  Result<Path> parse(Bytes text) {
    if (entries_.size() >= Update::kMaxPaths)
      return refuse(Code::kTooLarge, fmt::format("an update has at most {} paths", Update::kMaxPaths));
    Result<Path> path = Path::parse(text);
    if (!path) return refuse(path.error().code, path.error().message);
    parts_ += path->components().size();
    if (parts_ > Update::kMaxParts)
      return refuse(Code::kTooLarge,
                    fmt::format("the paths of an update have at most {} parts together", Update::kMaxParts));
    for (const Path::Component& c : path->components()) {
      if (c.name.empty()) return refuse(Code::kBadRequest, "a part of the path is empty");
      if (c.name.starts_with('$')) HF_CHECK_OK(check_positional(*path, c));
    }
    return path;
  }

  static bool has_positional(const Path& path) {
    return std::ranges::any_of(path.components(), [](auto& c) { return c.name.starts_with('$'); });
  }

  Result<> check_positional(const Path& path, const Path::Component& c) {
    auto part = part_kind(c.name);
    if (!part) return refuse(part.error().code, part.error().message);
    if (*part == Part::kNamed)
      return refuse(Code::kBadRequest, "a field's name that begins with $ cannot be updated");
    if (&c == &path.first())
      return refuse(Code::kBadRequest, fmt::format("{} must stand behind the path of an array", shown(c.name)));
    if (*part == Part::kMatched) {
      if (std::ranges::count(path.components(), Bytes("$"), &Path::Component::name) > 1)
        return refuse(Code::kBadRequest, "$ stands at most once in a path");
      if (update_.matched_place_.empty()) update_.matched_place_ = place_;
    } else if (*part == Part::kFiltered) {
      size_t filter = filter_of(c.name);
      if (filter == update_.filters_.size())
        return refuse(Code::kBadRequest,
                      fmt::format("there is no array filter for the identifier {}", shown(identifier_of(c.name))));
      filter_used_[filter] = true;
    }
    return {};
  }

  size_t filter_of(Bytes part) const {
    auto found = std::ranges::find(update_.filters_, identifier_of(part), &ArrayFilter::identifier);
    return static_cast<size_t>(found - update_.filters_.begin());
  }

  Result<> check_filters_used() const {
    auto unused = std::ranges::find(filter_used_, false);
    if (unused == filter_used_.end()) return {};
    auto i = static_cast<size_t>(unused - filter_used_.begin());
    return fail(Code::kBadRequest, fmt::format("array filter {}: no path of the update has $[{}]", i,
                                               shown(update_.filters_[i].identifier)));
  }

  static Bytes prefix(const Path& path, size_t components) {
    Bytes last = path.components()[components - 1].name;
    return path.text().substr(0, static_cast<size_t>(last.data() + last.size() - path.text().data()));
  }

  // Makes the children of `node` from sorted entries that agree in their first `depth` components.
  Result<> grow_tree(UpdateNode& node, Entries entries, size_t depth) {
    const Entry* first = entries.data();
    while (!entries.empty()) {
      const Path& path = entries.front().path;
      const Path::Component field = path.components()[depth];
      auto same = std::ranges::find_if(entries, [&](const Entry& e) { return e.path.components()[depth] != field; });
      auto n = static_cast<size_t>(same - entries.begin());
      UpdateNode child{.field = field, .part = *part_kind(field.name), .path = prefix(path, depth + 1)};
      if (child.part == Part::kFiltered) child.filter = static_cast<uint32_t>(filter_of(field.name));
      // Elements are addressed by `$[]` and `$[id]`, or by positions and `$`.
      bool on_elements = child.part >= Part::kEach;
      if (!node.children.empty() && on_elements != node.on_elements()) return mixed(*first, entries.front());
      // Sorting puts a path before those that go on from it.
      if (path.components().size() > depth + 1) {
        HF_CHECK_OK(grow_tree(child, entries.first(n), depth + 1));
      } else if (n > 1) {
        return conflict(entries[0], entries[1]);
      } else {
        make_leaf(child, entries.front());
      }
      if (on_elements) child.demands = std::max(child.demands, of_arrays(child));
      node.adopt(std::move(child));
      entries = entries.subspan(n);
    }
    return {};
  }

  static std::unexpected<Error> conflict(const Entry& a, const Entry& b) {
    return fail(Code::kBadRequest,
                fmt::format("the update's paths {} and {} conflict, in {} and {}: name each field once, and none "
                            "inside another",
                            shown(a.path.text()), shown(b.path.text()), operator_name(a.action),
                            operator_name(b.action)));
  }

  static std::unexpected<Error> mixed(const Entry& a, const Entry& b) {
    return fail(Code::kBadRequest,
                fmt::format("the update's paths {} and {} conflict, in {} and {}: to one array $[] and $[identifier] do "
                            "not go with names, positions and $",
                            shown(a.path.text()), shown(b.path.text()), operator_name(a.action),
                            operator_name(b.action)));
  }

  // What a node for elements asks of the value that should hold them: $setOnInsert asks nothing when it does nothing.
  static Demands of_arrays(const UpdateNode& node) {
    if (node.is_leaf()) return node.action == Action::kSetOnInsert ? Demands::kArraysOnInsert : Demands::kArrays;
    Demands most = Demands::kNothing;
    for (const UpdateNode& child : node.children) most = std::max(most, of_arrays(child));
    return most;
  }

  static void make_leaf(UpdateNode& leaf, Entry& entry) {
    leaf.action = entry.action;
    leaf.operand = entry.operand;
    leaf.rename = entry.rename;
    leaf.array = std::move(entry.array);
    leaf.creates = operator_of(entry.action).creates;
    leaf.refuses_scalars = on_arrays(entry.action);
    if (!leaf.array) return;
    // A value may have one byte only; to sort n of them takes n log n looks at each path.
    uint64_t bytes = leaf.operand.size();
    leaf.weight += bytes / 8 + bytes * static_cast<uint64_t>(std::bit_width(bytes)) * leaf.array->sort.size();
  }

  Update update_;
  std::vector<Entry> entries_;
  std::vector<bool> filter_used_;
  size_t parts_ = 0;
  std::string place_;  // of what is being compiled, for messages
};

Result<Update> Update::compile(Bytes update, Bytes array_filters, const DocumentLimits& limits) {
  return UpdateCompiler(limits).compile(update, array_filters);
}

}  // namespace holdfast::core
