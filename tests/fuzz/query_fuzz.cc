// Queries: any bytes compile or are refused, and what compiles matches any bytes without harm. The input is the query
// and then the document; where no whole value begins, all of it is both.
#include "core/query.h"

#include "core/document.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/tree.h"

namespace holdfast {
namespace {

std::vector<Buffer> seeds() {
  Buffer document = test::mp("{_id: 1, a: {b: 1, c: [1, u64(2), {d: 'x'}, [1.5]]}, '0': 2.5, t: time(5,6), n: null}");
  std::vector<Buffer> out{document + document};
  for (const char* query :
       {"{'a.b': 1.0}", "{'a.c.2.d': 'x', _id: 1}", "{a: {'$eq': null}}", "{'0': 2.5, z: null}", "{'a.c': 2}",
        "{'a.c.3': [1.5]}", "{a: {b: 1, c: []}}", "{t: time(5,6)}", "{a: {'$gt': 1}}",
        "{'$or': [{a: {'$in': [1, null]}}, {'$nor': [{'a.b': {'$lt': 2.5}}]}]}", "{a: {'$elemMatch': {b: {'$exists': 0}}}}",
        "{'a.c': {'$all': [1, 2.5], '$size': 3}}", "{a: {'$not': {'$type': ['array', 2]}}}", "{'a.c': {'$mod': [3, 1]}}",
        "{'a.c': {'$regex': '^x+(y|z)', '$options': 'imsx'}}", "{a: {'$elemMatch': {'$gte': 1, '$ne': 'x'}}}"})
    out.push_back(test::mp(query) + document);
  return out;
}

}  // namespace

HOLDFAST_FUZZER(query, seeds) {
  msgpack::Cursor at(input);
  Bytes text = at.raw();
  Bytes document = at.ok() ? input.substr(text.size()) : input;
  if (!at.ok()) text = input;

  bool checked = core::check_document(document).has_value();
  auto query = core::Query::compile(text);
  if (!query) return FUZZ_CHECK(!query.error().message.empty());
  using enum core::Query::Match;
  core::Query::Match match = query->match(document);
  FUZZ_CHECK(query->match(document) == match);
  if (match == kYes) FUZZ_CHECK(query->matched_position(document) == query->matched_position(document));
  // A value alone matches as the document's only field does.
  std::vector<Bytes> names = query->field_names();
  if (names.size() == 1 && msgpack::validate(document)) {
    Buffer wrapped;
    msgpack::Writer(wrapped).map(1).string(names[0]).raw(document);
    core::Query::Match as_field = query->match(wrapped), alone = query->match_field(document);
    FUZZ_CHECK(as_field == alone || as_field == kTooCostly || alone == kTooCostly);
  }
  if (checked && query->matches_all()) FUZZ_CHECK(match == kYes);
  // Taken as a document, a query without paths and operators asks for its own fields.
  bool plain = text.find_first_of(".$") == Bytes::npos;
  if (plain && core::check_document(text)) FUZZ_CHECK(query->match(text) == kYes);
}

}  // namespace holdfast
