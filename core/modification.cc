#include "core/modification.h"

#include "core/operand.h"
#include "io/base/hash.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;

namespace {

/// Calls `each(name, value)` for every field of a map; of null, which stands for a map without any, for none.
template <class F>
void each_field(Bytes map, F each) {
  Cursor at(map);
  Value head;
  if (!at.next(head) || head.kind != Kind::kMap) return;
  for (uint32_t i = 0; i < head.count; ++i) {
    Bytes name;
    at.string(name);
    each(name, at.raw());
  }
}

/// Paths that a query asks for by equality, with their values, as the fields of a map.
struct Equalities {
  Buffer fields;
  uint32_t count = 0;

  void add(Bytes path, Bytes value) {
    msgpack::Writer(fields).string(path).raw(value);
    ++count;
  }
  void of_query(Bytes query) {
    each_field(query, [this](Bytes name, Bytes operand) {
      if (name == "$and") {
        Cursor at(operand);
        Value head;
        at.next(head);
        for (uint32_t i = 0; i < head.count; ++i) of_query(at.raw());
      } else if (!is_operator(name)) {
        of_field(name, operand);
      }
    });
  }
  void of_field(Bytes path, Bytes operand) {
    if (head_of(operand).kind != Kind::kMap || !is_operator(first_key(operand))) return add(path, operand);
    each_field(operand, [this, path](Bytes name, Bytes value) {
      if (name == "$eq") add(path, value);
    });
  }
};

}  // namespace

Result<Update::Applied> Modification::apply(Bytes document, WallTime now) const {
  UpdateContext context{.now = now};
  if (update->needs_position()) context.position = of.query.matched_position(document);
  return update->apply(document, context);
}

Modification update_of(Query query, Update update) {
  return {.of = {.query = std::move(query), .sort = {}, .projection = {}, .limit = 1}, .update = std::move(update)};
}

Modification deletion_of(Query query) { return {.of = {.query = std::move(query), .sort = {}, .projection = {}, .limit = 1}}; }

Result<Buffer> upsert_document(const Query& query, const Update& update, WallTime now) {
  UpdateContext context{.now = now, .insert = true};
  Equalities equal;
  equal.of_query(query.text());
  Buffer document = "\x80";
  if (equal.count > 0) {
    Buffer set;
    msgpack::Writer(set).map(1).string("$set").map(equal.count).raw(equal.fields);
    auto fields = Update::compile(set);
    if (!fields)
      return fail(fields.error().code, "the document to be inserted cannot be made from the query's equalities: " + fields.error().message);
    HF_TRY(made, fields->apply(document, context));
    document = std::move(made.document);
  }
  HF_TRY(made, update.apply(document, context));
  return std::move(made.document);
}

Buffer turn_key(const Query& query) {
  Hash128 sum;
  each_field(query.text(), [&sum](Bytes name, Bytes operand) {
    Buffer field;
    msgpack::Writer(field).string(name).raw(operand);
    Hash128 one = xxh3_128(field);
    sum.low += one.low;
    sum.high += one.high;
  });
  Buffer key(1, '\xff');  // keys of documents begin with their type
  append_le(key, sum.low);
  append_le(key, sum.high);
  return key;
}

}  // namespace holdfast::core
