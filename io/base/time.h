// Points in time and durations. Monotonic time orders events within one run of a host; wall time is for people.
#pragma once

#include <compare>
#include <cstdint>

namespace holdfast {

/// Nanoseconds.
struct Duration {
  int64_t ns = 0;
  auto operator<=>(const Duration&) const = default;
  constexpr Duration operator+(Duration d) const { return {ns + d.ns}; }
  constexpr Duration operator-(Duration d) const { return {ns - d.ns}; }
  constexpr Duration operator*(int64_t n) const { return {ns * n}; }
};
constexpr Duration nanoseconds(int64_t n) { return {n}; }
constexpr Duration microseconds(int64_t n) { return {n * 1'000}; }
constexpr Duration milliseconds(int64_t n) { return {n * 1'000'000}; }
constexpr Duration seconds(int64_t n) { return {n * 1'000'000'000}; }

/// Monotonic time: nanoseconds since a moment that means nothing.
struct Time {
  int64_t ns = 0;
  auto operator<=>(const Time&) const = default;
  constexpr Time operator+(Duration d) const { return {ns + d.ns}; }
  constexpr Duration operator-(Time t) const { return {ns - t.ns}; }
  static constexpr Time never() { return {INT64_MAX}; }
};

/// Wall-clock time: nanoseconds since 1970-01-01 UTC. May jump, both ways.
struct WallTime {
  int64_t ns = 0;
  auto operator<=>(const WallTime&) const = default;
};

}  // namespace holdfast
