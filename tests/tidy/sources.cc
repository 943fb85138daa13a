// The checks of one source: includes and text.
#include <algorithm>
#include <cctype>

#include "tests/tidy/checks.h"

namespace holdfast::tidy {
namespace {

bool is_code(const std::string& path) { return path.ends_with(".cc") || path.ends_with(".h"); }

void add(Report& report, const Source& s, size_t line, const std::string& text) {
  report.push_back(s.path + ":" + std::to_string(line) + ": " + text);
}

// `#include <x>` or `#include "x"`; the name, and which of the two by `open`. Empty when the line is none.
std::string included(const std::string& line, char& open) {
  size_t at = line.find_first_not_of(" \t");
  if (at == std::string::npos || line[at] != '#') return {};
  at = line.find("include", at);
  if (at == std::string::npos) return {};
  at = line.find_first_of("<\"", at);
  if (at == std::string::npos) return {};
  open = line[at];
  size_t end = line.find(open == '<' ? '>' : '"', at + 1);
  return end == std::string::npos ? std::string() : line.substr(at + 1, end - at - 1);
}

std::string joined(const Words& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : ", ") + w;
  return out.empty() ? "nothing" : out;
}

void check_quoted(const Source& s, size_t line, const std::string& name, const Rules& rules, Report& report) {
  std::string from = rules.layer_of(s.path);
  std::string to = rules.layer_of(name);
  if (to.empty()) return add(report, s, line, "\"" + name + "\" is not a path from the top; write it so");
  if (from.empty() || from == to || s.path.ends_with("/main.cc")) return;
  const Words& allowed = rules.layers.at(from);
  bool fine = std::ranges::any_of(allowed, [&](const std::string& folder) { return folder == "*" || folder == to; });
  if (!fine)
    add(report, s, line,
        from + " must not include " + to + "; it may include " + joined(allowed) + " (tests/tidy/layers.txt)");
}

void check_angled(const Source& s, size_t line, const std::string& name, const Rules& rules, Report& report) {
  for (const Rules::Header& h : rules.headers) {
    if (!matches(name, h.names)) continue;
    if (!covered(s.path, h.places))
      add(report, s, line, "<" + name + "> belongs only in " + joined(h.places) + "; go through that unit or the host");
    return;
  }
  if (name.find_first_of("./") != std::string::npos)
    add(report, s, line,
        "<" + name + "> is not named in tests/tidy/layers.txt; put it behind one unit and name that there");
}

void check_name(const Source& s, Report& report) {
  std::string name = s.path.substr(s.path.rfind('/') + 1);
  bool fine = std::ranges::all_of(
      name, [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '_' || c == '.'; });
  if (!fine || std::ranges::count(name, '.') != 1)
    add(report, s, 1, "files are named snake_case.h and snake_case.cc; rename it");
}

void check_header(const Source& s, Report& report) {
  if (s.lines.empty() || !s.lines[0].starts_with("//"))
    add(report, s, 1, "a header begins with a comment that says what it is");
  auto code = std::ranges::find_if(s.lines, [](const std::string& l) { return !l.empty() && !l.starts_with("//"); });
  if (code == s.lines.end() || *code != "#pragma once")
    add(report, s, static_cast<size_t>(code - s.lines.begin()) + 1,
        "#pragma once comes right after the leading comment");
}

}  // namespace

// A character of several bytes is one column.
size_t columns(const std::string& line) {
  return static_cast<size_t>(
      std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void check_includes(const Source& s, const Rules& rules, Report& report) {
  if (!is_code(s.path)) return;
  for (size_t i = 0; i < s.lines.size(); ++i) {
    char open = 0;
    std::string name = included(s.lines[i], open);
    if (name.empty()) continue;
    if (open == '"') check_quoted(s, i + 1, name, rules, report);
    else check_angled(s, i + 1, name, rules, report);
  }
}

void check_text(const Source& s, const Rules& rules, Report& report) {
  if (is_code(s.path)) check_name(s, report);
  if (s.path.ends_with(".h")) check_header(s, report);
  bool bounded = !s.path.ends_with(".md") && covered(s.path, rules.columns_in);
  for (size_t i = 0; i < s.lines.size(); ++i) {
    const std::string& l = s.lines[i];
    if (l.find('\t') != std::string::npos) add(report, s, i + 1, "has a tab; use spaces");
    if (l.ends_with(' ') || l.ends_with('\r')) add(report, s, i + 1, "ends with a blank; take it away");
    if (bounded && columns(l) > rules.columns)
      add(report, s, i + 1, "is longer than " + std::to_string(rules.columns) + " columns; break it");
  }
  if (!s.ends_with_newline) add(report, s, s.lines.size(), "the last line does not end; add a newline");
}

}  // namespace holdfast::tidy
