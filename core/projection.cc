#include "core/projection.h"

#include <fmt/core.h>

#include "core/operand.h"
#include "core/path.h"
#include "io/base/probe.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using msgpack::Writer;

namespace {

std::unexpected<Error> refuse(Code code, std::string_view why, Bytes path) {
  return fail(code, fmt::format("{}, in the projection at {}", why, Path::shown(path)));
}

/// Puts `head` where a container's parts begin in `out`.
void put_head(Buffer& out, size_t at, uint32_t count, bool is_map) {
  Buffer head;
  if (is_map)
    Writer(head).map(count);
  else
    Writer(head).array(count);
  out.insert(at, head);
}

}  // namespace

// ---- Compiling ----

Result<> Projection::add(Bytes text, Node leaf) {
  if (++paths_ > kMaxPaths) return refuse(Code::kTooLarge, fmt::format("a projection has at most {} paths", kMaxPaths), text);
  HF_TRY(path, Path::parse(text));
  Node* at = &root_;
  for (const Path::Component& c : path.components()) {
    if (c.name.empty()) return refuse(Code::kBadRequest, "a part of the path is empty", text);
    if (c.name.starts_with('$')) return refuse(Code::kUnsupported, "operators in paths are not supported", text);
    if (at != &root_ && at->action != Action::kDescend) return refuse(Code::kBadRequest, "one path of the projection lies inside another", text);
    auto child = std::ranges::find(at->children, c.name, &Node::name);
    if (child == at->children.end()) child = at->children.insert(at->children.end(), Node{.name = std::string(c.name)});
    at = &*child;
  }
  if (at->action != Action::kDescend || !at->children.empty())
    return refuse(Code::kBadRequest, "one path of the projection is another, or lies inside it", text);
  leaf.name = std::move(at->name);
  *at = std::move(leaf);
  return {};
}

Result<Projection::Node> Projection::slice(Bytes path, Bytes operand) {
  Cursor at(operand);
  Value head, first, second;
  at.next(head);
  Node node{.action = Action::kSlice};
  if (head.kind == Kind::kArray && head.count == 2 && at.next(first) && !first.is_container() && at.next(second)) {
    auto skip = whole_number(first), count = whole_number(second);
    if (!skip || !count || *count <= 0) return refuse(Code::kBadRequest, "$slice takes [skip, count], whole numbers, the count above 0", path);
    node.skip = *skip;
    node.count = static_cast<uint64_t>(*count);
    return node;
  }
  auto n = whole_number(head);
  if (!n) return refuse(Code::kBadRequest, "$slice takes a whole number, or [skip, count]", path);
  if (*n < 0)
    node.skip = *n;
  else
    node.count = static_cast<uint64_t>(*n);
  return node;
}

/// 1 or true, 0 or false, or {$slice: …}.
Result<> Projection::add_value(Bytes path, Bytes value) {
  Cursor at(value);
  Value v;
  at.next(v);
  if (v.kind == Kind::kMap) {
    Bytes name;
    if (v.count != 1 || !at.string(name) || name != "$slice")
      return refuse(Code::kUnsupported, fmt::format("{} is not supported, only 1, 0 and $slice", name.empty() ? Bytes("a document") : Bytes(Path::shown(name))), path);
    HF_TRY(node, slice(path, at.raw()));
    return add(path, std::move(node));
  }
  bool yes;
  if (v.kind == Kind::kBool)
    yes = v.boolean;
  else if (v.kind == Kind::kUint || v.kind == Kind::kInt)
    yes = v.u != 0;
  else if (v.kind == Kind::kFloat)
    yes = v.f != 0;
  else
    return refuse(Code::kUnsupported, "computed fields are not supported, only 1, 0 and $slice", path);
  if (path == "_id") {
    keeps_id_ = yes;
    includes_ |= yes && paths_ == 0;
    return {};
  }
  return add(path, Node{.action = yes ? Action::kInclude : Action::kExclude});
}

namespace {

template <class Node>
void kinds(const Node& node, bool& any_include, bool& any_exclude) {
  using Action = decltype(node.action);
  for (const Node& c : node.children) {
    any_include |= c.action == Action::kInclude;
    any_exclude |= c.action == Action::kExclude;
    kinds(c, any_include, any_exclude);
  }
}

}  // namespace

Result<Projection> Projection::compile(Bytes projection) {
  HF_CHECK_OK(msgpack::validate(projection));
  Projection out;
  Cursor at(projection);
  Value head;
  at.next(head);
  if (head.kind == Kind::kNil) return out;
  if (head.kind != Kind::kMap) return fail(Code::kBadRequest, "a projection is a document of paths and 1 or 0");
  bool id_alone = false;
  for (uint32_t i = 0; i < head.count; ++i) {
    Bytes path;
    at.string(path);
    id_alone |= path == "_id";
    HF_CHECK_OK(out.add_value(path, at.raw()));
  }
  bool any_include = false, any_exclude = false;
  kinds(out.root_, any_include, any_exclude);
  if (any_include && any_exclude) return fail(Code::kBadRequest, "a projection either includes fields or excludes them, but for _id");
  // {_id: 1} alone includes nothing else.
  out.includes_ = any_include || (id_alone && out.keeps_id_ && !any_exclude && head.count == 1);
  return out;
}

Result<Projection> Projection::of_fields(Bytes paths) {
  HF_CHECK_OK(msgpack::validate(paths, {.max_depth = 2}));
  Projection out;
  Cursor at(paths);
  Value head;
  at.next(head);
  if (head.kind != Kind::kArray) return fail(Code::kBadRequest, "fields is an array of paths");
  for (uint32_t i = 0; i < head.count; ++i) {
    Bytes path;
    if (!at.string(path)) return fail(Code::kBadRequest, "fields is an array of paths, strings");
    if (path != "_id") HF_CHECK_OK(out.add(path, Node{.action = Action::kInclude}));
  }
  out.includes_ = head.count > 0;
  return out;
}

// ---- Applying ----

/// Appends what is left of the value of a field that `node` names; false when nothing is.
bool Projection::field(const Node& node, Bytes value, Buffer& out) const {
  switch (node.action) {
    case Action::kExclude: return false;
    case Action::kInclude: out.append(value); return true;
    case Action::kSlice: sliced(node, value, out); return true;
    case Action::kDescend: break;
  }
  Value head;
  Cursor(value).next(head);
  if (head.kind == Kind::kMap)
    map(node, value, false, out);
  else if (head.kind == Kind::kArray)
    array(node, value, out);
  else if (includes_)
    return false;
  else
    out.append(value);
  return true;
}

void Projection::map(const Node& node, Bytes value, bool top, Buffer& out) const {
  Cursor at(value);
  Value head;
  at.next(head);
  size_t begin = out.size();
  uint32_t count = 0;
  for (uint32_t i = 0; i < head.count; ++i) {
    size_t key_at = value.size() - at.remaining();
    Bytes key;
    if (!at.string(key)) break;
    Bytes whole_key = value.substr(key_at, value.size() - at.remaining() - key_at);
    Bytes inner = at.raw();
    size_t undo = out.size();
    out.append(whole_key);
    bool kept;
    if (top && key == "_id") {
      if ((kept = keeps_id_ && !MUTANT("projection-drops-the-id"))) out.append(inner);
    } else if (auto child = std::ranges::find(node.children, key, &Node::name); child != node.children.end()) {
      kept = field(*child, inner, out);
    } else if ((kept = !includes_)) {
      out.append(inner);
    }
    if (kept)
      ++count;
    else
      out.resize(undo);
  }
  put_head(out, begin, count, true);
}

void Projection::array(const Node& node, Bytes value, Buffer& out) const {
  Cursor at(value);
  Value head;
  at.next(head);
  size_t begin = out.size();
  uint32_t count = 0;
  for (uint32_t i = 0; i < head.count; ++i) {
    Bytes element = at.raw();
    if (element.empty()) break;
    count += field(node, element, out);
  }
  put_head(out, begin, count, false);
}

void Projection::sliced(const Node& node, Bytes value, Buffer& out) {
  Cursor at(value);
  Value head;
  at.next(head);
  if (head.kind != Kind::kArray) {
    out.append(value);
    return;
  }
  auto all = static_cast<int64_t>(head.count);
  int64_t from = node.skip < 0 ? std::max<int64_t>(0, all + node.skip) : std::min(node.skip, all);
  auto left = static_cast<uint64_t>(all - from);
  uint64_t count = node.count ? std::min(*node.count, left) : left;
  for (int64_t i = 0; i < from; ++i) at.skip();
  size_t begin = value.size() - at.remaining();
  for (uint64_t i = 0; i < count; ++i) at.skip();
  Writer(out).array(static_cast<uint32_t>(count));
  out.append(value.substr(begin, value.size() - at.remaining() - begin));
}

Buffer Projection::apply(Bytes document) const {
  Buffer out;
  map(root_, document, true, out);
  return out;
}

}  // namespace holdfast::core
