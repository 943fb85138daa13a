// Sorts and projections: any bytes compile or are refused; on a valid document a projection gives well-formed fields of it, and on other bytes both do no
// harm. The input is the sort, the projection, and then two documents.
#include "core/document.h"
#include "core/projection.h"
#include "core/sort.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/tree.h"

namespace holdfast {
namespace {

std::vector<Buffer> seeds() {
  Buffer documents = test::mp("{_id: 1, a: {b: 1, c: [1, u64(2), {d: 'x'}, [1.5]]}, n: null}") + test::mp("{_id: 'z', a: [{b: 2}, 3], t: time(5,6)}");
  std::vector<Buffer> out;
  for (auto [sort, projection] : std::initializer_list<std::pair<const char*, const char*>>{
           {"{a: 1}", "{a: 1}"}, {"{'a.b': -1, n: 1}", "{'a.c.d': 1, _id: 0}"}, {"[{t: 1}, {'a.c': -1}]", "{'a.b': 0, n: 0}"},
           {"{'a.c.2.d': 1}", "{'a.c': {'$slice': [-2, 1]}}"}, {"null", "{_id: 1}"}, {"{}", "{_id: 0, a: {'$slice': 1}}"}})
    out.push_back(test::mp(sort) + test::mp(projection) + documents);
  return out;
}

Bytes next(msgpack::Cursor& at) {
  Bytes value = at.raw();
  return at.ok() ? value : Bytes();
}

}  // namespace

HOLDFAST_FUZZER(find, seeds) {
  msgpack::Cursor at(input);
  Bytes sort_text = next(at), projection_text = next(at), one = next(at), two = next(at);
  auto id_a = core::id_key("\x01"), id_b = core::id_key("\x02");

  if (auto sort = core::Sort::compile(sort_text)) {
    Buffer a = sort->key(one), b = sort->key(two);
    auto forth = sort->compare(a, *id_a, b, *id_b), back = sort->compare(b, *id_b, a, *id_a);
    if (core::check_document(one) && core::check_document(two)) {
      FUZZ_CHECK(sort->compare(a, *id_a, a, *id_a) == 0);
      FUZZ_CHECK(sort->compare(a, *id_a, a, *id_b) < 0);
      FUZZ_CHECK((forth < 0) == (back > 0) && forth != 0);
    }
  } else {
    FUZZ_CHECK(!sort.error().message.empty());
  }

  auto projection = core::Projection::compile(projection_text);
  if (!projection) return FUZZ_CHECK(!projection.error().message.empty());
  Buffer shown = projection->apply(one);
  auto document = core::check_document(one);
  if (!document) return;
  FUZZ_CHECK(msgpack::validate(shown).has_value());
  FUZZ_CHECK(shown.size() <= one.size() + 8);
  if (auto id = core::find_id(shown)) FUZZ_CHECK(*id == document->id);
  if (projection->whole()) FUZZ_CHECK(shown == one);
}

}  // namespace holdfast
