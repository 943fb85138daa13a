#include "core/update_positional.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/operand.h"
#include "core/value_order.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using Part = UpdateNode::Part;

namespace {

bool is_identifier(Bytes name) {
  auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  auto alphanumeric = [&](char c) { return lower(c) || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  return !name.empty() && lower(name.front()) && std::ranges::all_of(name, alphanumeric);
}

constexpr std::string_view kIdentifierRule = "begins with a lowercase letter and has letters and digits alone";

Result<ArrayFilter> one_filter(Bytes text) {
  if (head_of(text).kind != Kind::kMap)
    return fail(Code::kBadRequest, fmt::format("there must be a document, not {}", type_name(head_of(text).kind)));
  HF_TRY(query, Query::compile(text));
  std::vector<Bytes> names = query.field_names();
  if (names.empty()) return fail(Code::kBadRequest, "there must be a condition on an identifier");
  if (names.size() > 1)
    return fail(Code::kBadRequest, fmt::format("it names {} and {}, but a filter is about one identifier",
                                               Path::shown(names[0]), Path::shown(names[1])));
  if (!is_identifier(names[0]))
    return fail(Code::kBadRequest,
                fmt::format("{} is no identifier: one {}", Path::shown(names[0]), kIdentifierRule));
  return ArrayFilter{names[0], std::move(query)};
}

}  // namespace

Result<Part> part_kind(Bytes name) {
  if (name == "$") return Part::kMatched;
  if (name == "$[]") return Part::kEach;
  if (!name.starts_with("$[")) return Part::kNamed;
  if (!name.ends_with(']') || !is_identifier(identifier_of(name)))
    return fail(Code::kBadRequest, fmt::format("{} is none of $, $[] and $[identifier]; an identifier {}",
                                               Path::shown(name), kIdentifierRule));
  return Part::kFiltered;
}

Result<std::vector<ArrayFilter>> compile_array_filters(Bytes array_filters) {
  std::vector<ArrayFilter> out;
  if (array_filters.empty()) return out;
  Cursor at(array_filters);
  Value head;
  at.next(head);
  if (at.ok() && head.kind == Kind::kNil) return out;
  if (!at.ok() || head.kind != Kind::kArray)
    return fail(Code::kBadRequest, "array filters must be an array of documents");
  if (head.count > Update::kMaxArrayFilters)
    return fail(Code::kTooLarge, fmt::format("an update has at most {} array filters", Update::kMaxArrayFilters));
  size_t conditions = 0;
  for (uint32_t i = 0; i < head.count; ++i) {
    Result<ArrayFilter> filter = one_filter(at.raw());
    if (!filter) return fail(filter.error().code, fmt::format("array filter {}: {}", i, filter.error().message));
    auto same = std::ranges::find(out, filter->identifier, &ArrayFilter::identifier);
    if (same != out.end())
      return fail(Code::kBadRequest,
                  fmt::format("array filters {} and {} are both about {}: join them into one", same - out.begin(), i,
                              Path::shown(filter->identifier)));
    conditions += filter->query.conditions();
    if (conditions > Query::kMaxConditions)
      return fail(Code::kTooLarge,
                  fmt::format("array filters have at most {} conditions together", Query::kMaxConditions));
    out.push_back(std::move(*filter));
  }
  return out;
}

// ---- Trees ----

const UpdateNode& first_leaf(const UpdateNode& node) {
  const UpdateNode* at = &node;
  while (!at->children.empty()) at = &at->children.front();
  return *at;
}

namespace {

bool comes_before(const Path::Component& a, const Path::Component& b) { return visiting_order(a, b) < 0; }

std::unexpected<Error> conflict(const UpdateNode& a, const UpdateNode& b) {
  const UpdateNode &x = first_leaf(a), &y = first_leaf(b);
  return fail(Code::kBadRequest,
              fmt::format("the update's paths {} and {} conflict, in {} and {}: in this document they lead to the same "
                          "field, one inside the other, or to elements in different ways",
                          Path::shown(x.path), Path::shown(y.path), operator_name(x.action), operator_name(y.action)));
}

Result<> put_position(UpdateNode& node, const Path::Component& position) {
  for (UpdateNode& child : node.children) HF_CHECK_OK(put_position(child, position));
  auto matched = std::ranges::find(node.children, Part::kMatched, &UpdateNode::part);
  if (matched == node.children.end()) return {};
  UpdateNode child = std::move(*matched);
  node.children.erase(matched);
  child.part = Part::kNamed;
  child.field = position;
  auto place = std::ranges::lower_bound(node.children, position, comes_before, &UpdateNode::field);
  if (place == node.children.end() || place->field != position) {
    node.children.insert(place, std::move(child));
    return {};
  }
  const UpdateNode* both[] = {&*place, &child};
  HF_TRY(joined, merged(both));
  *place = std::move(joined);
  return {};
}

}  // namespace

Result<UpdateNode> merged(std::span<const UpdateNode* const> nodes) {
  if (nodes.size() == 1) return *nodes.front();
  const UpdateNode& first = *nodes.front();
  std::vector<const UpdateNode*> below;
  for (const UpdateNode* node : nodes) {
    bool meets = node->is_leaf() || first.is_leaf() || node->on_elements() != first.on_elements();
    if (node != &first && meets) return conflict(first, *node);
    for (const UpdateNode& child : node->children) below.push_back(&child);
  }
  auto before = [](const UpdateNode* a, const UpdateNode* b) { return comes_before(a->field, b->field); };
  std::ranges::sort(below, before);
  UpdateNode out{.field = first.field, .part = first.part, .filter = first.filter, .path = first.path};
  for (std::span<const UpdateNode* const> rest = below; !rest.empty();) {
    auto other = std::ranges::find_if(rest, [&](const UpdateNode* n) { return n->field != rest.front()->field; });
    auto same = static_cast<size_t>(other - rest.begin());
    HF_TRY(child, merged(rest.first(same)));
    out.adopt(std::move(child));
    rest = rest.subspan(same);
  }
  for (const UpdateNode* node : nodes) out.demands = std::max(out.demands, node->demands);
  return out;
}

Result<UpdateNode> with_position(const UpdateNode& root, const Path::Component& position) {
  UpdateNode out = root;
  HF_CHECK_OK(put_position(out, position));
  return out;
}

void UpdateNode::adopt(UpdateNode child) {
  creates = std::max(creates, child.creates);
  demands = std::max(demands, child.demands);
  refuses_scalars |= child.refuses_scalars;
  weight += child.weight;
  children.push_back(std::move(child));
}

}  // namespace holdfast::core
