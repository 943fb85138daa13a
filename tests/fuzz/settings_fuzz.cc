// Fuzzes HOLDFAST. In half of the inputs the slots' checksums are made to fit.
#include "core/sealed.h"
#include "core/settings_format.h"
#include "tests/fuzz/fuzz.h"

namespace holdfast::core {
namespace {

std::vector<Buffer> seeds() {
  SettingsSlot a{7, {1, 2, 64, SyncMode::kAsync, {3, 4}, true}}, b{8, {1, 2, 4096, SyncMode::kSync, {3, 4}, false}};
  std::vector<Buffer> out;
  for (char mend : {'\0', '\1'}) out.push_back(mend + encode_settings_slot(a) + encode_settings_slot(b));
  return out;
}

}  // namespace

HOLDFAST_FUZZER(settings, seeds) {
  if (input.empty()) return;
  Buffer bytes(input.substr(1));
  if (input[0] & 1)
    for (size_t at = 0; at + kBlockBytes <= bytes.size(); at += kBlockBytes)
      seal(MutableBytes(bytes).subspan(at, kBlockBytes), load_le<uint64_t>(bytes.data() + at),
           load_le<uint32_t>(bytes.data() + at + 8));
  auto found = decode_settings(bytes);
  if (!found) return;
  auto again = decode_settings(encode_settings_slot(found->slot));
  FUZZ_CHECK(again && again->slot == found->slot);
}

}  // namespace holdfast::core
