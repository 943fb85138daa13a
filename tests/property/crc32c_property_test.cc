#include "io/base/crc32c.h"
#include "tests/support/property.h"

namespace holdfast {
namespace {

using test::bytes_up_to;

RC_GTEST_PROP(Crc32cProperty, FastEqualsPortable, (uint32_t seed)) {
  Buffer data = *bytes_up_to(20'000);
  RC_ASSERT(crc32c(data, seed) == crc32c_portable(data, seed));
}

RC_GTEST_PROP(Crc32cProperty, ContinuesAcrossAnyCut, ()) {
  Buffer data = *bytes_up_to(9'000);
  size_t cut = *rc::gen::inRange<size_t>(0, data.size() + 1);
  RC_ASSERT(crc32c(Bytes(data).substr(cut), crc32c(Bytes(data).substr(0, cut))) == crc32c(data));
}

}  // namespace
}  // namespace holdfast
