#include "chaos/suite/case.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace holdfast::chaos {
namespace {

constexpr std::string_view kFirstLine = "holdfast-case 1";

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r')) s.remove_suffix(1);
  return s;
}

/// Takes the first word off.
std::string_view word(std::string_view& rest) {
  rest = trimmed(rest);
  size_t end = std::min(rest.find_first_of(" \t"), rest.size());
  std::string_view out = rest.substr(0, end);
  rest = trimmed(rest.substr(end));
  return out;
}

template <class T>
std::optional<T> number(std::string_view s) {
  T n{};
  auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
  if (s.empty() || error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return n;
}

std::optional<sim::DrawIndex> index_of(std::string_view s) {
  size_t dot = s.find('.');
  auto occurrence = number<uint32_t>(s.substr(0, dot));
  auto detail = dot == s.npos ? std::optional<uint32_t>(0) : number<uint32_t>(s.substr(dot + 1));
  if (!occurrence || !detail) return std::nullopt;
  return sim::DrawIndex{*occurrence, *detail};
}

/// A longer list is a mistake, and would be slow.
constexpr uint64_t kListMax = 1'000'000;

/// "3,5-9", "-" for nothing.
std::optional<std::set<uint64_t>> list_of(std::string_view s) {
  std::set<uint64_t> out;
  if (s == "-") return out;
  for (bool more = true; more;) {
    size_t comma = s.find(',');
    more = comma != s.npos;
    std::string_view item = s.substr(0, comma);
    s = more ? s.substr(comma + 1) : std::string_view();
    size_t dash = item.find('-');
    auto low = number<uint64_t>(item.substr(0, dash));
    auto high = dash == item.npos ? low : number<uint64_t>(item.substr(dash + 1));
    if (!low || !high || *low > *high || *high - *low >= kListMax) return std::nullopt;
    for (uint64_t n = *low; n <= *high; ++n) out.insert(n);
  }
  return out;
}

std::string text_of(const std::set<uint64_t>& list) {
  std::string out;
  for (auto it = list.begin(); it != list.end();) {
    uint64_t low = *it, high = low;
    for (++it; it != list.end() && *it == high + 1; ++it) ++high;
    if (!out.empty()) out += ',';
    out += low == high ? fmt::format("{}", low) : fmt::format("{}-{}", low, high);
  }
  return out.empty() ? "-" : out;
}

std::string text_of(sim::DrawIndex i) {
  return i.detail == 0 ? fmt::format("{}", i.occurrence) : fmt::format("{}.{}", i.occurrence, i.detail);
}

/// Reads one line into a case; what is wrong with it, if anything.
class LineReader {
 public:
  explicit LineReader(Case& c) : case_(c) {}

  std::optional<std::string> read(std::string_view line) {
    std::string_view rest = line;
    std::string_view what = word(rest);
    for (const Row& row : kRows)
      if (row.what == what) return rest.empty() ? std::optional(fmt::format("'{}' says nothing", what)) : (this->*row.read)(rest);
    return fmt::format("'{}' is nothing that a case can say", what);
  }

 private:
  using Answer = std::optional<std::string>;
  struct Row {
    std::string_view what;
    Answer (LineReader::*read)(std::string_view rest);
  };

  Answer suite(std::string_view rest) {
    case_.suite = rest;
    return {};
  }
  Answer seed(std::string_view rest) {
    auto n = number<uint64_t>(rest);
    if (!n) return fmt::format("'{}' is no seed", rest);
    case_.seed = *n;
    return {};
  }
  Answer mutant(std::string_view rest) {
    case_.mutants.emplace_back(rest);
    return {};
  }
  Answer expect(std::string_view rest) {
    case_.expect = rest;
    return {};
  }
  Answer set(std::string_view rest) {
    std::string_view name = word(rest);
    auto n = number<uint64_t>(rest);
    if (!n) return fmt::format("'{}' is no value for '{}'", rest, name);
    return once(case_.overrides.settings.emplace(name, *n).second, name);
  }
  Answer operations(std::string_view rest) {
    std::string_view client = word(rest);
    auto n = number<int>(client);
    auto list = list_of(rest);
    if (!n || *n < 0) return fmt::format("'{}' is no number of a client", client);
    if (!list) return fmt::format("'{}' is no list like 3,5-9", rest);
    return once(case_.overrides.operations.emplace(*n, std::move(*list)).second, client);
  }
  Answer strike(std::string_view rest) {
    std::string_view stream = word(rest);
    auto list = list_of(rest);
    if (!list) return fmt::format("'{}' is no list like 3,5-9", rest);
    sim::Orders& orders = case_.overrides.orders[std::string(stream)];
    if (orders.strikes) return once(false, stream);
    orders.strikes.emplace();
    for (uint64_t n : *list) {
      if (n > UINT32_MAX) return fmt::format("no stream has a draw {}", n);
      orders.strikes->insert({static_cast<uint32_t>(n), 0});
    }
    return {};
  }
  Answer draw(std::string_view rest) {
    std::string_view stream = word(rest);
    std::string_view at = word(rest);
    auto index = index_of(at);
    auto value = number<uint64_t>(rest);
    if (!index) return fmt::format("'{}' is no index like 3 or 3.1", at);
    if (!value) return fmt::format("'{}' is no value of a draw", rest);
    return once(case_.overrides.orders[std::string(stream)].values.emplace(*index, *value).second, stream);
  }
  static Answer once(bool first, std::string_view what) {
    return first ? Answer() : fmt::format("'{}' is said twice", what);
  }

  static constexpr std::array<Row, 8> kRows = {{{"suite", &LineReader::suite},
                                                {"seed", &LineReader::seed},
                                                {"mutant", &LineReader::mutant},
                                                {"expect", &LineReader::expect},
                                                {"set", &LineReader::set},
                                                {"operations", &LineReader::operations},
                                                {"strike", &LineReader::strike},
                                                {"draw", &LineReader::draw}}};
  Case& case_;
};

}  // namespace

Result<Case> parse_case(std::string_view text) {
  Case out;
  LineReader reader(out);
  bool begun = false, has_seed = false;
  for (size_t line_number = 1; !text.empty(); ++line_number) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    auto bad = [&](std::string_view why) { return fail(Code::kBadRequest, fmt::format("line {}: {}", line_number, why)); };
    if (!begun) {
      if (line != kFirstLine)
        return bad(line.starts_with("holdfast-case ") ? fmt::format("this is '{}', and only '{}' is understood", line, kFirstLine)
                                                      : fmt::format("a case begins with '{}'", kFirstLine));
      begun = true;
      continue;
    }
    if (auto why = reader.read(line)) return bad(*why);
    has_seed |= line.starts_with("seed");
  }
  if (!begun) return fail(Code::kBadRequest, fmt::format("a case begins with '{}'", kFirstLine));
  if (out.suite.empty()) return fail(Code::kBadRequest, "the case names no suite");
  if (!has_seed) return fail(Code::kBadRequest, "the case names no seed");
  return out;
}

std::string to_text(const Case& c) {
  std::string out = fmt::format("{}\nsuite {}\nseed {}\n", kFirstLine, c.suite, c.seed);
  for (const std::string& m : c.mutants) out += fmt::format("mutant {}\n", m);
  if (!c.expect.empty()) out += fmt::format("expect {}\n", c.expect);
  for (const auto& [name, value] : c.overrides.settings) out += fmt::format("set {} {}\n", name, value);
  for (const auto& [client, list] : c.overrides.operations) out += fmt::format("operations {} {}\n", client, text_of(list));
  for (const auto& [stream, orders] : c.overrides.orders) {
    if (orders.strikes) {
      std::set<uint64_t> list;
      for (sim::DrawIndex i : *orders.strikes) list.insert(i.occurrence);
      out += fmt::format("strike {} {}\n", stream, text_of(list));
    }
    for (const auto& [index, value] : orders.values) out += fmt::format("draw {} {} {}\n", stream, text_of(index), value);
  }
  return out;
}

std::string_view without_quote(std::string_view violation) {
  for (size_t begin = 0; begin < violation.size();) {
    size_t end = std::min(violation.find_first_of(" \n", begin), violation.size());
    std::string_view w = violation.substr(begin, end - begin);
    if (w.ends_with(':')) {
      std::string_view name = w.substr(0, w.size() - 1);
      if (info(code_of(name)).name == name) return violation.substr(0, end);
    }
    begin = end + 1;
  }
  return violation;
}

std::string kind_of(std::string_view violation) {
  static constexpr std::string_view kOperations[] = {"insert", "update", "delete", "read"};
  std::string out;
  std::string_view rest = violation.substr(0, violation.find('\n'));
  auto add = [&](std::string_view w) {
    if (w == "#" && out.ends_with("#")) return;
    if (!out.empty()) out += ' ';
    out += w;
  };
  while (!rest.empty()) {
    std::string_view w = word(rest);
    bool is_name = std::ranges::any_of(w, [](char c) { return (c >= '0' && c <= '9') || c == '/'; });
    bool is_operation = std::ranges::find(kOperations, w) != std::end(kOperations);
    bool is_state = w.starts_with("absent") || w == "done" || w == "value" || w == "counter" || w == "or" || w == "not" || w == "nothing";
    add(is_name || is_operation || is_state ? "#" : w);
  }
  return out;
}

}  // namespace holdfast::chaos
