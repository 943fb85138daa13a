// Upserts: of any query and any update that compile, the document that is to be inserted can be stored, or the request is refused. The input is the query and
// then the update.
#include "core/document.h"
#include "core/modification.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/tree.h"

namespace holdfast {
namespace {

std::vector<Buffer> seeds() {
  std::vector<Buffer> out;
  for (auto [query, update] : std::initializer_list<std::pair<const char*, const char*>>{
           {"{_id: 1, 'a.b': 2}", "{'$set': {c: 1}}"}, {"{a: {'$eq': 1, '$gt': 0}}", "{'$setOnInsert': {_id: 5}, '$inc': {n: 1}}"},
           {"{'$and': [{a: 1}, {'b.c': [1]}], '$or': [{d: 1}]}", "{'$push': {'b.c': 2}}"}, {"{_id: 'x'}", "{q: 1}"}, {"{}", "{_id: 7, q: 1}"},
           {"{a: 1, 'a.b': 2}", "{'$unset': {a: 1}}"}, {"{'x.0': 1}", "{'$rename': {x: 'y'}}"}, {"null", "{'$set': {_id: [1]}}"},
           {"{_id: {'$eq': 1, '$ne': 2}}", "{'$set': {c: 1}}"}, {"{_id: {'$all': [1]}}", "{'$set': {c: 1}}"}})
    out.push_back(test::mp(query) + test::mp(update));
  return out;
}

}  // namespace

HOLDFAST_FUZZER(upsert, seeds) {
  msgpack::Cursor at(input);
  Bytes query_text = at.raw();
  Bytes update_text = at.raw();
  auto query = core::Query::compile(query_text);
  auto update = core::Update::compile(update_text);
  if (!query || !update) return;
  FUZZ_CHECK(core::turn_key(*query).size() == 17);
  auto document = core::upsert_document(*query, *update, {1'700'000'000'123'456'789});
  if (!document) return FUZZ_CHECK(document.error().code != Code::kCorrupt && !document.error().message.empty());
  Buffer whole = *document;
  if (!core::find_id(whole)) whole = *core::with_id(whole, "generated");
  auto checked = core::check_document(whole);
  // What may not be an _id is refused where documents enter.
  FUZZ_CHECK(checked || checked.error().message.contains("_id"));
  if (checked && query->id_key()) FUZZ_CHECK(checked->key == *query->id_key());
}

}  // namespace holdfast
