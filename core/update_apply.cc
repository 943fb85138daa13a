// Applying updates: one walk over the tree of actions and the document.
#include "core/increment.h"
#include "core/update.h"
#include "core/value_order.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using Action = UpdateNode::Action;

namespace {

std::unexpected<Error> corrupt() { return fail(Code::kCorrupt, "a stored document is not well-formed MessagePack"); }

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

// Appends the new version of a document, part by part. On an error what was appended means nothing.
class Applier {
 public:
  Applier(const DocumentLimits& limits, Buffer& out) : limits_(limits), out_(out) {}

  // The map `old` (its whole bytes) with the children of `node` applied.
  Result<> map(const UpdateNode& node, Bytes old) {
    Fields fields;
    if (!find_fields(node, old, fields)) return corrupt();
    uint32_t count = fields.count - fields.removed;
    for (size_t i = 0; i < node.children.size(); ++i) count += !fields.found[i] && node.children[i].creates;
    if (count == fields.count)
      out_.append(old.substr(0, fields.body));
    else
      msgpack::Writer(out_).map(count);

    size_t copied = fields.body;
    for (const Field& f : fields.touched) {
      bool removed = f.child->action == Action::kUnset;
      out_.append(old.substr(copied, (removed ? f.key : f.value) - copied));
      if (!removed) HF_CHECK_OK(present(*f.child, old.substr(f.value, f.end - f.value)));
      copied = f.end;
      changed_ |= removed;
    }
    out_.append(old.substr(copied));
    for (size_t i = 0; i < node.children.size(); ++i) {
      if (fields.found[i] || !node.children[i].creates) continue;
      msgpack::Writer(out_).string(node.children[i].field.name);
      HF_CHECK_OK(missing(node.children[i]));
    }
    return {};
  }

  bool changed() const { return changed_; }

 private:
  // One field that a child names, as offsets into the map's bytes.
  struct Field {
    const UpdateNode* child;
    size_t key, value, end;
  };
  struct Fields {
    uint32_t count = 0;
    uint32_t removed = 0;
    size_t body = 0;             // where the first key begins
    std::vector<Field> touched;  // in the document's order
    std::vector<char> found;     // per child
  };

  static bool find_fields(const UpdateNode& node, Bytes old, Fields& fields) {
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
      fields.removed += child->action == Action::kUnset;
    }
    return true;
  }

  // The array `old` with the children of `node` applied: those that name a position, in the order of positions.
  Result<> array(const UpdateNode& node, Bytes old, uint32_t count) {
    const auto& children = node.children;
    uint32_t new_count = count;
    for (const UpdateNode& c : children) {
      if (!c.creates) continue;
      if (!c.field.is_position()) return cannot_enter(c, Kind::kArray);
      if (c.field.position >= new_count) {
        HF_CHECK_OK(check_padding(c, c.field.position - count));
        new_count = c.field.position + 1;
      }
    }
    Cursor at(old);
    Value head;
    at.next(head);
    auto position = [&] { return old.size() - at.remaining(); };
    if (new_count == count)
      out_.append(old.substr(0, position()));
    else
      msgpack::Writer(out_).array(new_count);

    auto child = children.begin();
    size_t copied = position();
    uint32_t i = 0;
    for (; child != children.end() && child->field.position < count; ++child) {
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
    uint32_t size = count;
    for (; child != children.end(); ++child) {
      if (!child->creates) continue;
      uint32_t padding = child->field.position - size;
      HF_CHECK_OK(check_document_size(out_.size() + padding, limits_));
      out_.append(padding, '\xc0');
      size = child->field.position + 1;
      HF_CHECK_OK(missing(*child));
    }
    return {};
  }

  // The value `old` is there: appends what becomes of it. An element is unset to null, since others must keep their
  // positions.
  Result<> present(const UpdateNode& node, Bytes old) {
    switch (node.action) {
      case Action::kSet:
        return replace(old, node.operand);
      case Action::kUnset:
        return replace(old, "\xc0");
      case Action::kIncrement:
        return increment(node, old);
      case Action::kKeepId:
        if (!equal(old, node.operand))
          return fail(Code::kBadRequest, "$set at path _id: _id never changes; delete the document and insert another");
        out_.append(old);
        return {};
      case Action::kDescend:
        return descend(node, old);
    }
    return corrupt();
  }

  Result<> replace(Bytes old, Bytes value) {
    changed_ |= old != value;
    out_.append(value);
    return {};
  }

  Result<> descend(const UpdateNode& node, Bytes old) {
    Value head;
    if (!Cursor(old).next(head)) return corrupt();
    if (head.kind == Kind::kMap) return map(node, old);
    if (head.kind == Kind::kArray) return array(node, old, head.count);
    if (node.creates) return cannot_enter(*std::ranges::find_if(node.children, &UpdateNode::creates), head.kind);
    out_.append(old);
    return {};
  }

  Result<> increment(const UpdateNode& node, Bytes old) {
    Value number, by;
    if (!Cursor(old).next(number) || !Cursor(node.operand).next(by)) return corrupt();
    if (!is_number(number.kind))
      return fail(Code::kBadRequest, "$inc at path " + Path::shown(node.path) + ": the field holds " +
                                         std::string(type_name(number.kind)) + ", not a number");
    size_t start = out_.size();
    HF_CHECK_OK(append_sum(out_, number, by, node.path));
    Value sum;
    Cursor(Bytes(out_).substr(start)).next(sum);
    bool same_type = (sum.kind == Kind::kFloat) == (number.kind == Kind::kFloat);
    if (same_type && compare_scalars(sum, number) == 0) {
      out_.resize(start);
      out_.append(old);
    } else {
      changed_ = true;
    }
    return {};
  }

  // The value is not there: appends the one to be made.
  Result<> missing(const UpdateNode& node) {
    changed_ = true;
    switch (node.action) {
      case Action::kSet:
        out_.append(node.operand);
        return {};
      case Action::kIncrement: {
        Value by;
        Cursor(node.operand).next(by);
        append_computed(out_, by);
        return {};
      }
      case Action::kDescend: {
        auto count = std::ranges::count_if(node.children, &UpdateNode::creates);
        msgpack::Writer(out_).map(static_cast<uint32_t>(count));
        for (const UpdateNode& c : node.children) {
          if (!c.creates) continue;
          msgpack::Writer(out_).string(c.field.name);
          HF_CHECK_OK(missing(c));
        }
        return {};
      }
      case Action::kKeepId:
      case Action::kUnset:
        break;
    }
    return corrupt();  // only a document without _id comes here
  }

  // `padding` is at most what lies between the array's end and the new element.
  static Result<> check_padding(const UpdateNode& node, uint32_t padding) {
    if (padding <= Update::kMaxPadding) return {};
    return fail(Code::kTooLarge, "path " + Path::shown(node.path) + " lies " + std::to_string(padding) +
                                     " elements behind the array's end, at most " +
                                     std::to_string(Update::kMaxPadding) + " are filled up with null");
  }

  static Result<> cannot_enter(const UpdateNode& child, Kind kind) {
    Bytes parent = child.path.substr(0, child.path.size() - child.field.name.size() - 1);
    return fail(Code::kBadRequest, "cannot make the field " + Path::shown(child.field.name) + " at path " +
                                       Path::shown(child.path) + ": " + Path::shown(parent) + " holds " +
                                       std::string(type_name(kind)));
  }

  const DocumentLimits& limits_;
  Buffer& out_;
  bool changed_ = false;
};

}  // namespace

Result<Update::Applied> Update::apply(Bytes document) const {
  Applied applied;
  applied.document.reserve(document.size() + text_.size());
  Applier applier(limits_, applied.document);
  HF_CHECK_OK(applier.map(root_, document));
  HF_CHECK_OK(check_document_size(applied.document.size(), limits_));
  if (applier.changed()) applied.outcome = Outcome::kChanged;
  return applied;
}

}  // namespace holdfast::core
