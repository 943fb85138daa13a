// Bytes as hexadecimal digits, as vectors in documents have them; blanks between them count for nothing.
#pragma once

#include "io/base/bytes.h"

namespace holdfast::test {

inline Buffer from_hex(std::string_view digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Buffer out;
  int high = -1;
  for (char c : digits) {
    size_t value = kDigits.find(c);
    if (value == kDigits.npos) continue;
    if (high < 0) {
      high = static_cast<int>(value);
    } else {
      out += static_cast<char>(high << 4 | static_cast<int>(value));
      high = -1;
    }
  }
  return out;
}

inline std::string to_hex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (char c : bytes) {
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

/// `n` bytes: first, first + step, …
inline Buffer counting(size_t n, int first = 0, int step = 1) {
  Buffer out;
  for (size_t i = 0; i < n; ++i, first += step) out += static_cast<char>(first);
  return out;
}

}  // namespace holdfast::test
