// Fuzzes queries: compiling any bytes, matching any bytes. Input: one length byte, that many bytes of query, the
// document.
#include "core/document.h"
#include "core/query.h"
#include "io/base/assert.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes in(reinterpret_cast<const char*>(data), size);
  if (in.empty()) return 0;
  size_t n = static_cast<uint8_t>(in.front());
  in.remove_prefix(1);
  Bytes text = in.substr(0, n), document = in.substr(std::min(n, in.size()));
  (void)core::check_document(document);
  auto query = core::Query::compile(text);
  if (!query) {
    HF_ASSERT(!query.error().message.empty(), "an error says what to do");
    return 0;
  }
  bool matched = query->matches(document);
  HF_ASSERT(matched == query->matches(document), "matching has no state");
  // Taken as a document, a query without paths and operators asks for its own fields.
  bool plain = text.find_first_of(".$") == Bytes::npos;
  if (plain && core::check_document(text)) HF_ASSERT(query->matches(text), "values equal themselves");
  return 0;
}
