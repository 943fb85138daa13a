#include "io/wire/hkdf.h"

namespace holdfast::wire {

void hkdf_expand(Bytes key, Bytes info, MutableBytes out) {
  HF_ASSERT(out.size() <= 255 * Key::kSize, "a counter of one byte numbers the blocks");
  Key block;
  Bytes previous;
  for (char i = 1; !out.empty(); ++i) {
    block = hmac_sha256(key, {previous, info, Bytes(&i, 1)});
    previous = block;
    size_t n = std::min(out.size(), Key::kSize);
    std::memcpy(out.data(), previous.data(), n);
    out = out.subspan(n);
  }
}

void hkdf(Bytes salt, Bytes secret, Bytes info, MutableBytes out) {
  hkdf_expand(hmac_sha256(salt, {secret}), info, out);
}

}  // namespace holdfast::wire
