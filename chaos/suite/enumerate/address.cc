#include "chaos/suite/enumerate/address.h"

#include <fmt/core.h>

#include <array>
#include <charconv>

namespace holdfast::chaos {
namespace {

constexpr std::array<std::string_view, 3> kMoments = {"before", "after", "within"};  // in the order of sim::Moment

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> out;
  for (;;) {
    size_t n = text.find(at);
    out.push_back(text.substr(0, n));
    if (n == std::string_view::npos) return out;
    text.remove_prefix(n + 1);
  }
}

bool parse_number(std::string_view text, uint64_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string to_text(const Address& address) {
  std::string out;
  for (const CrashPoint& p : address)
    out += fmt::format("{}{}:{}:{}:{}", out.empty() ? "" : "+", p.operation, kMoments[static_cast<size_t>(p.moment)], p.settlement, p.image);
  return out;
}

std::optional<Address> parse_address(std::string_view text) {
  Address out;
  for (std::string_view point : split(text, '+')) {
    auto parts = split(point, ':');
    CrashPoint p;
    if (parts.size() != 4 || !parse_number(parts[0], p.operation) || !parse_number(parts[3], p.image)) return std::nullopt;
    size_t moment = 0;
    while (moment < kMoments.size() && kMoments[moment] != parts[1]) ++moment;
    if (moment == kMoments.size() || parts[2].find_first_not_of("01234") != std::string_view::npos) return std::nullopt;
    p.moment = static_cast<sim::Moment>(moment);
    p.settlement = parts[2];
    out.push_back(std::move(p));
  }
  return out;
}

}  // namespace holdfast::chaos
