// Compiling updates: every operator's paths into one tree.
#include "core/update.h"

#include "core/value_order.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using Action = UpdateNode::Action;

class UpdateCompiler {
 public:
  explicit UpdateCompiler(const DocumentLimits& limits) { update_.limits_ = limits; }

  Result<Update> compile(Bytes text) {
    if (text.size() > Update::kMaxBytes)
      return fail(Code::kTooLarge, "the update has " + std::to_string(text.size()) + " bytes, at most " +
                                       std::to_string(Update::kMaxBytes) + " are allowed");
    // Two levels more than a document: {$set: {path: value}}.
    HF_CHECK_OK(msgpack::validate(text, {.max_depth = update_.limits_.depth + 2}));
    update_.text_.assign(text.begin(), text.end());
    HF_CHECK_OK(operators(Bytes(update_.text_.data(), update_.text_.size())));
    std::ranges::sort(entries_, [](const Entry& a, const Entry& b) {
      return std::ranges::lexicographical_compare(a.path.components(), b.path.components(),
                                                  [](auto& x, auto& y) { return visiting_order(x, y) < 0; });
    });
    HF_CHECK_OK(grow_tree(update_.root_, entries_, 0));
    return std::move(update_);
  }

 private:
  struct Entry {
    Path path;
    Action action;
    Bytes operand;
  };
  using Entries = std::span<const Entry>;

  Result<> operators(Bytes map) {
    Cursor at(map);
    Value head;
    if (!at.next(head) || head.kind != Kind::kMap) return fail(Code::kBadRequest, "an update must be a document");
    bool any_operator = false, any_field = false;
    for (uint32_t i = 0; i < head.count; ++i) {
      Bytes name;
      at.string(name);
      Bytes operands = at.raw();
      if (!name.starts_with('$')) {
        any_field = true;
        continue;
      }
      any_operator = true;
      HF_CHECK_OK(one_operator(name, operands));
    }
    if (any_operator && any_field)
      return fail(Code::kBadRequest, "an update mixes operators with fields: put the fields under $set");
    if (!any_operator)
      return fail(Code::kUnsupported,
                  "an update without operators replaces the document, which is not supported: use $set");
    return {};
  }

  Result<> one_operator(Bytes name, Bytes operands) {
    Action action;
    if (name == "$set")
      action = Action::kSet;
    else if (name == "$unset")
      action = Action::kUnset;
    else if (name == "$inc")
      action = Action::kIncrement;
    else
      return fail(Code::kUnsupported, Path::shown(name) + " in an update is not supported" + first_path(operands));
    Cursor at(operands);
    Value head;
    at.next(head);
    if (head.kind != Kind::kMap)
      return fail(Code::kBadRequest, Path::shown(name) + " takes a document of paths and values, not " +
                                         std::string(type_name(head.kind)));
    for (uint32_t i = 0; i < head.count; ++i) {
      Bytes path;
      at.string(path);
      HF_CHECK_OK(add(name, action, path, at.raw()));
    }
    return {};
  }

  static std::string first_path(Bytes operands) {
    Cursor at(operands);
    Value head;
    Bytes path;
    if (!at.next(head) || head.kind != Kind::kMap || head.count == 0 || !at.string(path)) return "";
    return " (at path " + Path::shown(path) + ")";
  }

  Result<> add(Bytes name, Action action, Bytes text, Bytes operand) {
    auto refuse = [&](Code code, std::string_view why) {
      return fail(code, Path::shown(name) + " at path " + Path::shown(text) + ": " + std::string(why));
    };
    if (entries_.size() == Update::kMaxPaths)
      return refuse(Code::kTooLarge, "an update has at most " + std::to_string(Update::kMaxPaths) + " paths");
    HF_TRY(path, Path::parse(text));
    parts_ += path.components().size();
    if (parts_ > Update::kMaxParts)
      return refuse(Code::kTooLarge,
                    "the paths of an update have at most " + std::to_string(Update::kMaxParts) + " parts together");
    for (const Path::Component& c : path.components()) {
      if (c.name.empty()) return refuse(Code::kBadRequest, "a part of the path is empty");
      if (c.name == "$" || c.name.starts_with("$["))
        return refuse(Code::kUnsupported, "positional operators are not supported");
      if (c.name.starts_with('$'))
        return refuse(Code::kBadRequest, "a field's name that begins with $ cannot be updated");
    }
    if (path.first().name == "_id") {
      if (action != Action::kSet || path.components().size() > 1) return refuse(Code::kBadRequest, "_id never changes");
      action = Action::kKeepId;
    }
    if (action == Action::kIncrement && !is_number(kind_of(operand)))
      return refuse(Code::kBadRequest,
                    "the increment must be a number, not " + std::string(type_name(kind_of(operand))));
    if (action == Action::kSet) {
      int depth = update_.limits_.depth - static_cast<int>(path.components().size());
      if (depth < 0 || !msgpack::validate(operand, {.max_depth = depth}))
        return refuse(Code::kTooLarge,
                      "the document would be nested more than " + std::to_string(update_.limits_.depth) + " deep");
    }
    entries_.push_back({std::move(path), action, operand});
    return {};
  }

  static Kind kind_of(Bytes value) {
    Value v;
    Cursor(value).next(v);
    return v.kind;
  }

  static Bytes prefix(const Path& path, size_t components) {
    Bytes last = path.components()[components - 1].name;
    return path.text().substr(0, static_cast<size_t>(last.data() + last.size() - path.text().data()));
  }

  // Makes the children of `node` from sorted entries that agree in their first `depth` components.
  Result<> grow_tree(UpdateNode& node, Entries entries, size_t depth) {
    node.creates = false;
    while (!entries.empty()) {
      const Path& path = entries.front().path;
      const Path::Component& field = path.components()[depth];
      auto same = std::ranges::find_if(entries, [&](const Entry& e) { return e.path.components()[depth] != field; });
      auto n = static_cast<size_t>(same - entries.begin());
      UpdateNode child{.field = field, .path = prefix(path, depth + 1)};
      // Sorting puts a path before those that go on from it.
      if (path.components().size() > depth + 1) {
        HF_CHECK_OK(grow_tree(child, entries.first(n), depth + 1));
      } else if (n > 1) {
        return fail(Code::kBadRequest, "the update's paths " + Path::shown(path.text()) + " and " +
                                           Path::shown(entries[1].path.text()) +
                                           " conflict: name each field once, and none inside another");
      } else {
        child.action = entries.front().action;
        child.operand = entries.front().operand;
        child.creates = child.action != Action::kUnset;
      }
      node.creates |= child.creates;
      node.children.push_back(std::move(child));
      entries = entries.subspan(n);
    }
    return {};
  }

  Update update_;
  std::vector<Entry> entries_;
  size_t parts_ = 0;
};

Result<Update> Update::compile(Bytes update, const DocumentLimits& limits) {
  return UpdateCompiler(limits).compile(update);
}

}  // namespace holdfast::core
