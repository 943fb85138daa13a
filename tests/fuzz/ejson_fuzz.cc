// JSON text: what is taken is a sound value, which printed and read again is itself; the cutter of streams finds the
// same documents however the text arrives. The same bytes are also printed as if they were MessagePack.
#include "client/cli/document_reader.h"
#include "client/cli/ejson.h"
#include "io/base/msgpack.h"
#include "io/base/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace holdfast::cli {
namespace {

std::vector<Buffer> seeds() {
  return {
      R"({"_id":"a","n":[1,-5,2.5,1e300,true,null],"m":{"x":{"y":"z"}},"s":"\"\\\u00e9\ud83d\ude00"})",
      R"([{"$date":"2026-01-31T12:00:00.5+01:00"},{"$date":{"$numberLong":"-1"}},{"$time":{"seconds":"-1","nanoseconds":5}}])",
      R"([{"$binary":{"base64":"AAEC","subType":"00"}},{"$binary":"AA==","$type":"00"},{"$extension":{"type":-5,"base64":"AA=="}}])",
      R"([{"$numberUnsigned":"18446744073709551615"},{"$numberDouble":"NaN"},{"$numberInt":"5"},{"$rawString":"/w=="}])",
      R"({"$literal":{"$literal":{"$date":{"$literal":{"$date":1}}}}})",
      "{\"a\":1}\n\r\n{\"a\":2}\r\n",
      "\xef\xbb\xbf[{\"a\":\"]\"},\n{}]\n",
      Buffer("\x82\xa5$date\x01\xa1k\x92\xcb\x3f\xf0\0\0\0\0\0\0\xc4\x01x", 24),
  };
}

std::vector<Buffer> cut(Bytes text, size_t piece) {
  DocumentReader reader;
  std::vector<Buffer> out;
  for (bool finished = false; !finished;) {
    MutableBytes room = reader.prepare();
    size_t n = std::min({room.size(), piece, text.size()});
    if (n > 0) std::memcpy(room.data(), text.data(), n);
    text.remove_prefix(n);
    reader.commit(n);
    finished = n == 0;
    if (finished) reader.finish();
    for (;;) {
      auto item = reader.next();
      if (!item) {
        out.push_back(item.error().message);
        return out;
      }
      if (!*item) break;
      FUZZ_CHECK(!(*item)->text.empty());
      out.push_back(std::to_string((*item)->line) + Buffer((*item)->text));
    }
  }
  return out;
}

}  // namespace

HOLDFAST_FUZZER(ejson, seeds) {
  if (auto value = from_json(input)) {
    FUZZ_CHECK(msgpack::validate(*value));
    auto text = to_json(*value);
    FUZZ_CHECK(text && is_utf8(*text) && text->find('\n') == text->npos);
    auto same = from_json(*text);
    FUZZ_CHECK(same && *same == *value);
  }
  if (auto text = to_json(input); text && msgpack::validate(input)) FUZZ_CHECK(from_json(*text));
  FUZZ_CHECK(cut(input, SIZE_MAX) == cut(input, 3));
}

}  // namespace holdfast::cli
