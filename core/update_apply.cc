// Applying updates: one walk over the tree of actions and the document.
#include <fmt/core.h>

#include "core/increment.h"
#include "core/operand.h"
#include "core/update.h"
#include "core/update_array.h"
#include "core/update_positional.h"
#include "core/value_order.h"
#include "io/base/probe.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using Action = UpdateNode::Action;
using Creates = UpdateNode::Creates;
using Demands = UpdateNode::Demands;
using Part = UpdateNode::Part;

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

std::string place(Action action, Bytes path) {
  return fmt::format("{} at path {}", operator_name(action), Path::shown(path));
}

// Appends the new version of a document, part by part. On an error what was appended means nothing.
class Applier {
 public:
  Applier(const DocumentLimits& limits, std::span<const ArrayFilter> filters, const UpdateContext& context, Buffer& out)
      : limits_(limits), filters_(filters), context_(context), out_(out) {}

  // Looks up what is to be moved. Comes first.
  Result<> look_up(std::span<const Update::Rename> renames, Bytes document) {
    for (const Update::Rename& rename : renames) {
      FoundValue from = find_value(rename.from.components(), document);
      moved_.push_back(from.value);
      if (from.value.empty()) continue;
      FoundValue to = find_value(rename.to.components(), document);
      if (from.in_array || to.in_array)
        return fail(Code::kBadRequest, fmt::format("{} to {}: {} lies in an array",
                                                   place(Action::kRenameFrom, rename.from.text()),
                                                   Path::shown(rename.to.text()),
                                                   Path::shown((from.in_array ? rename.from : rename.to).text())));
      int depth = limits_.depth - static_cast<int>(rename.to.components().size());
      if (!msgpack::validate(from.value, {.max_depth = depth, .string_keys = false, .distinct_keys = false}))
        return fail(Code::kTooLarge, fmt::format("{}: the document would be nested more than {} deep",
                                                 place(Action::kRenameFrom, rename.from.text()), limits_.depth));
    }
    return {};
  }

  // The map `old` (its whole bytes) with the children of `node` applied.
  Result<> map(const UpdateNode& node, Bytes old) {
    Fields fields;
    if (!find_fields(node, old, fields)) return corrupt();
    uint32_t count = fields.count - fields.removed;
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
    for (size_t i = 0; i < node.children.size(); ++i) {
      if (fields.found[i]) continue;
      HF_CHECK_OK(check_may_be_missing(node.children[i]));
      if (!creates(node.children[i])) continue;
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

  // Whether the field is made when it is missing.
  bool creates(const UpdateNode& node) const {
    if (node.creates != Creates::kDepends) return node.creates == Creates::kAlways;
    if (node.action == Action::kSetOnInsert) return context_.insert;
    if (node.action == Action::kRenameTo) return !moved_[node.rename].empty();
    return std::ranges::any_of(node.children, [&](const UpdateNode& c) { return creates(c); });
  }
  bool removes(const UpdateNode& node) const {
    return node.action == Action::kUnset || (node.action == Action::kRenameFrom && !moved_[node.rename].empty());
  }
  // Whether there must be an array at or below `node`.
  bool demands_array(const UpdateNode& node) const {
    return node.demands == Demands::kArrays || (node.demands == Demands::kArraysOnInsert && context_.insert);
  }
  // The first action at or below `node` that must get there.
  const UpdateNode* must_arrive(const UpdateNode& node) const {
    if (node.on_elements() && demands_array(node)) return &first_leaf(node);
    if (!demands_array(node) && !node.refuses_scalars && !creates(node)) return nullptr;
    if (node.children.empty()) return &node;
    for (const UpdateNode& c : node.children)
      if (const UpdateNode* found = must_arrive(c)) return found;
    return nullptr;
  }

  bool find_fields(const UpdateNode& node, Bytes old, Fields& fields) const {
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
      fields.removed += removes(*child);
    }
    return true;
  }

  // The array `old` with the children of `node` applied: those that name a position, in the order of positions.
  Result<> array(const UpdateNode& node, Bytes old, uint32_t count) {
    const auto& children = node.children;
    uint32_t new_count = count;
    for (const UpdateNode& c : children) {
      if (!c.field.is_position()) HF_CHECK_OK(enter(c, Kind::kArray));
      if (c.field.position >= count) HF_CHECK_OK(check_may_be_missing(c));
      if (creates(c) && c.field.position >= new_count) {
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
      if (!creates(*child)) continue;
      uint32_t padding = child->field.position - size;
      HF_CHECK_OK(check_document_size(out_.size() + padding, limits_));
      out_.append(padding, '\xc0');
      size = child->field.position + 1;
      HF_CHECK_OK(missing(*child));
    }
    return {};
  }

  // What several children together do to one element. The last of them is kept, since the next element is often alike.
  struct Joined {
    std::vector<const UpdateNode*> parts;
    UpdateNode node;
  };

  // The array `old` with the children of `node`, which are `$[]` and `$[id]`, applied to its elements.
  Result<> elements(const UpdateNode& node, Bytes old, uint32_t count) {
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

  // The children that address the element.
  Result<> find_hits(const UpdateNode& node, Bytes element, std::vector<const UpdateNode*>& hits) {
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

  Result<> join(const UpdateNode& node, const std::vector<const UpdateNode*>& hits, Joined& joined) {
    constexpr uint64_t kCopying = 8;  // copying a node costs as much as so many visits
    for (const UpdateNode* hit : hits) HF_CHECK_OK(spend(node, kCopying * hit->weight));
    HF_TRY(together, merged(hits));
    joined = {hits, std::move(together)};
    return {};
  }

  Result<> spend(const UpdateNode& node, uint64_t steps) {
    steps_ += steps;
    if (steps_ <= Update::kMaxSteps) return {};
    const UpdateNode& leaf = first_leaf(node);
    return fail(Code::kTooLarge,
                fmt::format("{}: elements times array filters and paths pass {} steps: change fewer elements or fields at "
                            "once",
                            place(leaf.action, leaf.path), Update::kMaxSteps));
  }

  // The value `old` is there: appends what becomes of it. An element is unset to null, since others must keep their
  // positions.
  Result<> present(const UpdateNode& node, Bytes old) {
    switch (node.action) {
      case Action::kSet:
        return replace(old, node.operand);
      case Action::kSetOnInsert:
        if (context_.insert) return node.path == "_id" ? keep_id(node, old) : replace(old, node.operand);
        return replace(old, old);
      case Action::kUnset:
        return replace(old, "\xc0");
      case Action::kIncrement:
      case Action::kMultiply:
        return compute(node, old);
      case Action::kMin:
        return replace(old, compare(node.operand, old) < 0 ? node.operand : old);
      case Action::kMax:
        return replace(old, compare(node.operand, old) > 0 || MUTANT("max-replaces-always") ? node.operand : old);
      case Action::kBit:
        return change_bits(node, old);
      case Action::kCurrentDate:
        return replace(old, date());
      case Action::kRenameFrom:  // of nothing: what is to be moved was found by the fields around it
        return replace(old, old);
      case Action::kRenameTo:
        return replace(old, moved_[node.rename].empty() ? old : moved_[node.rename]);
      case Action::kPush:
      case Action::kAddToSet:
      case Action::kPull:
      case Action::kPullAll:
      case Action::kPop:
        return change_array(node, old);
      case Action::kKeepId:
        return keep_id(node, old);
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

  Result<> keep_id(const UpdateNode& node, Bytes old) {
    if (!equal(old, node.operand))
      return fail(Code::kBadRequest, fmt::format("{}: _id never changes; delete the document and insert another",
                                                 place(node.action, node.path)));
    out_.append(old);
    return {};
  }

  static std::unexpected<Error> wrong_type(const UpdateNode& node, Kind there, std::string_view wanted) {
    return fail(Code::kBadRequest, fmt::format("{}: the field holds {}, not {}", place(node.action, node.path),
                                               type_name(there), wanted));
  }

  Result<> compute(const UpdateNode& node, Bytes old) {
    Value number, by;
    if (!Cursor(old).next(number) || !Cursor(node.operand).next(by)) return corrupt();
    if (!is_number(number.kind)) {
      if (MUTANT("failing-increment-is-left-out")) return replace(old, old);
      return wrong_type(node, number.kind, "a number");
    }
    size_t start = out_.size();
    HF_CHECK_OK(node.action == Action::kIncrement ? append_sum(out_, number, by, node.path)
                                                  : append_product(out_, number, by, node.path));
    keep_equal(old, number, start);
    return {};
  }

  Result<> change_bits(const UpdateNode& node, Bytes old) {
    Value number;
    if (!Cursor(old).next(number)) return corrupt();
    std::optional<int64_t> n = signed_integer(number);
    if (!n) return wrong_type(node, number.kind, "a signed integer of 64 bits");
    size_t start = out_.size();
    append_bits(out_, *n, node.operand);
    keep_equal(old, number, start);
    return {};
  }

  // Takes the old bytes back if the number appended at `start` is equal, and of the same kind.
  void keep_equal(Bytes old, const Value& before, size_t start) {
    Value after;
    Cursor(Bytes(out_).substr(start)).next(after);
    bool same_type = (after.kind == Kind::kFloat) == (before.kind == Kind::kFloat);
    if (same_type && compare_scalars(after, before) == 0) {
      out_.resize(start);
      out_.append(old);
    } else {
      changed_ = true;
    }
  }

  Result<> change_array(const UpdateNode& node, Bytes old) {
    Value head;
    if (!Cursor(old).next(head)) return corrupt();
    if (head.kind != Kind::kArray) return wrong_type(node, head.kind, "an array");
    size_t start = out_.size();
    HF_CHECK_OK(append_updated_array(node, old, out_));
    changed_ |= Bytes(out_).substr(start) != old;
    return {};
  }

  Buffer date() const {
    Buffer time;
    append_time(time, context_.now);
    return time;
  }

  // The value is not there: appends the one to be made.
  Result<> missing(const UpdateNode& node) {
    changed_ = true;
    Value operand;
    Cursor(node.operand).next(operand);
    switch (node.action) {
      case Action::kSet:
      case Action::kSetOnInsert:
      case Action::kMin:
      case Action::kMax:
        out_.append(node.operand);
        return {};
      case Action::kIncrement:
        append_computed(out_, operand);
        return {};
      case Action::kMultiply:
        append_zero(out_, operand);
        return {};
      case Action::kBit:
        append_bits(out_, 0, node.operand);
        return {};
      case Action::kCurrentDate:
        append_time(out_, context_.now);
        return {};
      case Action::kRenameTo:
        out_.append(moved_[node.rename]);
        return {};
      case Action::kPush:
      case Action::kAddToSet:
        return append_updated_array(node, "\x90", out_);
      case Action::kDescend: {
        auto count = std::ranges::count_if(node.children, [&](const UpdateNode& c) { return creates(c); });
        msgpack::Writer(out_).map(static_cast<uint32_t>(count));
        for (const UpdateNode& c : node.children) {
          HF_CHECK_OK(check_may_be_missing(c));
          if (!creates(c)) continue;
          msgpack::Writer(out_).string(c.field.name);
          HF_CHECK_OK(missing(c));
        }
        return {};
      }
      case Action::kKeepId:
        if (!context_.insert) break;  // only a document without _id comes here
        out_.append(node.operand);
        return {};
      case Action::kUnset:
      case Action::kRenameFrom:
      case Action::kPull:
      case Action::kPullAll:
      case Action::kPop:
        break;
    }
    return corrupt();
  }

  // Whether `node`, at whose place there is nothing, may be applied.
  Result<> check_may_be_missing(const UpdateNode& node) const {
    if (!demands_array(node)) return {};
    const UpdateNode* at = &node;
    while (!at->on_elements())
      at = &*std::ranges::find_if(at->children, [&](const UpdateNode& c) { return demands_array(c); });
    return no_array(*at, "is missing");
  }

  static std::unexpected<Error> no_array(const UpdateNode& node, std::string_view but) {
    const UpdateNode& leaf = first_leaf(node);
    return fail(Code::kBadRequest,
                fmt::format("{}: {} must be an array of this document, but {}", place(leaf.action, leaf.path),
                            Path::shown(node.path), but));
  }

  // `padding` is at most what lies between the array's end and the new element.
  Result<> check_padding(const UpdateNode& node, uint32_t padding) const {
    if (padding <= Update::kMaxPadding) return {};
    const UpdateNode& leaf = *must_arrive(node);
    return fail(Code::kTooLarge, fmt::format("{}: {} lies {} elements behind the array's end, at most {} are filled up "
                                             "with null",
                                             place(leaf.action, leaf.path), Path::shown(node.path), padding,
                                             Update::kMaxPadding));
  }

  // Whether the field that `child` names may be looked for in a value of `kind`, where there are no fields of names.
  Result<> enter(const UpdateNode& child, Kind kind) const {
    const UpdateNode* leaf = must_arrive(child);
    if (leaf == nullptr) return {};
    Bytes parent = child.path.substr(0, child.path.rfind('.'));
    return fail(Code::kBadRequest,
                fmt::format("{}: {} holds {}, which has no field {}", place(leaf->action, leaf->path),
                            Path::shown(parent), type_name(kind), Path::shown(child.field.name)));
  }

  const DocumentLimits& limits_;
  std::span<const ArrayFilter> filters_;
  const UpdateContext& context_;
  Buffer& out_;
  uint64_t steps_ = 0;
  bool changed_ = false;
  std::vector<Bytes> moved_;  // per $rename what it moves; empty: nothing
};

}  // namespace

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
  Applier applier(limits_, filters_, context, applied.document);
  HF_CHECK_OK(applier.look_up(renames_, document));
  HF_CHECK_OK(applier.map(needs_position() ? positioned : root_, document));
  HF_CHECK_OK(check_document_size(applied.document.size(), limits_));
  if (applier.changed()) applied.outcome = Outcome::kChanged;
  return applied;
}

}  // namespace holdfast::core
