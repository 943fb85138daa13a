#include "client/cli/iso_time.h"

#include <fmt/core.h>

#include <chrono>
#include <string_view>

namespace holdfast::cli {
namespace {

constexpr int64_t kDay = 86'400;
constexpr int64_t kEndOf9999 = 253'402'300'800;

/// Takes exactly `digits` digits from the front.
bool number(std::string_view& text, size_t digits, int& out) {
  if (text.size() < digits) return false;
  out = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    out = 10 * out + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool literal(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

bool fraction(std::string_view& text, uint32_t& nanoseconds) {
  if (!literal(text, '.')) return true;
  size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    if (digits == 9) return false;
    nanoseconds = 10 * nanoseconds + static_cast<uint32_t>(text[digits] - '0');
  }
  for (size_t i = digits; i < 9; ++i) nanoseconds *= 10;
  text.remove_prefix(digits);
  return digits > 0;
}

/// "Z" or an offset, to the end of the text.
bool offset(std::string_view text, int64_t& seconds) {
  if (text == "Z" || text == "z") return true;
  if (!text.starts_with('+') && !text.starts_with('-')) return false;
  int64_t sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  int hours = 0, minutes = 0;
  if (!number(text, 2, hours) || hours > 23) return false;
  if (!text.empty()) {
    literal(text, ':');
    if (!number(text, 2, minutes) || minutes > 59 || !text.empty()) return false;
  }
  seconds = sign * (hours * 3600 + minutes * 60);
  return true;
}

}  // namespace

std::optional<std::string> to_iso(Instant t) {
  if (t.seconds < 0 || t.seconds >= kEndOf9999) return std::nullopt;
  std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(t.seconds / kDay))};
  int64_t in_day = t.seconds % kDay;
  std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), in_day / 3600,
                                in_day / 60 % 60, in_day % 60);
  if (t.nanoseconds != 0) {
    std::string digits = fmt::format("{:09}", t.nanoseconds);
    // As MongoDB writes it: three digits when they are enough.
    digits.erase(std::max<size_t>(3, digits.find_last_not_of('0') + 1));
    out += "." + digits;
  }
  return out + "Z";
}

std::optional<Instant> from_iso(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  bool date_ok = number(text, 4, year) && literal(text, '-') && number(text, 2, month) && literal(text, '-') &&
                 number(text, 2, day);
  if (!date_ok || !(literal(text, 'T') || literal(text, 't') || literal(text, ' '))) return std::nullopt;
  bool time_ok = number(text, 2, hour) && literal(text, ':') && number(text, 2, minute);
  if (time_ok && literal(text, ':')) time_ok = number(text, 2, second);
  Instant out;
  int64_t ahead = 0;
  if (!time_ok || !fraction(text, out.nanoseconds) || !offset(text, ahead)) return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (year < 1 || !date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  out.seconds =
      std::chrono::sys_days(date).time_since_epoch().count() * kDay + hour * 3600 + minute * 60 + second - ahead;
  return out;
}

}  // namespace holdfast::cli
