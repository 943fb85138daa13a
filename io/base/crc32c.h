// CRC32C (Castagnoli, RFC 3720 appendix B.4): the checksum of everything Holdfast stores.
#pragma once

#include "io/base/bytes.h"

namespace holdfast {

/// CRC32C of `data`; pass an earlier result as `seed` to continue it: crc32c(b, crc32c(a)) == crc32c(a + b).
/// Uses the SSE4.2 instruction, three streams interleaved, where the processor has it; a table otherwise.
uint32_t crc32c(Bytes data, uint32_t seed = 0);

/// The table version, whatever the processor has: the oracle of the fast one.
uint32_t crc32c_portable(Bytes data, uint32_t seed = 0);

}  // namespace holdfast
