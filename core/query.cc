#include "core/query.h"

#include "core/document.h"
#include "core/value_order.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;

// ---- Compiling ----

class QueryCompiler {
 public:
  Result<Query> compile(Bytes text) {
    if (text.size() > Query::kMaxBytes)
      return fail(Code::kTooLarge, "the query has " + std::to_string(text.size()) + " bytes, at most " +
                                       std::to_string(Query::kMaxBytes) + " are allowed");
    // Two levels more than a document: {path: {$eq: value}}.
    HF_CHECK_OK(msgpack::validate(text, {.max_depth = DocumentLimits().depth + 2}));
    query_.text_.assign(text.begin(), text.end());
    HF_CHECK_OK(conjunction(Bytes(query_.text_.data(), query_.text_.size())));
    group();
    return std::move(query_);
  }

 private:
  static bool is_operator(Bytes name) { return name.starts_with('$'); }

  static std::unexpected<Error> unsupported(Bytes name, std::string_view where) {
    return fail(Code::kUnsupported, Path::shown(name) + " " + std::string(where) + " is not supported");
  }
  static std::string at_path(Bytes path) { return "at path " + Path::shown(path); }

  Result<> conjunction(Bytes map) {
    Cursor at(map);
    Value head;
    at.next(head);
    if (head.kind == Kind::kNil) return {};
    if (head.kind != Kind::kMap) return fail(Code::kBadRequest, "a query must be a document");
    for (uint32_t i = 0; i < head.count; ++i) {
      Bytes key;
      at.string(key);
      if (is_operator(key)) return unsupported(key, "at the top level of a query");
      HF_CHECK_OK(field(key, at.raw()));
    }
    return {};
  }

  // {path: value} or {path: {$operator: operand, …}}; as in MongoDB the first key decides which.
  Result<> field(Bytes path, Bytes value) {
    Cursor at(value);
    Value head;
    at.next(head);
    if (head.kind != Kind::kMap || head.count == 0 || !is_operator(first_key(at)))
      return condition(path, Query::Operator::kEqual, value);
    for (uint32_t i = 0; i < head.count; ++i) {
      Bytes name;
      at.string(name);
      if (!is_operator(name))
        return fail(Code::kBadRequest, "the query mixes operators with the field " + Path::shown(name) + " " +
                                           at_path(path) +
                                           ": to compare with a document that holds operators' names use $eq");
      Bytes operand = at.raw();
      if (name != "$eq") return unsupported(name, at_path(path));
      HF_CHECK_OK(condition(path, Query::Operator::kEqual, operand));
    }
    return {};
  }

  static Bytes first_key(Cursor in_map) {
    Bytes key;
    in_map.string(key);
    return key;
  }

  Result<> condition(Bytes text, Query::Operator op, Bytes operand) {
    if (query_.conditions_.size() == Query::kMaxConditions)
      return fail(Code::kTooLarge, "a query has at most " + std::to_string(Query::kMaxConditions) + " conditions");
    HF_TRY(path, Path::parse(text));
    if (path.positions() > Query::kMaxPositions)
      return fail(Code::kTooLarge, "a path in a query holds at most " + std::to_string(Query::kMaxPositions) +
                                       " array positions, there are more " + at_path(text));
    if (text == "_id" && op == Query::Operator::kEqual && !query_.id_key_) {
      auto key = id_key(operand);
      if (key) query_.id_key_ = std::move(*key);
    }
    Query::Condition c{.path = std::move(path), .op = op, .behind_operand = Cursor(operand)};
    c.behind_operand.next(c.operand);
    query_.conditions_.push_back(std::move(c));
    return {};
  }

  static Query::Field::IfMissing if_missing(const Query::Condition& c) {
    using enum Query::Field::IfMissing;
    return Query::holds(c, CandidateKind::kMissing, Cursor(Bytes())) ? kHolds : kFails;
  }

  void group() {
    auto& all = query_.conditions_;
    std::ranges::sort(all, {}, [](const Query::Condition& c) { return c.path.first().name; });
    for (uint32_t i = 0; i < all.size(); ++i) {
      Bytes name = all[i].path.first().name;
      if (i == 0 || query_.fields_.back().name != name)
        query_.fields_.push_back({name, i, i, Query::Field::IfMissing::kHolds});
      Query::Field& f = query_.fields_.back();
      f.end = i + 1;
      if (if_missing(all[i]) == Query::Field::IfMissing::kFails) f.if_missing = Query::Field::IfMissing::kFails;
    }
    for (const Query::Field& f : query_.fields_) query_.required_ += f.if_missing == Query::Field::IfMissing::kFails;
  }

  Query query_;
};

Result<Query> Query::compile(Bytes query) { return QueryCompiler().compile(query); }

// ---- Matching ----

namespace {

bool equals(const msgpack::Value& operand, const Cursor& behind_operand, Cursor at) {
  Value v;
  return at.next(v) && equal(v, at, operand, behind_operand);
}

bool any_element_equals(const msgpack::Value& operand, const Cursor& behind_operand, uint32_t count, Cursor at) {
  for (uint32_t i = 0; i < count; ++i) {
    if (equals(operand, behind_operand, at)) return true;
    if (!at.skip()) return false;
  }
  return false;
}

}  // namespace

// Whether one candidate satisfies the condition.
bool Query::holds(const Condition& c, CandidateKind kind, Cursor at) {
  switch (c.op) {
    case Operator::kEqual: {
      if (kind == CandidateKind::kMissing) return c.operand.kind == Kind::kNil;
      Value v;
      if (!at.next(v)) return false;
      if (equal(v, at, c.operand, c.behind_operand)) return true;
      return v.kind == Kind::kArray && kind == CandidateKind::kValue &&
             any_element_equals(c.operand, c.behind_operand, v.count, at);
    }
  }
  return false;
}

bool Query::all_hold(const Field& field, const Cursor& value) const {
  for (uint32_t i = field.begin; i < field.end; ++i) {
    const Condition& c = conditions_[i];
    bool held = visit_candidates(value, c.path.after_first(),
                                 [&c](CandidateKind kind, const Cursor& at) { return holds(c, kind, at); });
    if (!held) return false;
  }
  return true;
}

const Query::Field* Query::find_field(Bytes name) const {
  constexpr size_t kFew = 8;  // up to so many, looking at each is faster than halving
  if (fields_.size() <= kFew) {
    for (const Field& f : fields_)
      if (f.name == name) return &f;
    return nullptr;
  }
  auto it = std::ranges::lower_bound(fields_, name, {}, &Field::name);
  return it != fields_.end() && it->name == name ? &*it : nullptr;
}

bool Query::matches(Bytes document) const {
  Cursor at(document);
  Value head;
  if (!at.next(head) || head.kind != Kind::kMap) return false;
  size_t left = fields_.size();
  uint32_t required_left = required_;
  for (uint32_t i = 0; i < head.count && left > 0; ++i) {
    Bytes key;
    if (!at.string(key)) return false;
    if (const Field* field = find_field(key)) {
      if (!all_hold(*field, at)) return false;
      --left;
      required_left -= field->if_missing == Field::IfMissing::kFails;
    }
    if (!at.skip()) return false;
  }
  return required_left == 0;
}

}  // namespace holdfast::core
