// Assertions: on in every build. They are for programmers' errors only; bytes from disk, network or a user are never
// asserted on, they are errors (error.h).
#pragma once

namespace holdfast {

/// Prints file, line, the condition and why it should hold to standard error, then aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* why, const char* file, int line);

}  // namespace holdfast

/// HF_ASSERT(condition, "why it holds").
#define HF_ASSERT(condition, why) \
  (static_cast<bool>(condition) ? void(0) : ::holdfast::assertion_failed(#condition, why, __FILE__, __LINE__))
