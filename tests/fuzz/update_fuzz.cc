// Updates: any bytes compile or are refused; applied to a valid document the result is valid, applied to other bytes it
// does no harm. The input is the update, its array filters and the document; when the second value is the last one there
// are no filters, and where no whole value begins, all of the input is update and document.
#include "core/update.h"

#include "tests/fuzz/fuzz.h"
#include "tests/support/tree.h"

namespace holdfast {
namespace {

std::vector<Buffer> seeds() {
  Buffer document = test::mp("{_id: 1, a: {b: 1, c: [1, u64(2), {d: 'x'}, [1.5]]}, '0': 2.5, n: null}");
  std::vector<Buffer> out;
  for (const char* update :
       {"{'$set': {'a.b': 5, q: 1}}", "{'$unset': {'a.c.1': 1, n: 1}}", "{'$inc': {'0': 1, 'a.c.5': 2, 'a.b': i64(7)}}",
        "{'$set': {_id: 1.0, 'a.c.9': [null]}}", "{'$set': {'x.y.z': {k: 1}}, '$inc': {'a.c.3.0': 0.5}}",
        "{'$set': {'a.c.2.e': 1, 'a.c.2.d': 2}, '$unset': {'a.b': 1}}", "{'$push': {a: 1}}",
        "{'$set': {'a.c.1400000': 1}}", "{'$mul': {'0': 2, 'a.b': i64(-3)}}",
        "{'$bit': {'a.c.1': {and: 6, or: 1, xor: 3}}}",
        "{'$min': {'a.b': 0.5, q: null}, '$max': {n: 5, 'a.c.3': [2]}}", "{'$rename': {'a.b': 'q.r', n: '0', x: 'y'}}",
        "{'$setOnInsert': {q: 1}, '$currentDate': {n: true, 'a.t': {'$type': 'date'}}}",
        "{'$push': {'a.c': {'$each': [3, {d: 'a'}], '$position': -1, '$slice': -4, '$sort': {d: -1, 'x.0': 1}}}}",
        "{'$push': {'a.c': {'$each': [0], '$sort': 1, '$slice': 3}, 'a.c2': 5}}",
        "{'$addToSet': {'a.c': {'$each': [2, 2.0, [1.5], 'z', 'z']}, s: 1}, '$pop': {'a.d': -1}}",
        "{'$pull': {'a.c': {'$gte': 1, '$lt': 9}}}", "{'$pull': {'a.c': {d: {'$regex': '^x'}}, x: 5}}",
        "{'$pull': {'a.c': {'$or': [{d: 'x'}, {e: {'$exists': true}}]}}}", "{'$pullAll': {'a.c': [2.0, [1.5], null]}}",
        "{'$pop': {'a.c': 1, 'a.c2': -1}}", "{q: 1, a: {b: [1]}}", "{z: 1, _id: 1.0}", "{}", "{_id: 2}"})
    out.push_back(test::mp(update) + document);
  document = test::mp("{_id: 1, a: [{b: 1, c: [1, 5]}, {b: 2, c: []}], d: [1, 2, [3, 4]], e: [[1], [2, 3]], n: null}");
  for (auto [update, filters] : std::initializer_list<std::pair<const char*, const char*>>{
           {"{'$set': {'a.$[].b': 5, 'd.$[x]': 0}}", "[{x: {'$gt': 1}}]"},
           {"{'$inc': {'a.$[x].c.$[y]': 1, 'a.$[x].b': 2}}", "[{'x.b': 1}, {y: {'$gte': 2, '$lt': 9}}]"},
           {"{'$set': {'a.$[x].v': 1, 'a.$[y].w': 2, 'a.$[].u': 3}}", "[{'$or': [{'x.b': 1}, {x: 5}]}, {'y.c': 5}]"},
           {"{'$set': {'a.$[x].v': 1}, '$unset': {'a.$[y].v': 1}}", "[{'x.b': 1}, {'y.b': {'$ne': 1}}]"},
           {"{'$push': {'e.$[]': {'$each': [0], '$sort': 1}}, '$pop': {'a.$[].c': 1}}", "null"},
           {"{'$pull': {'e.$[x]': {'$gt': 1}}, '$addToSet': {'a.$[].c': 7}}", "[{x: {'$size': 2}}]"},
           {"{'$set': {'a.$.b': 5, 'd.$': 6, 'a.0.z': 1}}", "null"}, {"{'$mul': {'d.$.1': 2}}", "[]"},
           {"{'$setOnInsert': {'q.$[].b': 1}, '$max': {'d.$[]': 2}}", "[]"}})
    out.push_back(test::mp(update) + test::mp(filters) + document);
  return out;
}

}  // namespace

HOLDFAST_FUZZER(update, seeds) {
  msgpack::Cursor at(input);
  Bytes text = at.raw();
  Bytes document = at.ok() ? input.substr(text.size()) : input, filters;
  if (!at.ok()) text = input;
  if (at.ok() && !at.at_end()) {
    Bytes second = at.raw();
    if (at.ok() && !at.at_end()) {
      filters = second;
      document = document.substr(second.size());
    }
  }

  core::DocumentLimits limits{.bytes = 4096};  // small, so that padding meets it
  auto update = core::Update::compile(text, filters, limits);
  if (!update) return FUZZ_CHECK(!update.error().message.empty());
  core::UpdateContext now{.now = {1'700'000'000'123'456'789}};
  if (update->needs_position()) now.position = static_cast<uint32_t>(input.size() % 3);
  auto applied = update->apply(document, now);
  auto before = core::check_document(document, limits);
  if (!before) return;
  if (!applied) return FUZZ_CHECK(applied.error().code != Code::kCorrupt);
  auto after = core::check_document(applied->document, limits);
  FUZZ_CHECK(after.has_value());
  FUZZ_CHECK(after->key == before->key);
  FUZZ_CHECK(applied->changed() == (applied->document != document));
  auto again = update->apply(document, now);
  FUZZ_CHECK(again && again->document == applied->document);
  (void)update->apply(document, {.insert = true, .position = now.position});
}

}  // namespace holdfast
