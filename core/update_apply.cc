// The walk of an update over the tree of actions and the document: maps, arrays, what is missing, where paths may go.
#include <fmt/core.h>

#include <algorithm>

#include "core/update_applier.h"
#include "core/update_positional.h"
#include "core/value_order.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using Creates = UpdateNode::Creates;
using Demands = UpdateNode::Demands;

namespace {

const UpdateNode* find_child(const UpdateNode& node, Bytes name) {
  constexpr size_t kFew = 8;
  if (node.children.size() <= kFew) {
    for (const UpdateNode& c : node.children)
      if (c.field.name == name) return &c;
    return nullptr;
  }
  auto wanted = Path::component(name);
  auto it = std::ranges::lower_bound(
      node.children, wanted, [](auto& a, auto& b) { return visiting_order(a, b) < 0; }, &UpdateNode::field);
  return it != node.children.end() && it->field.name == name ? &*it : nullptr;
}

// One field that a child names, as offsets into the map's bytes.
struct Field {
  const UpdateNode* child;
  size_t key, value, end;
};
struct Fields {
  uint32_t count = 0;          // of all fields
  size_t body = 0;             // where the first key begins
  std::vector<Field> touched;  // in the document's order
  std::vector<char> found;     // per child
};

// False on bytes that are no map.
bool find_fields(const UpdateNode& node, Bytes old, Fields& fields) {
  Cursor at(old);
  auto position = [&] { return old.size() - at.remaining(); };
  Value head;
  if (!at.next(head) || head.kind != Kind::kMap) return false;
  fields.count = head.count;
  fields.body = position();
  fields.found.resize(node.children.size());
  for (uint32_t i = 0; i < head.count && fields.touched.size() < node.children.size(); ++i) {
    size_t key_at = position();
    Bytes key;
    if (!at.string(key)) return false;
    size_t value_at = position();
    if (!at.skip()) return false;
    const UpdateNode* child = find_child(node, key);
    if (child == nullptr) continue;
    fields.touched.push_back({child, key_at, value_at, position()});
    fields.found[static_cast<size_t>(child - node.children.data())] = true;
  }
  return true;
}

}  // namespace

Result<> UpdateApplier::map(const UpdateNode& node, Bytes old) {
  Fields fields;
  if (!find_fields(node, old, fields)) return corrupt();
  uint32_t count = fields.count;
  for (const Field& f : fields.touched) count -= removes(*f.child);
  for (size_t i = 0; i < node.children.size(); ++i) count += !fields.found[i] && creates(node.children[i]);
  if (count == fields.count)
    out_.append(old.substr(0, fields.body));
  else
    msgpack::Writer(out_).map(count);

  size_t copied = fields.body;
  for (const Field& f : fields.touched) {
    bool removed = removes(*f.child);
    out_.append(old.substr(copied, (removed ? f.key : f.value) - copied));
    if (!removed) HF_CHECK_OK(present(*f.child, old.substr(f.value, f.end - f.value)));
    copied = f.end;
    changed_ |= removed;
  }
  out_.append(old.substr(copied));
  for (size_t i = 0; i < node.children.size(); ++i)
    if (!fields.found[i]) HF_CHECK_OK(missing_field(node.children[i]));
  return {};
}

Result<> UpdateApplier::array(const UpdateNode& node, Bytes old, uint32_t count) {
  HF_TRY(new_count, count_after(node, count));
  Cursor at(old);
  Value head;
  at.next(head);
  auto position = [&] { return old.size() - at.remaining(); };
  if (new_count == count)
    out_.append(old.substr(0, position()));
  else
    msgpack::Writer(out_).array(new_count);

  auto child = node.children.begin();
  size_t copied = position();
  uint32_t i = 0;
  for (; child != node.children.end() && child->field.position < count; ++child) {
    for (; i < child->field.position; ++i)
      if (!at.skip()) return corrupt();
    size_t value = position();
    if (!at.skip()) return corrupt();
    ++i;
    out_.append(old.substr(copied, value - copied));
    copied = position();
    HF_CHECK_OK(present(*child, old.substr(value, copied - value)));
  }
  out_.append(old.substr(copied));
  return missing_elements({child, node.children.end()}, count);
}

Result<uint32_t> UpdateApplier::count_after(const UpdateNode& node, uint32_t count) const {
  uint32_t after = count;
  for (const UpdateNode& c : node.children) {
    if (!c.field.is_position()) HF_CHECK_OK(enter(c, Kind::kArray));
    if (c.field.position >= count) HF_CHECK_OK(check_may_be_missing(c));
    if (creates(c) && c.field.position >= after) {
      HF_CHECK_OK(check_padding(c, c.field.position - count));
      after = c.field.position + 1;
    }
  }
  return after;
}

Result<> UpdateApplier::descend(const UpdateNode& node, Bytes old) {
  Value head;
  if (!Cursor(old).next(head)) return corrupt();
  if (node.on_elements()) {
    if (head.kind == Kind::kArray) return elements(node, old, head.count);
    if (demands_array(node)) return no_array(node, fmt::format("holds {}", type_name(head.kind)));
    out_.append(old);
    return {};
  }
  if (head.kind == Kind::kMap) return map(node, old);
  if (head.kind == Kind::kArray) return array(node, old, head.count);
  for (const UpdateNode& c : node.children) HF_CHECK_OK(enter(c, head.kind));
  out_.append(old);
  return {};
}

// ---- Where there is nothing ----

Result<> UpdateApplier::missing_field(const UpdateNode& child) {
  HF_CHECK_OK(check_may_be_missing(child));
  if (!creates(child)) return {};
  msgpack::Writer(out_).string(child.field.name);
  return missing(child);
}

Result<> UpdateApplier::missing_map(const UpdateNode& node) {
  auto count = std::ranges::count_if(node.children, [&](const UpdateNode& c) { return creates(c); });
  msgpack::Writer(out_).map(static_cast<uint32_t>(count));
  for (const UpdateNode& c : node.children) HF_CHECK_OK(missing_field(c));
  return {};
}

Result<> UpdateApplier::missing_elements(std::span<const UpdateNode> children, uint32_t count) {
  uint32_t size = count;
  for (const UpdateNode& c : children) {
    if (!creates(c)) continue;
    uint32_t padding = c.field.position - size;
    HF_CHECK_OK(check_document_size(out_.size() + padding, limits_));
    out_.append(padding, '\xc0');
    size = c.field.position + 1;
    HF_CHECK_OK(missing(c));
  }
  return {};
}

// ---- Where paths may go ----

bool UpdateApplier::creates(const UpdateNode& node) const {
  if (node.creates != Creates::kDepends) return node.creates == Creates::kAlways;
  if (node.action == Action::kSetOnInsert) return context_.insert;
  if (node.action == Action::kRenameTo) return !moved_[node.rename].empty();
  return std::ranges::any_of(node.children, [&](const UpdateNode& c) { return creates(c); });
}

bool UpdateApplier::removes(const UpdateNode& node) const {
  return node.action == Action::kUnset || (node.action == Action::kRenameFrom && !moved_[node.rename].empty());
}

bool UpdateApplier::demands_array(const UpdateNode& node) const {
  return node.demands == Demands::kArrays || (node.demands == Demands::kArraysOnInsert && context_.insert);
}

const UpdateNode* UpdateApplier::must_arrive(const UpdateNode& node) const {
  if (node.on_elements() && demands_array(node)) return &first_leaf(node);
  if (!demands_array(node) && !node.refuses_scalars && !creates(node)) return nullptr;
  if (node.children.empty()) return &node;
  for (const UpdateNode& c : node.children)
    if (const UpdateNode* found = must_arrive(c)) return found;
  return nullptr;
}

Result<> UpdateApplier::check_may_be_missing(const UpdateNode& node) const {
  if (!demands_array(node)) return {};
  const UpdateNode* at = &node;
  while (!at->on_elements())
    at = &*std::ranges::find_if(at->children, [&](const UpdateNode& c) { return demands_array(c); });
  return no_array(*at, "is missing");
}

Result<> UpdateApplier::check_padding(const UpdateNode& node, uint32_t padding) const {
  if (padding <= Update::kMaxPadding) return {};
  const UpdateNode& leaf = *must_arrive(node);
  return fail(Code::kTooLarge, fmt::format("{}: {} lies {} elements behind the array's end, at most {} are filled up "
                                           "with null",
                                           place(leaf.action, leaf.path), Path::shown(node.path), padding,
                                           Update::kMaxPadding));
}

Result<> UpdateApplier::enter(const UpdateNode& child, Kind kind) const {
  const UpdateNode* leaf = must_arrive(child);
  if (leaf == nullptr) return {};
  Bytes parent = child.path.substr(0, child.path.rfind('.'));
  return fail(Code::kBadRequest,
              fmt::format("{}: {} holds {}, which has no field {}", place(leaf->action, leaf->path),
                          Path::shown(parent), type_name(kind), Path::shown(child.field.name)));
}

// ---- Messages ----

std::string UpdateApplier::place(Action action, Bytes path) {
  return fmt::format("{} at path {}", operator_name(action), Path::shown(path));
}

std::unexpected<Error> UpdateApplier::corrupt() {
  return fail(Code::kCorrupt, "a stored document is not well-formed MessagePack");
}

std::unexpected<Error> UpdateApplier::no_array(const UpdateNode& node, std::string_view but) {
  const UpdateNode& leaf = first_leaf(node);
  return fail(Code::kBadRequest,
              fmt::format("{}: {} must be an array of this document, but {}", place(leaf.action, leaf.path),
                          Path::shown(node.path), but));
}

// ---- The whole ----

Result<Update::Applied> Update::apply(Bytes document, const UpdateContext& context) const {
  if (replaces_) return replace(document, context);
  std::string digits;
  UpdateNode positioned;
  if (needs_position()) {
    if (!context.position)
      return fail(Code::kBadRequest, fmt::format("{}: the query matched through no array, so that $ stands for no position",
                                                 matched_place_));
    digits = std::to_string(*context.position);
    HF_TRY(root, with_position(root_, Path::component(digits)));
    positioned = std::move(root);
  }
  Applied applied;
  applied.document.reserve(document.size() + text_.size());
  UpdateApplier applier(limits_, filters_, context, applied.document);
  HF_CHECK_OK(applier.look_up(renames_, document));
  HF_CHECK_OK(applier.map(needs_position() ? positioned : root_, document));
  HF_CHECK_OK(check_document_size(applied.document.size(), limits_));
  if (applier.changed()) applied.outcome = Outcome::kChanged;
  return applied;
}

// The text with the document's `_id`: in place of an equal one, else in front.
Result<Update::Applied> Update::replace(Bytes document, const UpdateContext& context) const {
  Bytes text(text_.data(), text_.size());
  std::optional<Bytes> old_id = find_id(document), new_id = find_id(text);
  if (!old_id && !context.insert) return fail(Code::kCorrupt, "a stored document has no _id");
  if (old_id && new_id && !equal(*old_id, *new_id))
    return fail(Code::kBadRequest,
                "the new document has another _id: _id never changes; delete the document and insert another");
  Applied applied;
  Buffer& out = applied.document;
  if (!old_id) {
    out = text;
  } else if (new_id) {
    auto at = static_cast<size_t>(new_id->data() - text.data());
    out.append(text.substr(0, at)).append(*old_id).append(text.substr(at + new_id->size()));
  } else {
    Cursor at(text);
    Value head;
    at.next(head);
    msgpack::Writer(out).map(head.count + 1).string("_id").raw(*old_id).raw(text.substr(text.size() - at.remaining()));
  }
  HF_CHECK_OK(check_document_size(out.size(), limits_));
  if (out != document) applied.outcome = Outcome::kChanged;
  return applied;
}

}  // namespace holdfast::core
