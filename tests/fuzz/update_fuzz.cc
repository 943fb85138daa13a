// Fuzzes updates: compiling any bytes, applying to any bytes. Input: one length byte, that many bytes of update, the
// document.
#include "core/update.h"
#include "io/base/assert.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes in(reinterpret_cast<const char*>(data), size);
  if (in.empty()) return 0;
  size_t n = static_cast<uint8_t>(in.front());
  in.remove_prefix(1);
  Bytes text = in.substr(0, n), document = in.substr(std::min(n, in.size()));
  // A small limit, so that padding meets it.
  core::DocumentLimits limits{.bytes = 4096};
  auto update = core::Update::compile(text, limits);
  if (!update) return 0;
  auto applied = update->apply(document);
  auto before = core::check_document(document, limits);
  if (!before) return 0;
  if (!applied) {
    HF_ASSERT(applied.error().code != Code::kCorrupt, "the document was checked");
    return 0;
  }
  auto after = core::check_document(applied->document, limits);
  HF_ASSERT(after, "an update of a valid document gives a valid one");
  HF_ASSERT(after->key == before->key, "_id never changes");
  HF_ASSERT(applied->changed() == (applied->document != document), "changed() tells whether the bytes changed");
  return 0;
}
