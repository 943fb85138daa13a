// What instructions this machine has for ciphers: what the choice among them goes by. A fact, not a state; but one that
// differs between machines, so programs ask, and simulated ones are told.
#pragma once

namespace holdfast::wire {

enum class AesUnit : bool { kNone, kPresent };

/// Whether the processor has instructions for AES (and for the carry-less product that GCM needs).
AesUnit aes_unit();

}  // namespace holdfast::wire
