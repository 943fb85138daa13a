// Times as text: RFC 3339 with up to nine digits after the point. Pure.
#pragma once

#include <optional>
#include <string>

namespace holdfast::cli {

struct Instant {
  int64_t seconds = 0;       ///< since 1970-01-01T00:00:00Z
  uint32_t nanoseconds = 0;  ///< 0 … 999,999,999, added
  bool operator==(const Instant&) const = default;
};

/// "2026-01-31T12:00:00.5Z"; nothing for years before 1970 and after 9999.
std::optional<std::string> to_iso(Instant t);
/// Also with an offset ("+01:00", "+0100", "+01") instead of Z. Nothing for what is no time; years 0001 to 9999.
std::optional<Instant> from_iso(std::string_view text);

}  // namespace holdfast::cli
